"""The examination of a file: how it would be read, and what is wrong with it."""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext, suppress
from typing import BinaryIO, Final

from attrs import define, evolve, field

from commerce_core.base.errors import FileRefused
from commerce_core.base.money import find_currency
from commerce_core.base.text import squash
from commerce_core.doctor.columns import ColumnStats
from commerce_core.doctor.diagnosis import (
    Diagnosis,
    DryRead,
    Mapped,
    Note,
    Option,
    Question,
    Refusal,
    Suggestion,
    Verdict,
)
from commerce_core.doctor.encodings import container_of
from commerce_core.doctor.mapping import choose_preset, second_columns, suggest, understood
from commerce_core.doctor.offers import not_offered, sale_flag, with_rules
from commerce_core.doctor.proposal import Finding, amended, fed_fields, findings
from commerce_core.doctor.questions import (
    which_column,
    which_currency,
    which_delimiter,
    which_identity,
)
from commerce_core.doctor.reading import Reading, gtin_notes
from commerce_core.doctor.survey import MOST_RECORDS, Asked, Survey, refusal_of
from commerce_core.parsing.needed_presets import check_preset
from commerce_core.parsing.reader import open_feed
from commerce_core.parsing.record_reader import Terms
from commerce_core.profiles.mapping import AROUND, HeaderMapping, map_header, rivals_of
from commerce_core.profiles.presets import PRESET_PROFILES, in_full
from commerce_core.profiles.profile import CANONICAL, Column, Profile
from commerce_core.profiles.recognition import recognised_preset
from commerce_core.schema.fields import AMOUNTS, Mode
from commerce_core.schema.problems import PROBLEMS

MOST_TRIALS: Final = 12
"""How often the beginning of a file is read again to find out whether a proposal is right."""
TRIAL_RECORDS: Final = 2_000
"""The records that such a trial reads."""
_CODE: Final = 3
_IDS_AROUND: Final = ("../sku", "../handle", "../slug", "../code", "../id", "../@id")
"""The columns by which records in another one are its variants, the best first."""
_DESCRIPTIVE: Final = frozenset(
    {"options", "attributes", "condition", "category", "gtin", "weight", "product_url", "image_url"}
    | {"additional_image_urls"}
)
"""Fields without which a product is sold no differently, so that an unreadable one may be left."""
_UPDATES: Final = frozenset(
    {"sku", "quantity", "availability", "currency", "deleted", "sale_starts_at", "sale_ends_at"}
    | {*AMOUNTS}
)
"""A file with only these fields is a price or stock feed: it updates existing products."""


def examine(stream: BinaryIO, asked: Asked | None = None) -> Diagnosis:
    """Examines a file, whatever its content; the stream must be seekable, and stays open.

    Reads only the beginning of the file, several times, and never raises because of its content.
    """
    asked = asked or Asked()
    survey = Survey.of(stream, asked)
    return _Examination(survey, asked, survey.profile, asked.mode or "full", survey.refusal).run()


@define
class _Examination:
    """What is known of a surveyed file so far; each step adds to it."""

    _survey: Survey
    _asked: Asked
    profile: Profile
    mode: Mode
    refusal: Refusal | None
    refusal_as_it_is: Refusal | None = None
    mapping: HeaderMapping | None = None
    suggestions: list[Suggestion] = field(factory=list[Suggestion])
    questions: list[Question] = field(factory=list[Question])
    notes: list[Note] = field(factory=list[Note])
    reading: Reading = field(factory=Reading)
    read_as_it_is: Reading = field(factory=Reading)

    def run(self) -> Diagnosis:
        """Takes all steps, as far as the survey found anything to examine."""
        self.questions += self._survey.questions
        if self.header:
            self._understand()
            self._read_dry()
            if self.reading.corrected_report:
                detail = "this is a corrected report of rejected records, read as a delta"
                self.notes.append(Note("mended_report", None, detail))
        return self._diagnosis()

    @property
    def header(self) -> list[str]:
        """The names of the columns; none if the survey came to no header."""
        return self._survey.header

    @property
    def all_stats(self) -> list[ColumnStats]:
        """What each column contains."""
        return self._survey.all_stats

    # --- the header, and what the cells say ---

    def _understand(self) -> None:
        self._note_header()
        with suppress(FileRefused):
            self._settle_delimiter()
        if self._asked.profile is None:
            self._propose_preset()
        self._ask_about_rivals()
        self.mapping = understood(self.header, self.profile, self._currency)
        if self._asked.profile is None:
            self._suggest()
        if self._asked.mode is None and self._is_update():
            self.mode = "delta"
            detail = (
                "the file has only prices or stock, so it is read as a delta for existing products"
            )
            self.notes.append(Note("delta", None, detail))
        if self.mapping is not None:
            self._examine_fields(self.mapping)
        self._ask_for_identity()

    @property
    def _currency(self) -> str | None:
        return self.profile.currency or self._asked.currency

    def _propose_preset(self) -> None:
        preset = self._asked.preset or choose_preset(self.header, self._currency)
        self.profile = evolve(self.profile, preset=preset)
        if self._asked.currency_is_of_file:
            self.profile = evolve(self.profile, currency=self._asked.currency)

        self._try_recognised()
        self._leave_path_to_preset()
        if self._currency is None:
            self._ask_for_currency_of_columns()

    def _leave_path_to_preset(self) -> None:
        """A preset that knows where the records are answers the question about them."""
        own = self.profile.record_path
        if own and own == PRESET_PROFILES[self.profile.preset].record_path:
            self.profile = evolve(self.profile, record_path=None)
            self.questions = [asked for asked in self.questions if asked.code != "records"]

    def _try_recognised(self) -> None:
        """Proposes the preset whose columns the file has, if more is read rightly with it."""
        recognised = recognised_preset(self.header)
        if self._asked.preset or self.profile.preset != "canonical" or recognised is None:
            return
        proposed = evolve(self.profile, preset=recognised)
        if self._right(proposed) > self._right(self.profile):
            self.profile = proposed

    def _ask_for_currency_of_columns(self) -> None:
        """Asks for the currency if the file has a price column for each, as some exports do."""
        full = in_full(self.profile)
        named = [name for column in full.columns.values() for name in column.from_]
        named += [other for name in named for other in full.names.get(name, ())]
        templates = [name for name in named if "{currency}" in name]
        codes = {
            name[-_CODE:].upper(): None
            for name in self.header
            for template in templates
            if squash(name[:-_CODE] + "{currency}") == squash(template)
            and find_currency(name[-_CODE:])
        }
        if not codes:
            return
        only = next(iter(codes)) if len(codes) == 1 else None
        self.profile = evolve(self.profile, currency=only)
        self.questions.append(which_currency(tuple(codes)))

    def _ask_about_rivals(self) -> None:
        for name, columns in self._rivals().items():
            if len(set(map(squash, columns))) < len(columns):
                detail = f"{len(columns)} columns have this name, and each could be the {name}"
                self.notes.append(Note("same_header", columns[0], f"{detail}; rename one"))
                continue
            candidates = [stats for column in columns if (stats := self._stats_of(column))]
            asked = which_column(name, candidates)
            if self._asked.profile is None and any(column.startswith(AROUND) for column in columns):
                asked = self._assume_around(name, columns, asked)
            self.questions.append(asked)

    def _assume_around(self, name: str, columns: Sequence[str], asked: Question) -> Question:
        """Assumes the record's own column and then what is around it, and for a name only that."""
        own = [column for column in columns if not column.startswith(AROUND)]
        around = [column for column in columns if column.startswith(AROUND)]
        if len(own) > 1 or len(around) > 1:
            return asked
        taken = tuple(around if name == "product_name" else (*own, *around))
        self.profile = evolve(self.profile, columns={**self.profile.columns, name: Column(taken)})
        answer = " or ".join(taken)
        both = Option(answer, "the first of them that isn't blank")
        options = asked.options if len(taken) == 1 else (both, *asked.options)
        return evolve(asked, options=options, assumed=answer)

    def _group_by_what_is_around(self) -> None:
        """Records within one are its variants: they have its number or name in common."""
        named = {squash(stats.header): stats.header for stats in self.all_stats if stats.filled}
        found = next((named[name] for name in _IDS_AROUND if name in named), None)
        if found and "group_id" not in self._fed():
            columns = {**self.profile.columns, "group_id": Column((found,))}
            self.profile = evolve(self.profile, columns=columns)
            because = "what is around a record is the product of which it is a variant"
            self.suggestions.append(Suggestion("group_id", (found,), because))

    def _rivals(self) -> dict[str, tuple[str, ...]]:
        return rivals_of(self.header, in_full(self.profile), self._currency)

    def _stats_of(self, column: str) -> ColumnStats | None:
        return next((stats for stats in self.all_stats if stats.header == column), None)

    def _fed(self) -> tuple[str, ...]:
        """The fields that the header feeds, and the ones that could be any of several columns."""
        if self.mapping is None:
            return tuple(self._rivals())
        has_sku = self.mapping.field_mappings["sku"].indexes or in_full(self.profile).identity
        fed = (name for name in self.mapping.field_mappings if name != "sku" or has_sku)
        return (*fed, *self._rivals())

    def _suggest(self) -> None:
        if self.profile.preset not in ("canonical", "google-merchant"):
            return
        self._group_by_what_is_around()
        unused = self.mapping.unused if self.mapping else tuple(self.header)
        columns = dict(self.profile.columns)
        self._ask_about_second_columns(unused)
        for found in suggest(self.all_stats, unused, self._fed()):
            if isinstance(found, Question):
                self.questions.append(found)
            else:
                self.suggestions.append(found)
                join = " " if len(found.columns) > 1 else None
                columns[found.field] = Column(found.columns, join=join)
        self.profile = evolve(self.profile, columns=columns)
        self._leave_out_what_is_not_offered(unused)
        self.mapping = understood(self.header, self.profile, self._currency)

    def _leave_out_what_is_not_offered(self, unused: Sequence[str]) -> None:
        """Proposes rules for columns that say what is for sale."""
        fed = {name for column in self.profile.columns.values() for name in column.from_}
        found = list(not_offered(self.all_stats, [name for name in unused if name not in fed]))
        self.profile = with_rules(self.profile, found)
        self.questions += [each.question for each in found]

    def _ask_about_second_columns(self, unused: Sequence[str]) -> None:
        """Asks which column is the stock or the price if another one is called much like it."""
        seconds = second_columns(self.all_stats, unused)
        for name in ("price", "quantity"):
            first = self.mapping.column_of(name) if self.mapping else None
            own = self._stats_of(first) if first else None
            if own is not None and (others := seconds.get(name)):
                asked = which_column(name, [own, *others])
                self.questions.append(evolve(asked, assumed=own.header))

    def _is_update(self) -> bool:
        fed = set(self._fed())
        return "sku" in fed and len(fed) > 1 and fed <= _UPDATES

    def _examine_fields(self, mapping: HeaderMapping) -> None:
        fed = list(fed_fields(mapping, self.all_stats))
        found = list(findings(fed, self._currency))
        found += sale_flag(self.all_stats, mapping.unused, [each.name for each in fed])
        if self._asked.profile is None:
            found = self._tried(found, mapping)
        self.questions += [finding.question for finding in found if finding.question]
        self.notes += [finding.note for finding in found if finding.note]
        if self._asked.profile is None:
            self.profile = amended(self.profile, found, mapping)
            self._leave_unreadable(mapping)
        for each in fed:
            if each.name == "gtin":
                self.notes += gtin_notes(each.stats)

    def _tried(self, found: list[Finding], mapping: HeaderMapping) -> list[Finding]:
        """The findings without those whose change makes less of the file read rightly."""
        right = self._right(amended(self.profile, found, mapping))
        changed = dict.fromkeys(finding.field for finding in found if finding.change)
        for name in list(changed)[:MOST_TRIALS]:
            others = [each for each in found if each.field != name or not each.change]
            if (without := self._right(amended(self.profile, others, mapping))) > right:
                found, right = others, without
        return found

    def _leave_unreadable(self, mapping: HeaderMapping) -> None:
        """Leaves out columns that only look like a field: most records would be rejected for it."""
        reading, _ = self._read_by(self.profile, TRIAL_RECORDS)
        for name, errors in reading.errors_by_field.most_common(MOST_TRIALS):
            meant = mapping.field_mappings[name].column.hint
            if name not in _DESCRIPTIVE or meant or errors * 2 < reading.records:
                continue
            left = evolve(self.profile, columns={**self.profile.columns, name: Column()})
            if self._right(left) > self._right(self.profile):
                self.profile = left
                detail = f"most cells can't be read as {name}, so the profile leaves the column out"
                self.notes.append(Note("left_out", mapping.column_of(name), detail, errors))

    def _right(self, profile: Profile) -> tuple[int, int]:
        """How much of the file's beginning is read rightly with a profile."""
        return self._read_by(profile, TRIAL_RECORDS)[0].right

    def _ask_for_identity(self) -> None:
        if "sku" in self._fed() or any(" sku" in q.question for q in self.questions):
            return
        feeds = {stats.index: _feeds(stats, self.mapping) for stats in self.all_stats}
        self.questions.append(which_identity(self.all_stats, feeds))

    def _note_header(self) -> None:
        blank = [str(t.index + 1) for t in self.all_stats if not t.header and t.filled]
        if blank:
            detail = f"columns have cells but no header: {', '.join(blank[:10])}"
            self.notes.append(Note("blank_header", None, detail, len(blank)))
        if (line := self.profile.header_line) > 1 and self._asked.profile is None:
            detail = f"the header is on line {line}; the profile leaves out what stands above it"
            self.notes.append(Note("header_line", None, detail, line=line))
        for stats in self.all_stats:
            self.notes += stats.damage.values()

    # --- the dry read ---

    def _read_dry(self) -> None:
        self.reading, refused = self._read_by(self.profile)
        self.refusal = refused or self.refusal
        self.read_as_it_is, self.refusal_as_it_is = self.reading, self.refusal
        if self.profile != self._asked.as_it_is:
            self.read_as_it_is, self.refusal_as_it_is = self._read_by(self._asked.as_it_is)
        if self._asked.as_it_is == CANONICAL and not self.refusal_as_it_is:
            self.refusal_as_it_is = self._preset_needed()
        if self.refusal and self.refusal.code == "ambiguous_dialect":
            self.questions.append(which_delimiter(self._survey.splittings))

    def _preset_needed(self) -> Refusal | None:
        """Why intake would refuse the file without any profile, if it is one of a platform's."""
        try:
            header = open_feed(self._survey.rewound(), self._terms(self._asked.as_it_is)).header
            check_preset(header, lambda: nullcontext(self._survey.rewound()))
        except FileRefused as refused:
            return refusal_of(refused)
        return None

    def _settle_delimiter(self) -> None:
        """Declares the delimiter if loading, by the header alone, would choose another."""
        if self._asked.profile is not None or not self._survey.splittings:
            return
        best = self._survey.splittings[0].delimiter
        if open_feed(self._survey.rewound(), self._terms(self.profile)).delimiter != best:
            self.profile = evolve(self.profile, delimiter=best)

    def _read_by(
        self, profile: Profile, limit: int = MOST_RECORDS
    ) -> tuple[Reading, Refusal | None]:
        """What becomes of the records with a profile, and why the file is refused, if it is."""
        reading, limit = Reading(), min(limit, max(self._survey.extent.records, 1))
        try:
            reader = open_feed(self._survey.rewound(), self._terms(profile))
            if reader.header.corrects is None:
                map_header(self.header, self.mode, in_full(profile), self._currency)
            else:
                reading.corrected_report = True
            reading.read(reader, limit)
        except FileRefused as refused:
            return reading, refusal_of(refused)
        return reading, None if any(reading.taken.values()) else _nothing_accepted(reading)

    def _terms(self, profile: Profile) -> Terms:
        """Reads as a delta if no currency is known: that is a question, not a fault per record."""
        known = profile.currency or self._asked.currency
        mode = self.mode if known else "delta"
        return Terms(mode, self._asked.currency, self._asked.zone, profile)

    # --- the answer ---

    def _diagnosis(self) -> Diagnosis:
        mapping = self.mapping
        mapped = tuple(_mapping(mapping, self._fed())) if mapping else ()
        return Diagnosis(
            verdict=self._verdict(),
            refusal=self.refusal,
            refusal_as_it_is=self.refusal_as_it_is if self.header else self.refusal,
            accepted_as_it_is=sum(self.read_as_it_is.taken.values()),
            mode=self.mode,
            looked_at=self._survey.extent,
            container=container_of(self._survey.rewound()),
            encoding=self._survey.encoding,
            dialect=self._survey.dialect,
            preset=self.profile.preset,
            mapping=mapped,
            missing=self._missing(mapped),
            suggestions=tuple(self.suggestions),
            unused_columns=mapping.unused if mapping else tuple(filter(None, self.header)),
            columns=tuple(t.look(_feeds(t, mapping), ()) for t in self.all_stats),
            notes=(*self.notes, *self.reading.notes()),
            dry_read=self.reading.report() if self.header else DryRead(),
            questions=tuple(self.questions),
            profile=self.profile,
            losses=self._losses(),
        )

    def _losses(self) -> dict[str, int]:
        """What would be rejected or sold wrongly; an update takes prices and stock from before."""
        found = self.reading.report()
        losses = {"rejected": found.rejected}
        if self.mode == "full":
            has_stock = not {"quantity", "availability"}.isdisjoint(self._fed())
            losses |= {"unpriced": found.unpriced, "untracked": found.untracked if has_stock else 0}
        return {name: count for name, count in losses.items() if count}

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


def _feeds(stats: ColumnStats, mapping: HeaderMapping | None) -> tuple[str, ...]:
    if mapping is None:
        return ()
    return tuple(
        n for n, feeding in mapping.field_mappings.items() if stats.index in feeding.indexes
    )


def _nothing_accepted(reading: Reading) -> Refusal:
    report = reading.report()
    if report.records == report.blank:
        return Refusal("nothing_accepted", "The file has a header but no records.")
    code = next(iter(report.problems_by_code), None)
    why = f" Most have {code}: {PROBLEMS[code][1]}" if code else ""
    return Refusal("nothing_accepted", f"No record could be accepted.{why}")
