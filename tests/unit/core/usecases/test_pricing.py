"""Price rules as operators set them, quotes, and orders at the same prices."""

import io
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve

from commerce_core.activity.audit import AuditQuery
from commerce_core.base.errors import Conflict, InvalidInput, NotFound
from commerce_core.commerce import Commerce
from commerce_core.orders.order import Order
from commerce_core.pricing.basket_terms import BasketTerms
from commerce_core.pricing.form import read_rule
from commerce_core.pricing.priced_product import PricedProduct
from commerce_core.usecases.context import Context
from commerce_core.usecases.pricing import MOST_SAVED
from entrypoints.compose import open_platform
from entrypoints.settings import Settings

CATALOG = """sku,title,price,brand,category,quantity
A,Lamp,10.00,Acme,Home > Lamps,90
B,Chair,20.00,Nord,Home > Chairs,90
C,Free,,Nord,,9
"""
T0 = datetime(2090, 3, 31, 12, tzinfo=UTC)
"""In the future, since no job may have begun long before it is run."""
DAY = timedelta(days=1)


class Clock:
    """A clock that stands still until it is set."""

    now = T0

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def commerce(clock: Clock) -> Iterator[Commerce]:
    with open_platform(Settings(database_url="memory:")) as made:
        context: Context = evolve(made.context, clock=clock)
        platform = Commerce(context)
        platform.partners.add("Acme", currency="EUR")
        platform.feeds.load(io.BytesIO(CATALOG.encode()), partner="Acme")
        yield platform


def item(commerce: Commerce, sku: str, quantity: int = 1) -> tuple[str, int]:
    return commerce.products.get(partner="Acme", sku=sku).product_id, quantity


def form(name: str = "Sale", **members: object) -> Mapping[str, Any]:
    return {"name": name, "benefit": {"percent": "10"}, **members}


def faults(refusal: pytest.ExceptionInfo[InvalidInput]) -> list[tuple[str, str]]:
    return [(fault.pointer, fault.code) for fault in refusal.value.faults]


def test_a_quote_and_an_order_cost_the_same_and_explain_it_alike(commerce: Commerce):
    commerce.pricing.add(form(condition={"brand": "Acme"}))
    items = [item(commerce, "A", 3), item(commerce, "B")]
    quote, order = commerce.pricing.quote(items), commerce.orders.place(items)
    assert quote.total_amount == order.total_amount == 47
    assert [i.adjustments for i in quote.items] == [i.adjustments for i in order.items]
    assert commerce.orders.get(order.order_id) == order


def test_an_order_keeps_its_price_whatever_becomes_of_the_rule(commerce: Commerce):
    rule = commerce.pricing.add(form())
    order = commerce.orders.place([item(commerce, "A")])
    commerce.pricing.archive(rule.rule_id)
    assert commerce.orders.get(order.order_id).total_amount == 9
    assert commerce.orders.place([item(commerce, "A")]).total_amount == 10


def test_each_change_of_a_rule_is_a_version(commerce: Commerce):
    rule = commerce.pricing.add(form())
    assert commerce.pricing.change(rule.rule_id, form()) == rule
    changed = commerce.pricing.change(rule.rule_id, form(priority=5), version=1)
    paused = commerce.pricing.change(rule.rule_id, status="paused")
    assert [r.version for r in (rule, changed, paused)] == [1, 2, 3]
    assert list(commerce.pricing.versions(rule.rule_id)) == [paused, changed, rule]
    assert commerce.pricing.quote([item(commerce, "A")]).total_amount == 10
    with pytest.raises(Conflict) as refused:
        commerce.pricing.change(rule.rule_id, form(), version=2)
    assert refused.value.code == "rule_changed"
    noted = commerce.audit.list(AuditQuery(subject=rule.rule_id))
    states = {entry.after["version"]: entry for entry in noted if entry.after}
    assert [states[n].action for n in (1, 2, 3)] == ["rule.added", "rule.changed", "rule.changed"]
    assert states[3].after == {"version": 3, "status": "paused"}


def test_an_archived_rule_is_kept_and_ends_for_good(commerce: Commerce):
    rule = commerce.pricing.add(form())
    gone = commerce.pricing.archive(rule.rule_id)
    assert (gone.status, commerce.pricing.archive(rule.rule_id)) == ("archived", gone)
    assert commerce.pricing.get(rule.rule_id) == gone
    assert list(commerce.pricing.list()) == []
    for change in ({"rule": form(priority=1)}, {"status": "active"}):
        with pytest.raises(Conflict) as refused:
            commerce.pricing.change(rule.rule_id, **change)  # type: ignore[arg-type]
        assert refused.value.code == "rule_archived"


def test_saving_shows_what_differs_and_makes_the_next_version(commerce: Commerce):
    dearer = form(benefit={"percent": "15"})
    (new,) = commerce.pricing.save([form()], plan=True)
    assert (new.before, new.difference["benefit"]) == (None, (None, {"percent": "10"}))
    assert list(commerce.pricing.list()) == []
    commerce.pricing.save([form()])
    (planned,) = commerce.pricing.save([dearer], plan=True)
    assert planned.difference == {"benefit": ({"percent": "10"}, {"percent": "15"})}
    assert commerce.pricing.get("Sale").version == 1
    (saved,) = commerce.pricing.save([dearer])
    assert (saved.after, saved.difference) == (commerce.pricing.get("Sale"), planned.difference)
    (again,) = commerce.pricing.save([dearer])
    assert (again.after, again.difference) == (None, {})


def test_rules_are_saved_all_or_none(commerce: Commerce):
    with pytest.raises(InvalidInput) as refusal:
        commerce.pricing.save([form("One"), form("Two", condition={"partner": "Nobody"})])
    assert faults(refusal) == [("/rules/1/condition/partner", "unknown_partner")]
    assert list(commerce.pricing.list()) == []


def test_as_many_rules_are_saved_at_once_as_the_limit_allows(commerce: Commerce):
    many = [form(f"Rule {n}") for n in range(MOST_SAVED + 1)]
    with pytest.raises(InvalidInput) as refusal:
        commerce.pricing.save(many)
    assert faults(refusal) == [("/rules", "too_many")]
    assert len(commerce.pricing.save(many[1:], plan=True)) == MOST_SAVED


def test_new_names_have_no_characters_that_are_not_seen(commerce: Commerce):
    hidden = "Sale\u202e"
    with pytest.raises(InvalidInput) as refusal:
        commerce.pricing.add(form(hidden, group={"name": "g\u200b", "mode": "best"}))
    assert faults(refusal) == [("/name", "bad_name"), ("/group/name", "bad_name")]
    rule = commerce.pricing.add(form("Sale"))
    with pytest.raises(InvalidInput) as refusal:
        commerce.pricing.change(rule.rule_id, form(hidden))
    assert faults(refusal) == [("/name", "bad_name")]
    assert commerce.pricing.get("Sale") == rule


def test_a_name_from_before_that_rule_stays_until_another_is_given(commerce: Commerce):
    group = {"name": "g\u200b", "mode": "best"}
    rule = commerce.pricing.add(form("Sale"))
    with commerce.context.store.begin() as unit:  # as an older version saved it
        text = read_rule(form("Sale\u202e", group=group))
        unit.rules.put(evolve(rule, rule=text, version=2))
    changed = commerce.pricing.change(rule.rule_id, form("Sale\u202e", group=group, priority=3))
    assert (changed.version, changed.rule.priority) == (3, 3)
    assert commerce.pricing.change(rule.rule_id, form("Sale")).rule.group is None


def test_a_rule_under_an_idempotency_key_is_made_once(commerce: Commerce):
    rule = form(condition={"any": [{"brand": "Acme"}, {"not": {"sku": "B"}}]})
    assert commerce.pricing.add(rule, key="k") == commerce.pricing.add(rule, key="k")
    with pytest.raises(Conflict):
        commerce.pricing.add(form("Other"), key="k")


def test_names_in_rules_become_ids_and_have_to_exist(commerce: Commerce):
    partner = commerce.partners.get("Acme")
    rule = commerce.pricing.add(form(condition={"partner": "acme"}))
    commerce.partners.change(partner.partner_id, partner_name="Bloom")
    assert commerce.pricing.quote([item_of(commerce, "A")]).total_amount == 9
    assert rule.rule.condition == commerce.pricing.get("Sale").rule.condition
    bad = form("Bad", condition={"all": [{"partner": ["Bloom", "Nobody"]}, {"source": "src_1"}]})
    with pytest.raises(InvalidInput) as refusal:
        commerce.pricing.add(bad)
    assert faults(refusal) == [
        ("/condition/all/0/partner/1", "unknown_partner"),
        ("/condition/all/1/source", "unknown_source"),
    ]
    assert len(list(commerce.pricing.list())) == 1


def item_of(commerce: Commerce, sku: str) -> tuple[str, int]:
    (found,) = (p for p in commerce.products.list() if p.sku == sku)
    return found.product_id, 1


def test_a_group_agrees_in_its_mode_and_the_best_of_it_in_its_stage(commerce: Commerce):
    commerce.pricing.add(form("1", group={"name": "g", "mode": "best"}))
    for members, fault in (
        ({"group": {"name": "g", "mode": "first"}}, ("/group/mode", "group_mode_differs")),
        (
            {"group": {"name": "g", "mode": "best"}, "applies_to": "order"},
            ("/applies_to", "group_stage_differs"),
        ),
    ):
        with pytest.raises(InvalidInput) as refusal:
            commerce.pricing.add(form("2", **members))
        assert faults(refusal) == [fault]


def test_the_mode_of_a_group_changes_if_all_of_its_rules_are_saved_together(commerce: Commerce):
    def both(mode: str) -> list[Mapping[str, Any]]:
        return [form(name, group={"name": "g", "mode": mode}) for name in ("One", "Two")]

    commerce.pricing.save(both("best"))
    assert [change.after is not None for change in commerce.pricing.save(both("first"))] == [
        True
    ] * 2
    with pytest.raises(InvalidInput) as refusal:
        commerce.pricing.save(both("all")[:1])
    assert faults(refusal) == [("/rules/0/group/mode", "group_mode_differs")]


def test_rules_that_cannot_stand_together_are_neither_saved_nor_tried(commerce: Commerce):
    def group(mode: str) -> Mapping[str, str]:
        return {"name": "g", "mode": mode}

    odd = [form("One", group=group("best")), form("Two", group=group("first")), form("One")]
    acts = (
        lambda: commerce.pricing.save(odd),
        lambda: commerce.pricing.lint(odd),
        lambda: commerce.pricing.what_if(odd, since=T0 - DAY),
        lambda: commerce.pricing.quote([item(commerce, "A")], rules=odd),
    )
    for act in acts:
        with pytest.raises(InvalidInput) as refusal:
            act()
        assert faults(refusal) == [
            ("/rules/1/group/mode", "group_mode_differs"), ("/rules/2/name", "duplicate_name"),
        ]  # fmt: skip
    assert list(commerce.pricing.list()) == []
    commerce.pricing.add(form("Three", group=group("all")))
    with pytest.raises(InvalidInput) as refusal:
        commerce.pricing.lint(odd[:1])
    assert faults(refusal) == [("/rules/0/group/mode", "group_mode_differs")]


def test_codes_that_are_unknown_or_used_up_are_refused(commerce: Commerce):
    once = {"most_uses": 1}
    commerce.pricing.add(form(condition={"code": "SPRING"}, limits=once))
    items = [item(commerce, "A")]
    with pytest.raises(InvalidInput) as refusal:
        commerce.orders.place(items, terms=BasketTerms(("spring", "nope")))
    assert faults(refusal) == [("/codes/1", "unknown_code")]
    order = commerce.orders.place(items, terms=BasketTerms(("spring",)))
    assert (order.total_amount, order.codes) == (9, ("spring",))
    for ask in (commerce.orders.place, commerce.pricing.quote):
        with pytest.raises(InvalidInput) as refusal:
            ask(items, terms=BasketTerms(("Spring",)))
        assert faults(refusal) == [("/codes/0", "used_up_code")]
    commerce.orders.cancel(order.order_id)
    assert commerce.orders.place(items, terms=BasketTerms(("SPRING",))).total_amount == 9


def test_a_code_limited_per_customer_is_refused_without_one(commerce: Commerce):
    """Otherwise the customer would be charged more than the code promises, without a word."""
    commerce.pricing.add(form(condition={"code": "MINE"}, limits={"per_customer": 1}))
    items = [item(commerce, "A")]
    for ask in (commerce.orders.place, commerce.pricing.quote):
        with pytest.raises(InvalidInput) as refusal:
            ask(items, terms=BasketTerms(("mine",)))
        assert faults(refusal) == [("/codes/0", "code_needs_customer")]
    assert commerce.orders.place(items, terms=BasketTerms(("mine",), "c-1")).total_amount == 9
    commerce.pricing.add(form("Open", condition={"code": "MINE"}, benefit={"percent": "5"}))
    assert commerce.pricing.quote(items, terms=BasketTerms(("mine",))).total_amount == Decimal(
        "9.50"
    )


def test_an_order_that_costs_something_else_than_expected_changes_nothing(commerce: Commerce):
    rule = form(condition={"code": "SPRING"}, limits={"most_uses": 1})
    commerce.pricing.add(rule)
    items, terms = [item(commerce, "A")], BasketTerms(("SPRING",))
    nine = Decimal("9.00")
    first = commerce.orders.place(items, terms=terms, expected_total=nine)
    with pytest.raises(Conflict) as refused:
        commerce.orders.place(items, terms=terms, expected_total=nine)
    assert refused.value.code == "price_changed"
    assert refused.value.shown["total_amount"] == 10
    assert commerce.products.get(items[0][0]).available == 89
    assert [order.order_id for order in commerce.orders.list()] == [first.order_id]


def test_a_customer_has_uses_of_its_own(commerce: Commerce):
    commerce.pricing.add(form(limits={"per_customer": 1}))
    items = [item(commerce, "A")]
    totals = [
        commerce.orders.place(items, terms=BasketTerms(customer=name)).total_amount
        for name in ("a", "b", "a", None)
    ]
    assert totals == [9, 9, 10, 10]


def test_a_budget_is_one_of_each_currency(commerce: Commerce, clock: Clock):
    commerce.partners.add("Yama", currency="JPY")
    feed = b"sku,title,price,quantity\nT,Tea,1000,9\n"
    commerce.feeds.load(io.BytesIO(feed), partner="Yama")
    tea = [(commerce.products.get(partner="Yama", sku="T").product_id, 1)]
    lamp = [item(commerce, "A")]
    commerce.pricing.add(form(limits={"budget": "100.00"}))
    first = commerce.orders.place(tea)
    clock.now += timedelta(seconds=1)
    again = [commerce.orders.place(each).total_amount for each in (tea, lamp)]
    assert (first.total_amount, again) == (900, [1000, 9])
    tried = commerce.pricing.what_if(since=T0 - DAY, until=T0 + DAY)
    assert (tried.orders, tried.changed) == (3, 0)
    commerce.orders.cancel(first.order_id)
    assert commerce.pricing.quote(tea).total_amount == 900


def test_a_quote_of_the_past_is_the_one_made_then(commerce: Commerce, clock: Clock):
    """Products, rules and the uses of their limits are as they were."""
    items = [item(commerce, "A", 2), item(commerce, "B")]
    rule = commerce.pricing.add(form(limits={"most_uses": 1}))
    quotes = [(clock.now, commerce.pricing.quote(items))]
    clock.now += DAY
    commerce.feeds.load(io.BytesIO(b"sku,price\nA,30\n"), partner="Acme")
    quotes.append((clock.now, commerce.pricing.quote(items)))
    clock.now += DAY
    order = commerce.orders.place(items)
    quotes.append((clock.now, commerce.pricing.quote(items)))
    clock.now += DAY
    commerce.orders.cancel(order.order_id)
    quotes.append((clock.now, commerce.pricing.quote(items)))
    clock.now += DAY
    commerce.pricing.change(rule.rule_id, form(benefit={"percent": "50"}))
    quotes.append((clock.now, commerce.pricing.quote(items)))
    assert len({quote.total_amount for _, quote in quotes}) == 4
    clock.now += DAY
    for moment, quote in quotes:
        assert commerce.pricing.quote(items, at=moment) == quote


def test_a_quote_of_the_future_has_the_windows_of_then(commerce: Commerce):
    window = {"window": {"from": "2090-04-02", "until": "2090-04-02", "tz": "Europe/Rome"}}
    commerce.pricing.add(form(condition=window))
    items = [item(commerce, "A")]
    now = commerce.pricing.quote(items)
    begins = datetime(2090, 4, 1, 22, tzinfo=UTC)
    assert (now.total_amount, now.valid_until) == (10, begins)
    then = commerce.pricing.quote(items, at=begins)
    assert (then.total_amount, then.valid_until) == (9, begins + DAY)
    assert commerce.pricing.quote(items, at=begins + DAY).valid_until is None


def test_rules_are_tried_instead_of_the_active_ones(commerce: Commerce):
    commerce.pricing.add(form())
    items = [item(commerce, "A")]
    tried = commerce.pricing.quote(items, rules=[form("New", benefit={"percent": "30"})])
    assert tried.total_amount == 7
    assert commerce.pricing.quote(items, rules=[]).total_amount == 10
    with pytest.raises(InvalidInput) as refusal:
        commerce.pricing.quote(items, rules=[form(), form(condition={"partner": "Nobody"})])
    assert faults(refusal) == [("/rules/1/condition/partner", "unknown_partner")]
    with pytest.raises(InvalidInput) as refusal:
        commerce.pricing.quote(items, rules=[{"name": "x", "benefit": {"percent": 5}}])
    assert faults(refusal) == [("/rules/0/benefit/percent", "not_a_percentage")]


def test_why_not_names_the_fewest_changes(commerce: Commerce):
    shoes = {"all": [{"brand": "Acme"}, {"quantity": {"min": 5}}, {"code": "SPRING"}]}
    rule = commerce.pricing.add(form(condition=shoes))
    items = [item(commerce, "A", 3), item(commerce, "B", 5)]
    for asked in (rule.rule_id, "Sale"):
        (outcome,) = commerce.pricing.quote(items, why_not=asked).outcomes
        assert outcome.outcome == "not_matched"
        assert [(f.pointer, f.found) for f in outcome.failures] == [
            ("/condition/all/1", "3"), ("/condition/all/2", "none"),
        ]  # fmt: skip
    commerce.pricing.change(rule.rule_id, status="paused")
    (outcome,) = commerce.pricing.quote(items, why_not="Sale").outcomes
    assert outcome.outcome == "not_active"
    with pytest.raises(NotFound):
        commerce.pricing.quote(items, why_not="Nothing")


def test_the_loser_of_a_group_is_told_by_how_much(commerce: Commerce):
    group = {"name": "g", "mode": "best"}
    commerce.pricing.add(form("Ten", group=group, priority=9))
    commerce.pricing.add(form("Half", group=group, benefit={"percent": "50"}))
    quote = commerce.pricing.quote([item(commerce, "A")], explain=True)
    assert {o.name: (o.outcome, o.amount, o.beaten_by_amount) for o in quote.outcomes} == {
        "Ten": ("beaten", 0, 4), "Half": ("applied", 5, None),
    }  # fmt: skip


def test_what_cannot_be_priced_is_refused_with_every_reason(commerce: Commerce):
    free = commerce.products.get(partner="Acme", sku="C").product_id
    with pytest.raises(InvalidInput) as refusal:
        commerce.pricing.quote([(free, 1), ("prod_1", 1), (item(commerce, "A")[0], 0)])
    assert faults(refusal) == [
        ("/items/0/product_id", "not_sellable"),
        ("/items/1/product_id", "unknown_product"),
        ("/items/2/quantity", "bad_quantity"),
    ]


def test_a_partner_sees_what_was_done_to_its_lines_but_no_rules(commerce: Commerce):
    commerce.pricing.add(form(condition={"code": "SPRING"}))
    order = commerce.orders.place([item(commerce, "A")], terms=BasketTerms(("SPRING",), "c-1"))
    secret = commerce.keys.add(partner="Acme").secret
    seen = commerce.authenticated(secret).orders.get(order.order_id)
    (step,) = seen.items[0].adjustments
    assert (step.amount, step.rule_id, step.rule_version) == (-1, None, None)
    assert (seen.codes, seen.customer, seen.total_amount) == ((), None, 9)


def test_what_if_prices_placed_orders_again_and_changes_nothing(commerce: Commerce, clock: Clock):
    commerce.pricing.add(form(condition={"brand": "Acme"}))
    orders: list[Order] = []
    for units in (1, 2):
        clock.now += DAY
        orders.append(commerce.orders.place([item(commerce, "A"), item(commerce, "B", units)]))
    commerce.orders.cancel(commerce.orders.place([item(commerce, "A")]).order_id)
    clock.now += DAY
    same = commerce.pricing.what_if(since=T0)
    assert (same.orders, same.changed, same.totals[0].difference) == (2, 0, 0)
    half = form(benefit={"percent": "50"}, condition={"brand": "Acme"})
    once = form("Once", condition={"brand": "Nord"}, limits={"most_uses": 1})
    found = commerce.pricing.what_if([half, once], since=T0)
    assert (found.orders, found.changed) == (2, 2)
    (total,) = found.totals
    assert (total.before, total.after, total.difference) == (78, 68, -10)
    assert [(row.key, row.difference) for row in found.by_category] == [
        ("Home > Lamps", -8), ("Home > Chairs", -2),
    ]  # fmt: skip
    assert found.uses == {"Sale": 2, "Once": 1}
    assert [commerce.orders.get(each.order_id) for each in orders] == orders
    assert commerce.pricing.what_if(since=T0 + 2 * DAY, until=T0 + 3 * DAY).orders == 1


def test_what_if_has_a_limit(commerce: Commerce, clock: Clock, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("commerce_core.usecases.pricing.MOST_ORDERS", 1)
    for _ in range(2):
        commerce.orders.place([item(commerce, "A")])
    clock.now += DAY
    with pytest.raises(InvalidInput) as refusal:
        commerce.pricing.what_if(since=T0)
    assert faults(refusal) == [("/from", "too_many_orders")]


def test_the_selling_price_is_what_a_quote_of_one_unit_costs(commerce: Commerce, clock: Clock):
    """Whatever public rules there are: lists for everyone too, but not those of a group."""

    def shown() -> tuple[Decimal | None, Decimal | None]:
        page = commerce.products.page(include=("selling_price", "prior_price")).items
        product = next(each for each in page if each.sku == "A")
        assert isinstance(product, PricedProduct)
        quoted = commerce.pricing.quote([(product.product_id, 1)])
        assert quoted.total_amount == product.selling_price
        return product.selling_price, product.prior_price

    commerce.price_lists.add("Everyone", currency="EUR")
    commerce.price_lists.add("Trade", currency="EUR")
    commerce.price_lists.load("Everyone", io.BytesIO(b"sku,price\nA,9.00\n"))
    commerce.price_lists.load("Trade", io.BytesIO(b"sku,price\nA,5.00\n"))
    assert shown() == (Decimal("10.00"), None)
    clock.now += 40 * DAY
    trade = {"benefit": {"price_list": "Trade"}, "condition": {"customer_group": "trade"}}
    commerce.pricing.save([form("List", benefit={"price_list": "Everyone"}), form("T", **trade)])
    assert shown() == (Decimal("9.00"), Decimal("10.00"))
    clock.now += DAY
    commerce.price_lists.load("Everyone", io.BytesIO(b"sku,price\nA,8.00\n"))
    assert shown() == (Decimal("8.00"), Decimal("9.00"))
    clock.now += DAY
    until = {"window": {"until": "2090-06-30", "tz": "UTC"}}
    commerce.pricing.save([form("Sale", condition=until)])
    assert shown() == (Decimal("7.20"), Decimal("8.00"))
    clock.now = datetime(2090, 7, 1, tzinfo=UTC)
    assert shown() == (Decimal("8.00"), Decimal("7.20"))
    commerce.pricing.archive(commerce.pricing.get("List").rule_id)
    assert shown() == (Decimal("10.00"), None)


def test_quotes_are_at_moments_of_known_years(commerce: Commerce):
    """Windows are computed around the moment, which the calendar's ends don't allow."""
    items = [item(commerce, "A")]
    weekly = [form("Monday", condition={"window": {"days": ["mon"], "tz": "America/New_York"}})]
    last = datetime(2999, 12, 31, 23, 59, tzinfo=UTC)
    assert commerce.pricing.quote(items, at=last, rules=weekly).valid_until is not None
    for year in (1899, 3000, 9999):
        with pytest.raises(InvalidInput) as refused:
            commerce.pricing.quote(items, at=datetime(year, 6, 1, tzinfo=UTC), rules=weekly)
        assert [fault.pointer for fault in refused.value.faults] == ["/at"]


def test_a_minimum_quantity_is_reported_as_it_was_written(commerce: Commerce):
    commerce.price_lists.add("Trade", currency="EUR")
    file = io.BytesIO(b"sku,minimum_quantity,price\nA,-2,9.00\nB,0,9.00\n")
    report = commerce.price_lists.load("Trade", file)
    assert [(p.line, p.code, p.value) for p in report.problems] == [
        (2, "out_of_range", "-2"), (3, "out_of_range", "0"),
    ]  # fmt: skip
