"""Price rules in memory, and who used up what of their limits."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from itertools import zip_longest

from attrs import evolve, frozen

from adapters.memory.pages import by_id, page_of
from adapters.memory.tables import RuleUse, Tables, found
from commerce_core.base.paging import Page, Position
from commerce_core.ports.rules import BasketReach, Revision, Taking, rule_changed, rule_name_taken
from commerce_core.pricing.index import reach_of
from commerce_core.pricing.lines import canonical_code
from commerce_core.pricing.priced import Usage
from commerce_core.pricing.public_price import RuleSpell
from commerce_core.pricing.rules import PriceRule, RuleQuery, in_order


@frozen
class Rules:
    """Implements `commerce_core.ports.rules.Rules`."""

    _kept: Tables

    def page(self, query: RuleQuery, after: Position | None, limit: int) -> Page[PriceRule]:
        """Pages of rules."""
        rows = self._fitting(query)
        return page_of(rows, lambda rule: by_id(rule.rule_id), after, limit, descending=False)

    def count(self, query: RuleQuery) -> int:
        """How many rules fit."""
        return len(self._fitting(query))

    def _fitting(self, query: RuleQuery) -> list[PriceRule]:
        return [rule for rule in self._current() if _fits(query, rule)]

    def _current(self) -> list[PriceRule]:
        return [versions[-1] for versions in self._kept.rules.values()]

    def add(self, rule: PriceRule) -> None:
        """Keeps the first version."""
        self._check_name(rule)
        self._kept.rules[rule.rule_id] = (rule,)

    def put(self, rule: PriceRule) -> None:
        """Keeps the next version."""
        versions = found(self._kept.rules, rule.rule_id, "price rule")
        if rule.version != len(versions) + 1:
            raise rule_changed(rule.rule_id)
        self._check_name(rule)
        self._kept.rules[rule.rule_id] = (*versions, rule)

    def _check_name(self, rule: PriceRule) -> None:
        other = self.find(rule.rule.name)
        if other is not None and other.rule_id != rule.rule_id and rule.status != "archived":
            raise rule_name_taken(rule)

    def get(self, rule_id: str) -> PriceRule:
        """The current version."""
        return found(self._kept.rules, rule_id, "price rule")[-1]

    def find(self, name: str) -> PriceRule | None:
        """The current version of the rule with that name."""
        named = (r for r in self._current() if r.rule.name == name and r.status != "archived")
        return next(named, None)

    def versions(self, rule_id: str) -> Sequence[PriceRule]:
        """All versions, the newest first."""
        return tuple(reversed(found(self._kept.rules, rule_id, "price rule")))

    def in_group(self, name: str) -> Sequence[PriceRule]:
        """The rules in that group."""
        return sorted(
            (
                rule
                for rule in self._current()
                if rule.rule.group and rule.rule.group.name == name and rule.status != "archived"
            ),
            key=lambda rule: rule.rule_id,
        )

    def matching(
        self, reach: BasketReach, at: datetime, as_of: datetime | None = None
    ) -> Sequence[PriceRule]:
        """The active rules that may match."""
        then = self._current() if as_of is None else self._as_of(as_of)
        active = (rule for rule in then if rule.status == "active")
        return in_order(rule for rule in active if _reaches(rule, reach, at))

    def _as_of(self, moment: datetime) -> list[PriceRule]:
        begun = (
            [version for version in versions if version.updated_at <= moment]
            for versions in self._kept.rules.values()
        )
        return [versions[-1] for versions in begun if versions]

    def spells(self, keys: Collection[str] | None, since: datetime) -> Sequence[RuleSpell]:
        """The versions that were active since then."""
        own = None if keys is None else frozenset(keys)
        return [
            RuleSpell(version, later.updated_at if later else None)
            for versions in self._kept.rules.values()
            for version, later in zip_longest(versions, versions[1:])
            if version.status == "active" and (later is None or later.updated_at > since)
            if own is None or _reaches(version, BasketReach(own, own), since)
        ]

    def revision(self, since: datetime) -> Revision:
        """How many versions there are since then."""
        rules = [v for versions in self._kept.rules.values() for v in versions]
        lists = [v for versions in self._kept.list_versions.values() for v in versions]
        return Revision(
            since,
            sum(version.updated_at >= since for version in rules),
            sum(version.published_at >= since for version in lists),
            max(self._kept.forgotten, default=0),
        )

    def known_codes(self, codes: Collection[str]) -> frozenset[str]:
        """Those of the codes that an active rule names."""
        active = (rule for rule in self._current() if rule.status == "active")
        named = {canonical_code(code) for rule in active for code in rule.rule.codes}
        return frozenset(codes) & named

    def usage(
        self,
        rule_ids: Collection[str],
        customer: str | None,
        currency: str,
        as_of: datetime | None = None,
    ) -> Mapping[str, Usage]:
        """What has been used."""
        found_: dict[str, Usage] = {}
        for use in self._kept.rule_uses.values():
            if use.rule_id in rule_ids and _counts(use, as_of):
                before = found_.get(use.rule_id, Usage())
                own = customer is not None and use.customer == customer
                spent = use.amount if use.currency == currency else 0
                found_[use.rule_id] = Usage(
                    before.uses + 1, before.spent + spent, before.by_customer + own
                )
        return found_

    def take(
        self, order_id: str, customer: str | None, takings: Sequence[Taking], at: datetime
    ) -> frozenset[str]:
        """Takes from all, or from none."""
        short = frozenset(
            taking.rule_id for taking in takings if not self._has_left(taking, customer)
        )
        for taking in () if short else takings:
            use = RuleUse(order_id, taking.rule_id, customer, taking.amount, taking.currency, at)
            self._kept.rule_uses[order_id, taking.rule_id] = use
        return short

    def _has_left(self, taking: Taking, customer: str | None) -> bool:
        found_ = self.usage([taking.rule_id], customer, taking.currency)
        limits, used = taking.limits, found_.get(taking.rule_id, Usage())
        return (
            (limits.most_uses is None or used.uses < limits.most_uses)
            and (limits.per_customer is None or used.by_customer < limits.per_customer)
            and (limits.budget is None or used.spent + taking.amount <= limits.budget)
        )

    def give_back(self, order_id: str, at: datetime) -> None:
        """Gives back what an order took."""
        for key, use in list(self._kept.rule_uses.items()):
            if use.order_id == order_id and use.given_back_at is None:
                self._kept.rule_uses[key] = evolve(use, given_back_at=at)


def _fits(query: RuleQuery, rule: PriceRule) -> bool:
    if query.status is None:
        return rule.status != "archived"
    return rule.status == query.status


def _reaches(rule: PriceRule, reach: BasketReach, at: datetime) -> bool:
    own = reach_of(rule.rule)
    return (own.keys is None or not own.keys.isdisjoint(reach.keys)) and own.includes(
        reach.basket_keys, at
    )


def _counts(use: RuleUse, as_of: datetime | None) -> bool:
    if as_of is None:
        return use.given_back_at is None
    given_back = use.given_back_at is not None and use.given_back_at <= as_of
    return use.taken_at <= as_of and not given_back
