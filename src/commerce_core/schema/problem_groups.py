"""Groups of problems: a job's problems by code, column and the shape of the value."""

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Final

from attrs import evolve, field, frozen

from commerce_core.schema.problems import Problem, Severity

LONGEST_SHAPE: Final = 24
_LONGEST_RUN: Final = 3
"""A longer run of one class is shown as this many, so that values of any length have few shapes."""
SAMPLES: Final = 3


@frozen
class ProblemSample:
    """A problem of a group, and its record as it is in the raw file, if that was asked for."""

    line: int
    value: str | None
    raw: str | None = None


@frozen
class ProblemGroup:
    """Problems of one code in one column whose values have the same shape.

    In a shape, 9 stands for a digit, A and a for letters: `4,20` has the shape `9,99`. `count` is
    of the problems that are kept, `samples` are the first by line. `more` is how many problems of
    its code, in whatever column and shape, the job counted beyond those kept; the first group of a
    code has it.
    """

    code: str
    column: str | None
    field: str | None
    severity: Severity
    shape: str
    count: int
    hint: str
    samples: tuple[ProblemSample, ...]
    more: int = 0


@frozen
class ProblemGroups:
    """All groups of a job, the largest first, errors before warnings.

    `kept` are the problems that were grouped, `total` all that the job counted.
    """

    kept: int
    total: int
    groups: tuple[ProblemGroup, ...] = field(factory=tuple)

    @property
    def lines(self) -> tuple[int, ...]:
        """The lines of all samples."""
        return tuple(sorted({s.line for group in self.groups for s in group.samples if s.line}))

    def with_records(self, records: "dict[int, str]") -> "ProblemGroups":
        """The same with the records on the lines of the samples."""
        return evolve(self, groups=tuple(_with_records(group, records) for group in self.groups))


def _with_records(group: ProblemGroup, records: dict[int, str]) -> ProblemGroup:
    samples = (evolve(sample, raw=records.get(sample.line)) for sample in group.samples)
    return evolve(group, samples=tuple(samples))


def shape_of(value: str | None) -> str:
    """The shape of a value; empty for none."""
    if not value:
        return ""
    runs = ((kind, len(list(same))) for kind, same in groupby(map(_class, value)))
    shape = "".join(
        kind * min(length, _LONGEST_RUN) + ("…" if length > _LONGEST_RUN else "")
        for kind, length in runs
    )
    return shape if len(shape) <= LONGEST_SHAPE else shape[: LONGEST_SHAPE - 1] + "…"


def _class(character: str) -> str:
    if character.isdigit():
        return "9"
    if character.isalpha():
        return "A" if character.isupper() else "a"
    return " " if character.isspace() or not character.isprintable() else character


def grouped(problems: Iterable[Problem], by_code: Mapping[str, int]) -> ProblemGroups:
    """The groups of a job's problems, which come by line, and of its counts by code."""
    found: dict[tuple[str, str | None, str], list[Problem]] = {}
    for problem in problems:
        found.setdefault((problem.code, problem.column, shape_of(problem.value)), []).append(
            problem
        )
    groups = [_group(shape, members) for (_, _, shape), members in found.items()]
    groups.sort(key=lambda group: (group.severity != "error", -group.count, group.samples[0].line))
    kept = Counter[str]()
    for group in groups:
        kept[group.code] += group.count
    more = Counter(by_code) - kept
    groups = [evolve(group, more=more.pop(group.code, 0)) for group in groups]
    total = max(sum(by_code.values()), kept.total())
    return ProblemGroups(kept.total(), total, tuple(groups))


def _group(shape: str, members: list[Problem]) -> ProblemGroup:
    first = members[0]
    samples = tuple(ProblemSample(one.line, one.value) for one in members[:SAMPLES])
    return ProblemGroup(
        first.code, first.column, first.field, first.severity, shape, len(members), first.hint,
        samples,
    )  # fmt: skip
