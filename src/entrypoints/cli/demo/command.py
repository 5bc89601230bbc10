"""`commerce demo`: the whole way of a feed, on the example files and in a folder of its own."""

import os
import shlex
import shutil
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from entrypoints.cli.kit.verbs import Session, verb

if TYPE_CHECKING:
    from commerce_core.commerce import Commerce
    from entrypoints.cli.demo.feeds import TourOfFeeds
    from entrypoints.cli.demo.sales import TourOfSales
    from entrypoints.cli.kit.console import Narration
    from entrypoints.settings import Settings

HOME: Final = "commerce-demo"
HOST: Final = "127.0.0.1"
FEEDS: Final = Path(__file__).parents[4] / "examples" / "feeds"


@verb("demo", scope=None)
@click.option("--serve", "stay", is_flag=True, help="Then answer HTTP until Ctrl-C.")
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True)
def demo(session: Session, *, stay: bool, port: int) -> None:
    """Shows the whole way of a feed on example files, narrated.

    Everything happens in a folder of its own, ./commerce-demo unless --data-dir names another. Each
    run begins afresh.
    """
    from entrypoints.cli.demo.home import emptied
    from entrypoints.cli.kit.console import Narration
    from entrypoints.settings import Settings

    if session.given("database"):
        raise click.UsageError("The demo has a database of its own.", click.get_current_context())
    home = Path(str(session.given("data_dir") or HOME))
    settings = Settings(data_dir=home)
    tell = Narration(session.out, f"{_command()} --data-dir {_quoted(home)}")
    _introduce(tell, home)
    if session.platform is None:
        emptied(home)
    with _opened(session, settings) as commerce:
        feeds, sales = _guided(commerce, tell)
    if session.out.as_json:
        session.out.document(_facts(feeds, sales, settings))
    _say_what_next(tell, settings, port, serving=stay)
    if stay:
        from entrypoints.http.server import serve

        serve(settings, HOST, port, on_ready=lambda at: tell.say(f"Answering at {at}/ now."))


def _introduce(tell: "Narration", home: Path) -> None:
    tell.title("From four partners' files to one catalog, orders and figures")
    tell.gap()
    tell.say(
        "This is the main job of the platform, on example files and a PostgreSQL of its own under "
        f"{_near(home)}, which begins empty. Below a step stands the command that does the same."
    )


def _opened(session: Session, settings: "Settings") -> "AbstractContextManager[Commerce]":
    if session.platform is not None:
        return nullcontext(session.platform)
    from entrypoints.compose import open_platform

    return open_platform(settings)


def _guided(commerce: "Commerce", tell: "Narration") -> "tuple[TourOfFeeds, TourOfSales]":
    from commerce_core.base.errors import NotFound
    from entrypoints.cli.demo.feeds import TourOfFeeds
    from entrypoints.cli.demo.sales import TourOfSales

    if not FEEDS.is_dir():
        raise NotFound(
            "The example feeds are not installed with the command.",
            "Take a clone of the project, and say: make demo",
            code="no_examples",
        )
    feeds, sales = TourOfFeeds(commerce, tell, FEEDS), TourOfSales(commerce, tell)
    feeds.all()
    sales.all()
    return feeds, sales


def _facts(feeds: "TourOfFeeds", sales: "TourOfSales", settings: "Settings") -> dict[str, object]:
    """What happened, for programs."""
    return {
        "data_dir": settings.home,
        "operator_key_file": settings.operator_key_file,
        "jobs": feeds.jobs,
        "orders": len(sales.orders),
        "reports": sales.reports,
    }


def _say_what_next(tell: "Narration", settings: "Settings", port: int, *, serving: bool) -> None:
    address = f"http://{HOST}:{port}"
    key = f'-H "X-API-Key: $(cat {_quoted(settings.operator_key_file)})"'
    tell.step("What to try next")
    tell.say("All of it is still there. On the command line:")
    tell.gap()
    for words in _LINES:
        tell.plain(tell.quoted(*words))
    tell.plain(
        tell.quoted("feeds", "upload", _near(FEEDS / "electronics.csv"), "--partner", "Voltline",
                    "--mode", "full", "--run", "--wait")
    )  # fmt: skip
    tell.gap()
    if serving:
        tell.say(f"Over HTTP, at {address}/ until you press Ctrl-C; from another terminal:")
    else:
        tell.say(f"Over HTTP, once `{tell.quoted('serve')}` runs in another terminal:")
    tell.gap()
    tell.plain(f'curl {key} "{address}/v1/products?limit=5"')
    tell.plain(f'curl {key} "{address}/v1/analytics/sales-by-partner"')
    tell.plain(
        f"curl {key} -F partner_name=Hopfenhaus -F mode=full -F run=true "
        f'-F "file=@{_near(FEEDS / "craft-beer.csv")}" {address}/v1/feeds/upload'
    )
    tell.gap()


_LINES: Final = (
    ("products", "list", "--partner", "Hopfenhaus", "--sort-by", "price", "--limit", "10"),
    ("analytics", "share"),
)


def _command() -> str:
    """How the reader calls us: by name where the shell finds it, else by the shortest path."""
    called = Path(sys.argv[0])
    found = shutil.which("commerce")
    if called.name != "commerce" or (found and Path(found).samefile(called)):
        return "commerce"
    return _quoted(called)


def _near(path: Path) -> str:
    """The path as seen from here, where that is shorter."""
    whole = Path(os.path.abspath(path))  # noqa: PTH100 - links are left as the reader knows them
    here = Path.cwd()
    return str(whole.relative_to(here)) if whole.is_relative_to(here) else str(whole)


def _quoted(path: Path) -> str:
    return shlex.quote(_near(path))
