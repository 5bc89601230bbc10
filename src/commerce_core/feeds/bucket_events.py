"""Messages of a queue about a bucket: which keys they report as new.

A message is only a hint that there is something to look at. Messages come twice, late, in any
order or not at all; a list of the bucket decides what is taken, each version of a key once.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast
from urllib.parse import unquote_plus

from attrs import frozen

from commerce_core.feeds.place import LONGEST_PATH, S3Place, fits

LONGEST_MESSAGE: Final = 1 << 20
"""Characters of a message that is read."""
MOST_EVENTS: Final = 1_000
"""Events of one message that are read."""
_DEEPEST: Final = 3
"""How often a message may be wrapped, by SNS or EventBridge."""


@frozen
class NewKey:
    """A key that an event reports as created. A `sequencer` orders the events of a key."""

    bucket: str
    key: str
    sequencer: str = ""


def is_about(place: S3Place, body: str) -> bool:
    """Whether a message reports a new key of the place."""
    return any(
        each.bucket == place.bucket
        and each.key.startswith(place.prefix)
        and not each.key.endswith("/")
        and fits(place, each.key)
        for each in new_keys(body)
    )


def new_keys(body: str) -> Sequence[NewKey]:
    """The keys that a message reports as created; none for other messages, whatever they contain.

    Of several events of a key, the latest by `sequencer`, which is hexadecimal and compared after
    it was padded with zeros on the left.
    """
    latest: dict[tuple[str, str], NewKey] = {}
    for each in _events(body, _DEEPEST):
        before = latest.get((each.bucket, each.key))
        if before is None or _order(each) >= _order(before):
            latest[each.bucket, each.key] = each
    return tuple(latest.values())


def _order(event: NewKey) -> str:
    return event.sequencer.upper().rjust(64, "0")


def _events(body: str, depth: int) -> Iterator[NewKey]:
    message = _object(body)
    if not message or not depth:
        return
    wrapped = message.get("Message")
    if message.get("Type") == "Notification" and isinstance(wrapped, str):
        yield from _events(wrapped, depth - 1)
        return
    if message.get("detail-type") == "Object Created":
        yield from _new(_mapping(message.get("detail")))
        return
    records = message.get("Records")
    for record in (cast("list[object]", records) if isinstance(records, list) else [])[
        :MOST_EVENTS
    ]:
        event = _mapping(record)
        if str(event.get("eventName", "")).removeprefix("s3:").startswith("ObjectCreated:"):
            yield from _new(_mapping(event.get("s3")), is_quoted=True)


def _new(content: Mapping[str, Any], *, is_quoted: bool = False) -> Iterator[NewKey]:
    bucket = _mapping(content.get("bucket")).get("name")
    thing = _mapping(content.get("object"))
    key, sequencer = thing.get("key"), thing.get("sequencer")
    if isinstance(bucket, str) and isinstance(key, str) and len(key) <= LONGEST_PATH * 3:
        name = unquote_plus(key) if is_quoted else key
        order = sequencer if isinstance(sequencer, str) and len(sequencer) <= 64 else ""  # noqa: PLR2004
        yield NewKey(bucket, name, order)


def _object(body: str) -> Mapping[str, Any]:
    if len(body) > LONGEST_MESSAGE:
        return {}
    try:
        return _mapping(json.loads(body))
    except (ValueError, RecursionError):
        return {}


def _mapping(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}
