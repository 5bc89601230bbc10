"""Lineage: where each value of a product came from, down to the cells.

    value ──> the version that set it ──> publication ──> feed, its sha256 ──> line ──> cells

The version that set a value is the earliest one since which it hasn't changed. If a revert brought
the value back, that is the version that the revert went back to.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import BinaryIO

from attrs import evolve, frozen

from commerce_core.catalog.product import Product, ProductStatus
from commerce_core.catalog.publication import Publication, PublicationKind
from commerce_core.feeds.feed import Feed
from commerce_core.parsing.prepared import Prepared
from commerce_core.parsing.reader import Header, open_feed
from commerce_core.parsing.record_reader import Terms
from commerce_core.profiles.mapping import PICTURES, FieldMapping
from commerce_core.profiles.normalise import translation
from commerce_core.profiles.presets import in_full
from commerce_core.schema.fields import PRODUCT_FIELDS, Mode, Value


@frozen
class CellRef:
    """A cell of a record, with its header as the partner wrote it."""

    column: str
    cell: str


@frozen
class SourceRecord:
    """A record that set values of a product, with its feed and publication.

    `text` is the record as it is in the raw file, `cells` are its cells. Both are empty if there is
    no record, and `note` is the reason: the product was absent from the file, or the file can no
    longer be read.
    """

    version: int
    publication: int
    kind: PublicationKind
    published_at: datetime
    actor: str
    feed_id: str
    file_name: str
    sha256: str
    mode: Mode
    profile_version: int
    line: int
    text: str = ""
    cells: tuple[CellRef, ...] = ()
    note: str | None = None


@frozen
class ValueOrigin:
    """One value of a product: the version that set it, and the cells that it was read from.

    `reading` is how the cells were read or, if `cells` is empty, where else the value came from.
    """

    field: str
    value: Value
    version: int
    feed_id: str
    line: int
    cells: tuple[CellRef, ...]
    reading: str


@frozen
class Lineage:
    """Where a version of a product came from: the record that wrote it, and each value's origin."""

    product_id: str
    partner_name: str
    sku: str
    version: int
    status: ProductStatus
    written_by: SourceRecord
    witnesses: tuple[SourceRecord, ...]
    values: tuple[ValueOrigin, ...]


@frozen
class Origins:
    """The versions of a product up to one of them, from which each value's origin follows."""

    versions: Mapping[int, Product]
    asked: int

    @classmethod
    def of(cls, versions: Sequence[Product], asked: int) -> "Origins":
        """Takes versions in any order; `asked` is the number of one of them."""
        return cls({version.version: version for version in versions}, asked)

    def set_by(self, field: str) -> Product:
        """The version that set the field's value in the asked version."""
        version = self.origin_of(self.versions[self.asked])
        while (before := self.versions.get(version.version - 1)) is not None:
            if getattr(before, field) != getattr(version, field):
                break
            version = self.origin_of(before)
        return version

    def origin_of(self, version: Product) -> Product:
        """The version itself, or the one whose values it brought back, if a revert wrote it."""
        if version.origin_id is None:
            return version
        first = (
            earlier
            for earlier in self.versions.values()
            if earlier.publication_id == version.origin_id and earlier.version < version.version
        )
        return next(first, version)

    def fields(self) -> Iterator[tuple[str, Product]]:
        """Every field that has a value, with the version that set it."""
        product = self.versions[self.asked]
        return (
            (name, self.set_by(name))
            for name in PRODUCT_FIELDS
            if getattr(product, name) is not None
        )


@frozen
class RecordReading:
    """One record of a raw file, and the terms by which the file is read."""

    header: Header
    terms: Terms
    prepared: Prepared

    @property
    def cells(self) -> tuple[CellRef, ...]:
        """All its cells, including the ones it took from the record before it."""
        header = self.header.mapping.header
        return tuple(
            CellRef(column, cell)
            for column, cell in zip(header, self.prepared.raw.cells or (), strict=False)
        )

    def explain(self, field: str, value: Value) -> tuple[tuple[CellRef, ...], str]:
        """The cells that a field's value came from, and how they were read."""
        feeding = self.header.mapping.field_mappings.get(field)
        cells = self.prepared.raw.cells
        if feeding is None or cells is None:
            return (), self._assumed(field)
        header = self.header.mapping.header
        used = tuple(CellRef(header[i], cells[i]) for i in feeding.indexes if i < len(cells))
        if not any(cell.cell for cell in used):
            return (), self._assumed(field) if field == "currency" else "set by the profile"
        return used, "; ".join(self._steps(field, feeding, cells, value))

    def _assumed(self, field: str) -> str:
        if field == "currency":
            field_mappings = (
                self.header.mapping.field_mappings.get(n) for n in ("price", "sale_price")
            )
            if any(feeding and feeding.currency for feeding in field_mappings):
                return "named in the price's header, or beside the price"
            where = "the profile's" if self.terms.profile.currency else "the partner's"
            return f"named beside the price, or {where} default"
        if field == PICTURES and self.prepared.pictures:
            return "from the records folded into this one"
        return "the file has no column for it"

    def _steps(
        self, field: str, feeding: FieldMapping, cells: Sequence[str], value: Value
    ) -> Iterator[str]:
        """The steps by which the cells became the value."""
        text = feeding.gather(cells)
        if len(feeding.indexes) > 1:
            yield f"combined as {text}"
        translated = translation(feeding.column, feeding.field.kind, self.terms.style)(text)
        read = translated if isinstance(translated, str) else text
        if read != text:
            yield f"read by the profile as {read}"
        if feeding.column.unit == "minor":
            yield "in minor units"
        if field == PICTURES and self.prepared.pictures:
            yield f"with {len(self.prepared.pictures)} from the records folded into it"
        if _as_text(value) != read:
            yield f"stored as {_as_text(value)}"
        elif read == text:
            whole = [cells[index] for index in feeding.indexes]
            yield "as sent" if whole == [read] else "trimmed"


def _as_text(value: Value) -> str:
    if isinstance(value, tuple):
        return ", ".join(value)
    return value.isoformat() if isinstance(value, datetime) else str(value)


def record_readings(raw: BinaryIO, terms: Terms, lines: Sequence[int]) -> dict[int, RecordReading]:
    """The records that begin on these lines, by line; reads no further than the last one."""
    wanted, found = set(lines), dict[int, RecordReading]()
    reader = open_feed(raw, terms)
    terms = evolve(terms, profile=in_full(terms.profile))
    for prepared in reader.prepared:
        if prepared.raw.line in wanted:
            found[prepared.raw.line] = RecordReading(reader.header, terms, prepared)
        if len(found) == len(wanted):
            break
    return found


def source_record(
    version: Product,
    publication: Publication,
    feed: Feed,
    reading: RecordReading | None,
    note: str | None,
) -> SourceRecord:
    """The record that wrote a version; its `note` is why there is no reading, if there is none."""
    return SourceRecord(
        version.version,
        publication.number or 0,
        publication.kind,
        version.updated_at,
        publication.actor,
        feed.feed_id,
        feed.file_name,
        feed.sha256,
        publication.mode,
        publication.profile_version,
        version.line,
        reading.prepared.raw.shown if reading else "",
        reading.cells if reading else (),
        note,
    )
