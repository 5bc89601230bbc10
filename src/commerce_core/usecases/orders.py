"""Orders: placing, confirming, fulfilling, cancelling and refunding orders at frozen prices."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

from attrs import evolve, frozen

from commerce_core.analytics.postings import entries_of
from commerce_core.base.errors import Conflict, Fault, InvalidInput, no_such
from commerce_core.base.identity import requested
from commerce_core.base.ids import parse
from commerce_core.base.paging import DEFAULT_LIMIT
from commerce_core.catalog.product import Product
from commerce_core.orders.acts import AnyAsked, as_of
from commerce_core.orders.asking import (
    AskedUnits,
    CancelAsked,
    ConfirmAsked,
    FulfilAsked,
    RefundAsked,
)
from commerce_core.orders.line import OrderItem
from commerce_core.orders.movement import placed
from commerce_core.orders.order import (
    DUPLICATES_WITHIN,
    Order,
    OrderExplanation,
    OrderQuery,
    explain,
    freeze_line,
    likely_duplicate,
    new_order,
    units_by_product,
)
from commerce_core.orders.part import Refund
from commerce_core.orders.wanted import Wanted, check_request, judge_items, judge_supply
from commerce_core.partners.terms import PartnerTerms
from commerce_core.ports.store import UnitOfWork
from commerce_core.pricing.basket_terms import NO_TERMS, BasketTerms, price_changed
from commerce_core.pricing.priced import BasketItem, PricedBasket
from commerce_core.stock.reservation import Taking, may_be_there
from commerce_core.usecases.acts import MOST_EXPIRED, ActPlan, Acts
from commerce_core.usecases.basket_prices import Prices, StillHeld
from commerce_core.usecases.context import Context, IdempotencyKey, Listed
from commerce_core.usecases.found_products import found_products, product_ids

MOST_RECENT: Final = 20
"""The most recent orders of a reference that a new one is compared with."""
Units = Mapping[str, int | None] | Sequence[tuple[str, int | None]]
"""Units of lines by item id; None for all units that an act can concern."""
_SHORT: Final = ("insufficient_stock", "not_sellable")
ALWAYS_IN_ORDERS: Final = frozenset(
    {"quantity", "product_id", "partner_id", "sku"}
    | {"codes", "customer", "customer_group", "channel"}
)
"""What is always part of an idempotency key's request; fields that are added later aren't."""
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
        terms: BasketTerms = NO_TERMS,
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
        asked = _Asked(wanted, reference, dict(metadata or {}), terms, expected_total)
        try:
            return self._place_once(asked, key)
        except InvalidInput as refused:
            if not self._released(asked, refused):
                raise
            return self._place_once(asked, key)

    def _place_once(self, asked: "_Asked", key: IdempotencyKey | str | None) -> Order:
        try:
            return self._place_crowded(asked, key)
        except StillHeld as held:
            Acts(self._context).expire(held.order_ids)
            return self._place_crowded(evolve(asked, releases=False), key)

    def _place_crowded(self, asked: "_Asked", key: IdempotencyKey | str | None) -> Order:
        try:
            return self._place_in_one(asked, key, whole=False)
        except _Crowded:
            return self._place_in_one(asked, key, whole=True)

    def _place_in_one(
        self, asked: "_Asked", key: IdempotencyKey | str | None, *, whole: bool
    ) -> Order:
        with self._context.writing() as unit:
            kept, keep = self._context.claimed(unit, key, asked.request, answer=Order)
            return kept or self._place(unit, asked, keep, guarded=key is not None, whole=whole)

    def _released(self, asked: "_Asked", refused: InvalidInput) -> bool:
        """Whether orders that have expired still reserved units that this one lacks; no longer."""
        if all(fault.code not in _SHORT for fault in refused.faults):
            return False
        with self._context.store.begin() as unit:
            products = [id_ for id_ in product_ids(unit, asked.items) if id_]
            due = unit.orders.expired(self._context.clock(), MOST_EXPIRED, products)
        return Acts(self._context).expire(due) > 0

    def _place(
        self,
        unit: UnitOfWork,
        asked: "_Asked",
        keep: Callable[[Order], None],
        *,
        guarded: bool,
        whole: bool,
    ) -> Order:
        """Writes the order. Its units are taken last, since others wait for them from then on."""
        now = self._context.clock()
        products = found_products(self._context, unit, asked.items)
        faults = judge_items(asked.items, products, now)
        if faults:
            raise _refused(faults)
        order_id = self._context.mint("ord")
        priced = self._priced(unit, order_id, asked, products, now)
        lines = self._frozen(unit, priced, products, now)
        after = self._context.orders.expire_after
        order = new_order(
            order_id, lines, priced.currency, now,
            reference=asked.reference, metadata=asked.metadata, terms=asked.terms,
            expires_at=now + after if after else None,
            duplicate_of=None if guarded else self._duplicate_of(unit, asked.reference, lines, now),
        )  # fmt: skip
        takings = [Taking(i.product_id, i.item_id, i.quantity, i.net_of_orders) for i in lines]
        with unit.together():
            unit.orders.add(order)
            unit.sales.add(entries_of(order, placed(order), now, lambda: self._context.mint("ent")))
            unit.events.add([self._context.new_event().of_order("order.created", order)])
            keep(order)
        # By itself: within the context, the rows would stay locked for one more round trip.
        if short := unit.stock.take(takings, now, whole=whole):
            if not whole and may_be_there(takings, short):
                raise _Crowded
            raise _refused(judge_supply(asked.items, products, short))
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
        known = {product.product_id: product for product in products if product}
        lines: list[OrderItem] = []
        for item in priced.items:
            terms = agreed.get(item.partner_id) or PartnerTerms(item.partner_id)
            product = known[item.product_id]
            taken = terms.of(item.sku, product.category, priced.currency, now)
            net, item_id = product.net_of_orders, self._context.mint("item")
            lines.append(freeze_line(item_id, item, *taken, net_of_orders=net))
        return lines

    def _duplicate_of(
        self, unit: UnitOfWork, reference: str | None, lines: Sequence[OrderItem], now: datetime
    ) -> str | None:
        """The order that this one likely repeats; Conflict if such orders are refused.

        A client that sends keys says itself what is a repetition.
        """
        if reference is None:
            return None
        refuse, since = self._context.orders.refuse_duplicates, now - DUPLICATES_WITHIN
        recent = unit.orders.recent(reference, since, MOST_RECENT, exclusive=refuse)
        found = likely_duplicate(recent, units_by_product(lines), self._context.principal)
        if found is not None and refuse:
            raise Conflict(
                f"An order with the same reference and items was just placed: {found}.",
                "Send an idempotency key if both are meant.",
                code="likely_duplicate",
                shown={"order_id": found},
            )
        return found

    def _priced(
        self,
        unit: UnitOfWork,
        order_id: str,
        asked: "_Asked",
        products: Sequence[Product | None],
        now: datetime,
    ) -> PricedBasket:
        """The price of the order, with what it takes from limits taken."""
        pairs = zip(products, asked.items, strict=True)
        found = tuple(BasketItem(product, item.quantity) for product, item in pairs if product)
        basket, prices = asked.terms.basket(found), Prices(unit)
        rules = prices.rules(basket, now)
        priced = prices.taken(order_id, basket, now, rules)
        if asked.releases:
            prices.check_held(priced, now)
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

    def get(self, order_id: str) -> Order:
        """The order with that id, with the lines that the principal may see."""
        with self._context.store.begin() as unit:
            return self._shown(unit.orders.get(parse("ord", order_id)))

    def explain(self, order_id: str) -> OrderExplanation:
        """How the price of that order came about, as it was frozen."""
        return explain(self.get(order_id))

    def _shown(self, order: Order) -> Order:
        """The order as it is now, as the principal sees it."""
        seen = as_of(order, self._context.clock()).seen_by(self._context.principal)
        if seen is None:
            raise no_such("order", order.order_id)
        return seen

    def list(
        self, query: OrderQuery = _ANY_ORDER, *, partner: str | None = None
    ) -> Iterator[Order]:
        """All matching orders, newest first."""
        found = self._context.walk(lambda unit: unit.orders, self._own(query, partner))
        return (self._shown(order) for order in found)

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
        with self._context.store.read_only() as unit:
            page = self._context.listed(unit.orders, query, cursor, limit, count=count)
        return evolve(page, items=tuple(self._shown(order) for order in page.items))

    def _own(self, query: OrderQuery, partner: str | None) -> OrderQuery:
        own = self._context.own(query, partner)
        now, seen_by = self._context.clock(), self._context.principal.partner_id
        return evolve(own, seen_by=seen_by, as_of=now)

    def confirm(
        self,
        order_id: str,
        *,
        partner: str | None = None,
        version: int | None = None,
        key: IdempotencyKey | str | None = None,
    ) -> Order:
        """Confirms an order, or a part of it, which then doesn't expire."""
        return self.act(order_id, ConfirmAsked(partner, None, version), key)

    def fulfil(
        self,
        order_id: str,
        items: Units | None = None,
        *,
        partner: str | None = None,
        carrier: str | None = None,
        tracking_number: str | None = None,
        version: int | None = None,
        key: IdempotencyKey | str | None = None,
    ) -> Order:
        """Sends open units, all of them by default, as one fulfilment for each part."""
        asked = FulfilAsked(partner, asked_units(items), version, carrier, tracking_number)
        return self.act(order_id, asked, key)

    def cancel(
        self,
        order_id: str,
        items: Units | None = None,
        *,
        partner: str | None = None,
        version: int | None = None,
        key: IdempotencyKey | str | None = None,
    ) -> Order:
        """Cancels open units, all of them by default: they can be sold again."""
        return self.act(order_id, CancelAsked(partner, asked_units(items), version), key)

    def refund(
        self,
        order_id: str,
        items: Units | None = None,
        *,
        reason: str,
        partner: str | None = None,
        amount: Decimal | None = None,
        returned: bool = False,
        restock: bool = False,
        version: int | None = None,
        key: IdempotencyKey | str | None = None,
    ) -> Order:
        """Pays back units, an `amount` without units, or all that is left."""
        asked = RefundAsked(
            partner, asked_units(items), version, reason, amount, None, returned, restock
        )
        return self.act(order_id, asked, key)

    def act(self, order_id: str, asked: AnyAsked, key: IdempotencyKey | str | None = None) -> Order:
        """The order after that act, which happens wholly or, with every reason, not at all.

        InvalidInput if what is asked can't be; Conflict if the state doesn't allow it; Stale if the
        order has changed since `asked.version`. A partner acts on its own part alone.
        """
        return Acts(self._context).do(order_id, asked, key)

    def plan(self, order_id: str, asked: AnyAsked) -> ActPlan:
        """What that act would do, without doing it: money, stock, ledger, statements."""
        return Acts(self._context).plan(order_id, asked)

    def cancel_fulfilment(
        self,
        fulfilment_id: str,
        *,
        version: int | None = None,
        key: IdempotencyKey | str | None = None,
    ) -> Order:
        """Cancels a fulfilment: its units are open again."""
        return Acts(self._context).cancel_fulfilment(fulfilment_id, version, key)

    def get_refund(self, refund_id: str) -> Refund:
        """The refund with that id."""
        return Acts(self._context).refund(refund_id)

    def expire_due(self) -> int:
        """Writes that orders have expired, which releases their units; returns their number.

        They look expired from that moment on in any case.
        """
        return Acts(self._context).expire_due()


def asked_units(items: Units | None) -> tuple[AskedUnits, ...] | None:
    """The units as an act takes them."""
    if items is None:
        return None
    pairs = items.items() if isinstance(items, Mapping) else items
    return tuple(AskedUnits(item_id, quantity) for item_id, quantity in pairs)


@frozen
class _Asked:
    """What is asked of `place`."""

    items: Sequence[Wanted]
    reference: str | None
    metadata: Mapping[str, str]
    terms: BasketTerms
    expected_total: Decimal | None
    releases: bool = True
    """Whether limits that expired orders hold are to be given back first."""

    @property
    def request(self) -> tuple[object, ...]:
        """What an idempotency key belongs to. What was added later is in it only if it is given."""
        items = [requested(item, ALWAYS_IN_ORDERS) for item in self.items]
        terms = [] if self.terms == NO_TERMS else [requested(self.terms, ALWAYS_IN_ORDERS)]
        expected = [] if self.expected_total is None else [str(self.expected_total)]
        return ("place", items, self.reference, dict(self.metadata), *terms, *expected)


class _Crowded(Exception):
    """Units that an order lacks are there, divided among orders that meet in the same product."""


def _refused(faults: Sequence[Fault]) -> InvalidInput:
    return InvalidInput("The order can't be accepted.", faults=faults, code="order_refused")
