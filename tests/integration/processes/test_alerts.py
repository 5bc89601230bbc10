"""Alerts by a worker of its own, over real connections to a mail server, also when it is killed."""

import io
import signal
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import psycopg
import pytest
from attrs import evolve
from psycopg.conninfo import conninfo_to_dict

from adapters.memory.mail import MemoryMail
from commerce_core.commerce import Commerce
from tests.support.servers.platform import Platform
from tests.support.servers.post import PostServer, post_server
from tests.support.waiting import PATIENCE, until

pytestmark = pytest.mark.processes

KILLED = -signal.SIGKILL


@pytest.fixture
def post() -> Iterator[PostServer]:
    with post_server() as made:
        yield made


@pytest.fixture
def platform(database: str, tmp_path: Path, post: PostServer) -> Platform:
    parts = conninfo_to_dict(database)
    name = parts.pop("dbname")
    return Platform(
        f"postgresql:///{name}?{urlencode(parts)}",
        tmp_path,
        environ={
            "COMMERCE_SMTP_URL": f"smtp+plain://127.0.0.1:{post.port}",
            "COMMERCE_MAIL_FROM": "alerts@example.com",
            "COMMERCE_PUBLIC_URL": "https://commerce.example.com",
            "COMMERCE_LEASE_SECONDS": "1",
        },
    )


def _failing(commerce: Commerce) -> str:
    """A feed that fails, and a channel; returns the id of the feed."""
    commerce.partners.add("Acme", currency="EUR")
    receipt = commerce.feeds.load(io.BytesIO(b"<html>"), partner="Acme")
    # This process sends none, but may add a channel as one that can.
    can_send = Commerce(evolve(commerce.context, mail=MemoryMail()))
    can_send.alerts.add(recipients=["ops@example.com"])
    return receipt.feed_id


def test_a_worker_sends_what_the_inbox_calls_for(platform: Platform, post: PostServer):
    with platform.opened() as commerce:
        feed_id = _failing(commerce)
        with platform.worker():
            until(lambda: post.envelopes)
            until(lambda: [a for a in commerce.alerts.alerts() if a.status == "sent"])
    (letter,) = post.letters()
    assert letter.subject == "[critical] A feed failed: html (Acme)"
    assert f"https://commerce.example.com/feeds/{feed_id}" in letter.text


@pytest.mark.parametrize(
    ("point", "most"),
    [
        ("channels.lock_active.before", 1),
        ("alerts.put_streaks.after", 1),
        ("alerts.add.before", 1),
        ("alerts.add.committed", 1),
        ("alerts.claim.before", 1),
        ("channels.get.committed", 1),
        ("mail.send.before", 1),
        ("mail.send.after", 2),
        ("alerts.record.before", 2),
        ("channels.note_health.committed", 1),
    ],
)
def test_a_worker_that_is_killed_loses_no_alert(
    database: str, platform: Platform, post: PostServer, point: str, most: int
):
    """One message if it is killed before sending; one that comes twice has the same id."""
    with platform.opened() as commerce:
        _failing(commerce)
        with platform.worker(COMMERCE_FAIL_AT=f"{point}:kill") as worker:
            assert worker.wait(PATIENCE) == KILLED
        # As if the lease of a message under way, which is longer than a try may take, were over.
        with psycopg.connect(database) as connection:
            connection.execute("UPDATE alerts SET due_at = now() WHERE status = 'pending'")
        with platform.worker():
            until(lambda: [a for a in commerce.alerts.alerts() if a.status == "sent"])
            until(lambda: _is_done(commerce))
    letters = post.letters()
    assert 1 <= len(letters) <= most
    assert len({letter.message_id for letter in letters}) == 1
    assert {letter.subject for letter in letters} == {"[critical] A feed failed: html (Acme)"}


def _is_done(commerce: Commerce) -> bool:
    with commerce.context.store.begin() as unit:
        task = unit.tasks.find("send_alerts")
    return task is not None and task.status == "queued"
