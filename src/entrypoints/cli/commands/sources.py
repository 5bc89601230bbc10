"""`commerce sources`: where a partner's feeds come from, and what is set for each."""

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import click

from entrypoints.cli.kit.verbs import Session, limit_option, noun, partner_option

if TYPE_CHECKING:
    from commerce_core.feeds.guards import GuardSettings
    from commerce_core.feeds.source import OnError, Source

sources: Final = noun(
    "sources", "Where a partner's feeds come from. SOURCE is an id, or a name beside --partner."
)
_THRESHOLD: Final = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,8})?)%|([0-9]{1,12})", re.ASCII)


class Tolerance(click.ParamType["OnError"]):
    """What rejected records mean: a word, a share in percent, or a count."""

    name = "records|feed|N%|N"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> "OnError":
        """What the word says."""
        from commerce_core.feeds.source import REJECT_FEED, REJECT_RECORDS, OnError

        if isinstance(value, OnError):
            return value
        matched = _THRESHOLD.fullmatch(str(value))
        if value in ("records", "feed"):
            return REJECT_RECORDS if value == "records" else REJECT_FEED
        if not matched:
            self.fail(f"{value!r} is none of: records, feed, 5%, 20.", param, ctx)
        share, count = matched.groups()
        return OnError(Decimal(share) / 100) if share else OnError(count=int(count))


class Guard(click.ParamType[tuple[str, int | bool | None]]):
    """A guard and its limit: `removals=30`, `removals=off`, `columns_gone=on`."""

    name = "GUARD=LIMIT"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int | bool | None]:
        """The guard's name, and what it is set to."""
        from commerce_core.feeds.guards import GUARD_SETTINGS

        name, _, limit = str(value).partition("=")
        if name not in GUARD_SETTINGS:
            self.fail(f"There is no guard {name!r}; there are {', '.join(GUARD_SETTINGS)}.")
        switched = name == "columns_gone"
        if limit in ("on", "off") and (switched or limit == "off"):
            return name, limit == "on" if switched else None
        if switched or not limit.isdecimal():
            wanted = "on or off" if switched else "a whole number or off"
            self.fail(f"{name} takes {wanted}, not {limit!r}.", param, ctx)
        return name, int(limit)


def _settings(command: Callable[..., None]) -> Callable[..., None]:
    """The options that `add` and `set` share."""
    options = [
        click.option(
            "--mode", type=click.Choice(["full", "delta"]), help="Of feeds that say none."
        ),
        click.option("--run/--no-run", default=None, help="Whether its jobs begin by themselves."),
        click.option(
            "--on-error",
            type=Tolerance(),
            help="Rejected records: reject them alone, the feed, or it beyond 5% or 20 of them.",
        ),
        click.option(
            "--guard",
            "guards",
            multiple=True,
            type=Guard(),
            help="How far its feeds may go, as removals=30 or price_median=off; repeatable.",
        ),
        click.option(
            "--snapshot-pattern",
            metavar="PATTERN",
            help="How file names tell their moment, as catalog-{YYYY}{MM}{DD}-{hh}{mm}.csv; "
            "'' for not at all.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def _given(settings: dict[str, Any]) -> dict[str, Any]:
    """What was said of the settings, in the core's words."""
    told = {name: value for name, value in settings.items() if value not in (None, ())}
    if "guards" in told:
        told["guards"] = dict(told["guards"])
    if told.get("snapshot_pattern") == "":
        told["snapshot_pattern"] = None
    return told


@sources.verb("add", scope="feeds:write")
@click.argument("name")
@partner_option("Whose it is: an id or a name.", required=True)
@_settings
def add(session: Session, name: str, partner: str, **settings: object) -> None:
    """Adds a source to a partner."""
    made = session.commerce.sources.add(partner, name, **_given(settings))
    session.out.one(made, lambda: _fields(made))


@sources.verb("list", scope="feeds:read")
@partner_option("Those of this partner alone.")
@limit_option
def list_(session: Session, partner: str | None, limit: int | None) -> None:
    """Lists the sources, oldest first."""
    from entrypoints.cli.kit.tables import Column

    @cache
    def name(partner_id: str) -> str:
        return session.commerce.partners.get(partner_id).partner_name

    columns: list[Column[Source]] = [
        Column("partner", lambda s: name(s.partner_id), crops=True),
        Column("name", lambda s: s.source_name, crops=True),
        Column("mode", lambda s: s.mode),
        Column("runs by itself", lambda s: "yes" if s.run else "no", from_width=100),
        Column("rejects", lambda s: _told(s.on_error), from_width=100),
        Column("id", lambda s: s.source_id),
    ]
    session.out.many(session.commerce.sources.list(partner), columns, limit, "There is no source.")


@sources.verb("show", scope="feeds:read")
@click.argument("source")
@partner_option("Whose it is, where SOURCE is a name.")
def show(session: Session, source: str, partner: str | None) -> None:
    """Shows a source."""
    found = session.commerce.sources.get(source, partner=partner)
    session.out.one(found, lambda: _fields(found))


@sources.verb("set", scope="feeds:write")
@click.argument("source")
@partner_option("Whose it is, where SOURCE is a name.")
@click.option("--name", help="Another name.")
@_settings
def set_(
    session: Session, source: str, partner: str | None, name: str | None, **settings: object
) -> None:
    """Changes the settings of a source."""
    changes = _given({"source_name": name, **settings})
    if not changes:
        raise click.UsageError("Say what to change.", click.get_current_context())
    changed = session.commerce.sources.change(source, partner=partner, **changes)
    session.out.one(changed, lambda: _fields(changed))


@sources.verb("remove", scope="feeds:write")
@click.argument("source")
@partner_option("Whose it is, where SOURCE is a name.")
def remove(session: Session, source: str, partner: str | None) -> None:
    """Removes a source that owns no active product and has no feed under way."""
    removed = session.commerce.sources.remove(source, partner=partner)
    session.out.one(removed, lambda: _fields(removed))


def _fields(source: "Source") -> Iterator[tuple[str, str]]:
    from entrypoints.cli.kit.output import moment_utc

    yield "id", source.source_id
    yield "name", source.source_name
    yield "partner", source.partner_id
    yield "kind", source.kind
    yield "mode", source.mode
    yield "its jobs", "begin by themselves" if source.run else "wait for their start"
    yield "rejects", _told(source.on_error)
    yield "guards", _told_guards(source.guards)
    yield "moments", source.snapshot_pattern or "those of receipt, unless an upload says one"
    yield "since", moment_utc(source.created_at)


def _told_guards(guards: "GuardSettings") -> str:
    """The guards that are set otherwise than by default."""
    from commerce_core.feeds.guards import DEFAULT_GUARDS, GUARD_SETTINGS

    changed = [name for name in GUARD_SETTINGS if _set(guards, name) != _set(DEFAULT_GUARDS, name)]
    return ", ".join(f"{name} {_set(guards, name)}" for name in changed) or "as by default"


def _set(guards: "GuardSettings", name: str) -> str:
    limit: int | bool | None = getattr(guards, name)
    if isinstance(limit, bool):
        return "on" if limit else "off"
    return "off" if limit is None else str(limit)


def _told(on_error: "OnError") -> str:
    """What rejected records mean, in words."""
    if on_error.count == 0:
        return "the feed"
    limits = [
        f"{(on_error.share * 100).normalize():f}%" if on_error.share is not None else "",
        f"{on_error.count:,}" if on_error.count is not None else "",
    ]
    told = " or ".join(filter(None, limits))
    return f"the feed beyond {told}" if told else "records alone"
