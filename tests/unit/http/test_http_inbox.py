"""The inbox and the groups of problems over HTTP and on the command line."""

from tests.support.commands import Cli
from tests.unit.http.conftest import Api

HEADER = "sku,product_name,price,currency\n"


def held(api: Api, partner: str) -> str:
    for count in (120, 12):
        rows = "".join(f"A-{n},Lamp {n},10,USD\n" for n in range(count))
        answer = api.upload((HEADER + rows).encode(), partner_id=partner, mode="full", run="false")
        api.commerce.jobs.run(answer.json()["job_id"])
    return answer.json()["feed_id"]


def test_what_needs_a_person_is_listed_and_marked(api: Api, acme: str):
    feed_id = held(api, acme)
    found = api.get("/v1/inbox").json()
    (item,) = found["items"]
    assert (item["kind"], item["subjects"], found["open"]) == ("held", [feed_id], 1)
    marked = api.post(
        "/v1/inbox/marks", {"cause_id": item["cause_id"], "acknowledged": True, "assignee": "Ada"}
    )
    assert (marked.status_code, marked.json()["state"]) == (200, "acknowledged")
    assert api.get("/v1/inbox").json()["items"] == []
    for query in ("state=all", "state=acknowledged&assignee=Ada", "state=all&kind=held"):
        assert len(api.get(f"/v1/inbox?{query}").json()["items"]) == 1, query
    assert api.get(f"/v1/inbox?state=all&partner_id={acme}").json()["acknowledged"] == 1


def test_marks_of_what_isnt_there_and_of_nonsense_are_refused(api: Api):
    assert api.post("/v1/inbox/marks", {"cause_id": "held:nothing"}).status_code == 404
    assert api.post("/v1/inbox/marks", {"cause_id": ""}).status_code in (404, 422)
    assert api.post("/v1/inbox/marks", {"unknown": 1}).status_code == 422


def test_marking_needs_the_scope_that_sends_feeds(api: Api, acme: str):
    reader = api.asking(api.key(acme, "feeds:read"))
    assert reader.get("/v1/inbox").status_code == 200
    assert reader.post("/v1/inbox/marks", {"cause_id": "held:a"}).status_code == 403


def test_problems_are_grouped(api: Api, acme: str):
    rows = "".join(f'A-{n},Lamp,"4,2{n}",USD\n' for n in range(4))
    job_id = api.upload((HEADER + rows + "B-1,Lamp,7,USD\n").encode(), partner_id=acme).json()[
        "job_id"
    ]
    api.commerce.jobs.run(job_id)
    found = api.get(f"/v1/jobs/{job_id}/problem-groups?raw=true").json()
    (group,) = found["groups"]
    assert (group["code"], group["shape"], group["count"]) == ("not_a_number", "9,99", 4)
    assert group["samples"][0] == {"line": 2, "value": "4,20", "raw": 'A-0,Lamp,"4,20",USD'}
    listed = Cli(api.commerce).fine("jobs", "problems", job_id, "--grouped")
    assert "9,99" in listed.out


def test_the_inbox_on_the_command_line(api: Api, acme: str):
    held(api, acme)
    cli = Cli(api.commerce)
    assert "Acme" in cli.fine("inbox", "list").out
    (item,) = cli.fine("inbox", "list", "--json").lines
    marked = cli.fine(
        "inbox",
        "mark",
        item["cause_id"],
        "--assign",
        "Ada",
        "--snooze-until",
        "2026-12-24",
        "--json",
    )
    assert marked.json["assignee"] == "Ada"
    assert "Nothing needs a person" in cli.fine("inbox", "list").err
    assert cli("inbox", "mark", "held:nothing", "--acknowledge").code == 66
