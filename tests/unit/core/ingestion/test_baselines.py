"""What a source's file is compared with in form: its own last file in the same mode."""

import io
from collections.abc import Generator, Iterator, Sequence
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commerce_core.catalog.export import ExportForm
from commerce_core.catalog.product import ProductQuery
from commerce_core.commerce import Commerce
from commerce_core.feeds.job import Job
from commerce_core.ingestion.feed_file import FeedFile
from commerce_core.ports.engine import Batch
from commerce_core.schema.fields import Mode
from entrypoints.compose import open_platform
from entrypoints.settings import Settings

OWN = "sku,product_name,price,brand\nA-1,Cup,{},Acme\nA-2,Pot,6.00,Acme\n"


@pytest.fixture
def commerce() -> Generator[Commerce]:
    with open_platform(Settings(database_url="memory:")) as commerce:
        commerce.partners.add("Acme", currency="EUR")
        yield commerce


def load(commerce: Commerce, content: str, mode: Mode = "full") -> Job:
    return commerce.feeds.load(io.BytesIO(content.encode()), partner="Acme", mode=mode)


def exported(commerce: Commerce, form: ExportForm = "csv") -> str:
    with commerce.products.export(ProductQuery(), form=form, partner="Acme") as blocks:
        return b"".join(blocks).decode()


def send(commerce: Commerce, what: str) -> Job:
    """Sends a file that isn't the source's own full one."""
    match what:
        case "export as full":
            return load(commerce, exported(commerce), "full")
        case "export as NDJSON":
            return load(commerce, exported(commerce, "ndjson"), "full")
        case "export as delta":
            return load(commerce, exported(commerce), "delta")
        case "report":
            last = next(iter(commerce.feeds.list(partner="Acme")))
            head = "_feed,_line,_code,_column,_value,_hint,sku,product_name,quantity\n"
            return load(commerce, f"{head}{last.feed_id},2,x,,,,A-2,Pot,3\n", "full")
        case _:
            return load(commerce, "sku,quantity,mpn\nA-1,4,x\n", "delta")


def drifted(job: Job) -> list[tuple[str, str]]:
    assert job.summary, job
    return [(drift.kind, drift.column) for drift in job.summary.drift]


@given(
    st.lists(st.sampled_from(["export as full", "export as delta", "report", "delta"]), max_size=4)
)
@settings(max_examples=25)
def test_what_comes_between_two_full_files_is_no_baseline_for_the_second(between: Sequence[str]):
    with open_platform(Settings(database_url="memory:")) as commerce:
        commerce.partners.add("Acme", currency="EUR")
        load(commerce, OWN.format("5.00"))
        for what in between:
            send(commerce, what)
        job = load(commerce, OWN.format("5.50"))
        assert (job.status, drifted(job)) == ("completed", [])


def test_a_returned_file_has_not_drifted_from_its_sources_own(commerce: Commerce):
    load(commerce, OWN.format("5.00"))
    sent = ("export as full", "export as NDJSON", "export as delta", "report")
    assert [drifted(send(commerce, what)) for what in sent] == [[]] * 4
    feeds = commerce.feeds.list(partner="Acme")
    assert [feed.returned for feed in feeds] == ["report", *["export"] * 3, None]


def test_the_same_export_sent_again_is_no_baseline_either(commerce: Commerce):
    load(commerce, OWN.format("5.00"))
    export = exported(commerce)
    load(commerce, export)
    load(commerce, export)
    assert load(commerce, OWN.format("5.50")).status == "completed"
    assert [feed.returned for feed in commerce.feeds.list(partner="Acme")][1] == "export"


def test_a_delta_is_compared_with_the_last_delta(commerce: Commerce):
    load(commerce, OWN.format("5.00"))
    assert drifted(load(commerce, "sku,quantity\nA-1,4\n", "delta")) == []
    load(commerce, OWN.format("5.10"))
    assert drifted(load(commerce, "sku,stock\nA-1,4\n", "delta")) == [
        ("column_added", "stock"),
        ("column_gone", "quantity"),
    ]


def test_records_are_also_known_by_the_columns_of_the_baseline(commerce: Commerce):
    """In each mode, whatever file of the platform came back meanwhile."""
    found: list[Sequence[str]] = []

    def noted(file: FeedFile, *args: Any, **options: Any) -> Iterator[Batch]:  # noqa: ANN401 - whatever it takes
        found.extend(args[3:])
        return batches(file, *args, **options)

    load(commerce, OWN.format("5.00"))
    load(commerce, "sku,quantity\nA-1,4\n", "delta")
    send(commerce, "export as full")
    batches = FeedFile.batches
    with patch.object(FeedFile, "batches", noted):
        load(commerce, "note,sku,product_name,price,brand\nx,A-1,Cup,5.00,Acme\n")
        load(commerce, "sku,note,quantity\nA-1,x,4\n", "delta")
        load(commerce, "sku,note,quantity\nA-1,y,5\n", "delta")
    assert found == [
        ("sku", "product_name", "price", "brand"),
        ("sku", "quantity"),
        ("sku", "note", "quantity"),
    ]


def test_a_column_that_the_sources_own_file_lost_still_holds_it(commerce: Commerce):
    load(commerce, OWN.format("5.00"))
    send(commerce, "export as full")
    job = load(commerce, "sku,product_name,price\nA-1,Cup,5.00\nA-2,Pot,6.00\n")
    assert (job.status, drifted(job)) == ("held", [("column_gone", "brand")])
