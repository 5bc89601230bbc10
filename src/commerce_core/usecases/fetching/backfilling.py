"""Planning a backfill: connects, lists, and shows what would be taken, in which order, and why.

Nothing is kept. A worker does the backfill itself, as a fetch (`folders`).
"""

from collections.abc import Sequence

from commerce_core.feeds.backfill import (
    MOST_PLANNED,
    Backfill,
    BackfillFile,
    BackfillPlan,
    Effect,
    Selected,
    effects,
    selected,
)
from commerce_core.feeds.pull import Pull
from commerce_core.usecases.context import Context
from commerce_core.usecases.fetching.folders import check_number, looked
from commerce_core.usecases.fetching.places import access_of, connect
from commerce_core.usecases.fetching.rehearsal import REHEARSAL_SECONDS, readable


def plan_backfill(context: Context, pull: Pull, backfill: Backfill) -> BackfillPlan:
    """What a backfill of the source would do now; FetchFailed or Unreachable if it can't be seen.

    A file that has to stay as it is for a while first counts as taken.
    """
    place = backfill.place(pull.place)
    access = access_of(context, pull)
    with connect(context, place, access, REHEARSAL_SECONDS) as remote:
        found = selected(backfill, looked(context, pull, place, remote), context.clock())
    takes = [each for each in found if _would_take(each)]
    check_number(len(takes), place.url)
    with context.store.begin() as unit:
        mode = unit.sources.get(pull.source_id).mode
        newest = unit.feeds.baseline(pull.source_id, "full")
    newest_at = newest.snapshot_at if newest else None
    become = effects(takes, mode, newest_at)
    verdicts = [each.verdict for each in found]
    shown = zip(takes, become, strict=True)
    return BackfillPlan(
        pull.source_id, place.url, mode, len(takes),
        sum(each.verdict == "wait" for each in found if not _would_take(each)),
        verdicts.count("skip"), sum(each.candidate.file.size or 0 for each in takes),
        become.count("applies"),
        (*(_shown(each, effect) for each, effect in shown), *_others(found))[:MOST_PLANNED],
        takes[0].snapshot_at if takes else None, takes[-1].snapshot_at if takes else None,
        readable(takes[-1].candidate.file.path) if takes else None, newest_at,
    )  # fmt: skip


def _would_take(each: Selected) -> bool:
    """Whether a backfill takes the file, also if it looks twice first."""
    return each.verdict == "take" or (each.verdict == "wait" and each.candidate.settles)


def _others(found: Sequence[Selected]) -> Sequence[BackfillFile]:
    return [_shown(each, None) for each in found if not _would_take(each)]


def _shown(each: Selected, effect: Effect | None) -> BackfillFile:
    file = each.candidate.file
    return BackfillFile(
        readable(file.path), file.size, each.snapshot_at, each.basis,
        "take" if effect else each.verdict, each.why, effect,
    )  # fmt: skip
