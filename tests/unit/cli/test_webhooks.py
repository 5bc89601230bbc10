"""Webhooks on the command line, and the receiver for trying them out."""

import http.client
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice

import pytest

from commerce_core.webhooks.signature import new_secret, signed
from entrypoints.compose import open_platform
from entrypoints.listener import LONGEST_BODY, listening
from entrypoints.settings import Settings
from tests.support.commands import Cli
from tests.support.waiting import PATIENCE

HOOK = "https://receiver.invalid/hook"
SECRET = new_secret(lambda number: bytes(range(number)))


@pytest.fixture
def cli() -> Iterator[Cli]:
    settings = Settings(
        database_url="memory:", outbound_networks="127.0.0.0/8", outbound_ports="1-65535"
    )
    with open_platform(settings) as commerce:
        yield Cli(commerce)


def hook(cli: Cli, *words: str) -> str:
    return cli.fine("webhooks", "add", HOOK, *words, "--json").json["webhook_id"]


def test_a_webhook_is_added_shown_changed_and_removed(cli: Cli):
    """Its secret is shown by the command that issues it, and by no other."""
    out = cli.fine("webhooks", "add", HOOK, "--kind", "feed.held", "--thin", "--ordered").out
    assert "whsec_" in out
    assert "thin, ordered" in out
    (found,) = cli.fine("webhooks", "list", "--json").lines
    webhook_id = found["webhook_id"]
    assert "feed.held" in cli.fine("webhooks", "list").out
    shown = cli.fine("webhooks", "show", webhook_id).out
    assert "whsec_" not in shown
    changed = cli.fine("webhooks", "set", webhook_id, "--status", "paused", "--body", "full").out
    assert "paused" in changed
    assert cli("webhooks", "set", webhook_id).code == 2
    assert "whsec_" in cli.fine("webhooks", "rotate", webhook_id, "--grace", "0").out
    assert "removed" in cli.fine("webhooks", "remove", webhook_id).out
    assert cli("webhooks", "add", HOOK, "--kind", "feed.hold").code == 2
    assert cli("webhooks", "add", "https://10.0.0.1/").code == 65


def test_what_a_webhook_missed_is_offered_when_it_is_enabled(cli: Cli):
    """With its number, and the command that sends it."""
    webhook_id = hook(cli)
    cli.fine("webhooks", "set", webhook_id, "--status", "paused")
    assert cli.commerce
    with cli.commerce.context.store.begin() as unit:
        event = cli.commerce.context.new_event()
        unit.events.add([event.of_webhook("webhook.enabled", None, {"webhook_id": "hook_1"})])
    cli.commerce.sending.read_events()
    enabled = cli.fine("webhooks", "set", webhook_id, "--status", "active")
    assert "1 deliveries were missed" in enabled.err
    assert f"webhooks redeliver {webhook_id} --status missed" in enabled.err
    plan = cli.fine("webhooks", "redeliver", webhook_id, "--status", "missed", "--plan").out
    assert "only counted" in plan
    cli.fine("webhooks", "redeliver", webhook_id, "--since", "2020-01-01")
    (delivery,) = cli.fine("webhooks", "deliveries", "--json").lines
    assert delivery["status"] == "pending"
    assert "webhook.enabled" in cli.fine("webhooks", "deliveries", "--webhook", webhook_id).out
    shown = cli.fine("webhooks", "deliveries", delivery["delivery_id"], "--json").json
    assert shown["tries"] == []
    assert "pending" in cli.fine("webhooks", "redeliver", delivery["delivery_id"]).out


def test_a_sample_reaches_the_listener_which_refuses_another_secrets_signature(cli: Cli):
    """`webhooks test` sends it and shows the answer, `listening` hands it on."""
    with listening("127.0.0.1", 0, [SECRET]) as (address, received):
        issued = cli.fine("webhooks", "add", address, "--json").json
        sent = cli.fine("webhooks", "test", issued["webhook_id"], "--kind", "order.created")
        assert "401" in sent.out
        (refused,) = islice(received(), 1)
    assert (refused.verified, refused.body["type"]) == (False, "order.created")
    assert "REFUSED" in refused.line


def test_the_listener_takes_what_its_secret_signed_and_nothing_else():
    body = json.dumps({"type": "feed.applied"}).encode()
    with listening("127.0.0.1", 0, [SECRET]) as (address, received):
        port = int(address.rpartition(":")[2].strip("/"))

        def post(content: bytes, headers: dict[str, str]) -> int:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
            connection.request("POST", "/", content, headers)
            status = connection.getresponse().status
            connection.close()
            return status

        headers = signed([SECRET], "evt_1", datetime.now(UTC), body)
        assert post(body, headers) == 204
        assert post(b"\xff", headers) == 401
        assert post(b"", {"Content-Length": str(LONGEST_BODY + 1)}) == 413
        first, second = islice(received(), 2)
    assert (first.message_id, first.verified, first.body) == ("evt_1", True, json.loads(body))
    assert "verified" in first.line
    assert (second.verified, second.problem) == (False, "No signature matches.")


def test_listening_needs_a_secret_that_is_one(cli: Cli):
    assert cli("webhooks", "listen", "--secret", "mine").code == 65
    assert cli("webhooks", "listen").code == 2
