"""Wording: an alert as a short mail in plain text, and as the body of a webhook."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

from commerce_core.activity.inbox import ItemKind
from commerce_core.alerts.alert import Alert, Entry, Phase
from commerce_core.base.text import given_name

Link = Callable[[ItemKind, str], str | None]
"""The address of the page about a subject; None if the platform doesn't know its own address."""

LONGEST_SUBJECT: Final = 150
WHAT_TO_DO: Final[dict[ItemKind, str]] = {
    "held": "Look at its plan, then approve or reject it.",
    "oversold": "Check the stock with the partner, and cancel what can't be delivered.",
    "statement": "Compare its entries with the ledger, and correct what is owed.",
    "late": "Ask the partner where the file is, or change when it is expected.",
    "failed": "Look at the reason, and ask the partner for a corrected file.",
    "rejects": "Look at the problems, and ask the partner about the records.",
    "webhook": "Repair the receiver, enable the webhook, and send what it missed.",
}
"""What a person does about each kind of cause."""
_HEADS: Final[dict[Phase, str]] = {"new": "", "grown": "Still open: ", "over": "Over: "}
_COUNTED: Final[dict[ItemKind, str]] = {"rejects": "record"}
"""What the number of products counts, if that isn't products."""


def no_link(_kind: ItemKind, _subject: str) -> str | None:
    """A platform that doesn't know its own address."""
    return None


def subject_of(alert: Alert) -> str:
    """The subject of the mail: how severe it is, and what happened, on one line."""
    first, others = alert.entries[0], len(alert.entries) + alert.more - 1
    test = "Test: " if alert.test else ""
    rest = f", and {others:,} more" if others else ""
    head = f"[{alert.severity}] {test}{_HEADS[first.phase]}"
    room = LONGEST_SUBJECT - len(head) - len(rest)
    title = given_name(_titled(first))
    return head + (title if len(title) <= room else f"{title[: room - 1]}\u2026") + rest


def text_of(alert: Alert, link: Link) -> str:
    """The mail's text: a paragraph for each cause."""
    paragraphs = ["\n".join(_paragraph(entry, link)) for entry in alert.entries]
    if alert.test:
        paragraphs.insert(0, "This is a test of the channel. Nothing has happened.")
    if alert.more:
        paragraphs.append(f"{alert.more:,} more causes are in the inbox.")
    paragraphs.append(
        "A cause that is acknowledged or snoozed in the inbox sends no further messages.\n"
        f"Channel {alert.channel_id}, message {alert.alert_id}."
    )
    return "\n\n".join(paragraphs) + "\n"


def body_of(alert: Alert, link: Link) -> bytes:
    """The body for a webhook. `text` is what chat systems show."""
    content: dict[str, Any] = {
        "type": "alert.test" if alert.test else "alert.raised",
        "timestamp": _written(alert.created_at),
        "text": f"{subject_of(alert)}\n\n{text_of(alert, link)}",
        "data": {
            "alert_id": alert.alert_id,
            "channel_id": alert.channel_id,
            "severity": alert.severity,
            "causes": [_cause(entry, link) for entry in alert.entries],
            "more": alert.more,
        },
    }
    if alert.test:
        content["test"] = True
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def _titled(entry: Entry) -> str:
    """What happened, and to which partner unless the title names it."""
    name = entry.partner_name
    return f"{entry.title} ({name})" if name and name not in entry.title else entry.title


def _paragraph(entry: Entry, link: Link) -> Iterator[str]:
    yield f"{_HEADS[entry.phase]}{_titled(entry)}"
    yield f"  severity    {entry.severity}"
    yield f"  since       {_minute(entry.since)}"
    if entry.phase == "over":
        return
    if entry.latest_at > entry.since:
        yield f"  last        {_minute(entry.latest_at)}"
    if effect := _effect(entry):
        yield f"  effect      {effect}"
    yield f"  reason      {entry.reason}"
    yield f"  what to do  {WHAT_TO_DO[entry.kind]}"
    page = link(entry.kind, entry.subject) if entry.subject else None
    if page is not None:
        yield f"  {page}"


def _effect(entry: Entry) -> str:
    """What the cause concerns: products, records or equal cases, and what the partner sells."""
    parts: list[str] = []
    if entry.products is not None:
        noun = _COUNTED.get(entry.kind, "product")
        parts.append(f"{entry.products:,} {noun}" + ("" if entry.products == 1 else "s"))
    elif entry.count > 1:
        parts.append(f"{entry.count:,} times")
    if entry.a_day:
        amounts = " and ".join(f"{each.amount:,f} {each.currency}" for each in entry.a_day)
        parts.append(f"the partner sells {amounts} a day")
    return "; ".join(parts)


def _cause(entry: Entry, link: Link) -> dict[str, Any]:
    return {
        "cause_id": entry.cause_id,
        "phase": entry.phase,
        "kind": entry.kind,
        "severity": entry.severity,
        "title": entry.title,
        "reason": entry.reason,
        "what_to_do": WHAT_TO_DO[entry.kind],
        "partner_id": entry.partner_id or None,
        "partner_name": entry.partner_name or None,
        "since": _written(entry.since),
        "latest_at": _written(entry.latest_at),
        "count": entry.count,
        "products": entry.products,
        "a_day": [{"currency": s.currency, "amount": f"{s.amount:f}"} for s in entry.a_day],
        "subject": entry.subject,
        "url": link(entry.kind, entry.subject) if entry.subject else None,
    }


def _minute(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _written(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
