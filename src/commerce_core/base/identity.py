"""Identities: the text of a value that is hashed for clients and databases to keep.

A hash binds a cursor to its list, and an idempotency key to its request. Such a hash outlives the
code that made it, so it is computed from a text that each class spells out, and that doesn't change
when a class or a field is renamed.
"""

from collections.abc import Collection, Sequence
from functools import cache
from string import Formatter
from typing import Any, ClassVar, Protocol, cast

from attrs import Attribute, AttrsInstance, asdict, fields, has


class _Identified(Protocol):
    """An attrs value that is hashed.

    `IDENTITY` is a template for it (`Feeds(status={0.status!r})`). Hashes of the result are kept,
    so the text of an existing value must never change. A field that is added later needs no place
    in the template: it follows it if it isn't at its default. One that isn't part of what is asked
    for is listed in `UNHASHED`.
    """

    IDENTITY: ClassVar[str]


def identity(value: object) -> str:
    """The text that stands for a value in a hash: its class's template, or the `repr` of a literal.

    AttributeError for an attrs value whose class has no template.
    """
    if not has(type(value)):
        return repr(value)
    text = cast("_Identified", value).IDENTITY.format(value)
    later = ((a, getattr(value, a.name)) for a in _later_fields(type(value)))
    return ", ".join([text, *(f"{a.name}={given!r}" for a, given in later if given != a.default)])


@cache
def _later_fields(kind: "type[AttrsInstance]") -> "Sequence[Attribute[Any]]":
    """The fields that the template of a class doesn't have."""
    template: str = cast("Any", kind).IDENTITY
    named = {path.partition(".")[2] for _, path, _, _ in Formatter().parse(template) if path}
    unhashed: Collection[str] = getattr(kind, "UNHASHED", ())
    return [a for a in fields(kind) if a.name not in named and a.name not in unhashed]


def requested(asked: AttrsInstance, always: Collection[str]) -> dict[str, Any]:
    """What is asked, by name, to be hashed as the request of an idempotency key.

    Fields that aren't `always` in it, since they were added later, are only if they aren't at their
    default: so a request that is repeated after an upgrade is still the same.
    """
    return asdict(asked, filter=lambda at, value: at.name in always or value != at.default)


def identity_or_text(value: object) -> str:
    """The same for use within JSON, where values that JSON lacks stand as their usual text."""
    return identity(value) if has(type(value)) else str(value)
