"""What all commands share: a scope, options, and how they open the platform."""

import shlex
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from commerce_core.commerce import Commerce
    from commerce_core.partners.access import Scope
    from entrypoints.cli.kit.output import Output
    from entrypoints.settings import Settings

_META: Final = "entrypoints.cli"


def _remember(ctx: click.Context, option: click.Parameter, value: object) -> None:
    """Keeps a shared option for the command, whether it came before or after its name."""
    if value not in (None, False):
        ctx.meta[f"{_META}.{option.name}"] = value


def shared_options(*, hidden: bool = False) -> list[click.Parameter]:
    """The options that may precede or follow any command; `hidden` omits them from its help."""
    return [
        click.Option(
            ["--json", "as_json"],
            is_flag=True,
            expose_value=False,
            callback=_remember,
            help="Print JSON: one document, or one object per line for lists.",
        ),
        click.Option(
            ["--database"],
            metavar="URL",
            expose_value=False,
            callback=_remember,
            hidden=hidden,
            help="Database to use: embedded:[DIR], postgresql://... or memory: "
            "(overrides the setting).",
        ),
        click.Option(
            ["--data-dir"],
            metavar="DIR",
            expose_value=False,
            callback=_remember,
            hidden=hidden,
            help="Directory of the embedded database and of files (overrides the setting).",
        ),
        click.Option(
            ["--as", "actor"],
            metavar="NAME",
            expose_value=False,
            callback=_remember,
            hidden=hidden,
            show_default="your account on this machine",
            help="Name to record in the audit as the actor.",
        ),
    ]


def account() -> str | None:
    """The account that runs this process; None if it has no name."""
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return None


class Session:
    """One run of a command: its output, and the platform, which is opened on first use."""

    def __init__(self, ctx: click.Context, scope: "Scope | None") -> None:
        """Belongs to a context; whatever it opens is closed with that context."""
        self._ctx = ctx
        self._scope: Scope | None = scope

    def shared_option(self, option: str) -> object:
        """The value of a shared option; None if it wasn't given."""
        return self._ctx.meta.get(f"{_META}.{option}")

    @property
    def platform(self) -> "Commerce | None":
        """A platform that is already open; None if the command has to open one."""
        return self._ctx.find_root().obj

    @cached_property
    def out(self) -> "Output":
        """Prints the result."""
        from entrypoints.cli.kit.output import Output

        return Output(as_json=bool(self.shared_option("as_json")))

    @cached_property
    def settings(self) -> "Settings":
        """The settings; the shared options take precedence over them."""
        from entrypoints.settings import load_settings

        return load_settings(
            {
                "database_url": self.shared_option("database"),
                "data_dir": self.shared_option("data_dir"),
            }
        )

    @cached_property
    def commerce(self) -> "Commerce":
        """The platform; Forbidden if its principal lacks this command's scope."""
        commerce = self.platform
        if commerce is None:
            from entrypoints.compose import open_platform

            commerce = self._ctx.with_resource(open_platform(self.settings))
        if self._scope is None:
            return commerce
        actor = self._actor()
        if actor is not None:
            commerce = commerce.acting_as(commerce.context.principal.known_as(actor))
        commerce.context.principal.require(self._scope)
        return commerce

    def _actor(self) -> str | None:
        """The name to act under; None on a platform that is already open, unless it is given."""
        given = self.shared_option("actor")
        if given is not None:
            return str(given)
        return None if self.platform else account()

    def command_line(self, *arguments: str) -> str:
        """A command for the user to type next, on the same data."""
        folder = self.shared_option("data_dir")
        shared = ("--data-dir", str(folder)) if folder else ()
        return shlex.join(("commerce", *shared, *arguments))

    def end(self, code: int) -> None:
        """Ends the command with an exit code."""
        self._ctx.exit(code)


class Titled(click.Command):
    """A command whose help shows its headings in bold on a terminal."""

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the help."""
        plain = formatter.write_heading
        formatter.write_heading = lambda heading: plain(click.style(heading, bold=True))
        super().format_help(ctx, formatter)


class Verb(Titled):
    """A command that does something, and the scope it requires (None: it touches no data)."""

    scope: "Scope | None" = None

    def invoke(self, ctx: click.Context) -> object:
        """Runs it with a session as its first argument (`click.pass_obj`)."""
        ctx.obj = Session(ctx, self.scope)
        return super().invoke(ctx)


class Noun(Titled, click.Group):
    """A command that only groups others: what can be done with one kind of thing."""

    def verb(self, name: str, *, scope: "Scope | None") -> Callable[[Callable[..., None]], Verb]:
        """Declares a command of this group, and the scope it requires."""

        def add(callback: Callable[..., None]) -> Verb:
            made = verb(name, scope=scope)(callback)
            self.add_command(made)
            return made

        return add


def verb(name: str, *, scope: "Scope | None") -> Callable[[Callable[..., None]], Verb]:
    """Declares a command and the scope it requires; its callback receives the session first."""

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
    """A time in ISO 8601; one without an offset stays naive, for the command to interpret."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """The text as a time."""
        try:
            return value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        except ValueError:
            detail = f"{value!r} is not a time such as 2026-03-31 or 2026-03-31T18:00:00Z."
            self.fail(detail, param, ctx)


def in_utc(at: datetime | None) -> datetime | None:
    """The time, in UTC if it has no offset."""
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at


def limit_option(command: Callable[..., None]) -> Callable[..., None]:
    """`--limit`: the maximum number of rows."""
    return click.option(
        "--limit",
        type=click.IntRange(min=1),
        show_default="50 on a terminal, otherwise all",
        help="Maximum number of rows.",
    )(command)


def key_option(command: Callable[..., None]) -> Callable[..., None]:
    """`--key`: the idempotency key of an act."""
    return click.option(
        "--key",
        metavar="TEXT",
        help="Idempotency key: however often the command is repeated with it, it takes effect "
        "once.",
    )(command)


def partner_option(help_: str, *, required: bool = False) -> Callable[..., Callable[..., None]]:
    """`--partner`: a partner's id or name."""
    return click.option("--partner", metavar="PARTNER", required=required, help=help_)
