"""A database that an earlier version made works under the present version, and nothing is lost."""

import gzip
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest

from adapters.postgres.migrations import migrate
from tests.integration.conftest import created_database
from tests.support.earlier import (
    HIDDEN,
    MADE_BY,
    RECORDED,
    ROLES,
    Upgraded,
    cases,
    lost,
    raw_of,
    upgraded,
)


@pytest.fixture(scope="module")
def kept(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Generator[Upgraded]:
    """For tests that only ask; nothing of it is changed."""
    folder = tmp_path_factory.mktemp("upgrade")
    with created_database(postgres) as conninfo, upgraded(conninfo, folder) as made:
        yield made


@pytest.fixture
def going_on(new_database: str, tmp_path: Path) -> Generator[Upgraded]:
    """For a test that goes on with it."""
    with upgraded(new_database, tmp_path) as made:
        yield made


# What it kept


@pytest.mark.parametrize("asked", cases("once"))
def test_a_request_that_is_sent_again_under_its_key_has_the_answer_of_then(
    kept: Upgraded, asked: Mapping[str, Any]
):
    answer = kept.ask(asked)
    assert answer.status_code == asked["status"], answer.text
    assert answer.headers["Idempotency-Replayed"] == "true"
    assert answer.headers.get("Location") == asked["location"]
    assert lost(asked["answer"], answer.json()) == []


def test_another_request_under_a_key_of_then_is_a_conflict(kept: Upgraded):
    asked = next(asked for asked in RECORDED["once"] if asked["path"] == "/v1/partners")
    answer = kept.ask({**asked, "json": {**asked["json"], "partner_name": "Another"}})
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_key_reused")


def test_an_answer_is_read_by_its_request_whatever_its_class_was_called(going_on: Upgraded):
    """The name beside an answer is read by earlier versions alone."""
    asked = RECORDED["once"][0]
    with psycopg.connect(going_on.conninfo) as db:
        db.execute("UPDATE idempotency_keys SET kind = 'Unheard' WHERE key = %s", [asked["key"]])
    answer = going_on.ask(asked)
    assert answer.headers["Idempotency-Replayed"] == "true"


@pytest.mark.parametrize("asked", cases("cursors"))
def test_a_cursor_of_then_goes_on_where_it_stood(kept: Upgraded, asked: Mapping[str, Any]):
    """Of every list, of the changes and of the events, whatever they were filtered by."""
    answer = kept.by(asked["who"]).get(f"{asked['path']}&cursor={asked['cursor']}")
    assert answer.status_code == 200, answer.text
    assert lost(asked["page"], answer.json()) == []


@pytest.mark.parametrize("asked", cases("shown"))
def test_what_it_showed_is_shown(kept: Upgraded, asked: Mapping[str, Any]):
    """Partners, profiles, feeds, jobs, plans, products, their past, orders, reports, the audit."""
    answer = kept.by(asked["who"]).get(asked["path"])
    assert answer.status_code == 200, answer.text
    hidden = HIDDEN if asked["who"] == "lumen" else frozenset[str]()
    assert set(lost(asked["answer"], answer.json())) <= hidden


@pytest.mark.parametrize("asked", cases("downloads"))
def test_a_file_that_it_gave_is_given_to_the_byte(kept: Upgraded, asked: Mapping[str, Any]):
    answer = kept.by(asked["who"]).get(asked["path"])
    assert answer.content == (MADE_BY / asked["file"]).read_bytes()


def test_raw_files_are_given_as_they_were_received(kept: Upgraded):
    feeds = kept.operator.get("/v1/feeds?limit=200").json()["items"]
    assert len(feeds) == RECORDED["counts"]["feeds"]
    for feed in feeds:
        answer = kept.operator.get(f"/v1/feeds/{feed['feed_id']}/raw")
        assert answer.content == raw_of(feed["feed_id"])


def test_a_key_that_was_revoked_stays_revoked(kept: Upgraded):
    assert kept.by("revoked").get("/v1/products").status_code == 401


def test_an_event_of_then_leads_into_the_changes(kept: Upgraded):
    """By the cursor that it is shown with now, as by the one that it was shown with."""
    events = kept.operator.get("/v1/events?kind=catalog.changed&limit=1000").json()["items"]
    for event in events:
        cursor, number = event["data"]["changes_cursor"], event["data"]["publication"]
        page = kept.operator.get(f"/v1/products/changes?limit=1&cursor={cursor}").json()
        assert page["items"][0]["publication"] == number


def test_the_tables_are_those_of_a_new_database(kept: Upgraded, new_database: str):
    migrate(new_database)
    made, new = described(kept.conninfo), described(new_database)
    assert made - new == set()
    assert new - made == set()


def described(conninfo: str) -> set[tuple[object, ...]]:
    """Columns, constraints and indexes of a database, and the steps of the schema it was given."""
    with psycopg.connect(conninfo) as db:
        return {row for query in _DESCRIBED for row in db.execute(query).fetchall()}


_DESCRIBED: Final = (
    """
    SELECT attrelid::regclass::text, attname, format_type(atttypid, atttypmod),
           attcollation::regcollation::text, attnotnull, attidentity, attstorage,
           c.reloptions::text, pg_get_expr(adbin, adrelid)
    FROM pg_attribute
    JOIN pg_class c ON c.oid = attrelid
    LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND attnum > 0
      AND NOT attisdropped
    """,
    """
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
    FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
    """,
    "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "SELECT name, checksum FROM schema_migrations",
)


# How it goes on


@pytest.mark.parametrize("partner", RECORDED["replays"])
def test_the_raw_files_of_then_make_the_catalog_of_then(kept: Upgraded, partner: str):
    found = kept.replayed(partner)
    assert lost(RECORDED["replays"][partner], found) == []
    assert (found["differences"], found["broken"]) == (0, None)


def test_what_was_held_is_approved(going_on: Upgraded):
    """By the plan that was kept of it, whose figures come true."""
    api, feed = going_on.operator, f"/v1/feeds/{ROLES['held']}"
    job_id = api.get(feed).json()["latest_job"]["job_id"]
    plan = api.get(f"/v1/jobs/{job_id}/plan").json()
    answer = api.post(f"{feed}/approve", {"note": "The new version may."})
    assert answer.status_code == 200, answer.text
    summary, figures = answer.json()["summary"], ("created", "unchanged", "removed", "records_read")
    assert {n: summary[n] for n in figures} == {n: plan[n] for n in figures}
    assert summary["removed"] > 0
    assert api.get(feed).json()["status"] == "applied"
    assert going_on.product("Lumen Werke", "W-40")["status"] == "active"
    assert going_on.replayed("Lumen Werke")["differences"] == 0


def test_what_was_held_is_rejected(going_on: Upgraded):
    feed = f"/v1/feeds/{ROLES['held']}"
    assert going_on.operator.post(f"{feed}/reject", {}).json()["status"] == "rejected"


def test_what_was_applied_is_reverted_and_what_was_reverted_comes_back(going_on: Upgraded):
    api = going_on.operator
    sku = ("Lumen Werke", "A-04")
    now = going_on.product(*sku)
    history = api.get(f"/v1/products/{now['product_id']}/history").json()["items"]
    (change,) = history[0]["fields"]
    assert (history[0]["feed_id"], change["field"]) == (ROLES["applied"], "quantity")
    for undo, quantity in ((False, change["before"]), (True, change["after"])):
        job = api.post(f"/v1/feeds/{ROLES['applied']}/revert", {"undo": undo, "run": False}).json()
        assert going_on.run(job["job_id"])["outcome"] == "clean"
        assert going_on.product(*sku)["quantity"] == quantity
    price = going_on.product("Lumen Werke", "A-12")["price"]
    job = api.post(f"/v1/feeds/{ROLES['reverted']}/revert", {"undo": True, "run": False}).json()
    assert going_on.run(job["job_id"])["summary"]["updated"] == 2
    assert going_on.product("Lumen Werke", "A-12")["price"] == "16.00" != price
    assert going_on.replayed("Lumen Werke")["differences"] == 0


def test_a_job_that_waited_is_run(going_on: Upgraded):
    api, feed = going_on.operator, f"/v1/feeds/{ROLES['received']}"
    waiting = api.get(feed).json()["latest_job"]
    assert waiting["status"] == "queued"
    assert counts(going_on.run(waiting["job_id"])) == {"records_read": 1, "created": 1}
    assert api.get(feed).json()["status"] == "applied"


def test_the_bytes_that_were_published_last_are_read_once_more_and_change_nothing(
    going_on: Upgraded,
):
    """Since today's version reads some otherwise; then they are known without being read."""
    path = f"/v1/products/changes?source_id={ROLES['sources']['web']}&limit=1000"
    last = going_on.operator.get(path).json()["items"][-1]["product"]["feed_id"]
    shop = {"partner_name": "Lumen Werke", "source": "web"}
    again, known = (going_on.upload(raw_of(last), f"web-2026113{n}.csv", **shop) for n in range(2))
    assert counts(again) == counts(known) == {"records_read": 6, "unchanged": 6}
    assert again["progress"]["bytes_read"] > known["progress"]["bytes_read"] == 0


def shop_again(change: Callable[[str], str] = str) -> bytes:
    """The file of the shop, as it sends it packed."""
    text = gzip.decompress(raw_of(ROLES["shop"])).decode()
    return gzip.compress(change(text).encode())


SHOP: Final = {"partner_name": "Nordlicht", "source": "shop", "mode": "full"}


def test_the_records_of_then_change_nothing_when_they_come_again(going_on: Upgraded):
    """Read by the profile of then, whose every part has something to do in that file."""
    before = going_on.operator.get("/v1/products?partner_name=Nordlicht").json()
    job = going_on.upload(shop_again(), "shop-4.csv.gz", **SHOP)
    assert counts(job) == {
        "records_read": 12, "unchanged": 9, "folded": 1, "skipped": 1, "rejected": 1
    }  # fmt: skip
    assert going_on.operator.get("/v1/products?partner_name=Nordlicht").json() == before


def test_the_file_of_the_second_day_is_read_with_the_right_counts(going_on: Upgraded):
    def second_day(text: str) -> str:
        lines = text.replace("ab 89,90 EUR", "ab 84,90 EUR").splitlines()
        gone = [line for line in lines if not line.startswith("N-12;")]
        new = next(line for line in lines if line.startswith("N-13;"))
        return "\n".join([*gone, new.replace("N-13;", "N-14;").replace("Ton 13", "Ton 14")]) + "\n"

    job = going_on.upload(shop_again(second_day), "shop-4.csv.gz", **SHOP)
    assert counts(job) == {
        "records_read": 12, "created": 1, "updated": 1, "unchanged": 7, "removed": 1, "absent": 1,
        "folded": 1, "skipped": 1, "rejected": 1,
    }  # fmt: skip
    assert job["summary"]["drift"] == []
    changed = going_on.product("Nordlicht", "N-1")
    assert (changed["price"], changed["version"]) == ("84.90", 4)
    new = going_on.product("Nordlicht", "N-14")
    assert (new["product_name"], new["attributes"]) == (
        "Hose Skog - Ton 14", {"Material": "Wolle", "Pflege": "30 °C"}
    )  # fmt: skip
    assert going_on.product("Nordlicht", "N-12")["status"] == "removed"
    found = going_on.replayed("Nordlicht")
    assert (found["feeds"], found["differences"]) == (4, 0)


def test_a_report_of_then_is_mended_and_sent_again(going_on: Upgraded):
    """Its columns are in partners' hands by now; it undoes nothing that was published since."""
    report = (MADE_BY / "report.jsonl").read_text("utf-8")
    mended = (
        report.replace('"price": "not a price"', '"price": "12.70"')
        .replace('"gtin": "123"', '"gtin": "4006381333931"')
        .replace('"quantity": "-4", "weight": "viel"', '"quantity": "4", "weight": "900 g"')
        .replace('"sku": ""', '"sku": "A-44"')
    )
    job = going_on.upload(mended.encode(), "mended.jsonl", partner_name="Lumen Werke")
    assert counts(job) == {
        "records_read": 5, "created": 1, "overtaken": 3, "blank": 1, "absent": 11
    }  # fmt: skip
    report = (MADE_BY / "report.csv").read_text("utf-8")
    mended = report.replace("A-07,,", "A-07,Lampe 07,")
    assert mended != report
    job = going_on.upload(mended.encode(), "mended.csv", partner_name="Lumen Werke")
    assert counts(job) == {"records_read": 1, "updated": 1, "absent": 11}
    assert going_on.product("Lumen Werke", "A-07")["price"] == "18.00"


def test_an_export_of_then_is_a_feed_that_changes_nothing(going_on: Upgraded):
    export = (MADE_BY / "export.csv").read_bytes()
    job = going_on.upload(export, "products.csv", **{**SHOP, "mode": "delta"})
    assert counts(job) == {"records_read": 9, "unchanged": 9}


def test_orders_go_on_from_the_units_that_are_held(going_on: Upgraded):
    """What was ordered then is held still, and can be sold again once that is cancelled."""
    api = going_on.operator
    product = going_on.product("Nordlicht", "N-2")
    wanted = {
        "items": [{"product_id": product["product_id"], "quantity": product["available"] + 1}]
    }
    assert api.post("/v1/orders", wanted).json()["errors"][0]["code"] == "insufficient_stock"
    cancelled = api.post(f"/v1/orders/{ROLES['orders']['both']}/cancel")
    assert cancelled.json()["status"] == "cancelled"
    assert api.post("/v1/orders", wanted).status_code == 201
    again = api.post(f"/v1/orders/{ROLES['orders']['cancelled']}/cancel").json()
    assert again["code"] == "order_cancelled"


def test_what_is_set_for_partners_and_sources_can_be_changed(going_on: Upgraded):
    api = going_on.operator
    partner = f"/v1/partners/{ROLES['partners']['Brightside']}"
    assert api.patch(partner, {"status": "active"}).json()["status"] == "active"
    source = f"/v1/sources/{ROLES['sources']['web']}"
    changed = api.patch(source, {"guards": {"removals": 90}}).json()
    assert changed["guards"]["removals"] == 90
    assert changed["guards"]["judged_from"] == 2
    profile = f"/v1/sources/{ROLES['sources']['shop']}/profile"
    saved = api.get(profile).json()
    assert api.request("PUT", profile, json=saved["profile"]).json() == saved
    assert api.request("PUT", profile, json={}).json()["version"] == saved["version"] + 1
    actions = [entry["action"] for entry in api.get("/v1/audit?limit=3").json()["items"]]
    assert actions == ["profile.saved", "source.changed", "partner.changed"]


def counts(job: Mapping[str, Any]) -> dict[str, int]:
    """The figures of a job's summary that aren't 0, warnings left aside."""
    summary = job["summary"]
    left_aside = ("warnings", "report_records")
    return {
        name: figure
        for name, figure in summary.items()
        if isinstance(figure, int) and figure and name not in left_aside
    }


def test_the_books_of_then_agree(kept: Upgraded):
    """Orders, ledger, stock, publications and versions that an older version wrote reconcile."""
    found = kept.operator.get("/v1/analytics/reconciliation").json()
    assert found["ok"], [check for check in found["checks"] if check["failed"]]
    compared = {check["identity"]: check["compared"] for check in found["checks"]}
    for identity in ("ledger_makes_orders", "parts_are_placed", "catalogs_add_up"):
        assert compared[identity] > 0
