"""Orders: placing and cancelling orders of products, at frozen prices and from available stock."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

from attrs import asdict, evolve, frozen

from commerce_core.analytics.postings import Placement, WholeCancellation, entries_of
from commerce_core.base.errors import Fault, Forbidden, InvalidInput, no_such
from commerce_core.base.ids import parse
from commerce_core.base.paging import DEFAULT_LIMIT
from commerce_core.catalog.product import Product
from commerce_core.orders.order import (
    Order,
    OrderExplanation,
    OrderItem,
    OrderQuery,
    Wanted,
    check_request,
    explain,
    freeze_line,
    judge_items,
    new_order,
)
from commerce_core.partners.terms import PartnerTerms
from commerce_core.ports.catalog import CatalogUnit
from commerce_core.ports.store import UnitOfWork
from commerce_core.pricing.priced import BasketItem, PricedBasket
from commerce_core.pricing.terms import NO_TERMS, PriceTerms, price_changed
from commerce_core.usecases.context import Context, IdempotencyKey, Listed
from commerce_core.usecases.prices import Prices
from commerce_core.usecases.wanted import product_ids

_ANY_ORDER: Final = OrderQuery()


@frozen
class Orders:
    """Orders, each written in one transaction with its reserved stock and its ledger entries."""

    _context: Context

    def place(
        self,
        items: Iterable[Wanted | tuple[str, int]],
        *,
        reference: str | None = None,
        metadata: Mapping[str, str] | None = None,
        terms: PriceTerms = NO_TERMS,
        expected_total: Decimal | None = None,
        key: IdempotencyKey | str | None = None,
    ) -> Order:
        """A new order of these items; a pair is a product id and a quantity.

        InvalidInput, with every reason, if the order is refused; then nothing is written. Conflict
        `price_changed` if its total isn't `expected_total`.
        """
        wanted = [item if isinstance(item, Wanted) else Wanted(item[1], item[0]) for item in items]
        check_request(wanted, reference, metadata or {})
        terms.check()
        asked = Asked(wanted, reference, dict(metadata or {}), terms, expected_total)
        with self._context.writing() as unit:
            return self._context.once(
                unit,
                key,
                asked.request,
                lambda: self._place(unit, asked),
                answer=Order,
            )

    def _place(self, unit: UnitOfWork, asked: "Asked") -> Order:
        now = self._context.clock()
        products = self._reserve(unit, asked.items)
        faults = judge_items(asked.items, products, now)
        if faults:
            raise _refused(faults)
        order_id = self._context.mint("ord")
        priced = self._priced(unit, order_id, asked, products, now)
        lines = self._frozen(unit, priced, products, now)
        order = new_order(
            order_id, lines, priced.currency, now,
            reference=asked.reference, metadata=asked.metadata, terms=asked.terms,
        )  # fmt: skip
        unit.orders.add(order)
        placed = map(Placement, order.items)
        unit.sales.add(entries_of(order, placed, now, self._new_entry))
        unit.events.add([self._context.new_event().of_order("order.created", order)])
        return order

    def _frozen(
        self,
        unit: UnitOfWork,
        priced: PricedBasket,
        products: Sequence[Product | None],
        now: datetime,
    ) -> list[OrderItem]:
        """The lines, with the terms of their partners as they are now."""
        agreed = unit.terms.of({item.partner_id for item in priced.items})
        categories = {product.product_id: product.category for product in products if product}
        lines: list[OrderItem] = []
        for item in priced.items:
            terms = agreed.get(item.partner_id) or PartnerTerms(item.partner_id)
            taken = terms.of(item.sku, categories[item.product_id], priced.currency, now)
            lines.append(freeze_line(self._context.mint("item"), item, *taken))
        return lines

    def _priced(
        self,
        unit: UnitOfWork,
        order_id: str,
        asked: "Asked",
        products: Sequence[Product | None],
        now: datetime,
    ) -> PricedBasket:
        """The price of the order, with what it takes from limits taken."""
        pairs = zip(products, asked.items, strict=True)
        found = tuple(BasketItem(product, item.quantity) for product, item in pairs if product)
        basket, prices = asked.terms.basket(found), Prices(unit)
        rules = prices.rules(basket, now)
        priced = prices.taken(order_id, basket, now, rules)
        faults = list(prices.code_faults(basket, rules, priced))
        expected = asked.expected_total
        if expected is not None:
            # An unknown code is a mistake, whatever the price; a used-up one is a change of price.
            faults = [fault for fault in faults if fault.code == "unknown_code"]
        if faults:
            raise _refused(faults)
        if expected is not None and expected != priced.total_amount:
            raise price_changed(expected, priced)
        return priced

    def _reserve(self, unit: CatalogUnit, wanted: Sequence[Wanted]) -> list[Product | None]:
        """The product of each item, with its units reserved; None if it isn't visible."""
        ids = product_ids(unit, wanted)
        units = Counter[str]()
        for id_, item in zip(ids, wanted, strict=True):
            if id_ is not None:
                units[id_] += item.units
        reserved = unit.products.reserve(units)
        products = [reserved.get(id_) if id_ else None for id_ in ids]
        return [
            p if p and self._context.principal.may_see(p.partner_id) else None for p in products
        ]

    def _new_entry(self) -> str:
        return self._context.mint("ent")

    def get(self, order_id: str) -> Order:
        """The order with that id, with the lines that the principal may see."""
        with self._context.store.begin() as unit:
            return self._seen(unit.orders.get(parse("ord", order_id)))

    def explain(self, order_id: str) -> OrderExplanation:
        """How the price of that order came about, as it was frozen."""
        return explain(self.get(order_id))

    def _seen(self, order: Order) -> Order:
        seen = order.seen_by(self._context.principal)
        if seen is None:
            raise no_such("order", order.order_id)
        return seen

    def list(
        self, query: OrderQuery = _ANY_ORDER, *, partner: str | None = None
    ) -> Iterator[Order]:
        """All matching orders, newest first."""
        found = self._context.walk(lambda unit: unit.orders, self._own(query, partner))
        return (self._seen(order) for order in found)

    def page(
        self,
        query: OrderQuery = _ANY_ORDER,
        cursor: str | None = None,
        limit: int = DEFAULT_LIMIT,
        *,
        partner: str | None = None,
        count: bool = False,
    ) -> Listed[Order]:
        """A page of the matching orders, newest first."""
        query = self._own(query, partner)
        with self._context.store.begin() as unit:
            page = self._context.listed(unit.orders, query, cursor, limit, count=count)
        return evolve(page, items=tuple(self._seen(order) for order in page.items))

    def _own(self, query: OrderQuery, partner: str | None) -> OrderQuery:
        own = self._context.own(query, partner)
        return evolve(own, seen_by=self._context.principal.partner_id)

    def cancel(self, order_id: str) -> Order:
        """Cancels an open order, which releases its units and adds to the ledger."""
        with self._context.writing() as unit:
            order = unit.orders.lock(parse("ord", order_id))
            self._seen(order)
            if not order.is_all_of(self._context.principal):
                raise Forbidden(
                    "The order also has lines of other partners, so you can't cancel it.",
                    code="not_all_yours",
                )
            cancelled = order.cancel(self._context.clock())
            unit.orders.put(cancelled)
            unit.products.reserve({id_: -n for id_, n in order.units_by_product.items()})
            unit.rules.give_back(order.order_id, cancelled.updated_at)
            so_far = unit.sales.of_order(order.order_id)
            placed = {entry.item_id: entry for entry in so_far if entry.kind == "placed"}
            undone = [WholeCancellation(item, placed[item.item_id]) for item in order.items]
            at = cancelled.updated_at
            unit.sales.add(entries_of(order, undone, at, self._new_entry, so_far))
            unit.events.add([self._context.new_event().of_order("order.cancelled", cancelled)])
            return self._seen(cancelled)


@frozen
class Asked:
    """What is asked of `place`."""

    items: Sequence[Wanted]
    reference: str | None
    metadata: Mapping[str, str]
    terms: PriceTerms
    expected_total: Decimal | None

    @property
    def request(self) -> tuple[object, ...]:
        """What an idempotency key belongs to. What was added later is in it only if it is given."""
        items = [asdict(item) for item in self.items]
        terms = [] if self.terms == NO_TERMS else [asdict(self.terms)]
        expected = [] if self.expected_total is None else [str(self.expected_total)]
        return ("place", items, self.reference, dict(self.metadata), *terms, *expected)


def _refused(faults: Sequence[Fault]) -> InvalidInput:
    return InvalidInput("The order can't be accepted.", faults=faults, code="order_refused")
