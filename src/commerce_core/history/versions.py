"""Versions: everything a product ever was, which in order is the stream of the catalog's changes.

    publication 7 ──> ordinal 1: product A, version 3    updated   price, quantity
                      ordinal 2: product B, version 2    removed
    publication 8 ──> ordinal 1: product C, version 1    created

The live product is its own latest version, and a version is kept as it was when a publication wrote
it. What kind of change it was follows from the version before, so nothing more is written for it.
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
"""Before the first change of the first publication."""
LARGEST_CHANGES: Final = 1_000
"""Changes of a page of the stream; a service that follows it reads many at a time."""

_LARGEST_NUMBER: Final = 2**62
_LARGEST_ORDINAL: Final = 2**31 - 1


@frozen
class Version:
    """A product as a publication wrote it, units on open orders left aside.

    `publication` is that one's number, `fields` are those that differ from the version before: none
    of a created product, since all of it is new.
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
        """The version that this product was, given the one before it, if that is known."""
        return cls(
            number, product.ordinal, change_of(product, before), product.product_id,
            product.version, differing(product, before), evolve(product, held=0),
        )  # fmt: skip

    @property
    def position(self) -> Position:
        """Where it stands in the stream."""
        return Position(str(self.publication), str(self.ordinal))


@frozen
class FieldChange:
    """What a field was before a version, and what it is since."""

    field: str
    before: Value
    after: Value


@frozen
class Revision:
    """One version of a product's history: who wrote it, where it came from, what it changed.

    `feed_id` and `line` are where its values came from; line 0 is no line, where a product was
    removed for not being in the file, or by a revert.
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
        """The version with what was before it, and the publication that wrote it."""
        product = version.product
        names = version.fields if before else _said(product)
        fields = tuple(
            FieldChange(name, getattr(before, name, None), getattr(product, name)) for name in names
        )
        return cls(
            version.version, version.change, version.publication, product.updated_at,
            publication.kind, publication.actor, product.feed_id, product.line, product.status,
            fields,
        )  # fmt: skip


def _said(product: Product) -> Iterator[str]:
    return (name for name in PRODUCT_FIELDS if getattr(product, name) is not None)


@frozen
class ChangeQuery:
    """Which changes: all that fit every filter given, in the order in which they happened.

    A source's are those that it published, and a feed's those that it wrote; reverts of a feed
    are its source's, but not its own. `kinds` empty means any kind.
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
    """Which products as they were once a publication had been made, by id.

    Those that fit every filter, `skus` empty meaning any. Units on open orders aren't part of it.
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
    """The same question about the past; InvalidInput `not_of_the_past` for any other."""
    past = PastQuery(number, query.partner_id, query.source_id, query.skus, query.status)
    if query != ProductQuery(
        partner_id=past.partner_id, source_id=past.source_id, skus=past.skus, status=past.status
    ):
        detail = (
            "The catalog of a past moment is sorted by product_id, and filtered by partner, "
            "source, sku and status alone."
        )
        raise InvalidInput.at("/as_of", "not_of_the_past", detail)
    return past


def change_of(product: Product, before: Product | None) -> ChangeKind:
    """What happened to the product when this version was written."""
    if product.version == 1:
        return "created"
    if product.status == "removed":
        return "removed"
    return "restored" if before and before.status == "removed" else "updated"


def differing(product: Product, before: Product | None) -> tuple[str, ...]:
    """The fields, in the schema's order, that differ from the version before."""
    if before is None:
        return ()
    return tuple(name for name in PRODUCT_FIELDS if getattr(product, name) != getattr(before, name))


def check_known(forgotten: int, position: Position) -> Position:
    """The position itself if nothing behind it was forgotten; Malformed `cursor_expired` if so."""
    if forgotten and place(position)[0] <= forgotten:
        detail = (
            f"Changes up to publication {forgotten:,} are forgotten, so there would be a gap. "
            "Begin anew with an export of products: its X-Changes-Cursor is where to go on from."
        )
        raise Malformed.at("/cursor", "cursor_expired", detail)
    return position


def check_as_of(forgotten: int, number: int) -> int:
    """The number itself if the catalog as of it is known; Malformed `history_forgotten` if not."""
    if number < forgotten:
        detail = f"Versions that were live before publication {forgotten:,} are forgotten."
        raise Malformed.at("/as_of", "history_forgotten", detail)
    return number


def behind(number: int) -> Position:
    """The position behind everything up to the publication of that number."""
    return Position(str(number + 1), "0")


def place(position: Position) -> tuple[int, int]:
    """The number and ordinal of a position; Malformed where it isn't one of the stream."""
    number, ordinal = position.number or 0, Position(position.id, "").number or 0
    return int(min(number, _LARGEST_NUMBER)), int(min(ordinal, _LARGEST_ORDINAL))


def first_changes(found: list[Version], limit: int, latest: int) -> Page[Version]:
    """A page of the stream of what follows in it, up to the latest publication's number.

    There is always a position to go on from: behind the last change, or, with nothing left, behind
    all that was looked at.
    """
    items = tuple(found[:limit])
    more = len(items) == limit
    return Page(items, items[-1].position if more else behind(latest))
