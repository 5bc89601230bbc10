"""Product queries: which filters are valid, and which products match them."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Final

from attrs import evolve

from commerce_core.base.errors import Fault, InvalidInput
from commerce_core.base.money import LARGEST_AMOUNT
from commerce_core.base.text import BLANKS, UNSTORABLE, fold, words_of
from commerce_core.catalog.product import Product, ProductQuery
from commerce_core.schema.cells import PATH, category_path
from commerce_core.schema.fields import LONGEST_SHORT_TEXT, LONGEST_SKU

MOST_SKUS: Final = 200
"""The most skus in one query."""
LONGEST_SEARCH: Final = 200
MOST_WORDS: Final = 10
SEARCHED: Final = ("sku", "product_name", "brand", "category", "options", "gtin", "mpn")
"""The searched fields. Descriptions aren't among them: nearly every word is in some description."""

_EQUAL: Final = (
    "partner_id", "source_id", "feed_id", "currency", "brand", "availability", "sellable",
)  # fmt: skip
"""The filters that match an equal value."""
_LENGTHS: Final = {
    "brand": LONGEST_SHORT_TEXT,
    "category": LONGEST_SHORT_TEXT,
    "currency": LONGEST_SHORT_TEXT,
    "q": LONGEST_SEARCH,
}


def fitting(query: ProductQuery) -> Callable[[Product], bool]:
    """Returns the function that decides whether a product matches every filter of the query."""
    words = words_of(query.q or "")

    def fits(product: Product) -> bool:
        return (
            query.status in ("all", product.status)
            and all(getattr(query, name) in (None, getattr(product, name)) for name in _EQUAL)
            and (not query.skus or product.sku in query.skus)
            and _is_below(product.category, query.category)
            and _is_within(product.price, query.price_min, query.price_max)
            and (query.updated_since is None or query.updated_since <= product.updated_at)
            and _has(product, words)
        )

    return fits


def _is_below(category: str | None, path: str | None) -> bool:
    return path is None or category == path or (category or "").startswith(path + PATH)


def _is_within(price: Decimal | None, low: Decimal | None, high: Decimal | None) -> bool:
    """Whether a price is in the range, ends included; without a price, only if it is unbounded."""
    if price is None:
        return low is None and high is None
    return (low is None or low <= price) and (high is None or price <= high)


def _has(product: Product, words: tuple[str, ...]) -> bool:
    if not words:
        return True
    # Words have no blanks, so none can match across two fields.
    searched = fold(" ".join(filter(None, (getattr(product, name) for name in SEARCHED))))
    return all(word in searched for word in words)


def tidied(query: ProductQuery) -> ProductQuery:
    """The query in canonical form; InvalidInput lists every fault if it makes no sense."""
    tidy = evolve(
        query,
        currency=query.currency and query.currency.strip(BLANKS).upper(),
        brand=query.brand and query.brand.strip(BLANKS),
        category=query.category and category_path(query.category),
    )
    faults = [*_faults_of_texts(tidy), *_faults_of_skus(tidy), *_faults_of_prices(tidy)]
    if tidy.updated_since is not None and tidy.updated_since.tzinfo is None:
        faults.append(Fault("/updated_since", "not_a_time", "Add the offset to the time."))
    if tidy.sort_by == "price" and tidy.currency is None and tidy.partner_id is None:
        detail = "To sort by price, filter by currency or partner."
        faults.append(Fault("/sort_by", "needs_currency", detail))
    if faults:
        raise InvalidInput(faults[0].detail, faults=faults, code=faults[0].code)
    return tidy


def _faults_of_texts(query: ProductQuery) -> Iterator[Fault]:
    for name, most in _LENGTHS.items():
        text: str | None = getattr(query, name)
        if text is None:
            continue
        if not 1 <= len(text) <= most:
            yield Fault(f"/{name}", "bad_length", f"Use 1 to {most:,} characters.")
        if UNSTORABLE.search(text):
            yield _unstorable(name)
    if query.q and not 1 <= len(words_of(query.q)) <= MOST_WORDS:
        yield Fault("/q", "bad_words", f"Use 1 to {MOST_WORDS} words.")


def _faults_of_skus(query: ProductQuery) -> Iterator[Fault]:
    if len(query.skus) > MOST_SKUS:
        detail = f"Ask for at most {MOST_SKUS} skus at once."
        yield Fault("/sku", "too_many", detail)
    if any(not 1 <= len(sku) <= LONGEST_SKU for sku in query.skus):
        yield Fault("/sku", "bad_length", f"Use 1 to {LONGEST_SKU} characters.")
    if any(UNSTORABLE.search(sku) for sku in query.skus):
        yield _unstorable("sku")


def _unstorable(name: str) -> Fault:
    return Fault(f"/{name}", "bad_text", "Leave out NUL characters and halves of surrogate pairs.")


def _faults_of_prices(query: ProductQuery) -> Iterator[Fault]:
    bounds = {"price_min": query.price_min, "price_max": query.price_max}
    given = {name: bound for name, bound in bounds.items() if bound is not None}
    odd = [name for name, bound in given.items() if not _is_amount(bound)]
    for name in odd:
        yield Fault(f"/{name}", "not_an_amount", f"Use a price from 0 to {LARGEST_AMOUNT}.")
    for name in given if query.currency is None else ():
        yield Fault(f"/{name}", "needs_currency", "Filter by currency as well.")
    if len(given) == len(bounds) and not odd and given["price_min"] > given["price_max"]:
        yield Fault("/price_max", "bad_range", "price_max is below price_min.")


def _is_amount(bound: Decimal) -> bool:
    return bound.is_finite() and 0 <= bound <= LARGEST_AMOUNT


def too_broad(query: ProductQuery, what: str = "list") -> InvalidInput:
    """The refusal of a query that a store can't answer within its time limit."""
    at = "/count" if what == "count" else "/q" if query.q else "/sort_by"
    other = "leave out count" if what == "count" else "sort by product_id or updated_at"
    detail = (
        f"This {what} would have to examine too many products. Filter by partner, source or sku, "
        f"add other filters, or {other}."
    )
    return InvalidInput.at(at, "too_broad", detail)
