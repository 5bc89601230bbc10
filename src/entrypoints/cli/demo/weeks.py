"""What the dashboard opens on in the demo: two weeks of four partners at work, and what went wrong.

Everything follows from positions in lists, so each run has the same feeds, orders and rules.
"""

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, cast

from attrs import define, evolve

from commerce_core.base.errors import CommerceError
from commerce_core.catalog.product import Product
from commerce_core.commerce import Commerce
from commerce_core.feeds.freshness_settings import Expected
from commerce_core.feeds.source import MAIN_SOURCE
from commerce_core.partners.terms import Term
from commerce_core.pricing.basket_terms import BasketTerms
from commerce_core.schema.fields import Mode
from commerce_core.work.attempt import Progress
from entrypoints.cli.demo.feeds import BEER, ELECTRONICS, SENDERS, SHOES, VINYL

DAYS: Final = 14
_CHANGED: Final = 24
"""Products in each daily feed."""
_SILENT: Final = {1: (VINYL,), 0: (VINYL, BEER, SHOES)}
"""Who sends no changes, by how many days ago: one is late, others have trouble with other files."""
_LOGIN_PAGE: Final = b"<!doctype html><html><body><form>Sign in to continue</form></body></html>\n"
RULES: Final[Sequence[dict[str, Any]]] = (
    {"name": "Vinyl days", "priority": 10, "condition": {"partner": VINYL},
     "benefit": {"percent": "10"}},
    {"name": "Trade customers", "priority": 5, "condition": {"customer_group": "trade"},
     "benefit": {"percent": "15"}},
    {"name": "Welcome", "applies_to": "order", "condition": {"code": "WELCOME"},
     "benefit": {"amount": "5.00"}, "limits": {"most_uses": 500}},
    {"name": "Twelve bottles", "condition": {"all": [{"partner": BEER}, {"quantity": {
        "min": 12, "of": "line"}}]}, "benefit": {"percent": "8"}},
)  # fmt: skip


def past(commerce: Commerce, at: datetime) -> Commerce:
    """The platform with a clock that goes on from a moment; work has no limit of time in it."""
    clock = commerce.context.clock
    behind = clock() - at
    moved = evolve(commerce.context, clock=lambda: clock() - behind, keep_lease=_keep_no_lease)
    return Commerce(moved)


def _keep_no_lease(
    work: object, session: str
) -> AbstractContextManager[Callable[[Progress], None]]:
    del work, session
    return nullcontext(lambda _: None)


@define
class Weeks:
    """Two weeks of work after the partners' first feeds."""

    commerce: Commerce
    feeds: Path

    def all(self) -> None:
        """All of it, in the order of time."""
        for rule in RULES:
            self._on(DAYS - 1).pricing.add(self._with_ids(rule))
        self._on(DAYS - 1).partners.set_terms(ELECTRONICS, [Term(Decimal(12))], cycle="day")
        for days_ago in range(DAYS - 1, -1, -1):
            self._day(days_ago)
        self._orders()
        self._troubles()
        self.commerce.statements.close()

    def _with_ids(self, rule: dict[str, Any]) -> dict[str, Any]:
        """The rule, with partners by their ids."""

        def read(value: Any) -> Any:  # noqa: ANN401 - a part of a rule
            if isinstance(value, dict):
                pairs = cast("dict[str, Any]", value).items()
                return {
                    name: named(part) if name == "partner" else read(part) for name, part in pairs
                }
            return (
                [read(part) for part in cast("list[Any]", value)]
                if isinstance(value, list)
                else value
            )

        def named(partner: str) -> str:
            return self.commerce.partners.get(partner).partner_id

        return read(rule)

    def _on(self, days_ago: int, hour: int = 6) -> Commerce:
        now = self.commerce.context.clock().astimezone(UTC)
        at = now - timedelta(days=days_ago)
        if days_ago:
            at = at.replace(hour=hour, minute=(days_ago * 7) % 60, second=0, microsecond=0)
        return past(self.commerce, at)

    def _day(self, days_ago: int) -> None:
        """Each partner sends what has changed since the day before."""
        for turn, sender in enumerate(SENDERS):
            if sender.partner_name in _SILENT.get(days_ago, ()):
                continue
            shelf = self._shelf(sender.partner_name)
            first = (days_ago * 31 + turn * 17) % len(shelf)
            chosen = [shelf[(first + n * 5) % len(shelf)] for n in range(_CHANGED)]
            rows = list(dict.fromkeys(self._row(p, days_ago + n) for n, p in enumerate(chosen)))
            name = f"{sender.partner_name.lower()}-changes-{days_ago:02}.csv"
            hour = 5 + turn
            self._send(self._on(days_ago, hour), sender.partner_name, name, rows)
        if days_ago == 9:  # noqa: PLR2004 - the day on which it was mended by the next feed
            self._file(self._on(9, 3), VINYL, "vinyl-records.csv", _LOGIN_PAGE, "full")

    def _shelf(self, partner: str) -> list[Product]:
        return sorted(self.commerce.products.list(partner=partner), key=lambda p: p.sku)

    def _row(self, product: Product, step: int) -> str:
        """A new price within a few percent, and a new quantity."""
        price = product.price or Decimal(10)
        factor = Decimal(100 + (step * 7) % 9 - 4) / 100
        quantity = max(3, (product.quantity or 10) + (step * 5) % 7 - 3)
        return f"{product.sku},{(price * factor).quantize(Decimal('0.01'))},{quantity}"

    def _send(self, commerce: Commerce, partner: str, name: str, rows: Sequence[str]) -> str:
        content = "\n".join(["sku,price,quantity", *rows, ""]).encode()
        return self._file(commerce, partner, name, content, "delta")

    def _file(self, commerce: Commerce, partner: str, name: str, content: bytes, mode: Mode) -> str:
        job = commerce.feeds.load(io.BytesIO(content), partner=partner, file_name=name, mode=mode)
        return job.feed_id

    def _orders(self) -> None:
        """Orders of a week under the rules; some of trade customers, some with the code."""
        for number in range(24):
            at = self._on(6 - number // 4, 9 + number % 4 * 2)
            for partner in (VINYL, BEER, ELECTRONICS, SHOES)[number % 4 :][:1]:
                shelf = [p for p in self._shelf(partner) if p.sellable and p.can_supply(14)]
                shelf = shelf or [p for p in self._shelf(partner) if p.sellable and p.can_supply(1)]
                units = 12 if partner == BEER else 1
                items = [(shelf[(number * 13) % len(shelf)].product_id, units)]
                terms = BasketTerms(
                    codes=("WELCOME",) if number % 3 == 0 else (),
                    customer_group="trade" if number % 4 == 1 else None,
                )
                self._place(at, items, f"shop-{number + 1:03}", terms)

    def _place(
        self, at: Commerce, items: list[tuple[str, int]], reference: str, terms: BasketTerms
    ) -> None:
        try:
            at.orders.place(items, reference=reference, terms=terms)
        except CommerceError:
            # Another order has taken the last units: that is how a shop is too.
            return

    def _troubles(self) -> None:
        """What a person finds in the morning."""
        today = self._on(0)
        lines = (self.feeds / "running-shoes.csv").read_bytes().splitlines(keepends=True)
        self._file(today, SHOES, "running-shoes.csv", b"".join(lines[:61]), "full")
        for _ in range(2):
            self._file(today, VINYL, "vinyl-records.csv", _LOGIN_PAGE, "full")
        self._send(today, BEER, "beer-prices.csv", list(self._dirty()))
        wrong = [self._raised(p) for p in self._shelf(ELECTRONICS)[10:50]]
        feed_id = self._send(self._on(2, 15), ELECTRONICS, "weekend-prices.csv", wrong)
        job = self._on(2, 16).reverts.start(feed_id, run=False)
        self._on(2, 16).jobs.run(job.job_id)
        self._send(today, ELECTRONICS, "stock-now.csv", list(self._sold_out()))
        self.commerce.sources.change(
            MAIN_SOURCE, partner=VINYL, expected=Expected(every=timedelta(days=1))
        )
        self.commerce.freshness.watch()

    def _dirty(self) -> Iterator[str]:
        """Prices as a spreadsheet of another country writes them, among good ones."""
        for number, product in enumerate(self._shelf(BEER)[:60]):
            price = f"{product.price or 1:.2f}"
            yield (
                f'{product.sku},"{price.replace(".", ",")}",{product.quantity or 0}'
                if (number % 4 == 0)
                else f"{product.sku},{price},{product.quantity or 0}"
            )

    def _raised(self, product: Product) -> str:
        price = ((product.price or Decimal(10)) * Decimal("1.15")).quantize(Decimal("0.01"))
        return f"{product.sku},{price},{product.quantity or 0}"

    def _sold_out(self) -> Iterator[str]:
        """Products on open orders of which fewer are left than are ordered."""
        reserved = [p for p in self._shelf(ELECTRONICS) if p.reserved][:3]
        return (f"{p.sku},{p.price},{max(0, p.reserved - 1)}" for p in reserved)
