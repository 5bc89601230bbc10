"""The state of an order and of each of its parts: one pure function of units and money."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Final, Literal, get_args

from attrs import frozen

from commerce_core.orders.line import OrderItem

OrderStatus = Literal[
    "created", "confirmed", "partially_fulfilled", "fulfilled", "cancelled", "refunded"
]
STATUSES: Final[tuple[OrderStatus, ...]] = get_args(OrderStatus)


@frozen
class Standing:
    """What decides a state: units by what became of them, and whether anything was confirmed.

    `paid_back` is whether all that was paid went back, at least some of it by a refund.
    """

    open: int
    fulfilled: int
    confirmed: bool
    paid_back: bool

    @classmethod
    def of(cls, items: Iterable[OrderItem], *, confirmed: bool) -> "Standing":
        """The standing of these lines."""
        lines = list(items)
        refunded = sum((line.refunded_amount for line in lines), Decimal(0))
        left = sum((line.refundable_amount for line in lines), Decimal(0))
        return cls(
            sum(line.open for line in lines),
            sum(line.fulfilled for line in lines),
            confirmed,
            refunded > 0 and not left,
        )

    @property
    def status(self) -> OrderStatus:
        """The state: the first row of the table that applies."""
        return next(status for status, applies, _ in _TABLE if applies(self))


_Applies = Callable[[Standing], object]
_TABLE: Final[Sequence[tuple[OrderStatus, _Applies, str]]] = (
    ("refunded", lambda s: s.paid_back, "all that was paid went back, at least some by a refund"),
    ("fulfilled", lambda s: not s.open and s.fulfilled, "no unit is open, and some are fulfilled"),
    ("cancelled", lambda s: not s.open, "every unit is cancelled"),
    ("partially_fulfilled", lambda s: s.fulfilled, "some units are open, others fulfilled"),
    ("confirmed", lambda s: s.confirmed, "it is confirmed, and nothing is fulfilled"),
    ("created", lambda _: True, "otherwise"),
)
"""The states, in the order in which they are judged: when each applies, in code and in words."""


def meanings() -> Iterator[tuple[OrderStatus, str]]:
    """Each state and when it applies, unless one before it does: the table in the documentation."""
    return ((status, meaning) for status, _, meaning in _TABLE)
