"""What the collection of price rules promises."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

import pytest
from attrs import evolve

from commerce_core.base.errors import Conflict, NotFound
from commerce_core.ports.rules import BasketReach, Taking
from commerce_core.ports.store import Store
from commerce_core.pricing.form import read_rule
from commerce_core.pricing.price_list import ListVersion, PackedEntries, PriceList
from commerce_core.pricing.priced import Usage
from commerce_core.pricing.rules import Limits, PriceRule, RuleQuery
from tests.contracts import samples
from tests.contracts.samples import DAY, SECOND, T0
from tests.contracts.threads import together

NOTHING = BasketReach(frozenset(), frozenset())


def rule(name: str = "Rule", **changes: object) -> PriceRule:
    """A rule of a new id; members of its form may be given."""
    known = {a: changes.pop(a) for a in ("version", "status", "updated_at") if a in changes}
    form = {"name": name, "benefit": {"percent": "10"}, **changes}
    made = PriceRule(
        rule_id=samples.new_id("rule"),
        version=1,
        status="active",
        rule=read_rule(form),
        created_at=T0,
        updated_at=T0,
    )
    return evolve(made, **known)


def kept(store: Store, *rules: PriceRule) -> None:
    with store.begin() as unit:
        for each in rules:
            unit.rules.add(each)


def reach(*keys: str, basket: Sequence[str] = ()) -> BasketReach:
    return BasketReach(frozenset({*keys, *basket}), frozenset(basket))


class TestRules:
    def test_a_rule_is_kept_as_it_is(self, store: Store):
        """`get` and `find` give the very rule that was added, in every part of its form."""
        made = rule(
            "Spring 'Ω' 📦",
            condition={
                "all": [
                    {"category": "Shoes > Boots"},
                    {"not": {"sku": ["A", "B"]}},
                    {"any": [{"code": "SPRING"}, {"total": {"min": "50.00", "of": "order"}}]},
                    {"window": {"from": "2026-03-01", "until": "2026-03-31T12:00",
                                "tz": "Europe/Berlin", "days": ["sat"]}},
                ]
            },
            benefit={"tiers": {"of": "match", "steps": [{"from": 2, "amount": "1.50"}]}},
            limits={"max_amount": "50.00", "most_uses": 100, "budget": "1000.00"},
            group={"name": "sales", "mode": "best"},
            funded_by={"partner_percent": "33.3"},
            priority=-3,
        )  # fmt: skip
        kept(store, made)
        with store.begin() as unit:
            assert unit.rules.get(made.rule_id) == made
            assert unit.rules.find(made.rule.name) == made
            assert unit.rules.find("spring") is None
            with pytest.raises(NotFound):
                unit.rules.get("rule_" + "0" * 32)

    def test_each_version_is_kept(self, store: Store):
        """`put` makes the next version; `versions` are all of them, the newest first."""
        first = rule()
        second = evolve(first, version=2, status="paused", updated_at=T0 + DAY)
        kept(store, first)
        with store.begin() as unit:
            unit.rules.put(second)
        with store.begin() as unit:
            assert unit.rules.get(first.rule_id) == second
            assert list(unit.rules.versions(first.rule_id)) == [second, first]
            with pytest.raises(NotFound):
                unit.rules.versions("rule_" + "0" * 32)

    @pytest.mark.parametrize("version", [1, 3])
    def test_versions_follow_each_other(self, store: Store, version: int):
        """A version that is there already, or that skips one, is a Conflict `rule_changed`."""
        first = rule()
        kept(store, first)
        with pytest.raises(Conflict) as refused, store.begin() as unit:
            unit.rules.put(evolve(first, version=version))
        assert refused.value.code == "rule_changed"

    def test_names_are_unique_but_for_archived_rules(self, store: Store):
        """A name that a rule has is a Conflict `rule_name_taken`; an archived rule frees it."""
        one, other = rule("Sale"), rule("Other")
        kept(store, one, other)
        renamed = evolve(other, version=2, rule=evolve(other.rule, name="Sale"))
        for write in ("add", "put"):
            with pytest.raises(Conflict) as refused, store.begin() as unit:
                getattr(unit.rules, write)(rule("Sale") if write == "add" else renamed)
            assert refused.value.code == "rule_name_taken"
        with store.begin() as unit:
            unit.rules.put(evolve(one, version=2, status="archived"))
            unit.rules.put(renamed)
            assert unit.rules.find("Sale") == renamed

    def test_lists_are_of_current_versions_oldest_first(self, store: Store):
        """Archived rules are listed only if they are asked for."""
        one, two, three = rule("1"), rule("2", status="draft"), rule("3")
        gone = evolve(three, version=2, status="archived")
        kept(store, one, two, three)
        with store.begin() as unit:
            unit.rules.put(gone)
            unit.rules.put(evolve(one, version=2))

        def listed(query: RuleQuery) -> list[str]:
            with store.begin() as unit:
                page = unit.rules.page(query, None, 10)
                assert unit.rules.count(query) == len(page.items)
                return [f"{each.rule.name} {each.version}" for each in page.items]

        assert listed(RuleQuery()) == ["1 2", "2 1"]
        assert listed(RuleQuery("archived")) == ["3 2"]
        assert listed(RuleQuery("draft")) == ["2 1"]
        with store.begin() as unit:
            first = unit.rules.page(RuleQuery(), None, 1)
            second = unit.rules.page(RuleQuery(), first.after, 1)
            assert [each.rule.name for each in second.items] == ["2"]

    def test_the_rules_of_a_group(self, store: Store):
        """`in_group` are its rules that aren't archived."""
        group = {"name": "g", "mode": "first"}
        one, two = rule("1", group=group), rule("2", group=group, status="draft")
        kept(store, one, two, rule("3", group={"name": "h", "mode": "first"}), rule("4"))
        with store.begin() as unit:
            unit.rules.put(evolve(two, version=2, status="archived"))
            assert list(unit.rules.in_group("g")) == [one]

    def test_rules_are_found_by_what_a_basket_has(self, store: Store):
        """`matching` are the active rules whose keys the basket has, by priority and id."""
        brand = rule("brand", condition={"brand": ["Acme", "Nord"]})
        code = rule("code", condition={"all": [{"code": "Spring"}, {"brand": "Acme"}]})
        every = rule("every", priority=1, condition={"quantity": {"min": 2}})
        draft = rule("draft", status="draft")
        kept(store, brand, code, every, draft)

        def found(of: BasketReach, at: datetime = T0) -> list[str]:
            with store.begin() as unit:
                return [each.rule.name for each in unit.rules.matching(of, at)]

        assert found(NOTHING) == ["every"]
        assert found(reach("brand=Nord")) == ["every", "brand"]
        assert found(reach("brand=Acme", basket=["code=spring"])) == ["every", "brand", "code"]
        assert found(reach("brand=Acme", "code=spring")) == ["every", "brand"]

    def test_a_rule_that_is_over_is_not_found(self, store: Store):
        """A rule whose window ends for good isn't looked at from then on."""
        window = {"window": {"until": "2026-01-01", "tz": "UTC"}}
        made = rule(condition={"all": [{"brand": "Acme"}, window]})
        kept(store, made)
        midnight = T0.replace(day=2, hour=0)
        with store.begin() as unit:
            assert unit.rules.matching(reach("brand=Acme"), midnight - SECOND) == [made]
            assert unit.rules.matching(reach("brand=Acme"), midnight) == []

    def test_rules_are_found_as_they_were(self, store: Store):
        """With `as_of`, the versions that were current then, from their own moment on."""
        first = rule(condition={"brand": "Acme"}, updated_at=T0)
        paused = evolve(first, version=2, status="paused", updated_at=T0 + DAY)
        moved = rule("Moved", condition={"brand": "Acme"}, updated_at=T0 + 2 * DAY)
        kept(store, first)
        with store.begin() as unit:
            unit.rules.put(paused)
            unit.rules.add(moved)

        def as_of(moment: datetime) -> list[PriceRule]:
            with store.begin() as unit:
                return list(unit.rules.matching(reach("brand=Acme"), T0, moment))

        assert as_of(T0 - SECOND) == []
        assert as_of(T0) == as_of(T0 + DAY - SECOND) == [first]
        assert as_of(T0 + DAY) == []
        assert as_of(T0 + 2 * DAY) == [moved]

    def test_codes_are_known_while_a_rule_is_active(self, store: Store):
        """Wherever in its condition, and whatever the case; drafts don't count."""
        kept(
            store,
            rule("1", condition={"any": [{"code": ["Spring", "MAY"]}, {"brand": "Acme"}]}),
            rule("2", condition={"code": "draft"}, status="draft"),
        )
        with store.begin() as unit:
            known = unit.rules.known_codes(["spring", "may", "draft", "other"])
            assert known == {"spring", "may"}
            assert unit.rules.known_codes([]) == frozenset()


class TestLimits:
    def taking(self, of: PriceRule, amount: str = "5.00", currency: str = "EUR") -> Taking:
        return Taking(of.rule_id, of.rule.limits, Decimal(amount), currency)

    def test_limits_are_taken_up_to_the_last(self, store: Store):
        """`take` counts uses and money; it returns the rules that have too little left."""
        made = rule(limits={"most_uses": 2, "budget": "9.00"})
        kept(store, made)
        with store.begin() as unit:
            for amount, short in (("5.00", 0), ("5.00", 1), ("4.00", 0), ("0.00", 1)):
                taking = self.taking(made, amount)
                found = unit.rules.take(samples.new_id("ord"), None, [taking], T0)
                assert found == ({made.rule_id} if short else frozenset())
            assert unit.rules.usage([made.rule_id], None, "EUR") == {
                made.rule_id: Usage(2, Decimal(9), 0)
            }

    def test_a_budget_is_one_of_each_currency(self, store: Store):
        """Money is added up in its own currency, while uses are counted in all of them."""
        made = rule(limits={"most_uses": 9, "budget": "9.00"})
        kept(store, made)
        first = samples.new_id("ord")
        with store.begin() as unit:
            for order, amount, currency, short in (
                (first, "8.00", "EUR", False), (samples.new_id("ord"), "8.00", "USD", False),
                (samples.new_id("ord"), "2.00", "EUR", True),
            ):  # fmt: skip
                taking = self.taking(made, amount, currency)
                assert bool(unit.rules.take(order, None, [taking], T0)) is short
        with store.begin() as unit:
            for moment in (None, T0):
                spent = [
                    unit.rules.usage([made.rule_id], None, code, moment)[made.rule_id]
                    for code in ("EUR", "USD", "JPY")
                ]
                assert spent == [Usage(2, Decimal(8)), Usage(2, Decimal(8)), Usage(2)]
            unit.rules.give_back(first, T0 + DAY)
            left = unit.rules.usage([made.rule_id], None, "EUR")
            assert left == {made.rule_id: Usage(1)}

    def test_each_customer_has_uses_of_its_own(self, store: Store):
        """`per_customer` counts the customer's own uses, beside those of all."""
        made = rule(limits={"per_customer": 1})
        kept(store, made)
        with store.begin() as unit:
            for customer, short in (("a", False), ("b", False), ("a", True)):
                order = samples.new_id("ord")
                found = unit.rules.take(order, customer, [self.taking(made)], T0)
                assert bool(found) is short
            used = Usage(2, Decimal("10.00"), 1)
            assert unit.rules.usage([made.rule_id], "a", "EUR") == {made.rule_id: used}
            another = evolve(used, by_customer=0)
            assert unit.rules.usage([made.rule_id], "c", "EUR") == {made.rule_id: another}

    def test_nothing_is_taken_if_one_rule_has_too_little(self, store: Store):
        """All or none."""
        plenty, none = rule("1", limits={"most_uses": 9}), rule("2", limits={"budget": "1.00"})
        kept(store, plenty, none)
        with store.begin() as unit:
            both = [self.taking(plenty), self.taking(none)]
            assert unit.rules.take(samples.new_id("ord"), "c", both, T0) == {none.rule_id}
            used = unit.rules.usage([plenty.rule_id, none.rule_id], "c", "EUR")
            assert all(each == Usage() for each in used.values())

    def test_what_an_order_took_is_given_back_once(self, store: Store):
        """`give_back` returns uses and money, however often it is called."""
        made = rule(limits={"most_uses": 9, "per_customer": 5})
        kept(store, made)
        one, other = samples.new_id("ord"), samples.new_id("ord")
        with store.begin() as unit:
            unit.rules.take(one, "c", [self.taking(made, "1.00")], T0)
            unit.rules.take(other, None, [self.taking(made, "2.00")], T0)
        with store.begin() as unit:
            for order in (one, one, samples.new_id("ord")):
                unit.rules.give_back(order, T0 + DAY)
            assert unit.rules.usage([made.rule_id], "c", "EUR") == {
                made.rule_id: Usage(1, Decimal(2), 0)
            }
            unit.rules.give_back(other, T0 + DAY)
            (used,) = unit.rules.usage([made.rule_id], "c", "EUR").values() or [Usage()]
            assert (used.uses, used.spent) == (0, 0)

    def test_uses_are_known_as_of_a_moment(self, store: Store):
        """With `as_of`, what had been taken and not given back by then."""
        made = rule(limits={"most_uses": 9})
        kept(store, made)
        one, other = samples.new_id("ord"), samples.new_id("ord")
        with store.begin() as unit:
            unit.rules.take(one, "c", [self.taking(made, "1.00")], T0)
            unit.rules.take(other, None, [self.taking(made, "2.00")], T0 + DAY)
            unit.rules.give_back(one, T0 + 2 * DAY)

        def as_of(moment: datetime) -> Usage:
            with store.begin() as unit:
                found = unit.rules.usage([made.rule_id], "c", "EUR", moment)
                return found.get(made.rule_id, Usage())

        assert as_of(T0 - SECOND) == Usage()
        assert as_of(T0) == Usage(1, Decimal("1.00"), 1)
        assert as_of(T0 + DAY) == Usage(2, Decimal("3.00"), 1)
        assert as_of(T0 + 2 * DAY) == Usage(1, Decimal("2.00"), 0)

    def test_a_limit_is_never_overrun(self, store: Store):
        """Of units that take at once, as many succeed as the limits allow."""
        made = rule(limits={"most_uses": 5, "budget": "20.00"})
        beside = rule("Beside", limits={"most_uses": 100})
        kept(store, made, beside)

        def take() -> bool:
            with store.begin() as unit:
                both = [self.taking(made), self.taking(beside)]
                return not unit.rules.take(samples.new_id("ord"), "c", both, T0)

        results = [each for _ in range(4) for each in together(*[take] * 8)]
        assert results.count(True) == 4
        with store.begin() as unit:
            assert unit.rules.usage([made.rule_id], None, "EUR")[made.rule_id].spent == 20

    def test_limits_that_are_none_take_all(self, store: Store):
        """A rule without limits may be taken as often as one likes."""
        taking = Taking(samples.new_id("rule"), Limits(), Decimal(1), "EUR")
        with store.begin() as unit:
            for _ in range(3):
                assert not unit.rules.take(samples.new_id("ord"), None, [taking], T0)

    def test_spells_are_the_versions_that_were_active_since(self, store: Store):
        """Each with its end; of those that can't match, none."""
        first = rule("One", condition={"brand": "Acme"})
        second = evolve(first, version=2, status="paused", updated_at=T0 + DAY)
        third = evolve(first, version=3, updated_at=T0 + 3 * DAY)
        coded = rule("Code", condition={"code": "X"})
        anywhere = rule("Anywhere", updated_at=T0 + 2 * DAY)
        kept(store, first, coded, anywhere)
        with store.begin() as unit:
            unit.rules.put(second)
            unit.rules.put(third)

            def spells(keys: Sequence[str] | None, days: float) -> set[tuple[str, int, object]]:
                found = unit.rules.spells(keys, T0 + days * DAY)
                return {(s.rule.rule.name, s.rule.version, s.until) for s in found}

            now = {("One", 3, None), ("Anywhere", 1, None)}
            assert spells(["brand=Acme"], 0.5) == {("One", 1, T0 + DAY), *now}
            assert spells(["brand=Acme", "brand=Nord"], 1) == now
            assert spells(["brand=Nord"], 0.5) == {("Anywhere", 1, None)}
            assert spells(None, 1) == {("Code", 1, None), *now}

    def test_a_revision_is_equal_while_nothing_changes(self, store: Store):
        """Whatever prices depend on besides products gives another one."""
        made = rule("One")
        made_list = PriceList(
            list_id=samples.new_id("list"), name="L", currency="EUR", created_at=T0, updated_at=T0
        )
        with store.begin() as unit:
            unit.price_lists.add(made_list)
            found = [unit.rules.revision(T0)]
            assert found[0] == unit.rules.revision(T0)
        kept(store, made)
        with store.begin() as unit:
            found.append(unit.rules.revision(T0))
            unit.rules.put(evolve(made, version=2, status="paused", updated_at=T0 + DAY))
            found.append(unit.rules.revision(T0))
            unit.price_lists.lock(made_list.list_id)
            unit.price_lists.stage(PackedEntries(()), 1)
            unit.price_lists.apply(
                ListVersion(
                    list_id=made_list.list_id,
                    version=1,
                    published_at=T0 + DAY,
                    actor="operator",
                    difference=unit.price_lists.compare(made_list.list_id),
                )
            )
            found.append(unit.rules.revision(T0))
            unit.versions.forget(3, T0)
            found.append(unit.rules.revision(T0))
            assert unit.rules.revision(T0) == found[-1]
            assert unit.rules.revision(T0 + 2 * DAY) != found[-1]
        assert len(set(found)) == len(found)
