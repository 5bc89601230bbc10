"""Commands that operate the platform: serve, worker, migrate and health; and openapi."""

import signal
import sys
from typing import TYPE_CHECKING, Final

import click

from entrypoints.cli.kit.output import notice
from entrypoints.cli.kit.verbs import Session, verb

if TYPE_CHECKING:
    from types import FrameType

HOST: Final = "127.0.0.1"
PORT: Final = 8000
WAKE_EVERY_SECONDS: Final = 1.0
"""How often the main thread of a worker wakes, and so handles signals at the latest."""


@verb("serve", scope=None)
@click.option(
    "--host",
    default=HOST,
    show_default=True,
    help="Address to listen on; 0.0.0.0 accepts requests from other machines.",
)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=PORT,
    show_default=True,
    help="Port to listen on.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Number of HTTP processes.",
)
@click.option(
    "--worker/--no-worker",
    "with_worker",
    default=True,
    help="Process jobs too, in a process of its own (the default), or only serve HTTP.",
)
def serve(session: Session, host: str, port: int, workers: int, *, with_worker: bool) -> None:
    """Serve HTTP, and process jobs, until stopped with Ctrl-C."""
    from entrypoints.dashboard.routes import routes
    from entrypoints.http.server import serve as serve_http

    serve_http(
        session.settings,
        host,
        port,
        workers,
        with_worker=with_worker,
        home=routes,
        on_ready=lambda at: _ready(session, at),
    )


def _ready(session: Session, address: str) -> None:
    if session.out.as_json:
        session.out.json({"address": address})
    else:
        session.out.line(f"Serving at {address}/ (press Ctrl-C to stop).")


@verb("worker", scope=None)
def worker(session: Session) -> None:
    """Process jobs until stopped with Ctrl-C, without serving HTTP.

    When stopped, it finishes its current job or returns it to the queue.
    """
    import threading

    from entrypoints import logs
    from entrypoints.scraping import observed
    from entrypoints.worker import Worker

    logs.configure(session.settings.log_level, session.settings.log_format)
    working = Worker(session.commerce)
    stopping = threading.Event()

    def stop(_: int, __: "FrameType | None") -> None:
        working.begin_to_stop()
        stopping.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    with observed(session.commerce, session.settings, "worker", shared=False):
        working.start()
        _terminal_notice("Processing jobs (press Ctrl-C to stop).")
        # A signal that another thread took is handled once this one wakes.
        while not stopping.wait(WAKE_EVERY_SECONDS):
            pass
        _terminal_notice("Stopping: the current job is finished or returned to the queue.")
        working.stop()


def _terminal_notice(text: str) -> None:
    """Prints a notice on a terminal; elsewhere stderr contains only the log."""
    if sys.stderr.isatty():
        notice(text)


@verb("migrate", scope=None)
def migrate(session: Session) -> None:
    """Migrate the database to this version.

    Every command that opens the database does this too.
    """
    session.commerce.context.store.check()
    if session.out.as_json:
        session.out.json({"status": "ok"})
    else:
        session.out.line("The database is up to date.")


@verb("health", scope=None)
def health(session: Session) -> None:
    """Check whether every part is up. Exits with 75 if one is down."""
    from entrypoints.problems import EXIT_TRY_AGAIN

    parts = session.commerce.health.parts()
    well = all(state == "ok" for state in parts.values())
    if session.out.as_json:
        session.out.json({"status": "ok" if well else "down", "parts": dict(parts)})
    else:
        session.out.fields(parts.items())
    if not well:
        session.end(EXIT_TRY_AGAIN)


@verb("openapi", scope=None)
def openapi(session: Session) -> None:
    """Print the OpenAPI description of the HTTP API as JSON."""
    from entrypoints.http.app import api_description

    session.out.json(api_description())
