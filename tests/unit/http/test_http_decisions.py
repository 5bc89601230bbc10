"""Plans and decisions over HTTP."""

from io import BytesIO
from typing import Any

import pytest

from commerce_core.partners.access import GRANTABLE_SCOPES
from tests.unit.http.conftest import Api


def catalog(count: int, quantity: int = 1) -> bytes:
    rows = "".join(f"A-{n},Lamp number {n},12.50,USD,{quantity}\n" for n in range(count))
    return f"sku,product_name,price,currency,quantity\n{rows}".encode()


@pytest.fixture
def held(api: Api, acme: str) -> dict[str, Any]:
    """The receipt of a feed that lacks half of the catalog, after its run."""
    api.commerce.feeds.load(BytesIO(catalog(100)), partner=acme, mode="full")
    receipt = api.upload(catalog(50), partner_id=acme, mode="full").json()
    api.commerce.jobs.run(receipt["job_id"])
    return receipt


def test_a_held_job_ends_the_waiting_and_shows_its_plan(api: Api, held: dict[str, Any]):
    job = api.get(f"/v1/jobs/{held['job_id']}").json()
    assert (job["status"], job["summary"]["removed"]) == ("held", 50)
    plan = api.get(f"/v1/jobs/{held['job_id']}/plan").json()
    assert (plan["removed"], plan["before"], plan["unchanged"]) == (50, 100, 50)
    removals = next(result for result in plan["guards"] if result["tripped"])
    assert removals == {
        "guard": "removals",
        "value": "50.00",
        "limit": "20",
        "tripped": True,
        "severity": "hold",
        "detail": "50 of 100 products would be removed.",
    }
    assert api.get("/v1/feeds?status=held").json()["items"][0]["feed_id"] == held["feed_id"]
    answer = api.post(f"/v1/jobs/{held['job_id']}/run?wait=1")
    assert (answer.status_code, answer.json()["code"]) == (409, "job_held")


def test_it_is_approved_without_its_removals(api: Api, held: dict[str, Any]):
    body = {"without": ["removals"], "note": "an accident"}
    job = api.post(f"/v1/feeds/{held['feed_id']}/approve", body)
    assert (job.status_code, job.json()["status"]) == (200, "completed")
    assert job.json()["decision"]["note"] == "an accident"
    again = api.post(f"/v1/feeds/{held['feed_id']}/approve", {})
    assert (again.status_code, again.json()["code"]) == (409, "feed_not_held")


def test_what_became_worse_is_refused_with_the_new_plan(api: Api, acme: str, held: dict[str, Any]):
    gone = "".join(f"A-{n},yes\n" for n in range(10))
    api.commerce.feeds.load(BytesIO(f"sku,deleted\n{gone}".encode()), partner=acme)
    answer = api.post(f"/v1/feeds/{held['feed_id']}/approve", {})
    assert (answer.status_code, answer.json()["code"]) == (409, "plan_worse")
    plan = answer.json()["plan"]
    assert (plan["removed"], plan["before"]) == (50, 90)
    assert api.get(f"/v1/jobs/{held['job_id']}/plan").json() == plan


def test_it_is_rejected(api: Api, held: dict[str, Any]):
    feed = api.post(f"/v1/feeds/{held['feed_id']}/reject", {"note": "no"})
    assert (feed.status_code, feed.json()["status"]) == (200, "rejected")
    assert api.post(f"/v1/feeds/{held['feed_id']}/reject", {}).status_code == 409


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"without": ["prices"]}, "/without/0"),
        ({"note": "x" * 1_001}, "/note"),
        ({"notes": "x"}, "/notes"),
    ],
)
def test_a_decision_that_makes_no_sense_names_what_is_wrong(
    api: Api, held: dict[str, Any], body: dict[str, Any], pointer: str
):
    answer = api.post(f"/v1/feeds/{held['feed_id']}/approve", body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer


def test_a_partner_sees_and_decides_its_own_alone(api: Api, acme: str, held: dict[str, Any]):
    """It decides only if its key was given the scope."""
    api.partner("Other")
    other = api.asking(api.key("Other", *GRANTABLE_SCOPES))
    own = api.asking(api.key(acme))
    for path in ("approve", "reject"):
        assert other.post(f"/v1/feeds/{held['feed_id']}/{path}", {}).status_code == 404
    assert other.get(f"/v1/jobs/{held['job_id']}/plan").status_code == 404
    assert own.get(f"/v1/jobs/{held['job_id']}/plan").status_code == 200
    for path in ("approve", "reject", "revert"):
        refused = own.post(f"/v1/feeds/{held['feed_id']}/{path}", {})
        assert (refused.status_code, refused.json()["code"]) == (403, "missing_scope")
        assert "feeds:decide" in refused.json()["detail"]
    deciding = api.asking(api.key(acme, "feeds:decide"))
    assert deciding.post(f"/v1/feeds/{held['feed_id']}/approve", {}).status_code == 200


@pytest.mark.parametrize("kind", ["plan", "validate"])
def test_a_first_job_may_only_look(api: Api, acme: str, kind: str):
    receipt = api.upload(partner_id=acme, kind=kind).json()
    job = api.commerce.jobs.run(receipt["job_id"])
    assert (job.kind, job.status) == (kind, "completed")
    feed = api.get(f"/v1/feeds/{receipt['feed_id']}").json()
    assert (feed["status"], feed["latest_job"]["kind"]) == ("received", kind)
    plan = api.get(f"/v1/jobs/{receipt['job_id']}/plan")
    assert plan.status_code == (200 if kind == "plan" else 404)
    made = api.post(f"/v1/feeds/{receipt['feed_id']}/jobs", {"kind": "ingest"})
    assert (made.status_code, made.json()["kind"]) == (201, "ingest")


def test_a_plan_is_there_when_its_job_has_ended(api: Api, acme: str):
    receipt = api.upload(partner_id=acme).json()
    answer = api.get(f"/v1/jobs/{receipt['job_id']}/plan")
    assert (answer.status_code, answer.json()["code"]) == (404, "no_plan")
    assert api.upload(partner_id=acme, kind="replace").status_code == 422
