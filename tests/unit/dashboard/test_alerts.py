"""Pages of alerts: channels are added, changed, tested, paused and removed; the log of alerts."""

from collections.abc import Iterator

import pytest
from attrs import evolve
from litestar.testing import TestClient

from adapters.memory.mail import MemoryMail
from adapters.memory.vault import MemoryVault
from adapters.memory.web import MemoryWeb
from commerce_core.alerts.channel import Channel, QuietHours
from commerce_core.commerce import Commerce
from entrypoints.compose import open_platform
from entrypoints.dashboard.routes import routes
from tests.support.applications import application
from tests.support.browsing import Visitor, found
from tests.unit.dashboard.conftest import SETTINGS, Site


@pytest.fixture
def site() -> Iterator[Site]:
    """A platform with a mail server, where every address can be called."""
    with open_platform(SETTINGS) as platform:
        web = MemoryWeb({"chat.example": ["1.1.1.1"]}, lambda _: (204, {}, b""))
        changes = {"mail": MemoryMail(), "web": web, "vault": MemoryVault()}
        commerce = Commerce(evolve(platform.context, **changes))
        commerce.partners.add("Acme", currency="EUR")
        with application(commerce, SETTINGS, routes) as app, TestClient(app) as client:
            yield Site(commerce, client)


def once(visitor: Visitor) -> str:
    """What makes the form of the page another one."""
    forms = found(visitor.get("/alert-channels")).forms
    return next(f for f in forms if f.action == "/alert-channels").fields["once"]


def only(site: Site) -> Channel:
    (channel,) = site.commerce.alerts.list()
    return channel


ADDED = {
    "recipients": "ops@example.com\r\nlead@example.com", "severities.critical": "true",
    "kinds.failed": "true", "quiet_start": "22:00", "quiet_end": "07:00",
    "quiet_zone": "Europe/Berlin", "digest_minutes": "30", "description": "Night shift",
}  # fmt: skip


def test_a_channel_is_added_changed_tested_paused_and_removed(site: Site):
    visitor = site.visitor()
    added = visitor.send("/alert-channels", once=once(visitor), **ADDED)
    channel, path = only(site), added.headers["location"]
    assert path == f"/alert-channels/{channel.channel_id}"
    assert channel.recipients == ("ops@example.com", "lead@example.com")
    assert (channel.severities, channel.kinds) == (("critical",), ("failed",))
    assert channel.quiet_hours == QuietHours("22:00", "07:00", "Europe/Berlin")
    visitor.send(path, recipients="ops@example.com", digest_minutes="60")
    changed = only(site)
    assert (changed.recipients, changed.quiet_hours) == (("ops@example.com",), None)
    assert (changed.severities, changed.kinds) == (("critical", "warning", "info"), ())
    assert not changed.description
    visitor.send(f"{path}/test")
    assert "A sample was sent." in visitor.get(path).text
    mail = site.commerce.context.mail
    assert isinstance(mail, MemoryMail)
    assert len(mail.letters) == 1
    visitor.send(f"{path}/status", status="paused")
    assert only(site).status == "paused"
    visitor.send(f"{path}/remove")
    assert [*site.commerce.alerts.list()] == []
    assert "Change it" not in visitor.get(path).text


def test_the_secret_of_a_webhook_is_shown_once_however_often_the_form_is_sent(site: Site):
    visitor = site.visitor()
    form = {"once": once(visitor), "url": "https://chat.example/hook"}
    shown = visitor.send("/alert-channels", **form)
    assert "whsec_" in shown.text
    again = visitor.send("/alert-channels", **form)
    path = f"/alert-channels/{only(site).channel_id}"
    assert again.headers["location"] == path
    for page in (path, "/alert-channels", "/alerts"):
        assert "whsec_" not in visitor.get(page).text


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"recipients": "nobody"},
        {"recipients": "a@example.com", "url": "https://chat.example/"},
        {"url": "http://127.0.0.1/"},
        {"recipients": "a@example.com", "quiet_start": "22:00"},
        {"recipients": "a@example.com", "digest_minutes": "1"},
        {"recipients": "a@example.com", "description": "x" * 10_000},
    ],
)
def test_what_cant_be_a_channel_is_refused(site: Site, wrong: dict[str, str]):
    visitor = site.visitor()
    assert visitor.send("/alert-channels", once=once(visitor), **wrong).status_code == 422
    assert [*site.commerce.alerts.list()] == []


def test_the_log_names_the_cause_and_leads_to_its_page(full: Site):
    operator, acme = full.visitor(), full.visitor("Acme", "alerts:read", "feeds:read")
    alerts = [*full.commerce.alerts.alerts()]
    assert len(alerts) == 2
    for alert in alerts:
        assert f"/{alert.entries[0].subject}" in operator.get("/alerts").text
    assert "Zebra" not in acme.get("/alerts").text
    assert "Add a channel" not in acme.get("/alert-channels").text
    assert acme.send("/alert-channels", once="x", url="https://a.example/").status_code == 403
    assert operator.get("/alerts?status=failed").text.count("data-row") == 0
