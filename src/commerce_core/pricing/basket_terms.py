"""The terms of a basket: what decides its price besides its items (codes, and who buys where)."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from attrs import frozen

from commerce_core.base.errors import Conflict, Fault, InvalidInput
from commerce_core.base.text import UNSTORABLE
from commerce_core.pricing.lines import canonical_code
from commerce_core.pricing.priced import Basket, BasketItem, PricedBasket

MOST_CODES: Final = 20
LONGEST_TERM: Final = 255


@frozen
class BasketTerms:
    """Codes, and who buys where. `customer` is the client's own id, and no personal data."""

    codes: tuple[str, ...] = ()
    customer: str | None = None
    customer_group: str | None = None
    channel: str | None = None

    def check(self) -> None:
        """InvalidInput lists every fault, each with its JSON pointer."""
        faults = list(self._faults())
        if faults:
            raise InvalidInput("The terms of the price aren't valid.", faults=faults)

    def _faults(self) -> Iterator[Fault]:
        detail = f"Use 1 to {LONGEST_TERM} characters, without NUL."
        if len(self.codes) > MOST_CODES:
            yield Fault("/codes", "too_many", f"Use at most {MOST_CODES} codes.")
        named = [(f"/codes/{n}", code) for n, code in enumerate(self.codes)]
        for name in ("customer", "customer_group", "channel"):
            text: str | None = getattr(self, name)
            named += [(f"/{name}", text)] if text is not None else []
        for at, text in named:
            if not 1 <= len(text) <= LONGEST_TERM or UNSTORABLE.search(text):
                yield Fault(at, "bad_text", detail)
        canonical = [canonical_code(code) for code in self.codes]
        for number, code in enumerate(canonical):
            if code in canonical[:number]:
                yield Fault(f"/codes/{number}", "duplicate_code", "Name each code once.")

    def basket(self, items: tuple[BasketItem, ...]) -> Basket:
        """The basket of these items under these terms."""
        return Basket(items, self.codes, self.customer, self.customer_group, self.channel)


NO_TERMS: Final = BasketTerms()


def price_changed(expected: Decimal, priced: PricedBasket) -> Conflict:
    """The refusal of an order that costs something else than its buyer expects."""
    total, code = priced.total_amount, priced.currency
    shown = {"expected_total": expected, "total_amount": total, "currency": code}
    return Conflict(
        f"The order costs {total} {code}, but {expected} {code} was expected.",
        "Ask the customer whether to order at the new price.",
        code="price_changed",
        shown=shown,
    )
