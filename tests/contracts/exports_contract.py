"""What an export promises: all that fits, as the core writes it, as of one moment."""

import csv
import io
import json
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, get_args

import pytest

from commerce_core.catalog.export import (
    HEADER,
    PRODUCTS_OF_BATCH,
    WRITERS,
    ExportForm,
    ProductSnapshot,
    write,
)
from commerce_core.catalog.product import Product, ProductQuery
from commerce_core.ports.store import Store
from commerce_core.schema.record import Record
from tests.contracts import samples
from tests.contracts.samples import T0, record

FORMS: tuple[ExportForm, ...] = get_args(ExportForm)
NASTY = (
    "=1+1", "'=1+1", "''=x", "'x", "-5", "-5.0e3", "-", "+44 1", "@you", "\uff1dSUM(A1)", "'",
    'say "hi", you', "two\nlines", "two\r\nlines", "a\rb", "\\.", "\\N", "{}", "NULL", "a\tb",
    "-1,5", "- 5", "+.5", "=", "\x7f\x01", "a;b|c", "null", '"', "ß📦",
    '="0042"', '="=""x"""',
)  # fmt: skip


def nasty_records() -> list[Record]:
    """Products whose every free text is hard to write in one way or another."""
    made = [
        Record(
            line,
            text,
            {
                "product_name": text, "brand": text, "description": text, "mpn": text,
                "group_id": text, "options": f"Size: {text}", "category": text,
                "attributes": {text: text, "b": "", "Größe": "42"},
                "product_url": "https://a.b/?c=%20&d='",
                "additional_image_urls": ("http://a,b", "http://c"),
                "price": Decimal("0.10"), "sale_price": Decimal("0.05"), "currency": "EUR",
                "sale_starts_at": T0.replace(year=1),
                "sale_ends_at": T0 + timedelta(microseconds=1),
                "weight": Decimal("0.001"), "quantity": 2**63 - 1, "gtin": "00012345",
                "availability": "preorder", "condition": "used",
            },
        )
        for line, text in enumerate(NASTY, start=2)
    ]  # fmt: skip
    return [*made, record(99, "bare"), record(100, "yen", price=Decimal(80), currency="JPY")]


def exported(store: Store, form: ExportForm, **filters: Any) -> bytes:  # noqa: ANN401
    with store.snapshot(ProductQuery(**filters)) as snapshot:
        return b"".join(write(snapshot, form))


def taken(store: Store, **filters: Any) -> list[Product]:  # noqa: ANN401
    with store.snapshot(ProductQuery(**filters)) as snapshot:
        return [product for batch in snapshot for product in batch]


def by_the_core(products: Sequence[Product], form: ExportForm) -> bytes:
    return b"".join(write(ProductSnapshot(products), form))


def kept(store: Store, **filters: Any) -> Sequence[Product]:  # noqa: ANN401
    with store.begin() as unit:
        return unit.products.page(ProductQuery(**filters), None, 200).items


class TestExports:
    @pytest.fixture
    def nasty(self, store: Store) -> None:
        """Some products with all sorts of values, a few of them removed, some units held."""
        _, source = samples.settled(store, "=cmd|' /C calc'!A0")
        samples.publish(store, source, *nasty_records())
        samples.publish(store, source, *nasty_records()[3:])
        _, other = samples.settled(store)
        samples.publish(store, other, record(2, "A", price=Decimal(0), currency="EUR"))
        with store.begin() as unit:
            found = unit.products.page(ProductQuery(), None, 200).items
            samples.reserve(unit, {product.product_id: 7 for product in found[::2]})

    @pytest.mark.parametrize("status", ["active", "removed", "all"])
    def test_a_csv_is_written_as_the_core_does(self, store: Store, nasty: None, status: str):
        """To the byte, products in the order of their ids."""
        written = by_the_core(kept(store, status=status), "csv")
        assert exported(store, "csv", status=status) == written
        rows = list(csv.reader(io.StringIO(written.decode(), newline="")))
        assert rows[0] == list(HEADER)
        assert len(rows) == 1 + len(kept(store, status=status))

    def test_ndjson_tells_what_the_core_does(self, store: Store, nasty: None):
        """A line for each product, the same members in the same order."""

        def objects(text: bytes) -> list[Any]:
            return [json.loads(line, object_pairs_hook=list) for line in text.splitlines()]

        def tidied(pairs: Any) -> Any:  # noqa: ANN401
            # Names of the partner's own attributes have no order.
            return [(k, sorted(v) if k == "attributes" and v else v) for k, v in pairs]

        written = objects(by_the_core(kept(store, status="all"), "ndjson"))
        found = objects(exported(store, "ndjson", status="all"))
        assert list(map(tidied, found)) == list(map(tidied, written))

    def test_filters_are_those_of_lists(self, store: Store, nasty: None):
        """What is exported is what a list with the same filters has."""
        for filters in ({"q": "hi"}, {"sellable": False}, {"currency": "JPY"}, {"skus": ("bare",)}):
            ids = [product.product_id for product in kept(store, **filters)]
            assert [product.product_id for product in taken(store, **filters)] == ids
            lines = exported(store, "ndjson", **filters).splitlines()
            assert [json.loads(line)["product_id"] for line in lines] == ids
            assert ids

    @pytest.mark.parametrize("form", FORMS)
    def test_nothing_that_fits_is_an_empty_file(self, store: Store, form: ExportForm):
        """A CSV has its header then; NDJSON has nothing."""
        assert len(exported(store, form).splitlines()) == (1 if form == "csv" else 0)

    @pytest.mark.parametrize("form", FORMS)
    def test_a_file_is_of_one_moment(self, store: Store, form: ExportForm):
        """A feed that is applied while blocks are taken isn't in them, not in part either."""
        _, source = samples.settled(store)
        offers = [
            record(n + 2, f"S-{n}", brand="before", description="x" * 500) for n in range(900)
        ]
        samples.publish(store, source, *offers)
        with store.snapshot(ProductQuery()) as snapshot:
            blocks = write(snapshot, form)
            first = next(blocks)
            if form == "csv":
                first += next(blocks)
            samples.publish(store, source, record(2, "S-0", brand="after"))
            text = first + b"".join(blocks)
        assert (text.count(b"before"), text.count(b"after")) == (900, 0)
        assert exported(store, form).count(b"after") == 1

    def test_an_export_may_be_left_early(self, store: Store, nasty: None):
        """Whoever takes a few blocks only disturbs nobody."""
        for _ in range(6):
            with store.snapshot(ProductQuery()) as snapshot:
                next(write(snapshot, "csv"))
            with store.snapshot(ProductQuery()) as snapshot:
                next(iter(snapshot))
        assert exported(store, "csv")

    @pytest.mark.parametrize("status", ["active", "removed", "all"])
    def test_a_snapshot_has_the_products_that_a_list_has(
        self, store: Store, nasty: None, status: str
    ):
        """Every value of each of them, in the order of their ids."""
        assert taken(store, status=status) == list(kept(store, status=status))

    def test_a_snapshot_is_of_one_moment(self, store: Store):
        """A feed that is applied between two batches is in neither; batches have a limit."""
        _, source = samples.settled(store)
        offers = [record(n + 2, f"S-{n}", brand="before") for n in range(2 * PRODUCTS_OF_BATCH + 1)]
        samples.publish(store, source, *offers)
        with store.snapshot(ProductQuery()) as snapshot:
            batches = iter(snapshot)
            found = [next(batches)]
            samples.publish(store, source, record(2, "S-0", brand="after"))
            found += batches
        assert [len(batch) for batch in found] == [PRODUCTS_OF_BATCH, PRODUCTS_OF_BATCH, 1]
        assert {product.brand for batch in found for product in batch} == {"before"}
        assert [p.brand for p in taken(store)].count("after") == 1

    @pytest.mark.parametrize("form", FORMS)
    def test_batches_are_written_as_the_store_writes_them(
        self, store: Store, nasty: None, form: ExportForm
    ):
        """A writer needs nothing but the batches."""
        with store.snapshot(ProductQuery(status="all")) as snapshot:
            written = b"".join(WRITERS[form](snapshot, ()))
        assert written == by_the_core(kept(store, status="all"), form)
