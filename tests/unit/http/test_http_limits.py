"""Limits over HTTP: who is refused, with which status and headers, and that others aren't."""

import asyncio
import contextlib
import errno
import tempfile
import threading
from collections.abc import Generator, Iterator
from typing import Any, cast

import pytest
from attrs import define, evolve, field
from httpx import Response
from litestar.testing import TestClient

from commerce_core.catalog.product import ProductQuery
from commerce_core.usecases.products import Products
from entrypoints.compose import open_platform
from entrypoints.http.admission.bodies import Stalled, TimedAnswer, TimedBody
from entrypoints.http.admission.callers import key_digest
from entrypoints.limits import Limits
from entrypoints.settings import Settings
from tests.contracts.threads import meanwhile
from tests.support.applications import application
from tests.support.waiting import PATIENCE
from tests.unit.http.conftest import FEED, Api


@contextlib.contextmanager
def limited(settings: Settings, **limits: float) -> Generator[Api]:
    """The API with these limits, asked by the operator."""
    settings = evolve(settings, **cast("Any", limits))
    with (
        open_platform(settings) as commerce,
        application(commerce, settings) as app,
        TestClient(app, raise_server_exceptions=False) as client,
    ):
        nobody = Api(client, commerce)
        yield nobody.asking(nobody.key())


def check_refused(answer: Response, limit: str) -> None:
    """A 429 that says which limit it is, and when to try again."""
    assert answer.status_code == 429, answer.text
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.headers["RateLimit-Limit"] == limit
    assert answer.headers["RateLimit-Remaining"] == "0"
    assert answer.headers["RateLimit-Reset"] == answer.headers["Retry-After"]
    assert answer.json()["code"] == "too_many"


@define
class HeldUp:
    """Lists of products, which are answered once `go_on` is set."""

    begun: threading.Event = field(factory=threading.Event)
    go_on: threading.Event = field(factory=threading.Event)

    def wait(self) -> None:
        self.begun.set()
        assert self.go_on.wait(PATIENCE)


@pytest.fixture
def held_up(monkeypatch: pytest.MonkeyPatch) -> HeldUp:
    held, own = HeldUp(), Products._own_in

    def waiting(products: Products, *rest: Any) -> ProductQuery:  # noqa: ANN401
        held.wait()
        return own(products, *rest)

    monkeypatch.setattr(Products, "_own_in", waiting)
    return held


def test_a_key_has_a_rate_and_others_have_theirs(settings: Settings):
    """Beyond it, it is refused at the door, whatever it asks for."""
    with limited(settings, limit_rate_per_key=1) as api:
        statuses = [api.get("/v1/partners").status_code for _ in range(2)]
        assert statuses == [200, 200]
        check_refused(api.get("/v1/partners"), "2")
        check_refused(api.get("/v1/nowhere"), "2")
        assert api.asking(api.key()).get("/v1/partners").status_code == 200


def test_uploads_have_a_rate_of_their_own(settings: Settings):
    with limited(settings, limit_upload_rate_per_key=0.01) as api:
        api.partner()
        assert api.upload(partner_name="Acme").status_code == 201
        check_refused(api.upload(partner_name="Acme"), "1")
        assert api.get("/v1/feeds").status_code == 200


def test_strangers_have_a_rate_and_probes_have_their_own(settings: Settings):
    with limited(settings, limit_rate_per_address=0.2) as api:
        nobody = api.asking(None)
        api.get("/v1/partners")  # from now on its key is known
        assert nobody.get("/v1/partners").status_code in (401, 429)
        check_refused(nobody.get("/v1/partners"), "1")
        assert nobody.get("/health/ready").status_code == 200
        assert nobody.get("/v1/health").status_code == 200
        assert api.get("/v1/partners").status_code == 200


def test_expensive_queries_of_one_key_leave_room_for_others(settings: Settings, held_up: HeldUp):
    with limited(settings, limit_queries_per_key=1) as api:
        other = api.asking(api.key())
        for caller in (api, other):
            caller.get("/v1/partners")
        first = meanwhile(lambda: api.get("/v1/products?q=lamp"))
        assert held_up.begun.wait(PATIENCE)
        check_refused(api.get("/v1/feeds?count=true"), "1")
        check_refused(api.get("/v1/products?sort_by=price&currency=USD"), "1")
        assert api.get("/health/live").status_code == 200
        waiting = meanwhile(lambda: other.get("/v1/feeds?count=true"))
        held_up.go_on.set()
        assert first.result(PATIENCE).status_code == 200
        assert waiting.result(PATIENCE).status_code == 200


def test_a_full_server_refuses_at_once_with_503(settings: Settings, held_up: HeldUp):
    with limited(settings, limit_requests=1) as api:
        first = meanwhile(lambda: api.get("/v1/products"))
        assert held_up.begun.wait(PATIENCE)
        refused = api.get("/v1/partners")
        assert (refused.status_code, refused.json()["code"]) == (503, "busy")
        assert int(refused.headers["Retry-After"]) >= 1
        assert refused.headers["X-Content-Type-Options"] == "nosniff"
        held_up.go_on.set()
        assert first.result(PATIENCE).status_code == 200
        assert api.get("/v1/partners").status_code == 200


def test_probes_have_a_rate_by_address(settings: Settings):
    with limited(settings, limit_probe_rate_per_address=0.4) as api:
        nobody = api.asking(None)
        assert [nobody.get("/health/live").status_code for _ in range(2)] == [200, 200]
        check_refused(nobody.get("/metrics"), "2")
        assert api.get("/v1/partners").status_code == 200


def test_a_key_that_used_up_the_time_of_its_queries_waits_while_others_ask(settings: Settings):
    """Whatever is expensive counts, and plain requests are answered as usual."""
    with limited(settings, limit_query_seconds_per_minute=1e-6) as api:
        other = api.asking(api.key())
        for caller in (api, other, api):
            caller.get("/v1/partners")
        lane = cast("Any", api.client.app).state.admission._lanes["queries"]
        lane.time.spend(f"key {key_digest(api.headers['X-API-Key'])}", 2)
        for path in ("/v1/products?q=lamp", "/v1/feeds?count=true", "/v1/analytics/top"):
            check_refused(api.get(path), "1e-06")
        assert api.get("/v1/products").status_code == 200
        assert other.get("/v1/products?q=lamp").status_code == 200


def test_each_limit_has_metrics(settings: Settings):
    with limited(settings, limit_rate_per_address=0.2) as api:
        nobody = api.asking(None)
        assert api.get("/v1/products?q=lamp").status_code == 200  # from now on its key is known
        for _ in range(3):
            nobody.get("/v1/partners")
        text = nobody.get("/metrics").text
    assert 'commerce_limit_refused_total{limit="rate_per_address"}' in text
    assert 'commerce_limit_used{limit="queries"} 0.0' in text
    assert 'commerce_limit_most{limit="queries"} 8.0' in text


def test_metrics_are_made_once_a_second(api: Api):
    first = api.get("/metrics").text
    api.get("/v1/partners")
    assert api.get("/metrics").text == first


# --- bodies ---


def test_a_body_is_stored_as_it_arrives(api: Api, acme: str, monkeypatch: pytest.MonkeyPatch):
    """It needs no temporary file, whatever its size."""
    monkeypatch.setattr(tempfile, "SpooledTemporaryFile", None)
    monkeypatch.setattr(tempfile, "TemporaryFile", None)
    content = FEED + b"A-9,Lamp,1,USD,1,\n" * 5000
    path = f"/v1/feeds/content?partner_id={acme}"
    answer = api.request("PUT", path, content=content, headers={"Content-Type": "text/csv"})
    assert answer.status_code == 201, answer.text
    assert api.get(f"/v1/feeds/{answer.json()['feed_id']}/raw").content == content


def test_a_body_beyond_the_limit_leaves_nothing(api: Api, acme: str):
    path = f"/v1/feeds/content?partner_id={acme}"
    answer = api.request("PUT", path, content=b"x" * 250_000)
    assert answer.status_code == 413
    assert list(api.commerce.context.files.list("")) == []
    assert api.get("/v1/feeds").json()["items"] == []


@pytest.mark.parametrize("path", ["/v1/feeds/upload", "/v1/doctor"])
def test_a_full_temporary_folder_is_named(
    api: Api, acme: str, path: str, monkeypatch: pytest.MonkeyPatch
):
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("litestar.datastructures.UploadFile.write", full)
    answer = api.post(path, files={"file": ("feed.csv", FEED, "text/csv")})
    assert answer.status_code == 503
    assert tempfile.gettempdir() in answer.json()["detail"]
    assert answer.headers["Retry-After"]


def test_a_body_that_arrives_too_slowly_is_given_up():
    async def never() -> None:
        await asyncio.Event().wait()

    async def receive() -> None:
        await TimedBody(never, Limits(limit_body_seconds=0.01)).receive()

    with pytest.raises(Exception, match="Send at least 1,024 bytes a second") as refusal:
        asyncio.run(receive())
    assert getattr(refusal.value, "status_code", None) == 408


def test_waiting_for_a_client_to_go_away_has_no_limit():
    messages: Iterator[dict[str, Any]] = iter(
        [{"type": "http.request", "body": b"a"}, {"type": "http.disconnect"}]
    )

    async def receive() -> dict[str, Any]:
        return next(messages)

    async def both() -> list[str]:
        body = TimedBody(receive, Limits(limit_body_seconds=1e-9))
        body._is_whole = True
        return [(await body.receive())["type"] for _ in range(2)]

    assert asyncio.run(both()) == ["http.request", "http.disconnect"]


def test_a_response_that_nobody_takes_is_given_up():
    async def never(_: object) -> None:
        await asyncio.Event().wait()

    async def send() -> None:
        limits = Limits(limit_stalled_seconds=0.01)
        answer = TimedAnswer(never, limits, TimedBody(_nothing, limits))
        await answer.send({"type": "http.response.body", "body": b"a", "more_body": True})

    with pytest.raises(Stalled):
        asyncio.run(send())


async def _nothing() -> dict[str, str]:
    return {"type": "http.disconnect"}


def test_a_refusal_is_read_by_a_client_that_is_still_sending():
    """What is left of the body is dropped first, or the connection would break."""
    left = [{"type": "http.request", "body": b"a", "more_body": n < 2} for n in range(3)]
    sent: list[str] = []

    async def receive() -> dict[str, Any]:
        return left.pop(0)

    async def send(message: dict[str, Any]) -> None:
        assert not left
        sent.append(message["type"])

    async def refuse() -> None:
        limits = Limits()
        answer = TimedAnswer(send, limits, TimedBody(receive, limits))
        await answer.send({"type": "http.response.start", "status": 503})

    asyncio.run(refuse())
    assert sent == ["http.response.start"]


def test_an_export_counts_until_its_end(settings: Settings):
    with limited(settings, limit_exports_per_key=1) as api:
        api.partner()
        api.ingest("Acme")
        for _ in range(3):  # each has ended before the next
            assert api.get("/v1/products/export").status_code == 200
        assert api.commerce.products.page(ProductQuery(), count=True).count == 3
