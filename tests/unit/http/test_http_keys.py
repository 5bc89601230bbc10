"""Keys over HTTP: their terms, their rotation, and how an expired one is refused."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attrs import evolve

from commerce_core.commerce import Commerce
from tests.unit.http.conftest import Api

LATER = "2999-01-01T00:00:00Z"


def issue(api: Api, partner: str, **terms: Any) -> dict[str, Any]:  # noqa: ANN401 as the key has them
    answer = api.post(f"/v1/partners/{partner}/keys", terms)
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_a_key_is_issued_with_its_terms_and_listed_without_its_secret(api: Api, acme: str):
    issued = issue(api, acme, key_name="shop", expires_at=LATER, scopes=["catalog:read"])
    assert (issued["key_name"], issued["expires_at"]) == ("shop", LATER)
    assert issued["last_used_at"] is None
    own = api.asking(issued["secret"])
    assert own.get("/v1/products").status_code == 200
    (listed,) = api.get(f"/v1/partners/{acme}/keys").json()["items"]
    assert listed["last_used_at"] is not None
    without = {name: value for name, value in issued.items() if name != "secret"}
    assert {**listed, "last_used_at": None} == without


@pytest.mark.parametrize(
    ("terms", "pointer"),
    [
        ({"expires_at": "2001-01-01T00:00:00Z"}, "/expires_at"),
        ({"expires_at": "soon"}, "/expires_at"),
        ({"key_name": "x" * 101}, "/key_name"),
        ({"scopes": ["keys:write"]}, "/scopes/0"),
    ],
)
def test_terms_that_make_no_sense_are_refused_at_their_place(
    api: Api, acme: str, terms: dict[str, Any], pointer: str
):
    answer = api.post(f"/v1/partners/{acme}/keys", terms)
    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]


def test_an_expired_key_is_refused_as_such(api: Api, acme: str):
    issued = issue(api, acme, expires_at=LATER)
    past = Commerce(evolve(api.commerce.context, clock=lambda: datetime(3000, 1, 1, tzinfo=UTC)))
    api.client.app.state.commerce = past
    answer = api.asking(issued["secret"]).get("/v1/products")
    assert (answer.status_code, answer.json()["code"]) == (401, "key_expired")
    assert "2999-01-01" in answer.json()["detail"]
    assert "Bearer" in answer.headers["WWW-Authenticate"]


def test_a_key_is_rotated_with_both_live_and_only_once(api: Api, acme: str):
    issued = issue(api, acme, key_name="shop")
    address = f"/v1/keys/{issued['key_id']}/rotate"
    once = {"Idempotency-Key": "rotation"}
    answer = api.post(address, {"grace_hours": 2}, headers=once)
    assert answer.status_code == 201
    new = answer.json()
    assert (new["key_name"], new["scopes"]) == ("shop", issued["scopes"])
    again = api.post(address, {"grace_hours": 2}, headers=once).json()
    assert (again["key_id"], again["secret"]) == (new["key_id"], None)
    for secret in (issued["secret"], new["secret"]):
        assert api.asking(secret).get("/v1/products").status_code == 200
    old = api.get(f"/v1/partners/{acme}/keys").json()["items"][1]
    assert old["successor_id"] == new["key_id"]
    ends = datetime.fromisoformat(old["expires_at"]) - datetime.now(UTC)
    assert ends <= timedelta(hours=2)
    refused = api.post(address, {})
    assert (refused.status_code, refused.json()["code"]) == (409, "key_rotated")
    assert new["key_id"] in refused.json()["detail"]


def test_a_grace_out_of_range_is_refused(api: Api, acme: str):
    key_id = issue(api, acme)["key_id"]
    for hours in (-1, 721, 10**17):
        answer = api.post(f"/v1/keys/{key_id}/rotate", {"grace_hours": hours})
        assert [f["pointer"] for f in answer.json()["errors"]] == ["/grace_hours"]


def test_an_offboarded_partner_has_no_keys_and_is_issued_none(api: Api, acme: str):
    secret = issue(api, acme)["secret"]
    api.patch(f"/v1/partners/{acme}", {"status": "offboarded"})
    assert api.asking(secret).get("/v1/products").status_code == 401
    answer = api.post(f"/v1/partners/{acme}/keys", {})
    assert (answer.status_code, answer.json()["code"]) == (409, "partner_offboarded")


def test_a_name_that_looks_like_anothers_is_refused_with_that_name(api: Api, acme: str):
    answer = api.post("/v1/partners", {"partner_name": "\u0410cme"})
    assert (answer.status_code, answer.json()["code"]) == (409, "partner_name_confusable")
    assert "'Acme'" in answer.json()["detail"]
    assert "\\u0410cme" in answer.json()["detail"]
    assert api.get(f"/v1/partners/{acme}").json()["partner_name"] == "Acme"


def test_a_feed_that_a_person_rejected_gets_no_new_ingest(api: Api, acme: str):
    rows = "".join(f"A-{n},Lamp\n" for n in range(100))
    api.ingest(acme, f"sku,product_name\n{rows}".encode())
    receipt = api.upload(b"sku,product_name\nA-1,Lamp\n", partner_id=acme, mode="full").json()
    api.commerce.jobs.run(receipt["job_id"])
    feed = f"/v1/feeds/{receipt['feed_id']}"
    assert api.post(f"{feed}/reject", {}).status_code == 200
    answer = api.post(f"{feed}/jobs", {})
    assert (answer.status_code, answer.json()["code"]) == (409, "feed_rejected")
    assert api.post(f"{feed}/jobs", {"kind": "validate"}).status_code == 201
