"""The demo's second half: people buy from the catalog, and the figures add up."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

from attrs import Factory, define, evolve, frozen

from commerce_core.analytics.reports import PartnerSales, PeriodSales, Report, RevenueShare
from commerce_core.base.errors import Fault, InvalidInput
from commerce_core.commerce import Commerce
from commerce_core.orders.order import Order
from commerce_core.usecases.context import IdempotencyKey
from entrypoints.cli.commands.orders import line_columns
from entrypoints.cli.demo.feeds import BEER, ELECTRONICS, SENDERS, SHOES, VINYL, Sender
from entrypoints.cli.kit.console import Narration
from entrypoints.cli.kit.output import moment, money
from entrypoints.cli.kit.tables import Column

R = TypeVar("R", PartnerSales, PeriodSales, RevenueShare)

ORDERS: Final = 36
DAYS: Final = 7
_NOON: Final = 12
_PLENTY: Final = 10
_TURNS: Final = (
    (ELECTRONICS,), (BEER,), (VINYL,), (BEER, SHOES), (ELECTRONICS,), (SHOES,),
    (BEER,), (VINYL,), (ELECTRONICS,), (BEER,), (SHOES,), (ELECTRONICS,),
)  # fmt: skip
"""Who sells in each order; what is priced in different currencies can't be in one."""


@define
class TourOfSales:
    """Orders, those that are refused, and the reports, on a catalog that is there."""

    commerce: Commerce
    narration: Narration
    baskets: list["_Basket"] = Factory(list["_Basket"])
    orders: list[Order] = Factory(list[Order])
    reports: dict[str, Report] = Factory(dict[str, Report])

    def all(self) -> None:
        """All steps."""
        self.order()
        self.refuse()
        self.report()

    def order(self) -> None:
        """A week of orders."""
        tell = self.narration
        tell.step("People buy")
        self.baskets = list(self._baskets())
        self.orders = [self._place(basket) for basket in self.baskets]
        tell.say(
            f"{len(self.orders)} orders, which the demo dates over the past {DAYS} days so that "
            "there is something to see over time. Prices are frozen on the lines when an order is "
            "placed: what a feed says tomorrow doesn't reach it any more. One of them, with "
            "products of two partners:"
        )
        shown = next(o for o in self.orders if len({item.partner_id for item in o.items}) > 1)
        tell.table(shown.items, line_columns(shown))
        tell.note(
            f"{shown.customer_reference}, {moment(shown.created_at)} UTC: "
            f"{money(shown.total_amount, shown.currency)}"
        )

    def _baskets(self) -> Iterator["_Basket"]:
        """What is bought: the same products each time, a few of each partner in turn."""
        noon = self._noon()
        shelves = {sender.partner_name: self._shelf(sender) for sender in SENDERS}
        for number in range(ORDERS):
            at = noon - timedelta(days=DAYS - number * DAYS // ORDERS, minutes=-number)
            sellers = _TURNS[number % len(_TURNS)]
            items = [
                (shelf[(number * 7 + pick * 29) % len(shelf)], sender.units * (1 + pick))
                for sender in SENDERS
                if sender.partner_name in sellers
                for pick in range(1 + number % 3)
                for shelf in [shelves[sender.partner_name]]
            ]
            yield _Basket(f"web-{number + 1:04}", at, items)

    def _noon(self) -> datetime:
        now = self.commerce.context.clock().astimezone(UTC)
        return now.replace(hour=_NOON, minute=0, second=0, microsecond=0)

    def _shelf(self, sender: Sender) -> list[str]:
        """What there is plenty of, at a price that doesn't hang on the day."""
        found = sorted(
            self.commerce.products.list(partner=sender.partner_name), key=lambda p: p.sku
        )
        plenty = [p for p in found if p.sellable and (p.available or 0) >= _PLENTY * sender.units]
        return [p.product_id for p in plenty if not p.sale_starts_at]

    def _place(self, basket: "_Basket") -> Order:
        return self._at(basket.at).orders.place(
            basket.items, reference=basket.reference, key=basket.reference
        )

    def _at(self, at: datetime) -> Commerce:
        """The platform as it would have acted then."""
        return Commerce(evolve(self.commerce.context, clock=lambda: at))

    def refuse(self) -> None:
        """What can go wrong with an order, and what is done about it."""
        self._refuse_one()
        self._replay_one()
        self._cancel_one()

    def _refuse_one(self) -> None:
        tell, get = self.narration, self.commerce.products.get
        tell.step("What can't be sold isn't")
        tell.say(
            "Somebody wants a phone that is sold out, fifty of something of which one is left, and "
            "a beer that is priced in another currency. Everything that speaks against it is told "
            "at once, and nothing is written:"
        )
        phone, last, beer = (
            get(partner=ELECTRONICS, sku="PH-1349"),
            get(partner=ELECTRONICS, sku="LT-1114"),
            get(partner=BEER, sku="GRA-014"),
        )
        wanted = [(phone.product_id, 1), (last.product_id, 50), (beer.product_id, 6)]
        try:
            self.commerce.orders.place(wanted, reference="web-wishful")
        except InvalidInput as refusal:
            tell.table(refusal.faults, _fault_columns())

    def _replay_one(self) -> None:
        tell, first = self.narration, self.orders[0]
        key = IdempotencyKey(first.customer_reference or "")
        basket = self.baskets[0]
        again = self.commerce.orders.place(basket.items, reference=basket.reference, key=key)
        tell.say(
            "A shop that lost our answer sends its order again, under the same key. It stays one "
            "order:"
        )
        tell.gap()
        tell.note(f"{first.order_id}  first")
        tell.note(f"{again.order_id}  again{', the answer kept from then' if key.replayed else ''}")
        tell.gap()

    def _cancel_one(self) -> None:
        tell, order = self.narration, self.orders[-1]
        item = order.items[0]
        before = self.commerce.products.get(item.product_id).available
        later = self._at(order.created_at + timedelta(hours=2))
        cancelled = later.orders.cancel(order.order_id)
        after = self.commerce.products.get(item.product_id).available
        self.orders[-1] = cancelled
        tell.say(
            f"And one order is cancelled two hours later. Its units can be sold again: {item.sku} "
            f"had {before} left, now {after}. The ledger keeps the sale and its cancellation."
        )
        tell.gap()
        tell.shell("orders", "show", order.order_id)

    def report(self) -> None:
        """The three reports."""
        tell, ask = self.narration, self.commerce.analytics
        tell.step("What was sold")
        tell.say("By partner, in its own currency; nothing is ever converted:")
        self.reports["by_partner"] = ask.sales_by_partner()
        tell.table(_rows(self.reports["by_partner"], PartnerSales), _sales_columns())
        tell.shell("analytics", "by-partner")
        tell.gap()
        tell.say(f"{ELECTRONICS} day by day, net of what was cancelled:")
        tell.gap()
        self.reports["over_time"] = ask.sales_over_time(
            partner=ELECTRONICS, until=self._noon().replace(hour=0)
        )
        tell.bars(
            _rows(self.reports["over_time"], PeriodSales),
            lambda row: row.sales_period,
            lambda row: row.total_sales,
            lambda row: money(row.total_sales, row.currency),
        )
        tell.gap()
        tell.shell("analytics", "over-time", "--partner", ELECTRONICS)
        tell.gap()
        tell.say("And whose share of the revenue is whose, adding up to 100 % in each currency:")
        tell.gap()
        self.reports["share"] = ask.revenue_share()
        tell.bars(
            _rows(self.reports["share"], RevenueShare),
            lambda row: f"{row.currency}  {row.partner_name}",
            lambda row: row.revenue_pct,
            lambda row: f"{row.revenue_pct} %",
        )
        tell.gap()
        tell.shell("analytics", "share")


@frozen
class _Basket:
    """One order to be."""

    reference: str
    at: datetime
    items: list[tuple[str, int]]


def _fault_columns() -> list[Column[Fault]]:
    return [
        Column("item", _item_number, right=True),
        Column("what speaks against it", lambda f: f.detail, wraps=True),
    ]


def _item_number(fault: Fault) -> str:
    parts = fault.pointer.split("/")
    return str(int(parts[2]) + 1) if parts[2:] else "all"


def _sales_columns() -> list[Column[PartnerSales]]:
    return [
        Column("partner", lambda row: row.partner_name),
        Column("orders", lambda row: f"{row.orders:,}", right=True),
        Column("units", lambda row: f"{row.units_sold:,}", right=True),
        Column("gross", lambda row: money(row.gross_sales, row.currency), right=True),
        Column("net", lambda row: money(row.total_sales, row.currency), right=True),
    ]


def _rows(report: Report, kind: type[R]) -> list[R]:
    """The rows of a report, which are all of one kind."""
    return [row for row in report.results if isinstance(row, kind)]
