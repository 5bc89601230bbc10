"""`commerce demo`: a guided tour on the example feeds, in a folder of its own."""

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
    from entrypoints.cli.demo.feeds import FeedSteps
    from entrypoints.cli.demo.sales import SalesSteps
    from entrypoints.cli.kit.console import Console
    from entrypoints.settings import Settings

HOME: Final = "commerce-demo"
HOST: Final = "127.0.0.1"
FEEDS: Final = Path(__file__).parents[4] / "examples" / "feeds"


@verb("demo", scope=None)
@click.option("--serve", "stay", is_flag=True, help="Serve HTTP afterwards, until Ctrl-C.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=8000,
    show_default=True,
    help="Port for --serve.",
)
def demo(session: Session, *, stay: bool, port: int) -> None:
    """Follow example feeds from file to catalog, orders and reports.

    Everything happens in a folder of its own: ./commerce-demo, or the one given by --data-dir. Each
    run starts with an empty folder.
    """
    from entrypoints.cli.demo.home import emptied
    from entrypoints.cli.kit.console import Console
    from entrypoints.settings import Settings

    if session.shared_option("database"):
        raise click.UsageError(
            "The demo always uses its own database; leave out --database.",
            click.get_current_context(),
        )
    home = Path(str(session.shared_option("data_dir") or HOME))
    settings = Settings(data_dir=home)
    console = Console(session.out, f"{_program()} --data-dir {_quoted(home)}")
    _introduce(console, home)
    if session.platform is None:
        emptied(home)
    with _opened(session, settings) as commerce:
        feeds, sales = _run_steps(commerce, console, weeks=stay)
    if session.out.as_json:
        session.out.document(_facts(feeds, sales, settings))
    _suggest_next(console, settings, port, serving=stay)
    if stay:
        from entrypoints.dashboard.routes import routes
        from entrypoints.http.server import serve

        serve(
            settings, HOST, port, home=routes, on_ready=lambda at: _serving(console, at, settings)
        )


def _serving(console: "Console", address: str, settings: "Settings") -> None:
    console.paragraph(f"Serving at {address}/")
    console.paragraph(f"Sign in with the key in {_near(settings.operator_key_file)}:")
    console.verbatim(f"cat {_quoted(settings.operator_key_file)}")


def _introduce(console: "Console", home: Path) -> None:
    console.title("From four partners' files to one catalog, orders and reports")
    console.gap()
    console.paragraph(
        "This tour shows what the platform does, using example files and a PostgreSQL database of "
        f"its own under {_near(home)}, which starts out empty. A line that starts with $ is the "
        "command for the step above it."
    )


def _opened(session: Session, settings: "Settings") -> "AbstractContextManager[Commerce]":
    if session.platform is not None:
        return nullcontext(session.platform)
    from entrypoints.compose import open_platform

    return open_platform(settings)


def _run_steps(
    commerce: "Commerce", console: "Console", *, weeks: bool
) -> "tuple[FeedSteps, SalesSteps]":
    """The tour; with `weeks`, its first feeds came two weeks ago, and work has gone on since."""
    from datetime import timedelta

    from commerce_core.base.errors import NotFound
    from entrypoints.cli.demo.feeds import FeedSteps
    from entrypoints.cli.demo.sales import SalesSteps
    from entrypoints.cli.demo.weeks import DAYS, Weeks, past

    if not FEEDS.is_dir():
        raise NotFound(
            "The example feeds are not installed with the command.",
            "Clone the repository, and run `make demo` in it.",
            code="no_examples",
        )
    first = commerce.context.clock() - timedelta(days=DAYS)
    begun = past(commerce, first) if weeks else commerce
    feeds, sales = FeedSteps(begun, console, FEEDS), SalesSteps(commerce, console)
    feeds.all()
    sales.all()
    if weeks:
        console.step("Two weeks at work")
        console.paragraph(
            f"For the dashboard, {DAYS} days of feeds, orders and price rules are added, and what "
            "a person would find in the inbox this morning."
        )
        Weeks(commerce, FEEDS).all()
    return feeds, sales


def _facts(feeds: "FeedSteps", sales: "SalesSteps", settings: "Settings") -> dict[str, object]:
    """What happened, for programs."""
    return {
        "data_dir": settings.home,
        "operator_key_file": settings.operator_key_file,
        "jobs": feeds.jobs,
        "orders": len(sales.orders),
        "reports": sales.reports,
    }


def _suggest_next(console: "Console", settings: "Settings", port: int, *, serving: bool) -> None:
    address = f"http://{HOST}:{port}"
    key = f'-H "X-API-Key: $(cat {_quoted(settings.operator_key_file)})"'
    console.step("What to try next")
    console.paragraph("All the data is still there. On the command line:")
    console.gap()
    for arguments in _NEXT_COMMANDS:
        console.verbatim(console.command_line(*arguments))
    console.verbatim(
        console.command_line(
            "feeds", "upload", _near(FEEDS / "electronics.csv"), "--partner", "Voltline",
            "--mode", "full", "--run", "--wait",
        )
    )  # fmt: skip
    console.gap()
    if serving:
        console.paragraph(
            f"Over HTTP, at {address}/ until you press Ctrl-C; in another terminal, run:"
        )
    else:
        console.paragraph(
            f"Over HTTP, after you start `{console.command_line('serve')}` in another terminal:"
        )
    console.gap()
    console.verbatim(f'curl {key} "{address}/v1/products?limit=5"')
    console.verbatim(f'curl {key} "{address}/v1/analytics/sales-by-partner"')
    console.verbatim(
        f"curl {key} -F partner_name=Hopfenhaus -F mode=full -F run=true "
        f'-F "file=@{_near(FEEDS / "craft-beer.csv")}" {address}/v1/feeds/upload'
    )
    console.gap()


_NEXT_COMMANDS: Final = (
    ("products", "list", "--partner", "Hopfenhaus", "--sort-by", "price", "--limit", "10"),
    ("analytics", "share"),
)


def _program() -> str:
    """How the user calls `commerce`: by name if the shell finds it, else by the shortest path."""
    called = Path(sys.argv[0])
    found = shutil.which("commerce")
    if called.name != "commerce" or (found and Path(found).samefile(called)):
        return "commerce"
    return _quoted(called)


def _near(path: Path) -> str:
    """The path relative to the working directory, if it is inside it."""
    whole = Path(os.path.abspath(path))  # noqa: PTH100 - keeps symbolic links as the user typed them
    here = Path.cwd()
    return str(whole.relative_to(here)) if whole.is_relative_to(here) else str(whole)


def _quoted(path: Path) -> str:
    return shlex.quote(_near(path))
