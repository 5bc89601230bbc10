"""Formats that take a library: the same records as the same table in any other form."""

import io
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from backports.zstd import compress
from hypothesis import given
from hypothesis import strategies as st

import commerce_core
from commerce_core.base.errors import FileRefused
from commerce_core.catalog.export import SHOWN
from commerce_core.commerce import Commerce
from commerce_core.profiles.profile import Profile
from entrypoints.compose import register_formats
from entrypoints.reading import read_json
from tests.unit.core.parsing.test_documents import ROWS, as_lines, as_xml, read, values

register_formats()


def parquet(rows: Sequence[Mapping[str, object]] | pl.DataFrame) -> bytes:
    out = io.BytesIO()
    frame = rows if isinstance(rows, pl.DataFrame) else pl.DataFrame(rows, strict=False)
    frame.write_parquet(out)
    return out.getvalue()


@given(st.lists(ROWS, min_size=1, max_size=8))
def test_a_table_gives_the_same_records_as_parquet(table: list[dict[str, str]]):
    assert values(read(parquet(table))) == values(read(as_lines(table).encode()))


def test_values_are_read_as_feeds_write_them():
    frame = pl.DataFrame(
        {
            "sku": ["A", "B"],
            "product_name": ["two\nlines", "n\x1fm"],
            "price": [Decimal("19.90"), None],
            "quantity": [3, None],
            "weight": [0.25, 1.5],
            "sale_price": [9.5, None],
            "sale_starts_at": [datetime(2026, 3, 1, 12, 30, tzinfo=UTC), None],
            "sale_ends_at": [date(2026, 12, 24), None],
            "additional_image_urls": [["https://a/1", "https://a/2"], []],
            "deleted": [False, True],
        },
        schema_overrides={"price": pl.Decimal(12, 2)},
    )
    columns = {"weight": {"from": "weight", "unit": "kg"}}
    profile = read_json(Profile, json.dumps({"columns": columns}).encode())
    first, second = read(parquet(frame), profile)
    assert first.values["product_name"] == "two\nlines"
    assert (first.values["price"], first.values["quantity"]) == (Decimal("19.90"), 3)
    assert first.values["sale_price"] == Decimal("9.5")
    assert first.values["weight"] == Decimal(250)
    assert first.values["sale_starts_at"] == datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
    assert first.values["sale_ends_at"] == datetime(2026, 12, 25, tzinfo=UTC)
    assert first.values["additional_image_urls"] == ("https://a/1", "https://a/2")
    assert second.sku == "B"
    assert second.values.get("price") is None


def test_a_damaged_file_is_refused():
    whole = parquet([{"sku": "A", "product_name": "n"}])
    for broken in (whole[:-8], whole[:40], whole[:-1]):
        with pytest.raises(FileRefused) as refused:
            read(broken)
        assert refused.value.code == "truncated"
    for broken in (b"PAR1", whole[:40] + b"xxxxPAR1"):
        with pytest.raises(FileRefused) as refused:
            read(broken)
        assert refused.value.code == "undecodable"


def test_whole_numbers_are_whole_also_beside_a_null():
    """A column of whole numbers of which one is missing is often written as one of floats."""
    frame = pl.DataFrame(
        {
            "sku": [42.0, 43.5], "product_name": [b"Lamp", "Töpfe".encode()],
            "gtin": [4006381333931.0, None], "quantity": [3.0, None],
        }
    )  # fmt: skip
    first, second = read(parquet(frame))
    assert (first.sku, first.values["gtin"], first.values["quantity"]) == ("42", "4006381333931", 3)
    assert (second.sku, second.values["product_name"]) == ("43.5", "Töpfe")
    with pytest.raises(FileRefused, match="utf8"):
        read(parquet(pl.DataFrame({"sku": ["A"], "product_name": [b"\xff"]})))


def test_what_zstd_has_packed_is_unpacked():
    table = [{"sku": f"A-{n}", "product_name": "Lamp"} for n in range(10)]
    packed = compress(as_xml(table).encode())
    assert len(read(packed)) == 10
    lines = compress(as_lines(table).encode())
    assert len(read(lines + lines)) == 20
    for cut in (packed[:-10], packed[: len(packed) // 2]):
        with pytest.raises(FileRefused) as refused:
            read(cut)
        assert refused.value.code == "truncated"
    with pytest.raises(FileRefused) as refused:
        read(compress(b"0" * (64 << 20)))
    assert refused.value.code == "too_large"
    with pytest.raises(FileRefused) as refused:
        read(packed[:20] + b"xxxx" + packed[24:])
    assert refused.value.code in ("undecodable", "truncated")


def test_a_feed_in_parquet_is_loaded_and_its_second_day_is_unchanged():
    body = parquet([{"sku": "A", "product_name": "Lamp", "price": 5.0}, {"sku": "", "price": 1.0}])
    with commerce_core.connect("memory:") as commerce:
        commerce.partners.add("Acme", currency="EUR")
        job = commerce.feeds.load(io.BytesIO(body), partner="Acme", mode="full")
        assert job.summary is not None
        assert (job.summary.created, job.summary.rejected) == (1, 1)
        assert [problem.line for problem in commerce.jobs.problems(job.job_id)][:1] == [3]
        with commerce.jobs.report(job.job_id) as stream:
            assert stream.read(2) == b"PK"


def test_the_catalog_is_exported_as_parquet():
    feed = (
        b"sku,product_name,price,sale_price,sale_ends_at,quantity,weight,additional_image_urls,colour\n"
        b"A,Lamp,5.50,4,2027-01-01,3,0.5 kg,https://a/1 https://a/2,red\nB,Pot,,,,,,,\n"
    )
    with commerce_core.connect("memory:") as commerce:
        commerce.partners.add("Acme", currency="EUR")
        empty = _exported(commerce)
        assert len(empty) == 0
        profile = Profile(attributes=("colour",))
        commerce.sources.set_profile(profile, partner="Acme")
        named = feed.replace(b"urls\n", b"urls,colour\n").replace(b"/2\n", b"/2,red\n")
        commerce.feeds.load(
            io.BytesIO(named.replace(b",,\n", b",,,\n")), partner="Acme", mode="full"
        )
        lamp, pot = _exported(commerce).to_dicts()
        assert (lamp["sku"], lamp["price"], lamp["quantity"]) == ("A", Decimal("5.5"), 3)
        assert lamp["sale_ends_at"] == datetime(2027, 1, 2, tzinfo=UTC)
        assert lamp["additional_image_urls"] == ["https://a/1", "https://a/2"]
        assert (lamp["weight"], json.loads(lamp["attributes"])) == (500, {"colour": "red"})
        assert (pot["price"], pot["sellable"], pot["not_sellable_reason"]) == (
            None,
            False,
            "unpriced",
        )
        assert _exported(commerce, include=("selling_price",)).columns[: len(SHOWN)] == [*SHOWN]
        assert list(_exported(commerce).schema) == list(empty.schema)


def _exported(commerce: Commerce, **more: Any) -> pl.DataFrame:  # noqa: ANN401 - passed on
    with commerce.products.export(form="parquet", **more) as blocks:
        return pl.read_parquet(io.BytesIO(b"".join(blocks)))
