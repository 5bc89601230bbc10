"""`commerce sources`: the sources of a partner's feeds, and their settings."""

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import click

from entrypoints.cli.kit.verbs import Session, limit_option, noun, partner_option

if TYPE_CHECKING:
    from datetime import timedelta

    from commerce_core.feeds.freshness import Freshness
    from commerce_core.feeds.guards import GuardSettings
    from commerce_core.feeds.source import OnError, Source

sources: Final = noun(
    "sources",
    "Manage the sources of partners' feeds. SOURCE is an id or, with --partner, a name.",
)
_THRESHOLD: Final = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,8})?)%|([0-9]{1,12})", re.ASCII)


class Tolerance(click.ParamType["OnError"]):
    """How many rejected records are tolerated: a word, a share in percent, or a count."""

    name = "records|feed|N%|N"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> "OnError":
        """The text as a tolerance."""
        from commerce_core.feeds.source import REJECT_FEED, REJECT_RECORDS, OnError

        if isinstance(value, OnError):
            return value
        matched = _THRESHOLD.fullmatch(str(value))
        if value in ("records", "feed"):
            return REJECT_RECORDS if value == "records" else REJECT_FEED
        if not matched:
            self.fail(f"{value!r} is not one of: records, feed, 5%, 20.", param, ctx)
        share, count = matched.groups()
        return OnError(Decimal(share) / 100) if share else OnError(count=int(count))


class Guard(click.ParamType[tuple[str, int | bool | None]]):
    """A guard and its limit: `removals=30`, `removals=off`, `columns_gone=on`."""

    name = "GUARD=LIMIT"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int | bool | None]:
        """The guard's name, and its limit."""
        from commerce_core.feeds.guards import GUARD_SETTINGS, SWITCHES

        name, _, limit = str(value).partition("=")
        if name not in GUARD_SETTINGS:
            self.fail(f"There is no guard {name!r}. The guards are {', '.join(GUARD_SETTINGS)}.")
        switched = name in SWITCHES
        if limit in ("on", "off") and (switched or limit == "off"):
            return name, limit == "on" if switched else None
        if switched or not limit.isdecimal():
            wanted = "on or off" if switched else "a whole number or off"
            self.fail(f"{name} takes {wanted}, not {limit!r}.", param, ctx)
        return name, int(limit)


NEVER: Final = "never"


class Duration(click.ParamType["timedelta | str"]):
    """A duration as ISO 8601 writes it, or `never`."""

    name = "DURATION"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> "timedelta | str":
        """The text as a duration."""
        from commerce_core.base.durations import read_duration

        found = NEVER if value == NEVER else read_duration(str(value))
        if found is None:
            self.fail(f"{value!r} is not a duration such as P3D, PT90M or P1DT12H.", param, ctx)
        return found


def _settings(**defaults: object) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The options that `add` and `set` share, with the defaults that they have for `add`."""
    options = [
        click.option(
            "--mode",
            type=click.Choice(["full", "delta"]),
            default=defaults.get("mode"),
            show_default=True,
            help="Mode of feeds that don't specify one.",
        ),
        click.option(
            "--run/--no-run",
            default=defaults.get("run"),
            show_default=True,
            help="Whether jobs start automatically.",
        ),
        click.option(
            "--on-error",
            type=Tolerance(),
            metavar="records|feed|N%|N",
            default=defaults.get("on_error"),
            show_default=True,
            help="What to reject: only the records with errors (records), or the whole feed if any "
            "record has an error (feed), or if more than N or N% of its records do.",
        ),
        click.option(
            "--guard",
            "guards",
            multiple=True,
            type=Guard(),
            help="Set the limit of a guard, such as removals=30 or price_median=off; repeatable.",
        ),
        click.option(
            "--snapshot-pattern",
            metavar="PATTERN",
            help="Pattern of the snapshot time in file names, such as "
            "catalog-{YYYY}{MM}{DD}-{hh}{mm}.csv; '' for none.",
        ),
        click.option(
            "--net-of-orders/--no-net-of-orders",
            default=defaults.get("net_of_orders"),
            show_default=True,
            help="Whether units on open orders are already subtracted from its quantities.",
        ),
        click.option(
            "--stop-selling-after",
            type=Duration(),
            help="Stop selling its products once its last fresh file is this old, such as P3D or "
            "PT36H; 'never' to keep selling.",
        ),
    ]

    def add_options(command: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(options):
            command = option(command)
        return command

    return add_options


def _given(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings that were given, as the core takes them."""
    given = {name: value for name, value in settings.items() if value not in (None, ())}
    if "guards" in given:
        given["guards"] = dict(given["guards"])
    if given.get("snapshot_pattern") == "":
        given["snapshot_pattern"] = None
    if given.get("stop_selling_after") == NEVER:
        given["stop_selling_after"] = None
    return given


@sources.verb("add", scope="feeds:write")
@click.argument("name")
@partner_option("Partner that the source belongs to: an id or a name.", required=True)
@_settings(mode="delta", run=False, on_error="records", net_of_orders=False)
def add(session: Session, name: str, partner: str, **settings: object) -> None:
    """Add a source to a partner."""
    made = session.commerce.sources.add(partner, name, **_given(settings))
    session.out.one(made, lambda: _fields(made))


@sources.verb("list", scope="feeds:read")
@partner_option("Only sources of this partner.")
@limit_option
def list_(session: Session, partner: str | None, limit: int | None) -> None:
    """List the sources, oldest first."""
    from entrypoints.cli.kit.tables import Column

    @cache
    def name(partner_id: str) -> str:
        return session.commerce.partners.get(partner_id).partner_name

    columns: list[Column[Source]] = [
        Column("partner", lambda s: name(s.partner_id), crops=True),
        Column("name", lambda s: s.source_name, crops=True),
        Column("mode", lambda s: s.mode),
        Column("freshness", lambda s: state_text(s.freshness)),
        Column("jobs start", _job_start, from_width=100),
        Column("rejects", lambda s: _tolerance_text(s.on_error), from_width=100),
        Column("id", lambda s: s.source_id),
    ]
    session.out.many(
        session.commerce.sources.list(partner), columns, limit, "There are no sources."
    )


@sources.verb("show", scope="feeds:read")
@click.argument("source")
@partner_option("Partner that the source belongs to, if SOURCE is a name.")
def show(session: Session, source: str, partner: str | None) -> None:
    """Show a source."""
    found = session.commerce.sources.get(source, partner=partner)
    session.out.one(found, lambda: _fields(found))


@sources.verb("set", scope="feeds:write")
@click.argument("source")
@partner_option("Partner that the source belongs to, if SOURCE is a name.")
@click.option("--name", help="New name.")
@_settings()
def set_(
    session: Session, source: str, partner: str | None, name: str | None, **settings: object
) -> None:
    """Change the settings of a source."""
    changes = _given({"source_name": name, **settings})
    if not changes:
        raise click.UsageError("Specify at least one option.", click.get_current_context())
    changed = session.commerce.sources.change(source, partner=partner, **changes)
    session.out.one(changed, lambda: _fields(changed))


@sources.verb("expect", scope="feeds:decide")
@click.argument("source")
@partner_option("Partner that the source belongs to, if SOURCE is a name.")
@click.option("--cron", help="When a file is expected, such as '30 6 * * mon-fri'.")
@click.option("--every", type=Duration(), help="Longest time between two files, such as P1D.")
@click.option(
    "--time-zone",
    metavar="ZONE",
    help="Zone of --cron and of the days off (default: the partner's).",
)
@click.option(
    "--grace",
    type=Duration(),
    help="How long after the expected time a file counts as late (default: a quarter of the "
    "interval, from 5 minutes to 1 hour).",
)
@click.option(
    "--weekday-off",
    "weekdays_off",
    multiple=True,
    type=click.Choice(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]),
    help="A weekday on which no file is expected; repeatable.",
)
@click.option(
    "--date-off",
    "dates_off",
    multiple=True,
    metavar="DATE",
    type=click.DateTime(["%Y-%m-%d"]),
    help="A date on which no file is expected, such as 2026-12-25; repeatable.",
)
def expect(session: Session, source: str, partner: str | None, **given: Any) -> None:  # noqa: ANN401 as click passes them
    """Declare when files of a source are expected.

    This replaces what was declared before. Without --cron or --every, the times are taken
    from the schedule on which the source is fetched, or learned from its history.
    """
    from commerce_core.feeds.freshness_settings import Expected

    for name in ("every", "grace"):
        if given[name] == NEVER:
            raise click.UsageError(f"--{name} takes a duration.", click.get_current_context())
    given["dates_off"] = tuple(at.date() for at in given["dates_off"])
    changed = session.commerce.sources.change(source, partner=partner, expected=Expected(**given))
    session.out.one(changed, lambda: _fields(changed))


@sources.verb("remove", scope="feeds:write")
@click.argument("source")
@partner_option("Partner that the source belongs to, if SOURCE is a name.")
def remove(session: Session, source: str, partner: str | None) -> None:
    """Remove a source without active products or unfinished feeds."""
    removed = session.commerce.sources.remove(source, partner=partner)
    session.out.one(removed, lambda: _fields(removed))


def _fields(source: "Source") -> Iterator[tuple[str, str]]:
    from entrypoints.cli.kit.output import moment_utc

    yield "id", source.source_id
    yield "name", source.source_name
    yield "partner", source.partner_id
    yield "kind", source.kind
    yield "mode", source.mode
    yield "jobs start", _job_start(source)
    yield "rejects", _tolerance_text(source.on_error)
    yield "guards", _guards_text(source.guards)
    pattern = source.snapshot_pattern
    by_default = "time of receipt, unless an upload specifies one"
    yield "snapshot time", f"from file names: {pattern}" if pattern else by_default
    if source.net_of_orders:
        yield "quantities", "leave out what was ordered before the snapshot"
    yield "created", moment_utc(source.created_at)
    yield from freshness_fields(source)


def state_text(freshness: "Freshness | None") -> str:
    """How fresh a source is; blank if nothing is expected of it."""
    return "" if freshness is None or freshness.state == "unknown" else freshness.state


def freshness_fields(source: "Source") -> Iterator[tuple[str, str]]:
    """How fresh a source is, and what is expected of it."""
    from commerce_core.base.durations import duration_words
    from entrypoints.cli.kit.output import moment_utc

    found, off = source.freshness, source.expected
    if source.stop_selling_after is not None:
        yield (
            "stops selling",
            f"{duration_words(source.stop_selling_after)} after its last fresh file",
        )
    if found is None or found.basis is None:
        return
    yield "freshness", found.state
    yield "last fresh file", moment_utc(found.last_fresh_at) if found.last_fresh_at else "none yet"
    yield "expects", _expectation_text(found)
    days = [*off.weekdays_off, *(day.isoformat() for day in off.dates_off)]
    yield "days off", ", ".join(days)
    if found.expected_by is not None:
        yield "next file", f"by {moment_utc(found.expected_by)}"
    if found.stale_at is not None:
        yield "stale", f"from {moment_utc(found.stale_at)} on"


def _expectation_text(found: "Freshness") -> str:
    """What is expected, from what that follows, and how sure it is."""
    from commerce_core.base.durations import duration_words

    if found.grace is None:
        return ""
    when = f"every {duration_words(found.every)}" if found.every else f"{found.cron}"
    zone = "" if found.every else f" {found.time_zone}"
    share = f", {found.confidence * 100:.0f} % came" if found.confidence is not None else ""
    text = f"{when}{zone}, with {duration_words(found.grace)} of grace ({found.basis}{share})"
    sure = found.expected_by is not None or found.confidence is None
    return text if sure else f"nothing: too irregular, at best {text}"


def _job_start(source: "Source") -> str:
    return "automatically" if source.run else "manually"


def _guards_text(guards: "GuardSettings") -> str:
    """The guards whose settings differ from the defaults."""
    from commerce_core.feeds.guards import DEFAULT_GUARDS, GUARD_SETTINGS

    changed = [
        name for name in GUARD_SETTINGS if _limit(guards, name) != _limit(DEFAULT_GUARDS, name)
    ]
    return ", ".join(f"{name} {_limit(guards, name)}" for name in changed) or "defaults"


def _limit(guards: "GuardSettings", name: str) -> str:
    limit: int | bool | None = getattr(guards, name)
    if isinstance(limit, bool):
        return "on" if limit else "off"
    return "off" if limit is None else str(limit)


def _tolerance_text(on_error: "OnError") -> str:
    """What is rejected when records have errors, as text."""
    if on_error.count == 0:
        return "the whole feed if any record has an error"
    limits = [
        f"{(on_error.share * 100).normalize():f}%" if on_error.share is not None else "",
        f"{on_error.count:,}" if on_error.count is not None else "",
    ]
    text = " or ".join(filter(None, limits))
    if not text:
        return "only records with errors"
    return f"the whole feed if more than {text} of its records have errors"
