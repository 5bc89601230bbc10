"""Records of groups are recognised by what they are once they are completed."""

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.memory import MemoryStore
from adapters.polars_feeds import PolarsEngine
from commerce_core.parsing.reference import ReferenceEngine
from commerce_core.profiles.profile import Group, Profile
from tests.contracts import samples
from tests.contracts.samples import ONE_STORE_AND_ANOTHER
from tests.contracts.unchanged_contract import Shop, told
from tests.support.examples import scaled

COLUMNS: Sequence[str] = ("Handle", "product_name", "brand", "sku", "price", "Picture")
GROUP = Group("Handle", ("product_name", "brand"), ("sku",), "Picture")
BY_KEY = Profile(group=GROUP)
BY_HEADS = Profile(group=evolve(GROUP, heads=("head",)))
Row = Mapping[str, str]
CELLS = {
    "Handle": st.sampled_from(["a", "a", "b", "", "head"]),
    "product_name": st.sampled_from(["", "", "Lamp", "Lamp\x1fLux", "Desk"]),
    "brand": st.sampled_from(["", "Lux", "\x1f"]),
    "sku": st.sampled_from(["", "A", "B", "C", "D", "E"]),
    "price": st.sampled_from(["", "1.50", "-1", "2,000"]),
    "Picture": st.sampled_from(["", "https://a.test/1.jpg", "no picture"]),
}
DAYS = st.lists(
    st.tuples(
        st.sampled_from(["full", "delta"]),
        st.lists(st.fixed_dictionaries(CELLS), max_size=5),
        st.booleans(),
    ),
    min_size=2,
    max_size=4,
)


def file(rows: Sequence[Row]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(lambda: datetime.now(UTC))


@pytest.mark.parametrize("profile", [BY_KEY, BY_HEADS], ids=["by key", "by heads"])
@settings(max_examples=scaled(100), suppress_health_check=ONE_STORE_AND_ANOTHER)
@given(days=DAYS)
def test_recognising_records_of_groups_changes_nothing(
    store: MemoryStore, profile: Profile, days: list[object]
):
    """Whatever stands around them by then: plans, products and reports are the reference's."""
    quick = Shop(store, samples.settled(store)[1], PolarsEngine(chunk=64), profile=profile)
    plain = Shop(store, samples.settled(store)[1], recognises=False, profile=profile)
    rows: list[Row] = []
    for mode, more, goes_on in days:  # type: ignore[misc]
        rows = [*rows, *more] if goes_on else more
        assert told(quick.take(mode, file(rows))) == told(plain.take(mode, file(rows)))
        assert quick.reports[-1] == plain.reports[-1]
        assert quick.catalog() == plain.catalog()


def some_rows(**of_head: str) -> list[Row]:
    """Twenty products of two variants each, and a picture more; the first head may differ."""
    rows = list[Row]()
    for n in range(20):
        head = {"Handle": f"h{n}", "product_name": f"Thing {n}", "sku": f"A{n}", "price": "1.00"}
        rows += [head | of_head if n == 0 else head]
        rows += [{"Handle": f"h{n}", "sku": f"B{n}", "price": "2.00"}]
        rows += [{"Handle": f"h{n}", "Picture": f"https://a.test/{n}.jpg"}]
    return rows


def matched(shop: Shop, rows: Sequence[Row]) -> int:
    """How many of these records are recognised."""
    with shop.store.begin(dry_run=True) as unit:
        known = unit.products.fingerprints(shop.source.partner_id, shop.source.source_id)
        return sum(len(batch.matched) for batch in shop._open(file(rows), "full").batches(known))


def test_what_was_read_before_is_recognised_with_what_it_takes(store: MemoryStore):
    """But not the last one, which waits for others to its end, nor what takes something else."""
    shop = Shop(store, samples.settled(store)[1], PolarsEngine(), profile=BY_KEY)
    shop.take("full", file(some_rows()))
    assert matched(shop, some_rows()) == 39
    assert matched(shop, some_rows()[3:]) == 37
    assert matched(shop, some_rows(price="1.50")) == 38
    assert matched(shop, some_rows(product_name="Other")) == 37
    other = [*some_rows()[:2], *some_rows()[3:]]
    assert matched(shop, other) == 38


def test_the_reference_recognises_none_of_them(store: MemoryStore):
    """It would have to know what stands around each."""
    shop = Shop(store, samples.settled(store)[1], ReferenceEngine(), profile=BY_KEY)
    shop.take("full", file(some_rows()))
    assert matched(shop, some_rows()) == 0


def test_cells_that_could_as_well_be_others_arent_recognised(store: MemoryStore):
    shop = Shop(store, samples.settled(store)[1], PolarsEngine(), profile=BY_KEY)
    shop.take("full", file(some_rows(product_name="Thing\x1f")))
    assert matched(shop, some_rows(product_name="Thing\x1f")) == 37
    assert matched(shop, some_rows(product_name="Thing", brand="\x1f")) == 37


def products_of_woocommerce(name: str = "Chair") -> bytes:
    """A product of two variations, which take its name, behind ten simple ones."""
    rows = ["ID,Type,SKU,Name,Regular price,Parent,Attribute 1 name,Attribute 1 value(s)"]
    rows += [f"{n},simple,S{n},Lamp {n},5,,," for n in range(1, 11)]
    rows += [f'20,variable,P,"{name}",,,Colour,"red, blue"']
    rows += [f"{n},variation,V{n},,7,P,Colour,{n}" for n in (21, 22)]
    rows += ["30,simple,Z,Last,5,,,"]
    return "\n".join((*rows, "")).encode()


def test_variations_are_recognised_with_what_they_take_from_their_parent(store: MemoryStore):
    profile = Profile(preset="woocommerce")
    quick = Shop(store, samples.settled(store)[1], PolarsEngine(), profile=profile)
    plain = Shop(store, samples.settled(store)[1], recognises=False, profile=profile)
    for name, recognised in (("Chair", 0), ("Chair", 13), ("Stool", 11)):
        body = products_of_woocommerce(name)
        with store.begin(dry_run=True) as unit:
            known = unit.products.fingerprints(quick.source.partner_id, quick.source.source_id)
            batches = quick._open(body, "full").batches(known)
            assert sum(len(batch.matched) for batch in batches) == recognised
        assert told(quick.take("full", body)) == told(plain.take("full", body))
        assert quick.catalog() == plain.catalog()
