"""A server of our own with the demo's two weeks on a platform in memory, and a browser."""

import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import define, frozen
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    Route,
    sync_playwright,
)

from commerce_core.commerce import Commerce
from entrypoints.cli.demo.feeds import FeedSteps
from entrypoints.cli.demo.sales import SalesSteps
from entrypoints.cli.demo.weeks import DAYS, Weeks, past
from entrypoints.cli.kit.console import Console
from entrypoints.cli.kit.output import Output
from entrypoints.compose import open_platform
from entrypoints.dashboard.routes import routes
from entrypoints.http.app import create_app
from entrypoints.settings import Settings
from entrypoints.worker import Worker
from tests.support.ports import free_port
from tests.support.servers.chromium import CHROMIUM, FLAGS, MISSING

FEEDS = Path(__file__).parents[3] / "examples" / "feeds"


MOST_TABS = 300
"""The most controls of a page that a person goes through to reach one."""
REFUSED = re.compile(r"responded with a status of (409|412|422)")
"""What a browser logs of a page that reports a refusal."""


@frozen
class Site:
    """A dashboard at an address, and its keys."""

    address: str
    commerce: Commerce
    operator: str
    partner: str


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    from datetime import timedelta

    from granian.constants import Interfaces
    from granian.server.embed import Server

    settings = Settings(database_url="memory:")
    with open_platform(settings) as commerce:
        begun = past(commerce, commerce.context.clock() - timedelta(days=DAYS))
        quiet = Console(Output(as_json=True), "commerce")
        FeedSteps(begun, quiet, FEEDS).all()
        SalesSteps(commerce, quiet).all()
        Weeks(commerce, FEEDS).all()
        operator, partner = (
            commerce.keys.add().secret,
            commerce.keys.add(partner="Hopfenhaus").secret,
        )
        assert operator
        assert partner
        app = create_app(commerce, settings, home=routes(settings))
        port = free_port()
        server = Server(app, address="127.0.0.1", port=port, interface=Interfaces.ASGI)
        worker = Worker(commerce)
        worker.start()
        stop = _served(server)
        yield Site(f"http://127.0.0.1:{port}", commerce, operator, partner)
        stop()
        worker.stop()


def _served(server: Any) -> Callable[[], None]:  # noqa: ANN401 - granian's, untyped
    import asyncio

    loop = asyncio.new_event_loop()

    def run() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(server.serve())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def stop() -> None:
        loop.call_soon_threadsafe(server.stop)
        thread.join()
        loop.close()

    return stop


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    assert CHROMIUM.exists(), MISSING
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=str(CHROMIUM), args=list(FLAGS))
        yield browser
        browser.close()


@define
class Person:
    """Someone at a browser, with a mouse or by `keys_alone`; counts clicks.

    Requests to other hosts and errors are noted.
    """

    site: Site
    page: Page
    keys_alone: bool = False
    clicks: int = 0

    def open(self, path: str) -> None:
        self.page.goto(f"{self.site.address}{path}")

    def sign_in(self, key: str | None = None) -> "Person":
        self.open("/sign-in")
        self.page.fill("input[name=key]", key or self.site.operator)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url(f"{self.site.address}/")
        return self

    def click(self, role: Any, name: str | re.Pattern[str], within: Any = None) -> None:  # noqa: ANN401 - roles and locators
        self.clicks += 1
        wanted = (within or self.page).get_by_role(role, name=name).first
        if self.keys_alone:
            self.reach(wanted)
            with self.page.expect_navigation():
                self.page.keyboard.press("Enter")
        else:
            wanted.click()
            self.page.wait_for_load_state()

    def reach(self, wanted: Locator) -> None:
        """Goes from control to control until that one is reached."""
        for _ in range(MOST_TABS):
            if wanted.evaluate("(element) => element === document.activeElement"):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"{wanted} can't be reached by keys")

    def write(self, label: str | re.Pattern[str], text: str) -> None:
        """Writes into a field."""
        field = self.page.get_by_label(label).first
        if self.keys_alone:
            self.reach(field)
            self.page.keyboard.type(text)
        else:
            field.fill(text)

    def choose(self, name: str, label: str) -> None:
        """Chooses of a list, by the beginning of what stands there."""
        field = self.page.locator(f"select[name={name}]")
        if self.keys_alone:
            self.reach(field)
            self.page.keyboard.type(label)
        else:
            option = field.locator("option").filter(has_text=re.compile(f"^{re.escape(label)}"))
            field.select_option(option.first.get_attribute("value"))

    def overflow(self) -> int:
        return self.page.evaluate("document.documentElement.scrollWidth - innerWidth")


@pytest.fixture
def visit(site: Site, browser: Browser) -> Iterator[Callable[..., Person]]:
    """Opens windows; nothing of a page may come from another host, or fail."""
    contexts: list[BrowserContext] = []
    strange: list[str] = []

    def opened(
        *,
        width: int = 1280,
        scheme: Any = "light",  # noqa: ANN401 - as playwright has it
        script: bool = True,
        keys_alone: bool = False,
    ) -> Person:
        context = browser.new_context(
            viewport={"width": width, "height": 800}, color_scheme=scheme,
            java_script_enabled=script, reduced_motion="reduce",
        )  # fmt: skip
        contexts.append(context)

        def judge(route: Route) -> None:
            if not route.request.url.startswith((site.address, "data:")):
                strange.append(route.request.url)
            route.continue_()

        context.route("**/*", judge)
        page = context.new_page()

        def note(message: ConsoleMessage) -> None:
            if message.type == "error" and not REFUSED.search(message.text):
                strange.append(message.text)

        page.on("console", note)
        page.on("pageerror", lambda error: strange.append(str(error)))
        return Person(site, page, keys_alone)

    yield opened
    for context in contexts:
        context.close()
    assert strange == []


@pytest.fixture
def person(visit: Callable[..., Person]) -> Person:
    return visit().sign_in()
