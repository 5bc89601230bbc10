"""Requests for pages over HTTP, alternating with a bare handler that runs the same SQL."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from adapters.postgres.catalog.pages import is_walk, legs
from adapters.postgres.collections.listing import WALKING, WALKING_IN_GROUPS
from adapters.postgres.store import PostgresStore, Unit
from bench.reading_cases import PAGE, Case, check, typical
from commerce_core.catalog.product import ProductQuery
from tests.support.servers.platform import Platform, until
from tests.support.servers.postgres import free_port


def requests(url: str, store: PostgresStore, cases: Sequence[Case]) -> dict[str, Any]:
    """The seconds that a request for each page takes, from the platform and the bare handler."""
    with tempfile.TemporaryDirectory() as home, ExitStack() as running:
        platform = Platform(url, Path(home))
        with platform.opened() as commerce:
            secret = commerce.keys.add().secret or ""
        ours = urlsplit(running.enter_context(platform.server()).address).netloc
        bare = running.enter_context(bare_handler(url, Path(home), store, cases))
        found: dict[str, Any] = {}
        for number, case in enumerate(cases):
            found[case.name] = {
                "ours": request_seconds(ours, case.address, {"x-api-key": secret}),
                "bare": request_seconds(bare, f"/{number}", {}),
            }
        return found


@contextmanager
def bare_handler(
    url: str, home: Path, store: PostgresStore, cases: Sequence[Case]
) -> Generator[str]:
    """Runs the bare handler, and returns its address."""
    file, port = home / "cases.json", free_port()
    with store.begin() as unit:
        db = cast("Unit", unit).products._db  # noqa: SLF001
        made: dict[str, Any] = {}
        for number, case in enumerate(cases):
            text, params = next(legs(db, case.query, case.after)).query(PAGE + 1)
            made[str(number)] = {
                "query": text.as_string(db),
                "params": [p if isinstance(p, int) else str(p) for p in params],
                "settings": settings_of(case.query),
            }
    file.write_text(json.dumps(made))
    command = [sys.executable, "-m", "bench.bare_handler", url, str(port), str(file)]
    with subprocess.Popen(command) as process:  # noqa: S603
        try:
            until(lambda: answers(f"127.0.0.1:{port}"))
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()


def settings_of(query: ProductQuery) -> str:
    """The PostgreSQL settings with which pages of this list are planned."""
    if not is_walk(query):
        return ""
    return WALKING_IN_GROUPS if query.sort_by == "updated_at" else WALKING


def answers(address: str) -> bool:
    """Whether a server listens at the address."""
    try:
        HTTPConnection(address, timeout=5).connect()
    except OSError:
        return False
    return True


def request_seconds(address: str, path: str, headers: Mapping[str, str]) -> float:
    """The seconds that a request takes, with requests sent one by one over one connection."""
    connection = HTTPConnection(address, timeout=60)

    def ask() -> None:
        connection.request("GET", path, headers=dict(headers))
        answer = connection.getresponse()
        body = answer.read()
        check((answer.status, body if answer.status >= HTTPStatus.BAD_REQUEST else b""), (200, b""))

    try:
        return typical(ask)
    finally:
        connection.close()
