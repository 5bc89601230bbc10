"""A feed against the catalog: the reference comparison, which every store's faster one must equal.

Each record of the file meets the product that has its sku, and one fate. What isn't in the file is
absent, and in full mode removed. A comparison writes nothing; its plan is what applying it will do.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal

from attrs import field, frozen

from commerce_core.feed_schema import AMOUNTS, PRODUCT_FIELDS, Problem, Record, Value
from commerce_core.fingerprints import Fingerprint
from commerce_core.money import find_currency
from commerce_core.partners import Mode
from commerce_core.products import Product

ChangeKind = Literal["created", "updated", "restored", "removed"]


@frozen
class Incoming:
    """What a comparison has to know of a feed besides its records.

    `columns` are the fields that the file has, each with the partner's name for it; a field whose
    column the file lacks is left alone. `currency` is the partner's default.
    """

    partner_id: str
    source_id: str
    feed_id: str
    mode: Mode
    columns: Mapping[str, str]
    currency: str | None


@frozen
class Plan:
    """What a feed would do to the catalog. Nothing has been written.

    `before` are the active products of the source now. `contested` are the numbers of recognised
    records whose sku the file brings once more, so that no fingerprint can decide: then the file
    has to be compared anew without them, and this plan is none. `problems` are those that only the
    comparison can find, in the order of lines, as many as were asked for; all are counted.
    """

    incoming: Incoming
    created: int = 0
    updated: int = 0
    restored: int = 0
    unchanged: int = 0
    deleted: int = 0
    rejected: int = 0
    duplicate: int = 0
    blank: int = 0
    absent: int = 0
    removed: int = 0
    before: int = 0
    skus_unreadable: int = 0
    contested: tuple[int, ...] = ()
    updated_by_field: Mapping[str, int] = field(factory=dict[str, int])
    problems_by_code: Mapping[str, int] = field(factory=dict[str, int])
    problems: tuple[Problem, ...] = ()


@frozen
class Change:
    """One product that a plan changes: what it was (None: new), and the values that it gets."""

    kind: ChangeKind
    sku: str
    line: int
    before: Product | None
    values: Mapping[str, Value]
    fingerprint: Fingerprint | None = None


def compare(
    incoming: Incoming,
    records: Iterable[Record],
    find: Callable[[str], Product | None],
    active: Iterable[Product],
    problem_limit: int,
    *,
    recognised: Sequence[Product] = (),
) -> tuple[Plan, list[Change]]:
    """The plan of a feed and the changes it consists of, updated products first, new ones by line.

    `find` gives the partner's product of a sku, removed ones too; `active` are the active products
    of the feed's source, and `recognised` those whose records weren't read, since they say what
    the catalog says already.
    """
    tally: Counter[str] = Counter()
    problems: list[Problem] = []
    last = _last_of_each_sku(incoming, records, tally, problems)
    changes: list[Change] = []
    for record in last.values():
        decided = _decide(incoming, record, find)
        if isinstance(decided, Problem):
            problems.append(decided)
            tally["rejected"] += 1
        elif isinstance(decided, Change):
            changes.append(decided)
            tally["deleted" if decided.kind == "removed" else decided.kind] += 1
        else:
            tally[decided] += 1
    owned, seen = list(active), {product.sku for product in recognised}
    absent = [product for product in owned if product.sku not in last and product.sku not in seen]
    if removes_absent(incoming, tally["skus_unreadable"]):
        changes += [Change("removed", product.sku, 0, product, {}) for product in absent]
    tally["unchanged"] += len(recognised)
    tally["absent"] = len(absent)
    tally["removed"] = sum(change.kind == "removed" for change in changes)
    figures: dict[str, Any] = {**tally}
    plan = Plan(
        incoming,
        **figures,
        before=len(owned),
        updated_by_field=_fields_of(changes),
        problems_by_code=Counter(problem.code for problem in problems),
        problems=tuple(sorted(problems, key=lambda problem: problem.line)[:problem_limit]),
    )
    return plan, sorted(changes, key=_order_of_change)


def removes_absent(incoming: Incoming, skus_unreadable: int) -> bool:
    """Whether what isn't in the file is removed: never while some record's sku can't be read."""
    return incoming.mode == "full" and not skus_unreadable


def changed_fields(product: Product, values: Mapping[str, Value]) -> tuple[str, ...]:
    """The fields, in the schema's order, to which the values give something else."""
    return tuple(
        name for name in PRODUCT_FIELDS if name in values and values[name] != getattr(product, name)
    )


def _last_of_each_sku(
    incoming: Incoming, records: Iterable[Record], tally: Counter[str], problems: list[Problem]
) -> dict[str, Record]:
    """The records that count. The last one of a sku wins, even when it is itself rejected."""
    last: dict[str, Record] = {}
    for record in records:
        if record.blank:
            tally["blank"] += 1
        elif record.sku is None:
            tally["rejected"] += 1
            tally["skus_unreadable"] += 1
        else:
            earlier = last.pop(record.sku, None)
            if earlier is not None:
                tally["duplicate"] += 1
                problems.append(duplicate_problem(incoming, earlier, record))
            last[record.sku] = record
    return last


def duplicate_problem(incoming: Incoming, earlier: Record, later: Record) -> Problem:
    """The warning about a sku that comes again: both lines, and the fields that differ."""
    differing = [
        name for name in PRODUCT_FIELDS if earlier.values.get(name) != later.values.get(name)
    ]
    hint = duplicate_hint(earlier.line, later.line, differing)
    column = incoming.columns.get("sku")
    return Problem.of(
        "duplicate_sku", line=earlier.line, column=column, field="sku", value=earlier.sku, hint=hint
    )


def duplicate_hint(earlier: int, later: int, differing: Iterable[str]) -> str:
    """Says which of the two lines counts, and how they differ."""
    fields = ", ".join(differing) or "nothing"
    counts = f"Line {later} has the same sku and counts; line {earlier} doesn't."
    return f"{counts} They differ in: {fields}."


def _decide(
    incoming: Incoming, record: Record, find: Callable[[str], Product | None]
) -> Change | Problem | Literal["unchanged", "rejected"]:
    """The fate of a record that counts."""
    if record.rejected or record.sku is None:
        return "rejected"
    product = find(record.sku)
    gone = product is None or product.status == "removed"
    if record.deletes and gone:
        return "unchanged"
    if product and not gone and product.source_id != incoming.source_id:
        return _problem(incoming, record, "sku_of_other_source", "sku", record.sku)
    if record.deletes:
        return Change("removed", record.sku, record.line, product, {})
    if product is None and not record.values.get("product_name"):
        return _problem(incoming, record, "unknown_sku", "sku", record.sku)
    values = settle(incoming, record, product)
    if isinstance(values, Problem):
        return values
    if product is None:
        return Change("created", record.sku, record.line, None, values, record.fingerprint)
    if gone:
        return Change("restored", record.sku, record.line, product, values, record.fingerprint)
    if changed_fields(product, values):
        return Change("updated", record.sku, record.line, product, values, record.fingerprint)
    return "unchanged"


def settle(
    incoming: Incoming, record: Record, product: Product | None
) -> dict[str, Value] | Problem:
    """The record's values with the currency found and every amount in its decimals.

    A price that names no currency takes, in delta mode, the product's, then the partner's; in full
    mode the partner's first. An amount already in the catalog has to fit a currency that changes.
    """
    values = {name: record.values[name] for name in PRODUCT_FIELDS if name in record.values}
    if values.keys().isdisjoint((*AMOUNTS, "currency")):
        return values
    amounts = {name: values.get(name, getattr(product, name, None)) for name in AMOUNTS}
    code = values.get("currency")
    if code is None and any(amount is not None for amount in amounts.values()):
        own = product.currency if product else None
        code = (
            (own or incoming.currency) if incoming.mode == "delta" else (incoming.currency or own)
        )
        if code is None:
            name = "price" if amounts["price"] is not None else "sale_price"
            return _problem(incoming, record, "missing_currency", name, str(amounts[name]))
        values["currency"] = code
    currency = find_currency(code) if isinstance(code, str) else None
    for name, amount in amounts.items():
        if currency is None or not isinstance(amount, Decimal):
            continue
        if not currency.is_exact(amount):
            return _problem(incoming, record, "too_many_decimals", name, str(amount))
        values[name] = currency.round(amount)
    return values


def _problem(incoming: Incoming, record: Record, code: str, name: str, value: str) -> Problem:
    column = incoming.columns.get(name)
    return Problem.of(code, line=record.line, column=column, field=name, value=value)


def _fields_of(changes: Iterable[Change]) -> Counter[str]:
    return Counter(
        name
        for change in changes
        if change.kind == "updated" and change.before
        for name in changed_fields(change.before, change.values)
    )


def _order_of_change(change: Change) -> tuple[bool, str, int]:
    """The order within a publication: by product, which for new ones is their order in the file."""
    return (change.before is None, change.before.product_id if change.before else "", change.line)
