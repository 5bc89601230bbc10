"""The price of a basket: one pure function that quotes and orders both use.

It takes products with quantities, rules as of a moment, and the moment. Lines of the same product
are one; the order of lines and rules doesn't matter. Always in this order:

    list price ─> the partner's sale ─> line rules ─> order rules, shared among lines
                  └ floors hold at every step ────────────────────────────────────┘

Rules with a higher priority come first, equal ones by id. Everything is computed in exact
fractions, and rounded once per rule and line.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Final, Literal

from attrs import define, field

from commerce_core.base.money import Currency, currency, half_up, round_half_up
from commerce_core.catalog.product import Product
from commerce_core.pricing.benefits import Floor
from commerce_core.pricing.conditions import (
    Failure,
    failures,
    matching,
    sums,
    sums_over,
)
from commerce_core.pricing.exact import Exact, exact, part_of
from commerce_core.pricing.explanation import Adjustment, Outcome, RuleOutcome
from commerce_core.pricing.index import RuleIndex
from commerce_core.pricing.itemising import priced_items
from commerce_core.pricing.lines import Line, Part, new_line
from commerce_core.pricing.price import SALE_LABEL, next_sale_change, partner_price
from commerce_core.pricing.price_list import NO_LISTS, ListPrices, price_for
from commerce_core.pricing.priced import Basket, PricedBasket, RuleUse, Usage, basket_keys
from commerce_core.pricing.rules import Group, PriceRule
from commerce_core.pricing.settling import Settled, Share, in_major, settle
from commerce_core.pricing.takes import take
from commerce_core.pricing.windows import Window

_ASKED_DECIMALS: Final = 6
_WHOLE: Final = 100
"""Percent."""

NO_USES: Final[Mapping[str, Usage]] = {}


def price_basket(
    basket: Basket,
    rules: RuleIndex | Iterable[PriceRule],
    at: datetime,
    usage: Mapping[str, Usage] = NO_USES,
    *,
    lists: ListPrices = NO_LISTS,
    explain: bool = False,
    why_not: str | None = None,
) -> PricedBasket:
    """The price of a basket at a moment under rules whose uses so far are these.

    `lists` has the entries of the price lists that the rules name.

    `explain` also finds out why rules didn't match. `why_not` is the id of a rule whose outcome is
    reported even if it couldn't have matched. ValueError if a product has no price.
    """
    index = rules if isinstance(rules, RuleIndex) else RuleIndex.of(rules)
    return _Pricing.of(basket, at, usage, lists, explain=explain).run(index, why_not)


def total_of(
    basket: Basket, index: RuleIndex, at: datetime, lists: ListPrices = NO_LISTS
) -> Decimal:
    """What the basket costs, as `price_basket`, but without the steps by which it came about."""
    pricing = _Pricing.of(basket, at, NO_USES, lists, explain=False)
    pricing.recording = False
    return pricing.total(index)


@define
class _Pricing:
    """A basket being priced. If it isn't `recording`, only what the lines cost is found out."""

    basket: Basket
    money: Currency
    at: datetime
    usage: Mapping[str, Usage]
    lists: ListPrices
    lines: list[Line]
    explain: bool
    zero: Decimal
    steps: dict[tuple[str, str, str], list[Adjustment]]
    outcomes: list[RuleOutcome] = field(factory=list[RuleOutcome])
    uses: list[RuleUse] = field(factory=list[RuleUse])
    unallocated: int = 0
    recording: bool = True
    _decided: dict[str, PriceRule] = field(factory=dict[str, PriceRule])
    _windows: dict[int, bool] = field(factory=dict[int, bool])

    @classmethod
    def of(
        cls,
        basket: Basket,
        at: datetime,
        usage: Mapping[str, Usage],
        lists: ListPrices,
        *,
        explain: bool,
    ) -> "_Pricing":
        """The basket at the partners' prices, with the same products in one line."""
        money, context = currency(basket.currency), basket.texts()
        counts: dict[str, int] = {}
        products: dict[str, Product] = {}
        for item in basket.items:
            products[item.product.product_id] = item.product
            counts[item.product.product_id] = counts.get(item.product.product_id, 0) + item.quantity
        lines: list[Line] = []
        for product_id, product in products.items():
            listed = partner_price(product, at).list_price
            minor = int(listed.scaleb(money.exponent))
            lines.append(new_line(product, counts[product_id], money, minor, context))
        lines.sort(key=lambda line: line.key)
        return cls(
            basket,
            money,
            at,
            usage,
            lists,
            lines,
            explain,
            money.zero,
            {line.key: [] for line in lines},
        )

    def now(self, window: Window) -> bool:
        """Whether the moment lies within a window."""
        # By identity, since hashing a window takes longer than looking one up.
        known = self._windows.get(id(window))
        if known is None:
            known = self._windows[id(window)] = window.contains(self.at)
        return known

    def run(self, index: RuleIndex, why_not: str | None) -> PricedBasket:
        """Applies the partner's sales and all rules."""
        candidates = index.candidates(self.lines, basket_keys(self.basket), self.at)
        considered = len(candidates)
        if why_not is not None and all(rule.rule_id != why_not for rule, _ in candidates):
            named = next((rule for rule in index.rules if rule.rule_id == why_not), None)
            if named is not None:
                outcome = "not_matched" if named.status == "active" else "not_active"
                self._report(named, outcome)
        self._apply(candidates)
        return self._priced(candidates, considered)

    def total(self, index: RuleIndex) -> Decimal:
        """The same, but only what all lines cost."""
        self._apply(index.candidates(self.lines, basket_keys(self.basket), self.at))
        return in_major(sum(line.total for line in self.lines), self.money.exponent)

    def _apply(self, candidates: Sequence[tuple[PriceRule, Sequence[Line]]]) -> None:
        """Sets floors, and applies sales and rules in their order."""
        self._set_floors(candidates)
        self._apply_sales()
        for stage in ("line", "order"):
            of_stage = [
                (rule, lines)
                for rule, lines in candidates
                if rule.rule.applies_to == stage and not isinstance(rule.rule.benefit, Floor)
            ]
            for rule, lines in of_stage:
                self._turn(rule, lines, of_stage)

    def _set_floors(self, candidates: Sequence[tuple[PriceRule, Sequence[Line]]]) -> None:
        for rule, lines in candidates:
            benefit = rule.rule.benefit
            if not isinstance(benefit, Floor):
                continue
            matched = self._matched(rule, lines)
            for line in matched:
                floor = min(_floor_of(benefit, line, self.lists), line.list_price)
                if floor > line.floor:
                    line.floor, line.floor_label = floor, rule.rule.name
            self._report(rule, "floor" if matched else "not_matched", lines=lines)

    def _apply_sales(self) -> None:
        for line in self.lines:
            if line.product.sale_price is None:
                continue
            priced = partner_price(line.product, self.at)
            if not priced.on_sale:
                continue
            before, asked = line.total, priced.list_price - priced.unit_price
            wanted = line.total - int(priced.unit_price.scaleb(self.money.exponent)) * line.quantity
            amount = min(wanted, line.total - line.lowest)
            if amount > 0:
                line.take([Part(0, line.quantity, amount)], amount, None)
                if not self.recording:
                    continue
                limited = "floor" if amount < wanted else None
                step = Adjustment(
                    "sale", SALE_LABEL, in_major(-amount, self.money.exponent),
                    funded_by="partner", partner_amount=in_major(-amount, self.money.exponent),
                    units=line.quantity, base=in_major(before, self.money.exponent),
                    asked=asked * line.quantity, limited_by=limited,
                    limit_label=line.floor_label if limited else None,
                    total=in_major(line.total, self.money.exponent),
                )  # fmt: skip
                self.steps[line.key].append(step)

    def _matched(self, rule: PriceRule, lines: Sequence[Line]) -> list[Line]:
        """The lines that the rule matches at this point; none if it isn't for this currency."""
        if not lines or self._wrong_currency(rule) is not None:
            return []
        return matching(rule.rule.condition, self.lines, lines, self.now, rule.rule.overs)

    def _wrong_currency(self, rule: PriceRule) -> Failure | None:
        if rule.rule.currency not in (None, self.money.code):
            wanted = f"the currency {rule.rule.currency}"
            return Failure("/currency", wanted, self.money.code)
        if rule.rule.decimals <= self.money.exponent:
            return None
        for at, amount in rule.rule.amounts:
            if not self.money.is_exact(amount):
                wanted = f"a currency in which {amount} is an amount"
                return Failure(f"/benefit{at}", wanted, self.money.code)
        return None

    def _turn(
        self,
        rule: PriceRule,
        lines: Sequence[Line],
        stage: Sequence[tuple[PriceRule, Sequence[Line]]],
    ) -> None:
        """Applies a rule where it stands; the first rule of a `best` group decides for all."""
        group = rule.rule.group
        if group is None or group.mode == "all":
            self._attempt(rule, lines)
        elif group.mode == "first":
            winner = self._decided.get(group.name)
            if winner is not None:
                self._report(rule, "beaten", beaten_by=winner.rule_id)
            elif self._attempt(rule, lines):
                self._decided[group.name] = rule
        elif group.name not in self._decided:
            self._best_of(group, [(r, on) for r, on in stage if r.rule.group == group])

    def _best_of(self, group: Group, members: Sequence[tuple[PriceRule, Sequence[Line]]]) -> None:
        tried = [(rule, lines, *self._settled(rule, lines)) for rule, lines in members]
        able = [entry for entry in tried if entry[2] == "applied"]
        # Of equal ones, the first wins.
        best = max(able, key=lambda entry: entry[3].amount, default=None)
        self._decided[group.name] = best[0] if best else members[0][0]
        for rule, lines, outcome, settled in tried:
            if best is None or outcome != "applied":
                self._report(rule, outcome, lines=lines)
            elif rule is best[0]:
                self._commit(rule, settled)
            else:
                behind = in_major(best[3].amount - settled.amount, self.money.exponent)
                self._report(rule, "beaten", beaten_by=best[0].rule_id, beaten_by_amount=behind)

    def _attempt(self, rule: PriceRule, lines: Sequence[Line]) -> bool:
        """Applies a rule if it can be; whether it had an effect."""
        outcome, settled = self._settled(rule, lines)
        if outcome == "applied":
            self._commit(rule, settled)
        else:
            self._report(rule, outcome, lines=lines)
        return outcome == "applied"

    def _settled(self, rule: PriceRule, lines: Sequence[Line]) -> tuple[Outcome, Settled]:
        """What would become of a rule now, and what it would take."""
        matched = self._matched(rule, lines)
        if not matched:
            return "not_matched", Settled()
        open_ = [line for line in matched if line.closed_by is None]
        if not open_:
            return "closed", Settled()
        settled = settle(rule.rule, take(rule.rule, open_, self.lines, self.now, self.lists))
        if not settled.has_effect:
            return "no_effect", settled
        return self._within_limits(rule, settled), settled

    def _within_limits(self, rule: PriceRule, settled: Settled) -> Outcome:
        limits = rule.rule.limits
        if not limits.counted:
            return "applied"
        used = self.usage.get(rule.rule_id, Usage())
        if limits.per_customer is not None and self.basket.customer is None:
            return "needs_customer"
        spent = used.spent + in_major(settled.amount, self.money.exponent)
        within = (
            (limits.most_uses is None or used.uses < limits.most_uses)
            and (limits.per_customer is None or used.by_customer < limits.per_customer)
            and (limits.budget is None or spent <= limits.budget)
        )
        return "applied" if within else "used_up"

    def _commit(self, rule: PriceRule, settled: Settled) -> None:
        group = rule.rule.group.name if rule.rule.group else None
        # A set uses all of its units, those on lines that are paid in full too.
        uses_all = group is not None and rule.rule.benefit.traits.uses_sets
        for share in settled.shares:
            if share.amount or uses_all:
                share.line.take(share.parts, share.amount, group)
            if share.amount:
                if self.recording:
                    self.steps[share.line.key].append(self._step(rule, share))
                if rule.rule.final:
                    share.line.closed_by = rule.rule_id
        amount = in_major(settled.amount, self.money.exponent)
        if rule.rule.limits.counted:
            self.uses.append(RuleUse(rule.rule_id, amount))
        self.unallocated += settled.unallocated
        unallocated = in_major(settled.unallocated, self.money.exponent)
        self._report(rule, "applied", amount=amount, unallocated=unallocated or None)

    def _step(self, rule: PriceRule, share: Share) -> Adjustment:
        percent, exponent = rule.rule.partner_percent, self.money.exponent
        amount = in_major(-share.amount, exponent)
        return Adjustment(
            "rule", rule.rule.name, amount, rule.rule_id, rule.version,
            funded_by=_funded_by(percent),
            partner_amount=self.money.round(amount * percent / 100) if percent else self.zero,
            on=rule.rule.on, units=share.units,
            base=in_major(round_half_up(share.base), exponent),
            asked=_size(share.asked, self.money),
            limited_by=share.limited_by,
            limit_label=share.line.floor_label if share.limited_by == "floor" else None,
            total=in_major(share.line.total, exponent),
        )  # fmt: skip

    def _report(
        self,
        rule: PriceRule,
        outcome: Outcome,
        *,
        lines: Sequence[Line] = (),
        amount: Decimal | None = None,
        beaten_by: str | None = None,
        beaten_by_amount: Decimal | None = None,
        unallocated: Decimal | None = None,
    ) -> None:
        if not self.recording:
            return
        why = self._why(rule, lines) if self.explain and outcome == "not_matched" else ()
        known = RuleOutcome(
            rule.rule_id, rule.version, rule.rule.name, outcome, amount or self.zero, why,
            beaten_by, beaten_by_amount, unallocated,
        )  # fmt: skip
        self.outcomes.append(known)

    def _why(self, rule: PriceRule, lines: Sequence[Line]) -> tuple[Failure, ...]:
        """The fewest parts of its condition that would have to change, on the nearest line."""
        wrong, condition = self._wrong_currency(rule), rule.rule.condition
        if wrong is not None:
            return (wrong,)
        if condition is None:
            return ()
        found = sums(sums_over(condition), self.lines, lines or self.lines)
        ways = (failures(condition, line, found, self.now) for line in lines or self.lines)
        return min(ways, key=len, default=())

    def _priced(
        self, candidates: Sequence[tuple[PriceRule, Sequence[Line]]], considered: int
    ) -> PricedBasket:
        items = priced_items(self.basket, self.lines, self.steps, self.money)
        zero = self.zero
        return PricedBasket(
            currency=self.money.code,
            list_total=sum((item.list_price * item.quantity for item in items), zero),
            total_amount=sum((item.line_total for item in items), zero),
            items=items,
            unallocated=in_major(self.unallocated, self.money.exponent),
            outcomes=tuple(self.outcomes),
            uses=tuple(self.uses),
            rules_considered=considered,
            valid_until=self._valid_until(rule for rule, _ in candidates),
        )

    def _valid_until(self, rules: Iterable[PriceRule]) -> datetime | None:
        """The next moment at which a window or a sale begins or ends."""
        every = {window for rule in rules for window in rule.rule.windows}
        changes = [window.next_change(self.at) for window in every]
        changes += [next_sale_change(line.product, self.at) for line in self.lines]
        return min((change for change in changes if change is not None), default=None)


def _floor_of(benefit: Floor, line: Line, lists: ListPrices) -> Exact:
    """The lowest price of a unit, in smallest units."""
    price = exact(benefit.price, line.scale) if benefit.price is not None else 0
    share = benefit.percent_of_list
    of_list = exact(share, line.list_price) if share is not None else 0
    return max(price, part_of(of_list, 1, _WHOLE), _cost_with_margin(benefit, line, lists))


def _cost_with_margin(benefit: Floor, line: Line, lists: ListPrices) -> Exact:
    """What a unit costs, and a percentage of it; 0 if the cost isn't known."""
    steps = lists.get(benefit.cost_list or "", {}).get(line.product.sku, ())
    cost = price_for(steps, line.quantity)
    if cost is None or benefit.margin_percent is None:
        return 0
    minor = exact(cost, line.scale)
    return part_of(minor * (_WHOLE + Fraction(benefit.margin_percent)), 1, _WHOLE)


def _size(minor: Exact, money: Currency) -> Decimal:
    """The size of an amount of smallest units, in major ones, with up to six decimals.

    It has no fewer decimals than its currency.
    """
    if isinstance(minor, int):
        return in_major(abs(minor), money.exponent)
    more = 10 ** (_ASKED_DECIMALS - money.exponent)
    rounded = half_up(abs(minor.numerator) * more, minor.denominator)
    whole, rest = divmod(rounded, more)
    return (
        Decimal(rounded).scaleb(-_ASKED_DECIMALS).normalize()
        if rest
        else in_major(whole, money.exponent)
    )


def _funded_by(partner_percent: Decimal) -> Literal["platform", "partner", "both"]:
    """Who pays for a rule of which the partner pays that much."""
    if not partner_percent:
        return "platform"
    return "partner" if partner_percent == _WHOLE else "both"
