"""What a listing shows as sellable can be ordered, and nothing else can."""

import csv
import io
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from commerce_core.base.errors import InvalidInput
from commerce_core.catalog.product import Product, ProductQuery
from commerce_core.commerce import Commerce
from entrypoints.compose import open_platform
from entrypoints.settings import Settings

FIELDS = (
    "price", "sale_price", "sale_starts_at", "sale_ends_at", "availability", "quantity", "deleted",
)  # fmt: skip
NOW = datetime.now(UTC)
DAYS = tuple((NOW + timedelta(days=days)).isoformat() for days in (-9, -1, 1, 9))
"""Far enough from now that no test runs into them."""
ROWS = st.tuples(
    st.sampled_from(["19.00", "0", "", "0.01"]),
    st.sampled_from(["", "0", "0.00", "5.00", "19.00", "99"]),
    st.sampled_from(["", *DAYS]),
    st.sampled_from(["", *DAYS]),
    st.sampled_from(["", "in stock", "out of stock", "preorder", "backorder", "discontinued"]),
    st.sampled_from(["", "0", "1", "7", "-2"]),
    st.sampled_from(["", "", "yes"]),
)


def feed_of(rows: Sequence[tuple[str, ...]]) -> io.BytesIO:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["sku", "product_name", *FIELDS])
    writer.writerows([f"S{number}", "Vase", *row] for number, row in enumerate(rows))
    return io.BytesIO(text.getvalue().encode())


def accepted(commerce: Commerce, product: Product) -> bool:
    with suppress(InvalidInput):
        return bool(commerce.orders.place([(product.product_id, 1)]))
    return False


@given(st.lists(ROWS, min_size=1, max_size=8), st.lists(ROWS, max_size=8))
@settings(max_examples=60)
def test_a_product_is_listed_as_sellable_exactly_if_an_order_for_one_is_accepted(
    first: list[tuple[str, ...]], second: list[tuple[str, ...]]
):
    with open_platform(Settings(database_url="memory:")) as commerce:
        commerce.partners.add("Acme", currency="EUR")
        for rows in (first, second):
            commerce.feeds.load(feed_of(rows), partner="Acme", mode="delta")
        listed = list(commerce.products.list(ProductQuery(status="all"), partner="Acme"))
        shown = {product.sku: product.sellable for product in listed}
        assert {product.sku: accepted(commerce, product) for product in listed} == shown
