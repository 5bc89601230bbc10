"""Lines of an order: frozen copies of what was bought, and what has become of their units."""

from decimal import Decimal

from attrs import Factory, evolve, field, frozen

from commerce_core.pricing.explanation import Adjustment


@frozen
class OrderItem:
    """A line of an order: `list_price` per unit plus its adjustments make `line_total`.

    `unit_price` is what a unit costs on average, rounded; `line_total` is what is paid. Of that,
    `partner_amount` is owed to the partner, under the terms as of the order: it is less
    `commission_percent`. Besides, the platform takes a `fee` for the line. None of these change.

    Its units are open, fulfilled or cancelled. Of the fulfilled ones, `refunded` have been paid
    back, and `returned` of these have come back too. `cancelled_amount` and `refunded_amount` are
    the money that went back, the latter including what was paid back without units. A line that is
    `net_of_orders` is one whose partner subtracts orders from the quantities that it sends.
    """

    item_id: str
    product_id: str
    product_version: int
    partner_id: str
    sku: str
    product_name: str
    quantity: int
    list_price: Decimal
    unit_price: Decimal
    line_total: Decimal
    adjustments: tuple[Adjustment, ...] = ()
    partner_amount: Decimal = field(default=Factory(lambda item: item.line_total, takes_self=True))
    commission_percent: Decimal = Decimal(0)
    # Zeros have the decimals of the line's amounts.
    fee: Decimal = field(default=Factory(lambda item: item.line_total * 0, takes_self=True))
    fulfilled: int = 0
    cancelled: int = 0
    returned: int = 0
    refunded: int = 0
    cancelled_amount: Decimal = field(
        default=Factory(lambda item: item.line_total * 0, takes_self=True)
    )
    refunded_amount: Decimal = field(
        default=Factory(lambda item: item.line_total * 0, takes_self=True)
    )
    net_of_orders: bool = False

    def __attrs_post_init__(self) -> None:
        """Takes the identities of units for granted everywhere else; ValueError if one fails."""
        units = (self.open, self.fulfilled, self.cancelled, self.returned)
        if min(units) < 0 or not self.returned <= self.refunded <= self.fulfilled:
            raise ValueError(f"units of {self.item_id} don't add up")
        if self.cancelled_amount + self.refunded_amount > self.line_total:
            raise ValueError(f"more than {self.line_total} of {self.item_id} went back")

    @property
    def open(self) -> int:
        """The units that are neither fulfilled nor cancelled; they are reserved."""
        return self.quantity - self.fulfilled - self.cancelled

    @property
    def kept(self) -> int:
        """The units that were fulfilled and not paid back."""
        return self.fulfilled - self.refunded

    @property
    def refundable_amount(self) -> Decimal:
        """What of its money hasn't gone back."""
        return self.line_total - self.cancelled_amount - self.refunded_amount

    def without_rules(self) -> "OrderItem":
        """The line as its partner sees it."""
        return evolve(self, adjustments=tuple(step.without_rule() for step in self.adjustments))
