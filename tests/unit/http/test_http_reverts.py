"""Going back to before a feed, over HTTP and on the command line."""

import pytest

from commerce_core.base.errors import Conflict
from tests.support.commands import Cli
from tests.unit.http.conftest import Api

BAD = b"""sku,product_name,price,currency,quantity
A-1,Lamp,3.25,USD,7
A-4,Ghost,1,USD,1
"""


@pytest.fixture
def bad(api: Api) -> str:
    """A feed that spoiled a price and made a product that nobody has."""
    api.partner()
    api.ingest("Acme")
    return api.ingest("Acme", BAD)


def run(api: Api, feed_id: str, **body: object) -> dict[str, object]:
    """Reverts, and returns the finished job."""
    made = api.post(f"/v1/feeds/{feed_id}/revert", {"run": False, **body})
    assert made.status_code == 201, made.text
    assert (made.json()["kind"], made.json()["released"]) == ("revert", False)
    job = api.commerce.jobs.run(made.json()["job_id"])
    return api.get(f"/v1/jobs/{job.job_id}").json()


def price(api: Api) -> str:
    return api.get(f"/v1/products/{api.product()}").json()["price"]


def test_a_revert_is_planned_then_done_then_undone(api: Api, bad: str):
    """The plan writes nothing; the feed is reverted, and applied again once that is undone."""
    plan = api.get(f"/v1/feeds/{bad}/revert").json()
    assert (plan["updated"], plan["removed"], plan["kept"]) == (1, 1, 0)
    assert price(api) == "3.25"
    job = run(api, bad)
    assert (job["status"], job["outcome"]) == ("completed", "clean")
    assert api.get(f"/v1/feeds/{bad}").json()["status"] == "reverted"
    assert price(api) == "12.50"
    ghost = api.get(f"/v1/products/{api.product('A-4')}").json()
    assert ghost["status"] == "removed"
    run(api, bad, undo=True)
    assert api.get(f"/v1/feeds/{bad}").json()["status"] == "applied"
    assert price(api) == "3.25"


def test_what_was_changed_since_is_reported_with_the_reason(api: Api, bad: str):
    """In the plan, and among the problems of the job."""
    later = api.ingest("Acme", b"sku,price\nA-4,2\n")
    plan = api.get(f"/v1/feeds/{bad}/revert").json()
    assert [(kept["sku"], kept["feed_id"]) for kept in plan["listed"]] == [("A-4", later)]
    job = run(api, bad)
    (problem,) = api.get(f"/v1/jobs/{job['job_id']}/problems").json()["items"]
    assert (problem["code"], problem["value"], problem["severity"]) == (
        "changed_since",
        "A-4",
        "warning",
    )
    assert later in problem["hint"]


def test_only_what_was_applied_is_reverted_and_only_once(api: Api, bad: str):
    """409, by the plan and by the act, with the reason."""
    run(api, bad)
    assert api.get(f"/v1/feeds/{bad}/revert").json()["code"] == "feed_reverted"
    assert api.post(f"/v1/feeds/{bad}/revert", {}).json()["code"] == "feed_reverted"
    waiting = api.upload(partner_name="Acme").json()["feed_id"]
    for path in (f"/v1/feeds/{waiting}/revert", f"/v1/feeds/{waiting}/revert?undo=true"):
        assert api.get(path).status_code == 409
    assert api.post(f"/v1/feeds/{waiting}/revert", {}).json()["code"] == "feed_not_applied"
    undo = api.post(f"/v1/feeds/{waiting}/revert", {"undo": True}).json()
    assert undo["code"] == "feed_not_reverted"


def test_a_feed_that_published_nothing_has_nothing_to_revert(api: Api, bad: str):
    """Its bytes had been published before; the refusal says which feed to revert."""
    again = api.ingest("Acme", BAD)
    answer = api.post(f"/v1/feeds/{again}/revert", {})
    assert (answer.status_code, answer.json()["code"]) == (409, "nothing_published")


def test_a_feed_with_a_job_under_way_is_not_reverted(api: Api, bad: str):
    """Two reverts can't be asked for at once, but the same request may come twice."""
    key = {"Idempotency-Key": "once"}
    made = api.post(f"/v1/feeds/{bad}/revert", {"run": False}, headers=key).json()
    again = api.post(f"/v1/feeds/{bad}/revert", {"run": False}, headers=key).json()
    assert made == again
    assert api.post(f"/v1/feeds/{bad}/revert", {}).json()["code"] == "job_unfinished"


def test_a_job_whose_feed_cannot_be_reverted_any_more_fails(api: Api, bad: str):
    """Somebody may have changed the feed by the time that the job runs."""
    job = api.commerce.reverts.start(bad)
    with api.commerce.context.store.begin() as unit:
        unit.feeds.put(unit.feeds.get(bad).became("failed"))
    done = api.commerce.jobs.run(job.job_id)
    assert (done.status, done.error and done.error.code) == ("failed", "feed_not_applied")


def test_a_partners_key_reverts_its_own_feeds_only(api: Api, bad: str):
    api.partner("Other")
    other = api.asking(api.key("Other", "feeds:read", "feeds:decide"))
    assert other.get(f"/v1/feeds/{bad}/revert").status_code == 404
    assert other.post(f"/v1/feeds/{bad}/revert", {}).status_code == 404


def test_the_command_plans_and_reverts(api: Api, bad: str):
    """It shows what is kept, runs the job, and can undo."""
    cli = Cli(api.commerce)
    api.ingest("Acme", b"sku,price\nA-4,2\n")
    plan = cli.fine("feeds", "revert", bad, "--plan").out
    assert "updated     1 product" in plan
    assert "A-4" in plan
    assert cli.fine("feeds", "revert", bad, "--plan", "--json").json["kept"] == 1
    done = cli.fine("feeds", "revert", bad).out
    assert "later wrote version 2" in done
    assert cli.fine("feeds", "show", bad, "--json").json["status"] == "reverted"
    assert cli("feeds", "revert", bad).code == 73
    cli.fine("feeds", "revert", bad, "--undo", "--json")
    assert price(api) == "3.25"


def test_a_revert_needs_a_feed_in_its_state(api: Api, bad: str):
    with pytest.raises(Conflict):
        api.commerce.reverts.start(bad, undo=True)


def test_a_revert_stands_in_the_audit(api: Api, bad: str):
    """Who asked for it, of which feed, by which job."""
    job = run(api, bad)
    (entry,) = api.get("/v1/audit?action=feed.reverted").json()["items"]
    assert entry["subjects"] == [bad, job["job_id"]]
