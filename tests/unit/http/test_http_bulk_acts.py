"""Bulk acts over HTTP and on the command line."""

from commerce_core.work.task import Task
from tests.support.commands import Cli
from tests.unit.http.conftest import Api

HTML = b"<html><body>Log in</body></html>"
AGAIN = {"kind": "process_again", "code": "html"}


def failed(api: Api, partner: str, count: int = 2) -> list[str]:
    feeds = []
    for _ in range(count):
        answer = api.upload(HTML, partner_id=partner, mode="full").json()
        api.commerce.jobs.run(answer["job_id"])
        feeds.append(answer["feed_id"])
    return feeds


def work(api: Api) -> None:
    while isinstance(task := api.commerce.queue.claim("bulk_acts"), Task):
        api.commerce.queue.perform(task)


def test_a_group_is_planned_confirmed_and_followed(api: Api, acme: str):
    feeds = failed(api, acme)
    (cause,) = api.get(f"/v1/feed-failures?partner_id={acme}").json()["items"]
    assert (cause["code"], cause["count"]) == ("html", 2)
    plan = api.post("/v1/bulk-acts/plan", AGAIN).json()
    assert (plan["count"], plan["samples"]) == (2, feeds)
    sent = api.post("/v1/bulk-acts", {**AGAIN, "count": 2, "digest": plan["digest"]})
    assert sent.status_code == 202
    path = sent.headers["location"]
    work(api)
    act = api.get(path).json()
    assert (act["status"], act["done"], act["waiting"]) == ("completed", 2, 0)
    items = api.get(f"{path}/items?limit=1").json()
    assert items["items"][0]["feed_id"] == feeds[0]
    rest = api.get(f"{path}/items?limit=1&cursor={items['next_cursor']}").json()
    assert [item["feed_id"] for item in rest["items"]] == feeds[1:]
    assert api.get(f"{path}/items?status=refused").json()["items"] == []
    assert api.post(f"{path}/cancel", {}).status_code == 409
    assert len(api.get("/v1/bulk-acts?count=true").json()["items"]) == 1


def test_a_number_that_isnt_right_is_refused_with_the_right_one(api: Api, acme: str):
    failed(api, acme)
    refused = api.post("/v1/bulk-acts", {**AGAIN, "count": 3})
    assert (refused.status_code, refused.json()["code"]) == (409, "group_changed")
    assert refused.json()["count"] == 2
    assert api.post("/v1/bulk-acts", AGAIN).status_code == 422


def test_decisions_need_their_scope(api: Api, acme: str):
    writer = api.asking(api.key(acme, "feeds:read", "feeds:write"))
    for kind in ("approve", "reject"):
        refused = writer.post("/v1/bulk-acts/plan", {"kind": kind})
        assert refused.status_code == 403


def test_a_cancelled_one_leaves_the_rest_alone(api: Api, acme: str):
    failed(api, acme)
    path = api.post("/v1/bulk-acts", {**AGAIN, "count": 2}).headers["location"]
    assert api.post(f"{path}/cancel", {}).json()["status"] == "cancelled"
    work(api)
    assert api.get(path).json()["waiting"] == 2


def test_on_the_command_line(api: Api, acme: str):
    failed(api, acme)
    cli = Cli(api.commerce)
    assert "html" in cli.fine("bulk", "failures").out
    planned = cli.fine("bulk", "start", "process_again", "--code", "html")
    assert "--count 2" in planned.err
    started = cli.fine("bulk", "start", "process_again", "--code", "html", "--count", "2", "--json")
    bulk_id = started.json["bulk_id"]
    work(api)
    assert "completed" in cli.fine("bulk", "show", bulk_id).out
    assert "done" in cli.fine("bulk", "items", bulk_id, "--status", "done").out
    assert "process_again" in cli.fine("bulk", "list").out
    assert cli("bulk", "cancel", bulk_id).code == 73
    assert cli("bulk", "start", "approve", "--code", "html").code == 65
