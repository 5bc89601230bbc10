"""Saved plans: what a job would do, or did, as it is shown to people and judged by guards.

A plan itself lives only as long as its unit. This is what is kept of it: counts, samples, and the
verdict of each guard; never more than named limits allow, whatever the size of the feed.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve, field, frozen

from commerce_core.feeds.drift import lost_columns
from commerce_core.feeds.feed import Feed
from commerce_core.feeds.guards import Figures, GuardResult, GuardSettings, holds, judge
from commerce_core.feeds.summary import Counts, Summary
from commerce_core.plans.changes import Sample
from commerce_core.plans.comparison import Plan, Stock
from commerce_core.plans.price_moves import PriceMoves
from commerce_core.plans.rekeying import Rekeyed
from commerce_core.schema.fields import Mode
from commerce_core.schema.problems import Problem

if TYPE_CHECKING:
    from attrs import Attribute

PROBLEMS_SHOWN: Final = 10


def _as_shown(_: type, attributes: "list[Attribute[Any]]") -> "list[Attribute[Any]]":
    """What a plan is of stands first, then the inherited counts, then all else."""
    return sorted(attributes, key=lambda one: one.name not in ("feed_id", "mode", "planned_at"))


@frozen(kw_only=True, field_transformer=_as_shown)
class SavedPlan(Counts):
    """What a feed would change in the catalog, as it was at one moment.

    The counts are those of a summary. `before` are the source's active products, `withheld` the
    deletes that an approval without removals leaves out; `samples` are the first changes of each
    kind, `problems` the first by line. Samples and problems aren't kept of an applied feed.
    """

    feed_id: str
    mode: Mode
    planned_at: datetime
    before: int
    withheld: int
    guards: tuple[GuardResult, ...]
    price_moves: PriceMoves
    stock: Stock
    rekeyed: Rekeyed
    samples: tuple[Sample, ...]
    updated_by_field: Mapping[str, int] = field(factory=dict[str, int])
    problems_by_code: Mapping[str, int] = field(factory=dict[str, int])
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        feed: Feed,
        plan: Plan,
        summary: Summary,
        *,
        guards: tuple[GuardResult, ...],
        problems: Iterable[Problem],
        at: datetime,
    ) -> "SavedPlan":
        """What is kept of a plan; the counts are those of the summary."""
        made = cls(
            feed_id=feed.feed_id,
            mode=feed.mode,
            planned_at=at,
            before=plan.before,
            withheld=plan.withheld,
            guards=guards,
            price_moves=plan.price_moves,
            stock=plan.stock,
            rekeyed=plan.rekeyed,
            samples=plan.samples,
            updated_by_field=plan.updated_by_field,
            problems_by_code=summary.problems_by_code,
            problems=tuple(islice(problems, PROBLEMS_SHOWN)),
            notes=summary.notes,
        )
        return evolve(made, **summary.counts)

    @property
    def briefly(self) -> "SavedPlan":
        """The plan of a feed that waits for no decision; the stream of changes has what changed."""
        return evolve(self, samples=(), problems=())

    @property
    def holds(self) -> tuple[GuardResult, ...]:
        """The guards that hold the feed."""
        return holds(self.guards)


def judged(
    plan: Plan, summary: Summary, last_full: Summary | None, settings: GuardSettings
) -> tuple[GuardResult, ...]:
    """The verdicts of the guards on a plan, next to the full feed that its form is held against."""
    full = plan.feed_context.mode == "full"
    last = last_full if full else None
    moves = plan.price_moves
    return judge(
        Figures(
            before=plan.before,
            removed=summary.removed,
            records=summary.records,
            last_records=last.records if last else None,
            columns_gone=lost_columns(last, summary) if last else (),
            rekeyed=plan.rekeyed.count,
            met=plan.updated + plan.unchanged,
            moved=moves.moved,
            median_move=moves.median_hundredths,
            leaps=moves.kept,
            in_stock=plan.stock.in_stock,
            sold_out=plan.stock.sold_out,
            cut_off=full and bool(summary.problems_by_code.get("truncated_record")),
        ),
        settings,
    )
