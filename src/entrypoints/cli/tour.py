"""The demo's steps: what it does with the platform, and what it says to it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar

from attrs import Factory, define, evolve, frozen

from commerce_core.context import IdempotencyKey
from commerce_core.errors import Fault, InvalidInput
from commerce_core.jobs import Job
from commerce_core.orders import Order
from commerce_core.partners import Partner
from commerce_core.products import Product, ProductQuery
from commerce_core.sales import PartnerSales, PeriodSales, Report, RevenueShare
from commerce_core.usecases import Commerce
from entrypoints.cli.narration import Narration
from entrypoints.cli.orders import line_columns
from entrypoints.cli.output import duration, moment, money, plural, size
from entrypoints.cli.products import stock
from entrypoints.cli.running import fates, problem_columns, run_or_watch, seconds_of
from entrypoints.cli.tables import Column

R = TypeVar("R", PartnerSales, PeriodSales, RevenueShare)

ORDERS: Final = 36
DAYS: Final = 7
_FEW: Final = 5
_NOON: Final = 12
_PLENTY: Final = 10


@frozen
class Sender:
    """A partner of the demo, and the file that it sends."""

    partner_name: str
    currency: str
    time_zone: str
    file: str
    sells: str
    units: int = 1


SENDERS: Final = (
    Sender("Voltline", "USD", "America/New_York", "electronics.csv", "electronics"),
    Sender("Sidetrack", "GBP", "Europe/London", "vinyl-records.csv", "vinyl records"),
    Sender("Hopfenhaus", "EUR", "Europe/Berlin", "craft-beer.csv", "craft beer", 6),
    Sender("Longstride", "EUR", "Europe/Paris", "running-shoes.csv", "running shoes"),
)
ELECTRONICS, VINYL, BEER, SHOES = (sender.partner_name for sender in SENDERS)
_TURNS: Final = (
    (ELECTRONICS,), (BEER,), (VINYL,), (BEER, SHOES), (ELECTRONICS,), (SHOES,),
    (BEER,), (VINYL,), (ELECTRONICS,), (BEER,), (SHOES,), (ELECTRONICS,),
)  # fmt: skip
"""Who sells in each order; what is priced in different currencies can't be in one."""
DAY_TWO: Final = "electronics-day2.csv"


@define
class Tour:
    """The whole way of a feed, step by step, on one platform."""

    commerce: Commerce
    narration: Narration
    feeds: Path
    jobs: dict[str, Job] = Factory(dict[str, Job])
    baskets: list["_Basket"] = Factory(list["_Basket"])
    orders: list[Order] = Factory(list[Order])
    reports: dict[str, Report] = Factory(dict[str, Report])

    def all(self) -> None:
        """All steps."""
        for step in (
            self.partners,
            self.send,
            self.rejected,
            self.day_two,
            self.look,
            self.order,
            self.refuse,
            self.report,
        ):
            step()

    def partners(self) -> None:
        """Partners are added."""
        tell = self.narration
        tell.step("Four partners")
        tell.say(
            "A partner is somebody who sends us a catalog. What it is called, the currency of "
            "prices that name none, its time zone: more we need not know."
        )
        add = self.commerce.intake.add_partner
        made = [add(s.partner_name, currency=s.currency, time_zone=s.time_zone) for s in SENDERS]
        columns: list[Column[tuple[Partner, Sender]]] = [
            Column("partner", lambda row: row[0].partner_name),
            Column("sells", lambda row: row[1].sells),
            Column("currency", lambda row: row[0].currency or ""),
            Column("time zone", lambda row: row[0].time_zone),
        ]
        tell.table(zip(made, SENDERS, strict=True), columns)
        tell.shell("partners", "list")

    def send(self) -> None:
        """Each sends its whole catalog."""
        tell = self.narration
        tell.step("Each sends its catalog")
        tell.say(
            "A file is kept exactly as it came, with its SHA-256. Then a job reads it, checks "
            "every cell, compares it with the catalog and applies the difference: all of it or "
            "nothing."
        )
        tell.gap()
        for sender in SENDERS:
            job = self._load(sender.partner_name, sender.file)
            self._tell_job(sender.file, job)
        tell.gap()
        tell.say(
            "One of them calls its columns id, title, ean and shipping_weight, and it still was "
            "understood. Every record is accounted for: the figures always add up to what was read."
        )

    def _load(self, partner: str, file: str) -> Job:
        """Uploads a file as a whole catalog, and runs its job here."""
        with (self.feeds / file).open("rb") as stream:
            receipt = self.commerce.intake.upload(
                stream, partner=partner, file_name=file, mode="full"
            )
        job = run_or_watch(self.commerce, receipt.job_id)
        self.jobs[file] = job
        return job

    def _tell_job(self, file: str, job: Job) -> None:
        tell = self.narration
        feed = self.commerce.intake.get_feed(job.feed_id)
        tell.note(f"{file}, {size(feed.bytes)}, in {duration(seconds_of(job))}")
        if job.summary:
            tell.note(f"    {fates(job.summary)}")
            unused = ", ".join(job.summary.unused_columns)
            if unused:
                tell.note(f"    columns that no field takes: {unused}")

    def rejected(self) -> None:
        """What was wrong with the dirty one."""
        tell, job = self.narration, self.jobs["craft-beer.csv"]
        problems = list(self.commerce.intake.problems(job.job_id))
        errors = [problem for problem in problems if problem.severity == "error"]
        tell.step("What was rejected, and why")
        tell.say(
            f"The brewery's file was written in a hurry. {plural(len(errors), 'record')} could "
            "not be trusted and stayed out; the others are not held up by them. Each problem has "
            "its line, the column as the partner calls it, the value, and what to do: enough to "
            "mend the file without asking anybody."
        )
        tell.table(errors, problem_columns())
        warnings = len(problems) - len(errors)
        tell.say(f"{plural(warnings, 'other record')} came in with a warning.")
        tell.gap()
        tell.shell("jobs", "problems", job.job_id)

    def day_two(self) -> None:
        """The same partner a day later."""
        tell = self.narration
        tell.step("A day later")
        before = {product.sku: product for product in self._of(ELECTRONICS)}
        job = self._load(ELECTRONICS, DAY_TWO)
        after = {product.sku: product for product in self._of(ELECTRONICS)}
        tell.say(
            f"{ELECTRONICS} sends its whole catalog again. Nobody says what is different in it; "
            "that is for us to find, and only that is written."
        )
        tell.gap()
        self._tell_job(DAY_TWO, job)
        gone, new = sorted(before.keys() - after.keys()), sorted(after.keys() - before.keys())
        tell.note(f"    no longer there, so removed: {', '.join(gone)}")
        tell.note(f"    new: {', '.join(new)}")
        self._tell_moves(before, after)
        again = self._load(ELECTRONICS, DAY_TWO)
        tell.say("And the same file once more, because somebody pressed the button twice:")
        tell.gap()
        tell.note(fates(again.summary) if again.summary else again.status)

    def _tell_moves(self, before: dict[str, Product], after: dict[str, Product]) -> None:
        moves = [
            _Move(product, old, product.price)
            for sku, product in after.items()
            if sku in before
            and (old := before[sku].price) is not None
            and product.price is not None
            and old != product.price
        ]
        moves.sort(key=lambda move: (-abs(move.percent), move.product.sku))
        tell = self.narration
        tell.gap()
        tell.say(f"{plural(len(moves), 'price')} moved. The widest moves:")
        tell.table(moves[:_FEW], _move_columns())

    def look(self) -> None:
        """Queries."""
        tell = self.narration
        tell.step("Asking the catalog")
        tell.say(f"What does {VINYL} have? The first few of them:")
        tell.table(islice(self._of(VINYL), _FEW), _product_columns())
        tell.shell("products", "list", "--partner", VINYL, "--limit", str(_FEW))
        tell.gap()
        tell.say("What costs least in euros, whoever sells it?")
        cheapest = ProductQuery(currency="EUR", sort_by="price")
        tell.table(islice(self.commerce.catalog.list(cheapest), _FEW), _product_columns())
        by_price = ("--currency", "EUR", "--sort-by", "price")
        tell.shell("products", "list", *by_price, "--limit", str(_FEW))
        tell.gap()
        tell.say("And one product, by the name its partner gave it:")
        tell.table([self.commerce.catalog.get(partner=BEER, sku="GRA-014")], _product_columns())
        tell.shell("products", "show", "GRA-014", "--partner", BEER)

    def _of(self, partner: str) -> Iterator[Product]:
        return self.commerce.catalog.list(partner=partner)

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
        found = sorted(self._of(sender.partner_name), key=lambda p: p.sku)
        plenty = [p for p in found if p.sellable and (p.available or 0) >= _PLENTY * sender.units]
        return [p.product_id for p in plenty if not p.sale_starts_at]

    def _place(self, basket: "_Basket") -> Order:
        return self._at(basket.at).ordering.place(
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
        tell, get = self.narration, self.commerce.catalog.get
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
            self.commerce.ordering.place(wanted, reference="web-wishful")
        except InvalidInput as refusal:
            tell.table(refusal.faults, _fault_columns())

    def _replay_one(self) -> None:
        tell, first = self.narration, self.orders[0]
        key = IdempotencyKey(first.customer_reference or "")
        basket = self.baskets[0]
        again = self.commerce.ordering.place(basket.items, reference=basket.reference, key=key)
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
        before = self.commerce.catalog.get(item.product_id).available
        later = self._at(order.created_at + timedelta(hours=2))
        cancelled = later.ordering.cancel(order.order_id)
        after = self.commerce.catalog.get(item.product_id).available
        self.orders[-1] = cancelled
        tell.say(
            f"And one order is cancelled two hours later. Its units can be sold again: {item.sku} "
            f"had {before} left, now {after}. The ledger keeps the sale and its cancellation."
        )
        tell.gap()
        tell.shell("orders", "show", order.order_id)

    def report(self) -> None:
        """The three reports."""
        tell, ask = self.narration, self.commerce.reporting
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


@frozen
class _Move:
    """A price that is another now."""

    product: Product
    old: Decimal
    new: Decimal

    @property
    def percent(self) -> Decimal:
        return (self.new - self.old) * 100 / self.old if self.old else Decimal(0)


def _move_columns() -> list[Column[_Move]]:
    return [
        Column("sku", lambda m: m.product.sku),
        Column("name", lambda m: m.product.product_name, crops=True),
        Column("was", lambda m: money(m.old, m.product.currency), right=True),
        Column("is", lambda m: money(m.new, m.product.currency), right=True),
        Column("change", lambda m: f"{m.percent:+.1f} %", right=True),
    ]


def _product_columns() -> list[Column[Product]]:
    return [
        Column("sku", lambda p: p.sku),
        Column("name", lambda p: p.product_name, crops=True),
        Column("price", lambda p: money(p.price, p.currency), right=True),
        Column("stock", stock, right=True),
        Column("partner", lambda p: p.partner_name),
    ]


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
