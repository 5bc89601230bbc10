"""People do their work in a browser: with and without script, by keys alone, on small screens."""

import io
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from litestar import Response

from commerce_core.activity.inbox import InboxQuery
from commerce_core.analytics.reports import PartnerSales
from commerce_core.feeds.bulk_act import FeedGroup
from entrypoints.cli.demo.weeks import past
from entrypoints.dashboard.kit.rendering import View
from entrypoints.dashboard.routes import routes
from entrypoints.settings import Settings
from tests.e2e.dashboard.conftest import Person, Site
from tests.support.calls import alerted_channel, disabled_webhook, waiting_fetch

Visit = Callable[..., Person]
pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
WIDTHS = (320, 768, 1280)
MOST_CLICKS = 3
NUMBERS = count(1)
"""What makes names different in each run of the story."""


def held_feed(site: Site, partner: str) -> str:
    """A held feed of a new partner's, for one test to decide about."""
    commerce = site.commerce
    commerce.partners.add(partner, currency="EUR")
    for size in (120, 12):
        rows = "".join(f"K-{n},Kettle {n},10.00,EUR,500\n" for n in range(size))
        file = io.BytesIO(f"sku,product_name,price,currency,quantity\n{rows}".encode())
        name = f"{partner.lower()}-{size}.csv"
        job = commerce.feeds.load(file, partner=partner, mode="full", file_name=name)
    assert job.status == "held"
    return job.feed_id


@pytest.fixture(autouse=True)
def inbox_as_before(site: Site) -> Iterator[None]:
    """Reopens what a test has acknowledged, for those that come after it."""
    yield
    for item in site.commerce.inbox.get(InboxQuery("acknowledged")).items:
        site.commerce.inbox.mark(item.cause_id, acknowledged=False)


def order_of_two(site: Site) -> str:
    """A new order with a part of each of two partners."""
    products = [next(site.commerce.products.list(partner=p)) for p in ("Kettle", "Pot")]
    wanted = [(product.product_id, 2) for product in products]
    return site.commerce.orders.place(wanted, reference="two-parts").order_id


@pytest.fixture(scope="module", autouse=True)
def paths(site: Site) -> dict[str, str]:
    """Every kind of page, and one of each thing, which no test decides on."""
    c = site.commerce
    held = held_feed(site, "Kettle")
    held_feed(site, "Pot")
    order = order_of_two(site)
    item = c.orders.get(order).items[0].item_id
    c.orders.fulfil(order, {item: 1})
    c.orders.refund(order, {item: 1}, reason="Broken")
    c.saved_views.add("feeds", "Held, \u2067right to left\u2069", {"status": "held"})
    plan = c.bulk_acts.plan(FeedGroup("process_again"))
    bulk = c.bulk_acts.start(plan.group, count=plan.count)
    dirty = next(f for f in c.feeds.list(partner="Hopfenhaus")).feed_id
    applied = next(f for f in c.feeds.list(partner="Voltline") if f.status == "applied").feed_id
    source = next(c.sources.list())
    failed = disabled_webhook(c, "Kettle")
    return {
        "inbox": "/",
        "feeds": "/feeds",
        "held": f"/feeds/{held}",
        "dirty": f"/feeds/{dirty}",
        "revert": f"/feeds/{applied}/revert",
        "upload": "/upload",
        "jobs": "/jobs",
        "job": f"/jobs/{next(c.jobs.list()).job_id}",
        "products": "/products",
        "product": f"/products/{next(c.products.list(partner='Voltline')).product_id}",
        "orders": "/orders",
        "order": f"/orders/{order}",
        "refund": f"/orders/{order}/refund",
        "fulfilment": f"/orders/{order}/fulfil",
        "failures": "/failures",
        "bulk plan": "/bulk-acts/new?kind=approve",
        "bulk act": f"/bulk-acts/{bulk.bulk_id}",
        "bulk acts": "/bulk-acts",
        "partners": "/partners",
        "partner": f"/partners/{c.partners.get('Voltline').partner_id}",
        "sources": "/sources",
        "source": f"/sources/{source.source_id}",
        "rules": "/rules?lint=true",
        "rule": f"/rules/{c.pricing.get('Vinyl days').rule_id}",
        "analytics": "/analytics?compare=dates",
        "best sellers": "/analytics/top",
        "hours": "/analytics/hours",
        "refunds": "/analytics/refunds",
        "rule costs": "/analytics/rules",
        "statements": "/statements",
        "webhooks": "/webhooks",
        "alert channels": "/alert-channels",
        "alerts": "/alerts",
        "saved views": "/views",
        "source settings": f"/sources/{source.source_id}/pull?kind=sftp",
        "past files": f"/sources/{source.source_id}/backfill",
        "statement": f"/statements/{next(c.statements.list()).statement_id}",
        "scorecard": f"/partners/{c.partners.get('Voltline').partner_id}/scorecard?weeks=13",
        "confirmation": f"/orders/{order}/confirm",
        "cancellation": f"/orders/{order}/cancel",
        "fetch": f"/fetches/{waiting_fetch(c, source.source_id, source.partner_id).fetch_id}",
        "webhook": f"/webhooks/{failed.webhook.webhook_id}",
        "delivery": f"/deliveries/{failed.delivery.delivery_id}",
        "alert channel": f"/alert-channels/{alerted_channel(c, 'Kettle').channel_id}",
        "system": "/system",
        "components": "/kit",
        "help": "/help",
    }


def test_every_page_is_visited(paths: dict[str, str]):
    """So that a new one is as accessible, and as narrow, as the others."""
    pages = {
        path
        for handler in routes(Settings())
        if (page := handler.opt.get("page")) and not page.is_act
        if page.hints["return"] in (View, View | Response[Any])
        for path in handler.paths
    }
    visited = [path.partition("?")[0] for path in ("/sign-in", *paths.values())]
    alike = {page: re.compile(re.sub(r"\{[^}]+\}", "[^/]+", page)) for page in pages}
    assert {page for page, one in alike.items() if not any(map(one.fullmatch, visited))} == set()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_accessible(visit: Visit, paths: dict[str, str], scheme: str):
    """axe finds nothing on any page; in the dark, only colours differ."""
    person, axe = visit(scheme=scheme), Axe()
    rules = {"runOnly": ["color-contrast"]} if scheme == "dark" else None
    person.open("/sign-in")
    found = {"sign-in": axe.run(person.page, options=rules).response["violations"]}
    person.sign_in()
    for name, path in paths.items():
        person.open(path)
        person.page.evaluate("document.querySelectorAll('details').forEach((d) => d.open = true)")
        found[name] = axe.run(person.page, options=rules).response["violations"]
    faults = {
        (name, fault["id"], node["html"][:200], node.get("failureSummary", "")[:200])
        for name, violations in found.items()
        for fault in violations
        for node in fault["nodes"]
    }
    assert faults == set()


@pytest.mark.parametrize("width", WIDTHS)
def test_no_page_is_wider_than_the_screen(visit: Visit, paths: dict[str, str], width: int):
    person = visit(width=width).sign_in()
    wide = {}
    for name, path in paths.items():
        person.open(path)
        if person.overflow() > 0:
            wide[name] = person.overflow()
    assert wide == {}


class TestTriage:
    """Five questions of a morning, each answered within three clicks."""

    def test_why_was_this_feed_rejected(self, person: Person):
        person.click("link", re.compile("2 feeds failed: html"))
        assert "The file is an HTML page" in person.page.get_by_role("alert").inner_text()
        assert person.clicks <= MOST_CLICKS

    def test_approve_the_held_one(self, person: Person, site: Site):
        feed_id = held_feed(site, "Ladle")
        person.open("/")
        person.click("link", re.compile("^ladle-12.csv is held"))
        person.click("button", re.compile("^Approve without"))
        assert "Approved" in person.page.get_by_role("status").inner_text()
        assert person.clicks <= MOST_CLICKS
        assert site.commerce.feeds.get(feed_id).status == "applied"

    def test_who_sold_most_last_week(self, person: Person, site: Site):
        person.click("link", "Analytics")
        person.click("link", "7 days")
        first = person.page.locator("section.card").first.locator("tr[data-row]").first
        rows = site.commerce.analytics.sales_by_partner(currency="EUR").results
        best = max((r for r in rows if isinstance(r, PartnerSales)), key=lambda r: r.total_sales)
        assert best.partner_name in first.inner_text()
        assert person.clicks <= MOST_CLICKS

    def test_where_does_this_price_come_from(self, person: Person):
        person.click("link", "Catalog")
        person.page.keyboard.press("/")
        person.page.keyboard.type("PH-1343")
        person.page.keyboard.press("Enter")
        person.page.wait_for_url(re.compile("q=PH-1343"))
        person.click("link", "PH-1343")
        origin = person.page.locator("#origin")
        price = origin.get_by_role("row", name=re.compile("^price ")).first
        assert price.locator("mark").inner_text() in origin.locator("code.raw").first.inner_text()
        assert person.clicks <= MOST_CLICKS

    def test_undo_yesterdays_feed(self, person: Person, site: Site):
        person.click("link", "Feeds")
        person.click("link", re.compile("^Revert … voltline-changes-01.csv"))
        person.click("button", re.compile("^Revert: change"))
        person.page.get_by_text("completed").first.wait_for()
        assert person.clicks <= MOST_CLICKS


def story(person: Person, folder: Path) -> None:
    """Looks at a dirty file, reads its problems, sends it mended, and finds it applied."""
    number = next(NUMBERS)
    dirty, clean = folder / f"dirty-{number}.csv", folder / f"clean-{number}.csv"
    rows = "".join(f'NEW-{number}-{n},New {n},"4,2{n}",EUR,3\n' for n in range(3))
    dirty.write_text("sku,product_name,price,currency,quantity\n" + rows)
    clean.write_text(dirty.read_text().replace('"4,2', "4.2").replace('"', ""))
    for file, button in ((dirty, "Look at it first"), (clean, "Send it")):
        person.open("/upload")
        person.page.set_input_files("input[type=file]", file)
        person.choose("partner", "Longstride")
        person.choose("mode", "delta")
        person.click("button", button)
        if file == dirty:
            assert person.page.get_by_text("not a number").count() >= 3
            assert "would change" in person.page.content()
    assert "Received" in person.page.get_by_role("status").inner_text()
    applied(person)


def applied(person: Person) -> None:
    """Reloads as the page does without script, until the worker has applied the feed."""
    badge = person.page.locator("h1 + p .badge")
    for _ in range(200):
        if badge.inner_text() == "applied":
            return
        person.page.wait_for_timeout(100)
        person.page.reload()
    raise AssertionError("the feed was never applied")


def test_marks_without_script(visit: Visit):
    person = visit(script=False).sign_in()
    person.click("button", re.compile("^Acknowledge 3 products"))
    assert "Now acknowledged" in person.page.get_by_role("status").inner_text()
    person.open("/?state=acknowledged")
    person.click("button", re.compile("^Reopen 3 products"))


@pytest.mark.parametrize(
    "way",
    [
        {},
        {"keys_alone": True},
        {"script": False},
        {"script": False, "keys_alone": True},
        {"width": 320},
        {"scheme": "dark"},
    ],
    ids=str,
)
def test_the_whole_story_of_a_month(
    visit: Visit, site: Site, tmp_path: Path, way: dict[str, bool | int | str]
):
    """A dirty file, its problems, the mended one, a held one, its revert, a refund, a statement."""
    person = visit(**way).sign_in()
    story(person, tmp_path)
    name = f"Whisk {next(NUMBERS)}"
    feed_id = held_feed(site, name)
    person.open(f"/feeds/{feed_id}")
    person.click("button", re.compile("^Approve: change"))
    assert "Approved" in person.page.get_by_role("status").inner_text()
    person.click("link", re.compile("^Revert"))
    person.click("button", re.compile("^Revert: change 108 products"))
    finished(person)
    refunded(person, order_of_two(site))
    closed(person, site)
    assert person.overflow() <= 0


def finished(person: Person) -> None:
    """Reloads as the page does without script, until the job has completed."""
    for _ in range(200):
        if person.page.get_by_text("completed").count():
            return
        person.page.wait_for_timeout(100)
        person.page.reload()
    raise AssertionError("the job never completed")


def month_of_sales(site: Site, partner: str) -> None:
    """A new partner that sold two pieces for 10.00 the month before last, and sent them."""
    begun = past(site.commerce, site.commerce.context.clock() - timedelta(days=62))
    begun.partners.add(partner, currency="EUR")
    rows = b"sku,product_name,price,currency,quantity\nS-1,Sieve,10.00,EUR,9\n"
    begun.feeds.load(io.BytesIO(rows), partner=partner)
    product = begun.products.get(partner=partner, sku="S-1")
    order = begun.orders.place([(product.product_id, 2)], reference=f"{partner}-1")
    begun.orders.fulfil(order.order_id)


def closed(person: Person, site: Site) -> None:
    """Closes a month that is over, and reads its sum down to the entry."""
    partner = f"Sieve {next(NUMBERS)}"
    month_of_sales(site, partner)
    person.click("link", "Statements")
    person.click("button", "Close those that are over")
    said = re.search(r"([\d,]+) statements closed", person.page.get_by_role("status").inner_text())
    assert said
    assert int(said[1]) >= 1
    first, *_ = site.commerce.statements.list(partner=partner)
    person.open(f"/statements?partner_name={partner}")
    person.click("link", re.compile(f"^{partner} EUR 1$"))
    main = person.page.locator("main")
    assert (
        main.locator(".tiles > div", has_text="closing").inner_text().split("\n")[0] == "20.00 EUR"
    )
    (entry,) = [row.inner_text() for row in main.locator("tr[data-row]").all()]
    assert "20.00 EUR" in entry
    oldest = [*site.commerce.statements.list(partner=partner)][-1]
    assert (oldest.number, str(oldest.closing)) == (1, "20.00")
    assert first.status == "closed"


def refunded(person: Person, order_id: str) -> None:
    """Refunds a part of an order, once its plan was read."""
    person.open(f"/orders/{order_id}")
    person.click("link", "Refund this part … Pot")
    assert "20.00 EUR" in person.page.locator("main").inner_text()
    person.write("Reason", "Never arrived")
    person.click("button", re.compile("^Refund: 20.00 EUR"))
    assert "Refunded" in person.page.get_by_role("status").inner_text()
    assert "Never arrived" in person.page.content()


def test_an_order_is_refunded_without_script_on_a_small_screen(visit: Visit, site: Site):
    person = visit(script=False, width=320, scheme="dark").sign_in()
    refunded(person, order_of_two(site))
    assert person.overflow() <= 0


def test_an_order_is_confirmed_by_keys_alone(visit: Visit, site: Site):
    """`e` opens the plan of the first act, and does it."""
    person = visit().sign_in()
    order_id = order_of_two(site)
    person.open(f"/orders/{order_id}")
    person.page.keyboard.press("e")
    person.page.wait_for_url(re.compile("/confirm$"))
    person.page.keyboard.press("e")
    person.page.wait_for_url(re.compile(f"/orders/{order_id}$"))
    assert site.commerce.orders.get(order_id).status == "confirmed"


def test_two_windows_decide_about_the_same_feed(visit: Visit, site: Site):
    """The second is told the state, and what it did before going back is asked for once more."""
    feed_id = held_feed(site, "Grater")
    first, second = visit().sign_in(), visit().sign_in()
    for person in (first, second):
        person.open(f"/feeds/{feed_id}")
    first.click("button", re.compile("^Approve: change"))
    second.click("button", re.compile("^Approve: change"))
    assert "only held feeds can be approved" in second.page.get_by_role("alert").inner_text()
    second.click("link", "Look at it again")
    assert second.page.locator("h1 + p .badge").inner_text() == "applied"
    second.page.go_back()
    assert site.commerce.feeds.get(feed_id).status == "applied"


def test_by_keys_alone(visit: Visit, site: Site):
    """Signs in, walks the inbox by j and k, acknowledges by e, asks by ?, and searches by /."""
    person = visit()
    keys = person.page.keyboard
    person.open("/sign-in")
    person.page.wait_for_function("document.activeElement.name === 'key'")
    keys.type(site.operator)
    keys.press("Enter")
    person.page.wait_for_url(f"{site.address}/")
    keys.press("?")
    assert person.page.locator("#keys").is_visible()
    keys.press("Escape")
    rows = person.page.locator("[data-row]").count()
    keys.press("j")
    keys.press("j")
    keys.press("k")
    assert person.page.locator("[data-row].current").count() == 1
    keys.press("e")
    person.page.get_by_role("status").wait_for()
    assert person.page.locator("[data-row]").count() == rows - 1
    keys.press("j")
    keys.press("Enter")
    person.page.wait_for_url(re.compile("/(feeds|products)/"))
    keys.press("Tab")
    assert person.page.evaluate("document.activeElement !== document.body")
    person.open("/products")
    keys.press("/")
    assert person.page.evaluate("document.activeElement.name") == "q"


def test_jobs_are_live(person: Person, site: Site):
    """A job's page follows its work by itself."""
    feed = next(f for f in site.commerce.feeds.list(partner="Voltline") if f.status == "applied")
    with site.commerce.context.store.begin() as unit:
        latest = unit.feeds.get(feed.feed_id).latest_job
    assert latest
    job = site.commerce.jobs.start(feed.feed_id, kind="validate", run=False)
    person.open(f"/jobs/{job.job_id}")
    person.click("button", "Start it")
    person.page.locator("#state .badge", has_text="completed").wait_for()


def test_a_partner_sees_its_own_view(visit: Visit, site: Site):
    person = visit().sign_in(site.partner)
    assert person.page.get_by_text("Hopfenhaus").count() >= 1
    assert person.page.get_by_role("link", name="Rules").count() == 0
    person.click("link", "Feeds")
    assert "Voltline" not in person.page.content()
