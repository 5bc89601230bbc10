"""`commerce sources pull, fetch, fetches`: sources that are fetched, and what was fetched."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, TextIO

import click

from entrypoints.cli.commands.sources import sources
from entrypoints.cli.kit.verbs import Session, limit_option, partner_option

if TYPE_CHECKING:
    from commerce_core.feeds.pull import Fetch, Pull

__all__ = ["sources"]


@sources.verb("pull", scope="feeds:write")
@click.argument("source")
@partner_option("Partner that the source belongs to, if SOURCE is a name.")
@click.option(
    "--url",
    help="Address: https://HOST/FILE, sftp://HOST/FILE, or sftp://HOST/FOLDER/. Without it, the "
    "present settings are shown.",
)
@click.option("--username", help="User of the server; over https without one, bearer.")
@click.option(
    "--secret-file",
    type=click.File("r"),
    help="File with the password, private key or token; - for standard input. It is sealed, and "
    "never shown.",
)
@click.option("--no-secret", is_flag=True, help="Delete the stored secret.")
@click.option(
    "--host-key-file",
    type=click.File("r"),
    help="File with the public keys of the SFTP server, as ssh-keyscan prints them.",
)
@click.option("--host-key", help="The public key itself, or its fingerprint SHA256:...")
@click.option("--pattern", help="Which files of a folder, such as 'stock-*.csv' (default: all).")
@click.option(
    "--marker",
    help="Name of the file that shows that another one is complete, such as {name}.done.",
)
@click.option("--cron", help="When to fetch, such as '30 6 * * mon-fri' (default: on request).")
@click.option("--time-zone", default="UTC", show_default=True, help="Time zone of the schedule.")
@click.option("--off", is_flag=True, help="Stop fetching the source; its files are uploaded.")
def pull(session: Session, source: str, partner: str | None, **settings: Any) -> None:  # noqa: ANN401 - each option has its own type
    """Fetch a source from a server, by a schedule or on request."""
    pulls = session.commerce.pulls
    if settings["off"]:
        found = pulls.remove(source, partner=partner)
    elif settings["url"] is None:
        found = pulls.get(source, partner=partner)
    else:
        secret_file: TextIO | None = settings["secret_file"]
        keys_file: TextIO | None = settings["host_key_file"]
        found = pulls.set(
            source,
            settings["url"],
            partner=partner,
            username=settings["username"],
            secret=secret_file.read().strip() if secret_file else None,
            keeps_secret=not settings["no_secret"],
            cron=settings["cron"],
            time_zone=settings["time_zone"],
            host_key=keys_file.read() if keys_file else settings["host_key"],
            pattern=settings["pattern"],
            marker=settings["marker"],
        )
    session.out.one(found, lambda: _pull_fields(found))


@sources.verb("fetch", scope="feeds:write")
@click.argument("source")
@partner_option("Partner that the source belongs to, if SOURCE is a name.")
def fetch(session: Session, source: str, partner: str | None) -> None:
    """Fetch a source now; a worker does it."""
    made = session.commerce.pulls.fetch(source, partner=partner)
    session.out.one(made, lambda: _fetch_fields(made))


@sources.verb("fetches", scope="feeds:read")
@click.argument("source", required=False)
@partner_option("Only fetches of this partner, or the partner that has the source.")
@limit_option
def fetches(session: Session, source: str | None, partner: str | None, limit: int | None) -> None:
    """List what was fetched, newest first, of a source or of all."""
    from entrypoints.cli.kit.tables import Column

    columns: list[Column[Fetch]] = [
        Column("due", lambda f: _moment(f.due_at)),
        Column("status", lambda f: f.outcome or f.status),
        Column("bytes", lambda f: f"{f.bytes or f.progress.bytes_read:,}"),
        Column("feeds", lambda f: str(f.feeds), from_width=90),
        Column("tries", lambda f: str(f.tries), from_width=100),
        Column("error", lambda f: f.error.message if f.error else "", crops=True),
        Column("feed", lambda f: f.feed_id or "", from_width=100),
        Column("id", lambda f: f.fetch_id, from_width=140),
    ]
    session.out.many(
        session.commerce.pulls.fetches(source, partner=partner),
        columns,
        limit,
        "Nothing was fetched.",
    )


def _moment(at: datetime) -> str:
    from entrypoints.cli.kit.output import moment_utc

    return moment_utc(at)


def _pull_fields(pull: "Pull") -> Iterator[tuple[str, str]]:
    yield "source", pull.source_id
    yield "kind", pull.kind
    yield "url", pull.url
    for key in (pull.host_key or "").splitlines():
        yield "host key", key
    if pull.pattern:
        yield "pattern", pull.pattern
    if pull.marker:
        yield "marker", pull.marker
    yield "user", pull.username or "none"
    yield "secret", "stored" if pull.has_secret else "none"
    yield "schedule", f"{pull.cron} in {pull.time_zone}" if pull.cron else "on request"
    for at in pull.next_at:
        yield "next", _moment(at)


def _fetch_fields(fetch: "Fetch") -> Iterator[tuple[str, str]]:
    yield "id", fetch.fetch_id
    yield "source", fetch.source_id
    yield "status", fetch.outcome or fetch.status
    yield "due", _moment(fetch.due_at)
