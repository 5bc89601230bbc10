"""Identities: the text of a value that is hashed into what clients and databases keep.

A cursor is bound to its list, and an idempotency key to its request, by a hash. Such a hash
outlives the code that made it. It is therefore computed from a text that each class spells out and
that doesn't change when a class or a field is renamed.
"""

from typing import ClassVar, Protocol, cast

from attrs import has


class _Identified(Protocol):
    """An attrs value that is hashed.

    `IDENTITY` is a template over it (`Feeds(status={0.status!r})`). Hashes of its result are kept,
    so neither its words nor their order may ever change; what is added later is appended.
    """

    IDENTITY: ClassVar[str]


def identity(value: object) -> str:
    """The text that stands for a value in a hash: by its template, or the literal of a plain one.

    AttributeError for an attrs value whose class spells none out.
    """
    if has(type(value)):
        return cast("_Identified", value).IDENTITY.format(value)
    return repr(value)


def identity_or_text(value: object) -> str:
    """The same within JSON, where what JSON itself can't say stands as its usual text."""
    return identity(value) if has(type(value)) else str(value)
