"""Links: the pages of the dashboard on which a person does something about a cause."""

from commerce_core.activity.inbox import ItemKind
from commerce_core.alerts.wording import Link

_PAGES = {
    "oversold": "products",
    "webhook": "webhooks",
    "late": "sources",
    "statement": "statements",
}


def path_of(kind: ItemKind, subject: str) -> str:
    """The path of the page about the subject of a cause."""
    return f"/{_PAGES.get(kind, 'feeds')}/{subject}"


def links_under(public_url: str) -> Link:
    """What returns the whole address of those pages."""
    root = public_url.rstrip("/")
    return lambda kind, subject: root + path_of(kind, subject)
