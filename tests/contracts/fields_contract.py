"""What a store promises of every field: what a feed sets is kept, shown and exported."""

import io
import json
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import assert_never

import pytest

from commerce_core.catalog.export import write
from commerce_core.catalog.product import Product, ProductQuery
from commerce_core.parsing.reader import open_feed
from commerce_core.parsing.record_reader import Terms
from commerce_core.ports.store import Store
from commerce_core.schema import fields as schema
from commerce_core.schema.fields import BY_NAME, PRODUCT_FIELDS, Value
from commerce_core.schema.record import Record
from entrypoints.shapes import shape
from tests.contracts import samples
from tests.contracts.samples import T0
from tests.unit.core.parsing.test_reader import UTC_ZONE


def value_of(name: str, number: int) -> Value:
    """A value that the field reads back as it is; another one for another number."""
    match BY_NAME[name].kind:
        case schema.Text():
            return f'=1+{number} {name}, "quoted"\nand more'
        case schema.Word(spellings):
            return sorted(set(spellings.values()))[number]
        case schema.Amount():
            return Decimal(f"{10 + number if name == 'price' else 5 + number}.50")
        case schema.Whole():
            return 40 + number
        case schema.Grams():
            return Decimal(f"0.00{number + 1}")
        case schema.CurrencyCode():
            return "EUR"
        case schema.Gtin():
            return ("4006381333931", "00012348")[number]
        case schema.Category():
            return f"A > =B {number}"
        case schema.Options():
            return f"Size: {number}; =Colour: red"
        case schema.Instant():
            return T0 + timedelta(
                days=number + (7 if name.endswith("ends_at") else 0), microseconds=1
            )
        case schema.Url():
            return f"https://a.example/{name}?n={number}&q='x,y;z"
        case schema.Urls():
            return f"https://a.example/{number}", "https://a.example/f,q/2"
        case schema.YesNo():
            return not number
        case schema.Attributes():
            return {"Größe": f"=1+{number}", "a": ""}
        case _ as never:
            assert_never(never)


def values_of(number: int) -> dict[str, Value]:
    return {name: value_of(name, number) for name in PRODUCT_FIELDS}


def product_of(store: Store, partner_id: str) -> Product:
    with store.begin() as unit:
        (found,) = unit.products.page(ProductQuery(partner_id=partner_id), None, 10).items
    return found


class TestFields:
    @pytest.mark.parametrize("form", ["csv", "ndjson"])
    def test_what_a_feed_sets_is_kept_shown_and_exported(self, store: Store, form: str):
        """And an export that comes back sets the same."""
        partner, source = samples.settled(store)
        samples.publish(store, source, Record(2, "'A", values_of(0)))
        product = product_of(store, partner.partner_id)
        assert product.values() == values_of(0)
        shown = shape(product)
        assert isinstance(shown, Mapping)
        assert shown.keys() >= set(PRODUCT_FIELDS)
        with store.snapshot(ProductQuery(partner_id=partner.partner_id)) as snapshot:
            body = b"".join(write(snapshot, "csv" if form == "csv" else "ndjson"))
        if form == "ndjson":
            members = json.loads(body)
            assert {name: members[name] for name in PRODUCT_FIELDS} == {
                name: json.loads(json.dumps(shown[name])) for name in PRODUCT_FIELDS
            }
            return
        (record,) = open_feed(io.BytesIO(body), Terms("full", None, UTC_ZONE))
        assert record.problems == ()
        assert record.sku == product.sku
        assert {name: record.values[name] for name in PRODUCT_FIELDS} == values_of(0)

    def test_what_a_later_feed_changes_is_remembered(self, store: Store):
        """The version names each field that changed; the product as it was has its former value."""
        partner, source = samples.settled(store)
        first = samples.publish(store, source, Record(2, "A", values_of(0)))
        samples.publish(store, source, Record(2, "A", values_of(1)))
        product = product_of(store, partner.partner_id)
        assert product.values() == values_of(1)
        with store.begin() as unit:
            newest, _ = unit.versions.history(product.product_id, None, 10).items
            former = unit.versions.as_of(product.product_id, first.number or 0)
        assert newest.fields == tuple(name for name in PRODUCT_FIELDS if name != "currency")
        assert former is not None
        assert former.values() == values_of(0)
