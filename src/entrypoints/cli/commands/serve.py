"""Commands that keep the platform running: serve, worker, migrate, health; and openapi."""

import signal
import sys
from typing import TYPE_CHECKING, Final

import click

from entrypoints.cli.kit.output import say
from entrypoints.cli.kit.verbs import Session, verb

if TYPE_CHECKING:
    from types import FrameType

HOST: Final = "127.0.0.1"
PORT: Final = 8000


@verb("serve", scope=None)
@click.option("--host", default=HOST, show_default=True, help="0.0.0.0 answers other machines too.")
@click.option("--port", type=click.IntRange(1, 65535), default=PORT, show_default=True)
@click.option(
    "--workers", type=click.IntRange(min=1), default=1, show_default=True, help="HTTP processes."
)
def serve(session: Session, host: str, port: int, workers: int) -> None:
    """Answers HTTP, and works on jobs, until it is ended with Ctrl-C."""
    from entrypoints.http.server import serve as answer

    answer(session.settings, host, port, workers, on_ready=lambda at: _ready(session, at))


def _ready(session: Session, address: str) -> None:
    if session.out.as_json:
        session.out.json({"address": address})
    else:
        session.out.line(f"Answering at {address}/ until Ctrl-C.")


@verb("worker", scope=None)
def worker(session: Session) -> None:
    """Works on jobs until it is ended with Ctrl-C; a job under way is finished or given back."""
    import threading

    from entrypoints import logs
    from entrypoints.scraping import observed
    from entrypoints.worker import Worker

    logs.configure(session.settings.log_level, session.settings.log_format)
    working = Worker(session.commerce)
    told = threading.Event()

    def stop(_: int, __: "FrameType | None") -> None:
        working.begin_to_stop()
        told.set()

    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, stop)
    with observed(session.commerce, session.settings, "worker", shared=False):
        working.start()
        _say_to_people("Working on jobs. Ctrl-C ends it.")
        told.wait()
        _say_to_people("Ending; a job under way is finished or given back.")
        working.stop()


def _say_to_people(text: str) -> None:
    """Says it on a terminal; elsewhere stderr is the log's alone."""
    if sys.stderr.isatty():
        say(text)


@verb("migrate", scope=None)
def migrate(session: Session) -> None:
    """Brings the database to this version; every command that opens it does so too."""
    session.commerce.context.store.check()
    if session.out.as_json:
        session.out.json({"status": "ok"})
    else:
        session.out.line("The database is up to date.")


@verb("health", scope=None)
def health(session: Session) -> None:
    """Tells whether every part is up; exits with 75 where one is down."""
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
    """Prints the description of the HTTP interface as JSON."""
    from entrypoints.http.app import api_description

    session.out.json(api_description())
