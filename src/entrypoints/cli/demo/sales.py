"""The demo's second half: orders from the catalog, and reports about them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

from attrs import Factory, define, evolve, frozen

from commerce_core.analytics.reports import PartnerSales, PeriodSales, Report, RevenueShare
from commerce_core.base.errors import Fault, InvalidInput
from commerce_core.commerce import Commerce
from commerce_core.orders.order import Order
from commerce_core.orders.part import Part
from commerce_core.usecases.context import IdempotencyKey
from entrypoints.cli.commands.orders import line_columns
from entrypoints.cli.demo.feeds import BEER, ELECTRONICS, SENDERS, SHOES, VINYL, Sender
from entrypoints.cli.kit.console import Console
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
"""The partners that sell in each order; an order can't mix currencies."""


@define
class SalesSteps:
    """Orders, refused orders and reports, on a catalog that is already filled."""

    commerce: Commerce
    console: Console
    baskets: list["_Basket"] = Factory(list["_Basket"])
    orders: list[Order] = Factory(list[Order])
    reports: dict[str, Report] = Factory(dict[str, Report])

    def all(self) -> None:
        """All steps."""
        self.order()
        self.part_by_part()
        self.refuse()
        self.report()

    def order(self) -> None:
        """A week of orders."""
        console = self.console
        console.step("Customers place orders")
        self.baskets = list(self._baskets())
        self.orders = [self._place(basket) for basket in self.baskets]
        console.paragraph(
            f"The demo places {len(self.orders)} orders and spreads their dates over the past "
            f"{DAYS} days, so that reports have something to show. An order's prices are frozen "
            "when it is placed; later feeds don't change them. One order, with products of two "
            "partners:"
        )
        mixed = next(o for o in self.orders if len({item.partner_id for item in o.items}) > 1)
        console.table(mixed.items, line_columns(mixed))
        console.line(
            f"{mixed.customer_reference}, {moment(mixed.created_at)} UTC: "
            f"{money(mixed.total_amount, mixed.currency)}"
        )

    def _baskets(self) -> Iterator["_Basket"]:
        """What is ordered: the same products in every run, a few of each partner in turn."""
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
        """Products with enough stock, and a price that doesn't depend on the date."""
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
        """The platform with its clock set to that time."""
        return Commerce(evolve(self.commerce.context, clock=lambda: at))

    def part_by_part(self) -> None:
        """An order of two partners: one part is sent, and a unit of it comes back."""
        console = self.console
        console.step("Partners fulfil their parts")
        number, order = next((n, o) for n, o in enumerate(self.orders) if len(o.partner_ids) > 1)
        partner_id = order.partner_ids[0]
        hour = timedelta(hours=1)
        orders = self._at(order.created_at + hour).orders
        orders.fulfil(order.order_id, partner=partner_id, carrier="DHL", tracking_number="JD0146")
        item = order.lines_of(partner_id)[0]
        back = self._at(order.created_at + 48 * hour).orders.refund(
            order.order_id, [(item.item_id, 1)], reason="damaged", returned=True
        )
        self.orders[number] = back
        console.paragraph(
            "Each partner has its own part of an order, and acts on that alone. The first one "
            "sends its part; later, the customer sends one unit of a line back and is refunded. "
            "Nothing is priced again: a unit is worth its share of what the line cost. The parts "
            "now:"
        )
        console.table(back.parts, _part_columns())
        console.command("orders", "show", order.order_id)

    def refuse(self) -> None:
        """What can go wrong with an order, and how it is handled."""
        self._refuse_one()
        self._replay_one()
        self._cancel_one()

    def _refuse_one(self) -> None:
        console, get = self.console, self.commerce.products.get
        console.step("Orders that can't be fulfilled are refused")
        console.paragraph(
            "A customer orders a phone that is sold out, 50 units of a product that has 1 left, "
            "and a beer that is priced in another currency. All the reasons are reported at once, "
            "and nothing is written:"
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
            console.table(refusal.faults, _fault_columns())

    def _replay_one(self) -> None:
        console, first = self.console, self.orders[0]
        key = IdempotencyKey(first.customer_reference or "")
        basket = self.baskets[0]
        again = self.commerce.orders.place(basket.items, reference=basket.reference, key=key)
        console.paragraph(
            "A shop that didn't receive the response sends its order again with the same "
            "idempotency key. It remains one order:"
        )
        console.gap()
        console.line(f"{first.order_id}  first request")
        console.line(
            f"{again.order_id}  second request{', the saved response' if key.replayed else ''}"
        )
        console.gap()

    def _cancel_one(self) -> None:
        console, order = self.console, self.orders[-1]
        item = order.items[0]
        before = self.commerce.products.get(item.product_id).available
        later = self._at(order.created_at + timedelta(hours=2))
        cancelled = later.orders.cancel(order.order_id)
        after = self.commerce.products.get(item.product_id).available
        self.orders[-1] = cancelled
        console.paragraph(
            f"Another order is cancelled two hours after it was placed, so its units can be sold "
            f"again: {item.sku} had {before} left, and now has {after}. The ledger keeps both the "
            "sale and the cancellation."
        )
        console.gap()
        console.command("orders", "show", order.order_id)

    def report(self) -> None:
        """The three reports."""
        console, analytics = self.console, self.commerce.analytics
        console.step("Sales reports")
        console.paragraph("Sales by partner and currency; amounts are never converted:")
        self.reports["by_partner"] = analytics.sales_by_partner()
        console.table(_rows(self.reports["by_partner"], PartnerSales), _sales_columns())
        console.command("analytics", "by-partner")
        console.gap()
        console.paragraph(f"{ELECTRONICS}'s sales per day, net of cancellations:")
        console.gap()
        self.reports["over_time"] = analytics.sales_over_time(
            partner=ELECTRONICS, until=self._noon().replace(hour=0)
        )
        console.bars(
            _rows(self.reports["over_time"], PeriodSales),
            lambda row: row.sales_period,
            lambda row: row.total_sales,
            lambda row: money(row.total_sales, row.currency),
        )
        console.gap()
        console.command("analytics", "over-time", "--partner", ELECTRONICS)
        console.gap()
        console.paragraph(
            "Each partner's share of the revenue, which adds up to 100 % in each currency:"
        )
        console.gap()
        self.reports["share"] = analytics.revenue_share()
        console.bars(
            _rows(self.reports["share"], RevenueShare),
            lambda row: f"{row.currency}  {row.partner_name}",
            lambda row: row.revenue_pct,
            lambda row: f"{row.revenue_pct} %",
        )
        console.gap()
        console.command("analytics", "share")


@frozen
class _Basket:
    """An order to place."""

    reference: str
    at: datetime
    items: list[tuple[str, int]]


def _part_columns() -> list[Column[Part]]:
    return [
        Column("part", lambda part: part.items[0].sku),
        Column("state", lambda part: part.status.replace("_", " ")),
        Column("units sent", lambda part: f"{sum(i.fulfilled for i in part.items):,}", right=True),
        Column("total", lambda part: f"{part.total_amount}", right=True),
        Column("refunded", lambda part: f"{part.refunded_amount}", right=True),
    ]


def _fault_columns() -> list[Column[Fault]]:
    return [
        Column("item", _item_number, right=True),
        Column("why it is refused", lambda f: f.detail, wraps=True),
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
    """The rows of a report, all of one kind."""
    return [row for row in report.results if isinstance(row, kind)]
