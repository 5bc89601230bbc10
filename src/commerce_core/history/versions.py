"""Versions: every state a product was in; in order, they are the stream of the catalog's changes.

    publication 7 ──> ordinal 1: product A, version 3    updated   price, quantity
                      ordinal 2: product B, version 2    removed
    publication 8 ──> ordinal 1: product C, version 1    created

The live product is its own latest version, and a version is kept as its publication wrote it. The
kind of change follows from the version before, so it isn't stored.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import ClassVar, Final, Literal

from attrs import evolve, frozen

from commerce_core.base.errors import InvalidInput, Malformed
from commerce_core.base.paging import Page, Position
from commerce_core.catalog.product import Product, ProductQuery, ProductStatus
from commerce_core.catalog.publication import ChangeKind, Publication, PublicationKind
from commerce_core.schema.fields import PRODUCT_FIELDS, Value

START: Final = Position("1", "0")
"""The position before the first change of the first publication."""
LARGEST_CHANGES: Final = 1_000
"""The most changes in a page of the stream; a service that follows it reads many at a time."""

_LARGEST_NUMBER: Final = 2**62
_LARGEST_ORDINAL: Final = 2**31 - 1


@frozen
class Version:
    """A product as a publication wrote it, without units reserved by open orders.

    `publication` is the publication's number. `fields` are the fields that differ from the version
    before; empty for a created product, since everything about it is new.
    """

    publication: int
    ordinal: int
    change: ChangeKind
    product_id: str
    version: int
    fields: tuple[str, ...]
    product: Product

    @classmethod
    def of(cls, number: int, product: Product, before: Product | None) -> "Version":
        """The version that this product was, given the version before it, if that is known."""
        return cls(
            number, product.ordinal, change_of(product, before), product.product_id,
            product.version, differing(product, before),
            evolve(product, reserved=0, partner_gone=False, net_of_orders=False, stale=False),
        )  # fmt: skip

    @property
    def position(self) -> Position:
        """Its position in the stream."""
        return Position(str(self.publication), str(self.ordinal))


@frozen
class FieldChange:
    """A field's value before a version, and in it."""

    field: str
    before: Value
    after: Value


@frozen
class Revision:
    """One version in a product's history: who wrote it, where it came from, what it changed.

    `feed_id` and `line` are where its values came from; line 0 means that there is no such line,
    since the product was removed by a revert, or because it wasn't in the file.
    """

    version: int
    change: ChangeKind
    publication: int
    published_at: datetime
    kind: PublicationKind
    actor: str
    feed_id: str
    line: int
    status: ProductStatus
    fields: tuple[FieldChange, ...]

    @classmethod
    def of(cls, version: Version, before: Product | None, publication: Publication) -> "Revision":
        """Combines a version with the product before it and the publication that wrote it."""
        product = version.product
        names = version.fields if before else _filled(product)
        fields = tuple(
            FieldChange(name, getattr(before, name, None), getattr(product, name)) for name in names
        )
        return cls(
            version.version, version.change, version.publication, product.updated_at,
            publication.kind, publication.actor, product.feed_id, product.line, product.status,
            fields,
        )  # fmt: skip


def _filled(product: Product) -> Iterator[str]:
    return (name for name in PRODUCT_FIELDS if getattr(product, name) is not None)


@frozen
class ChangeQuery:
    """Selects the changes that match every given filter, in the order in which they happened.

    A source matches what it published, and a feed what it wrote; the revert of a feed matches the
    feed's source, but not the feed. Empty `kinds` match any kind.
    """

    IDENTITY: ClassVar = (
        "ChangeQuery(partner_id={0.partner_id!r}, source_id={0.source_id!r}, "
        "feed_id={0.feed_id!r}, kinds={0.kinds!r})"
    )
    partner_id: str | None = None
    source_id: str | None = None
    feed_id: str | None = None
    kinds: tuple[ChangeKind, ...] = ()


@frozen
class PastQuery:
    """Selects products as they were just after a publication, by id.

    They match every given filter; empty `skus` match any sku. Units reserved by open orders aren't
    part of the past.
    """

    IDENTITY: ClassVar = (
        "PastQuery(number={0.number!r}, partner_id={0.partner_id!r}, "
        "source_id={0.source_id!r}, skus={0.skus!r}, status={0.status!r})"
    )
    number: int
    partner_id: str | None = None
    source_id: str | None = None
    skus: tuple[str, ...] = ()
    status: Literal["active", "removed", "all"] = "active"


def past_query(query: ProductQuery, number: int) -> PastQuery:
    """The same query about the past; InvalidInput `not_of_the_past` if it can't be asked there."""
    past = PastQuery(number, query.partner_id, query.source_id, query.skus, query.status)
    if query != ProductQuery(
        partner_id=past.partner_id, source_id=past.source_id, skus=past.skus, status=past.status
    ):
        detail = (
            "The catalog of a past moment can only be sorted by product_id, and filtered by "
            "partner, source, sku and status."
        )
        raise InvalidInput.at("/as_of", "not_of_the_past", detail)
    return past


def change_of(product: Product, before: Product | None) -> ChangeKind:
    """The kind of change that wrote this version of the product."""
    if product.version == 1:
        return "created"
    if product.status == "removed":
        return "removed"
    return "restored" if before and before.status == "removed" else "updated"


def differing(product: Product, before: Product | None) -> tuple[str, ...]:
    """The fields that differ from the version before, in the schema's order."""
    if before is None:
        return ()
    return tuple(name for name in PRODUCT_FIELDS if getattr(product, name) != getattr(before, name))


def check_known(forgotten: int, position: Position) -> Position:
    """Returns the position if nothing after it was deleted; else Malformed `cursor_expired`."""
    if forgotten and place(position)[0] <= forgotten:
        detail = (
            f"Changes up to publication {forgotten:,} were deleted, so some would be missed. Start "
            "again with an export of the products, and continue from its X-Changes-Cursor."
        )
        raise Malformed.at("/cursor", "cursor_expired", detail)
    return position


def check_as_of(forgotten: int, number: int) -> int:
    """Returns the number if the catalog at it is known; Malformed `history_forgotten` otherwise."""
    if number < forgotten:
        detail = f"The history before publication {forgotten:,} was deleted. Use a later time."
        raise Malformed.at("/as_of", "history_forgotten", detail)
    return number


def behind(number: int) -> Position:
    """The position after everything up to the publication with that number."""
    return Position(str(number + 1), "0")


def place(position: Position) -> tuple[int, int]:
    """The publication's number and the ordinal at a position; Malformed if it isn't valid."""
    number, ordinal = position.number or 0, Position(position.id, "").number or 0
    return int(min(number, _LARGEST_NUMBER)), int(min(ordinal, _LARGEST_ORDINAL))


def first_changes(found: list[Version], limit: int, latest: int) -> Page[Version]:
    """A page of the stream, from the changes found up to the latest publication's number.

    It always has a position to go on from: after its last change or, if nothing is left, after the
    latest publication.
    """
    items = tuple(found[:limit])
    more = len(items) == limit
    return Page(items, items[-1].position if more else behind(latest))
