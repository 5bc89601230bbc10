"""The products of items that are ordered or priced."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from commerce_core.base.ids import looks_like, parse
from commerce_core.base.paging import LARGEST_LIMIT
from commerce_core.catalog.product import Product, ProductQuery
from commerce_core.history.versions import check_as_of, past_query
from commerce_core.orders.wanted import Wanted
from commerce_core.ports.catalog import CatalogUnit
from commerce_core.usecases.context import Context


def product_ids(unit: CatalogUnit, wanted: Sequence[Wanted]) -> list[str | None]:
    """The id of each item's product; None if there is none, or none of that spelling."""
    named = unit.products.resolve(
        (item.partner_id or "", item.sku or "") for item in wanted if item.product_id is None
    )
    return [
        _product_id(item.product_id)
        if item.product_id
        else named.get((item.partner_id or "", item.sku or ""))
        for item in wanted
    ]


def found_products(
    context: Context, unit: CatalogUnit, wanted: Sequence[Wanted], as_of: datetime | None = None
) -> list[Product | None]:
    """The product of each item, now or as it was; None if it isn't visible."""
    ids = product_ids(unit, wanted)
    known = dict(unit.products.get_many(id_ for id_ in ids if id_ is not None))
    if as_of is not None:
        known = _as_of(unit, list(known.values()), as_of)
    products = [known.get(id_) if id_ else None for id_ in ids]
    return [p if p and context.principal.may_see(p.partner_id) else None for p in products]


def _as_of(unit: CatalogUnit, products: Sequence[Product], at: datetime) -> dict[str, Product]:
    """The products as they were, read partner by partner."""
    number = check_as_of(unit.versions.forgotten(), unit.publications.number_at(at))
    skus: defaultdict[str, list[str]] = defaultdict(list)
    for product in products:
        skus[product.partner_id].append(product.sku)
    found: dict[str, Product] = {}
    for partner_id, named in skus.items():
        query = ProductQuery(partner_id=partner_id, skus=tuple(named), status="all")
        page = unit.past_products.page(past_query(query, number), None, LARGEST_LIMIT)
        found.update((product.product_id, product) for product in page.items)
    return found


def _product_id(text: str) -> str | None:
    """The id in its canonical spelling; None if the text can't be one."""
    return parse("prod", text) if looks_like("prod", text) else None
