"""The server as people start it: our own command, granian's processes, the embedded PostgreSQL."""

import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import pytest
from attrs import frozen

from tests.support.ports import free_port
from tests.support.waiting import PATIENCE, until

pytestmark = pytest.mark.processes

COMMERCE = Path(sys.executable).with_name("commerce")
FEED = b"sku,product_name,price,currency\nA-1,Lamp,12.50,USD\nA-2,Chair,cheap,USD\n"
FUZZ_CASES = int(os.environ.get("FUZZ_CASES", "300"))
"""About so many requests are made up; `make fuzz-api CASES=...` sets it."""


@frozen
class Served:
    """A server that runs, and a client that has the operator's key."""

    address: str
    secret: str
    process: "subprocess.Popen[str]"
    client: httpx.Client
    home: Path


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Generator[Served]:
    data = tmp_path_factory.mktemp("served")
    process = _start(data, free_port(), workers=2)
    try:
        address = _address_of(process)
        secret = (data / "operator.key").read_text().strip()
        headers = {"x-api-key": secret}
        with httpx.Client(base_url=f"{address}/v1", headers=headers, timeout=PATIENCE) as client:
            yield Served(address, secret, process, client, data)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)
        assert process.returncode == 0


def test_the_quick_start_works_from_the_partner_to_the_figures(served: Served):
    """As the system that this one replaces published it."""
    client = served.client
    partner = client.post("/partners", json={"partner_name": "Quick"})
    assert partner.status_code == 201
    upload = client.post(
        "/feeds/upload",
        files={"file": ("feed.csv", FEED, "text/csv")},
        data={"partner_name": "Quick"},
    )
    assert upload.status_code == 201
    receipt = upload.json()
    assert receipt["status"] == "queued"
    run = client.post(f"/jobs/{receipt['job_id']}/run?wait=60")
    assert run.status_code == 200
    assert run.json()["outcome"] == "with_rejects"
    product = client.get("/products?limit=5&partner_name=quick").json()["items"][0]
    order = client.post(
        "/orders",
        json={
            "customer_reference": "web-1",
            "items": [{"product_id": product["product_id"], "quantity": 2}],
        },
    )
    assert (order.status_code, order.json()["total_amount"]) == (201, "25.00")
    for report in ("sales-by-partner", "sales-over-time?grain=daily", "revenue-share"):
        rows = client.get(f"/analytics/{report}").json()["results"]
        assert "Quick" in [row["partner_name"] for row in rows], report


def test_two_jobs_run_at_once_and_each_ends_once(served: Served):
    client = served.client
    ids: list[str] = []
    for name in ("One", "Two"):
        client.post("/partners", json={"partner_name": name, "currency": "EUR"})
        upload = client.post(
            "/feeds/upload", files={"file": ("f.csv", FEED)}, data={"partner_name": name}
        )
        ids.append(upload.json()["job_id"])
    for _ in range(2):
        for job_id in ids:
            assert client.post(f"/jobs/{job_id}/run").status_code in (202, 409)
    for job_id in ids:
        assert ended(client, job_id)["attempts"] == 1


def ended(client: httpx.Client, job_id: str) -> dict[str, Any]:
    """The job, once it is finished."""
    until(lambda: client.get(f"/jobs/{job_id}").json()["finished_at"])
    return client.get(f"/jobs/{job_id}").json()


def test_a_connection_that_breaks_during_an_upload_leaves_nothing(served: Served):
    before = served.client.get("/feeds?count=true").json()["count"]
    host, port = served.address.removeprefix("http://").split(":")
    head = (
        "POST /v1/feeds/upload HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n"
        f"X-API-Key: {served.secret}\r\nContent-Type: multipart/form-data; boundary=b\r\n\r\n"
        '--b\r\nContent-Disposition: form-data; name="file"; filename="f.csv"\r\n\r\nsku\r\n'
    )
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(head.encode())
    assert served.client.get("/feeds?count=true").json()["count"] == before
    assert served.client.get("/health").status_code == 200


def test_an_address_that_is_taken_is_named(served: Served, tmp_path: Path):
    second = _start(tmp_path, int(served.address.rpartition(":")[2]))
    second.communicate(timeout=PATIENCE)
    assert second.returncode == 75
    assert "can't listen" in (tmp_path / "log").read_text()


def test_the_processes_of_a_server_count_together(served: Served):
    def told(figure: str) -> float:
        text = httpx.get(f"{served.address}/metrics", timeout=PATIENCE).text
        found = re.findall(rf"^{re.escape(figure)} ([\d.]+)$", text, re.MULTILINE)
        return float(found[0]) if found else 0.0

    asked = 'commerce_http_requests_total{method="GET",route="/v1/orders",status="200"}'
    for turn in (1, 2):
        # Each on a connection of its own, so that both processes are met.
        for _ in range(20):
            headers = {"x-api-key": served.secret}
            answer = httpx.get(f"{served.address}/v1/orders", headers=headers, timeout=PATIENCE)
            assert answer.status_code == 200
        until(lambda least=20 * turn: told(asked) >= least)  # counted once it has been answered
        counts = [told(asked) for _ in range(10)]
        assert counts == sorted(counts)
    # Two processes that answer, and one that works on feeds.
    until(lambda: told('commerce_database_connections{state="most"}') == 30)
    until(lambda: told("commerce_queue_jobs") == 0)


def test_the_log_is_lines_of_json_without_the_key(served: Served):
    client = served.client
    client.post("/partners", json={"partner_name": "Quiet", "contact_email": "john@example.org"})

    def events() -> list[str]:
        whole, _, _ = (served.home / "log").read_text().rpartition("\n")
        return [json.loads(line)["event"] for line in whole.splitlines()]

    # One process may answer before the others have started, and an answer comes before its line.
    until(lambda: events().count("process.started") == 3 and "request.finished" in events())
    text = (served.home / "log").read_text()
    for private in (served.secret, "john@", "Quiet", "Lamp"):
        assert private not in text


@pytest.mark.fuzz
@pytest.mark.parametrize("with_real_ids", [False, True], ids=["any ids", "real ids"])
def test_nothing_that_can_be_sent_makes_it_fail(
    served: Served, tmp_path: Path, *, with_real_ids: bool
):
    """Whatever its description allows, and what that forbids, is answered as described.

    Where an id has to be guessed most requests end at a 404, so all is sent again with ids of what
    there is.
    """
    described = httpx.get(f"{served.address}/openapi.json").json()["paths"]
    operations = sum(len(methods) for methods in described.values())
    each = max(1, FUZZ_CASES // operations // 2)
    (tmp_path / "schemathesis.toml").write_text(_known(served.client) if with_real_ids else "")
    checked = subprocess.run(
        [
            COMMERCE.with_name("schemathesis"),
            "run",
            f"{served.address}/openapi.json",
            f"--header=X-API-Key: {served.secret}",
            f"--phases={'fuzzing' if with_real_ids else 'examples,coverage,fuzzing'}",
            f"--max-examples={each}",
            f"--request-timeout={PATIENCE}",
            # An order of a product that isn't there fits the description, and is refused.
            "--exclude-checks=positive_data_acceptance",
            "--continue-on-failure",
            "--no-color",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout[-20_000:]
    assert served.process.poll() is None


def _known(client: httpx.Client) -> str:
    """Settings of the fuzzer: the ids of a partner and of all that it has."""
    name = f"Fuzzed {secrets.token_hex(4)}"
    partner = client.post("/partners", json={"partner_name": name, "currency": "USD"}).json()
    form = {"partner_id": partner["partner_id"]}
    receipt = client.post("/feeds/upload", files={"file": ("f.csv", FEED)}, data=form).json()
    client.post(f"/jobs/{receipt['job_id']}/run")
    ended(client, receipt["job_id"])
    product = client.get(f"/products?partner_id={partner['partner_id']}").json()["items"][0]
    items = [{"product_id": product["product_id"], "quantity": 1}]
    hook = {"url": "https://receiver.invalid/hook", "kinds": ["order.created"]}
    ids = {
        **receipt,
        "product_id": product["product_id"],
        "order_id": client.post("/orders", json={"items": items}).json()["order_id"],
        "key_id": client.post(f"/partners/{partner['partner_id']}/keys").json()["key_id"],
        "webhook_id": client.post("/webhooks", json=hook).json()["webhook_id"],
    }
    lines = [f'"path.{name}" = "{ids[name]}"' for name in sorted(ids) if name.endswith("_id")]
    return "\n".join(["[parameters]", *lines])


def _start(data: Path, port: int, workers: int = 1) -> "subprocess.Popen[str]":
    command: list[Any] = [COMMERCE, "serve", "--port", str(port), "--workers", str(workers)]
    # Away from the user's own settings, and without a terminal.
    environment = {n: v for n, v in os.environ.items() if not n.startswith("COMMERCE_")}
    with (data / "log").open("w") as log:
        return subprocess.Popen(
            command,
            cwd=data,
            env={**environment, "COMMERCE_DATA_DIR": str(data), "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )


def _address_of(process: "subprocess.Popen[str]") -> str:
    """The address that the server prints once it answers."""
    assert process.stdout
    for line in process.stdout:
        if found := re.search(r"http://[\d.]+:\d+", line):
            return found[0]
    raise AssertionError(f"the server ended with {process.wait()}; its log says why")


assert shutil.which(COMMERCE), "the project is installed beside the tests"
