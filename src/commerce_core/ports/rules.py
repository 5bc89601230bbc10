"""Port: price rules with their versions, and what of their limits has been used."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from attrs import frozen

from commerce_core.base.errors import Conflict
from commerce_core.ports.listing import Listing
from commerce_core.pricing.priced import Usage
from commerce_core.pricing.public_price import RuleSpell
from commerce_core.pricing.rules import Limits, PriceRule, RuleQuery


@frozen
class BasketReach:
    """What a basket has: all its keys, and those of the basket itself (`pricing.index`)."""

    keys: frozenset[str]
    basket_keys: frozenset[str]


@frozen
class Taking:
    """What an order takes from the limits of a rule, in its currency."""

    rule_id: str
    limits: Limits
    amount: Decimal
    currency: str


@frozen
class Revision:
    """Numbers that grow as rules, price lists and the deleted history do."""

    since: datetime
    rules: int
    lists: int
    forgotten: int


class Rules(Listing[RuleQuery, PriceRule], Protocol):
    """Price rules, oldest first. Listed are the current versions; all versions are kept."""

    def add(self, rule: PriceRule) -> None:
        """Stores the first version. Conflict `rule_name_taken` if the name is another rule's.

        Names of archived rules are free.
        """
        ...

    def put(self, rule: PriceRule) -> None:
        """Stores the next version, which ends the one before at its own `updated_at`.

        Conflict `rule_changed` if that version was stored already, `rule_name_taken` as in `add`.
        """
        ...

    def get(self, rule_id: str) -> PriceRule:
        """The current version of the rule, or NotFound."""
        ...

    def find(self, name: str) -> PriceRule | None:
        """The current version of the rule with that name that isn't archived."""
        ...

    def versions(self, rule_id: str) -> Sequence[PriceRule]:
        """All versions of a rule, the newest first; NotFound if there is none."""
        ...

    def in_group(self, name: str) -> Sequence[PriceRule]:
        """The current versions of the rules in that group that aren't archived, by id."""
        ...

    def matching(
        self, reach: BasketReach, at: datetime, as_of: datetime | None = None
    ) -> Sequence[PriceRule]:
        """The active rules that may match a basket at a moment, in the order of `in_order`.

        These are the current ones, or those that were current `as_of` another moment.
        """
        ...

    def spells(self, keys: Collection[str] | None, since: datetime) -> Sequence[RuleSpell]:
        """Each version that was active at some time after that moment, in any order.

        With `keys`, only those that may match a line of a product with one of these keys, in a
        basket that has no other keys.
        """
        ...

    def revision(self, since: datetime) -> Revision:
        """How much of what prices depend on has changed from that moment on.

        As long as it is equal for the same moment, no rule and no price list has changed, and no
        history has been deleted.
        """
        ...

    def known_codes(self, codes: Collection[str]) -> frozenset[str]:
        """Those of the codes (in canonical form) that an active rule names."""
        ...

    def usage(
        self,
        rule_ids: Collection[str],
        customer: str | None,
        currency: str,
        as_of: datetime | None = None,
    ) -> Mapping[str, Usage]:
        """What of these rules' limits has been used, now or up to that moment.

        What was spent is in that currency; uses are those in all currencies. Rules that haven't
        been used may be left out.
        """
        ...

    def take(
        self, order_id: str, customer: str | None, takings: Sequence[Taking], at: datetime
    ) -> frozenset[str]:
        """Takes from the limits of all these rules, or of none if one of them has too little left.

        Returns the ids of the rules with too little left. They stay locked until this unit ends.
        """
        ...

    def give_back(self, order_id: str, at: datetime) -> None:
        """Gives back what an order took; does nothing the second time."""
        ...


class RulesUnit(Protocol):
    """The part of a unit of work for price rules."""

    @property
    def rules(self) -> Rules:
        """The price rules."""
        ...


def rule_name_taken(rule: PriceRule) -> Conflict:
    """The refusal of a rule whose name is another's."""
    return Conflict(
        f"There already is a price rule named {rule.rule.name!r}.",
        "Choose another name, or change that rule.",
        code="rule_name_taken",
    )


def rule_changed(rule_id: str) -> Conflict:
    """The refusal of a version that another request has just made."""
    return Conflict(
        f"The price rule {rule_id} has been changed in the meantime.",
        "Look at it again, and repeat your change if it is still right.",
        code="rule_changed",
    )
