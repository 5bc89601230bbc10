"""The doctor's report on a file: what it is, how it would be read, and what is wrong with it."""

from collections.abc import Mapping
from typing import Literal

from attrs import field, frozen

from commerce_core.profiles.profile import Profile
from commerce_core.schema.fields import Mode
from commerce_core.schema.problems import Problem

Verdict = Literal["taken", "with_profile", "refused"]
"""`taken`: the file would be accepted as it is; `with_profile`: it needs the proposed profile to be
accepted or read well; `refused`: it would be refused even with that profile."""


@frozen
class Extent:
    """How much of the file was examined; `complete` if all of it was."""

    records: int
    bytes: int
    complete: bool


@frozen
class EncodingGuess:
    """An encoding that can decode the bytes, and samples of the resulting text."""

    encoding: str
    samples: tuple[str, ...]


@frozen
class Encoding:
    """The file's encoding (None if unknown), the reason for it, and guesses, best first.

    The guesses are hints for people. Loading relies only on a byte order mark, on valid UTF-8, and
    on what the profile declares.
    """

    name: str | None
    because: str
    guesses: tuple[EncodingGuess, ...] = ()


@frozen
class QuoteTrouble:
    """A record with broken quotes, and the line on which it begins."""

    line: int
    detail: str


@frozen
class Dialect:
    """How the text is split: the delimiter (None for JSONL), and the evidence for each one."""

    delimiter: str | None
    because: tuple[str, ...]
    line_ends: Mapping[str, int]
    quoting: tuple[QuoteTrouble, ...] = ()


@frozen
class Mapped:
    """A field and the columns that feed it; none if it is a constant."""

    field: str
    columns: tuple[str, ...]


@frozen
class Suggestion:
    """Columns that probably contain a field, which only the proposed profile maps."""

    field: str
    columns: tuple[str, ...]
    because: str


@frozen
class ColumnLook:
    """What one column contains: how many cells are filled, how many values differ, their style.

    `distinct` is a lower bound if `distinct_is_exact` is false.
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
    """Something worth knowing about a column or, without one, about the whole file."""

    code: str
    column: str | None
    detail: str
    count: int = 0
    line: int | None = None
    value: str | None = None


@frozen
class Option:
    """One answer to a question, and what it would mean for the values."""

    answer: str
    means: str


@frozen
class Question:
    """A question that only a person can answer; `assumed` is the answer in the proposed profile."""

    code: str
    column: str | None
    question: str
    options: tuple[Option, ...]
    assumed: str | None = None


@frozen
class Refusal:
    """Why the file would be refused as a whole."""

    code: str
    detail: str
    line: int | None = None


@frozen
class DryRead:
    """What would become of the records with a profile, if the partner had no products yet.

    Each record counts once: as accepted, rejected, duplicate, folded, skipped or blank. Of the
    accepted ones, `unpriced` have no price or one of 0, so they can't be sold; `untracked` have
    neither a quantity nor an availability, so they sell without limit. `examples` has the first
    problems of each code.
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
    unpriced: int = 0
    untracked: int = 0


@frozen
class Diagnosis:
    """Everything that can be found out from the file alone.

    `losses` counts the records that would be rejected, and the products that would be sold wrongly,
    by what is wrong: `rejected`, `unpriced`, `untracked` (in a file that has stock at all); all are
    with the proposed profile, as are `refusal` and `dry_read`. `refusal_as_it_is` and
    `accepted_as_it_is` are without it. `profile` is ready to be saved; where a question is open, it
    has the `assumed` answer or none.
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
    losses: Mapping[str, int] = field(factory=dict[str, int])
