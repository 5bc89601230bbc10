"""The dashboard on a platform in memory: two partners, held feeds, problems, orders, a rule."""

import io
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from attrs import define, evolve
from litestar.testing import TestClient

from commerce_core.commerce import Commerce
from entrypoints.compose import open_platform
from entrypoints.dashboard.routes import routes
from entrypoints.settings import Settings
from tests.support.applications import application, shared_examiners
from tests.support.browsing import Visitor
from tests.support.calls import alerted_channel, disabled_webhook, waiting_fetch

HEADER = "sku,product_name,price,currency,quantity,brand,category\n"
SETTINGS = Settings(database_url="memory:", most_upload_bytes=200_000)


def products(count: int, prefix: str = "A", price: str = "10", brand: str = "Brass") -> bytes:
    rows = (
        f"{prefix}-{n},{prefix} Lamp {n},{price},EUR,5,{brand},Light > Desk\n" for n in range(count)
    )
    return (HEADER + "".join(rows)).encode()


@define
class Site:
    """A platform, and what is on it."""

    commerce: Commerce
    client: TestClient[Any]

    def load(self, content: bytes, partner: str = "Acme", mode: Any = "full") -> str:  # noqa: ANN401 - a mode
        file = io.BytesIO(content)
        return self.commerce.feeds.load(file, partner=partner, mode=mode).feed_id

    def visitor(self, partner: str | None = None, *scopes: str) -> Visitor:
        """Someone who is signed in, with cookies of their own."""
        visitor = Visitor(TestClient(self.client.app, raise_server_exceptions=False))
        visitor.client.follow_redirects = False
        secret = self.commerce.keys.add(partner=partner, scopes=list(scopes) or None).secret
        assert secret
        assert visitor.sign_in(secret).status_code == 303
        return visitor

    def stranger(self) -> Visitor:
        """Someone who isn't."""
        visitor = Visitor(TestClient(self.client.app, raise_server_exceptions=False))
        visitor.client.follow_redirects = False
        return visitor


@contextmanager
def opened(settings: Settings) -> Generator[Site]:
    """An empty platform with one partner."""
    with (
        open_platform(settings) as commerce,
        application(commerce, settings, routes) as app,
        TestClient(app) as client,
    ):
        commerce.partners.add("Acme", currency="EUR")
        yield Site(commerce, client)


@pytest.fixture(scope="session", autouse=True)
def examiners() -> Generator[None]:
    with shared_examiners():
        yield


@pytest.fixture
def site() -> Iterator[Site]:
    with opened(SETTINGS) as site:
        yield site


def fill(site: Site, partner: str, prefix: str) -> str:
    """A partner's usual life; returns the id of its held feed."""
    site.load(products(120, prefix), partner)
    dirty = products(10, prefix, "12") + b"".join(
        b'%s-9%d,Chair,"4,2%d",EUR,1,,\n' % (prefix.encode(), n, n) for n in range(9)
    )
    site.load(dirty, partner, "delta")
    site.load(b"<html><body>Log in</body></html>", partner)
    held = site.load(products(12, prefix), partner)
    lamp = site.commerce.products.get(partner=partner, sku=f"{prefix}-1").product_id
    chair = site.commerce.products.get(partner=partner, sku=f"{prefix}-2").product_id
    site.commerce.orders.place([(lamp, 2), (chair, 1)], reference=f"{prefix}-order")
    return held


@pytest.fixture
def full(site: Site) -> Site:
    """A platform with two partners at work."""
    site.commerce.partners.add("Zebra Secrets", currency="EUR")
    site.commerce.pricing.add({"name": "Spring", "benefit": {"percent": "10"}})
    for partner, prefix in (("Acme", "ACM"), ("Zebra Secrets", "ZEB")):
        fill(site, partner, prefix)
        disabled_webhook(site.commerce, partner)
        alerted_channel(site.commerce, partner)
        (source, *_) = site.commerce.sources.of(site.commerce.partners.get(partner).partner_id)
        waiting_fetch(site.commerce, source.source_id, source.partner_id)
    site.commerce.saved_views.add("feeds", "Held", {"status": "held"})
    month_end = site.commerce.context.clock() + timedelta(days=40)
    Commerce(evolve(site.commerce.context, clock=lambda: month_end)).statements.close()
    return site
