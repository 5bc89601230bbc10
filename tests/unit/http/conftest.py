"""An API on a platform in memory, whose answers are all held against its own description."""

import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from typing import Any, cast

import jsonschema_rs
import pytest
from attrs import define, evolve, field
from httpx import Response
from litestar.testing import TestClient

from commerce_core.commerce import Commerce
from commerce_core.feeds.bulk_act import FeedGroup
from entrypoints.compose import open_platform
from entrypoints.http.app import api_description
from entrypoints.settings import Settings
from tests.support.applications import application, shared_examiners

DESCRIPTION = api_description()
ROUTES = [
    (address, re.compile(re.sub(r"\{\w+}", "[^/]+", address)))
    for address in sorted(DESCRIPTION["paths"], key=lambda address: "{" in address)
]
JSON = {"application/json", "application/problem+json"}
AMPLE = 1e6
"""Seconds a minute: no limit on time, whatever else the machine does."""
FEED = b"""sku,product_name,price,currency,quantity,availability
A-1,Lamp,12.50,USD,7,
A-2,Chair,80,USD,2,
A-3,Table,,USD,1,
"""


@define
class Api:
    """Requests of one caller; every answer has to be one that the description has."""

    client: TestClient[Any]
    commerce: Commerce
    headers: dict[str, str] = field(factory=dict[str, str])

    def asking(self, secret: str | None) -> "Api":
        """The same API, asked by the holder of another key."""
        return Api(self.client, self.commerce, {"X-API-Key": secret} if secret else {})

    def request(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        content: str | bytes | None = None,
        data: dict[str, str] | None = None,
        files: dict[str, tuple[str, bytes, str]] | None = None,
        headers: Mapping[str, str | bytes] | None = None,
    ) -> Response:
        body: dict[str, Any] = {"json": json, "content": content, "data": data, "files": files}
        given = {name: value for name, value in body.items() if value is not None}
        answer = self.client.request(
            method, path, headers=cast("Any", {**self.headers, **(headers or {})}), **given
        )
        check_described(method, path.partition("?")[0], answer)
        return answer

    def get(self, path: str, *, headers: Mapping[str, str] | None = None) -> Response:
        return self.request("GET", path, headers=headers)

    def post(
        self,
        path: str,
        json: object = None,
        *,
        content: str | bytes | None = None,
        data: dict[str, str] | None = None,
        files: dict[str, tuple[str, bytes, str]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        return self.request(
            "POST", path, json=json, content=content, data=data, files=files, headers=headers
        )

    def patch(self, path: str, json: object) -> Response:
        return self.request("PATCH", path, json=json)

    def delete(self, path: str) -> Response:
        return self.request("DELETE", path)

    def upload(self, content: bytes = FEED, *, name: str = "feed.csv", **form: str) -> Response:
        return self.post("/v1/feeds/upload", data=form, files={"file": (name, content, "text/csv")})

    # What tests begin from, made without HTTP.

    def partner(self, name: str = "Acme", currency: str = "USD") -> str:
        return self.commerce.partners.add(name, currency=currency).partner_id

    def key(self, partner: str | None = None, *scopes: str) -> str:
        issued = self.commerce.keys.add(partner=partner, scopes=list(scopes) or None)
        assert issued.secret is not None
        return issued.secret

    def ingest(self, partner: str, content: bytes = FEED) -> str:
        """Loads a feed; returns its id."""
        job = self.commerce.feeds.load(BytesIO(content), partner=partner)
        assert job.status == "completed", job
        return job.feed_id

    def statement(self, partner: str) -> tuple[str, str]:
        """A payout to the partner, and a statement that is closed; their ids."""
        from datetime import timedelta
        from decimal import Decimal

        from attrs import evolve

        paid = self.commerce.statements.pay_out(
            partner, Decimal(1), currency="USD", reference="acmes-payout", advance=True
        )
        context = self.commerce.context
        later = Commerce(evolve(context, clock=lambda: context.clock() + timedelta(days=32)))
        closed = later.statements.close(partner=partner).closed[0].statement_id
        return paid.entry_id, closed or ""

    def product(self, sku: str = "A-1", partner: str = "Acme") -> str:
        return self.commerce.products.get(partner=partner, sku=sku).product_id


def webhook_ids(api: Api, acme: str) -> dict[str, str]:
    """A webhook of Acme's and a delivery to it, an alert channel, and a view of the operator's."""
    hook = api.commerce.webhooks.add("https://receiver.invalid/acme", partner=acme).webhook
    api.ingest(acme, b"sku,product_name\nW-1,Webhook\n")
    api.commerce.sending.read_events()
    delivery = next(api.commerce.webhooks.deliveries())
    channel = api.commerce.alerts.add(url="https://receiver.invalid/acme", partner=acme).channel
    return {
        "webhook_id": hook.webhook_id,
        "channel_id": channel.channel_id,
        "view_id": api.commerce.saved_views.add("feeds", "Held", {"status": "held"}).view_id,
        "delivery_id": delivery.delivery_id,
        "event_id": delivery.event_id,
    }


def bulk_id(api: Api, acme: str) -> str:
    """A bulk act of Acme's, on a feed of its own that failed."""
    api.commerce.feeds.load(BytesIO(b"<html></html>"), partner=acme)
    key = api.commerce.keys.add(partner=acme, scopes=["feeds:write"]).key
    own = Commerce(api.commerce.context.acting_as(key.principal()))
    return own.bulk_acts.start(FeedGroup("process_again"), count=1).bulk_id


def check_described(method: str, path: str, answer: Response) -> None:
    """The answer's status and body are among those that the description has for the route."""
    assert answer.headers["X-Request-Id"]
    address = _address(method, path)
    if address is None:
        return
    described = _responses(address, method).get(str(answer.status_code))
    assert described, f"{method} {path} answered {answer.status_code}: {answer.text}"
    content = described.get("content", {})
    sent = answer.headers.get("Content-Type", "").partition(";")[0]
    if "content" in described and "*/*" not in content:
        assert sent in content
    if sent in JSON and sent in content:
        _validator(address, method, str(answer.status_code), sent).validate(answer.json())


def _address(method: str, path: str) -> str | None:
    """The route that the path belongs to; one without parameters goes first."""
    fitting = (
        address
        for address, pattern in ROUTES
        if pattern.fullmatch(path) and method.lower() in DESCRIPTION["paths"][address]
    )
    return next(fitting, None)


def _responses(address: str, method: str) -> dict[str, Any]:
    return DESCRIPTION["paths"][address][method.lower()]["responses"]


@cache  # Making one takes longer than most requests.
def _validator(
    address: str, method: str, status: str, media_type: str
) -> jsonschema_rs.Draft202012Validator:
    schema = _responses(address, method)[status]["content"][media_type]["schema"]
    whole = {**schema, "components": DESCRIPTION["components"]}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)


def _ample() -> Settings:
    """Without limits on time, which depend on how busy the machine is."""
    return Settings(
        database_url="memory:",
        most_upload_bytes=200_000,
        limit_query_seconds_per_minute=AMPLE,
        limit_export_seconds_per_minute=AMPLE,
        limit_decision_seconds_per_minute=AMPLE,
        limit_examination_seconds_per_minute=AMPLE,
    )


@pytest.fixture(scope="session", autouse=True)
def examiners() -> Generator[None]:
    with shared_examiners():
        yield


@pytest.fixture
def settings() -> Settings:
    """Of the platform that a test asks."""
    return _ample()


@pytest.fixture
def nobody(settings: Settings) -> Generator[Api]:
    """The API, asked without a key."""
    with _served(settings) as served:
        yield served


@pytest.fixture(scope="module")
def refusing() -> Generator[Api]:
    """The API, asked without a key, for the tests of a module in which all of it is refused.

    They are many, so none is refused for coming too soon after the others.
    """
    settings = evolve(_ample(), limit_rate_per_address=AMPLE, limit_rate_per_key=AMPLE)
    with _served(settings) as served:
        yield served


@contextmanager
def _served(settings: Settings) -> Generator[Api]:
    with (
        open_platform(settings) as commerce,
        application(commerce, settings) as app,
        TestClient(app, raise_server_exceptions=False) as client,
    ):
        yield Api(client, commerce)


@pytest.fixture
def api(nobody: Api) -> Api:
    """The API, asked by the operator."""
    return nobody.asking(nobody.key())


@pytest.fixture
def acme(api: Api) -> str:
    """A partner."""
    return api.partner()
