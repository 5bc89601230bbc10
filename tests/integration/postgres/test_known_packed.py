"""The packed copy of what records are recognised by says what the products themselves say."""

from collections.abc import Callable
from unittest.mock import patch

import psycopg
import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.polars_feeds import PolarsEngine
from adapters.postgres import PostgresStore
from adapters.postgres.ingest import match
from adapters.postgres.ingest.fingerprint_entries import Entries
from adapters.postgres.ingest.known_packed import current_entries
from commerce_core.catalog.publication import Publication
from commerce_core.feeds.source import Source
from commerce_core.parsing.reference import ReferenceEngine
from commerce_core.plans.comparison import Plan
from commerce_core.ports.engine import FeedEngine
from tests.contracts import samples
from tests.contracts.reverts_contract import undo
from tests.contracts.samples import ONE_STORE_AND_ANOTHER
from tests.contracts.unchanged_contract import HEADER, ROWS, Shop, told
from tests.support.examples import scaled

Connect = Callable[[], psycopg.Connection]
DONE = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(["full", "delta"]),
            st.sampled_from(["", ",note"]),
            st.sampled_from([0, 1]),
            st.lists(st.sampled_from(ROWS), max_size=6),
        ),
        st.sampled_from(["revert the last feed", "take the copy away"]),
    ),
    min_size=1,
    max_size=7,
)
"""Feeds of two sources that claim the same products, reverts, and copies that are lost."""


def active(connect: Connect, source: Source, *, copied: bool) -> list[tuple[bytes, int]]:
    """The source's products and their stock, from the copy and what changed or from themselves."""
    with connect() as db:
        if not copied:
            db.execute("DELETE FROM known_products")
        found = current_entries(db, source.partner_id, source.source_id)
        db.rollback()
    return sorted(zip(ids_of(found), found.state.tolist(), strict=True))


def ids_of(found: Entries) -> list[bytes]:
    return [one.tobytes() for one in found.ids]


def last_feed_of(store: PostgresStore, partner_id: str) -> Publication | None:
    with store.begin() as unit:
        made = unit.publications.of_partner(partner_id, 0, 100)
    return made[-1] if made and made[-1].kind == "feed" else None


def two_sources(store: PostgresStore, engine: FeedEngine, *, recognises: bool) -> list[Shop]:
    """A partner's sources, which claim the same products."""
    partner, one = samples.settled(store)
    other = samples.source(partner, "other")
    with store.begin() as unit:
        unit.sources.add(other)
    return [Shop(store, source, engine, recognises) for source in (one, other)]


def of_nobody(plan: Plan) -> Plan:
    """What a plan says, without whose products it is about."""
    problems = tuple(evolve(problem, hint=None) for problem in plan.problems)
    return evolve(told(plan), problems=problems)


@pytest.mark.slow
@settings(max_examples=scaled(40), suppress_health_check=ONE_STORE_AND_ANOTHER)
@given(done=DONE, few=st.sampled_from([0, match.FEW_UNANALYSED]))
def test_a_copy_and_what_changed_since_are_what_the_products_say(
    store: PostgresStore, connect: Connect, done: list[object], few: int
):
    """Recognising changes nothing after any feeds and reverts, whoever has a product by then.

    Nor does it matter whether other records are looked for among the products that none matched.
    """
    with patch.object(match, "FEW_UNANALYSED", few):
        check_copies(store, connect, done)


def check_copies(store: PostgresStore, connect: Connect, done: list[object]) -> None:
    quick = two_sources(store, PolarsEngine(chunk=64), recognises=True)
    plain = two_sources(store, ReferenceEngine(), recognises=False)
    for step in done:
        match step:
            case (mode, more, number, rows):
                text = "\n".join(line and line + more for line in (HEADER, *rows, ""))
                plans = [of_nobody(shops[number].take(mode, text)) for shops in (quick, plain)]
                assert plans[0] == plans[1]
            case "revert the last feed":
                for shops in (quick, plain):
                    if last := last_feed_of(store, shops[0].source.partner_id):
                        undo(store, last)
            case _:
                with connect() as db:
                    db.execute("DELETE FROM known_products")
        for one, other in zip(quick, plain, strict=True):
            assert one.catalog() == other.catalog()
            copied, there = (active(connect, one.source, copied=c) for c in (True, False))
            assert copied == there


def numbered(count: int, changed: int = 0) -> str:
    rows = (f"S{n},Thing {n},{2 if n < changed else 1}.00,{n},," for n in range(count))
    return "\n".join((HEADER, *rows, ""))


def copy_of(connect: Connect, source: Source) -> tuple[int, int]:
    """How many parts the copy of a source has, and how many publications it names."""
    with connect() as db:
        row = db.execute(
            """
            SELECT count(*), count(DISTINCT publication_id)
            FROM known_products
            WHERE source_id = %s
            """,
            [source.source_id.removeprefix("src_")],
        ).fetchone()
    assert row is not None
    return row[0], row[1]


def test_a_copy_of_several_parts_is_read_as_one(store: PostgresStore, connect: Connect):
    """In the order of the file, so that the next one is recognised along it."""
    shop = Shop(store, samples.settled(store)[1], PolarsEngine())
    shop.take("full", numbered(601))
    assert copy_of(connect, shop.source) == (3, 1)
    with connect() as db:
        found = current_entries(db, shop.source.partner_id, shop.source.source_id)
    assert ids_of(found) == sorted(ids_of(found))
    assert found.state.tolist() == [1] + [2] * 600
    assert shop.take("full", numbered(601)).unchanged == 601


@pytest.mark.parametrize(
    ("changed", "times", "made_anew"), [(3, 1, False), (90, 1, True), (3, 20, True)]
)
def test_a_copy_is_made_anew_where_much_has_changed(
    store: PostgresStore, connect: Connect, changed: int, times: int, made_anew: bool
):
    """Many products, or few of them again and again."""
    shop = Shop(store, samples.settled(store)[1], PolarsEngine())
    shop.take("full", numbered(300))
    with connect() as db:
        before = db.execute("SELECT min(publication_id::text) FROM known_products").fetchone()
    for time in range(times):
        assert shop.take("full", numbered(300, 0 if time % 2 else changed)).updated == changed
    shop.take("full", numbered(300, 0 if times % 2 == 0 else changed))
    with connect() as db:
        after = db.execute("SELECT min(publication_id::text) FROM known_products").fetchone()
    assert (after != before) is made_anew
    assert copy_of(connect, shop.source) == (2, 1)


def test_a_copy_of_a_publication_that_never_was_counts_for_nothing(
    store: PostgresStore, connect: Connect
):
    shop = Shop(store, samples.settled(store)[1], PolarsEngine())
    shop.take("full", numbered(10))
    with connect() as db:
        db.execute("UPDATE known_products SET publication_id = gen_random_uuid()")
    assert shop.take("full", numbered(10, 1)).updated == 1


def test_a_copy_that_lacks_a_part_counts_for_nothing(store: PostgresStore, connect: Connect):
    shop = Shop(store, samples.settled(store)[1], PolarsEngine())
    shop.take("full", numbered(601))
    with connect() as db:
        db.execute("DELETE FROM known_products WHERE part = 1")
    copied, there = (active(connect, shop.source, copied=c) for c in (True, False))
    assert copied == there


def test_a_source_that_is_removed_leaves_no_copy(store: PostgresStore, connect: Connect):
    shop = Shop(store, samples.settled(store)[1], PolarsEngine())
    shop.take("full", numbered(10))
    with store.begin() as unit:
        unit.sources.remove(shop.source.source_id)
    assert copy_of(connect, shop.source) == (0, 0)


def test_what_was_read_under_another_header_is_recognised_from_then_on(store: PostgresStore):
    """Though it changed nothing, and wrote nothing."""
    shop = Shop(store, samples.settled(store)[1], PolarsEngine())
    shop.take("full", numbered(40))
    wider = "\n".join(line and f"{line},x" for line in numbered(40).split("\n"))
    assert shop.take("full", wider).unchanged == 40
    assert matched(shop, wider) == 40
    assert matched(shop, numbered(40)) == 0


def test_what_was_read_without_a_look_at_what_is_known_takes_nothing_from_it(store: PostgresStore):
    """As a small delta is, between two full feeds: its records won't be looked for either."""
    source = samples.settled(store)[1]
    shop, hasty = (Shop(store, source, PolarsEngine(), recognises=r) for r in (True, False))
    shop.take("full", numbered(40))
    assert hasty.take("delta", numbered(40)).unchanged == 40
    assert matched(shop, numbered(40)) == 40


def matched(shop: Shop, text: str) -> int:
    """How many records of a full feed would be."""
    with shop.store.begin() as unit:
        known = unit.products.fingerprints(shop.source.partner_id, shop.source.source_id)
        return sum(len(b.matched) for b in shop._open(text.encode(), "full").batches(known))


def test_changed_records_are_found_among_the_products_that_none_matched(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
):
    """Each is looked for there first; what is new or comes twice is looked for everywhere."""
    sought: list[str] = []
    look = match._match

    def watched(db: object, context: object, among: str, **options: bool) -> int:
        sought.append("none matched" if among == match._AMONG_UNMATCHED else "everywhere")
        return look(db, context, among, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(match, "FEW_UNANALYSED", 0)
    monkeypatch.setattr(match, "_match", watched)
    _, source = samples.settled(store)
    shop = Shop(store, source, PolarsEngine(chunk=64), recognises=True)
    shop.take("full", numbered(40))
    changed = shop.take("full", numbered(40, changed=20))
    assert (changed.updated, changed.unchanged, sought) == (20, 20, ["none matched"])
    sought.clear()
    twice = numbered(40, changed=10) + "S30,Thing 30,3.00,30,,\nS99,New,1.00,1,,\n"
    plan = shop.take("full", twice)
    assert (plan.updated, plan.created, plan.duplicate) == (11, 1, 1)
    assert "everywhere" in sought
