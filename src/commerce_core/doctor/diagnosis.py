"""What the doctor says of a file, as values: what it is, how it would be read, what is wrong."""

from collections.abc import Mapping
from typing import Literal

from attrs import field, frozen

from commerce_core.profiles.profile import Profile
from commerce_core.schema.fields import Mode
from commerce_core.schema.problems import Problem

Verdict = Literal["taken", "with_profile", "refused"]
"""Taken as it is; or with the proposed profile only, or only then read as what it is; or by
neither, which is refused as a whole."""


@frozen
class Extent:
    """How much of the file was looked at; `complete` if that was all of it."""

    records: int
    bytes: int
    complete: bool


@frozen
class EncodingGuess:
    """An encoding in which the bytes can be read, and what some of them then say."""

    encoding: str
    samples: tuple[str, ...]


@frozen
class Encoding:
    """The encoding of the file, None where it declares none; then the likely ones, best first.

    They are hints for a person. Intake goes by a mark, by valid UTF-8 and by what is declared.
    """

    name: str | None
    because: str
    guesses: tuple[EncodingGuess, ...] = ()


@frozen
class QuoteTrouble:
    """A record whose quotes are broken, and the line it begins on."""

    line: int
    detail: str


@frozen
class Dialect:
    """How the text is split: the delimiter (None for JSONL) with what speaks for each."""

    delimiter: str | None
    because: tuple[str, ...]
    line_ends: Mapping[str, int]
    quoting: tuple[QuoteTrouble, ...] = ()


@frozen
class Mapped:
    """A field and the columns that feed it; none where it is a constant."""

    field: str
    columns: tuple[str, ...]


@frozen
class Suggestion:
    """Columns that probably are a field though nothing says so; it stands in the profile."""

    field: str
    columns: tuple[str, ...]
    because: str


@frozen
class ColumnLook:
    """What stands in one column: how much of it is blank, how many values, and of what style.

    `distinct` is the least there are where `distinct_is_exact` is false.
    """

    header: str
    feeds: tuple[str, ...]
    filled: int
    blank: int
    distinct: int
    distinct_is_exact: bool
    samples: tuple[str, ...]
    style: str
    notes: tuple[str, ...]


@frozen
class Note:
    """Something that a person should know: of a column or, without one, of the whole file."""

    code: str
    column: str | None
    detail: str
    count: int = 0
    line: int | None = None
    value: str | None = None


@frozen
class Option:
    """One answer to a question, and what it means or makes of the values."""

    answer: str
    means: str


@frozen
class Question:
    """What only a person can know. `assumed` is the answer that the proposed profile has."""

    code: str
    column: str | None
    question: str
    options: tuple[Option, ...]
    assumed: str | None = None


@frozen
class Refusal:
    """Why the file would not be taken as a whole."""

    code: str
    detail: str
    line: int | None = None


@frozen
class DryRead:
    """What would become of the records under a profile, if the partner had no product yet.

    Each is one of accepted, rejected, duplicate, folded, skipped and blank. `examples` has the
    first problems of each code.
    """

    records: int = 0
    accepted: int = 0
    rejected: int = 0
    duplicate: int = 0
    folded: int = 0
    skipped: int = 0
    blank: int = 0
    warnings: int = 0
    problems_by_code: Mapping[str, int] = field(factory=dict[str, int])
    examples: tuple[Problem, ...] = ()
    skipped_because: Mapping[str, int] = field(factory=dict[str, int])


@frozen
class Diagnosis:
    """All that can be said of a file without knowing anything but the file.

    `refusal` and `dry_read` are those of the proposed profile, `refusal_as_it_is` and
    `accepted_as_it_is` those without it. `profile` is ready to be saved; where a question is open,
    it has what `assumed` says, or nothing.
    """

    verdict: Verdict
    refusal: Refusal | None
    refusal_as_it_is: Refusal | None
    accepted_as_it_is: int
    mode: Mode
    looked_at: Extent
    container: Literal["gz", "zip", "none"]
    encoding: Encoding
    dialect: Dialect | None
    preset: str
    mapping: tuple[Mapped, ...]
    missing: tuple[str, ...]
    suggestions: tuple[Suggestion, ...]
    unused_columns: tuple[str, ...]
    columns: tuple[ColumnLook, ...]
    notes: tuple[Note, ...]
    dry_read: DryRead
    questions: tuple[Question, ...]
    profile: Profile
