"""Which problems of a job are listed: errors first, and of warnings that are alike the first."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from commerce_core.schema.problems import Problem

MOST_ALIKE: Final = 100
"""Warnings of one code in one column that are listed; more of them are only counted."""


def listed(problems: Iterable[Problem], limit: int, alike: int = MOST_ALIKE) -> list[Problem]:
    """Those of the problems, which come by line, that are listed: at most `limit` of them.

    These are the first errors, and where errors leave room the first warnings; of the warnings of
    one code in one column, no more than the first `alike`. What was left out of some problems would
    also be left out of more, so a list can be made bit by bit.
    """
    kept, seen = list[Problem](), Counter[tuple[str, str | None]]()
    for problem in problems:
        if problem.severity == "warning":
            kind = (problem.code, problem.column)
            seen[kind] += 1
            if seen[kind] > alike:
                continue
        kept.append(problem)
    if len(kept) <= limit:
        return kept
    errors = min(limit, sum(problem.severity == "error" for problem in kept))
    room = Counter(error=errors, warning=limit - errors)
    found = list[Problem]()
    for problem in kept:
        if room[problem.severity]:
            room[problem.severity] -= 1
            found.append(problem)
    return found
