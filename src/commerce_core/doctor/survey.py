"""The survey of a file: its bytes, its text and its columns, before its header is understood."""

from collections.abc import Iterator
from datetime import UTC, tzinfo
from typing import BinaryIO, Final

from attrs import define, evolve, field, frozen

from commerce_core.base.errors import FileRefused
from commerce_core.base.text import BLANKS, UNSTORABLE
from commerce_core.doctor.columns import ColumnStats, count_columns
from commerce_core.doctor.diagnosis import (
    Dialect,
    Encoding,
    Extent,
    Question,
    QuoteTrouble,
    Refusal,
)
from commerce_core.doctor.dialects import Splitting, header_line_of, line_ends, splittings
from commerce_core.doctor.encodings import survey_encoding
from commerce_core.doctor.questions import are_quotes_characters, which_encoding, which_records
from commerce_core.parsing.decoding import read_text
from commerce_core.parsing.formats import LONGEST_HEADER, RawRecord, open_records, structured
from commerce_core.parsing.raw_records import lines_in
from commerce_core.parsing.unforeseen import NOT_OF_FILE, unreadable
from commerce_core.profiles.mapping import tidy_header
from commerce_core.profiles.profile import Preset, Profile
from commerce_core.schema.fields import Mode

MOST_RECORDS: Final = 20_000
MOST_BYTES: Final = 64 * 1024**2
"""How much of a file is examined; more isn't needed to know what it is."""
MOST_CELLS: Final = 400_000
"""Cells that are examined, so that a file of many columns takes no longer than one of few."""
_LEAST_RECORDS: Final = 100
_MOST_TROUBLES: Final = 5
_SEVERAL: Final = 2
"""Broken quotes from which on there may be no quoting at all: one is a slip."""


@frozen
class Asked:
    """What the caller knows beside the file; all of it is optional.

    With a `profile`, the file is examined as that profile reads it, and no other is proposed.
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
        """The profile by which the file is read if nothing is done about it."""
        return self.profile or Profile(preset=self.preset or "canonical")


@define
class Survey:
    """What is known of a file so far; each step adds to it.

    `profile` is the one asked for, with the best guess of an encoding that it doesn't declare. If
    none was asked for, it has the line of the header, and the path to records in others.
    """

    _stream: BinaryIO
    _asked: Asked
    profile: Profile
    encoding: Encoding = field(factory=lambda: Encoding("utf-8", "the file is empty"))
    dialect: Dialect | None = None
    splittings: list[Splitting] = field(factory=list[Splitting])
    header: list[str] = field(factory=list[str])
    all_stats: list[ColumnStats] = field(factory=list[ColumnStats])
    extent: Extent = field(factory=lambda: Extent(0, 0, complete=True))
    questions: list[Question] = field(factory=list[Question])
    refusal: Refusal | None = None
    _troubles: list[QuoteTrouble] = field(factory=list[QuoteTrouble])
    even: int = 0
    """Records with as many cells as the header."""

    @classmethod
    def of(cls, stream: BinaryIO, asked: Asked) -> "Survey":
        """Surveys a file, up to the step at which it would be refused.

        If several quotes are broken, also as a file without quoting, where more is right then.
        """
        survey = cls._with(stream, asked, asked.as_it_is)
        if asked.profile is not None or survey.broken_quotes < _SEVERAL:
            return survey
        other = cls._with(stream, asked, evolve(asked.as_it_is, quotes="none"))
        if other.refusal or other.even <= survey.even:
            return survey
        other.questions.append(survey.about_quotes())
        return other

    def about_quotes(self) -> Question:
        """Asks whether the file has no quoting at all."""
        return are_quotes_characters(self._troubles, self.refusal)

    @property
    def broken_quotes(self) -> int:
        """How many records have broken quotes, the one included with which the file ends."""
        unclosed = self.refusal is not None and self.refusal.code == "unterminated_quote"
        return unclosed + len(self._troubles)

    @classmethod
    def _with(cls, stream: BinaryIO, asked: Asked, profile: Profile) -> "Survey":
        survey = cls(stream, asked, profile)
        try:
            survey._examine_bytes()
            survey._examine_dialect()
            survey._examine_records()
        except FileRefused as refused:
            survey.refusal = refusal_of(refused)
        except NOT_OF_FILE:
            raise
        except Exception as error:  # noqa: BLE001 - that it can be anything is the point
            survey.refusal = refusal_of(unreadable(error, 1))
        return survey

    def rewound(self) -> BinaryIO:
        """The file, from its beginning."""
        self._stream.seek(0)
        return self._stream

    def _examine_bytes(self) -> None:
        declared = self.profile.encoding
        try:
            self.encoding = survey_encoding(self.rewound(), declared, self._asked.most_bytes)
        except FileRefused as refused:
            self.encoding = Encoding(None, refused.detail)
            raise
        guesses = self.encoding.guesses
        if self.encoding.name is None and guesses:
            self.profile = evolve(self.profile, encoding=guesses[0].encoding)
            self.questions.append(which_encoding(guesses))

    def _text(self) -> Iterator[str]:
        return read_text(self.rewound(), self.profile.encoding, self.profile.sheet)

    def _examine_dialect(self) -> None:
        head = _head(self._text())
        found = structured(head, self.profile.record_path)
        if found is not None:
            evidence = (f"its records are {found.records_are}",)
            self.dialect = Dialect(None, evidence, line_ends(head))
            return
        if self._asked.profile is None and (line := header_line_of(head)) > 1:
            self.profile = evolve(self.profile, header_line=line)
        below = "".join(lines_in(f"{head}\n")[self.profile.header_line - 1 :])
        candidates = self.splittings = splittings(below)
        chosen = self.profile.delimiter or (candidates[0].delimiter if candidates else ",")
        evidence = tuple(each.evidence for each in candidates) or (
            "no delimiter splits the header",
        )
        self.dialect = Dialect(chosen, evidence, line_ends(head))

    def _examine_records(self) -> None:
        """Examines the columns; of records in others, if no profile says which ones count."""
        try:
            self._examine_columns()
        except FileRefused as refused:
            if self._asked.profile is not None or refused.record_path is None:
                raise
            self.profile = evolve(self.profile, record_path=refused.record_path)
            self.questions.append(which_records(refused.record_path))
            self._troubles.clear()
            self._examine_dialect()
            self._examine_columns()

    def _examine_columns(self) -> None:
        if self.dialect is None:
            return
        opened = open_records(
            self._text(),
            self.dialect.delimiter,
            lambda _: True,
            quotes=self.profile.quotes == "double",
            header_line=self.profile.header_line,
            record_path=self.profile.record_path,
        )
        records = self._measured(opened.records)
        try:
            first = next((r for r in records if any(c.strip(BLANKS) for c in r.cells or ())), None)
            if first is None:
                detail = "The file has nothing but blank lines."
                raise FileRefused("empty", detail, "Send a header and records.")
            self.header = [tidy_header(cell) for cell in first.cells or ()]
            self.all_stats = [ColumnStats(name, index) for index, name in enumerate(self.header)]
            for _ in count_columns(self.header, records, self.all_stats):
                pass
        finally:
            self.dialect = evolve(self.dialect, quoting=tuple(self._troubles))

    def _most_records(self) -> int:
        of_cells = MOST_CELLS // max(1, len(self.header))
        return min(self._asked.most_records, max(_LEAST_RECORDS, of_cells))

    def _measured(self, records: Iterator[RawRecord]) -> Iterator[RawRecord]:
        """The records up to the limit; the header isn't one of them."""
        count, size, self.extent = -1, 0, Extent(0, 0, complete=False)
        for raw in records:
            if count >= self._most_records() or size >= self._asked.most_bytes:
                return
            count += 1
            size += sum(map(len, raw.cells)) + len(raw.cells) if raw.cells else len(raw.text)
            if raw.cells is None and len(self._troubles) < _MOST_TROUBLES:
                text = UNSTORABLE.sub("\ufffd", raw.text[:80].rstrip())
                detail = f"this record has broken quotes: {text}"
                self._troubles.append(QuoteTrouble(raw.line, detail))
            self.even += bool(self.header) and len(raw.cells or ()) == len(self.header)
            self.extent = Extent(max(0, count), size, complete=False)
            yield raw
        self.extent = evolve(self.extent, complete=True)


def _head(blocks: Iterator[str]) -> str:
    taken: list[str] = []
    for block in blocks:
        taken.append(block)
        if sum(map(len, taken)) >= LONGEST_HEADER:
            break
    return "".join(taken)[:LONGEST_HEADER]


def refusal_of(refused: FileRefused) -> Refusal:
    """The refusal of a file as the diagnosis reports it."""
    return Refusal(refused.code, str(refused), refused.line)
