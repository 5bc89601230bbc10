"""A partner's publications folded anew from raw files, beside the live catalog."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from attrs import evolve

from commerce_core.commerce import Commerce
from commerce_core.feeds.job import Job
from commerce_core.ingestion.replay import Replay
from commerce_core.profiles.profile import Profile
from commerce_core.schema.fields import Mode
from entrypoints.compose import open_platform
from entrypoints.settings import Settings
from tests.contracts.history_machine import drive
from tests.support.commands import Cli

FULL = b"sku,product_name,price\nA-1,Lamp,12.50\nA-2,Chair,80\nA-3,Table,200\n"


@pytest.fixture
def commerce() -> Iterator[Commerce]:
    with open_platform(Settings(database_url="memory:")) as commerce:
        commerce.partners.add("Acme", currency="EUR")
        yield commerce


def send(commerce: Commerce, content: bytes, mode: Mode = "delta", days_ago: int = 0) -> Job:
    at = datetime.now(UTC) - timedelta(days=days_ago)
    job = commerce.feeds.load(io.BytesIO(content), partner="Acme", mode=mode, snapshot_at=at)
    assert job.status == "completed", job
    return job


def replayed(commerce: Commerce) -> Replay:
    found = commerce.history.replay("Acme")
    assert found.agrees, found
    return found


def test_feeds_are_folded_under_what_they_were_read_under(commerce: Commerce):
    """Each under its profile, currency, mode and guards of then, whatever holds now."""
    send(commerce, FULL, "full")
    commerce.partners.change("Acme", currency="USD")
    send(commerce, b"sku,product_name,price\nB-1,Rug,30\n")
    commerce.sources.set_profile(Profile(decimal=","), partner="Acme")
    send(commerce, b'sku,price\nA-1,"11,25"\n')
    commerce.partners.change("Acme", currency="GBP", time_zone="Europe/Rome")
    commerce.sources.set_profile(Profile(), partner="Acme")
    assert commerce.products.get(partner="Acme", sku="B-1").currency == "USD"
    found = replayed(commerce)
    assert (found.feeds, found.reverts, found.products) == (3, 0, 4)


def test_a_price_that_leapt_is_kept_in_the_replay_too(commerce: Commerce):
    """By the guard of then; the one of now may be another."""
    send(commerce, FULL, "full")
    send(commerce, b"sku,price\nA-1,1\nA-2,81\n")
    assert str(commerce.products.get(partner="Acme", sku="A-1").price) == "12.50"
    partner_id = commerce.partners.get("Acme").partner_id
    with commerce.context.store.begin() as unit:
        (source,) = unit.sources.of(partner_id)
        unit.sources.put(evolve(source, guards=evolve(source.guards, price_leap=None)))
    replayed(commerce)


def test_late_feeds_are_late_in_the_replay_too(commerce: Commerce):
    """Also by feeds that were recognised, and so published nothing."""
    send(commerce, FULL, "full", days_ago=9)
    send(commerce, FULL, "full", days_ago=3)
    send(commerce, b"sku,price\nA-1,20\n", days_ago=5)
    send(commerce, b"sku,price\nA-2,70\n", days_ago=1)
    send(commerce, b"sku,price\nA-2,75\n", days_ago=2)
    assert str(commerce.products.get(partner="Acme", sku="A-1").price) == "12.50"
    assert str(commerce.products.get(partner="Acme", sku="A-2").price) == "70.00"
    replayed(commerce)


def test_rows_of_reports_are_compared_in_the_replay_too(commerce: Commerce):
    """Also with a feed of which nothing was accepted, and which so has no publication."""
    send(commerce, b"sku,product_name,price\n7,Seven,5\n")
    failed = commerce.feeds.load(
        io.BytesIO(b"sku,product_name,price\n007,Bond,x\n008,Odd,x\n"), partner="Acme"
    )
    assert failed.status == "failed"
    with commerce.jobs.report(failed.job_id) as stream:
        report = stream.read()
    send(commerce, report.replace(b"007,Bond,x", b"7,Bond,90").replace(b"Odd,x", b"Odd,6"))
    assert str(commerce.products.get(partner="Acme", sku="7").price) == "5.00"
    assert str(commerce.products.get(partner="Acme", sku="008").price) == "6.00"
    replayed(commerce)


def test_what_a_delta_takes_offline_is_removed_and_comes_back(commerce: Commerce):
    """An unknown one changes nothing."""
    commerce.sources.set_profile(Profile(preset="woocommerce"), partner="Acme")
    head = b"ID,Type,SKU,Name,Published,Regular price\n"
    send(commerce, head + b"1,simple,A,Cup,1,9\n2,simple,B,Mug,1,9\n", "full")
    taken = send(commerce, head + b"1,simple,A,Cup,-1,\n7,simple,Z,Vase,0,\n")
    assert taken.summary
    assert (taken.summary.deleted, taken.summary.unchanged, taken.summary.skipped) == (1, 1, 0)
    assert commerce.products.get(partner="Acme", sku="A").status == "removed"
    replayed(commerce)
    send(commerce, head + b"1,simple,A,Cup,1,8\n")
    assert commerce.products.get(partner="Acme", sku="A").status == "active"


def test_reverts_are_folded_in_their_place(commerce: Commerce):
    """So are their undoing, and what came between them."""
    send(commerce, FULL, "full")
    bad = send(commerce, b"sku,product_name,price\nA-1,Lamp,13\nX,Ghost,1\n", "full").feed_id
    send(commerce, b"sku,price\nX,2\n")
    for undo in (False, True, False):
        commerce.jobs.run(commerce.reverts.start(bad, undo=undo).job_id)
    found = replayed(commerce)
    assert (found.feeds, found.reverts, found.products) == (3, 3, 4)


def test_a_catalog_that_was_tampered_with_is_found_out(commerce: Commerce):
    """Every field that differs is told with both values; the command exits with 65."""
    send(commerce, FULL, "full")
    lamp = commerce.products.get(partner="Acme", sku="A-1")
    store = commerce.context.store
    kept = store._tables.products  # type: ignore[attr-defined] - behind its back
    kept[lamp.product_id] = evolve(lamp, brand="Forged", quantity=9)
    found = commerce.history.replay("Acme")
    assert [(d.sku, d.field, d.live, d.replayed) for d in found.listed] == [
        ("A-1", "brand", "Forged", None),
        ("A-1", "quantity", 9, None),
    ]
    told = Cli(commerce)("replay", "--partner", "Acme")
    assert told.code == 65
    assert "Forged" in told.out


def test_a_file_that_was_tampered_with_is_found_out(commerce: Commerce):
    """Products that one side lacks are told as such."""
    feed_id = send(commerce, FULL, "full").feed_id
    files = commerce.context.files
    key = commerce.feeds.get(feed_id).file_key
    files.delete(key)
    files.put(key, io.BytesIO(FULL.replace(b"A-3", b"A-9")), 1000)
    found = commerce.history.replay("Acme")
    assert {(d.sku, d.field) for d in found.listed} == {("A-3", "sku"), ("A-9", "sku")}
    files.delete(key)
    broken = commerce.history.replay("Acme")
    assert broken.broken is not None
    assert feed_id in broken.broken
    told = Cli(commerce)("replay", "--partner", "Acme")
    assert (told.code, feed_id in told.out) == (65, True)


def test_the_command_says_that_all_is_well(commerce: Commerce):
    send(commerce, FULL, "full")
    told = Cli(commerce).fine("replay", "--partner", "acme")
    assert "Replayed 1 feed and 0 reverts, and compared 3 products." in told.out
    assert Cli(commerce).fine("replay", "--partner", "Acme", "--json").json["differences"] == 0


def test_a_partner_without_publications_agrees(commerce: Commerce):
    assert replayed(commerce).products == 0


def test_two_platforms_and_a_model_agree_on_any_history(commerce: Commerce):
    """In memory; the same machine takes PostgreSQL along elsewhere."""
    with open_platform(Settings(database_url="memory:")) as other:
        drive(commerce, other, examples=15, steps=15)
