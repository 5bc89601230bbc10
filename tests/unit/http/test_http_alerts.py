"""Alerts over HTTP: what is shown of channels, and what is refused."""

from io import BytesIO
from typing import Any

import pytest

from tests.unit.http.conftest import Api

HOOK = "https://receiver.invalid/hook"
QUIET = {"start": "22:00", "end": "07:00", "time_zone": "Europe/Berlin"}


def added(api: Api, **more: object) -> dict[str, Any]:
    return api.post("/v1/alert-channels", json={"url": HOOK, **more}).json()


def test_a_new_channel_shows_its_secret_once(api: Api):
    """Neither its sealed form nor the secret is ever shown again."""
    headers = {"Idempotency-Key": "one"}
    answer = api.post("/v1/alert-channels", json={"url": HOOK}, headers=headers)
    made = answer.json()
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/v1/alert-channels/{made['channel_id']}"
    assert made["secret"].startswith("whsec_")
    again = api.post("/v1/alert-channels", json={"url": HOOK}, headers=headers).json()
    assert again["secret"] is None
    shown = api.get(f"/v1/alert-channels/{made['channel_id']}").json()
    assert not {"secret", "sealed"} & set(shown)
    listed = api.get("/v1/alert-channels?count=true&status=active").json()
    assert (listed["items"], listed["count"]) == ([shown], 1)


def test_a_channel_is_changed_paused_and_removed(api: Api):
    path = f"/v1/alert-channels/{added(api, quiet_hours=QUIET)['channel_id']}"
    assert api.get(path).json()["quiet_hours"] == QUIET
    change = {"severities": ["critical"], "digest_minutes": 15, "status": "paused"}
    changed = api.request("PATCH", path, json=change).json()
    assert {name: changed[name] for name in change} == change
    assert changed["quiet_hours"] == QUIET
    ended = api.request("PATCH", path, json={"quiet_hours": None, "status": "active"}).json()
    assert (ended["quiet_hours"], ended["status"]) == (None, "active")
    tried = api.post(f"{path}/test").json()
    assert (tried["status"], tried["error"], tried["test"]) == ("failed", "unresolved", True)
    assert api.request("DELETE", path).json()["status"] == "removed"
    assert api.post(f"{path}/test").status_code == 409
    assert api.get("/v1/alert-channels").json()["items"] == []


def test_alerts_are_listed_with_their_causes(api: Api, acme: str):
    channel_id = added(api)["channel_id"]
    api.commerce.feeds.load(BytesIO(b"<html>not a feed</html>"), partner=acme)
    api.commerce.alerting.run()
    (alert,) = api.get(f"/v1/alerts?channel_id={channel_id}").json()["items"]
    assert (alert["status"], alert["error"], alert["attempts"]) == ("pending", "unresolved", 1)
    assert alert["next_at"] is not None
    assert [(entry["kind"], entry["phase"]) for entry in alert["entries"]] == [("failed", "new")]
    assert api.get("/v1/alerts?status=sent").json()["items"] == []
    (item,) = api.get("/v1/inbox").json()["items"]
    assert item["severity"] == alert["severity"] == "critical"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"url": "https://10.0.0.1/"}, "/url"),
        ({"quiet_hours": {**QUIET, "start": "25:00"}}, "/quiet_hours/start"),
        ({"digest_minutes": 1}, "/digest_minutes"),
        ({"severities": ["urgent"]}, "/severities/0"),
    ],
)
def test_a_channel_that_can_not_be_is_refused(api: Api, body: dict[str, Any], pointer: str):
    answer = api.post("/v1/alert-channels", json={"url": HOOK, **body})
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_without_a_mail_server_the_setting_is_named(api: Api):
    answer = api.post("/v1/alert-channels", json={"recipients": ["ops@example.com"]})
    assert (answer.status_code, answer.json()["code"]) == (409, "no_mail_server")
    assert "smtp_url" in answer.json()["detail"]
