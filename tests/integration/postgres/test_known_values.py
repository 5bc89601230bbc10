"""Records that agree with their products aren't staged, however their file says it."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from unittest.mock import patch

import numpy as np
import polars as pl
import pytest
from attrs import evolve, frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.polars_feeds import PolarsEngine
from adapters.postgres import PostgresStore
from adapters.postgres.ingest import compare, known_values
from adapters.postgres.ingest.fingerprint_entries import ID, IN_STOCK
from adapters.postgres.ingest.known_fingerprints import Matched, ProductFingerprints
from adapters.postgres.ingest.staging import Staged, stage
from commerce_core.parsing.reference import ReferenceEngine
from commerce_core.profiles.profile import CANONICAL, Column, Profile
from tests.contracts import samples
from tests.contracts.samples import ONE_STORE_AND_ANOTHER
from tests.contracts.unchanged_contract import Shop, told
from tests.support.examples import scaled

COLUMNS = (
    "sku",
    "product_name",
    "price",
    "currency",
    "sale_price",
    "sale_starts_at",
    "sale_ends_at",
    "quantity",
    "brand",
    "additional_image_urls",
    "Colour",
    "Care of it",
    "deleted",
)
ATTRIBUTES = ("Care of it", "Colour")
KEEPS_TWO = Profile(attributes=ATTRIBUTES)
Row = Mapping[str, str]


@frozen
class Form:
    """How a file says what it says."""

    columns: Sequence[str] = COLUMNS
    names: Mapping[str, str] = {}
    delimiter: str = ","
    encoding: str = "utf-8"
    quoting: int = csv.QUOTE_MINIMAL
    profile: Profile = KEEPS_TWO

    def file(self, rows: Sequence[Row]) -> bytes:
        """The file with these records."""
        text = io.StringIO()
        writer = csv.writer(text, delimiter=self.delimiter, quoting=self.quoting)  # type: ignore[arg-type]
        writer.writerow([self.names.get(name, name) for name in self.columns])
        writer.writerows([row.get(name, "") for name in self.columns] for row in rows)
        return text.getvalue().encode(self.encoding)


FORMS = {
    "as ever": Form(),
    "renamed": Form(names={"product_name": "title", "brand": "manufacturer"}),
    "reordered": Form(columns=COLUMNS[::-1]),
    "one more": Form(columns=("exported at", *COLUMNS)),
    "one less": Form(columns=[name for name in COLUMNS if name != "brand"]),
    "without a currency": Form(columns=[name for name in COLUMNS if name != "currency"]),
    "without money": Form(columns=("sku", "product_name", "quantity", *ATTRIBUTES)),
    "semicolons": Form(delimiter=";"),
    "all quoted": Form(quoting=csv.QUOTE_ALL),
    "UTF-16": Form(encoding="utf-16"),
    "without attributes": Form(profile=CANONICAL),
}
"""Forms of the same records, under which their products say the same."""
OTHER_RULES = {
    "another word": Profile(
        attributes=ATTRIBUTES, columns={"brand": Column(("brand",), values={"Lux": "Luxor"})}
    ),
    "minor units": Profile(
        attributes=ATTRIBUTES, columns={"price": Column(("price",), unit="minor")}
    ),
    "part of a name": Profile(
        attributes=ATTRIBUTES,
        columns={"product_name": Column(("product_name",), pattern="^(..).*")},
    ),
    "a constant": Profile(attributes=ATTRIBUTES, constants={"condition": "used"}),
}
"""Profiles under which the same texts may mean something else."""
ALL_FORMS = [*FORMS.values(), *(Form(profile=profile) for profile in OTHER_RULES.values())]
CELLS = {
    "sku": st.sampled_from("ABCD"),
    "product_name": st.sampled_from(
        ["Lamp", "Lamp ", "Two\nlines", "\x03", "\x05", "a\x03b", "\x02", "\x04", "Ü", "\\N", ""]
    ),
    "price": st.sampled_from(["10.00", "10.00", "10", "10.000", "11.5", "3O", ""]),
    "currency": st.sampled_from(["", "EUR", "JPY"]),
    "sale_price": st.sampled_from(["", "", "9.00", "12"]),
    "sale_starts_at": st.sampled_from(["", "2026-01-01", "2026-02-01T10:00:00.5+01:00"]),
    "sale_ends_at": st.sampled_from(["", "2026-01-31", "2026-02-01T09:00:00.5Z"]),
    "quantity": st.sampled_from(["5", "5", "-1", ""]),
    "brand": st.sampled_from(["Lux", "Oak", "a\x05", ""]),
    "additional_image_urls": st.sampled_from(
        ["", "https://a.test/1.jpg", "https://a.test/1.jpg https://a.test/2,3.jpg"]
    ),
    "Colour": st.sampled_from(["", "red", 'the "red"']),
    "Care of it": st.sampled_from(["", "30 °C\tgently"]),
    "deleted": st.sampled_from(["", "", "", "yes"]),
}
DAYS = st.lists(
    st.tuples(
        st.sampled_from(["full", "full", "delta"]),
        st.sampled_from(ALL_FORMS),
        st.lists(st.fixed_dictionaries(CELLS), max_size=4),
        st.booleans(),
    ),
    min_size=2,
    max_size=5,
)
"""Files, each in some form, with a few records beside those of the file before or alone."""


@pytest.fixture(autouse=True)
def few_are_enough() -> Iterator[None]:
    """Also a few products are read for what agrees with them."""
    with patch.object(known_values, "LEAST", 0):
        yield


@settings(max_examples=scaled(40), suppress_health_check=ONE_STORE_AND_ANOTHER)
@given(days=DAYS)
def test_taking_out_what_agrees_changes_nothing(store: PostgresStore, days: list[object]):
    """Plans, products, reports of problems: all is as if all records had been compared."""
    quick = Shop(store, samples.settled(store)[1], PolarsEngine(chunk=64))
    plain = Shop(store, samples.settled(store)[1], ReferenceEngine(), recognises=False)
    rows: list[Row] = []
    for mode, form, more, goes_on in days:  # type: ignore[misc]
        rows = [*rows, *more] if goes_on else more
        quick, plain = (evolve(shop, profile=form.profile) for shop in (quick, plain))
        file = form.file(rows)
        assert told(quick.take(mode, file)) == told(plain.take(mode, file))
        assert quick.reports[-1] == plain.reports[-1]
        assert quick.catalog() == plain.catalog()


def some_rows(count: int, changed: int = 0) -> list[Row]:
    """Records with all that a product may have."""
    return [
        {
            "sku": f"S{n}",
            "product_name": f"Thing, {n}",
            "price": "12.50",
            "currency": "EUR",
            "sale_price": "9.90" if n % 2 else "",
            "sale_starts_at": "2026-01-01T00:00:00+01:00" if n % 2 else "",
            "quantity": f"{n + 1}",
            "brand": "Oak" if n < changed else "Lux",
            "additional_image_urls": "https://a.test/1.jpg https://a.test/2,3.jpg",
            "Colour": "red",
            "Care of it": 'at 30 "degrees"',
        }
        for n in range(count)
    ]


def staged_of(shop: Shop, form: Form, rows: Sequence[Row]) -> list[int]:
    """How many records each comparison of a file stages."""
    found: list[int] = []

    def noted(*args: object, **options: object) -> Staged:
        staged = stage(*args, **options)  # type: ignore[arg-type]
        found.append(staged.records)
        return staged

    with patch.object(compare, "stage", noted):
        evolve(shop, profile=form.profile).take("full", form.file(rows))
    return found


@pytest.mark.parametrize("by_former_texts", [True, False], ids=["by texts", "by values"])
@pytest.mark.parametrize("name", FORMS)
def test_only_records_that_change_something_are_staged(
    store: PostgresStore, name: str, *, by_former_texts: bool
):
    """And from then on not even those that don't are read."""
    form = FORMS[name]
    shop = Shop(store, samples.settled(store)[1], PolarsEngine())
    shop = evolve(shop, profile=form.profile)
    shop.take("full", FORMS["as ever"].file(some_rows(40)))
    if not by_former_texts:
        shop.headers.clear()
    changed = 0 if "brand" not in form.columns else 1
    assert staged_of(shop, form, some_rows(40, changed)) == [changed]
    plan = shop.take("full", form.file(some_rows(40, changed)))
    assert (plan.unchanged, plan.absent) == (40, 0)
    assert shop.matched(form.file(some_rows(40, changed))) == 40


@pytest.mark.parametrize("name", ["reordered", "one more"])
def test_whose_former_text_is_known_isnt_compared_by_values(store: PostgresStore, name: str):
    shop = evolve(Shop(store, samples.settled(store)[1], PolarsEngine()), profile=KEEPS_TWO)
    shop.take("full", FORMS["as ever"].file(some_rows(40)))
    with patch.object(known_values, "_texts") as asked:
        assert staged_of(shop, FORMS[name], some_rows(40, changed=3)) == [3]
    assert not asked.called


@pytest.mark.parametrize("name", OTHER_RULES)
def test_what_other_rules_make_of_the_same_texts_is_compared(store: PostgresStore, name: str):
    """All records are staged whose product would become another."""
    shop = Shop(store, samples.settled(store)[1], PolarsEngine())
    form = FORMS["as ever"]
    evolve(shop, profile=form.profile).take("full", form.file(some_rows(40)))
    assert staged_of(shop, Form(profile=OTHER_RULES[name]), some_rows(40)) == [40]


def test_a_sku_that_comes_twice_is_compared(store: PostgresStore):
    """Without its fingerprint and its values, in the same unit; the others still agree."""
    shop = Shop(store, samples.settled(store)[1], PolarsEngine())
    form = FORMS["semicolons"]
    shop = evolve(shop, profile=form.profile)
    shop.take("full", FORMS["as ever"].file(some_rows(40)))
    twice = [*some_rows(40), {**some_rows(1)[0], "brand": "Elm"}]
    assert staged_of(shop, form, twice) == [1, 2]
    assert [problem.code for problem in shop.reports[-1][1]] == ["duplicate_sku"]
    assert shop.catalog()["S0"][1:3] == ("active", 2)


def test_products_of_another_source_or_partner_agree_with_nothing(store: PostgresStore):
    partner, source = samples.settled(store)
    other = samples.source(partner, "other")
    with store.begin() as unit:
        unit.sources.add(other)
    form = FORMS["as ever"]
    shops = [
        Shop(store, each, PolarsEngine(), profile=form.profile)
        for each in (source, other, samples.settled(store)[1])
    ]
    for shop in shops[::2]:
        shop.take("full", form.file(some_rows(20)))
    shops[1].take("full", form.file([{**some_rows(1)[0], "sku": "other"}]))
    assert staged_of(shops[1], FORMS["semicolons"], some_rows(20)) == [20]
    assert shops[1].reports[-1][0].problems_by_code["sku_of_other_source"] == 20
    assert staged_of(shops[0], FORMS["semicolons"], some_rows(20)) == [0]


@pytest.mark.parametrize(("mode", "least"), [("delta", 0), ("full", 41)])
def test_few_products_aren_t_worth_it_nor_a_delta(store: PostgresStore, mode: str, least: int):
    shop = Shop(store, samples.settled(store)[1], PolarsEngine())
    form = FORMS["as ever"]
    shop = evolve(shop, profile=form.profile)
    shop.take("full", form.file(some_rows(40)))
    with patch.object(known_values, "LEAST", least), patch.object(known_values, "_texts") as asked:
        plan = shop.take(mode, FORMS["semicolons"].file(some_rows(40)))  # type: ignore[arg-type]
    assert plan.unchanged == 40
    assert not asked.called


def test_products_come_some_at_a_time(store: PostgresStore):
    """The last ones too, and those behind a piece that has none of this source."""
    shop = Shop(store, samples.settled(store)[1], PolarsEngine())
    form = FORMS["as ever"]
    shop = evolve(shop, profile=form.profile)
    shop.take("full", form.file(some_rows(40)))
    shop.take("full", form.file(some_rows(40)[7:]))
    with patch.object(known_values, "_AT_ONCE", 3):
        assert staged_of(shop, FORMS["semicolons"], some_rows(40)) == [7]


def test_what_was_found_keeps_nothing_else_of_its_batch_in_memory():
    """Whose columns stay there together as long as one of them does."""
    frame = pl.DataFrame({
        "sku": ["A", "B"], "rejected": [False] * 2, "deletes": [False] * 2, "upper": [1, 2],
        "lower": [3, 4],
    })  # fmt: skip
    number = pl.Series([0, 1], dtype=pl.UInt32)
    texts = known_values.hashed(known_values.texts_of(frame, ("sku",))).with_columns(number=number)
    nothing = pl.DataFrame({"upper": [0, 0], "lower": [0, 0]})
    known = ProductFingerprints(np.zeros(2, ID), nothing, np.full(2, IN_STOCK, np.uint8))
    context = samples.feed_context(samples.feed(samples.source(samples.partner())))
    agreeing = known_values.Agreeing(context, Matched(known), ("sku",), texts.sort("upper"))
    assert agreeing.sift(frame).is_empty()
    (found,) = agreeing.found
    assert found.select("upper", "lower").equals(frame.select("upper", "lower"))
    for half in ("upper", "lower"):
        assert not np.shares_memory(found[half].to_numpy(), frame[half].to_numpy())


def fresh(rows: Sequence[Row]) -> list[Row]:
    """Records of products that aren't there yet."""
    return [{**row, "sku": f"new {row['sku']}"} for row in rows]


@pytest.mark.parametrize(
    ("rows", "asked"),
    [
        (fresh(some_rows(40)), False),
        (some_rows(40, changed=40), False),
        (some_rows(40, changed=31), False),
        (some_rows(40, changed=30), True),
        ([*fresh(some_rows(10)), *some_rows(40)[10:]], True),
    ],
    ids=["all are new", "all change", "most change", "a fourth agrees", "some are new"],
)
def test_products_are_read_only_if_some_records_agree(
    store: PostgresStore, rows: Sequence[Row], *, asked: bool
):
    """A file in which nearly all records say something new would pay for it, and gain nothing."""
    shop = Shop(store, samples.settled(store)[1], PolarsEngine())
    shop = evolve(shop, profile=KEEPS_TWO)
    shop.take("full", FORMS["as ever"].file(some_rows(40)))
    with patch.object(known_values, "_texts", wraps=known_values._texts) as texts:
        shop.take("full", FORMS["semicolons"].file(rows))
    assert texts.called == asked
    assert len([one for one in shop.catalog().values() if one[1] == "active"]) == len(rows)


def test_a_sample_comes_from_all_over_the_first_records(store: PostgresStore):
    shop = Shop(store, samples.settled(store)[1], PolarsEngine())
    shop = evolve(shop, profile=KEEPS_TWO)
    shop.take("full", FORMS["as ever"].file(some_rows(40)))
    rows = [*fresh(some_rows(20)), *some_rows(40)[20:]]
    with patch.object(known_values, "_SAMPLE", 4):
        assert staged_of(shop, FORMS["semicolons"], rows) == [20]
