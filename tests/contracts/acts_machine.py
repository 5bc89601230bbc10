"""Orders, their stock and their money through any acts, against an oracle of a page.

    hold(store, examples=20, steps=25)

Two partners; the operator and both partners place, confirm, fulfil, cancel, refund and restock, by
order, part and line, and feeds arrive in between. After each step every order is what the oracle
says, units reserved are those that the oracle has, and the ledger adds up to the orders.
"""

import io
import itertools
import secrets
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final, Literal, cast

from attrs import define, field
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from adapters.memory import MemoryFiles
from commerce_core.analytics.ledger import SIGNS
from commerce_core.base.errors import Conflict, InvalidInput, NotFound
from commerce_core.commerce import Commerce
from commerce_core.orders.order import Order
from commerce_core.partners.access import GRANTABLE_SCOPES, Principal
from commerce_core.ports.store import Store
from commerce_core.usecases.context import Context
from commerce_core.usecases.orders import Orders
from entrypoints.leases import no_lease
from tests.support.books import check_books
from tests.support.examples import scaled

_numbers = itertools.count(secrets.randbits(24) << 12)

SKUS: Final = "AB"
T0: Final = datetime(2090, 1, 1, 12, tzinfo=UTC)
"""In the future, since no job may have begun long before it is run."""
Whose = Literal["operator", "0", "1"]
WHOSE: Final = st.sampled_from(["operator", "operator", "0", "1"])
UNITS: Final = st.integers(0, 3)


@define
class Clock:
    """A clock that moves a second with each step."""

    now: datetime = T0

    def __call__(self) -> datetime:
        return self.now


@define
class Line:
    """A line as the oracle has it, in units and cents.

    `sent` are units of each fulfilment, `counted` those of them that the partner still counts.
    """

    partner: int
    product_id: str
    n: int
    total: int
    sent: dict[str, int] = field(factory=dict[str, int])
    cancelled: int = 0
    refunded: int = 0
    returned: int = 0
    cancelled_cents: int = 0
    refunded_cents: int = 0
    counted: dict[str, int] = field(factory=dict[str, int])

    @property
    def fulfilled(self) -> int:
        return sum(self.sent.values())

    @property
    def deducting(self) -> int:
        return sum(self.counted.values())

    def restock(self, units: int) -> None:
        for sent in sorted(self.counted, reverse=True):
            ended = min(units, self.counted[sent])
            self.counted[sent] -= ended
            units -= ended

    @property
    def open(self) -> int:
        return self.n - self.fulfilled - self.cancelled

    @property
    def left(self) -> int:
        return self.total - self.cancelled_cents - self.refunded_cents

    def worth(self, units: int) -> int:
        gone = self.cancelled + self.refunded
        return min(self.left, self.total * (gone + units) // self.n - self.total * gone // self.n)


Act = Callable[[Orders], Order]
Count = Callable[[Line], int]


class Acting(RuleBasedStateMachine):
    """One store, and what the oracle makes of the same acts."""

    store: Store

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        context = Context(
            store=self.store, files=MemoryFiles(), clock=self.clock,
            entropy=lambda size: next(_numbers).to_bytes(size, "big"),
            keep_lease=no_lease, open_path=lambda _: nullcontext(io.BytesIO()),
        )  # fmt: skip
        self.operator = Commerce(context)
        self.partners = [
            self.operator.partners.add(f"P{next(_numbers)}", currency="EUR") for _ in range(2)
        ]
        self.quantities = [5, 9]
        for n in range(2):
            self._feed(n)
        self.known: dict[str, dict[str, Line]] = {}
        self.products = {
            product.product_id: (n, product.sku)
            for n, partner in enumerate(self.partners)
            for product in self.operator.products.list(partner=partner.partner_name)
        }

    def _feed(self, n: int) -> None:
        quantity = self.quantities[n]
        rows = [f"{sku},{sku},{3 + 4 * n}.3{i},{quantity}" for i, sku in enumerate(SKUS)]
        text = "\n".join(["sku,product_name,price,quantity", *rows])
        job = self.operator.feeds.load(
            io.BytesIO(text.encode()), partner=self.partners[n].partner_name,
            snapshot_at=self.clock.now, mode="full",
        )  # fmt: skip
        assert job.status == "completed", job

    def _as(self, whose: str) -> Commerce:
        if whose == "operator":
            return self.operator
        partner_id = self.partners[int(whose)].partner_id
        principal = Principal(f"key of {whose}", partner_id, frozenset(GRANTABLE_SCOPES))
        return Commerce(self.operator.context.acting_as(principal))

    def _tick(self) -> None:
        self.clock.now += timedelta(seconds=1)

    # --- acts -------------------------------------------------------------------------------------

    @rule(asked=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 4)), min_size=1, max_size=3))
    def place(self, asked: list[tuple[int, int]]) -> None:
        self._tick()
        ids = sorted(self.products)
        items = [(ids[n], units) for n, units in asked]
        wanted = Counter[str]()
        for product_id, units in items:
            wanted[product_id] += units
        fits = all(self._available(id_) >= units for id_, units in wanted.items())
        try:
            order = self.operator.orders.place(items)
        except InvalidInput:
            assert not fits
            return
        assert fits
        self.known[order.order_id] = {
            item.item_id: Line(
                self.products[item.product_id][0], item.product_id, item.quantity,
                int(item.line_total * 100),
            )
            for item in order.items
        }  # fmt: skip

    def _available(self, product_id: str) -> int:
        quantity = self.quantities[self.products[product_id][0]]
        return max(0, quantity - self._held(product_id))

    def _held(self, product_id: str) -> int:
        lines = (line for lines in self.known.values() for line in lines.values())
        return sum(line.open + line.deducting for line in lines if line.product_id == product_id)

    @precondition(lambda self: self.known)
    @rule(data=st.data(), whose=WHOSE, units=UNITS, part=st.sampled_from([None, 0, 1]))
    def fulfil(self, data: st.DataObject, whose: Whose, units: int, part: int | None) -> None:
        self._tick()
        order_id, lines = self._pick(data)
        scope = _scope(lines, whose, part)
        chosen = _chosen(data, scope, units, lambda line: line.open)
        order = self._do(
            lambda orders: orders.fulfil(
                order_id, self._items(chosen, units), partner=self._named(part)
            ),
            whose, possible=_possible(scope, chosen, lambda line: line.open),
        )  # fmt: skip
        if order is not None:
            new = {
                f.partner_id: f.fulfilment_id
                for f in order.fulfilments
                if f.created_at == self.clock.now
            }
            for item_id, count in chosen.items():
                line = lines[item_id]
                sent = new[self.partners[line.partner].partner_id]
                line.sent[sent] = line.counted[sent] = count

    @precondition(lambda self: self.known)
    @rule(data=st.data(), whose=WHOSE, units=UNITS, part=st.sampled_from([None, 0, 1]))
    def cancel(self, data: st.DataObject, whose: Whose, units: int, part: int | None) -> None:
        self._tick()
        order_id, lines = self._pick(data)
        scope = _scope(lines, whose, part)
        chosen = _chosen(data, scope, units, lambda line: line.open)
        order = self._do(
            lambda orders: orders.cancel(
                order_id, self._items(chosen, units), partner=self._named(part)
            ),
            whose, possible=_possible(scope, chosen, lambda line: line.open),
        )  # fmt: skip
        if order is not None:
            for item_id, count in chosen.items():
                line = lines[item_id]
                line.cancelled_cents += line.worth(count)
                line.cancelled += count

    @precondition(lambda self: self.known)
    @rule(data=st.data(), whose=WHOSE, units=UNITS, returned=st.booleans(), restock=st.booleans())
    def refund(
        self, data: st.DataObject, whose: Whose, units: int, returned: bool, restock: bool
    ) -> None:
        self._tick()
        order_id, lines = self._pick(data)
        scope = _scope(lines, whose, None)

        def most(line: Line) -> int:
            kept = line.fulfilled - line.refunded
            return kept if returned and units else kept + line.open

        chosen = _chosen(data, scope, units, most)
        restock = restock and returned
        order = self._do(
            lambda orders: orders.refund(
                order_id, self._items(chosen, units), reason="x", returned=returned, restock=restock
            ),
            whose, possible=_possible(scope, chosen, most),
        )  # fmt: skip
        if order is None:
            return
        for item_id, count in chosen.items():
            line = lines[item_id]
            sent = min(count, line.fulfilled - line.refunded)
            line.refunded_cents += line.worth(count)
            line.refunded += sent
            line.cancelled += count - sent
            if returned:
                line.returned += sent
            if restock:
                line.restock(sent)

    @precondition(lambda self: self.known)
    @rule(data=st.data(), whose=WHOSE, cents=st.integers(1, 2_000))
    def goodwill(self, data: st.DataObject, whose: Whose, cents: int) -> None:
        self._tick()
        order_id, lines = self._pick(data)
        scope = _scope(lines, whose, None)
        left = sum(line.left for line in scope.values())
        amount = Decimal(cents).scaleb(-2)
        order = self._do(
            lambda orders: orders.refund(order_id, reason="x", amount=amount),
            whose, possible=cents <= left if scope else None,
        )  # fmt: skip
        if order is not None:
            for item in order.items:
                lines[item.item_id].refunded_cents = int(item.refunded_amount * 100)
            assert sum(line.left for line in scope.values()) == left - cents

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def unfulfil(self, data: st.DataObject) -> None:
        self._tick()
        _, lines = self._pick(data)
        sent = sorted({f for line in lines.values() for f in line.sent})
        if not sent:
            return
        named = data.draw(st.sampled_from(sent))
        own = [line for line in lines.values() if named in line.sent]
        possible = all(line.fulfilled - line.sent[named] >= line.refunded for line in own)
        order = self._do(
            lambda orders: orders.cancel_fulfilment(named), "operator", possible=possible
        )
        if order is not None:
            for line in own:
                del line.sent[named]
                line.counted.pop(named, None)

    @rule(n=st.integers(0, 1), quantity=st.integers(3, 12))
    def feed(self, n: int, quantity: int) -> None:
        """The partner counts anew: whatever was sent before is gone from its figure."""
        self._tick()
        self.quantities[n] = quantity
        self._feed(n)
        for lines in self.known.values():
            for line in lines.values():
                if line.partner == n:
                    line.counted.clear()

    # --- what is asked ----------------------------------------------------------------------------

    def _pick(self, data: st.DataObject) -> tuple[str, dict[str, Line]]:
        order_id = data.draw(st.sampled_from(sorted(self.known)))
        return order_id, self.known[order_id]

    def _named(self, part: int | None) -> str | None:
        return None if part is None else self.partners[part].partner_id

    def _items(self, chosen: dict[str, int], units: int) -> dict[str, int | None] | None:
        return cast("dict[str, int | None]", chosen) if units and chosen else None

    def _do(self, act: Act, whose: str, *, possible: bool | None) -> Order | None:
        """The order after an act; None if it is refused, which it has to be if impossible."""
        orders = self._as(whose).orders
        try:
            order = act(orders)
        except (Conflict, InvalidInput, NotFound):
            assert not possible
            return None
        assert possible
        return order

    # --- what has to hold -------------------------------------------------------------------------

    @invariant()
    def orders_are_what_the_oracle_says(self) -> None:
        for order_id, lines in self.known.items():
            order = self.operator.orders.get(order_id)
            for item in order.items:
                line = lines[item.item_id]
                assert (item.open, item.fulfilled, item.cancelled, item.returned) == (
                    line.open, line.fulfilled, line.cancelled, line.returned,
                )  # fmt: skip
                assert item.cancelled_amount * 100 == line.cancelled_cents
                assert item.refunded_amount * 100 == line.refunded_cents
            assert sum(part.refunded_amount for part in order.parts) == order.refunded_amount

    @invariant()
    def stock_is_what_the_oracle_says(self) -> None:
        for product_id in self.products:
            product = self.operator.products.get(product_id)
            assert product.reserved == self._held(product_id)
            assert product.available == self._available(product_id)

    @invariant()
    def the_ledger_adds_up_to_the_orders(self) -> None:
        with self.store.begin() as unit:
            for order_id in self.known:
                order = unit.orders.get(order_id)
                entries = unit.sales.of_order(order_id)
                net = sum(SIGNS[entry.kind] * entry.amount for entry in entries)
                assert net == order.refundable_amount
                owed = sum(SIGNS[entry.kind] * entry.partner_amount for entry in entries)
                assert owed == net

    def teardown(self) -> None:
        check_books(self.operator)


def _scope(lines: dict[str, Line], whose: str, part: int | None) -> dict[str, Line]:
    """The lines that an act can be about; none for a part that isn't one's own."""
    own = None if whose == "operator" else int(whose)
    return {
        item_id: line
        for item_id, line in lines.items()
        if own in (None, line.partner) and part in (None, line.partner)
    }


def _chosen(data: st.DataObject, scope: dict[str, Line], units: int, most: Count) -> dict[str, int]:
    """Units of one line; of all lines, all that is possible, if no number is asked for."""
    every = {item_id: most(line) for item_id, line in scope.items()}
    if not units or not scope:
        return {item_id: count for item_id, count in every.items() if count}
    return {data.draw(st.sampled_from(sorted(scope))): units}


def _possible(scope: dict[str, Line], chosen: dict[str, int], most: Count) -> bool:
    return bool(chosen) and all(count <= most(scope[item_id]) for item_id, count in chosen.items())


def hold(store: Store, examples: int, steps: int) -> None:
    """Takes the store through that many runs of up to that many steps."""
    machine = type("ActingOnStore", (Acting,), {"store": store})
    wanted = settings(max_examples=scaled(examples), stateful_step_count=steps, deadline=None)
    run_state_machine_as_test(machine, settings=wanted)
