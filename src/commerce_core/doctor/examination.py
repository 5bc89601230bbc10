"""The examination of a file: what it is, how it would be read, what would be wrong with it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, tzinfo
from typing import BinaryIO, Final

from attrs import define, evolve, field, frozen

from commerce_core.base.errors import FileRefused
from commerce_core.base.money import find_currency
from commerce_core.base.text import BLANKS, UNSTORABLE, squash
from commerce_core.doctor.columns import Tally, tally_columns
from commerce_core.doctor.diagnosis import (
    Diagnosis,
    Dialect,
    DryRead,
    Encoding,
    Extent,
    Mapped,
    Note,
    Option,
    Question,
    QuoteTrouble,
    Refusal,
    Suggestion,
    Verdict,
)
from commerce_core.doctor.dialects import Splitting, line_ends, splittings
from commerce_core.doctor.encodings import container_of, not_text, survey_encoding
from commerce_core.doctor.mapping import choose_preset, suggest, understood
from commerce_core.doctor.proposal import Finding, amended, fed_fields, findings
from commerce_core.doctor.reading import Reading, gtin_notes
from commerce_core.parsing.decoding import read_text
from commerce_core.parsing.formats import LONGEST_HEADER, open_records
from commerce_core.parsing.json_lines import begins_json
from commerce_core.parsing.raw_records import RawRecord
from commerce_core.parsing.reader import open_feed
from commerce_core.parsing.record_reader import Terms
from commerce_core.profiles.mapping import HeaderMapping, map_header, rivals_of, tidy_header
from commerce_core.profiles.presets import in_full
from commerce_core.profiles.profile import CANONICAL, Column, Preset, Profile
from commerce_core.schema.fields import AMOUNTS, Mode
from commerce_core.schema.problems import PROBLEMS

MOST_RECORDS: Final = 20_000
MOST_BYTES: Final = 64 * 1024**2
"""How much of a file is looked at; more isn't needed to know what it is."""
_MOST_TROUBLES: Final = 5
_MOST_KEYS: Final = 6
_CODE: Final = 3
_UPDATES: Final = frozenset(
    {"sku", "quantity", "availability", "currency", "deleted", "sale_starts_at", "sale_ends_at"}
    | {*AMOUNTS}
)
"""A file that has nothing else is a price or stock feed: it updates products that are there."""


@frozen
class Asked:
    """What is known beside the file: all of it may be unsaid.

    With a `profile` the file is examined as that one reads it, and nothing is proposed beside it.
    `currency` is the partner's, or the file's if `currency_is_of_file`.
    """

    profile: Profile | None = None
    preset: Preset | None = None
    mode: Mode | None = None
    currency: str | None = None
    currency_is_of_file: bool = False
    zone: tzinfo = UTC
    most_records: int = MOST_RECORDS
    most_bytes: int = MOST_BYTES

    @property
    def as_it_is(self) -> Profile:
        """The profile by which the file is read if nobody does anything about it."""
        return self.profile or Profile(preset=self.preset or "canonical")


def examine(stream: BinaryIO, asked: Asked | None = None) -> Diagnosis:
    """Examines a file, whatever is in it; the stream has to be seekable, and stays open.

    Looks at its first records alone, a few times over, and never raises for what they say.
    """
    return _Examination(stream, asked or Asked()).run()


@define
class _Examination:
    """What is known so far; each step adds to it."""

    _stream: BinaryIO
    _asked: Asked
    encoding: Encoding = field(factory=lambda: Encoding("utf-8", "there is nothing in it"))
    dialect: Dialect | None = None
    header: list[str] = field(factory=list[str])
    tallies: list[Tally] = field(factory=list[Tally])
    extent: Extent = field(factory=lambda: Extent(0, 0, complete=True))
    profile: Profile = CANONICAL
    mapping: HeaderMapping | None = None
    mode: Mode = "full"
    refusal: Refusal | None = None
    refusal_as_it_is: Refusal | None = None
    suggestions: list[Suggestion] = field(factory=list[Suggestion])
    questions: list[Question] = field(factory=list[Question])
    notes: list[Note] = field(factory=list[Note])
    reading: Reading = field(factory=Reading)
    read_as_it_is: Reading = field(factory=Reading)
    _splittings: list[Splitting] = field(factory=list[Splitting])
    _troubles: list[QuoteTrouble] = field(factory=list[QuoteTrouble])

    def run(self) -> Diagnosis:
        """Takes all steps, or those up to a refusal that leaves nothing to look at."""
        self.profile = self._asked.as_it_is
        self.mode = self._asked.mode or "full"
        steps: tuple[Callable[[], None], ...] = (
            self._look_at_bytes,
            self._look_at_dialect,
            self._look_at_columns,
        )
        for step in steps:
            try:
                step()
            except FileRefused as refused:
                self.refusal = _told(refused)
        if self.header:
            self._understand()
            self._read_dry()
            if self.reading.mended:
                detail = "it is a report of rejected records, mended: read as a delta"
                self.notes.append(Note("mended_report", None, detail))
        return self._diagnosis()

    def _rewound(self) -> BinaryIO:
        self._stream.seek(0)
        return self._stream

    # --- bytes and text ---

    def _look_at_bytes(self) -> None:
        declared = self.profile.encoding
        try:
            self.encoding = survey_encoding(self._rewound(), declared, self._asked.most_bytes)
        except FileRefused as refused:
            self.encoding = not_text(self._rewound(), refused)
            raise
        guesses = self.encoding.guesses
        if self.encoding.name is None and guesses:
            options = tuple(
                Option(f'encoding = "{guess.encoding}"', " … ".join(guess.samples))
                for guess in guesses
            )
            self.profile = evolve(self.profile, encoding=guesses[0].encoding)
            asked = "In which encoding is the file? Look which of these reads right."
            self._ask(Question("encoding", None, asked, options, options[0].answer))

    def _text(self) -> Iterator[str]:
        return read_text(self._rewound(), self.profile.encoding)

    def _look_at_dialect(self) -> None:
        if self.refusal:
            return
        head = _head(self._text())
        if begins_json(head):
            self.dialect = Dialect(None, ("it begins with a JSON object",), line_ends(head))
            return
        found = self._splittings = splittings(head)
        chosen = self.profile.delimiter or (found[0].delimiter if found else ",")
        told = tuple(each.told for each in found) or ("no delimiter splits the header",)
        self.dialect = Dialect(chosen, told, line_ends(head))

    # --- records of cells ---

    def _look_at_columns(self) -> None:
        if self.dialect is None:
            return
        opened = open_records(self._text(), self.dialect.delimiter, lambda _: True)
        records = self._measured(opened.records)
        try:
            first = next((r for r in records if any(c.strip(BLANKS) for c in r.cells or ())), None)
            if first is None:
                detail = "The file has nothing but blank lines."
                raise FileRefused("empty", detail, "Send a header and records.")
            self.header = [tidy_header(cell) for cell in first.cells or ()]
            self.tallies = [Tally(name, index) for index, name in enumerate(self.header)]
            for _ in tally_columns(self.header, records, self.tallies):
                pass
        finally:
            self.dialect = evolve(self.dialect, quoting=tuple(self._troubles))

    def _measured(self, records: Iterator[RawRecord]) -> Iterator[RawRecord]:
        """The records up to the limit; the header isn't one of them."""
        count, size, self.extent = -1, 0, Extent(0, 0, complete=False)
        for raw in records:
            if count >= self._asked.most_records or size >= self._asked.most_bytes:
                return
            count += 1
            size += sum(map(len, raw.cells)) + len(raw.cells) if raw.cells else len(raw.text)
            if raw.cells is None and len(self._troubles) < _MOST_TROUBLES:
                text = UNSTORABLE.sub("\ufffd", raw.text[:80].rstrip())
                detail = f"the quotes of this record are broken: {text}"
                self._troubles.append(QuoteTrouble(raw.line, detail))
            self.extent = Extent(max(0, count), size, complete=False)
            yield raw
        self.extent = evolve(self.extent, complete=True)

    # --- the header, and what the cells say ---

    def _understand(self) -> None:
        self._note_header()
        if self._asked.profile is None:
            self._propose_preset()
        self._ask_about_rivals()
        self.mapping = understood(self.header, self.profile, self._currency)
        if self._asked.profile is None:
            self._suggest()
        if self._asked.mode is None and self._is_update():
            self.mode = "delta"
            detail = "it has prices or stock alone: read as a delta, for products that are there"
            self.notes.append(Note("delta", None, detail))
        if self.mapping is not None:
            self._look_at_fields(self.mapping)
        self._ask_for_identity()

    @property
    def _currency(self) -> str | None:
        return self.profile.currency or self._asked.currency

    def _propose_preset(self) -> None:
        preset = self._asked.preset or choose_preset(self.header, self._currency)
        self.profile = evolve(self.profile, preset=preset)
        if self._asked.currency_is_of_file:
            self.profile = evolve(self.profile, currency=self._asked.currency)

        if self._currency is None:
            self._ask_for_currency_of_columns()

    def _ask_for_currency_of_columns(self) -> None:
        """Some exports have a price column for each currency; only one can be the price."""
        columns = in_full(self.profile).columns.values()
        templates = [name for column in columns for name in column.from_ if "{currency}" in name]
        codes = {
            name[-_CODE:].upper(): None
            for name in self.header
            for template in templates
            if squash(name[:-_CODE] + "{currency}") == squash(template)
            and find_currency(name[-_CODE:])
        }
        if not codes:
            return
        options = tuple(Option(f'currency = "{code}"', f"prices in {code}") for code in codes)
        only = next(iter(codes)) if len(codes) == 1 else None
        self.profile = evolve(self.profile, currency=only)
        asked = "The file has a column of prices for each currency: which is to be the price?"
        assumed = options[0].answer if only else None
        self._ask(Question("currency", None, asked, options, assumed))

    def _ask_about_rivals(self) -> None:
        for name, columns in self._rivals().items():
            if len(set(map(squash, columns))) < len(columns):
                detail = f"{len(columns)} columns are called so, and each could be the {name}"
                self.notes.append(Note("same_header", columns[0], f"{detail}; rename one"))
                continue
            options = tuple(
                Option(column, f"as in {', '.join(map(repr, list(tally.samples)[:2]))}")
                for column in columns
                if (tally := self._tally(column))
            )
            asked = f"Several columns could each be the {name}: which one is it?"
            self._ask(Question("which_column", None, asked, options))

    def _rivals(self) -> dict[str, tuple[str, ...]]:
        return rivals_of(self.header, in_full(self.profile), self._currency)

    def _tally(self, column: str) -> Tally | None:
        return next((tally for tally in self.tallies if tally.header == column), None)

    def _fed(self) -> tuple[str, ...]:
        """The fields that the header feeds, and those whose column is in question."""
        if self.mapping is None:
            return tuple(self._rivals())
        has_sku = self.mapping.field_mappings["sku"].indexes or in_full(self.profile).identity
        fed = (name for name in self.mapping.field_mappings if name != "sku" or has_sku)
        return (*fed, *self._rivals())

    def _suggest(self) -> None:
        if self.profile.preset not in ("canonical", "google-merchant"):
            return
        unused = self.mapping.unused if self.mapping else tuple(self.header)
        columns = dict(self.profile.columns)
        for found in suggest(self.tallies, unused, self._fed()):
            if isinstance(found, Question):
                self._ask(found)
            else:
                self.suggestions.append(found)
                join = " " if len(found.columns) > 1 else None
                columns[found.field] = Column(found.columns, join=join)
        self.profile = evolve(self.profile, columns=columns)
        self.mapping = understood(self.header, self.profile, self._currency)

    def _is_update(self) -> bool:
        fed = set(self._fed())
        return "sku" in fed and len(fed) > 1 and fed <= _UPDATES

    def _look_at_fields(self, mapping: HeaderMapping) -> None:
        fed = list(fed_fields(mapping, self.tallies))
        found = list(findings(fed, self._currency))
        for finding in found:
            self._keep(finding)
        if self._asked.profile is None:
            self.profile = amended(self.profile, found, mapping)
        for each in fed:
            if each.name == "gtin":
                self.notes += gtin_notes(each.tally)

    def _keep(self, finding: Finding) -> None:
        if finding.question:
            self._ask(finding.question)
        if finding.note:
            self.notes.append(finding.note)

    def _ask(self, question: Question) -> None:
        self.questions.append(question)

    def _ask_for_identity(self) -> None:
        if "sku" in self._fed() or any(" sku" in q.question for q in self.questions):
            return
        free = (t for t in self.tallies if set(_feeds(t, self.mapping)) <= {"gtin", "mpn"})
        keys = [tally for tally in free if tally.is_key][:_MOST_KEYS]
        options = tuple(
            Option(tally.header, f"never blank, never twice, as in {next(iter(tally.samples))!r}")
            for tally in keys
        )
        asked = "Nothing is the sku: which column tells one product from every other, for good?"
        self._ask(Question("identity", None, asked, options))

    def _note_header(self) -> None:
        blank = [str(t.index + 1) for t in self.tallies if not t.header and t.filled]
        if blank:
            detail = f"columns have cells but no name: {', '.join(blank[:10])}"
            self.notes.append(Note("blank_header", None, detail, len(blank)))
        if self.header[0].startswith("["):
            detail = "it looks like one JSON document; send one JSON object a line"
            self.notes.append(Note("json_document", None, detail))
        for tally in self.tallies:
            self.notes += tally.damage.values()

    # --- the dry read ---

    def _read_dry(self) -> None:
        with suppress(FileRefused):
            self._settle_delimiter()
        self.reading, refused = self._read_by(self.profile)
        self.refusal = refused or self.refusal
        self.read_as_it_is, self.refusal_as_it_is = self.reading, self.refusal
        if self.profile != self._asked.as_it_is:
            self.read_as_it_is, self.refusal_as_it_is = self._read_by(self._asked.as_it_is)
        if self.refusal and self.refusal.code == "ambiguous_dialect":
            options = tuple(
                Option(f'delimiter = "{each.delimiter}"', each.told) for each in self._splittings
            )
            self._ask(Question("delimiter", None, "What stands between the cells?", options))

    def _settle_delimiter(self) -> None:
        """Declares the delimiter where intake, by the header alone, would take another one."""
        if self._asked.profile is not None or not self._splittings:
            return
        best = self._splittings[0].delimiter
        if open_feed(self._rewound(), self._terms(self.profile)).delimiter != best:
            self.profile = evolve(self.profile, delimiter=best)

    def _read_by(self, profile: Profile) -> tuple[Reading, Refusal | None]:
        """What becomes of the records under a profile, and why the file is refused, if it is."""
        reading = Reading()
        try:
            reader = open_feed(self._rewound(), self._terms(profile))
            if reader.mends is None:
                map_header(self.header, self.mode, in_full(profile), self._currency)
            else:
                reading.mended = True
            reading.read(reader, max(self.extent.records, 1))
        except FileRefused as refused:
            return reading, _told(refused)
        return reading, None if any(reading.taken.values()) else _nothing_accepted(reading)

    def _terms(self, profile: Profile) -> Terms:
        """As a delta where no currency is known: that is asked for, and no fault of each record."""
        known = profile.currency or self._asked.currency
        mode = self.mode if known else "delta"
        return Terms(mode, self._asked.currency, self._asked.zone, profile)

    # --- the answer ---

    def _diagnosis(self) -> Diagnosis:
        told = self.reading.told() if self.header else DryRead()
        mapping = self.mapping
        mapped = tuple(_mapping(mapping, self._fed())) if mapping else ()
        return Diagnosis(
            verdict=self._verdict(),
            refusal=self.refusal,
            refusal_as_it_is=self.refusal_as_it_is if self.header else self.refusal,
            accepted_as_it_is=sum(self.read_as_it_is.taken.values()),
            mode=self.mode,
            looked_at=self.extent,
            container=container_of(self._rewound()),
            encoding=self.encoding,
            dialect=self.dialect,
            preset=self.profile.preset,
            mapping=mapped,
            missing=self._missing(mapped),
            suggestions=tuple(self.suggestions),
            unused_columns=mapping.unused if mapping else tuple(filter(None, self.header)),
            columns=tuple(t.look(_feeds(t, mapping), ()) for t in self.tallies),
            notes=(*self.notes, *self.reading.notes()),
            dry_read=told,
            questions=tuple(self.questions),
            profile=self.profile,
        )

    def _verdict(self) -> Verdict:
        if self.refusal:
            return "refused"
        if self.refusal_as_it_is or self.profile.preset != self._asked.as_it_is.preset:
            return "with_profile"
        as_many = sum(self.read_as_it_is.taken.values()) >= sum(self.reading.taken.values())
        return "taken" if as_many else "with_profile"

    def _missing(self, mapping: Sequence[Mapped]) -> tuple[str, ...]:
        wanted = ("sku", "product_name") if self.mode == "full" else ("sku",)
        return tuple(n for n in wanted if n not in {m.field for m in mapping})


def _mapping(mapping: HeaderMapping, fed: Sequence[str]) -> Iterator[Mapped]:
    for name, feeding in mapping.field_mappings.items():
        if name in fed:
            yield Mapped(name, tuple(mapping.header[i] for i in feeding.indexes))


def _feeds(tally: Tally, mapping: HeaderMapping | None) -> tuple[str, ...]:
    if mapping is None:
        return ()
    return tuple(
        n for n, feeding in mapping.field_mappings.items() if tally.index in feeding.indexes
    )


def _nothing_accepted(reading: Reading) -> Refusal:
    told = reading.told()
    if told.records == told.blank:
        return Refusal("nothing_accepted", "The file has a header and no records.")
    code = next(iter(told.problems_by_code), None)
    why = f" Most have {code}: {PROBLEMS[code][1]}" if code else ""
    return Refusal("nothing_accepted", f"No record could be accepted.{why}")


def _head(blocks: Iterator[str]) -> str:
    taken: list[str] = []
    for block in blocks:
        taken.append(block)
        if sum(map(len, taken)) >= LONGEST_HEADER:
            break
    return "".join(taken)[:LONGEST_HEADER]


def _told(refused: FileRefused) -> Refusal:
    return Refusal(refused.code, str(refused), refused.line)
