"""The inbox: one list of what needs a person, computed from the state of the platform.

    held      a feed waits for a decision               effect: the products that it changes
    oversold  open orders have more than is in stock    effect: the products concerned
    statement a closed statement differs                effect: the comparisons that it fails
    late      a source's next file is overdue           effect: the products that age
    failed    feeds of a source fail for one reason     effect: the feeds that weren't applied
    rejects   a source's rejected records have risen    effect: the records rejected
    webhook   an endpoint was disabled                  effect: the deliveries that it misses

An item has no row of its own: it appears with its cause and leaves with it. Equal causes are one
item with a count. What a person does about an item is a mark, which holds until the cause occurs
again.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final, Literal

from attrs import evolve, field, frozen

from commerce_core.analytics.reconciliation import StatementDifference
from commerce_core.base.durations import duration_words
from commerce_core.base.errors import Fault, refuse_if
from commerce_core.base.text import UNSTORABLE
from commerce_core.catalog.product import Product
from commerce_core.feeds.feed import Feed
from commerce_core.feeds.freshness import LateSource
from commerce_core.feeds.job import Job

ItemKind = Literal["held", "oversold", "statement", "late", "failed", "rejects", "webhook"]
ItemState = Literal["open", "acknowledged", "snoozed"]
ITEM_KINDS: Final[tuple[ItemKind, ...]] = (
    "held",
    "oversold",
    "statement",
    "late",
    "failed",
    "rejects",
    "webhook",
)
"""The kinds of items, the most urgent first."""
Severity = Literal["critical", "warning", "info"]
SEVERITIES: Final[tuple[Severity, ...]] = ("critical", "warning", "info")
SEVERITY: Final[Mapping[ItemKind, Severity]] = {
    "held": "warning",
    "oversold": "critical",
    "statement": "critical",
    "late": "warning",
    "failed": "critical",
    "rejects": "info",
    "webhook": "warning",
}
"""How severe each kind is: critical costs sales or breaks promises now, info can wait for days."""
ATTENTION_DAYS: Final = 14
"""Failures and oversold products are shown for this many days after they last occurred."""
MOST_ITEMS: Final = 200
"""The most items of each kind."""
MOST_RECENT: Final = 1_000
"""The most completed jobs in which the records rejected are compared."""
MOST_OVERSOLD_EVENTS: Final = 200
"""The most events in which oversold products are looked for."""
MOST_NAMED: Final = 20
"""The most subjects that an item names."""
LONGEST_CAUSE_ID: Final = 200
LONGEST_ASSIGNEE: Final = 100
LONGEST_MARK_NOTE: Final = 500
LONGEST_SNOOZE: Final = timedelta(days=90)
LEAST_REJECTED: Final = 5
"""Fewer rejected records than this are never an item of the inbox."""
RISEN_BY: Final = 2
"""A source's rejected records have risen if their share is at least this many times the former."""
LEAST_SHARE: Final = Decimal("0.01")


@frozen
class Failures:
    """Feeds of a source that failed for the same reason, and that no later feed has replaced."""

    partner_id: str
    source_id: str
    code: str
    count: int
    first_at: datetime
    latest_at: datetime
    latest_feed_id: str
    message: str


@frozen
class RejectCounts:
    """What a source's latest completed ingest rejected, and what those before it did."""

    partner_id: str
    source_id: str
    feed_id: str
    at: datetime
    records: int
    rejected: int
    records_before: int
    rejected_before: int

    @property
    def share(self) -> Decimal:
        """The share of rejected records in the latest feed."""
        return Decimal(self.rejected) / self.records if self.records else Decimal(0)

    @property
    def share_before(self) -> Decimal:
        """The share in the feeds before it."""
        before = self.records_before
        return Decimal(self.rejected_before) / before if before else Decimal(0)

    @property
    def has_risen(self) -> bool:
        """Whether a person should know."""
        return (
            self.rejected >= LEAST_REJECTED
            and self.records_before > 0
            and self.share >= LEAST_SHARE
            and self.share >= RISEN_BY * self.share_before
        )


@frozen
class Shortage:
    """A partner's active products of which open orders have reserved more than is in stock.

    The times are those of the first and the latest event that reported one of them.
    """

    partner_id: str
    first_at: datetime
    latest_at: datetime
    products: tuple[Product, ...]


def shortages(
    products: Iterable[Product], reported: Mapping[str, tuple[datetime, datetime]]
) -> Sequence[Shortage]:
    """The shortages among products that were reported as oversold, as they are now, by partner."""
    found: dict[str, list[Product]] = {}
    for product in products:
        if product.status == "active" and _is_oversold(product):
            found.setdefault(product.partner_id, []).append(product)
    return [
        Shortage(
            partner_id,
            min(reported[product.product_id][0] for product in short),
            max(reported[product.product_id][1] for product in short),
            tuple(sorted(short, key=lambda product: product.sku)),
        )
        for partner_id, short in sorted(found.items())
    ]


def _is_oversold(product: Product) -> bool:
    return product.quantity is not None and product.quantity < product.reserved


@frozen(kw_only=True)
class Mark:
    """What a person decided about an item of the inbox.

    `owner` is the partner in whose view it holds; empty for the operator's. A mark holds for causes
    up to `at`.
    """

    owner: str
    cause_id: str
    actor: str
    at: datetime
    acknowledged: bool = False
    snoozed_until: datetime | None = None
    assignee: str | None = None
    note: str | None = None

    def __attrs_post_init__(self) -> None:
        """Checks the mark; InvalidInput lists every fault at once."""
        until = self.snoozed_until
        refuse_if(
            "The mark isn't valid.",
            (
                not 1 <= len(self.cause_id) <= LONGEST_CAUSE_ID,
                Fault("/cause_id", "bad_item", f"Use 1 to {LONGEST_CAUSE_ID} characters."),
            ),
            (
                until is not None and until.tzinfo is None,
                Fault("/snoozed_until", "not_a_time", "Add the offset to the time."),
            ),
            (
                until is not None
                and until.tzinfo is not None
                and not self.at < until <= self.at + LONGEST_SNOOZE,
                Fault(
                    "/snoozed_until",
                    "bad_snooze",
                    f"Use a time in the next {LONGEST_SNOOZE.days} days.",
                ),
            ),
            *_text_faults("/cause_id", self.cause_id, LONGEST_CAUSE_ID),
            *_text_faults("/assignee", self.assignee, LONGEST_ASSIGNEE),
            *_text_faults("/note", self.note, LONGEST_MARK_NOTE),
        )


def _text_faults(pointer: str, text: str | None, most: int) -> list[tuple[bool, Fault]]:
    bad = bool(UNSTORABLE.search(text or ""))
    return [
        (len(text or "") > most, Fault(pointer, "too_long", f"Use at most {most:,} characters.")),
        (bad, Fault(pointer, "bad_text", "Leave out NUL and halves of surrogate pairs.")),
    ]


@frozen(kw_only=True)
class InboxItem:
    """Something that needs a person, as of now.

    `cause_id` stays the same as long as the cause is the same. `count` is how many equal causes it
    stands for, `products` how many products it concerns, if that is known, and `a_day` what the
    partner sells a day on average, by currency. `subjects` are the ids of what it is about.
    """

    cause_id: str
    kind: ItemKind
    state: ItemState = "open"
    title: str
    reason: str
    partner_id: str
    partner_name: str = ""
    source_id: str | None = None
    count: int = 1
    products: int | None = None
    a_day: "tuple[DailySales, ...]" = ()
    first_at: datetime
    latest_at: datetime
    subjects: tuple[str, ...] = ()
    assignee: str | None = None
    snoozed_until: datetime | None = None
    note: str | None = None
    marked_by: str | None = None

    @property
    def severity(self) -> Severity:
        """How severe it is, by its kind."""
        return SEVERITY[self.kind]

    def marked(self, mark: Mark | None, now: datetime) -> "InboxItem":
        """The item with what a person decided about it, as far as that still holds.

        An assignment and a note stay; an acknowledgement ends when the cause occurs again.
        """
        if mark is None:
            return self
        state: ItemState = "open"
        if mark.snoozed_until is not None and now < mark.snoozed_until:
            state = "snoozed"
        elif mark.acknowledged and self.latest_at <= mark.at:
            state = "acknowledged"
        return evolve(
            self,
            state=state,
            assignee=mark.assignee,
            snoozed_until=mark.snoozed_until if state == "snoozed" else None,
            note=mark.note,
            marked_by=mark.actor,
        )


@frozen
class DailySales:
    """Average sales a day, in one currency."""

    currency: str
    amount: Decimal


@frozen
class InboxQuery:
    """Selects the items that match every given filter."""

    state: ItemState | None = "open"
    kind: ItemKind | None = None
    assignee: str | None = None


@frozen
class Inbox:
    """The items that match, and how many there are in each state, whatever the filters."""

    items: tuple[InboxItem, ...]
    open: int
    acknowledged: int
    snoozed: int
    complete: bool = field(default=True)
    """Whether no item was left out because there are too many."""


def held_item(feed: Feed, job: Job | None) -> InboxItem:
    """The item of a held feed."""
    summary = job.summary if job else None
    guards = [g.detail for g in summary.guards if g.severity == "hold"] if summary else []
    return InboxItem(
        cause_id=f"held:{feed.feed_id}",
        kind="held",
        title=f"{feed.file_name} is held",
        reason=" ".join(guards) or "Its guards found more than the source allows.",
        partner_id=feed.partner_id,
        partner_name=feed.partner_name,
        source_id=feed.source_id,
        products=summary.changes if summary else None,
        first_at=feed.received_at,
        latest_at=(job.finished_at if job else None) or feed.received_at,
        subjects=(feed.feed_id,),
    )


def statement_items(differences: Iterable[StatementDifference]) -> Iterator[InboxItem]:
    """An item for each statement that differs from what it was made of."""
    by_statement: dict[str, list[StatementDifference]] = {}
    for each in differences:
        by_statement.setdefault(each.statement_id, []).append(each)
    for statement_id, found in by_statement.items():
        first = found[0]
        yield InboxItem(
            cause_id=f"statement:{statement_id}",
            kind="statement",
            title=f"Statement {first.number} in {first.currency} differs",
            reason=" ".join(each.sentence for each in found),
            partner_id=first.partner_id,
            count=len(found),
            first_at=min(each.first_at for each in found),
            latest_at=max(each.first_at for each in found),
            subjects=(statement_id,),
        )


def late_item(late: LateSource, now: datetime) -> InboxItem:
    """The item of a source that is late or stale; becoming stale is a new occurrence."""
    standing = late.standing
    since, state = standing.overdue_at or now, standing.state_at(now)
    last = standing.last_fresh_at
    last_text = "It has never sent one" if last is None else f"The last came on {_minute(last)}"
    expected = standing.expected_by
    overdue = "" if expected is None or expected > now else f" One was due by {_minute(expected)}."
    stale_at = standing.stale_at
    by = f"{', late' if state == 'stale' else ''} by {duration_words(now - since)}"
    return InboxItem(
        cause_id=f"late:{standing.source_id}",
        kind="late",
        title=f"{late.partner_name}: {late.source_name} is {state}{by}",
        reason=f"{last_text}.{overdue}",
        partner_id=standing.partner_id,
        partner_name=late.partner_name,
        source_id=standing.source_id,
        products=standing.products,
        first_at=since,
        latest_at=stale_at if state == "stale" and stale_at is not None else since,
        subjects=(standing.source_id,),
    )


def _minute(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def failed_item(failures: Failures) -> InboxItem:
    """The item of feeds that failed for one reason."""
    feeds = "A feed" if failures.count == 1 else f"{failures.count:,} feeds"
    return InboxItem(
        cause_id=f"failed:{failures.source_id}:{failures.code}",
        kind="failed",
        title=f"{feeds} failed: {failures.code}",
        reason=failures.message,
        partner_id=failures.partner_id,
        source_id=failures.source_id,
        count=failures.count,
        first_at=failures.first_at,
        latest_at=failures.latest_at,
        subjects=(failures.latest_feed_id,),
    )


def rejects_item(counts: RejectCounts) -> InboxItem:
    """The item of a source whose rejected records have risen."""
    return InboxItem(
        cause_id=f"rejects:{counts.source_id}",
        kind="rejects",
        title=f"{counts.rejected:,} of {counts.records:,} records rejected",
        reason=(
            f"{_percent(counts.share)} of the latest feed was rejected; "
            f"{_percent(counts.share_before)} of those before it."
        ),
        partner_id=counts.partner_id,
        source_id=counts.source_id,
        count=counts.rejected,
        products=counts.rejected,
        first_at=counts.at,
        latest_at=counts.at,
        subjects=(counts.feed_id,),
    )


def oversold_item(shortage: Shortage) -> InboxItem:
    """The item of a partner's oversold products."""
    count, first = len(shortage.products), shortage.products[0]
    products = "1 product is" if count == 1 else f"{count:,} products are"
    return InboxItem(
        cause_id=f"oversold:{shortage.partner_id}",
        kind="oversold",
        title=f"{products} oversold",
        reason=(
            f"Open orders have {first.reserved:,} of {first.sku}, and {first.quantity:,} are in "
            "stock."
        ),
        partner_id=shortage.partner_id,
        partner_name=first.partner_name,
        count=count,
        products=count,
        first_at=shortage.first_at,
        latest_at=shortage.latest_at,
        subjects=tuple(product.product_id for product in shortage.products[:MOST_NAMED]),
    )


def _percent(share: Decimal) -> str:
    return f"{share * 100:.1f} %"


def sorted_items(items: Iterable[InboxItem]) -> Sequence[InboxItem]:
    """The items, the most urgent kind first, and within a kind the oldest first."""
    return sorted(items, key=lambda i: (ITEM_KINDS.index(i.kind), i.first_at, i.cause_id))
