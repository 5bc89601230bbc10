"""What every command shares: its scope, its options, and how it opens the platform."""

import shlex
from collections.abc import Callable
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from commerce_core.commerce import Commerce
    from commerce_core.partners.access import Scope
    from entrypoints.cli.kit.output import Output
    from entrypoints.settings import Settings

_META: Final = "entrypoints.cli"


def _note(ctx: click.Context, option: click.Parameter, value: object) -> None:
    """Notes a shared option for the command, wherever among the words it stood."""
    if value:
        ctx.meta[f"{_META}.{option.name}"] = value


def shared_options(*, hidden: bool = False) -> list[click.Parameter]:
    """The options that stand before or after any command; `hidden` ones are not in its help."""
    return [
        click.Option(
            ["--json", "as_json"],
            is_flag=True,
            expose_value=False,
            callback=_note,
            help="One JSON document, or one object a line for lists.",
        ),
        click.Option(
            ["--database"],
            metavar="URL",
            expose_value=False,
            callback=_note,
            hidden=hidden,
            help="embedded:[DIR], postgresql://... or memory:, instead of the setting.",
        ),
        click.Option(
            ["--data-dir"],
            metavar="DIR",
            expose_value=False,
            callback=_note,
            hidden=hidden,
            help="Where the embedded database and files live, instead of the setting.",
        ),
    ]


class Session:
    """One command under way: where its words go, and the platform, opened when first wanted."""

    def __init__(self, ctx: click.Context, scope: "Scope | None") -> None:
        """Belongs to a context, and closes with it what it opened."""
        self._ctx = ctx
        self._scope: Scope | None = scope

    def given(self, option: str) -> object:
        """What was given of a shared option; None if nothing."""
        return self._ctx.meta.get(f"{_META}.{option}")

    @property
    def platform(self) -> "Commerce | None":
        """A platform that is open already; None where the command has to open one."""
        return self._ctx.find_root().obj

    @cached_property
    def out(self) -> "Output":
        """Where the answer goes."""
        from entrypoints.cli.kit.output import Output

        return Output(as_json=bool(self.given("as_json")))

    @cached_property
    def settings(self) -> "Settings":
        """The settings, with what was given before all."""
        from entrypoints.settings import load_settings

        return load_settings(
            {"database_url": self.given("database"), "data_dir": self.given("data_dir")}
        )

    @cached_property
    def commerce(self) -> "Commerce":
        """The platform, which this command's scope allows to be used."""
        commerce = self.platform
        if commerce is None:
            from entrypoints.compose import open_platform

            commerce = self._ctx.with_resource(open_platform(self.settings))
        if self._scope is not None:
            commerce.context.principal.require(self._scope)
        return commerce

    def typed(self, *words: str) -> str:
        """A command as one would type it next, on the same data."""
        folder = self.given("data_dir")
        return shlex.join(("commerce", *(("--data-dir", str(folder)) if folder else ()), *words))

    def end(self, code: int) -> None:
        """Ends the command with an exit code."""
        self._ctx.exit(code)


class Titled(click.Command):
    """A command whose help has its headings in bold, on a terminal."""

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the help."""
        plain = formatter.write_heading
        formatter.write_heading = lambda heading: plain(click.style(heading, bold=True))
        super().format_help(ctx, formatter)


class Verb(Titled):
    """A command that does something, and the scope that this needs (None: no data is touched)."""

    scope: "Scope | None" = None

    def invoke(self, ctx: click.Context) -> object:
        """Runs it with a session as its first argument (`click.pass_obj`)."""
        ctx.obj = Session(ctx, self.scope)
        return super().invoke(ctx)


class Noun(Titled, click.Group):
    """A command that only holds others: what can be done with one kind of thing."""

    def verb(self, name: str, *, scope: "Scope | None") -> Callable[[Callable[..., None]], Verb]:
        """Declares a command of this group, and the scope it needs."""

        def add(callback: Callable[..., None]) -> Verb:
            made = verb(name, scope=scope)(callback)
            self.add_command(made)
            return made

        return add


def verb(name: str, *, scope: "Scope | None") -> Callable[[Callable[..., None]], Verb]:
    """Declares a command and the scope it needs; its callback is given the session first."""

    def make(callback: Callable[..., None]) -> Verb:
        made = click.command(name, cls=Verb)(click.pass_obj(callback))
        made.scope = scope
        made.params += shared_options(hidden=True)
        return made

    return make


def noun(name: str, help_: str) -> Noun:
    """A group of commands about one kind of thing."""
    return Noun(name, help=help_)


class Moment(click.ParamType[datetime]):
    """A moment as ISO 8601; one without an offset stays so, for the command to place."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """The moment that the text names."""
        try:
            return value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is no time as 2026-03-31 or 2026-03-31T18:00:00Z.", param, ctx)


def limit_option(command: Callable[..., None]) -> Callable[..., None]:
    """`--limit`: how many rows of a list."""
    return click.option(
        "--limit",
        type=click.IntRange(min=1),
        help="Rows at most. Unless said, 50 on a terminal and all of them elsewhere.",
    )(command)


def partner_option(help_: str, *, required: bool = False) -> Callable[..., Callable[..., None]]:
    """`--partner`: an id or a name."""
    return click.option("--partner", metavar="PARTNER", required=required, help=help_)
