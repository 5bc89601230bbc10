"""Sources and their profiles over HTTP."""

from typing import Any

import pytest
from attrs import fields

from commerce_core.feeds.guards import GUARD_SETTINGS
from entrypoints.http.routes.sources import Guards
from tests.unit.http.conftest import Api

SHOP = b"Artikel;Bezeichnung;Preis\nA-1;Lampe;1.299,00 EUR\nA-2;Stuhl;89,90\n"
PROFILE = {
    "delimiter": ";",
    "decimal": ",",
    "columns": {"sku": "Artikel", "product_name": ["Bezeichnung"], "price": {"from": "Preis"}},
}


GUARDS = {
    "removals": 20, "file_size": 50, "columns_gone": True, "rekeyed": 20, "price_median": 20,
    "price_leap": 5, "out_of_stock": 20, "judged_from": 50,
}  # fmt: skip
NOTHING_EXPECTED = {
    "cron": None, "every": None, "time_zone": None, "grace": None, "weekdays_off": [],
    "dates_off": [],
}  # fmt: skip
UNKNOWN = {
    "state": "unknown", "last_fresh_at": None, "last_feed_id": None, "expected_at": None,
    "expected_by": None, "stale_at": None, "late_since": None, "basis": None, "cron": None,
    "every": None, "time_zone": None, "grace": None, "confidence": None,
}  # fmt: skip


def main_source(api: Api, partner: str) -> str:
    (source,) = api.get(f"/v1/sources?partner_id={partner}").json()["items"]
    assert source["source_name"] == "main"
    assert api.get(f"/v1/sources/{source['source_id']}").json() == source
    return source["source_id"]


def test_a_new_source_reads_by_the_canonical_profile(api: Api, acme: str):
    saved = api.get(f"/v1/sources/{main_source(api, acme)}/profile").json()
    assert saved == {"version": 0, "profile": {}, "author": "", "saved_at": None}


def test_a_profile_is_kept_in_versions_with_its_author_and_read_back_as_sent(api: Api, acme: str):
    address = f"/v1/sources/{main_source(api, acme)}/profile"
    saved = api.request("PUT", address, json=PROFILE).json()
    assert saved["version"] == 1
    assert saved["author"].startswith(("operator", "key_"))
    assert saved["profile"]["columns"]["price"] == {"from": ["Preis"]}
    assert api.request("PUT", address, json=saved["profile"]).json() == saved
    assert api.request("PUT", address, json={"preset": "shopify"}).json()["version"] == 2
    assert api.get(address).json()["profile"] == {"preset": "shopify"}


def test_a_profile_is_tried_on_a_file_without_a_trace(api: Api, acme: str):
    source = main_source(api, acme)
    api.request("PUT", f"/v1/sources/{source}/profile", json=PROFILE)
    files = {"file": ("shop.csv", SHOP, "text/csv")}
    trial = api.post(f"/v1/sources/{source}/profile/test", files=files).json()
    assert (trial["records_read"], trial["offers"], trial["complete"]) == (2, 2, True)
    assert trial["mapping"]["price"] == "Preis"
    assert [sample["price"] for sample in trial["samples"]] == ["1299.00", "89.90"]
    assert api.get("/v1/feeds").json()["items"] == []


def test_a_file_that_cannot_be_read_by_the_profile_is_refused_with_its_reason(api: Api, acme: str):
    source = main_source(api, acme)
    files = {"file": ("shop.csv", b"colour;size\nred;5\n", "text/csv")}
    answer = api.post(f"/v1/sources/{source}/profile/test", files=files)
    assert (answer.status_code, answer.json()["code"]) == (422, "no_header")


def test_every_fault_of_a_profile_is_reported_at_its_place(api: Api, acme: str):
    wrong = {
        "currency": "EURO",
        "columns": {"price": "P", "colour": "C"},
    }
    answer = api.request("PUT", f"/v1/sources/{main_source(api, acme)}/profile", json=wrong)
    assert answer.status_code == 422
    pointers = {fault["pointer"] for fault in answer.json()["errors"]}
    assert pointers == {"/currency", "/columns/colour"}
    beyond = {
        "constants": {"availability": "perhaps"},
        "columns": {"price": {"from": "P", "pattern": "(a+)+"}},
    }
    answer = api.request("PUT", f"/v1/sources/{main_source(api, acme)}/profile", json=beyond)
    pointers = {fault["pointer"] for fault in answer.json()["errors"]}
    assert pointers == {"/constants/availability", "/columns/price/pattern"}
    misspelt = {"colums": {}, "columns": {"price": {"form": "P"}}}
    answer = api.request("PUT", f"/v1/sources/{main_source(api, acme)}/profile", json=misspelt)
    pointers = {fault["pointer"] for fault in answer.json()["errors"]}
    assert pointers == {"/colums", "/columns/price/form"}


def test_feeds_are_read_by_the_profile_of_their_source(api: Api, acme: str):
    api.request("PUT", f"/v1/sources/{main_source(api, acme)}/profile", json=PROFILE)
    api.ingest(acme, SHOP)
    products = api.get("/v1/products?sort_by=price&currency=EUR").json()["items"]
    assert [(p["sku"], p["price"], p["currency"]) for p in products] == [("A-1", "1299.00", "EUR")]


def test_a_constant_may_be_a_number_or_a_boolean(api: Api, acme: str):
    address = f"/v1/sources/{main_source(api, acme)}/profile"
    saved = api.request("PUT", address, json={"constants": {"quantity": 1, "deleted": False}})
    assert saved.json()["profile"] == {"constants": {"quantity": "1", "deleted": "no"}}


def test_a_source_is_added_shown_changed_listed_and_removed(api: Api, acme: str):
    body = {
        "partner_id": acme,
        "source_name": "stock",
        "mode": "full",
        "run": True,
        "on_error": {"threshold": {"share": 0.05, "count": 20}},
        "snapshot_pattern": "stock-{YYYY}{MM}{DD}.csv",
        "net_of_orders": False,
    }
    answer = api.post("/v1/sources", body)
    made = answer.json()
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/v1/sources/{made['source_id']}"
    told = {"threshold": {"share": "0.05", "count": 20}}
    assert made == {
        **body, "source_id": made["source_id"], "created_at": made["created_at"], "kind": "push",
        "guards": GUARDS, "on_error": told, "expected": NOTHING_EXPECTED,
        "stop_selling_after": None, "freshness": UNKNOWN,
    }  # fmt: skip
    assert api.post("/v1/sources", body).json()["code"] == "source_name_taken"
    address = f"/v1/sources/{made['source_id']}"
    changed = api.patch(address, {"on_error": "feed", "snapshot_pattern": None}).json()
    assert changed == {**made, "on_error": "feed", "snapshot_pattern": None}
    assert api.patch(address, {"on_error": "records"}).json()["on_error"] == "records"
    assert api.delete(address).json()["source_name"] == "stock"
    assert api.get(address).status_code == 404


def test_what_is_expected_of_a_source_is_declared_as_a_whole(api: Api, acme: str):
    address = f"/v1/sources/{main_source(api, acme)}"
    declared = {
        "cron": "30 6 * * mon-fri", "time_zone": "Europe/Rome", "grace": "PT90M",
        "weekdays_off": ["fri"], "dates_off": ["2026-12-25"],
    }  # fmt: skip
    changed = api.patch(address, {"expected": declared, "stop_selling_after": "P2W"}).json()
    assert changed["expected"] == {**declared, "every": None, "grace": "PT1H30M"}
    assert changed["stop_selling_after"] == "P14D"
    fresh = changed["freshness"]
    assert (fresh["state"], fresh["basis"], fresh["grace"]) == ("fresh", "declared", "PT1H30M")
    assert fresh["expected_at"] < fresh["expected_by"]
    assert api.get("/v1/partners").json()["items"][0]["freshness"] == {
        "state": "fresh", "fresh": 1, "late": 0, "stale": 0, "unknown": 0,
    }  # fmt: skip
    again = api.patch(address, {"expected": {"every": "P1D"}}).json()
    assert again["expected"] == {**NOTHING_EXPECTED, "every": "P1D"}
    cleared = api.patch(address, {"expected": None, "stop_selling_after": None}).json()
    assert (cleared["expected"], cleared["freshness"]) == (NOTHING_EXPECTED, UNKNOWN)


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({"expected": {"every": "1 day"}}, "/expected/every", "not_a_duration"),
        ({"expected": {"every": "PT1M"}}, "/expected/every", "bad_every"),
        ({"expected": {"cron": "monday"}}, "/expected/cron", "bad_cron"),
        ({"expected": {"dates_off": ["2026-02-30"]}}, "/expected/dates_off/0", "not_a_time"),
        ({"expected": {"dates_off": ["soon"]}}, "/expected/dates_off/0", "not_a_date"),
        ({"expected": {"weekdays_off": ["day"]}}, "/expected/weekdays_off/0", "not_one_of"),
        ({"stop_selling_after": "PT59M"}, "/stop_selling_after", "bad_duration"),
        ({"stop_selling_after": 3}, "/stop_selling_after", "not_a_text"),
    ],
)
def test_what_cant_be_expected_is_refused_where_it_stands(
    api: Api, acme: str, body: dict[str, Any], pointer: str, code: str
):
    refused = api.patch(f"/v1/sources/{main_source(api, acme)}", body)
    assert refused.status_code == 422
    assert [(e["pointer"], e["code"]) for e in refused.json()["errors"]] == [(pointer, code)]


def test_a_new_source_takes_the_partner_by_name_and_the_defaults(api: Api, acme: str):
    made = api.post("/v1/sources", {"partner_name": "acme", "source_name": "web"}).json()
    assert (made["mode"], made["run"], made["on_error"]) == ("delta", False, "records")
    nobody = api.post("/v1/sources", {"partner_name": "Nobody", "source_name": "web"})
    assert nobody.status_code == 404
    assert api.post("/v1/sources", {"source_name": "web"}).status_code == 422


def test_sources_are_walked_by_cursor_and_a_partner_sees_its_own(api: Api, acme: str):
    other = api.partner("Other")
    api.post("/v1/sources", {"partner_id": acme, "source_name": "web"})
    first = api.get("/v1/sources?limit=2&count=true").json()
    rest = api.get(f"/v1/sources?limit=2&cursor={first['next_cursor']}").json()
    assert first["count"] == 3
    assert [source["source_name"] for source in first["items"]] == ["main", "main"]
    assert [source["source_name"] for source in rest["items"]] == ["web"]
    theirs = api.asking(api.key(other))
    (seen,) = theirs.get("/v1/sources").json()["items"]
    assert seen["partner_id"] == other
    foreign = rest["items"][0]["source_id"]
    assert theirs.patch(f"/v1/sources/{foreign}", {"run": True}).status_code == 404
    assert theirs.delete(f"/v1/sources/{foreign}").status_code == 404
    body = {"partner_id": acme, "source_name": "mine"}
    assert theirs.post("/v1/sources", body).status_code == 404


def test_every_fault_of_a_source_is_reported(api: Api, acme: str):
    address = f"/v1/sources/{main_source(api, acme)}"
    for on_error in ("all", {"threshold": {}}, {"threshold": {"share": "5"}}, {"limit": 3}, 7):
        assert api.patch(address, {"on_error": on_error}).status_code == 422
    answer = api.patch(address, {"snapshot_pattern": "catalog.csv"})
    assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/snapshot_pattern"]
    assert api.patch(address, {"source_name": "other"}).json()["code"] == "main_source"


def test_every_setting_of_guards_can_be_set():
    assert [each.name for each in fields(Guards)] == list(GUARDS) == list(GUARD_SETTINGS)


def test_guards_are_set_one_by_one(api: Api, acme: str):
    address = f"/v1/sources/{main_source(api, acme)}"
    changed = api.patch(address, {"guards": {"removals": 40, "price_leap": None}}).json()
    assert changed["guards"] == {**GUARDS, "removals": 40, "price_leap": None}
    again = api.patch(address, {"guards": {"columns_gone": False}}).json()
    assert again["guards"] == {**changed["guards"], "columns_gone": False}
    wrong = api.patch(address, {"guards": {"price_leap": 1, "removals": -1}})
    pointers = {fault["pointer"] for fault in wrong.json()["errors"]}
    assert (wrong.status_code, pointers) == (422, {"/guards/price_leap", "/guards/removals"})
    unknown = api.patch(address, {"guards": {"colour": 1}}).json()["errors"]
    assert [fault["pointer"] for fault in unknown] == ["/guards/colour"]
    web = {"partner_id": acme, "source_name": "web", "guards": {"rekeyed": None}}
    assert api.post("/v1/sources", web).json()["guards"] == {**GUARDS, "rekeyed": None}


def test_guards_are_changed_only_by_who_decides_about_feeds(api: Api, acme: str):
    """A partner's key that sends feeds changes everything else about its sources."""
    source = main_source(api, acme)
    sends = api.asking(api.key(acme, "feeds:read", "feeds:write"))
    for guards in ({"removals": None}, {"judged_from": 9}):
        refused = sends.patch(f"/v1/sources/{source}", {"run": True, "guards": guards})
        assert (refused.status_code, refused.json()["code"]) == (403, "missing_scope")
        new = {"source_name": "stock", "guards": guards}
        assert sends.post("/v1/sources", new).status_code == 403
    unchanged = api.get(f"/v1/sources/{source}").json()
    assert (unchanged["run"], unchanged["guards"]) == (False, GUARDS)
    assert len(api.get("/v1/sources").json()["items"]) == 1
    same = {"run": True, "guards": GUARDS}
    assert sends.patch(f"/v1/sources/{source}", same).json()["run"] is True
    assert sends.post("/v1/sources", {"source_name": "stock", "guards": GUARDS}).status_code == 201
    decides = api.asking(api.key(acme, "feeds:write", "feeds:decide"))
    changed = decides.patch(f"/v1/sources/{source}", {"guards": {"removals": None}}).json()
    assert changed["guards"]["removals"] is None
