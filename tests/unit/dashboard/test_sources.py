"""Pages of sources: how files come, the next times, and what became of each fetch."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from attrs import evolve
from litestar.testing import TestClient

from adapters.memory.fetcher import MemoryFetcher
from adapters.memory.vault import MemoryVault
from adapters.memory.web import MemoryWeb
from commerce_core.commerce import Commerce
from commerce_core.feeds.freshness_settings import Expected
from commerce_core.work.task import Task
from entrypoints.compose import open_platform
from entrypoints.dashboard.routes import routes
from tests.support.applications import application
from tests.support.browsing import Visitor, found
from tests.unit.dashboard.conftest import SETTINGS, Site, products

SECRET = "never shown 0815"


@pytest.fixture
def web() -> MemoryWeb:
    """The server of a partner, which answers with a feed."""
    hosts = {"partner.example": ["1.1.1.1"], "s3.example": ["1.1.1.1"]}
    return MemoryWeb(hosts, lambda _: (200, {}, products(3)))


@pytest.fixture
def site(web: MemoryWeb) -> Iterator[Site]:
    """A platform whose one source is fetched at half past six."""
    with open_platform(SETTINGS) as platform:
        others = MemoryFetcher(web.hosts)
        context = evolve(platform.context, web=web, sftp=others, s3=others, vault=MemoryVault())
        commerce = Commerce(context)
        commerce.partners.add("Acme", currency="EUR")
        commerce.pulls.set(
            "main", "https://partner.example/feed.csv", partner="Acme", username="shop",
            secret=SECRET, cron="30 6 * * *", time_zone="Europe/Berlin",
        )  # fmt: skip
        with application(commerce, SETTINGS, routes) as app, TestClient(app) as client:
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
    with application(commerce, SETTINGS, routes) as app, TestClient(app) as client:
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


def settings_form(visitor: Visitor, path: str, kind: str = "") -> dict[str, str]:
    page = found(visitor.get(f"{path}/pull" + (f"?kind={kind}" if kind else "")))
    fields = next(f for f in page.forms if f.action == f"{path}/pull" and f.method == "post").fields
    return {name: value for name, value in fields.items() if name != "form_token"}


class TestSettings:
    def test_the_form_has_all_but_the_secret_which_stays_when_left_blank(self, site: Site):
        visitor, path = site.visitor(), path_of(site)
        assert SECRET not in visitor.get(f"{path}/pull").text
        form = settings_form(visitor, path)
        assert (form["username"], form["cron"], form["secret"]) == ("shop", "30 6 * * *", "")
        del form["forget_secret"]  # A box that isn't ticked isn't sent.
        before = site.commerce.pulls.get("main", partner="Acme")
        saved = visitor.send(f"{path}/pull", **{**form, "cron": "0 7 * * *"})
        assert saved.headers["location"] == path
        after = site.commerce.pulls.get("main", partner="Acme")
        assert (after.cron, after.sealed) == ("0 7 * * *", before.sealed)
        visitor.send(f"{path}/pull", **form, forget_secret="true")
        assert not site.commerce.pulls.get("main", partner="Acme").has_secret

    def test_each_kind_of_server_is_set_up_by_its_own_fields(self, site: Site):
        visitor, path = site.visitor(), path_of(site)
        key = "SHA256:" + "A" * 43
        assert "host_key" not in settings_form(visitor, path, "s3")
        sftp = {
            **dict.fromkeys(settings_form(visitor, path, "sftp"), ""),
            "url": "sftp://partner.example/out/", "host_key": f"{key}\r\n", "username": "shop",
            "secret": "-----BEGIN KEY-----\r\nabc\r\n", "pattern": "*.csv", "time_zone": "UTC",
        }  # fmt: skip
        assert visitor.send(f"{path}/pull", **sftp).status_code == 303
        pull = site.commerce.pulls.get("main", partner="Acme")
        assert (pull.kind, pull.host_key, pull.pattern) == ("sftp", key, "*.csv")
        assert key in visitor.get(f"{path}/pull").text
        s3 = {
            "url": "s3://bucket/prefix", "endpoint": "https://s3.example", "region": "eu-central-1",
            "username": "AKIA", "secret": "x",
        }  # fmt: skip
        assert visitor.send(f"{path}/pull", **s3).status_code == 303
        pull = site.commerce.pulls.get("main", partner="Acme")
        assert (pull.kind, pull.region, pull.endpoint) == ("s3", "eu-central-1", s3["endpoint"])
        visitor.send(f"{path}/pull/remove")
        assert "Fetch it from a server" in visitor.get(path).text

    @pytest.mark.parametrize(
        "wrong",
        [
            {"url": "https://127.0.0.1/feed.csv"},
            {"url": "ftp://partner.example/"},
            {"cron": "often"},
            {"time_zone": "Moon/Base"},
            {"time_zone": "Moon/Base", "cron": "0 7 * * *"},
            {"pattern": "*.csv"},
            {"username": "x" * 10_000},
            {"secret": "x" * 100_000},
        ],
    )
    def test_what_cant_be_used_is_refused_and_nothing_is_changed(
        self, site: Site, wrong: dict[str, str]
    ):
        visitor, path = site.visitor(), path_of(site)
        before = site.commerce.pulls.get("main", partner="Acme")
        form = {"url": "https://partner.example/feed.csv", **wrong}
        answer = visitor.send(f"{path}/pull", **form)
        assert answer.status_code == 422
        assert 'role="alert"' in answer.text
        assert site.commerce.pulls.get("main", partner="Acme") == before

    def test_settings_need_the_scope_to_send_feeds(self, site: Site):
        reader = site.visitor("Acme", "feeds:read")
        for act in ("pull", "pull/remove", "test"):
            sent = reader.send(f"{path_of(site)}/{act}", url="https://partner.example/")
            assert sent.status_code == 403, act
        assert reader.get(f"{path_of(site)}/pull").status_code == 403


class TestRehearsal:
    def test_shows_what_would_be_taken_and_what_doctor_says_and_keeps_nothing(self, site: Site):
        visitor, path = site.visitor(), path_of(site)
        shown = visitor.send(f"{path}/test")
        assert shown.status_code == 200
        assert "It would take 1 file now." in shown.text
        assert "What doctor says" in shown.text
        assert "3 of 3" in shown.text
        assert [*site.commerce.feeds.list()] == []
        assert [*site.commerce.pulls.fetches()] == []
        assert SECRET not in shown.text

    def test_a_server_that_refuses_is_shown_with_the_reason(self, site: Site, web: MemoryWeb):
        web.answer = lambda _: (403, {}, b"no")
        shown = site.visitor().send(f"{path_of(site)}/test")
        assert shown.status_code == 200
        assert "It would fail" in shown.text

    def test_a_source_that_is_uploaded_has_nothing_to_test(self, site: Site):
        visitor, path = site.visitor(), path_of(site)
        visitor.send(f"{path}/pull/remove")
        assert visitor.send(f"{path}/test").status_code == 404


def test_the_scorecard_of_a_partner_has_its_weeks_and_sums(site: Site):
    site.load(products(3))
    site.load(products(3))
    partner = site.commerce.partners.get("Acme")
    path = f"/partners/{partner.partner_id}/scorecard"
    assert path in site.visitor().get(f"/partners/{partner.partner_id}").text
    shown = site.visitor("Acme").get(f"{path}?weeks=13").text
    assert shown.count("data-row") == 1
    later = site.commerce.context.clock() + timedelta(days=70)
    commerce = Commerce(evolve(site.commerce.context, clock=lambda: later))
    card = commerce.freshness.scorecard("Acme", weeks=13)
    assert len(card.results) == 11
    assert "never came" in shown
    assert site.visitor().get(f"{path}?weeks=14").status_code == 400
    other = site.commerce.partners.add("Birch")
    assert site.visitor("Acme").get(f"/partners/{other.partner_id}/scorecard").status_code == 404


@pytest.fixture
def folder(site: Site) -> MemoryFetcher:
    """An SFTP server with a folder of three past files, from which the source is fetched."""
    server = site.commerce.context.sftp
    assert isinstance(server, MemoryFetcher)
    key = "SHA256:" + "A" * 43
    server.keys, server.users["shop"] = frozenset({key}), SECRET
    site.commerce.sources.change("main", partner="Acme", mode="full")
    for month in (1, 2, 3):
        at = datetime(2026, month, 1, tzinfo=UTC)
        server.put(f"/out/stock-{month}.csv", products(month), at)
    site.commerce.pulls.set(
        "main", "sftp://partner.example/out/", partner="Acme", username="shop", secret=SECRET,
        host_key=key,
    )  # fmt: skip
    return server


@pytest.mark.usefixtures("folder")
class TestBackfills:
    def test_the_plan_shows_each_file_and_keeps_nothing(self, site: Site):
        visitor, path = site.visitor(), path_of(site)
        assert f'href="{path}/backfill"' in visitor.get(path).text
        assert "stock-1.csv" not in visitor.get(f"{path}/backfill").text
        shown = visitor.send(f"{path}/backfill/plan", snapshot_from="2026-02-01").text
        assert "Load 2 files" in shown
        assert shown.index("/out/stock-2.csv") < shown.index("/out/stock-3.csv")
        assert "a newer full file replaces it" in shown
        assert "before the beginning of the range" in shown
        assert 'name="snapshot_from" value="2026-02-01"' in shown
        assert [*site.commerce.pulls.fetches()] == []

    def test_what_the_plan_shows_is_loaded_and_the_page_follows(self, site: Site):
        visitor, path = site.visitor(), path_of(site)
        begun = visitor.send(f"{path}/backfill", snapshot_from="2026-02-01")
        (fetch,) = site.commerce.pulls.fetches()
        there = f"/fetches/{fetch.fetch_id}"
        assert begun.headers["location"] == there
        assert f'hx-sse:connect="{there}/live"' in visitor.get(there).text
        assert "from 2026-02-01 00:00 UTC" in visitor.get(there).text
        assert visitor.send(f"{path}/backfill").status_code == 409
        ended = evolve(
            fetch, outcome="fetched", feeds=2, refused=1, bytes=1_500, tries=1,
            finished_at=site.commerce.context.clock(),
        )  # fmt: skip
        with site.commerce.context.store.begin() as unit:
            unit.fetches.finish(ended)
        done = visitor.get(there).text
        assert "hx-sse:connect" not in done
        assert "<b>2</b><span>feeds made</span>" in done
        assert there in visitor.get(path).text

    def test_it_is_cancelled_once(self, site: Site):
        visitor, path = site.visitor(), path_of(site)
        there = visitor.send(f"{path}/backfill").headers["location"]
        assert visitor.send(f"{there}/cancel").headers["location"] == there
        assert "cancelled" in visitor.get(there).text
        assert visitor.send(f"{there}/cancel").status_code == 409

    def test_a_server_that_refuses_is_shown_with_the_reason(
        self, site: Site, folder: MemoryFetcher
    ):
        folder.users.clear()
        refused = site.visitor().send(f"{path_of(site)}/backfill/plan")
        assert refused.status_code == 409
        assert "can&#39;t be listed" in refused.text

    def test_only_those_who_send_feeds_load_past_ones(self, site: Site):
        reader, path = site.visitor("Acme", "feeds:read"), path_of(site)
        assert reader.get(f"{path}/backfill").status_code == 403
        for act in ("backfill", "backfill/plan"):
            assert reader.send(f"{path}/{act}").status_code == 403


def test_a_source_of_a_web_server_has_no_past_files(site: Site):
    visitor, path = site.visitor(), path_of(site)
    assert "Load past files" not in visitor.get(path).text
    assert "Nothing to load from" in visitor.get(f"{path}/backfill").text
    assert visitor.send(f"{path}/backfill/plan").status_code == 422
