"""Webhooks over HTTP: what is shown of them, and what is refused."""

import re
from typing import Any

import pytest

from tests.unit.http.conftest import Api

HOOK = "https://receiver.invalid/hook"
DAY = "2026-01-01T00:00:00Z"


def added(api: Api, **more: object) -> dict[str, Any]:
    return api.post("/v1/webhooks", json={"url": HOOK, **more}).json()


def test_a_new_webhook_shows_its_secret_once(api: Api):
    """Neither its sealed form nor what the platform keeps for itself is ever shown."""
    answer = api.post("/v1/webhooks", json={"url": HOOK}, headers={"Idempotency-Key": "one"})
    made = answer.json()
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/v1/webhooks/{made['webhook_id']}"
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", made["secret"])
    again = api.post("/v1/webhooks", json={"url": HOOK}, headers={"Idempotency-Key": "one"})
    assert again.json()["secret"] is None
    shown = api.get(f"/v1/webhooks/{made['webhook_id']}").json()
    assert set(shown["secrets"][0]) == {"created_at", "expires_at"}
    assert "secret" not in shown
    listed = api.get("/v1/webhooks?count=true").json()
    assert (listed["items"], listed["count"]) == ([shown], 1)


def test_a_webhook_is_changed_paused_and_removed(api: Api):
    webhook_id = added(api)["webhook_id"]
    path = f"/v1/webhooks/{webhook_id}"
    changed = api.request("PATCH", path, json={"status": "paused", "kinds": ["feed.held"]}).json()
    assert (changed["status"], changed["kinds"]) == ("paused", ["feed.held"])
    rotated = api.post(f"{path}/secrets", json={"grace_hours": 1}).json()
    assert [bool(s["expires_at"]) for s in rotated["secrets"]] == [False, True]
    assert api.request("DELETE", path).json()["status"] == "removed"
    assert api.post(f"{path}/test", json={}).status_code == 409
    assert api.get("/v1/webhooks").json()["items"] == []


def test_deliveries_are_listed_shown_and_sent_again(api: Api, acme: str):
    webhook_id = added(api, kinds=["feed.applied"])["webhook_id"]
    api.ingest(acme)
    sending = api.commerce.sending
    sending.read_events()
    from tests.support.receivers import ROOMS

    sending.record([sending.send(claimed) for claimed in sending.claim(*ROOMS)])
    (listed,) = api.get(f"/v1/webhook-deliveries?webhook_id={webhook_id}").json()["items"]
    assert (listed["status"], listed["error"], listed["attempts"]) == ("pending", "unresolved", 1)
    path = f"/v1/webhook-deliveries/{listed['delivery_id']}"
    shown = api.get(path).json()
    assert [tried["error"] for tried in shown["tries"]] == ["unresolved"]
    assert api.post(f"{path}/redeliver").json()["status"] == "pending"
    again = api.post(f"/v1/webhooks/{webhook_id}/redeliver", json={"plan": True, "since": DAY})
    assert again.json() == {"deliveries": 0, "planned": True, "more": False}


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({}, "/url", "required"),
        ({"url": "https://127.0.0.1/"}, "/url", "address_refused"),
        ({"url": HOOK, "kinds": ["feed.hold"]}, "/kinds/0", "not_one_of"),
        ({"url": HOOK, "secret": "mine"}, "/secret", "unknown_field"),
        ({"url": HOOK, "description": "a" * 201}, "/description", "too_long"),
    ],
)
def test_what_is_wrong_with_a_webhook_is_reported(
    api: Api, body: dict[str, Any], pointer: str, code: str
):
    answer = api.post("/v1/webhooks", json=body)
    assert answer.status_code == 422
    assert (pointer, code) in [(e["pointer"], e["code"]) for e in answer.json()["errors"]]


def test_a_test_reports_what_happened(api: Api):
    webhook_id = added(api)["webhook_id"]
    tried = api.post(f"/v1/webhooks/{webhook_id}/test", json={"kind": "order.created"}).json()
    assert (tried["error"], tried["http_status"]) == ("unresolved", None)


def test_without_the_scope_nothing_is_shown(api: Api, acme: str):
    secret = api.commerce.keys.add(partner=acme, scopes=["feeds:read"]).secret
    for path in ("webhooks", "webhook-deliveries"):
        assert api.asking(secret).get(f"/v1/{path}").status_code == 403
