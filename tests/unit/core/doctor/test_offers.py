"""Columns that say what is for sale: doctor leaves the others out, and intake notes them."""

import io

import pytest

import commerce_core
from commerce_core.doctor import Asked, examine
from commerce_core.doctor.diagnosis import Diagnosis
from commerce_core.parsing.record_reader import Terms
from commerce_core.parsing.reference import ReferenceEngine
from tests.unit.core.parsing.test_reader import UTC_ZONE


def diagnosed(text: str) -> Diagnosis:
    return examine(io.BytesIO(text.encode()), Asked(currency="EUR"))


def file_of(column: str, *words: str, beside: str = "") -> str:
    rows = (f"A-{n},Lamp,5.00,{word}{beside and ',4.00'}" for n, word in enumerate(words))
    return "\n".join((f"sku,product_name,price,{column}{beside and ',sale_price'}", *rows, ""))


def sold(text: str, found: Diagnosis) -> list[str | None]:
    terms = Terms("full", "EUR", UTC_ZONE, found.profile)
    reading = ReferenceEngine().open(io.BytesIO(text.encode()), terms)
    return [record.sku for batch in reading.batches() for record in batch]


@pytest.mark.parametrize(
    ("column", "words", "left"),
    [
        ("visible", ("true", "false", "TRUE"), ["A-0", "A-2"]),
        ("Is Visible", ("TRUE", "FALSE", ""), ["A-0", "A-2"]),
        ("Published [Non Editable]", ("Yes", "No", "Yes"), ["A-0", "A-2"]),
        ("enabled", ("1", "0", "0"), ["A-0"]),
        ("Archived", ("N", "Y", "N"), ["A-0", "A-2"]),
        ("status", ("true", "false", "true"), ["A-0", "A-2"]),
        ("aktiv", ("ja", "nein", "ja"), ["A-0", "A-2"]),
        ("status", ("active", "Draft", "archived"), ["A-0"]),
        ("Status", ("Aktiv", "Entwurf", "aktiv"), ["A-0", "A-2"]),
    ],
)
def test_what_is_not_for_sale_is_left_out_and_asked_about(
    column: str, words: tuple[str, ...], left: list[str]
):
    text = file_of(column, *words)
    found = diagnosed(text)
    assert [(q.code, q.column, q.assumed) for q in found.questions] == [("for_sale", column, "no")]
    assert [rule.withdraws for rule in found.profile.skip] == [True]
    assert sold(text, found) == left
    assert found.dry_read.accepted == len(left)


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("visible", ("true", "true")),
        ("visible", ("catalog", "search")),
        ("status", ("new", "sold")),
        ("featured", ("true", "false")),
        ("archived", ("no", "no")),
        ("visible", ("", "")),
    ],
)
def test_other_columns_leave_nothing_out(column: str, words: tuple[str, ...]):
    found = diagnosed(file_of(column, *words))
    assert found.profile.skip == ()
    assert [q for q in found.questions if q.code == "for_sale"] == []


def test_a_sale_price_applies_only_where_its_flag_has_a_yes():
    text = file_of("On Sale", "Yes", "No", beside="sale")
    found = diagnosed(text)
    assert [(q.code, q.column, q.assumed) for q in found.questions] == [
        ("sale_flag", "On Sale", "no")
    ]
    terms = Terms("full", "EUR", UTC_ZONE, found.profile)
    reading = ReferenceEngine().open(io.BytesIO(text.encode()), terms)
    sales = [str(r.values["sale_price"]) for batch in reading.batches() for r in batch]
    assert sales == ["4.00", "None"]
    assert diagnosed(file_of("On Sale", "Yes", "Yes", beside="sale")).questions == ()


def test_intake_notes_a_status_whatever_words_it_has():
    with commerce_core.connect("memory:") as commerce:
        commerce.partners.add("Acme", currency="EUR")
        text = file_of("status", "active", "draft")
        job = commerce.feeds.load(io.BytesIO(text.encode()), partner="Acme", mode="full")
        assert job.summary is not None
        assert any("'status' may say which" in note for note in job.summary.notes)


def test_intake_notes_a_column_that_may_say_what_is_for_sale():
    """Without a profile all products are sold; that isn't silent."""
    with commerce_core.connect("memory:") as commerce:
        commerce.partners.add("Acme", currency="EUR")
        text = file_of("visible", "true", "false")
        job = commerce.feeds.load(io.BytesIO(text.encode()), partner="Acme", mode="full")
        assert job.summary is not None
        assert [note for note in job.summary.notes if "'visible' may say" in note]
        commerce.sources.set_profile(diagnosed(text).profile, partner="Acme")
        job = commerce.feeds.load(io.BytesIO(text.encode()), partner="Acme", mode="full")
        assert job.summary is not None
        assert [note for note in job.summary.notes if "may say" in note] == []
        assert [p.sku for p in commerce.products.page(partner="Acme").items] == ["A-0"]
