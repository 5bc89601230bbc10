"""From priced lines to priced items: items of one product share its price by units."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from attrs import evolve

from commerce_core.base.money import Currency, half_up
from commerce_core.pricing.explanation import Adjustment
from commerce_core.pricing.lines import Line
from commerce_core.pricing.priced import Basket, PricedItem
from commerce_core.pricing.settling import in_major


def priced_items(
    basket: Basket,
    lines: Iterable[Line],
    steps: Mapping[tuple[str, str, str], Sequence[Adjustment]],
    money: Currency,
) -> tuple[PricedItem, ...]:
    """The items as they were given. Of several of one product, smaller ones come first."""
    by_product: dict[str, list[int]] = {}
    for number, item in enumerate(basket.items):
        by_product.setdefault(item.product.product_id, []).append(number)
    found: dict[int, PricedItem] = {}
    for line in lines:
        numbers = by_product[line.product.product_id]
        if len(numbers) > 1:
            numbers.sort(key=lambda number: basket.items[number].quantity)
        units = 0
        for number in numbers:
            until = units + basket.items[number].quantity
            found[number] = _item(line, steps[line.key], money, units, until)
            units = until
    return tuple(found[number] for number in range(len(found)))


def _item(
    line: Line, steps: Sequence[Adjustment], money: Currency, since: int, until: int
) -> PricedItem:
    """The price of the units of a line from one number (from 0) to another."""
    product, quantity = line.product, until - since
    total = _share(line.total, line, since, until)
    return PricedItem(
        product_id=product.product_id,
        product_version=product.version,
        partner_id=product.partner_id,
        sku=product.sku,
        product_name=product.product_name,
        quantity=quantity,
        list_price=in_major(line.list_price, money.exponent),
        unit_price=in_major(half_up(total, quantity), money.exponent),
        line_total=in_major(total, money.exponent),
        adjustments=_shared_steps(line, steps, money, since, until),
    )


def _share(amount: int, line: Line, since: int, until: int) -> int:
    """The part of an amount of the line that falls to these units."""
    return amount * until // line.quantity - amount * since // line.quantity


def _shared_steps(
    line: Line, steps: Sequence[Adjustment], money: Currency, since: int, until: int
) -> tuple[Adjustment, ...]:
    """The steps of a line for these units: each ends at their share of the line's total then."""
    if until - since == line.quantity:
        return tuple(steps)
    shared: list[Adjustment] = []
    before = in_major(line.list_price * (until - since), money.exponent)
    for step in steps:
        whole = int((step.total or Decimal(0)).scaleb(money.exponent))
        total = in_major(_share(whole, line, since, until), money.exponent)
        amount = total - before
        partner = step.partner_amount
        if partner is not None and step.amount:
            partner = money.round(amount * partner / step.amount)
        if amount:
            shared.append(evolve(step, amount=amount, partner_amount=partner, total=total))
        before = total
    return tuple(shared)
