"""Price rules: their list with lint and quotes, and one rule with what it would change."""

import json
from typing import Any, Literal

from attrs import frozen

from commerce_core.base.errors import CommerceError
from commerce_core.commerce import Commerce
from commerce_core.orders.wanted import Wanted
from commerce_core.pricing.basket_terms import BasketTerms
from commerce_core.pricing.form import rule_form
from commerce_core.pricing.rules import RuleQuery, RuleStatus
from commerce_core.pricing.wording import benefit_words
from entrypoints.dashboard.kit.pages import Goto, act, page
from entrypoints.dashboard.kit.rendering import View
from entrypoints.http.kit.queries import instant
from entrypoints.reading import optional, required
from entrypoints.scalars import Moment, RuleId


@frozen(kw_only=True)
class Filters:
    """Which rules, and what to ask of them."""

    status: RuleStatus = optional("active", "Status.")
    cursor: str | None = optional(None, "Where the page begins.")
    lint: bool = optional(default=False, meaning="Whether to look for what is odd.")
    quote_partner: str | None = optional(None, "Partner.")
    quote_sku: str | None = optional(None, "Sku.")
    quantity: int = optional(1, "Quantity.")
    code: str | None = optional(None, "Code.")
    why_not: str | None = optional(None, "Rule.")

    @property
    def asks_a_lot(self) -> bool:
        """Whether it takes more than a list."""
        return self.lint or bool(self.quote_sku)


@frozen(kw_only=True)
class Since:
    """The orders that are priced again."""

    since: Moment | None = optional(None, "From when on.")


@frozen(kw_only=True)
class NewStatus:
    """Another status of a rule."""

    status: Literal["active", "paused", "archived"] = required("Status.")
    version: int = required("The version that was shown.")


@page("/rules", scope="pricing:read", is_expensive=lambda f: bool(f and f.asks_a_lot))
def show_rules(commerce: Commerce, parameters: Filters) -> View:
    """Lists rules; on request, with what is odd about them, or with a quote."""
    rules = commerce.pricing.page(RuleQuery(parameters.status), parameters.cursor)
    values = {
        "rules": rules,
        "filters": parameters,
        "benefits": {r.rule_id: benefit_words(r.rule) for r in rules.items},
        "findings": commerce.pricing.lint() if parameters.lint else None,
        **_quote(commerce, parameters),
    }
    return View(
        "rules.html", "Price rules", values=values, curl="/pricing/rules", command="pricing list"
    )


def _quote(commerce: Commerce, asked: Filters) -> dict[str, Any]:
    """What a basket of one line costs, and why; or why it can't be priced."""
    values: dict[str, Any] = {"quote": None, "sentences": [], "quote_refused": ""}
    if not (asked.quote_partner and asked.quote_sku):
        return values
    try:
        product = commerce.products.get(partner=asked.quote_partner, sku=asked.quote_sku)
        quote = commerce.pricing.quote(
            [Wanted(asked.quantity, product.product_id)],
            terms=BasketTerms(codes=(asked.code,) if asked.code else ()),
            why_not=asked.why_not,
            explain=True,
        )
    except CommerceError as error:
        return {**values, "quote_refused": str(error)}
    sentences = [list(zip(item.adjustments, item.explanation, strict=True)) for item in quote.items]
    return {**values, "quote": quote, "sentences": sentences}


@page("/rules/{rule_id:str}", scope="pricing:read", is_expensive=lambda s: bool(s and s.since))
def show_rule(commerce: Commerce, rule_id: RuleId, parameters: Since) -> View:
    """Shows a rule; on request, what past orders would have cost under it."""
    rule = commerce.pricing.get(rule_id)
    what_if = None
    names: dict[str, str] = {}
    since = instant(parameters.since)
    if since is not None:
        what_if = commerce.pricing.what_if([rule.rule], since=since)
        with commerce.context.store.read_only() as unit:
            names = dict(unit.partners.names({row.key for row in what_if.by_partner}))
    values = {
        "rule": rule,
        "benefit": benefit_words(rule.rule),
        "text": json.dumps(rule_form(rule.rule), indent=2, ensure_ascii=False),
        "versions": commerce.pricing.versions(rule_id),
        "filters": parameters,
        "what_if": what_if,
        "names": names,
    }
    return View(
        "rule.html", rule.rule.name, values=values, curl=f"/pricing/rules/{rule_id}",
        command=f"pricing show {rule_id}",
    )  # fmt: skip


@act("/rules/{rule_id:str}", scope="pricing:write")
def change_rule(commerce: Commerce, rule_id: RuleId, form: NewStatus) -> Goto:
    """Gives a rule another status."""
    rule = commerce.pricing.change(rule_id, status=form.status, version=form.version)
    return Goto(f"/rules/{rule_id}", f"Now {rule.status}.")


ROUTES = (show_rules, show_rule, change_rule)
