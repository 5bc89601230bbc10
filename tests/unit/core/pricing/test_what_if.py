"""What-ifs: sums over orders that are priced again, and what they use up of limits."""

from decimal import Decimal
from typing import Any

from attrs import asdict

from commerce_core.pricing.explanation import Adjustment
from commerce_core.pricing.priced import PricedBasket, Usage
from commerce_core.pricing.what_if import Paid, Trial, WhatIf, WhatIfLine, WhatIfRow
from tests.unit.core.pricing.shop import price, product, rule

SALE = rule({"percent": "20"}, 1, limits={"most_uses": 5, "budget": "100.00", "per_customer": 3})
FLOOR = rule({"floor": {"percent_of_list": "90"}}, 2)


def step(amount: str, **members: Any) -> Adjustment:  # noqa: ANN401
    return Adjustment(reason="rule", label="Sale", amount=Decimal(amount), **members)


def paid(*figures: str) -> Paid:
    return Paid(*map(Decimal, figures))


def line(
    before: Paid, after: Paid, partner: str = "p1", category: str = "", *, costed: bool = False
) -> WhatIfLine:
    return WhatIfLine(partner, category, before, after, costed)


def basket(*units: int, customer: str | None = "c", code: str = "EUR") -> PricedBasket:
    items = [(product(f"A{n}", "10.00", code), count) for n, count in enumerate(units)]
    return price(items, SALE, FLOOR, customer=customer)


def figures(row: WhatIfRow) -> dict[str, str | int]:
    every = asdict(row)
    return {name: v if isinstance(v, int | str) else str(v) for name, v in every.items()}


def test_what_is_paid_says_who_pays_for_what_was_taken_off():
    steps = [
        step("-3.00"),
        step("-2.00", funded_by="platform"),
        step("-1.00", funded_by="both", partner_amount=Decimal("-0.40")),
        step("0.50", funded_by="platform"),
    ]
    total = Decimal("10.00")
    assert Paid.of(total, steps, Decimal("6.00")) == paid("10.00", "2.10", "3.40", "4.00")
    assert Paid.of(total, steps, None) == paid("10.00", "2.10", "3.40", "0.00")
    assert paid("1", "2", "3", "4") + paid("10", "20", "30", "40") == paid("11", "22", "33", "44")


def test_lines_are_added_up_in_all_by_partner_and_by_category():
    trial = Trial({rule.rule_id: rule for rule in (SALE, FLOOR)})
    nothing = paid("0.00", "0.00", "0.00", "0.00")
    trial.add(
        basket(2, 1),
        [
            line(paid("10.00", "1.00", "2.00", "3.00"), paid("8.00", "2.00", "3.00", "1.00"),
                 "p1", "Shoes", costed=True),
            line(paid("5.00", "0.10", "0.20", "0.30"), paid("6.00", "0.20", "0.30", "0.40"),
                 "p2", "Shoes", costed=True),
        ],
        "c",
    )  # fmt: skip
    trial.add(basket(3), [line(nothing, nothing, "p1")], None)
    trial.add(basket(1, customer=None, code="JPY"), [line(nothing, paid("1", "0", "0", "0"))], None)
    trial.skipped += 1
    found = trial.result()
    assert (found.orders, found.changed, found.skipped, found.floored) == (3, 2, 1, 3)
    assert found.uses == {"Rule 1": 2}
    euros, yen = found.totals
    assert figures(euros) == {
        "key": "", "currency": "EUR", "lines": 3, "before": "15.00", "after": "14.00",
        "difference": "-1.00", "platform_before": "1.10", "platform_after": "2.20",
        "partner_before": "2.20", "partner_after": "3.30", "costed_lines": 2,
        "margin_before": "3.30", "margin_after": "1.40",
    }  # fmt: skip
    assert (yen.currency, yen.lines, str(yen.difference)) == ("JPY", 1, "1.00")
    assert [_short(row) for row in found.by_partner] == [
        ("p1", "EUR", 2, "-2.00"), ("p2", "EUR", 1, "1.00"), ("p1", "JPY", 1, "1.00"),
    ]  # fmt: skip
    assert [_short(row) for row in found.by_category] == [
        ("Shoes", "EUR", 2, "-1.00"), ("", "EUR", 1, "0.00"), ("", "JPY", 1, "1.00"),
    ]  # fmt: skip


def _short(row: WhatIfRow) -> tuple[str, str, int, str]:
    return row.key, row.currency, row.lines, str(row.difference)


def test_limits_are_used_up_in_each_currency_and_by_each_customer():
    trial = Trial({SALE.rule_id: SALE, FLOOR.rule_id: FLOOR})
    assert trial.usage("c", "EUR") == {}
    trial.add(basket(2), [], "c")
    trial.add(basket(3), [], "c")
    trial.add(basket(1), [], "d")
    used = Usage(3, Decimal("6.00"), 2)
    assert trial.usage("c", "EUR") == {SALE.rule_id: used}
    assert trial.usage("d", "EUR") == {SALE.rule_id: Usage(3, Decimal("6.00"), 1)}
    assert trial.usage("e", "JPY") == {SALE.rule_id: Usage(3, Decimal(0), 0)}
    assert trial.usage(None, "EUR") == {SALE.rule_id: Usage(3, Decimal("6.00"), 0)}


def test_an_order_without_changes_changes_nothing():
    trial = Trial({SALE.rule_id: SALE, FLOOR.rule_id: FLOOR})
    same = paid("1.00", "0.00", "0.00", "0.00")
    trial.add(basket(1), [line(same, paid("1.00", "9.00", "0.00", "0.00"))], None)
    trial.add(basket(1), [], None)
    assert (trial.result().orders, trial.result().changed) == (2, 0)
    assert Trial({}).result() == WhatIf(0, 0, 0, 0, (), (), (), {})
