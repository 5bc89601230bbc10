"""Jobs over HTTP: run and wait, cancel, problems."""

import threading
from collections.abc import Generator

import pytest

from commerce_core.feeds.job import Job
from commerce_core.usecases.jobs import Jobs
from entrypoints.worker import Worker
from tests.support.waiting import pause, until
from tests.unit.http.conftest import Api

DIRTY = b"sku,product_name,price,currency\nA-1,Lamp,cheap,USD\n,Chair,1,USD\nA-3,Table,-5,USD\n"


@pytest.fixture
def working(api: Api) -> Generator[None]:
    """A worker works meanwhile."""
    worker = Worker(api.commerce)
    worker.start()
    yield
    worker.stop()


def test_run_waits_for_the_end_and_shows_what_became_of_every_record(
    api: Api, acme: str, working: None
):
    receipt = api.upload(partner_name="Acme").json()
    answer = api.post(f"/v1/jobs/{receipt['job_id']}/run?wait=60")
    assert answer.status_code == 200
    job = answer.json()
    assert (job["status"], job["outcome"], job["summary"]["created"]) == ("completed", "clean", 3)
    assert api.get(f"/v1/jobs/{receipt['job_id']}").json() == job


def test_run_tells_of_a_job_that_failed_as_of_any_other_that_ended(
    api: Api, acme: str, working: None
):
    receipt = api.upload(b"\n \n", partner_name="Acme").json()
    answer = api.post(f"/v1/jobs/{receipt['job_id']}/run?wait=60")
    assert answer.status_code == 200
    assert answer.json()["status"] == "failed"
    assert answer.json()["error"]["code"] == "empty"


def test_run_without_waiting_only_hands_the_job_over(api: Api, acme: str):
    receipt = api.upload(partner_name="Acme").json()
    answer = api.post(f"/v1/jobs/{receipt['job_id']}/run")
    assert answer.status_code == 202
    assert (answer.json()["status"], answer.json()["released"]) == ("queued", True)


def test_waiting_ends_though_the_job_does_not(api: Api, acme: str):
    job_id = api.upload(partner_name="Acme").json()["job_id"]
    assert api.post(f"/v1/jobs/{job_id}/run?wait=1").status_code == 202


def test_waiting_holds_up_nobody(api: Api, acme: str, monkeypatch: pytest.MonkeyPatch):
    """More requests wait than there are threads, and others are answered meanwhile."""
    job_id = api.upload(partner_name="Acme").json()["job_id"]
    begun: list[str] = []
    statuses: list[int] = []
    release = Jobs.release

    def noted(jobs: Jobs, job_id: str) -> Job:
        begun.append(job_id)
        return release(jobs, job_id)

    def wait() -> None:
        # On a busy machine too many may be on their way at once.
        while (status := api.post(f"/v1/jobs/{job_id}/run?wait=60").status_code) == 429:
            pause()
        statuses.append(status)

    monkeypatch.setattr(Jobs, "release", noted)
    threads = [threading.Thread(target=wait) for _ in range(60)]
    for thread in threads:
        thread.start()
    until(lambda: len(begun) == 60)
    assert api.get("/v1/health").status_code == 200
    assert statuses == []
    assert api.post(f"/v1/jobs/{job_id}/cancel").status_code == 200
    for thread in threads:
        thread.join()
    assert len(statuses) == 60
    assert set(statuses) <= {200, 409}  # one that was released after the end is refused


@pytest.mark.parametrize("wait", ["-1", "61", "1.5", "soon", "9" * 30])
def test_nobody_waits_so_long(api: Api, acme: str, wait: str):
    receipt = api.upload(partner_name="Acme").json()
    answer = api.post(f"/v1/jobs/{receipt['job_id']}/run?wait={wait}")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "/wait"
    assert api.get(f"/v1/jobs/{receipt['job_id']}").json()["released"] is False


def test_a_finished_job_never_runs_again(api: Api, acme: str, working: None):
    receipt = api.upload(partner_name="Acme").json()
    address = f"/v1/jobs/{receipt['job_id']}/run?wait=60"
    api.post(address)
    again = api.post(address)
    assert (again.status_code, again.json()["code"]) == (409, "job_finished")
    assert f"/v1/feeds/{receipt['feed_id']}/jobs" in again.json()["detail"]


def test_a_job_is_cancelled_once_and_does_not_run(api: Api, acme: str):
    receipt = api.upload(partner_name="Acme").json()
    address = f"/v1/jobs/{receipt['job_id']}"
    assert api.post(f"{address}/cancel").json()["status"] == "cancelled"
    assert api.post(f"{address}/cancel").status_code == 409
    assert api.post(f"{address}/run").status_code == 409


def test_problems_are_listed_by_line_and_page(api: Api, acme: str):
    receipt = api.upload(DIRTY, partner_name="Acme").json()
    api.commerce.jobs.run(receipt["job_id"])
    address = f"/v1/jobs/{receipt['job_id']}/problems"
    first = api.get(f"{address}?limit=2&count=true").json()
    assert first["count"] == 3
    second = api.get(f"{address}?limit=2&cursor={first['next_cursor']}").json()
    problems = first["items"] + second["items"]
    assert [problem["line"] for problem in problems] == [2, 3, 4]
    assert (problems[0]["column"], problems[0]["value"]) == ("price", "cheap")
    assert all(problem["hint"] for problem in problems)


def test_more_problems_than_are_listed_are_noted(api: Api, acme: str):
    rows = b"".join(b"B-%d,Lamp,cheap,USD\n" % number for number in range(1001))
    receipt = api.upload(DIRTY + rows, partner_name="Acme").json()
    job = api.commerce.jobs.run(receipt["job_id"])
    assert job.summary
    (note,) = (note for note in job.summary.notes if "problems" in note)
    assert note.startswith("1,000 of 1,004 problems are listed: errors first")
    address = f"/v1/jobs/{receipt['job_id']}/problems"
    assert api.get(f"{address}?limit=1&count=true").json()["count"] == 1000


def test_a_file_that_fails_as_a_whole_shows_its_bytes(api: Api, acme: str):
    receipt = api.upload(b"%PDF-1.7", partner_name="Acme").json()
    api.commerce.jobs.run(receipt["job_id"])
    job = api.get(f"/v1/jobs/{receipt['job_id']}").json()
    assert (job["error"]["code"], job["progress"]["bytes_total"]) == ("not_text", 8)


def test_jobs_are_listed_by_feed_partner_status_and_kind(api: Api, acme: str):
    feed_id = api.ingest("Acme")
    api.partner("Other")
    api.upload(partner_name="Other")
    for query, expected in [
        (f"feed_id={feed_id}", 1),
        (f"partner_id={acme}", 1),
        ("partner_name=Other", 1),
        ("status=queued", 1),
        ("kind=ingest", 2),
    ]:
        assert len(api.get(f"/v1/jobs?{query}").json()["items"]) == expected, query


def test_rejected_records_are_given_back_to_be_mended(api: Api, acme: str):
    receipt = api.upload(name="größe.tsv.gz", partner_name="Acme").json()
    queued = api.get(receipt["links"]["report"])
    assert (queued.status_code, queued.json()["code"]) == (404, "no_report")
    body = b"sku\tproduct_name\tprice\nA-1\t=Lamp\tcheap\nA-2\tDesk\t5\n"
    receipt = api.upload(body, name="größe.tsv.gz", partner_name="Acme").json()
    assert api.commerce.jobs.run(receipt["job_id"]).outcome == "with_rejects"
    assert api.get(receipt["links"]["job"]).json()["summary"]["report_records"] == 1
    report = api.get(receipt["links"]["report"])
    assert report.headers["Content-Type"] == "text/tab-separated-values"
    assert report.headers["Content-Disposition"].endswith("gr%C3%B6%C3%9Fe-rejected.tsv")
    header, row = report.content.splitlines()
    assert header.startswith(b"_feed\t_line\t_code\t_column\t_value\t_hint\tsku\t")
    assert row.endswith(b"\tA-1\t'=Lamp\tcheap")
    mended = api.upload(report.content.replace(b"cheap", b"5"), partner_name="Acme").json()
    assert api.commerce.jobs.run(mended["job_id"]).outcome == "clean"
    refused = api.get(f"/v1/jobs/{mended['job_id']}/report")
    assert (refused.status_code, refused.json()["code"]) == (404, "no_report")
    assert "rejected no record" in refused.json()["detail"]


def test_a_report_is_for_those_who_may_see_its_feed(api: Api, acme: str):
    receipt = api.upload(b"sku,product_name,price\nA,Lamp,x\n", partner_name="Acme").json()
    api.commerce.jobs.run(receipt["job_id"])
    other = api.partner("Other")
    address = receipt["links"]["report"]
    assert api.asking(api.key(acme, "feeds:read")).get(address).status_code == 200
    assert api.asking(api.key(acme, "catalog:read")).get(address).status_code == 403
    assert api.asking(api.key(other)).get(address).json()["code"] == "not_found"


def test_a_page_of_jobs_is_small_however_many_columns_their_files_have(api: Api, acme: str):
    """Each file has a thousand columns with long names; the job itself shows them all."""
    names = [f"{n}{'x' * 190}" for n in range(997)]
    header = ",".join(["sku", "product_name", "price", *names])
    for n in range(3):
        api.ingest("Acme", f"{header}\nA,Lamp,{n}{',' * 997}\n".encode())
    page = api.get("/v1/jobs")
    assert len(page.content) < 3 * 10_000
    for shown in page.json()["items"]:
        job = api.get(f"/v1/jobs/{shown['job_id']}").json()
        whole, brief = job["summary"], shown["summary"]
        assert (len(whole["columns"]), whole["left_out"]) == (1000, 0)
        lists = ("columns", "unused_columns", "drift", "mapping", "made_of", "errors_by_column")
        assert brief["left_out"] == sum(len(whole[name]) - len(brief[name]) for name in lists)
        assert brief["columns"] == whole["columns"][: len(brief["columns"])]
        assert brief["records_read"] == whole["records_read"] == 1
