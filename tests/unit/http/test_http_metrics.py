"""What requests leave behind: figures for Prometheus, and a line in the log."""

import io
import json
import os
import re
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import TestClient
from prometheus_client.parser import text_string_to_metric_families

from commerce_core.base.errors import Unavailable
from entrypoints import logs, scraping
from entrypoints.compose import open_platform
from entrypoints.metrics import CONTENT_TYPE
from entrypoints.scraping import Cached, answering, observed
from entrypoints.settings import Settings
from tests.support.applications import application
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE
from tests.unit.entrypoints.test_logs import lines, undone
from tests.unit.http.conftest import FEED, Api

__all__ = ["undone"]


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are never an earlier request's."""
    monkeypatch.setattr(scraping, "TEXT_CACHED", 0)


def figures(api: Api) -> dict[tuple[str, ...], float]:
    """All figures by name and labels, in the labels' order."""
    families = text_string_to_metric_families(api.get("/metrics").text)
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


def test_requests_are_counted_by_the_template_of_their_route(api: Api, nobody: Api, acme: str):
    before = figures(nobody)
    for path in (f"/v1/partners/{acme}", "/v1/partners/ptn_nobody", "/v1/nowhere/john"):
        api.get(path)
    nobody.get(f"/v1/partners/{acme}")
    found = figures(nobody)
    name, route = "commerce_http_requests_total", "/v1/partners/{partner_id}"

    def more(*labels: str) -> float:
        return found[name, *labels] - before.get((name, *labels), 0)

    assert [more("GET", route, status) for status in ("200", "404", "401")] == [1, 1, 1]
    assert more("GET", "none", "404") == 1
    assert found["commerce_http_request_seconds_count", "GET", route] >= 3


def test_the_queue_and_the_parts_are_shown(api: Api, nobody: Api, acme: str):
    job = api.upload(FEED, partner_id=acme).json()["job_id"]
    api.commerce.jobs.release(job)
    found = figures(nobody)
    assert found["commerce_queue_jobs",] == 1
    assert found["commerce_queue_oldest_seconds",] >= 0
    assert found["commerce_part_up", "database"] == found["commerce_part_up", "files"] == 1


def test_a_part_that_is_down_is_shown_and_the_rest_is_too(
    nobody: Api, monkeypatch: pytest.MonkeyPatch
):
    def check(_: object) -> None:
        raise Unavailable("No answer.")

    monkeypatch.setattr(type(nobody.commerce.context.store), "check", check)
    found = figures(nobody)
    assert found["commerce_part_up", "database"] == 0
    assert found["commerce_part_up", "files"] == 1
    assert ("commerce_queue_jobs",) not in found


def test_no_name_of_a_partner_is_shown(api: Api, nobody: Api):
    partner = api.partner("Private")
    api.ingest("Private")
    api.get(f"/v1/partners/{partner}")
    text = nobody.get("/metrics")
    assert text.headers["Content-Type"] == CONTENT_TYPE
    assert not re.search(r"private|(ptn|feed|job)_[0-9a-f]{32}", text.text, re.IGNORECASE)


@pytest.mark.parametrize("metrics", ["off", "localhost:9100"])
def test_they_can_be_switched_off_or_be_elsewhere(metrics: str):
    settings = Settings(database_url="memory:", metrics=metrics)
    with (
        open_platform(settings) as commerce,
        application(commerce, settings) as app,
        TestClient(app) as client,
    ):
        assert client.get("/metrics").status_code == 404


def test_at_an_address_of_their_own_nothing_else_is_served():
    address = f"127.0.0.1:{free_port()}"
    settings = Settings(database_url="memory:", metrics=address)
    with (
        open_platform(settings) as commerce,
        observed(commerce, settings, "worker", shared=False),
    ):
        with urllib.request.urlopen(f"http://{address}/metrics") as answer:
            assert answer.headers["Content-Type"] == CONTENT_TYPE
            assert b"commerce_part_up" in answer.read()
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"http://{address}/v1/health")
        with pytest.raises(Unavailable, match="can't be served"), taken(address):
            pass


@contextmanager
def taken(address: str) -> Generator[None]:
    with answering(address, str, shared=False):
        yield


PROCESS = """
import sys
from entrypoints.metrics import metrics
metrics().request("GET", "/x", 200, 0.1)
metrics().connections({"open": 2})
print(metrics().text(), flush=True)
sys.stdin.read()
"""


def test_processes_count_together_and_the_dead_hold_no_connection(tmp_path: Path):
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}

    def start() -> "subprocess.Popen[str]":
        pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        return subprocess.Popen([sys.executable, "-c", PROCESS], env=environment, **pipes)

    def told(process: "subprocess.Popen[str]") -> str:
        return process.communicate()[0]

    first = start()
    assert 'requests_total{method="GET",route="/x",status="200"} 1.0' in told(first)
    second, third = start(), start()
    texts = sorted((told(second), told(third)), key=lambda text: 'status="200"} 3.0' in text)
    assert 'requests_total{method="GET",route="/x",status="200"} 3.0' in texts[1]
    assert 'connections{state="open"} 6.0' not in texts[1]


def test_while_one_looks_the_others_are_given_what_was_before():
    looks: list[int] = []
    go_on, looking = threading.Event(), threading.Event()

    def look() -> int:
        looks.append(1)
        if len(looks) > 1:
            looking.set()
            go_on.wait(PATIENCE)
        return len(looks)

    kept = Cached(look, 0.0)
    assert kept.get() == 1
    thread = threading.Thread(target=kept.get)
    thread.start()
    assert looking.wait(PATIENCE)
    assert kept.get() == 1
    go_on.set()
    thread.join()
    assert len(looks) == 2


@pytest.fixture
def log() -> io.StringIO:
    stream = io.StringIO()
    logs.configure("info", "json", stream)
    return stream


def finished(log: io.StringIO) -> list[dict[str, Any]]:
    return [line for line in lines(log) if line["event"] == "request.finished"]


def test_each_request_is_one_line(api: Api, acme: str, log: io.StringIO):
    receipt = api.upload(FEED, partner_id=acme).json()
    partner = api.asking(api.key("Acme", "feeds:read"))
    partner.request("GET", f"/v1/jobs/{receipt['job_id']}", headers={"X-Request-Id": "mine-1"})
    api.asking(None).get("/v1/feeds")
    upload, look, refused = finished(log)
    names = ("partner_id", "feed_id", "job_id")
    for line in (upload, look):
        assert [line[name] for name in names] == [receipt[name] for name in names]
    assert (look["request_id"], look["caller"]) == ("mine-1", "partner")
    assert (look["method"], look["route"], look["status"]) == ("GET", "/v1/jobs/{job_id}", 200)
    assert look["ms"] > 0
    assert (refused["caller"], refused["status"]) == ("nobody", 401)


def test_no_key_no_address_and_no_content_is_logged(api: Api, nobody: Api, log: io.StringIO):
    issued = api.post("/v1/partners", {"partner_name": "Priv", "contact_email": "john@secret.org"})
    secret = api.post(f"/v1/partners/{issued.json()['partner_id']}/keys").json()["secret"]
    api.upload(b"sku,product_name\nPRIV-1,Private lamp\n", partner_name="Priv", name="Priv.csv")
    api.get("/v1/products?q=Private&sku=PRIV-1")
    api.get("/v1/partners/john@secret.org")
    nobody.get("/v1/Private", headers={"X-API-Key": secret, "User-Agent": "Private"})
    nobody.get("/v1/partners", headers={"Authorization": f"Bearer {secret}"})
    text = log.getvalue()
    assert len(finished(log)) == 7
    for private in (secret, api.headers["X-API-Key"], "john", "Priv", "PRIV-1", "lamp"):
        assert private not in text


def test_a_part_that_goes_down_and_comes_back_is_reported_once(
    nobody: Api, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(scraping, "PARTS_CACHED", 0.0)
    watch = scraping.Watch(nobody.commerce)

    def check(_: object) -> None:
        raise Unavailable("The bucket mine gives no answer.", "", "No answer.")

    with monkeypatch.context() as patched:
        patched.setattr(type(nobody.commerce.context.files), "check", check)
        assert [watch.parts()["files"] for _ in range(2)] == ["No answer."] * 2
    assert watch.parts()["files"] == "ok"
    down, up = lines(log)
    assert (down["event"], down["part"]) == ("part.down", "files")
    assert down["reason"] == "The bucket mine gives no answer."
    assert (up["event"], up["part"]) == ("part.up", "files")


def test_what_only_we_may_know_of_an_outage_is_logged_and_not_answered(
    api: Api, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
):
    def begin(*_: object, **__: object) -> None:
        raise Unavailable("The host db.internal is down.", "Wait.", "The database is down.")

    monkeypatch.setattr(type(api.commerce.context.store), "begin", begin)
    answer = api.get("/v1/products")
    assert answer.json()["detail"] == "The database is down. Wait."
    outage = next(line for line in lines(log) if line["event"] == "part.unavailable")
    assert outage["reason"] == "The host db.internal is down."
    assert outage["request_id"] == json.loads(answer.text)["request_id"]
