"""What one unit costs anyone, and the lowest price in the 30 days before a reduction began."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from commerce_core.pricing.price_list import ListSpell
from commerce_core.pricing.public_price import (
    Lasting,
    PriceFacts,
    PublicPrice,
    PublicPrices,
    RuleSpell,
    changes_of_price,
)
from tests.unit.core.pricing.shop import price, product, rule

START = datetime(2026, 4, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def day(number: float) -> datetime:
    return START + number * DAY


def facts(*prices: tuple[float, str], **members: Any) -> list[PriceFacts]:  # noqa: ANN401 - as `product` takes them
    """A product whose list price changed on these days."""
    return [
        PriceFacts.of(product("A", amount, updated_at=day(since), **members))
        for since, amount in prices
    ]


def at(
    when: float,
    history: Sequence[PriceFacts],
    *spells: RuleSpell,
    **members: Any,  # noqa: ANN401 - the same
) -> PublicPrice:
    return lasting(when, history, *spells, **members).price


def lasting(
    when: float,
    history: Sequence[PriceFacts],
    *spells: RuleSpell,
    listed: Sequence[ListSpell] = (),
    **members: Any,  # noqa: ANN401 - the same
) -> Lasting:
    known = [each for each in history if each.since <= day(when)]
    current = known[-1].in_product(product("A", "1.00", **members))
    return PublicPrices.under(spells, day(when), listed).of(current, known)


def on_list(
    amount: str, since: float, until: float | None = None, sku: str = "A", currency: str = "EUR"
) -> ListSpell:
    ended = None if until is None else day(until)
    return ListSpell("list_1", currency, sku, Decimal(amount), day(since), ended)


def spell(
    benefit: dict[str, Any], since: float = -999, until: float | None = None, **members: object
) -> RuleSpell:
    number = members.pop("number", 1)
    made = rule(benefit, number if isinstance(number, int) else 1, **members)
    made = evolve(made, updated_at=day(since))
    return RuleSpell(made, None if until is None else day(until))


def prices(found: PublicPrice) -> tuple[str, str | None, int | None]:
    prior = None if found.prior_price is None else str(found.prior_price)
    return str(found.selling_price), prior, found.prior_price_days


@pytest.mark.parametrize("when", [61, 62, 75, 90, 101, 200])
def test_the_prior_price_is_the_same_on_every_day_of_an_offer(when: float):
    """Case P24: 100 until 1 June, then 80."""
    history = facts((0, "100.00"), (61, "80.00"))
    assert prices(at(when, history)) == ("80.00", "100.00", 30)
    assert prices(at(60.9, history)) == ("100.00", None, None)


def test_a_short_offer_before_counts():
    """Case P24: 100, 80 for five days, 100, then 90."""
    history = facts((0, "100.00"), (40, "80.00"), (45, "100.00"), (60, "90.00"))
    assert prices(at(60, history)) == ("90.00", "80.00", 30)
    assert prices(at(90, history)) == ("90.00", "80.00", 30)
    long_ago = facts((0, "100.00"), (10, "80.00"), (15, "100.00"), (46, "90.00"))
    assert prices(at(60, long_ago)) == ("90.00", "100.00", 30)


def test_a_price_counts_to_its_last_moment_within_thirty_days():
    history = facts((0, "100.00"), (1, "80.00"), (10, "100.00"), (40, "90.00"))
    assert prices(at(50, history)) == ("90.00", "100.00", 30)
    touched = facts((0, "100.00"), (1, "80.00"), (10.001, "100.00"), (40, "90.00"))
    assert prices(at(50, touched)) == ("90.00", "80.00", 30)


def test_too_little_history_is_declared():
    assert prices(at(12, facts((0, "100.00"), (12, "80.00")))) == ("80.00", "100.00", 12)
    on_sale = facts((0, "100.00"), sale_price=Decimal("80.00"))
    assert prices(at(5, on_sale)) == ("80.00", None, 0)
    assert prices(at(5, facts((0, "100.00")))) == ("100.00", None, None)


def test_days_that_are_known_in_part_are_not_counted():
    assert prices(at(12.9, facts((0, "100.00"), (12.9, "80.00")))) == ("80.00", "100.00", 12)


def test_days_before_a_reduction_end_where_it_begins_even_if_nothing_was_for_sale():
    def part(since: float, amount: str, status: str = "active") -> PriceFacts:
        return PriceFacts.of(product("A", amount, updated_at=day(since), status=status))

    history = [
        part(0, "100.00"), part(26, "80.00"), part(28, "100.00"), part(55, "100.00", "removed"),
        part(60, "90.00"),
    ]  # fmt: skip
    assert prices(at(60, history)) == ("90.00", "100.00", 30)
    assert prices(at(57, history)) == ("None", None, None)


def test_a_rule_that_ended_counts_until_then():
    history = facts((0, "100.00"))
    ended, now = spell({"percent": "20"}, 10, 20), spell({"percent": "10"}, 60)
    assert prices(at(60, history, ended, now)) == ("90.00", "100.00", 30)


def test_a_rule_counts_for_what_the_product_was_then():
    before, now = facts((0, "100.00"), brand="Acme"), facts((60, "70.00"), brand="Nord")
    sale = spell({"percent": "20"}, condition={"brand": "Acme"})
    assert prices(at(60, [*before, *now], sale)) == ("70.00", "80.00", 30)


def test_a_sale_that_is_over_counts_while_it_ran():
    history = facts(
        (0, "100.00"), sale_price=Decimal("70.00"), sale_starts_at=day(40), sale_ends_at=day(50)
    )
    assert prices(at(70, history, spell({"percent": "10"}, 70))) == ("90.00", "70.00", 30)
    assert prices(at(85, history, spell({"percent": "10"}, 85))) == ("90.00", "100.00", 30)


def test_a_selling_price_alone_is_that_of_the_public_price_and_lasts_until_it_changes():
    week = {"window": {"from": "2026-04-03", "until": "2026-04-09", "tz": "UTC"}}
    sale = spell({"percent": "25"}, condition=week)
    lamp = product("A", "100.00", updated_at=day(0), sale_price=Decimal("90.00"),
                   sale_ends_at=day(20))  # fmt: skip
    for when, amount, until in ((1, "90.00", 2), (2, "67.50", 9), (9, "90.00", 20)):
        found = PublicPrices.under([sale], day(when)).selling_price(lamp)
        assert found == Lasting(PublicPrice(Decimal(amount)), day(until))
    ended = PublicPrices.under([sale], day(20)).selling_price(lamp)
    assert ended == Lasting(PublicPrice(Decimal("100.00")), None)


def test_a_rule_on_a_currency_is_public():
    history = facts((0, "100.00"))
    for code, wanted in (("EUR", "80.00"), ("USD", "100.00")):
        sale = spell({"percent": "20"}, condition={"currency": code})
        assert prices(at(60, history, sale))[0] == wanted


def test_a_rise_is_no_reduction():
    assert prices(at(70, facts((0, "80.00"), (60, "100.00")))) == ("100.00", None, None)


def test_a_sale_of_the_partner_begins_and_ends_by_itself():
    history = facts(
        (0, "100.00"), sale_price=Decimal("70.00"), sale_starts_at=day(40), sale_ends_at=day(50)
    )
    assert prices(at(39.9, history)) == ("100.00", None, None)
    assert prices(at(40, history)) == ("70.00", "100.00", 30)
    assert prices(at(50, history)) == ("100.00", None, None)


def test_rules_count_as_they_were_then():
    history = facts((0, "100.00"))
    first = spell({"percent": "20"}, 35, 40)
    now = spell({"percent": "10"}, 60)
    assert prices(at(60, history, first, now)) == ("90.00", "80.00", 30)
    assert prices(at(80, history, first, now)) == ("90.00", "80.00", 30)
    assert prices(at(50, history, first)) == ("100.00", None, None)


def test_a_window_begins_a_reduction():
    week = {"window": {"from": "2026-06-01", "until": "2026-06-07", "tz": "UTC"}}
    sale = spell({"percent": "25"}, condition=week)
    history = facts((0, "100.00"))
    assert prices(at(61, history, sale)) == ("75.00", "100.00", 30)
    assert prices(at(67.9, history, sale)) == ("75.00", "100.00", 30)
    assert prices(at(68, history, sale)) == ("100.00", None, None)


def test_what_recurs_is_compared_with_its_own_last_time():
    weekend = {"window": {"days": ["sat", "sun"], "tz": "UTC"}}
    sale = spell({"percent": "10"}, condition=weekend)
    history = facts((0, "100.00"))
    saturday = (datetime(2026, 6, 6, 12, tzinfo=UTC) - START) / DAY
    assert prices(at(saturday, history, sale)) == ("90.00", "90.00", 30)
    assert prices(at(saturday - 1, history, sale)) == ("100.00", None, None)


@pytest.mark.parametrize(
    "members",
    [
        {"condition": {"code": "SPRING"}},
        {"condition": {"customer_group": "trade"}},
        {"condition": {"channel": "app"}},
        {"condition": {"quantity": {"min": 2}}},
        {"applies_to": "order"},
        {"limits": {"most_uses": 10}},
        {"limits": {"budget": "100.00"}},
        {"condition": {"brand": "Other"}},
        {"currency": "USD"},
    ],
)
def test_only_what_anyone_pays_for_one_unit_is_public(members: dict[str, Any]):
    history = facts((0, "100.00"))
    assert prices(at(60, history, spell({"percent": "20"}, **members))) == ("100.00", None, None)


def test_paused_rules_do_not_count():
    paused = spell({"percent": "20"})
    paused = evolve(paused, rule=evolve(paused.rule, status="paused"))
    assert prices(at(60, facts((0, "100.00")), paused)) == ("100.00", None, None)


def test_floors_hold_and_groups_are_judged():
    group = {"name": "sales", "mode": "best"}
    spells = [
        spell({"percent": "20"}, number=1, group=group),
        spell({"percent": "30"}, number=2, group=group, condition={"brand": "Acme"}),
        spell({"floor": {"price": "75.00"}}, number=3),
    ]
    history = facts((0, "100.00"), brand="Acme")
    assert prices(at(60, history, *spells))[0] == "75.00"
    assert prices(at(60, facts((0, "100.00")), *spells))[0] == "80.00"


def test_prices_on_lists_count_as_they_were_then():
    history = facts((0, "100.00"))
    trade = spell({"price_list": "list_1"}, 10)
    listed = [on_list("80.00", 5, 50), on_list("90.00", 50), on_list("1.00", 5, sku="B")]
    assert prices(lasting(20, history, trade, listed=listed).price) == ("80.00", "100.00", 10)
    assert prices(lasting(60, history, trade, listed=listed).price) == ("90.00", "80.00", 30)
    assert prices(lasting(9, history, trade, listed=listed).price) == ("100.00", None, None)
    assert prices(lasting(50, history, trade, listed=listed[:1]).price)[0] == "100.00"
    sale, ended = spell({"percent": "10"}, 60, number=2), [on_list("80.00", 5, 20)]
    found = lasting(60, history, trade, sale, listed=ended).price
    assert prices(found) == ("90.00", "100.00", 30)
    yen = [on_list("80.00", 5, currency="JPY")]
    assert prices(lasting(20, history, trade, listed=yen).price) == ("100.00", None, None)


def test_costs_of_floors_count_as_they_were_then():
    history = facts((0, "100.00"))
    sale = spell({"percent": "50"}, 10, number=1)
    floor = {"floor": {"margin_percent": "10", "cost_list": "list_1"}}
    listed = [on_list("60.00", 5, 20), on_list("70.00", 20)]
    found = lasting(25, history, sale, spell(floor, number=2), listed=listed).price
    assert prices(found) == ("77.00", "66.00", 20)


def test_a_price_lasts_until_something_changes_it():
    history = facts((0, "100.00"))
    assert lasting(60, history).until is None
    ends = facts((0, "100.00"), sale_price=Decimal("70.00"), sale_ends_at=day(64))
    assert lasting(60, ends).until == day(64)
    assert lasting(60, ends).price.prior_price is None
    week = {"window": {"from": "2026-06-01", "until": "2026-06-07", "tz": "UTC"}}
    sale = spell({"percent": "25"}, condition=week)
    assert lasting(60, history, sale).until == day(61)
    assert lasting(62, history, sale).until == day(68)
    assert lasting(60, history, spell({"percent": "25"}, 70)).until == day(70)
    assert lasting(60, history, spell({"percent": "25"}, 10, 70)).until == day(70)
    assert lasting(70, history, spell({"percent": "25"}, 70)).until == day(40 + 396)


def test_what_was_before_a_reduction_lasts_as_long_as_it_is_looked_back_at():
    """Of a reduction that began 366 days ago, one day less is known every day."""
    history = facts((0, "100.00"), (60, "80.00"))
    assert prices(lasting(60 + 366, history).price) == ("80.00", "100.00", 30)
    assert lasting(70, history).until == day(30 + 396)
    assert prices(lasting(60 + 376, history).price) == ("80.00", "100.00", 20)
    assert lasting(60 + 376, history).until == day(60 + 376)
    assert prices(lasting(60 + 397, history).price) == ("80.00", None, None)


def test_what_is_not_for_sale_has_no_price_and_does_not_end_a_reduction():
    history = facts((0, "100.00"), (60, "80.00"), (65, "80.00"), (70, "80.00"))
    history[2] = evolve(history[2], status="removed")
    assert at(66, history, status="removed") == PublicPrice()
    assert prices(at(75, history)) == ("80.00", "100.00", 30)


def test_prices_in_another_currency_are_not_compared():
    history = [
        *facts((0, "50.00"), currency="USD"),
        *facts((40, "100.00"), (60, "90.00"), currency="EUR"),
    ]
    assert prices(at(65, history, currency="EUR")) == ("90.00", "100.00", 30)


def test_a_sale_at_the_list_price_after_rounding_is_no_reduction():
    """Case P25."""
    same = facts((0, "50.004"), sale_price=Decimal("50.00"))
    assert prices(at(60, same)) == ("50.00", None, None)


def test_versions_that_change_nothing_about_the_price_are_left_out():
    versions = [
        product("A", "10.00", version=1, updated_at=day(1)),
        product("A", "10.00", version=2, updated_at=day(2), quantity=7),
        product("A", "9.00", version=3, updated_at=day(3)),
        product("A", "9.00", version=4, updated_at=day(4), description="New"),
        product("A", "9.00", version=5, updated_at=day(5), attributes={"season": "winter"}),
    ]
    assert [each.since for each in changes_of_price(versions)] == [day(1), day(3), day(5)]


@given(
    st.lists(
        st.tuples(st.integers(1, 120), st.integers(1, 9)), min_size=1, max_size=8,
        unique_by=lambda change: change[0],
    ),
    st.lists(st.tuples(st.integers(0, 120), st.integers(1, 40), st.integers(5, 60)), max_size=3),
    st.integers(1, 130),
)  # fmt: skip
def test_prices_are_those_of_a_calendar_of_days(
    changes: list[tuple[int, int]], sales: list[tuple[int, int, int]], when: int
):
    """Prices change at midnights only, so a table of the days says the same."""
    changes.sort()
    when = max(when, changes[0][0])
    history = facts(*((since, f"{amount}0.00") for since, amount in changes))
    spells = [
        spell({"percent": str(percent)}, begin, begin + days, number=number)
        for number, (begin, days, percent) in enumerate(sales, 1)
    ]

    def cost(number: int) -> Decimal:
        listed = next(amount for since, amount in reversed(changes) if since <= number)
        active = [s.rule for s in spells if s.in_force(day(number))]
        return price([(product("A", f"{listed}0.00"), 1)], *active, at=day(number)).total_amount

    calendar = {number: cost(number) for number in range(changes[0][0], when + 1)}
    found = at(when, history, *spells)
    assert found.selling_price == calendar[when]
    began = when
    while began - 1 in calendar and calendar[began - 1] == calendar[when]:
        began -= 1
    before = [calendar[n] for n in range(began - 30, began) if n in calendar]
    listed = next(amount for since, amount in reversed(changes) if since <= when)
    reduced = calendar[when] < Decimal(f"{listed}0.00")
    if before and (reduced or calendar[when] < before[-1]):
        assert (found.prior_price, found.prior_price_days) == (min(before), len(before))
    else:
        assert (found.prior_price, found.prior_price_days) == (None, 0 if reduced else None)


@given(
    st.lists(
        st.tuples(st.integers(1, 60), st.integers(1, 9), st.integers(0, 9)), min_size=1, max_size=5,
        unique_by=lambda change: change[0],
    ),
    st.lists(st.tuples(st.integers(0, 90), st.integers(1, 30), st.integers(5, 60)), max_size=3),
    st.sampled_from([None, ("sat", "sun"), ("wed",)]),
    st.integers(1, 90),
    st.floats(0, 0.999),
)  # fmt: skip
def test_a_price_is_the_same_for_as_long_as_it_lasts(
    changes: list[tuple[int, int, int]],
    sales: list[tuple[int, int, int]],
    days: tuple[str, ...] | None,
    when: int,
    share: float,
):
    """It is computed again at any moment before `until`, by the same versions."""
    changes.sort()
    when = max(when, changes[-1][0])
    history = [
        each
        for since, amount, length in changes
        for each in facts(
            (since, f"{amount}0.00"), sale_price=Decimal(amount), sale_ends_at=day(since + length)
        )
    ]
    spells = [
        spell(
            {"percent": str(percent)}, begin, begin + length, number=number,
            **({"condition": {"window": {"days": list(days), "tz": "UTC"}}} if days else {}),
        )
        for number, (begin, length, percent) in enumerate(sales, 1)
    ]  # fmt: skip
    found = lasting(when, history, *spells)
    end = when + 500 if found.until is None else (found.until - START) / DAY
    later = when + (end - when) * share
    assert at(later, history, *spells) == found.price
