"""Where a source's files are fetched from: the form of its settings, and rehearsing a fetch."""

from typing import Any, Final, get_args

from attrs import frozen

from commerce_core.base.errors import NotFound
from commerce_core.commerce import Commerce
from commerce_core.feeds.place import PlaceKind
from commerce_core.feeds.pull import Pull
from commerce_core.usecases.fetching.rehearsal import REHEARSAL_SECONDS
from entrypoints.dashboard.kit.pages import Goto, act, page
from entrypoints.dashboard.kit.rendering import View
from entrypoints.reading import optional, required
from entrypoints.scalars import SourceId


@frozen
class Form:
    """How the form names a kind of place, what its address is like, and whether it has folders."""

    title: str
    hint: str
    has_folders: bool


def _form_of(kind: PlaceKind) -> Form:
    match kind:
        case "https":
            hint = "one file at a public address: https://shop.example/feed.csv"
            return Form("A file of a web server", hint, has_folders=False)
        case "sftp":
            hint = "sftp://shop.example/out/feed.csv, or a folder, which ends with /"
            return Form("A file or folder, by SFTP", hint, has_folders=True)
        case "s3":
            hint = "s3://bucket/prefix: each key that begins with it"
            return Form("A bucket of S3", hint, has_folders=True)


FORMS: Final = {kind: _form_of(kind) for kind in get_args(PlaceKind)}


def has_folders(pull: Pull | None) -> bool:
    """Whether a source is fetched from a place that may have past files."""
    return pull is not None and FORMS[pull.kind].has_folders


@frozen(kw_only=True)
class Choice:
    """Of which kind of server the form asks for the settings."""

    kind: PlaceKind | None = optional(None, "Kind.")


@frozen(kw_only=True)
class PullForm:
    """All settings; what is left blank isn't set. A secret that is left blank stays as it is."""

    url: str = required("Address.")
    username: str | None = optional(None, "User, or id of the access key.")
    secret: str | None = optional(None, "Password, private key, token, or secret access key.")
    forget_secret: bool = optional(default=False, meaning="Whether to delete the stored secret.")
    host_key: str | None = optional(None, "Public keys of the server.")
    pattern: str | None = optional(None, "Which files.")
    marker: str | None = optional(None, "File that shows that another is complete.")
    cron: str | None = optional(None, "When.")
    time_zone: str = optional("UTC", "Time zone.")
    endpoint: str | None = optional(None, "Endpoint.")
    region: str | None = optional(None, "Region.")
    queue_url: str | None = optional(None, "Queue.")


def pull_of(commerce: Commerce, source_id: str) -> Pull | None:
    """Where the source is fetched from; None if its files are uploaded."""
    try:
        return commerce.pulls.get(source_id)
    except NotFound:
        return None


@page("/sources/{source_id:str}/pull", scope="feeds:write")
def show_pull(commerce: Commerce, source_id: SourceId, parameters: Choice) -> View:
    """Asks for the settings by which a source is fetched; the secret isn't shown."""
    source = commerce.sources.get(source_id)
    pull = pull_of(commerce, source_id)
    kind: PlaceKind = parameters.kind or (pull.kind if pull else "https")
    values: dict[str, Any] = {
        "source": source,
        "pull": pull,
        "kind": kind,
        "hint": FORMS[kind].hint,
        "has_folders": FORMS[kind].has_folders,
        "KINDS": [(each, form.title) for each, form in FORMS.items()],
    }
    return View(
        "pull.html", f"How {source.source_name} is fetched", values=values,
        curl=f"/sources/{source_id}/pull", command=f"sources pull {source_id}",
    )  # fmt: skip


@act("/sources/{source_id:str}/pull", scope="feeds:write")
def set_pull(commerce: Commerce, source_id: SourceId, form: PullForm) -> Goto:
    """Sets up fetching a source."""
    commerce.pulls.set(
        source_id, form.url, username=form.username, secret=_with_line_feeds(form.secret),
        keeps_secret=not form.forget_secret, cron=form.cron, time_zone=form.time_zone,
        host_key=form.host_key, pattern=form.pattern, marker=form.marker, endpoint=form.endpoint,
        region=form.region, queue_url=form.queue_url,
    )  # fmt: skip
    return Goto(f"/sources/{source_id}", "Saved. Test it before its next time.")


def _with_line_feeds(secret: str | None) -> str | None:
    """A secret as it was pasted: browsers end the lines of a key with two characters."""
    return None if secret is None else secret.replace("\r\n", "\n").strip()


@act("/sources/{source_id:str}/pull/remove", scope="feeds:write")
def remove_pull(commerce: Commerce, source_id: SourceId) -> Goto:
    """Stops fetching a source."""
    commerce.pulls.remove(source_id)
    return Goto(f"/sources/{source_id}", "It isn't fetched any more. Its secret was deleted.")


@act("/sources/{source_id:str}/test", scope="feeds:write", lane="examinations")
def test_pull(commerce: Commerce, source_id: SourceId) -> View:
    """Shows what a fetch would take now, and why not the others; nothing is kept."""
    source = commerce.sources.get(source_id)
    values = {
        "source": source,
        "found": commerce.pulls.test(source_id),
        "seconds": int(REHEARSAL_SECONDS),
    }
    return View(
        "pull-test.html", f"Test of {source.source_name}", values=values,
        command=f"sources test {source_id}",
    )  # fmt: skip


ROUTES = (show_pull, set_pull, remove_pull, test_pull)
