"""Changes: what a plan does to each product, and samples of them to show."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from operator import itemgetter
from typing import Final

from attrs import frozen

from commerce_core.base.money import find_currency
from commerce_core.catalog.product import Product
from commerce_core.catalog.publication import CHANGE_KINDS, ChangeKind
from commerce_core.parsing.fingerprints import Fingerprint
from commerce_core.schema.fields import AMOUNTS, PRODUCT_FIELDS, Value
from commerce_core.schema.problems import LONGEST_SHOWN_VALUE

SAMPLES_OF_KIND: Final = 10


@frozen
class Change:
    """A product that a plan changes: what it was (None: it is new), and its new values."""

    kind: ChangeKind
    sku: str
    line: int
    before: Product | None
    values: Mapping[str, Value]
    fingerprint: Fingerprint | None = None


@frozen
class SampledField:
    """A field that changes: both values as text, cut off at 200 characters; None if blank."""

    field: str
    before: str | None
    after: str | None


@frozen
class Sample:
    """A product that a plan changes, as shown to people; `product_id` is None for a new one."""

    change: ChangeKind
    sku: str
    line: int
    product_id: str | None
    product_name: str
    fields: tuple[SampledField, ...]

    @classmethod
    def of(
        cls,
        kind: ChangeKind,
        sku: str,
        line: int,
        product_id: str | None,
        *,
        before: Mapping[str, Value],
        values: Mapping[str, Value],
    ) -> "Sample":
        """Compares the new `values` with the ones `before`."""
        former, new = before.get("currency"), values.get("currency") or before.get("currency")
        fields = tuple(
            SampledField(
                name,
                as_text(_with_decimals(name, before.get(name), former)),
                as_text(_with_decimals(name, values[name], new)),
            )
            for name in PRODUCT_FIELDS
            if name in values and values[name] != before.get(name)
        )
        name = values.get("product_name") or before.get("product_name")
        return cls(kind, sku, line, product_id, as_text(name) or "", fields)


def changed_fields(product: Product, values: Mapping[str, Value]) -> tuple[str, ...]:
    """The fields that the values change, in the schema's order."""
    return tuple(
        name for name in PRODUCT_FIELDS if name in values and values[name] != getattr(product, name)
    )


def order_of_change(change: Change) -> tuple[bool, str, int]:
    """A sort key for the order in a publication: existing products by id, then new ones by line."""
    return (change.before is None, change.before.product_id if change.before else "", change.line)


def samples(changes: Iterable[Change]) -> tuple[Sample, ...]:
    """The first changes of each kind, in the order of a publication; the reference."""
    ordered = sorted(changes, key=order_of_change)
    return tuple(
        _sample(change)
        for kind in CHANGE_KINDS
        for change in [change for change in ordered if change.kind == kind][:SAMPLES_OF_KIND]
    )


def _sample(change: Change) -> Sample:
    before = change.before
    return Sample.of(
        change.kind,
        change.sku,
        change.line,
        before.product_id if before else None,
        before=before.values() if before else {},
        values=change.values,
    )


def _with_decimals(field: str, value: Value, code: Value) -> Value:
    """The value; an amount with the decimals of its currency, however many it was sent with."""
    money = find_currency(code) if isinstance(code, str) else None
    if money is None or field not in AMOUNTS or not isinstance(value, Decimal):
        return value
    return money.round(value) if money.is_exact(value) else value


def as_text(value: Value) -> str | None:
    """The value as text to show, cut if it is long."""
    match value:
        case None:
            return None
        case bool():
            text = "yes" if value else "no"
        case Decimal():
            text = f"{value:f}"
        case datetime():
            text = value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case tuple():
            text = ", ".join(value)
        case Mapping():
            pairs = sorted(value.items(), key=itemgetter(0))
            text = "; ".join(f"{key}: {member}" for key, member in pairs)
        case _:
            text = str(value)
    return text[:LONGEST_SHOWN_VALUE]
