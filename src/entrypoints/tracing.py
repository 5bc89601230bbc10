"""Traces with OpenTelemetry: from a request over its job or delivery to each statement.

They are exported if the standard variable OTEL_EXPORTER_OTLP_ENDPOINT is set and the extra `[otel]`
is installed; otherwise none of this costs anything. The trace of a job has the digits of the job's
id, and that of a delivery those of its event's, so either is found without searching; the request
that made a job links to its trace. Spans have ids, routes and the text of statements, never
parameters, addresses or the messages of errors.
"""

import os
from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Final

from commerce_core.base.errors import Unavailable
from commerce_core.feeds.job import Job
from commerce_core.ports.work import Work
from commerce_core.webhooks.delivery import Claimed

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, Tracer
    from opentelemetry.trace.span import SpanContext

ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
LONGEST_STATEMENT: Final = 1_000
_SCOPE: Final = "open-commerce"
_tracers: list["Tracer"] = []
"""The tracer of this process, if there is one."""


def is_wanted() -> bool:
    """Whether the environment names an address to export to."""
    return any(os.environ.get(name) for name in ENDPOINTS)


@contextmanager
def exporting(role: str) -> Generator[None]:
    """Exports the spans of this process while the context lasts, if that is wanted.

    Unavailable if the extra isn't installed.
    """
    if not is_wanted():
        yield
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise Unavailable(
            "Traces are to be exported, but OpenTelemetry isn't installed.",
            "Install open-commerce[otel], or unset OTEL_EXPORTER_OTLP_ENDPOINT.",
        ) from error
    name = os.environ.get("OTEL_SERVICE_NAME", "commerce")
    resource = Resource.create({"service.name": name, "commerce.role": role})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    with using(provider):
        yield
    provider.shutdown()


@contextmanager
def using(provider: "TracerProvider") -> Generator[None]:
    """Gives the spans of this process to a provider while the context lasts."""
    _tracers.insert(0, provider.get_tracer(_SCOPE))
    try:
        yield
    finally:
        del _tracers[0]


@contextmanager
def request(headers: Mapping[str, str]) -> Generator["Span | None"]:
    """A span of a request, which continues the trace that its headers name."""
    if not _tracers:
        yield None
        return
    from opentelemetry.trace import SpanKind
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    context = TraceContextTextMapPropagator().extract(headers)
    with _tracers[0].start_as_current_span(
        "request", context, SpanKind.SERVER, record_exception=False, set_status_on_exception=False
    ) as span:
        yield span


def answered(span: "Span", method: str, route: str, status: int, ids: Mapping[str, Any]) -> None:
    """Names the span of a request that was answered, and links it to its job."""
    span.update_name(f"{method} {route}")
    span.set_attributes(
        {
            "http.request.method": method, "http.route": route,
            "http.response.status_code": status,
            **{f"commerce.{name}": value for name, value in ids.items() if value},
        }
    )  # fmt: skip
    if job_id := ids.get("job_id"):
        span.add_link(_context_of(job_id))


def work(of: Work) -> AbstractContextManager[None]:
    """A span of an attempt at a job or task."""
    if isinstance(of, Job):
        ids = {"job_id": of.job_id, "feed_id": of.feed_id, "partner_id": of.partner_id}
        return _within(f"job {of.kind}", of.job_id, ids | {"attempt": of.attempts})
    return _within(f"task {of.kind}", None, {"attempt": of.attempts})


def delivery(claimed: Claimed) -> AbstractContextManager[None]:
    """A span of a try to deliver a message."""
    one = claimed.delivery
    ids = {"delivery_id": one.delivery_id, "webhook_id": one.webhook_id, "event_id": one.event_id}
    return _within(f"deliver {one.kind}", one.event_id, ids)


@contextmanager
def statement(text: str) -> Generator[None]:
    """A span of a statement, within the span of what it is for."""
    if not _tracers:
        yield
        return
    from opentelemetry.trace import SpanKind, get_current_span

    if not get_current_span().is_recording():
        yield
        return
    tidy = " ".join(text.split())[:LONGEST_STATEMENT]
    attributes = {"db.system.name": "postgresql", "db.query.text": tidy}
    with _tracers[0].start_as_current_span(
        tidy.partition(" ")[0].upper() or "statement", kind=SpanKind.CLIENT, attributes=attributes,
        record_exception=False, set_status_on_exception=False,
    ):  # fmt: skip
        yield


@contextmanager
def _within(name: str, of: str | None, ids: Mapping[str, Any]) -> Generator[None]:
    """A span in the trace that has the digits of an id; in a trace of its own if that is None."""
    if not _tracers:
        yield
        return
    from opentelemetry.context import Context
    from opentelemetry.trace import NonRecordingSpan, set_span_in_context

    parent = Context() if of is None else set_span_in_context(NonRecordingSpan(_context_of(of)))
    attributes = {f"commerce.{key}": value for key, value in ids.items() if value is not None}
    with _tracers[0].start_as_current_span(
        name, parent, attributes=attributes, record_exception=False, set_status_on_exception=False
    ):
        yield


def _context_of(id_: str) -> "SpanContext":
    """The root of the trace of what has that id: the id's 32 digits are those of a trace."""
    from opentelemetry.trace import TraceFlags
    from opentelemetry.trace.span import SpanContext

    digits = id_.rpartition("_")[2]
    span_id = int(digits[-16:], 16) or 1
    return SpanContext(int(digits, 16), span_id, is_remote=True, trace_flags=TraceFlags(1))
