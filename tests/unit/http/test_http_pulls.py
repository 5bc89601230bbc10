"""Sources that are fetched, over HTTP."""

from inspect import signature

import pytest
from attrs import fields

from adapters.memory.fetcher import MemoryFetcher
from commerce_core.feeds.place import PLACE_SETTINGS
from commerce_core.usecases.fetching import backfilling
from commerce_core.usecases.pulls import Pulls
from entrypoints.http.routes.pulls import PullSettings
from tests.unit.http.conftest import Api

URL = "https://1.1.1.1/feed.csv"
KEY = "SHA256:" + "A" * 43
SFTP = {"url": "sftp://1.1.1.1/out/", "username": "anna", "secret": "s3cret", "host_key": KEY}


@pytest.fixture
def acme(api: Api) -> Api:
    """The API as a partner sees it."""
    return api.asking(api.key(api.partner()))


def source_of(api: Api) -> str:
    return api.get("/v1/sources").json()["items"][0]["source_id"]


def test_every_setting_of_a_place_can_be_set():
    settings = {*PLACE_SETTINGS, "host_key"} - {"host_keys"}
    assert signature(Pulls.set).parameters.keys() >= settings
    assert {each.name for each in fields(PullSettings)} >= settings


def test_a_source_is_fetched_by_a_schedule_and_on_request(acme: Api):
    path = f"/v1/sources/{source_of(acme)}"
    assert acme.get(f"{path}/pull").json()["code"] == "not_pulled"
    settings = {"url": URL, "secret": "s3cret", "cron": "0 6 * * *", "time_zone": "Asia/Tokyo"}
    made = acme.request("PUT", f"{path}/pull", json=settings)
    assert made.status_code == 200
    assert (made.json()["has_secret"], len(made.json()["next_at"])) == (True, 5)
    assert "s3cret" not in made.text
    assert "sealed" not in made.json()
    kept = acme.request("PUT", f"{path}/pull", json={"url": URL})
    assert (kept.json()["has_secret"], kept.json()["next_at"]) == (True, [])
    gone = acme.request("PUT", f"{path}/pull", json={"url": URL, "secret": None})
    assert not gone.json()["has_secret"]
    fetch = acme.post(f"{path}/fetch")
    assert (fetch.status_code, fetch.json()["status"]) == (201, "queued")
    assert acme.get(fetch.headers["location"]).json() == fetch.json()
    assert acme.post(f"{path}/fetch").json()["code"] == "fetch_under_way"
    assert acme.get("/v1/fetches?count=true").json()["count"] == 1
    assert acme.delete(f"{path}/pull").json()["url"] == URL


def test_addresses_and_schedules_are_judged_with_their_pointers(acme: Api):
    path = f"/v1/sources/{source_of(acme)}/pull"
    for settings, pointer, code in (
        ({"url": "https://[::ffff:127.0.0.1]/"}, "/url", "address_refused"),
        ({"url": "https://a:b@1.1.1.1/"}, "/url", "url_credentials"),
        ({"url": URL, "cron": "* * *"}, "/cron", "bad_cron"),
        ({"url": URL, "cron": "0 0 * * *", "time_zone": "X"}, "/time_zone", "bad_time_zone"),
    ):
        answer = acme.request("PUT", path, json=settings)
        assert answer.status_code == 422
        (error,) = answer.json()["errors"]
        assert (error["pointer"], error["code"]) == (pointer, code)


def test_what_is_anothers_answers_like_what_there_is_not(api: Api, acme: Api):
    path = f"/v1/sources/{source_of(acme)}"
    acme.request("PUT", f"{path}/pull", json={"url": URL})
    fetch = acme.post(f"{path}/fetch").json()["fetch_id"]
    other = api.asking(api.key(api.partner("Other")))
    assert other.get("/v1/fetches").json()["items"] == []
    for method, of in (
        ("GET", f"{path}/pull"), ("DELETE", f"{path}/pull"), ("POST", f"{path}/fetch"),
        ("GET", f"/v1/fetches/{fetch}"),
    ):  # fmt: skip
        assert other.request(method, of).status_code == 404
    assert other.request("PUT", f"{path}/pull", json={"url": URL}).status_code == 404
    assert api.asking(None).get("/v1/fetches").status_code == 401


@pytest.mark.parametrize(
    ("place", "kind", "shown"),
    [
        (
            {**SFTP, "pattern": "*.csv", "marker": "{name}.done"}, "sftp",
            {"host_key": KEY, "pattern": "*.csv", "marker": "{name}.done"},
        ),
        (
            {
                "url": "s3://bucket/out/", "username": "id", "secret": "s3cret",
                "endpoint": "https://1.1.1.1", "region": "eu-central-1",
            }, "s3", {"endpoint": "https://1.1.1.1", "region": "eu-central-1"},
        ),
        ({"url": URL}, "https", {"host_key": None, "pattern": None, "endpoint": None}),
    ],
)  # fmt: skip
def test_each_kind_of_place_is_shown_with_its_settings(
    acme: Api, place: dict[str, str], kind: str, shown: dict[str, str | None]
):
    path = f"/v1/sources/{source_of(acme)}"
    assert acme.get(path).json()["kind"] == "push"
    made = acme.request("PUT", f"{path}/pull", json=place)
    assert made.status_code == 200
    assert "s3cret" not in made.text
    assert {name: made.json()[name] for name in shown} == shown
    assert (made.json()["kind"], made.json()["url"]) == (kind, place["url"])
    assert acme.get(f"{path}/pull").json() == made.json()
    assert acme.get(path).json()["kind"] == kind
    assert acme.get("/v1/sources").json()["items"][0]["kind"] == kind
    acme.delete(f"{path}/pull")
    assert acme.get(path).json()["kind"] == "push"


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ({"host_key": None}, "/host_key", "host_key_needed"),
        ({"host_key": "x"}, "/host_key", "bad_host_key"),
        ({"username": None}, "/username", "username_needed"),
        ({"secret": None}, "/secret", "secret_needed"),
        ({"secret": "-----BEGIN OPENSSH PRIVATE KEY-----"}, "/secret", "bad_private_key"),
        ({"url": "sftp://10.0.0.1/out/"}, "/url", "address_refused"),
        ({"url": "ftp://1.1.1.1/out/"}, "/url", "scheme_refused"),
        ({"region": "eu-central-1"}, "/region", "setting_refused"),
        ({"marker": "done"}, "/marker", "bad_marker"),
    ],
)
def test_what_cannot_be_fetched_like_this_is_refused_with_its_place(
    acme: Api, change: dict[str, str | None], pointer: str, code: str
):
    path = f"/v1/sources/{source_of(acme)}/pull"
    refused = acme.request("PUT", path, json={**SFTP, **change})
    assert refused.status_code == 422
    assert [(e["pointer"], e["code"]) for e in refused.json()["errors"]] == [(pointer, code)]


def test_a_fetch_is_rehearsed(acme: Api):
    path = f"/v1/sources/{source_of(acme)}"
    assert acme.post(f"{path}/test").json()["code"] == "not_pulled"
    acme.request("PUT", f"{path}/pull", json={"url": "https://unresolved.invalid/feed.csv"})
    found = acme.post(f"{path}/test")
    assert found.status_code == 200
    assert (found.json()["error"]["code"], found.json()["files"]) == ("unresolved", [])


def test_past_files_are_planned_loaded_and_cancelled(acme: Api, monkeypatch: pytest.MonkeyPatch):
    server = MemoryFetcher({}, keys=frozenset({KEY}), users={"anna": "s3cret"})
    server.put("/old/a.csv", b"sku\nA\n")
    monkeypatch.setattr(backfilling, "connect", lambda _, *place: server.connect(*place))
    path = f"/v1/sources/{source_of(acme)}"
    acme.request("PUT", f"{path}/pull", json=SFTP)
    wanted = {"url": "sftp://1.1.1.1/old/", "snapshot_from": "2026-01-01T00:00:00Z"}
    planned = acme.post(f"{path}/backfill?plan=true", json=wanted)
    assert (planned.status_code, planned.json()["takes"]) == (200, 1)
    assert planned.json()["files"] == [
        {
            "path": "/old/a.csv", "size": 6, "snapshot_at": "2026-01-01T00:00:00Z",
            "snapshot_basis": "modified", "verdict": "take", "effect": "applies",
            "why": "It has to stay as it is for 30 seconds.",
        },
    ]  # fmt: skip
    server.users["anna"] = "changed"
    refused = acme.post(f"{path}/backfill?plan=true", json=wanted)
    assert (refused.status_code, refused.json()["code"]) == (409, "denied")
    assert acme.get("/v1/fetches").json()["items"] == []
    made = acme.post(f"{path}/backfill", json=wanted)
    assert made.status_code == 201
    fetch = made.json()
    assert (fetch["cause"], fetch["status"]) == ("backfill", "queued")
    assert {name: fetch["backfill"][name] for name in wanted} == wanted
    assert acme.post(f"{path}/backfill", json={}).json()["code"] == "fetch_under_way"
    cancelled = acme.post(f"/v1/fetches/{fetch['fetch_id']}/cancel")
    assert (cancelled.status_code, cancelled.json()["outcome"]) == (200, "cancelled")
    assert acme.post(f"/v1/fetches/{fetch['fetch_id']}/cancel").json()["code"] == "fetch_finished"
    other = {"url": "sftp://2.2.2.2/old/"}
    for refused in ("", "?plan=true"):
        answer = acme.post(f"{path}/backfill{refused}", json=other)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "other_server")
