"""Pages of sources: how files come, the next times, and what became of each fetch."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from attrs import evolve
from litestar.testing import TestClient

from adapters.memory.vault import MemoryVault
from adapters.memory.web import MemoryWeb
from commerce_core.commerce import Commerce
from commerce_core.feeds.freshness_settings import Expected
from commerce_core.work.task import Task
from entrypoints.compose import open_platform
from entrypoints.dashboard.routes import routes
from entrypoints.http.app import create_app
from tests.unit.dashboard.conftest import SETTINGS, Site, products

SECRET = "never shown 0815"


@pytest.fixture
def web() -> MemoryWeb:
    """The server of a partner, which answers with a feed."""
    hosts = {"partner.example": ["1.1.1.1"]}
    return MemoryWeb(hosts, lambda _: (200, {}, products(3)))


@pytest.fixture
def site(web: MemoryWeb) -> Iterator[Site]:
    """A platform whose one source is fetched at half past six."""
    with open_platform(SETTINGS) as platform:
        commerce = Commerce(evolve(platform.context, web=web, vault=MemoryVault()))
        commerce.partners.add("Acme", currency="EUR")
        commerce.pulls.set(
            "main", "https://partner.example/feed.csv", partner="Acme", username="shop",
            secret=SECRET, cron="30 6 * * *", time_zone="Europe/Berlin",
        )  # fmt: skip
        app = create_app(commerce, SETTINGS, home=routes(SETTINGS))
        with TestClient(app) as client:
            yield Site(commerce, client)


def path_of(site: Site) -> str:
    (source,) = site.commerce.sources.of(site.commerce.partners.get("Acme").partner_id)
    return f"/sources/{source.source_id}"


def work(site: Site) -> None:
    while isinstance(task := site.commerce.queue.claim("fetches"), Task):
        site.commerce.queue.perform(task)


def test_the_settings_stand_there_without_the_secret(site: Site):
    text = site.visitor().get(path_of(site)).text
    assert "https://partner.example/feed.csv" in text
    assert "30 6 * * *" in text
    assert "Europe/Berlin" in text
    assert SECRET not in text


def test_the_next_five_times_stand_there(site: Site):
    pull = site.commerce.pulls.get("main", partner="Acme")
    text = site.visitor().get(path_of(site)).text
    assert len(pull.next_at) == 5
    for at in pull.next_at:
        assert f"<li>{at:%Y-%m-%d %H:%M} UTC" in text


def test_a_source_is_fetched_now_and_its_page_follows(site: Site):
    visitor, path = site.visitor(), path_of(site)
    assert "Nothing was fetched yet" in visitor.get(path).text
    assert visitor.send(f"{path}/fetch").headers["location"] == path
    assert f'hx-sse:connect="{path}/live"' in visitor.get(path).text
    assert visitor.send(f"{path}/fetch").status_code == 409
    work(site)
    done = visitor.get(path).text
    assert "hx-sse:connect" not in done
    (feed,) = site.commerce.feeds.list()
    assert f'href="/feeds/{feed.feed_id}"' in done


def test_a_fetch_that_failed_shows_why(site: Site, web: MemoryWeb):
    web.answer = lambda _: (401, {}, b"")
    site.commerce.pulls.fetch("main", partner="Acme")
    work(site)
    (fetch,) = site.commerce.pulls.fetches()
    assert fetch.error
    assert fetch.error.code.replace("_", " ") in site.visitor().get(path_of(site)).text


def test_a_partner_neither_sees_nor_fetches_what_is_anothers(site: Site):
    site.commerce.partners.add("Birch")
    other, path = site.visitor("Birch"), path_of(site)
    assert other.get(path).status_code == 404
    assert other.get(f"{path}/live").status_code == 404
    assert other.send(f"{path}/fetch").status_code == 404


@pytest.fixture
def two_days_later(site: Site) -> Iterator[Site]:
    """The same platform, whose source was to send a file each day and has sent none since."""
    site.load(products(3))
    site.commerce.sources.change(
        "main", partner="Acme", expected=Expected(every=timedelta(days=1)),
        stop_selling_after=timedelta(days=3),
    )  # fmt: skip
    then = site.commerce.context.clock() + timedelta(days=2)
    commerce = Commerce(evolve(site.commerce.context, clock=lambda: then))
    with TestClient(create_app(commerce, SETTINGS, home=routes(SETTINGS))) as client:
        yield Site(commerce, client)


@pytest.mark.parametrize("page", ["/sources", "/partners", "partner"])
def test_who_is_late_is_seen_at_a_glance(two_days_later: Site, page: str):
    acme = two_days_later.commerce.partners.get("Acme").partner_id
    path = f"/partners/{acme}" if page == "partner" else page
    assert '<span class="badge warn">' in two_days_later.visitor().get(path).text
    assert "late" in two_days_later.visitor().get(path).text


def test_a_late_source_shows_what_was_due_and_what_follows(two_days_later: Site):
    text = two_days_later.visitor().get(path_of(two_days_later)).text
    assert "It is <b>late</b> since" in text
    assert "what was declared" in text
    assert "are no longer sold once the last fresh file is 3 days old" in text


def test_a_source_of_which_nothing_is_expected_shows_so(site: Site):
    site.commerce.pulls.remove("main", partner="Acme")
    assert "nothing is expected" in site.visitor().get("/sources").text
    assert "When files are expected" not in site.visitor().get(path_of(site)).text
