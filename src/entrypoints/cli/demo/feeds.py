"""The demo's first half: four partners, their feeds, what was rejected, what changed."""

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
from entrypoints.cli.kit.console import Narration
from entrypoints.cli.kit.output import duration, money, plural, size
from entrypoints.cli.kit.running import fates, problem_columns, run_or_watch, seconds_of
from entrypoints.cli.kit.tables import Column

_FEW: Final = 5


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
DAY_TWO: Final = "electronics-day2.csv"


@define
class TourOfFeeds:
    """From files to one catalog, step by step."""

    commerce: Commerce
    narration: Narration
    feeds: Path
    jobs: dict[str, Job] = Factory(dict[str, Job])

    def all(self) -> None:
        """All steps."""
        self.partners()
        self.send()
        self.rejected()
        self.day_two()
        self.look()

    def partners(self) -> None:
        """Partners are added."""
        tell = self.narration
        tell.step("Four partners")
        tell.say(
            "A partner is somebody who sends us a catalog. What it is called, the currency of "
            "prices that name none, its time zone: more we need not know."
        )
        add = self.commerce.partners.add
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
            receipt = self.commerce.feeds.upload(
                stream, partner=partner, file_name=file, mode="full"
            )
        job = run_or_watch(self.commerce, receipt.job_id)
        self.jobs.setdefault(file, job)
        return job

    def _tell_job(self, file: str, job: Job) -> None:
        tell = self.narration
        feed = self.commerce.feeds.get(job.feed_id)
        tell.note(f"{file}, {size(feed.bytes)}, in {duration(seconds_of(job))}")
        if job.summary:
            tell.note(f"    {fates(job.summary)}")
            unused = ", ".join(job.summary.unused_columns)
            if unused:
                tell.note(f"    columns that no field takes: {unused}")

    def rejected(self) -> None:
        """What was wrong with the dirty one."""
        tell, job = self.narration, self.jobs["craft-beer.csv"]
        problems = list(self.commerce.jobs.problems(job.job_id))
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
        tell.table(islice(self.commerce.products.list(cheapest), _FEW), _product_columns())
        by_price = ("--currency", "EUR", "--sort-by", "price")
        tell.shell("products", "list", *by_price, "--limit", str(_FEW))
        tell.gap()
        tell.say("And one product, by the name its partner gave it:")
        tell.table([self.commerce.products.get(partner=BEER, sku="GRA-014")], _product_columns())
        tell.shell("products", "show", "GRA-014", "--partner", BEER)

    def _of(self, partner: str) -> Iterator[Product]:
        return self.commerce.products.list(partner=partner)


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
