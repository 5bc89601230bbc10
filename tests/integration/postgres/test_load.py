"""Whole columns on their way into PostgreSQL end as the records that the reference reads."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import product

import pytest
from attrs import evolve
from hypothesis import given, settings

from adapters.memory import MemoryStore
from adapters.polars_feeds import PolarsEngine
from adapters.postgres import PostgresStore
from commerce_core.ports.engine import FeedEngine
from commerce_core.ports.store import Store
from tests.contracts import samples, unchanged_contract
from tests.contracts.freshness_contract import arrived
from tests.contracts.samples import ONE_STORE_AND_ANOTHER
from tests.contracts.unchanged_contract import Shop
from tests.support.examples import scaled
from tests.support.strategies import FeedFile, feed_series

NASTY = '''sku,product_name,description,additional_image_urls,price,quantity,sale_starts_at,gtin
A,"Tab\there","back\\slash \\N and \\. and ""quotes""",https://a.example/1 https://a.example/2,1.50,3,,
B,"Two
lines","{""brace"",\\""}",,2,,2026-03-01T10:00:00+01:00,4006381333931
'''


class TestRecognitionOfColumns(unchanged_contract.TestMatching):
    """The same promises, for columns, with borders between records everywhere."""

    @pytest.fixture
    def engine(self) -> FeedEngine:
        return PolarsEngine(chunk=64)


@pytest.mark.parametrize("first", [True, False], ids=["loaded at once", "compared"])
def test_text_that_copy_would_take_for_its_own_arrives_as_it_is(store: PostgresStore, first: bool):
    shop = Shop(store, samples.settled(store)[1], PolarsEngine(), recognises=first)
    plan = shop.take("full", NASTY)
    assert (plan.created, plan.rejected) == (2, 0)
    products = samples.catalog(store)
    a, b = products["A"], products["B"]
    assert (a.product_name, a.description) == ("Tab\there", 'back\\slash \\N and \\. and "quotes"')
    assert a.additional_image_urls == ("https://a.example/1", "https://a.example/2")
    assert (a.price, a.quantity, b.quantity) == (Decimal("1.50"), 3, None)
    assert (b.product_name, b.description, b.gtin) == (
        "Two\nlines",
        '{"brace",\\"}',
        "4006381333931",
    )
    assert b.sale_starts_at is not None
    assert b.sale_starts_at.isoformat() == "2026-03-01T09:00:00+00:00"


@settings(max_examples=scaled(40), suppress_health_check=ONE_STORE_AND_ANOTHER)
@given(files=feed_series())
def test_feeds_read_by_columns_make_the_catalog_of_the_reference(
    store: PostgresStore, reference: Store, files: list[FeedFile]
):
    """Whatever partners send, in either mode, first loads and later ones."""
    columns = Shop(store, samples.settled(store)[1], PolarsEngine(chunk=256), recognises=True)
    records = Shop(reference, samples.settled(reference)[1], recognises=False)
    for file in files:
        told = [unchanged_contract.told(s.take(file.mode, file.body)) for s in (columns, records)]
        assert told[0] == told[1]
        assert columns.catalog() == records.catalog()
        assert columns.unsellable == records.unsellable


def kinds_of_products() -> str:
    """A record of each kind by what decides whether a product can be sold."""
    values = product(
        ("", "in_stock", "out_of_stock", "preorder", "backorder", "discontinued"),
        ("", "0", "0.00", "0.01", "10.00", "1000"),
        ("", "0", "1", "20"),
    )
    rows = (f"S{n},Thing,{','.join(each)}" for n, each in enumerate(values))
    return "\n".join(("sku,product_name,availability,price,quantity", *rows, ""))


@pytest.mark.parametrize("stale", [False, True])
def test_what_is_counted_while_loading_is_what_the_catalog_says(store: PostgresStore, stale: bool):
    """Of products that can't be sold, by reason, the most frequent first."""
    source = samples.settled(store)[1]
    if stale:
        limited = evolve(source, stop_selling_after=timedelta(hours=1))
        with store.begin() as unit:
            unit.sources.put(limited)
        arrived(store, limited, datetime.now(UTC) - timedelta(days=1))
    shop = Shop(store, source, PolarsEngine())
    shop.take("full", kinds_of_products())
    with store.begin() as unit:
        (last,) = unit.publications.of_partner(source.partner_id, 0, 100)
        found = unit.products.not_sellable(last)
    assert list(shop.unsellable[-1].items()) == list(found.items())
    assert set(found) == (
        {"discontinued", "stale"}
        if stale
        else {"discontinued", "unpriced", "zero_price", "out_of_stock", "no_stock"}
    )


@pytest.fixture
def reference() -> MemoryStore:
    return MemoryStore(lambda: datetime.now(UTC))
