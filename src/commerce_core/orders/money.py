"""Money follows units: what of a line's amounts goes back with a number of its units."""

from decimal import Decimal

from commerce_core.base.money import Currency, share_of_units
from commerce_core.orders.line import OrderItem


def worth(line: OrderItem, amount: Decimal, units: int) -> Decimal:
    """What of an amount of the whole line the next units to go back are worth.

    The k-th of n units is worth floor(amount * k/n) - floor(amount * (k-1)/n), so all of them are
    worth the amount, whatever the path.
    """
    return share_of_units(amount, line.cancelled + line.refunded, units, line.quantity)


def paid_back_for(line: OrderItem, units: int) -> Decimal:
    """What is paid back for the next units: their worth, or what is left of the line's money."""
    return min(worth(line, line.line_total, units), line.refundable_amount)


def partner_part(line: OrderItem, amount: Decimal, units: int, money: Currency) -> Decimal:
    """The partner's part of an amount of the line that goes back, at the line's own rate.

    All parts add up to `partner_amount`. If nothing was paid for the line, it follows units.
    """
    gone, of = line.cancelled_amount + line.refunded_amount, line.line_total
    if not of:
        return worth(line, line.partner_amount, units)
    minor = [int(each.scaleb(money.exponent)) for each in (gone, amount, of)]
    return share_of_units(line.partner_amount, *minor)
