"""A database as an earlier version left it, opened by the present version.

`integration/made_by` has it as SQL, with its raw files and the requests and answers of then. The
present version is used over HTTP and by its commands, as partners use it, so that these tests name
few modules, and moving one doesn't touch them.
"""

import json
import re
import shutil
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import psycopg
import pytest
from _pytest.mark import ParameterSet
from attrs import frozen
from httpx import Response
from litestar.testing import TestClient
from psycopg.conninfo import conninfo_to_dict

from entrypoints import compose
from entrypoints.http.app import create_app
from entrypoints.settings import Settings
from tests.support.commands import Cli
from tests.unit.http.conftest import Api

MADE_BY: Final = Path(__file__).parents[1] / "integration" / "made_by" / "2026-11-30"
RECORDED: Final = json.loads((MADE_BY / "recorded.json").read_text("utf-8"))
ROLES: Final = RECORDED["roles"]
LATER: Final = datetime.fromisoformat(RECORDED["made_at"]) + timedelta(days=1)
READ_OTHERWISE: Final = frozenset({("A-03", "version"), ("A-08", "quantity"), ("A-08", "weight")})
"""What today's rules read otherwise: a key that an object of a delta lacks clears no field."""
HIDDEN: Final = frozenset({"/items/0/customer_reference: 'web-1002' became None"})
"""What is no longer shown to a partner: the operator's words about an order that it shares."""
RENAMED_KINDS: Final = {"upload": "push"}
"""Kinds of sources that are called otherwise by now."""
"""When the present version takes over. Not today: events are deleted after some months."""
_ID: Final = re.compile(r"_[0-9a-f]{32}")


@frozen
class Upgraded:
    """The restored database under the present version."""

    conninfo: str
    client: Api
    cli: Cli

    def by(self, who: str) -> Api:
        """The API, asked with a key that the earlier version has issued."""
        return self.client.asking(RECORDED["keys"][who])

    @property
    def operator(self) -> Api:
        return self.by("operator")

    def ask(self, asked: Mapping[str, Any]) -> Response:
        """Sends a recorded request."""
        sent: dict[str, Any] = {n: asked[n] for n in ("json", "data") if n in asked}
        if "file" in asked:
            name, key, kind = asked["file"]
            sent["files"] = {"file": (name, raw(key), kind)}
        if "content" in asked:
            sent["content"] = raw(asked["content"])
        headers = {"Idempotency-Key": asked["key"]}
        return self.by(asked["who"]).request(
            asked["method"], asked["path"], **sent, headers=headers
        )

    def upload(self, content: bytes, name: str, **form: str) -> dict[str, Any]:
        """What became of a file that is sent now: its finished job."""
        answer = self.operator.upload(content, name=name, **form)
        assert answer.status_code == 201, answer.text
        return self.run(answer.json()["job_id"])

    def run(self, job_or_feed: str) -> dict[str, Any]:
        """The finished job."""
        return self.cli.fine("jobs", "run", job_or_feed, "--json").json

    def product(self, partner: str, sku: str) -> dict[str, Any]:
        query = urlencode({"partner_name": partner, "sku": sku, "status": "all"})
        (found,) = self.operator.get(f"/v1/products?{query}").json()["items"]
        return found

    def replayed(self, partner: str) -> dict[str, Any]:
        """The partner's raw files folded anew, beside the live catalog.

        What is read otherwise by now is found, and is no difference to the tests.
        """
        found = self.cli("replay", "--partner", partner, "--json").json
        listed = [of for of in found["listed"] if (of["sku"], of["field"]) not in READ_OTHERWISE]
        known = len(found["listed"]) - len(listed)
        assert known == (len(READ_OTHERWISE) if partner == "Lumen Werke" else 0)
        return {**found, "listed": listed, "differences": found["differences"] - known}


@contextmanager
def upgraded(conninfo: str, folder: Path) -> Generator[Upgraded]:
    """Fills an empty database and a folder, and opens both with the present version."""
    shutil.copytree(MADE_BY / "files", folder / "files")
    _restore(conninfo)
    with pytest.MonkeyPatch.context() as patched:
        began = datetime.now(UTC)
        patched.setattr(compose, "now", lambda: LATER + (datetime.now(UTC) - began))
        settings = Settings(database_url=_url_of(conninfo), files_url=f"file:{folder / 'files'}")
        with (
            compose.open_platform(settings) as commerce,
            TestClient(create_app(commerce, settings), raise_server_exceptions=False) as client,
        ):
            yield Upgraded(conninfo, Api(client, commerce), Cli(commerce))


def _restore(conninfo: str) -> None:
    with psycopg.connect(conninfo, autocommit=True) as db:
        db.execute((MADE_BY / "database.sql").read_bytes())


def _url_of(conninfo: str) -> str:
    parts = conninfo_to_dict(conninfo)
    name = parts.pop("dbname")
    return f"postgresql:///{name}?{urlencode(parts)}"


def raw(key: str) -> bytes:
    return (MADE_BY / "files" / key).read_bytes()


def raw_of(feed_id: str) -> bytes:
    (path,) = (MADE_BY / "files" / "raw").glob(f"*/{feed_id}")
    return path.read_bytes()


def lost(was: object, now: object, at: str = "") -> list[str]:
    """Every difference from what was recorded, with its place.

    Objects may have gained members, and a missing member counts as null. Cursors may be written in
    another way by now: other tests follow them.
    """
    if at.endswith("_cursor"):
        return [] if (was is None) == (now is None) else [f"{at}: {was!r} became {now!r}"]
    if isinstance(was, dict) and isinstance(now, dict):
        return [line for name in was for line in lost(was[name], now.get(name), f"{at}/{name}")]
    if isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
        pairs = enumerate(zip(was, now, strict=True))
        return [line for n, pair in pairs for line in lost(*pair, f"{at}/{n}")]
    renamed = at.endswith("/kind") and RENAMED_KINDS.get(str(was)) == now
    return [] if was == now or renamed else [f"{at}: {was!r} became {now!r}"]


def cases(recorded: str) -> list[ParameterSet]:
    """Recorded requests as cases; each is named by its place and its address, ids cut off."""
    return [
        pytest.param(asked, id=f"{n} {asked['who']} {_ID.sub('', asked['path'][3:])}")
        for n, asked in enumerate(RECORDED[recorded], start=1)
    ]
