"""Alerts as their users get them: by mail and webhook, once for each cause, to whom may see it."""

import io
import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
import standardwebhooks
from attrs import evolve

from adapters.memory.mail import MemoryMail
from commerce_core.activity.audit import AuditQuery
from commerce_core.alerts.alert import KEPT, SCHEDULE
from commerce_core.alerts.channel import MOST_CHANNELS, QuietHours
from commerce_core.alerts.streak import OVER_AFTER
from commerce_core.base.errors import Conflict, Forbidden, InvalidInput, NotFound
from commerce_core.commerce import Commerce
from commerce_core.ports.mail import NoMail
from tests.support.receivers import URL, Receivers, receivers

OPS = ["ops@example.com"]
BAD = b"<html>not a feed</html>"
GOOD = b"sku,title,price,quantity\nA,Lamp,5,9\n"
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def made() -> Iterator[Receivers]:
    with receivers() as found:
        found.commerce = Commerce(evolve(found.commerce.context, mail=MemoryMail()))
        yield found


def letters(made: Receivers) -> list[str]:
    mail = made.commerce.context.mail
    assert isinstance(mail, MemoryMail)
    return [letter.subject for letter in mail.letters]


def load(made: Receivers, body: bytes, partner: str = "Acme") -> None:
    """A moment after whatever came before."""
    made.later(timedelta(seconds=1))
    made.commerce.feeds.load(io.BytesIO(body), partner=partner)


def key_of_acme(made: Receivers, *scopes: str) -> Commerce:
    return made.commerce.authenticated(
        made.commerce.keys.add(partner="Acme", scopes=list(scopes)).secret
    )


def test_a_feed_that_fails_is_one_mail_and_its_recovery_another(made: Receivers):
    """However many fail, and however often a worker looks."""
    made.commerce.alerts.add(recipients=OPS)
    for _ in range(3):
        load(made, BAD)
    for _ in range(5):
        made.commerce.alerting.run()
    assert letters(made) == ["[critical] 3 feeds failed: html (Acme)"]
    load(made, GOOD)
    for pause in (10 * MINUTE, OVER_AFTER, HOUR):
        made.later(pause)
        made.commerce.alerting.run()
    assert letters(made)[1:] == ["[critical] Over: 3 feeds failed: html (Acme)"]


def test_each_mail_has_the_id_of_its_alert_and_is_in_the_log(made: Receivers):
    channel = made.commerce.alerts.add(recipients=[*OPS, *OPS, "lead@example.com"]).channel
    load(made, BAD)
    assert made.commerce.alerting.run() == 1
    mail = made.commerce.context.mail
    assert isinstance(mail, MemoryMail)
    (letter,), (alert,) = mail.letters, made.commerce.alerts.alerts()
    assert (letter.message_id, letter.recipients) == (
        alert.alert_id, ("ops@example.com", "lead@example.com"),
    )  # fmt: skip
    assert (alert.status, alert.attempts, alert.sent_at) == ("sent", 1, made.now)
    assert made.commerce.alerts.get(channel.channel_id).messaged_at == made.now


def test_an_acknowledged_cause_stays_quiet_until_it_occurs_again(made: Receivers):
    made.commerce.alerts.add(recipients=OPS)
    load(made, BAD)
    made.commerce.alerting.run()
    (item,) = made.commerce.inbox.get().items
    made.later(MINUTE)
    made.commerce.inbox.mark(item.cause_id, acknowledged=True)
    made.later(HOUR)
    made.commerce.alerting.run()
    assert len(letters(made)) == 1
    load(made, BAD)
    made.commerce.alerting.run()
    assert letters(made)[1:] == ["[critical] 2 feeds failed: html (Acme)"]


def test_a_webhook_gets_alerts_signed_with_a_secret_that_is_shown_once(made: Receivers):
    issued = made.commerce.alerts.add(url=URL, key="one")
    assert issued.secret is not None
    assert made.commerce.alerts.add(url=URL, key="one").secret is None
    load(made, BAD)
    made.commerce.alerting.run()
    (request,) = made.web.requests
    verifier = standardwebhooks.Webhook(issued.secret)
    body = verifier.verify(request.body, dict(request.headers))
    assert body["data"]["causes"][0]["kind"] == "failed"
    (alert,) = made.commerce.alerts.alerts()
    assert request.headers["webhook-id"] == body["data"]["alert_id"] == alert.alert_id


def test_a_message_that_can_not_be_sent_is_tried_again_under_its_id(made: Receivers):
    """The channel shows since when it fails; the schedule ends."""
    channel = made.commerce.alerts.add(url=URL).channel
    made.answer(500)
    load(made, BAD)
    begun = made.now
    for pause in SCHEDULE:
        made.later(pause)
        assert made.commerce.alerting.run() == 0
    shown = made.commerce.alerts.get(channel.channel_id)
    assert (shown.failing_since, shown.error) == (begun, "http_500")
    ids = {request.headers["webhook-id"] for request in made.web.requests}
    (alert,) = made.commerce.alerts.alerts()
    assert ids == {alert.alert_id}
    assert (len(made.web.requests), alert.status) == (len(SCHEDULE), "failed")
    made.answer(204)
    made.commerce.alerts.test(channel.channel_id)
    load(made, BAD, "Bloom")
    made.later(HOUR)
    assert made.commerce.alerting.run() == 1
    assert made.commerce.alerts.get(channel.channel_id).failing_since is None


def test_a_channel_that_fails_delays_no_other(made: Receivers):
    made.answer(500)
    for _ in range(3):
        made.commerce.alerts.add(url=URL)
    made.commerce.alerts.add(recipients=OPS)
    load(made, BAD)
    assert made.commerce.alerting.run() == 1
    assert len(made.web.requests) == 3


def test_a_partner_gets_what_concerns_it_and_what_its_key_may_see(made: Receivers):
    """Another's causes never; another's channels are like unknown ones."""
    acme = key_of_acme(made, "alerts:read", "alerts:write", "feeds:read")
    own = acme.alerts.add(recipients=OPS).channel
    assert own.kinds == ("held", "late", "failed", "rejects")
    theirs = made.commerce.alerts.add(recipients=OPS, partner="Bloom").channel
    for partner in ("Acme", "Bloom"):
        load(made, BAD, partner)
    made.commerce.alerting.run()
    (alert,) = acme.alerts.alerts()
    assert [entry.partner_name for entry in alert.entries] == ["Acme"]
    assert [channel.channel_id for channel in acme.alerts.list()] == [own.channel_id]
    for use in (
        lambda: acme.alerts.get(theirs.channel_id),
        lambda: acme.alerts.change(theirs.channel_id, status="paused"),
        lambda: acme.alerts.remove(theirs.channel_id),
        lambda: acme.alerts.test(theirs.channel_id),
        lambda: acme.alerts.add(recipients=OPS, partner="Bloom"),
    ):
        with pytest.raises(NotFound):
            use()
    with pytest.raises(Forbidden):
        acme.alerts.add(recipients=OPS, kinds=["oversold"])


def test_without_a_mail_server_no_channel_by_mail_is_added(made: Receivers):
    made.commerce = Commerce(evolve(made.commerce.context, mail=NoMail()))
    with pytest.raises(Conflict) as refusal:
        made.commerce.alerts.add(recipients=OPS)
    assert refusal.value.code == "no_mail_server"
    assert made.commerce.alerts.add(url=URL).secret


@pytest.mark.parametrize("url", ["https://inside.example/", "https://10.0.0.1/"])
def test_an_address_that_may_not_be_called_is_refused(made: Receivers, url: str):
    with pytest.raises(InvalidInput):
        made.commerce.alerts.add(url=url)


def test_an_owner_has_at_most_so_many_channels(made: Receivers):
    channels = [made.commerce.alerts.add(recipients=OPS).channel for _ in range(MOST_CHANNELS)]
    with pytest.raises(Conflict) as refusal:
        made.commerce.alerts.add(recipients=OPS)
    assert refusal.value.code == "too_many_channels"
    made.commerce.alerts.add(recipients=OPS, partner="Acme")
    made.commerce.alerts.remove(channels[0].channel_id)
    made.commerce.alerts.add(recipients=OPS)


def test_a_test_says_that_it_is_one_and_is_not_in_the_log(made: Receivers):
    channel = made.commerce.alerts.add(recipients=OPS).channel
    sample = made.commerce.alerts.test(channel.channel_id)
    assert (sample.status, sample.test) == ("sent", True)
    assert letters(made) == ["[critical] Test: A sample of an alert"]
    assert list(made.commerce.alerts.alerts()) == []
    hook = made.commerce.alerts.add(url=URL).channel
    made.answer(410)
    failed = made.commerce.alerts.test(hook.channel_id)
    assert (failed.status, failed.error) == ("failed", "http_410")
    assert json.loads(made.web.requests[-1].body)["test"] is True


def test_a_channel_is_changed_paused_and_removed(made: Receivers):
    """While it is paused nothing is sent; afterwards, what is still there is reported anew."""
    alerts = made.commerce.alerts
    channel_id = alerts.add(recipients=OPS).channel.channel_id
    load(made, BAD)
    made.commerce.alerting.run()
    quiet = QuietHours("22:00", "07:00")
    changed = alerts.change(channel_id, quiet_hours=quiet, digest_minutes=15, kinds=["failed"])
    assert (changed.quiet_hours, changed.digest_minutes, changed.kinds) == (quiet, 15, ("failed",))
    assert alerts.change(channel_id, quiet_hours="none", kinds=[]).quiet_hours is None
    alerts.change(channel_id, status="paused")
    made.later(HOUR)
    assert made.commerce.alerting.run() == 0
    alerts.change(channel_id, status="active")
    assert made.commerce.alerting.run() == 1
    assert letters(made) == ["[critical] A feed failed: html (Acme)"] * 2
    assert alerts.remove(channel_id).status == alerts.remove(channel_id).status == "removed"
    with pytest.raises(Conflict):
        alerts.change(channel_id, status="active")
    with pytest.raises(InvalidInput):
        alerts.change(alerts.add(recipients=OPS).channel.channel_id, status="removed")


def test_what_was_due_is_dropped_when_a_channel_is_paused_or_removed(made: Receivers):
    made.answer(500)
    for end in ("paused", "removed"):
        channel_id = made.commerce.alerts.add(url=URL).channel.channel_id
        load(made, BAD)
        made.commerce.alerting.run()
        if end == "paused":
            made.commerce.alerts.change(channel_id, status="paused")
        else:
            made.commerce.alerts.remove(channel_id)
        (alert,) = [a for a in made.commerce.alerts.alerts() if a.channel_id == channel_id]
        assert (alert.status, alert.error) == ("failed", end)


def test_the_audit_has_who_did_it_without_secrets(made: Receivers):
    url = f"{URL}?token=hidden"
    channel_id = made.commerce.alerts.add(url=url).channel.channel_id
    made.later(MINUTE)
    made.commerce.alerts.change(channel_id, description="Chat")
    made.later(MINUTE)
    made.commerce.alerts.remove(channel_id)
    entries = list(made.commerce.audit.list(AuditQuery(subject=channel_id)))
    assert [entry.action for entry in entries] == [
        "channel.removed", "channel.changed", "channel.added",
    ]  # fmt: skip
    assert "hidden" not in repr(entries)
    assert "sealed" not in repr(entries)


def test_old_alerts_are_forgotten(made: Receivers):
    made.commerce.alerts.add(recipients=OPS)
    load(made, BAD)
    made.commerce.alerting.run()
    made.later(KEPT - HOUR)
    made.commerce.alerting.forget_old()
    assert len(list(made.commerce.alerts.alerts())) == 1
    made.later(2 * HOUR)
    assert made.commerce.alerting.forget_old() == 1
    assert list(made.commerce.alerts.alerts()) == []


def test_a_channel_with_quiet_hours_is_added_once_under_a_key(made: Receivers):
    quiet = QuietHours("22:00", "07:00", "Europe/Berlin")
    alerts = made.commerce.alerts
    first = alerts.add(recipients=OPS, quiet_hours=quiet, key="k1")
    again = alerts.add(recipients=OPS, quiet_hours=quiet, key="k1")
    assert again.channel == first.channel
    with pytest.raises(Conflict):
        alerts.add(recipients=OPS, quiet_hours=QuietHours("23:00", "07:00"), key="k1")
