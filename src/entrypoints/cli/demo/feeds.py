"""The demo's first half: four partners, their feeds, rejected records, and what changed."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Final

from attrs import Factory, define, frozen

from commerce_core.catalog.product import Product, ProductQuery
from commerce_core.commerce import Commerce
from commerce_core.feeds.job import Job
from commerce_core.partners.partner import Partner
from entrypoints.cli.commands.products import stock
from entrypoints.cli.kit.console import Console
from entrypoints.cli.kit.output import duration, money, plural, size
from entrypoints.cli.kit.running import fates, problem_columns, run_or_watch, seconds_of
from entrypoints.cli.kit.tables import Column

_FEW: Final = 5


@frozen
class Sender:
    """A partner of the demo, and the file it sends."""

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
DAY_TWO: Final = "electronics-day2.csv"


@define
class FeedSteps:
    """From files to one catalog, step by step."""

    commerce: Commerce
    console: Console
    feeds: Path
    jobs: dict[str, Job] = Factory(dict[str, Job])

    def all(self) -> None:
        """All steps."""
        self.partners()
        self.send()
        self.rejected()
        self.day_two()
        self.query()

    def partners(self) -> None:
        """Partners are added."""
        console = self.console
        console.step("Four partners")
        console.paragraph(
            "A partner is a company that sends you its catalog. All you specify is its name, its "
            "time zone, and the currency of prices that don't have one of their own."
        )
        add = self.commerce.partners.add
        made = [add(s.partner_name, currency=s.currency, time_zone=s.time_zone) for s in SENDERS]
        columns: list[Column[tuple[Partner, Sender]]] = [
            Column("partner", lambda row: row[0].partner_name),
            Column("sells", lambda row: row[1].sells),
            Column("currency", lambda row: row[0].currency or ""),
            Column("time zone", lambda row: row[0].time_zone),
        ]
        console.table(zip(made, SENDERS, strict=True), columns)
        console.command("partners", "list")

    def send(self) -> None:
        """Each partner sends its whole catalog."""
        console = self.console
        console.step("Each partner sends its catalog")
        console.paragraph(
            "A file is kept exactly as it was received, with its SHA-256. Then a job reads it, "
            "checks every cell, compares it with the catalog and applies the difference, either "
            "completely or not at all."
        )
        console.gap()
        for sender in SENDERS:
            job = self._load(sender.partner_name, sender.file)
            self._show_job(sender.file, job)
        console.gap()
        console.paragraph(
            "One of these files names its columns id, title, ean and shipping_weight, and is "
            "understood all the same. Every record is accounted for: the counts always add up to "
            "the number of records read."
        )

    def _load(self, partner: str, file: str) -> Job:
        """Uploads a file as a whole catalog, and runs its job here."""
        with (self.feeds / file).open("rb") as stream:
            receipt = self.commerce.feeds.upload(
                stream, partner=partner, file_name=file, mode="full"
            )
        job = run_or_watch(self.commerce, receipt.job_id)
        self.jobs.setdefault(file, job)
        return job

    def _show_job(self, file: str, job: Job) -> None:
        console = self.console
        feed = self.commerce.feeds.get(job.feed_id)
        console.line(f"{file}, {size(feed.bytes)}, in {duration(seconds_of(job))}")
        if job.summary:
            console.line(f"    {fates(job.summary)}")
            unused = ", ".join(job.summary.unused_columns)
            if unused:
                console.line(f"    columns not used: {unused}")

    def rejected(self) -> None:
        """What was wrong with the file that has errors."""
        console, job = self.console, self.jobs["craft-beer.csv"]
        problems = list(self.commerce.jobs.problems(job.job_id))
        errors = [problem for problem in problems if problem.severity == "error"]
        console.step("What was rejected, and why")
        console.paragraph(
            f"The brewery's file was written in a hurry: {plural(len(errors), 'record')} had "
            "errors and were rejected. The other records were applied nevertheless. For each "
            "problem you get the line, the column by the partner's own name, the value, and what "
            "to do about it, so that the partner can correct the file without asking."
        )
        console.table(errors, problem_columns())
        warnings = len(problems) - len(errors)
        console.paragraph(f"{plural(warnings, 'other record')} were accepted with a warning.")
        console.gap()
        console.command("jobs", "problems", job.job_id)

    def day_two(self) -> None:
        """The same partner a day later."""
        console = self.console
        console.step("A day later")
        before = {product.sku: product for product in self._of(ELECTRONICS)}
        job = self._load(ELECTRONICS, DAY_TWO)
        after = {product.sku: product for product in self._of(ELECTRONICS)}
        console.paragraph(
            f"{ELECTRONICS} sends its whole catalog again. The file doesn't declare what is "
            "different: the platform works that out, and writes only the differences."
        )
        console.gap()
        self._show_job(DAY_TWO, job)
        gone, new = sorted(before.keys() - after.keys()), sorted(after.keys() - before.keys())
        console.line(f"    no longer in the file, so removed: {', '.join(gone)}")
        console.line(f"    new: {', '.join(new)}")
        self._show_moves(before, after)
        again = self._load(ELECTRONICS, DAY_TWO)
        console.paragraph("Then the same file is sent a second time, by mistake:")
        console.gap()
        console.line(fates(again.summary) if again.summary else again.status)

    def _show_moves(self, before: dict[str, Product], after: dict[str, Product]) -> None:
        moves = [
            _Move(product, old, product.price)
            for sku, product in after.items()
            if sku in before
            and (old := before[sku].price) is not None
            and product.price is not None
            and old != product.price
        ]
        moves.sort(key=lambda move: (-abs(move.percent), move.product.sku))
        console = self.console
        console.gap()
        console.paragraph(f"{plural(len(moves), 'price')} changed. The largest changes:")
        console.table(moves[:_FEW], _move_columns())

    def query(self) -> None:
        """Queries of the catalog."""
        console = self.console
        console.step("Querying the catalog")
        console.paragraph(f"What does {VINYL} offer? The first {_FEW} products:")
        console.table(islice(self._of(VINYL), _FEW), _product_columns())
        console.command("products", "list", "--partner", VINYL, "--limit", str(_FEW))
        console.gap()
        console.paragraph("What are the cheapest products in euros, across all partners?")
        cheapest = ProductQuery(currency="EUR", sort_by="price")
        console.table(islice(self.commerce.products.list(cheapest), _FEW), _product_columns())
        by_price = ("--currency", "EUR", "--sort-by", "price")
        console.command("products", "list", *by_price, "--limit", str(_FEW))
        console.gap()
        console.paragraph("A single product, by its partner's sku:")
        console.table([self.commerce.products.get(partner=BEER, sku="GRA-014")], _product_columns())
        console.command("products", "show", "GRA-014", "--partner", BEER)

    def _of(self, partner: str) -> Iterator[Product]:
        return self.commerce.products.list(partner=partner)


@frozen
class _Move:
    """A price that changed."""

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
        Column("before", lambda m: money(m.old, m.product.currency), right=True),
        Column("now", lambda m: money(m.new, m.product.currency), right=True),
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
