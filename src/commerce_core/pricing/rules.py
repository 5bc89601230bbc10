"""Price rules: the operator's data, versioned and never deleted.

A rule is a condition, a benefit, and how it stands beside other rules. What can't be computed
sensibly is refused when the rule is made, and all faults are reported at once.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import combinations, pairwise
from typing import ClassVar, Final, Literal

from attrs import field, frozen

from commerce_core.base.errors import Fault, InvalidInput
from commerce_core.base.money import LARGEST_AMOUNT, decimals_of, find_currency
from commerce_core.base.text import UNSTORABLE, tidy_name
from commerce_core.pricing.benefits import (
    Benefit,
    Floor,
    Tiers,
    amounts_of,
    conditions_of,
)
from commerce_core.pricing.conditions import (
    All,
    AnyOf,
    Condition,
    HasAttribute,
    Is,
    Not,
    Over,
    PriceWithin,
    Quantity,
    Total,
    parts,
    sums_over,
)
from commerce_core.pricing.windows import Window

RuleStatus = Literal["draft", "active", "paused", "archived"]
GroupMode = Literal["all", "first", "best"]
LARGEST_PRIORITY: Final = 1_000_000
LONGEST_RULE_NAME: Final = 200
MOST_PARTS: Final = 500
"""The most conditions in one rule."""


@frozen
class Group:
    """Rules of a group share units: each unit is used by at most one of them.

    A rule uses the units that it reduces, and those that are bought for a set.
    `all` lets every rule apply that finds units; `first` only the first one that has an effect, and
    `best` only the one that takes off most from this basket.
    """

    name: str
    mode: GroupMode


@frozen
class Limits:
    """How often and how far a rule applies; None is unlimited.

    `max_amount` is per order; `most_uses` and `per_customer` count orders on which it had an
    effect; `budget` is all that it may take off in each currency.
    """

    max_amount: Decimal | None = None
    most_uses: int | None = None
    per_customer: int | None = None
    budget: Decimal | None = None

    @property
    def counted(self) -> bool:
        """Whether uses have to be recorded."""
        return (self.most_uses, self.per_customer, self.budget) != (None, None, None)


def _canonical_currency(code: str | None) -> str | None:
    """The code as baskets have it; an unknown one stays as it is."""
    money = find_currency(code) if code else None
    return money.code if money else code


@frozen(kw_only=True)
class Rule:
    """What a rule says. InvalidInput if it can't be computed sensibly.

    `on` is what a percentage is of: the running price, or the list price. `currency` limits it to
    baskets in that currency. `partner_percent` is the partner's share of what it takes off.
    """

    name: str
    benefit: Benefit
    condition: Condition | None = None
    applies_to: Literal["line", "order"] = "line"
    priority: int = 0
    group: Group | None = None
    final: bool = False
    on: Literal["running", "list"] = "running"
    currency: str | None = field(default=None, converter=_canonical_currency)
    limits: Limits = field(factory=Limits)
    partner_percent: Decimal = Decimal(0)
    overs: frozenset[Over] = field(init=False, eq=False, repr=False)
    windows: tuple[Window, ...] = field(init=False, eq=False, repr=False)
    amounts: tuple[tuple[str, Decimal], ...] = field(init=False, eq=False, repr=False)
    decimals: int = field(init=False, eq=False, repr=False)
    """The most decimals that one of its amounts needs."""

    def __attrs_post_init__(self) -> None:
        """Lists every fault with its JSON pointer; keeps what baskets ask each rule for."""
        object.__setattr__(self, "overs", sums_over(self.condition))
        object.__setattr__(self, "windows", tuple(_windows(self)))
        object.__setattr__(self, "amounts", tuple(amounts_of(self.benefit)))
        needed = (decimals_of(amount) for _, amount in self.amounts)
        object.__setattr__(self, "decimals", max(needed, default=0))
        faults = [*_faults_of_rule(self), *_faults_of_money(self), *_faults_of_conditions(self)]
        if faults:
            raise InvalidInput("The price rule isn't valid.", faults=faults, code="bad_price_rule")

    @property
    def codes(self) -> frozenset[str]:
        """The codes that it names, as they were written."""
        named = (p for p in parts(self.condition) if isinstance(p, Is)) if self.condition else ()
        return frozenset(text for part in named if part.field == "code" for text in part.values)


@frozen(kw_only=True)
class PriceRule:
    """A version of a rule; the first is 1. It is the current one from `updated_at` on."""

    rule_id: str
    version: int
    status: RuleStatus
    rule: Rule
    created_at: datetime
    updated_at: datetime

    @property
    def order(self) -> tuple[int, str]:
        """Sorts rules as they are applied: higher priority first, then by id."""
        return -self.rule.priority, self.rule_id


@frozen
class RuleQuery:
    """Selects current rules, oldest first; archived ones only if that status is asked for."""

    IDENTITY: ClassVar = "RuleQuery(status={0.status!r})"
    status: RuleStatus | None = None


def _windows(rule: Rule) -> Iterator[Window]:
    """Every window in the rule's conditions, and in those of its benefit."""
    own = () if rule.condition is None else (rule.condition,)
    for condition in (*own, *(each for _, each in conditions_of(rule.benefit))):
        yield from (part for part in parts(condition) if isinstance(part, Window))


def _faults_of_rule(rule: Rule) -> Iterator[Fault]:
    if not _is_name(rule.name):
        detail = f"Use 1 to {LONGEST_RULE_NAME} characters, without blanks around them."
        yield Fault("/name", "bad_name", detail)
    if rule.group is not None and not _is_name(rule.group.name):
        yield Fault("/group/name", "bad_name", f"Use 1 to {LONGEST_RULE_NAME} characters.")
    if abs(rule.priority) > LARGEST_PRIORITY:
        detail = f"Use a priority from -{LARGEST_PRIORITY:,} to {LARGEST_PRIORITY:,}."
        yield Fault("/priority", "out_of_range", detail)
    if rule.applies_to == "order" and not rule.benefit.traits.of_orders:
        detail = "This benefit changes the prices of units; use it with applies_to line."
        yield Fault("/applies_to", "contradiction", detail)
    if rule.on == "list" and not rule.benefit.traits.of_list:
        detail = "This benefit isn't a share of a price; leave on out."
        yield Fault("/on", "contradiction", detail)
    if rule.currency is not None and find_currency(rule.currency) is None:
        yield Fault("/currency", "unknown_currency", "Use an ISO 4217 code, such as EUR.")
    if isinstance(rule.benefit, Floor) and (rule.limits != Limits() or rule.group or rule.final):
        yield Fault("/benefit/floor", "contradiction", "A floor has no limits and no group.")
    if isinstance(rule.benefit, Floor) and rule.benefit == Floor():
        detail = "Name a price, a percent_of_list, or a margin_percent."
        yield Fault("/benefit/floor", "required", detail)
    if isinstance(rule.benefit, Floor):
        given = {"margin_percent": rule.benefit.margin_percent, "cost_list": rule.benefit.cost_list}
        lacking = [name for name, value in given.items() if value is None]
        if len(lacking) == 1:
            detail = "A margin needs both margin_percent and cost_list."
            yield Fault(f"/benefit/floor/{lacking[0]}", "required", detail)
    if isinstance(rule.benefit, Tiers):
        for number, (one, other) in enumerate(pairwise(rule.benefit.steps), 1):
            if one.from_ >= other.from_:
                detail = "Each step begins at more units than the one before it."
                yield Fault(f"/benefit/tiers/steps/{number}/from", "contradiction", detail)


def _is_name(name: str) -> bool:
    fits = 1 <= len(name) <= LONGEST_RULE_NAME and not UNSTORABLE.search(name)
    return fits and name == tidy_name(name)


def _faults_of_money(rule: Rule) -> Iterator[Fault]:
    limits = (("max_amount", rule.limits.max_amount), ("budget", rule.limits.budget))
    amounts = [
        *((f"/benefit{at}", amount) for at, amount in rule.amounts),
        *((f"/limits/{name}", amount) for name, amount in limits if amount is not None),
    ]
    money = find_currency(rule.currency) if rule.currency else None
    for at, amount in amounts:
        if not 0 <= amount <= LARGEST_AMOUNT:
            yield Fault(at, "out_of_range", f"Use an amount from 0 to {LARGEST_AMOUNT}.")
        elif money is not None and not money.is_exact(amount):
            detail = f"{amount} has more decimals than {money.code}, which has {money.exponent}."
            yield Fault(at, "not_an_amount", detail)


def _faults_of_conditions(rule: Rule) -> Iterator[Fault]:
    own = [("/condition", rule.condition)] if rule.condition is not None else []
    conditions = [*own, *((f"/benefit{at}", c) for at, c in conditions_of(rule.benefit))]
    if sum(1 for _, condition in conditions for _ in parts(condition)) > MOST_PARTS:
        detail = f"A rule has at most {MOST_PARTS} conditions."
        yield Fault("/condition", "too_many", detail)
        return
    for at, condition in conditions:
        yield from _faults_of_condition(at, condition)


def _faults_of_condition(at: str, condition: Condition) -> Iterator[Fault]:
    match condition:
        case All(within) | AnyOf(within):
            word = "all" if isinstance(condition, All) else "any"
            for number, each in enumerate(within):
                yield from _faults_of_condition(f"{at}/{word}/{number}", each)
            if isinstance(condition, All):
                yield from _disjoint(at, within)
        case PriceWithin() | Quantity() | Total():
            low, high = condition.min, condition.max
            if low is not None and high is not None and low > high:
                detail = "min is above max, so nothing matches."
                yield Fault(f"{at}/{_name_of(condition)}/max", "contradiction", detail)
        case Window():
            if condition.begins and condition.ends and condition.begins >= condition.ends:
                detail = _why_empty(condition)
                yield Fault(f"{at}/window/until", "contradiction", detail)
        case Not(inner):
            yield from _faults_of_condition(f"{at}/not", inner)
        case Is("currency", values):
            for code in values:
                if find_currency(code) is None:
                    detail = f"{code[:20]!r} is not an ISO 4217 code, such as EUR."
                    yield Fault(f"{at}/currency", "unknown_currency", detail)
        case Is() | HasAttribute():
            return


def _why_empty(window: Window) -> str:
    if isinstance(window.from_, datetime) and isinstance(window.until, datetime):
        if window.from_ < window.until:
            return f"The clocks of {window.tz} skip all of it; use times that they show."
        if window.from_ == window.until:
            return "The window ends when it begins; until is excluded."
    return "The window ends before it begins."


def _name_of(condition: PriceWithin | Quantity | Total) -> str:
    """The member that holds the condition in a rule's written form."""
    match condition:
        case PriceWithin(of, _, _):
            return f"{of}_price"
        case Quantity():
            return "quantity"
        case Total():
            return "total"


SINGLE: Final = (
    "source", "brand", "sku", "group_id", "customer", "customer_group", "channel", "currency",
)  # fmt: skip
"""Texts of which a line has only one."""


def _disjoint(at: str, conditions: Sequence[Condition]) -> Iterator[Fault]:
    known = ((n, c) for n, c in enumerate(conditions) if isinstance(c, Is) and c.field in SINGLE)
    for (_, one), (number, other) in combinations(known, 2):
        if one.field == other.field and set(one.values).isdisjoint(other.values):
            detail = f"Nothing has this {one.field} and the one before, so nothing matches."
            yield Fault(f"{at}/all/{number}/{other.field}", "contradiction", detail)


def in_order(rules: Iterable[PriceRule]) -> list[PriceRule]:
    """The rules as they are applied."""
    return sorted(rules, key=lambda rule: rule.order)


def conflicts(rules: Sequence[Rule], beside: Iterable[Rule] = ()) -> Iterator[Fault]:
    """The faults, at `/rules/n`, of rules that can't stand together, or beside these others.

    Two have one name, or their group differs from rule to rule.
    """
    names: set[str] = set()
    groups = {rule.group.name: rule for rule in beside if rule.group is not None}
    for number, rule in enumerate(rules):
        if rule.name in names:
            detail = f"Another of these rules is named {rule.name!r} too."
            yield Fault(f"/rules/{number}/name", "duplicate_name", detail)
        names.add(rule.name)
        if rule.group is not None:
            known = groups.setdefault(rule.group.name, rule)
            fault = group_conflict(rule, [known])
            if fault is not None:
                yield Fault(f"/rules/{number}{fault.pointer}", fault.code, fault.detail)


def group_conflict(rule: Rule, others: Iterable[Rule]) -> Fault | None:
    """The fault of a rule whose group has another mode, or another stage, in other rules."""
    for other in others:
        group = other.group
        if rule.group is None or group is None or group.name != rule.group.name:
            continue
        if group.mode != rule.group.mode:
            detail = f"The group's mode is {group.mode} in the rule {other.name!r}."
            return Fault("/group/mode", "group_mode_differs", detail)
        if group.mode == "best" and other.applies_to != rule.applies_to:
            detail = f"The rule {other.name!r} of this group applies to {other.applies_to}."
            return Fault("/applies_to", "group_stage_differs", detail)
    return None
