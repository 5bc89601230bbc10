"""Traces of requests and of the work that they cause; and what is in no span."""

from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from entrypoints import job_story, tracing
from tests.unit.http.conftest import FEED, Api

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with tracing.using(provider):
        yield exporter


def named(spans: InMemorySpanExporter, name: str) -> ReadableSpan:
    (found,) = [span for span in spans.get_finished_spans() if span.name == name]
    return found


def test_a_request_continues_the_callers_trace(api: Api, spans: InMemorySpanExporter):
    """By its route, its status and its ids, and never with the query."""
    api.request("GET", "/v1/partners?limit=7", headers={"traceparent": PARENT})
    span = named(spans, "GET /v1/partners")
    assert span.context
    assert span.parent
    assert f"{span.context.trace_id:032x}" == PARENT.split("-")[1]
    assert f"{span.parent.span_id:016x}" == PARENT.split("-")[2]
    assert dict(span.attributes or {})["http.response.status_code"] == 200
    assert "limit" not in str(span.attributes)


def test_an_upload_links_to_the_trace_of_its_job(api: Api, acme: str, spans: InMemorySpanExporter):
    """That trace has the digits of the job's id, and a statement of it is within its attempt."""
    receipt = api.upload(FEED, partner_id=acme, run="true").json()
    upload = named(spans, "POST /v1/feeds/upload")
    job = api.commerce.queue.claim()
    assert job is not None
    with job_story.attempt(job), tracing.statement("SELECT  1\n WHERE TRUE"):
        api.commerce.queue.execute(job)
    attempt, statement = named(spans, "job ingest"), named(spans, "SELECT")
    assert attempt.context
    assert statement.parent
    digits = receipt["job_id"].partition("_")[2]
    assert f"{attempt.context.trace_id:032x}" == digits
    assert [f"{link.context.trace_id:032x}" for link in upload.links] == [digits]
    assert statement.parent.span_id == attempt.context.span_id
    assert dict(statement.attributes or {})["db.query.text"] == "SELECT 1 WHERE TRUE"


def test_a_statement_of_nothing_that_is_traced_has_no_span(spans: InMemorySpanExporter):
    with tracing.statement("SELECT 1"):
        pass
    assert not spans.get_finished_spans()


def test_secrets_are_in_no_span(api: Api, spans: InMemorySpanExporter):
    """Neither keys and signing secrets, nor addresses, nor the messages of errors."""
    made = api.post("/v1/webhooks", json={"url": "https://receiver.invalid/?token=planted"}).json()
    api.post("/v1/webhooks", json={"url": "https://127.0.0.1/planted"})
    from tests.support.receivers import ROOMS

    with api.commerce.context.store.begin() as unit:
        event = api.commerce.context.new_event().of_webhook("webhook.enabled", None, {"a": "b"})
        unit.events.add([event])
    api.commerce.sending.read_events()
    for claimed in api.commerce.sending.claim(*ROOMS):
        with tracing.delivery(claimed):
            api.commerce.sending.send(claimed)
    assert named(spans, "deliver webhook.enabled")
    written = "".join(span.to_json() for span in spans.get_finished_spans())
    for secret in ("planted", made["secret"], made["secret"][6:], *api.headers.values()):
        assert secret not in written
