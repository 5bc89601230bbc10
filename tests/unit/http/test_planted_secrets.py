"""Secrets are planted everywhere one can be given, and looked for in everything that comes out."""

import io
import json
import re
import threading
from base64 import b64decode, b64encode
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from attrs import define, evolve, field
from litestar.testing import TestClient
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from adapters.memory.web import MemoryWeb
from commerce_core.base.ids import NOUNS
from commerce_core.commerce import Commerce
from commerce_core.feeds.job import Job
from commerce_core.ports.web import WebRequest
from commerce_core.work.task import LANES
from entrypoints import job_story, logs, tracing
from entrypoints.compose import open_platform
from entrypoints.dashboard.routes import routes
from entrypoints.deliveries import DeliveryLane
from entrypoints.http.app import create_app
from entrypoints.settings import Settings
from tests.support.browsing import Visitor
from tests.support.receivers import ROOMS
from tests.unit.http.conftest import DESCRIPTION, FEED, Api
from tests.unit.http.test_http_strangers import KINDS as KINDS_OF

VAULT_KEY = b"planted-vault-key-of-32-bytes-00"
SMTP_PASSWORD = "planted-smtp-password"
SOURCE_PASSWORD = "planted-source-password"
ADDRESS_TOKEN = "planted-token-in-an-address"
CAUSE = "planted-in-the-message-of-an-error"
WRONG = ("oc_planted-wrong-key", "planted-password-in-a-url", "planted-unknown-member")
SETTINGS = Settings(
    database_url="memory:",
    vault_keys=f"one:{b64encode(VAULT_KEY).decode()}",
    smtp_url=f"smtps://alerts:{SMTP_PASSWORD}@127.0.0.1:1",
    mail_from="alerts@example.com",
    public_url="https://commerce.example.com",
)
_ID = re.compile(rf"\b(?:{'|'.join(NOUNS)})_[0-9a-f]{{32}}\b")


@define
class Session:
    """A platform in use; `out` is everything that has come out of it, by where that was."""

    commerce: Commerce
    client: TestClient[Any]
    operator: Api
    log: io.StringIO
    spans: InMemorySpanExporter
    secrets: dict[str, str] = field(factory=dict[str, str])
    out: dict[str, str] = field(factory=dict[str, str])

    def issue(self, what: str, path: str, **body: object) -> dict[str, Any]:
        """Makes what has a secret, which this one answer may contain."""
        made = self.operator.post(path, json=body).json()
        self.secrets[what] = made["secret"]
        return made

    def keep(self, where: str, text: str) -> str:
        self.out[f"{len(self.out)} {where}"] = text
        return text

    def ask(self, method: str, path: str, **given: Any) -> str:  # noqa: ANN401 - a request
        """Anything else, whose answer is kept."""
        answer = self.operator.request(method, path, **given)
        return self.keep(f"{method} {path}", f"{answer.headers}{answer.text}")


def _answer(request: WebRequest) -> tuple[int, dict[str, str], bytes]:
    if "fault" in request.url:
        raise RuntimeError(CAUSE)
    return (401, {}, b"no") if "partner" in request.url else (500, {}, b"")


@pytest.fixture
def session() -> Iterator[Session]:
    log, exporter = io.StringIO(), InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with (
        tracing.using(provider),
        open_platform(SETTINGS) as opened,
    ):
        logs.configure("info", "json", log)
        names = {f"{name}.example": ["1.1.1.1"] for name in ("partner", "hooks", "fault")}
        commerce = Commerce(evolve(opened.context, web=MemoryWeb(names, _answer)))
        app = create_app(commerce, SETTINGS, home=routes(SETTINGS))
        with TestClient(app, raise_server_exceptions=False) as client:
            secret = commerce.keys.add().secret or ""
            api = Api(client, commerce).asking(secret)
            yield Session(commerce, client, api, log, exporter, {"operator's key": secret})


def _use(session: Session) -> None:
    """What users do who give secrets, or are given some."""
    api = session.operator
    acme = api.partner()
    made = session.issue("webhook", "/v1/webhooks", url=f"https://hooks.example/?{ADDRESS_TOKEN}")
    session.issue("rotated webhook", f"/v1/webhooks/{made['webhook_id']}/secrets", grace_hours=1)
    session.issue("channel", "/v1/alert-channels", url=f"https://hooks.example/a?{ADDRESS_TOKEN}")
    session.issue("faulty webhook", "/v1/webhooks", url="https://fault.example/")
    key = session.issue("key", f"/v1/partners/{acme}/keys", key_name="Shop")
    session.issue("rotated key", f"/v1/keys/{key['key_id']}/rotate")
    session.ask("POST", "/v1/alert-channels", json={"recipients": ["ops@example.com"]})
    session.ask("POST", "/v1/sources", json={"partner_id": acme, "source_name": "pulled"})
    source = json.loads(api.get("/v1/sources").text)["items"][0]["source_id"]
    pull = {"url": "https://partner.example/", "username": "acme", "secret": SOURCE_PASSWORD}
    session.ask("PUT", f"/v1/sources/{source}/pull", json=pull)
    session.ask("POST", f"/v1/sources/{source}/fetch")
    session.keep("upload", api.upload(FEED, partner_id=acme, run="true").text)
    session.keep("bad upload", api.upload(b"<html>no", partner_id=acme, run="true").text)


def _work(session: Session) -> None:
    """What a worker does, until nothing is left: fetches, feeds, deliveries, alerts."""
    commerce = session.commerce
    commerce.queue.add_chores()
    for lane in LANES:
        for _ in range(10):
            if lane == "webhooks" or (work := commerce.queue.claim(lane)) is None:
                break
            with job_story.attempt(work):
                if isinstance(work, Job):
                    job_story.ended(commerce.queue.execute(work), 0.0)
                else:
                    job_story.performed(work, commerce.queue.perform(work), 0.0)
    lane = DeliveryLane(commerce, timedelta(), threading.Event())
    commerce.sending.read_events()
    judged = [lane._send(claimed) for claimed in commerce.sending.claim(*ROOMS)]
    assert "internal" in {one.tried.error for one in judged}
    commerce.sending.record(judged)
    for channel in commerce.alerts.list():
        session.ask("POST", f"/v1/alert-channels/{channel.channel_id}/test")


def _check_that_they_were_used(session: Session) -> None:
    """What is looked for has been where it could have come out."""
    web = session.commerce.context.web
    assert isinstance(web, MemoryWeb)
    basic = b64encode(f"acme:{SOURCE_PASSWORD}".encode()).decode()
    sent = [pair for request in web.requests for pair in request.headers.items()]
    assert ("Authorization", f"Basic {basic}") in sent
    assert "webhook-signature" in dict(sent)
    assert any(ADDRESS_TOKEN in text for text in session.out.values())
    assert '"error":"not_connected"' in "".join(session.out.values()).replace(" ", "")
    assert '"event":"delivery.fault"' in session.log.getvalue()


def _provoke(session: Session) -> None:
    """Refusals, which quote what they refuse at their peril."""
    wrong_key, in_a_url, as_a_value = WRONG
    source = session.commerce.pulls.page(None, 1).items[0].source_id
    path = f"/v1/sources/{source}/pull"
    url = f"https://me:{in_a_url}@partner.example/"
    session.ask("PUT", path, json={"url": url})
    session.ask("PUT", path, json={"url": "https://partner.example/", "secret": [as_a_value]})
    session.ask("PUT", path, json={"url": "https://partner.example/", "sekret": as_a_value})
    session.ask("PUT", path, content=f'{{"secret": "{as_a_value}"')
    session.ask("POST", "/v1/webhooks", json={"url": url})
    session.ask("POST", "/v1/alert-channels", json={"url": url})
    stranger = session.operator.asking(wrong_key)
    session.keep("401", stranger.get("/v1/keys").text)
    bearer = {"Authorization": f"Bearer {wrong_key}"}
    session.keep("401", session.operator.asking(None).get("/v1/keys", headers=bearer).text)
    page = session.client.post("/sign-in", data={"key": wrong_key})
    session.keep("page of a refusal", page.text)


def _look_at_everything(session: Session) -> None:
    """Each address that can be read, with each id that was seen; pages, log, traces, metrics."""
    ids: set[str] = set()
    for _ in range(2):  # The second time with the ids of the first.
        for path in DESCRIPTION["paths"]:
            if "get" in DESCRIPTION["paths"][path] and "/runs/events" not in path:
                for address in _addresses(path, ids):
                    ids.update(_ID.findall(session.ask("GET", address)))
    visitor = Visitor(session.client)
    visitor.client.follow_redirects = False
    visitor.sign_in(session.secrets["operator's key"])
    session.secrets["cookies"] = next(iter(visitor.client.cookies.values()))
    for path, answer in visitor.crawl():
        session.keep(f"page {path}", answer.text)
    session.keep("GET /metrics", session.client.get("/metrics").text)
    spans = session.spans.get_finished_spans()
    session.keep("traces", "".join(span.to_json() for span in spans))
    session.keep("log", session.log.getvalue())
    for where in ("log", "traces", "GET /metrics"):
        assert next(text for name, text in session.out.items() if name.endswith(where))


def _addresses(path: str, ids: set[str]) -> list[str]:
    """The path with ids of the kinds that its parameters are for."""
    names = re.findall(r"\{(\w+)\}", path)
    if not names:
        return [path]
    kind = KINDS_OF.get(names[0])
    return [
        path.replace(f"{{{names[0]}}}", id_) for id_ in sorted(ids) if kind == id_.split("_")[0]
    ]


def _spellings(secret: str) -> set[str]:
    """As it is, in a URL, in Base64 at any offset, in hexadecimal; and what follows its prefix."""
    bare = secret.removeprefix("whsec_")
    forms = {secret, bare, quote(secret, safe=""), secret.encode().hex()}
    for offset in range(3):
        encoded = b64encode(b"\0" * offset + secret.encode()).decode()
        forms.add(encoded[4 if offset else 0 : -4])
    if bare != secret:
        forms.add(b64decode(bare).hex())
    return forms


def test_no_secret_comes_out(session: Session):
    """Of logs, answers, problems, audit, events, traces, metrics and pages: all of them."""
    _use(session)
    _work(session)
    _provoke(session)
    _look_at_everything(session)
    needles = {
        "vault key": VAULT_KEY.decode(),
        "mail": SMTP_PASSWORD,
        "source": SOURCE_PASSWORD,
        "fault": CAUSE,
        **{f"wrong {number}": wrong for number, wrong in enumerate(WRONG)},
        **session.secrets,
    }
    assert len(session.out) > 100
    _check_that_they_were_used(session)
    found = [
        (what, where)
        for where, text in session.out.items()
        for what, secret in needles.items()
        if any(spelling in text for spelling in _spellings(secret))
    ]
    assert found == []
    inside = ("log", "traces", "GET /metrics", "GET /v1/audit", "GET /v1/events")
    told = [w for w, t in session.out.items() if w.endswith(inside) and ADDRESS_TOKEN in t]
    assert told == []
