"""Guards, plans and decisions, on PostgreSQL."""

import io
from datetime import UTC, datetime

import pytest
from attrs import evolve

from adapters.memory import MemoryStore
from adapters.polars_feeds import PolarsEngine, prepared
from adapters.polars_feeds.batches import ColumnBatch
from adapters.postgres import PostgresStore
from commerce_core.commerce import Commerce
from tests.contracts.holding_contract import *  # noqa: F403 - every test of it
from tests.contracts.holding_contract import Desk, catalog, each, hold_first_products, written
from tests.contracts.holding_machine import agree


@pytest.fixture
def quick(desk: Desk) -> Desk:
    """The desk, whose feeds are read in columns."""
    return Desk(Commerce(evolve(desk.commerce.context, engine=PolarsEngine())), desk.partner)


def test_first_products_wait_too_where_they_could_be_loaded(quick: Desk):
    hold_first_products(quick)


def test_validating_makes_no_object_of_a_record(quick: Desk, monkeypatch: pytest.MonkeyPatch):
    """It counts columns, so that it costs no more than reading them."""
    monkeypatch.delattr(ColumnBatch, "__iter__")
    body = written([*catalog(60), *each(catalog(20), price="cheap")])
    receipt = quick.commerce.feeds.upload(
        io.BytesIO(body), partner=quick.partner, mode="full", kind="validate"
    )
    job = quick.commerce.jobs.run(receipt.job_id)
    assert (job.status, job.summary and job.summary.rejected) == ("completed", 20)


@pytest.mark.parametrize("price", ["5", "cheap"])
def test_a_summary_says_that_much_was_split_one_by_one(
    quick: Desk, price: str, monkeypatch: pytest.MonkeyPatch
):
    """Of a file that is only validated too, and where no record can be accepted."""
    monkeypatch.setattr(prepared, "MOST_UNNOTED", 2)
    record = f'{{"sku": "A", "product_name": "Lamp", "price": "{price}"}}'
    receipt = quick.commerce.feeds.upload(
        io.BytesIO(f"[{', '.join([record] * 3)}]".encode()), partner=quick.partner, kind="validate"
    )
    summary = quick.commerce.jobs.run(receipt.job_id).summary
    assert summary
    why = "they are objects of a JSON document"
    assert summary.notes == (f"3 records were split one by one, since {why}.",)


@pytest.mark.slow
def test_postgres_and_memory_agree_on_what_is_held(store: PostgresStore):
    """Over random arrivals, holds, approvals, rejections and reverts each step has the same end."""
    agree(MemoryStore(lambda: datetime.now(UTC)), store, examples=8, steps=15)
