"""Events and the audit over HTTP."""

from tests.unit.http.conftest import Api


def test_events_are_followed_by_cursor(api: Api, acme: str):
    api.ingest(acme)
    page = api.get("/v1/events?limit=1").json()
    assert [event["kind"] for event in page["items"]] == ["feed.received"]
    assert page["items"][0]["data"]["partner_id"] == acme
    rest = api.get(f"/v1/events?limit=1000&cursor={page['next_cursor']}").json()
    again = api.get(f"/v1/events?cursor={rest['next_cursor']}").json()
    assert (again["items"], again["next_cursor"]) == ([], rest["next_cursor"])
    assert api.get("/v1/events?cursor=latest").json()["next_cursor"] == rest["next_cursor"]
    other = api.get(f"/v1/events?cursor={rest['next_cursor']}&kind=feed.failed")
    assert (other.status_code, other.json()["code"]) == (400, "bad_cursor")


def test_events_are_filtered_and_a_partner_sees_its_own(api: Api, acme: str):
    other = api.partner("Other")
    api.ingest(acme)
    api.ingest(other)
    told = api.get("/v1/events?kind=feed.received&kind=feed.failed").json()["items"]
    assert {event["partner_ids"][0] for event in told} == {acme, other}
    (only,) = api.get("/v1/events?kind=feed.received&partner_name=other").json()["items"]
    assert only["partner_ids"] == [other]
    theirs = api.asking(api.key(other)).get("/v1/events").json()["items"]
    assert {tuple(event["partner_ids"]) for event in theirs} == {(other,)}
    assert api.get("/v1/events?kind=feed.read").status_code == 400
    assert api.get("/v1/events?limit=1001").status_code == 400


def test_the_audit_is_the_operators_alone(api: Api, acme: str):
    changed = api.patch(f"/v1/partners/{acme}", {"currency": "EUR"})
    assert changed.status_code == 200
    (entry,) = api.get("/v1/audit?action=partner.changed").json()["items"]
    assert (entry["before"], entry["after"]) == ({"currency": "USD"}, {"currency": "EUR"})
    assert entry["subjects"] == [acme]
    assert entry["actor"].startswith("key_")
    page = api.get(f"/v1/audit?partner_id={acme}&limit=1&count=true").json()
    assert (page["count"], page["items"]) == (2, [entry])
    rest = api.get(f"/v1/audit?partner_id={acme}&limit=1&cursor={page['next_cursor']}").json()
    assert [item["action"] for item in rest["items"]] == ["partner.added"]
    assert api.get(f"/v1/audit?subject={acme}&actor=nobody").json()["items"] == []
    assert api.get("/v1/audit?from=2999-01-01").json()["items"] == []
    theirs = api.asking(api.key(acme))
    assert theirs.get("/v1/audit").status_code == 403
