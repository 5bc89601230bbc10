"""Partners and keys over HTTP."""

import pytest

from tests.unit.http.conftest import Api


def test_a_partner_is_added_with_its_details_tidied(api: Api):
    answer = api.post(
        "/v1/partners",
        {"partner_name": "  Acme   Ltd ", "currency": "usd", "time_zone": "Europe/Rome"},
    )
    assert answer.status_code == 201
    partner = answer.json()
    assert partner["partner_name"] == "Acme Ltd"
    assert partner["currency"] == "USD"
    assert partner["status"] == "active"
    assert partner["contact_email"] is None
    assert answer.headers["Location"] == f"/v1/partners/{partner['partner_id']}"
    assert api.get(answer.headers["Location"]).json() == partner


def test_a_name_is_taken_once_without_regard_to_case(api: Api, acme: str):
    answer = api.post("/v1/partners", {"partner_name": "ACME"})
    assert (answer.status_code, answer.json()["code"]) == (409, "partner_name_taken")


def test_only_what_is_sent_of_a_partner_changes(api: Api, acme: str):
    before = api.get(f"/v1/partners/{acme}").json()
    after = api.patch(f"/v1/partners/{acme}", {"status": "paused", "currency": None}).json()
    changed = {name for name in before if before[name] != after[name]}
    assert changed - {"updated_at"} == {"status", "currency"}
    assert after["currency"] is None


def test_a_change_of_nothing_leaves_a_partner_as_it_is(api: Api, acme: str):
    before = api.get(f"/v1/partners/{acme}").json()
    assert api.patch(f"/v1/partners/{acme}", {}).json() == before
    assert api.patch(f"/v1/partners/{acme}", {"currency": "USD"}).json() == before


@pytest.mark.parametrize("field", ["partner_name", "status", "time_zone"])
def test_what_every_partner_has_cannot_be_taken_away(api: Api, acme: str, field: str):
    answer = api.patch(f"/v1/partners/{acme}", {field: None})
    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [f"/{field}"]


def test_partners_are_listed_page_by_page_and_counted(api: Api):
    made = sorted(api.partner(f"Partner {number}") for number in range(5))
    first = api.get("/v1/partners?limit=3&count=true").json()
    assert first["count"] == 5
    second = api.get(f"/v1/partners?limit=3&cursor={first['next_cursor']}").json()
    assert second["next_cursor"] is None
    assert "count" not in second
    assert [partner["partner_id"] for partner in first["items"] + second["items"]] == made


def test_a_key_shows_its_secret_once_and_works_until_it_is_revoked(api: Api, acme: str):
    made = api.post(f"/v1/partners/{acme}/keys", {"scopes": ["catalog:read"]})
    assert made.status_code == 201
    key = made.json()
    assert key["scopes"] == ["catalog:read"]
    assert key["partner_id"] == acme
    holder = api.asking(key["secret"])
    assert holder.get("/v1/products").status_code == 200

    listed = api.get(f"/v1/partners/{acme}/keys").json()["items"]
    assert [item["key_id"] for item in listed] == [key["key_id"]]
    assert key["secret"] not in api.get(f"/v1/partners/{acme}/keys").text

    revoked = api.delete(f"/v1/keys/{key['key_id']}").json()
    assert revoked["revoked_at"] is not None
    assert holder.get("/v1/products").status_code == 401
    assert api.delete(f"/v1/keys/{key['key_id']}").json() == revoked


def test_a_key_needs_no_body(api: Api, acme: str):
    made = api.post(f"/v1/partners/{acme}/keys")
    assert made.status_code == 201
    assert "feeds:write" in made.json()["scopes"]


def test_scopes_that_a_partner_cannot_have_are_each_refused(api: Api, acme: str):
    answer = api.post(
        f"/v1/partners/{acme}/keys", {"scopes": ["partners:write", "feeds:read", "x"]}
    )
    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/scopes/0", "/scopes/2"]


def test_a_scorecard_has_a_row_for_each_week_and_source(api: Api, acme: str):
    """A partner that was just added has one week yet."""
    address = f"/v1/partners/{acme}/scorecard"
    found = api.get(f"{address}?weeks=2").json()
    assert (found["partner_id"], found["partner_name"], found["tz"]) == (acme, "Acme", "UTC")
    (row,) = found["results"]
    assert (row["week"], row["source_name"]) == (found["from"], "main")
    assert row["week"] < found["to"]
    assert (row["expected"], row["on_time"], row["records"]) == (None, 0, 0)
    for weeks in (0, 54):
        assert api.get(f"{address}?weeks={weeks}").status_code in (400, 422)
    theirs = api.asking(api.key(api.partner("Other")))
    assert theirs.get(address).status_code == 404
