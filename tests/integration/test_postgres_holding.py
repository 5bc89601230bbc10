"""Guards, plans and decisions, on PostgreSQL."""

import io
from datetime import UTC, datetime

import pytest

from adapters.memory import MemoryStore
from adapters.polars_feeds.batches import ColumnBatch
from adapters.postgres import PostgresStore
from tests.contracts.holding_contract import *  # noqa: F403 - every test of it
from tests.contracts.holding_contract import Desk, catalog, each, written
from tests.contracts.holding_machine import agree


def test_validating_makes_no_object_of_a_record(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    """It counts columns, so that it costs no more than reading them."""
    monkeypatch.delattr(ColumnBatch, "__iter__")
    body = written([*catalog(60), *each(catalog(20), price="cheap")])
    receipt = desk.commerce.intake.upload(
        io.BytesIO(body), partner=desk.partner, mode="full", kind="validate"
    )
    job = desk.commerce.intake.run(receipt.job_id)
    assert (job.status, job.summary and job.summary.rejected) == ("completed", 20)


@pytest.mark.slow
def test_postgres_and_memory_agree_on_what_is_held(store: PostgresStore):
    """Over random arrivals, holds, approvals, rejections and reverts each step has the same end."""
    agree(MemoryStore(lambda: datetime.now(UTC)), store, examples=8, steps=15)
