"""An exported CSV is a feed that changes nothing, whatever stands in its cells."""

import csv
import io
import json
from collections.abc import Generator
from typing import Any, Literal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.polars_feeds import PolarsEngine
from commerce_core.catalog.export import HEADER
from commerce_core.catalog.product import ProductQuery
from commerce_core.commerce import Commerce
from commerce_core.feeds.job import Job
from commerce_core.parsing.record_reader import Terms
from commerce_core.parsing.reference import ReferenceEngine
from commerce_core.profiles.profile import Column, Profile
from commerce_core.schema.fields import Mode
from entrypoints.compose import open_platform
from entrypoints.settings import Settings
from tests.contracts.exports_contract import NASTY
from tests.support.examples import ONE_FIXTURE, scaled

FIELDS: tuple[str, ...] = (
    "sku", "product_name", "group_id", "options", "description", "brand", "category", "gtin", "mpn",
    "price", "currency", "sale_price", "sale_starts_at", "sale_ends_at", "availability", "quantity",
    "weight", "product_url", "image_url", "additional_image_urls", "attributes",
)  # fmt: skip


@pytest.fixture
def commerce() -> Generator[Commerce]:
    with open_platform(Settings(database_url="memory:")) as commerce:
        commerce.partners.add("Acme", currency="EUR")
        yield commerce


def written(rows: list[dict[str, str]], delimiter: str = ",") -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(FIELDS), delimiter=delimiter, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def nasty_row(text: str) -> dict[str, str]:
    return {
        "sku": text, "product_name": text, "group_id": text, "options": f"Size: {text}; B: a:b",
        "description": text, "brand": text, "category": f"{text} > B", "mpn": text,
        "gtin": "4006381333931", "price": "12.5", "currency": "EUR", "sale_price": "11",
        "sale_starts_at": "2026-01-01", "sale_ends_at": "2026-02-01T10:00:00.5+02:00",
        "availability": "In Stock", "quantity": "7", "weight": "1.5 kg",
        "product_url": "https://a.b/?q='=", "image_url": "https://a.b/i.png",
        "additional_image_urls": "https://a.b/1,2.png, https://a.b/3.png",
        "attributes": json.dumps({text: text, "": "x"}),
    }  # fmt: skip


def load(commerce: Commerce, content: bytes, mode: Mode = "full") -> Job:
    job = commerce.feeds.load(io.BytesIO(content), partner="Acme", mode=mode)
    assert job.summary, job
    return job


def export(commerce: Commerce, status: Literal["active", "all"] = "all", **filters: Any) -> bytes:  # noqa: ANN401
    query = ProductQuery(status=status, **filters)
    with commerce.products.export(query, partner="Acme") as blocks:
        return b"".join(blocks)


def check_unchanged(commerce: Commerce, content: bytes, mode: Mode) -> None:
    """Loading it changes nothing: not a value, not a version, not a status."""
    before = export(commerce)
    job = load(commerce, content, mode)
    assert job.outcome == "nothing_changed", job
    assert job.summary
    assert job.summary.problems_by_code == {}
    assert job.summary.unused_columns == ()
    assert export(commerce) == before


@pytest.fixture
def nasty(commerce: Commerce) -> None:
    """Products that are hard to write, some of them removed, in several currencies."""
    rows = [
        *map(nasty_row, NASTY),
        {"sku": "bare", "product_name": "Bare"},
        {"sku": "yen", "product_name": "Yen", "price": "80", "currency": "JPY"},
        {"sku": "dinar", "product_name": "Dinar", "price": "1.250", "currency": "KWD"},
        {"sku": "unpriced", "product_name": "Unpriced", "currency": "USD"},
        {"sku": "gone", "product_name": "Gone", "quantity": "0"},
    ]
    load(commerce, written(rows))
    assert load(commerce, written(rows[:-1])).summary


@pytest.mark.parametrize("mode", ["full", "delta"])
@pytest.mark.parametrize("status", ["active", "all"])
def test_it_changes_nothing(
    commerce: Commerce, nasty: None, mode: Mode, status: Literal["active", "all"]
):
    """Quotes, newlines, apostrophes, formulas, options, attributes, currencies, removed ones."""
    check_unchanged(commerce, export(commerce, status), mode)


def test_it_is_known_however_a_spreadsheet_saves_it(commerce: Commerce, nasty: None):
    """With a mark, another delimiter, quotes around everything, other ends of lines."""
    text = export(commerce).decode()
    rows = list(csv.reader(io.StringIO(text, newline="")))
    check_unchanged(commerce, text.encode("utf-8-sig"), "full")
    for delimiter, encoding in [(";", "utf-8"), ("\t", "utf-16"), (",", "utf-8")]:
        again = io.StringIO(newline="")
        csv.writer(again, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows(rows)
        check_unchanged(commerce, again.getvalue().encode(encoding), "delta")


def test_it_is_read_as_what_it_is_whatever_the_source_sends(commerce: Commerce):
    """A source whose own files have another dialect, other names and units gets it back as well."""
    profile = Profile(
        preset="shopify",
        delimiter=";",
        decimal=",",
        encoding="windows-1252",
        columns={
            "sku": Column(("Artikel",)),
            "product_name": Column(("Bezeichnung",)),
            "price": Column(("Preis",), unit="minor", currency="EUR"),
        },
        attributes=("Farbe",),
    )
    commerce.sources.set_profile(profile, partner="Acme")
    own = "Artikel;Bezeichnung;Preis;Farbe\n=1;Größe;1299;rot\n'2;Zwei;50;\n"
    job = load(commerce, own.encode("windows-1252"), "delta")
    assert job.outcome == "clean", job
    assert next(commerce.products.list()).attributes == {"Farbe": "rot"}
    check_unchanged(commerce, export(commerce), "delta")
    check_unchanged(commerce, export(commerce), "full")


def test_no_guard_holds_it_back(commerce: Commerce):
    """A catalog so large that guards judge it comes back too, to a source of its own profile."""
    columns = {"sku": Column(("Artikel",)), "product_name": Column(("Name",))}
    columns |= {"price": Column(("Preis",), unit="minor", currency="EUR")}
    profile = Profile(delimiter=";", columns=columns, attributes=("Farbe",))
    commerce.sources.set_profile(profile, partner="Acme")
    rows = "".join(f"{n};Nr {n};{n}99;rot\n" for n in range(60))
    job = load(commerce, f"Artikel;Name;Preis;Farbe\n{rows}".encode())
    assert (job.outcome, job.status) == ("clean", "completed")
    check_unchanged(commerce, export(commerce), "full")


def test_it_does_not_doubt_what_feeds_have_brought_about(commerce: Commerce):
    """A price feed may have put a price below the sale price; that is how it stands then."""
    load(commerce, b"sku,product_name,price,sale_price\nA,Lamp,20,10\n")
    load(commerce, b"sku,price\nA,5\n", "delta")
    check_unchanged(commerce, export(commerce), "full")


def test_what_is_changed_in_it_is_taken_over(commerce: Commerce, nasty: None):
    """It is a feed: a changed cell changes its product, a removed row in full mode removes it."""
    before, *rows = export(commerce, "active").decode().splitlines(keepends=True)
    assert before.rstrip("\n").split(",") == list(HEADER)
    kept = [row.replace("Bare", "=Dressed") for row in rows if ",yen," not in row]
    job = load(commerce, "".join([before, *kept]).encode())
    assert job.summary
    assert (job.summary.updated, job.summary.removed) == (1, 1)
    assert commerce.products.get(partner="Acme", sku="bare").product_name == "=Dressed"


def test_other_files_keep_their_apostrophes(commerce: Commerce):
    """Only in what we wrote an apostrophe before a formula is ours."""
    load(commerce, b"sku,product_name,_product_id\nA,'=1+1,x\n")
    assert commerce.products.get(partner="Acme", sku="A").product_name == "'=1+1"


def test_the_fast_engine_leaves_it_to_the_reference(commerce: Commerce, nasty: None):
    """So it finds the same records; none has a fingerprint, since its text isn't the partner's."""
    terms = Terms("delta", "EUR", ZoneInfo("UTC"), Profile(delimiter=";"))
    content = export(commerce)
    fast, plain = PolarsEngine(), ReferenceEngine()
    found, wanted = (
        [record for batch in engine.open(io.BytesIO(content), terms).batches() for record in batch]
        for engine in (fast, plain)
    )
    assert found == wanted
    assert len(found) >= len(NASTY)


texts = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0")
    | st.sampled_from("'=+-@\"\n\r,"),
    min_size=1,
    max_size=12,
)


@settings(suppress_health_check=ONE_FIXTURE, max_examples=scaled(60))
@given(st.lists(texts, min_size=1, max_size=4))
def test_any_text_comes_back(commerce: Commerce, found: list[str]):
    """Whatever a partner may write."""
    rows = [
        {"sku": f"{n}{text}", "product_name": f"{text}{n}", "brand": text, "mpn": text}
        for n, text in enumerate(found)
    ]
    rows.append({"sku": found[0] + "x", "product_name": found[-1] + "x"})
    load(commerce, written(rows), "delta")
    check_unchanged(commerce, export(commerce), "delta")


@pytest.mark.parametrize("word", ["NULL", "\\N", "#N/A", "#REF!"])
def test_a_word_for_blank_is_the_value_itself_in_an_export(commerce: Commerce, word: str):
    """Products may be called so, since before such words meant blank."""
    content = export(commerce).partition(b"\n")[0] + b"\n"
    head = content.decode().strip().split(",")
    values = {"sku": "X", "product_name": word, "price": "5.00", "currency": "EUR"}
    row = [values.get(name, "") for name in head]
    for mode in ("full", "delta"):
        job = load(commerce, content + ",".join(row).encode() + b"\n", mode)
        assert job.summary is not None
        assert job.summary.rejected == 0
    (product,) = commerce.products.list(partner="Acme")
    assert product.product_name == word
