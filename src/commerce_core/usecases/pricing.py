"""Pricing: the operator's price rules, and what a basket costs under them."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Final

from attrs import evolve, frozen

from commerce_core.base.errors import Fault, InvalidInput, NotFound
from commerce_core.base.ids import looks_like, parse
from commerce_core.base.paging import DEFAULT_LIMIT
from commerce_core.catalog.product import Product
from commerce_core.orders.wanted import Wanted, check_request, judge_prices
from commerce_core.ports.store import UnitOfWork
from commerce_core.pricing.basket_terms import NO_TERMS, BasketTerms
from commerce_core.pricing.form import rule_form
from commerce_core.pricing.form_conditions import YEARS
from commerce_core.pricing.lint import Finding, lint
from commerce_core.pricing.priced import Basket, BasketItem, PricedBasket
from commerce_core.pricing.rules import PriceRule, Rule, RuleQuery, RuleStatus, conflicts
from commerce_core.pricing.what_if import MOST_ORDERS, WhatIf
from commerce_core.usecases.acts import Acts
from commerce_core.usecases.basket_prices import Prices, StillHeld
from commerce_core.usecases.context import Context, IdempotencyKey, Listed
from commerce_core.usecases.found_products import found_products
from commerce_core.usecases.repricing import Repricing
from commerce_core.usecases.rule_book import RuleBook, RuleChange, RuleForm, as_rule, faults_at

_EVERY_RULE: Final = RuleQuery()


@frozen
class _Asked:
    """What is asked of `quote`."""

    items: Sequence[Wanted]
    terms: BasketTerms
    at: datetime | None
    rules: Sequence[Rule | RuleForm] | None
    why_not: str | None
    explain: bool
    releases: bool = True
    """Whether limits that expired orders hold are to be given back first."""


@frozen
class Pricing:
    """Price rules, each change of which is a new version; and quotes."""

    _context: Context

    def add(
        self,
        rule: Rule | RuleForm,
        *,
        status: RuleStatus = "active",
        key: IdempotencyKey | str | None = None,
    ) -> PriceRule:
        """A new rule. InvalidInput lists everything that is wrong with it.

        Conflict `rule_name_taken` if another rule that isn't archived has its name.
        """
        read = as_rule(rule)
        request = ("add_rule", rule_form(read), status)
        with self._context.writing() as unit:
            book = RuleBook(self._context, unit)
            return self._context.once(
                unit, key, request, lambda: book.add(read, status), answer=PriceRule
            )

    def change(
        self,
        rule_id: str,
        rule: Rule | RuleForm | None = None,
        *,
        status: RuleStatus | None = None,
        version: int | None = None,
        seen: int | None = None,
    ) -> PriceRule:
        """Makes the next version of a rule, with another text, another status, or both.

        Returns the current version if nothing changes. Conflict `rule_changed` if `version` is
        given and isn't the current one, or if it is changed by another request at the same moment;
        `rule_archived` if it was archived. Stale if the caller has `seen` another version.
        """
        read = None if rule is None else as_rule(rule)
        with self._context.writing() as unit:
            book = RuleBook(self._context, unit)
            return book.change(book.current(rule_id, version, seen), read, status)

    def save(self, rules: Iterable[Rule | RuleForm], *, plan: bool = False) -> Sequence[RuleChange]:
        """Adds rules, or makes each the next version of the rule with its name: all, or none.

        With `plan`, nothing is written. The faults of the n-th rule are at `/rules/n`.
        """
        given = list(islice(rules, MOST_SAVED + 1))
        if len(given) > MOST_SAVED:
            detail = f"Save at most {MOST_SAVED:,} rules at once."
            raise InvalidInput.at("/rules", "too_many", detail)
        read, found = _as_rules(given), list[RuleChange]()
        _refuse_conflicts(read)
        names = frozenset(rule.name for rule in read)
        store = self._context.store
        with store.begin(dry_run=True) if plan else self._context.writing() as unit:
            book = RuleBook(self._context, unit)
            for number, rule in enumerate(read):
                with faults_at(f"/rules/{number}"):
                    found.append(book.save(rule, names))
        return found

    def archive(self, rule_id: str, *, seen: int | None = None) -> PriceRule:
        """Ends a rule for good; it and its versions are kept. Its name is free again.

        Stale if the caller has `seen` another version.
        """
        return self.change(rule_id, status="archived", seen=seen)

    def get(self, rule: str) -> PriceRule:
        """The current version of the rule with that id or name."""
        with self._context.store.begin() as unit:
            return _found(unit, rule)

    def versions(self, rule_id: str) -> Sequence[PriceRule]:
        """All versions of a rule, the newest first."""
        with self._context.store.begin() as unit:
            return unit.rules.versions(parse("rule", rule_id))

    def list(self, query: RuleQuery = _EVERY_RULE) -> Iterator[PriceRule]:
        """All matching rules, oldest first; archived ones only if the query names that status."""
        return self._context.walk(lambda unit: unit.rules, query)

    def page(
        self,
        query: RuleQuery = _EVERY_RULE,
        cursor: str | None = None,
        limit: int = DEFAULT_LIMIT,
        *,
        count: bool = False,
    ) -> Listed[PriceRule]:
        """A page of the matching rules, oldest first."""
        with self._context.store.read_only() as unit:
            return self._context.listed(unit.rules, query, cursor, limit, count=count)

    def lint(self, rules: Sequence[Rule | RuleForm] = ()) -> Sequence[Finding]:
        """What is odd about the active rules, together with these as if they were active.

        A rule with the name of an active one is taken instead of it.
        """
        return lint(self.proposed(rules), self._context.clock())

    def what_if(
        self,
        rules: Sequence[Rule | RuleForm] = (),
        *,
        since: datetime,
        until: datetime | None = None,
    ) -> WhatIf:
        """What the orders placed in a range would have cost under the active rules with these.

        A rule with the name of an active one is taken instead of it. Nothing is written.
        InvalidInput `too_many_orders` if the range has too many; `what_ifs` takes more.
        """
        proposed = self.proposed(rules)
        now = self._context.clock()
        return Repricing(self._context, proposed).run(since, until or now, MOST_ORDERS)

    def proposed(self, rules: Sequence[Rule | RuleForm]) -> Sequence[PriceRule]:
        """The active rules, with these added or taken instead of them."""
        active = tuple(self.list(RuleQuery("active")))
        with self._context.store.begin(dry_run=True) as unit:
            drafts = self._drafts(unit, rules, self._context.clock())
        names = {draft.rule.name for draft in drafts}
        staying = [rule for rule in active if rule.rule.name not in names]
        _refuse_conflicts([draft.rule for draft in drafts], (rule.rule for rule in staying))
        return [*staying, *drafts]

    def quote(
        self,
        items: Iterable[Wanted | tuple[str, int]],
        *,
        terms: BasketTerms = NO_TERMS,
        at: datetime | None = None,
        rules: Sequence[Rule | RuleForm] | None = None,
        why_not: str | None = None,
        explain: bool = False,
    ) -> PricedBasket:
        """What these items cost now, or `at` another moment; reserves and writes nothing.

        `rules` are tried instead of the active ones. `explain` also says what became of every rule
        that could have applied, and `why_not` what became of the rule with that id or name. At a
        moment in the past, products, rules and their uses are as they were then. InvalidInput, with
        every reason, if the items can't be priced.
        """
        wanted = [item if isinstance(item, Wanted) else Wanted(item[1], item[0]) for item in items]
        check_request(wanted, None, {})
        terms.check()
        if at is not None and at.year not in YEARS:
            detail = f"The year must be {YEARS[0]} to {YEARS[-1]}."
            raise InvalidInput.at("/at", "out_of_range", detail)
        asked = _Asked(wanted, terms, at, rules, why_not, explain)
        try:
            return self._quoted(asked)
        except StillHeld as held:
            Acts(self._context).expire(held.order_ids)
            return self._quoted(evolve(asked, releases=False))

    def _quoted(self, asked: "_Asked") -> PricedBasket:
        now, at, explain = self._context.clock(), asked.at, asked.explain
        past = at if at is not None and at < now else None
        with self._context.store.begin(dry_run=True) as unit:
            products = found_products(self._context, unit, asked.items, past)
            basket = _basket(asked.items, products, asked.terms)
            prices = Prices(unit)
            drafts = None if asked.rules is None else self._drafts(unit, asked.rules, now)
            found = prices.rules(basket, at or now, past) if drafts is None else drafts
            named = None if asked.why_not is None else self._named(unit, asked.why_not, found)
            considered = found if named is None else [*found, named]
            priced = prices.price(
                basket, at or now, considered, as_of=past,
                explain=explain or asked.why_not is not None,
                why_not=named.rule_id if named else None,
            )  # fmt: skip
            if past is None and asked.releases:
                prices.check_held(priced, now)
            if drafts is None and past is None:
                _refuse(list(prices.code_faults(basket, found, priced)))
        return priced if explain else _only(priced, asked.why_not)

    def _drafts(
        self, unit: UnitOfWork, rules: Sequence[Rule | RuleForm], now: datetime
    ) -> Sequence[PriceRule]:
        """Rules as if they were active, and newer than all others."""
        if len(rules) > MOST_DRAFTS:
            raise InvalidInput.at("/rules", "too_many", f"Try at most {MOST_DRAFTS} rules.")
        book, read = RuleBook(self._context, unit), list[Rule]()
        for number, rule in enumerate(_as_rules(rules)):
            with faults_at(f"/rules/{number}"):
                read.append(book.checked(rule, (), drafted=True))
        _refuse_conflicts(read)
        return [
            PriceRule(
                rule_id=_DRAFT_ID.format(number), version=1, status="active", created_at=now,
                updated_at=now, rule=rule,
            )
            for number, rule in enumerate(read)
        ]  # fmt: skip

    def _named(
        self, unit: UnitOfWork, why_not: str, found: Sequence[PriceRule]
    ) -> PriceRule | None:
        """The rule asked about; None if it is among those that could apply."""
        if any(why_not in (rule.rule_id, rule.rule.name) for rule in found):
            return None
        return _found(unit, why_not)


_DRAFT_ID: Final = "rule_" + "f" * 24 + "{:08x}"
MOST_DRAFTS: Final = 200
"""The most rules that a quote may try."""
MOST_SAVED: Final = 1_000
"""The most rules that are saved at once."""


def _found(unit: UnitOfWork, name_or_id: str) -> PriceRule:
    """The current version of the rule with that id or name; NotFound if there is none."""
    if looks_like("rule", name_or_id):
        return unit.rules.get(parse("rule", name_or_id))
    found = unit.rules.find(name_or_id)
    if found is None:
        raise NotFound(f"There is no price rule {name_or_id[:80]!r}.")
    return found


def _as_rules(rules: Iterable[Rule | RuleForm]) -> Sequence[Rule]:
    """The rules that were given; the faults of the n-th are at `/rules/n`."""
    read: list[Rule] = []
    for number, rule in enumerate(rules):
        with faults_at(f"/rules/{number}"):
            read.append(as_rule(rule))
    return read


def _refuse_conflicts(rules: Sequence[Rule], beside: Iterable[Rule] = ()) -> None:
    faults = list(conflicts(rules, beside))
    if faults:
        raise InvalidInput("The price rules contradict each other.", faults=faults)


def _basket(
    wanted: Sequence[Wanted], products: Sequence[Product | None], terms: BasketTerms
) -> Basket:
    _refuse(judge_prices(wanted, products))
    pairs = zip(products, wanted, strict=True)
    return terms.basket(tuple(BasketItem(p, item.quantity) for p, item in pairs if p))


def _refuse(faults: Sequence[Fault]) -> None:
    if faults:
        raise InvalidInput("The basket can't be priced.", faults=faults, code="quote_refused")


def _only(priced: PricedBasket, rule: str | None) -> PricedBasket:
    """The price with what became of that one rule."""
    asked = (outcome for outcome in priced.outcomes if rule in (outcome.rule_id, outcome.name))
    return evolve(priced, outcomes=tuple(asked))
