"""A feed against the catalog: the reference comparison, which every store's faster one must equal.

Each record of the file is matched with the product that has its sku, and gets one fate. Products
that the file lacks are absent, and in full mode removed. A comparison writes nothing; its plan is
what applying it will do.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal

from attrs import evolve, field, frozen

from commerce_core.base.money import find_currency
from commerce_core.catalog.product import Product, is_sold_out
from commerce_core.catalog.publication import ChangeKind
from commerce_core.feeds.summary import Counts
from commerce_core.plans.changes import Change, Sample, changed_fields, order_of_change, samples
from commerce_core.plans.near_skus import (
    MOST_NAMED,
    lost_zeros_hint,
    near_skus,
    unknown_hint,
    without_zeros,
)
from commerce_core.plans.price_moves import NO_MOVES, PriceMove, PriceMoves, move_of, price_moves
from commerce_core.plans.rekeying import NONE_REKEYED, Rekeyed, rekeyed
from commerce_core.schema.fields import AMOUNTS, PRODUCT_FIELDS, Mode, Value
from commerce_core.schema.listed_problems import listed
from commerce_core.schema.problems import Problem
from commerce_core.schema.record import Record

MONEY: Final = (*AMOUNTS, "currency")
"""The fields that stay or change together."""
_SALE_WINDOW: Final = ("sale_price", "sale_starts_at", "sale_ends_at")


@frozen
class FeedContext:
    """What a comparison has to know about a feed besides its records.

    `columns` are the fields that the file has, each with the partner's name for it; a field whose
    column the file lacks is left alone. `currency` is the partner's default. A price that moves
    `price_leap` fold at once is kept (None: none is). `without_removals` keeps every product that
    would go. `source_names` are those of the partner's sources, by id. Newer feeds contained the
    `overtaken` skus, so they aren't absent if the file lacks them.
    """

    partner_id: str
    source_id: str
    feed_id: str
    mode: Mode
    columns: Mapping[str, str]
    currency: str | None
    price_leap: int | None = None
    without_removals: bool = False
    source_names: Mapping[str, str] = field(factory=dict[str, str])
    overtaken: frozenset[str] = frozenset()


@frozen
class Stock:
    """Products of the source that are in stock, and how many of them a plan sells out."""

    in_stock: int = 0
    sold_out: int = 0


@frozen(kw_only=True)
class Plan(Counts):
    """What a feed would do to the catalog. Nothing has been written.

    Its counts are those that a comparison can know: how many records were read, and those that are
    no offers, are counted while the feed is read. `before` are the active products of the source
    now. `contested` are the numbers of matched records whose sku the file brings once more, so that
    no fingerprint can decide: then the file has to be compared anew without them, and this plan
    doesn't count. `problems` are those that only the comparison can find, in the order of lines, up
    to the number asked for; all are counted. `withheld` are the deletes that an approval without
    removals left out. `price_moves` is how far prices move, `stock` what sells out, `rekeyed` which
    ids seem to have changed, and `samples` are the first changes of each kind.
    """

    feed_context: FeedContext
    before: int = 0
    skus_unreadable: int = 0
    contested: tuple[int, ...] = ()
    updated_by_field: Mapping[str, int] = field(factory=dict[str, int])
    problems_by_code: Mapping[str, int] = field(factory=dict[str, int])
    problems: tuple[Problem, ...] = ()
    withheld: int = 0
    price_moves: PriceMoves = NO_MOVES
    stock: Stock = Stock()
    rekeyed: Rekeyed = NONE_REKEYED
    samples: tuple[Sample, ...] = ()


@frozen
class _Verdict:
    """What becomes of a record that counts; `move` is how it would move the product's price."""

    fate: ChangeKind | Literal["unchanged", "withheld", "rejected"]
    change: Change | None = None
    problem: Problem | None = None
    move: PriceMove | None = None


def compare(
    feed_context: FeedContext,
    records: Iterable[Record],
    find: Callable[[str], Product | None],
    active: Iterable[Product],
    problem_limit: int,
    *,
    matched: Sequence[Product] = (),
) -> tuple[Plan, list[Change]]:
    """The plan of a feed and the changes it consists of, updated products first, new ones by line.

    `find` returns the partner's product of a sku, removed ones included; `active` are the active
    products of the feed's source, and `matched` the products whose records weren't read, since the
    catalog agrees with them already.
    """
    tally: Counter[str] = Counter()
    problems: list[Problem] = []
    last = _last_of_each_sku(feed_context, records, tally, problems)
    owned, seen = list(active), {product.sku for product in matched}
    present = (last.keys(), seen, feed_context.overtaken)
    absent = [product for product in owned if not any(product.sku in skus for skus in present)]
    zeros = _with_zeros(absent)
    verdicts = [_decide(feed_context, record, find, zeros) for record in last.values()]
    problems += [verdict.problem for verdict in verdicts if verdict.problem]
    fates = Counter(verdict.fate for verdict in verdicts)
    changes = [verdict.change for verdict in verdicts if verdict.change]
    meant = {
        record.sku
        for record, verdict in zip(last.values(), verdicts, strict=True)
        if verdict.problem and verdict.problem.code == "sku_lost_zeros"
    }
    absent = [product for product in absent if without_zeros(product.sku) not in meant]
    vanished = absent if removes_absent(feed_context, tally["skus_unreadable"]) else []
    changes += [Change("removed", product.sku, 0, product, {}) for product in vanished]
    plan = Plan(
        feed_context=feed_context,
        created=fates["created"],
        updated=fates["updated"],
        restored=fates["restored"],
        unchanged=fates["unchanged"] + fates["withheld"] + len(matched),
        deleted=fates["removed"],
        rejected=tally["rejected"] + fates["rejected"],
        duplicate=tally["duplicate"],
        absent=len(absent),
        removed=fates["removed"] + len(vanished),
        before=len(owned),
        skus_unreadable=tally["skus_unreadable"],
        updated_by_field=_fields_of(changes),
        problems_by_code=Counter(problem.code for problem in problems),
        problems=tuple(_listed(problems, find, problem_limit)),
        withheld=fates["withheld"],
        price_moves=price_moves([verdict.move for verdict in verdicts if verdict.move]),
        stock=_stock(owned, changes),
        rekeyed=_rekeyed(vanished, changes),
        samples=samples(changes),
    )
    return plan, sorted(changes, key=order_of_change)


def contained(
    feed_context: FeedContext, records: Iterable[Record], find: Callable[[str], Product | None]
) -> Iterator[Product]:
    """The products that accepted records of the feed are about, whether these change them or not.

    Products that were matched without reading their records are contained, too.
    """
    for record in _last_of_each_sku(feed_context, records, Counter(), []).values():
        product = find(record.sku or "")
        if product is not None and _decide(feed_context, record, find, {}).fate != "rejected":
            yield product


def _with_zeros(absent: Iterable[Product]) -> Mapping[str, str]:
    """The first of the absent skus with leading zeros, by what is left without them."""
    found: dict[str, str] = {}
    for sku in sorted(product.sku for product in absent):
        if (bare := without_zeros(sku)) is not None:
            found.setdefault(bare, sku)
    return found


def _listed(
    problems: Iterable[Problem], find: Callable[[str], Product | None], limit: int
) -> Iterator[Problem]:
    """The problems to list, by line; those of unknown skus name a near one."""
    named = 0
    for problem in listed(sorted(problems, key=lambda problem: problem.line), limit):
        near = None
        if problem.code == "unknown_sku" and named < MOST_NAMED:
            named += 1
            found = map(find, near_skus(problem.value or ""))
            near = next((p.sku for p in found if p is not None and p.status == "active"), None)
        yield evolve(problem, hint=unknown_hint(problem.hint, near) or problem.hint)


def _stock(owned: Iterable[Product], changes: Iterable[Change]) -> Stock:
    in_stock = sum(not is_sold_out(p.availability, p.quantity) for p in owned)
    return Stock(in_stock, sum(_sells_out(c) for c in changes if c.kind == "updated"))


def _sells_out(change: Change) -> bool:
    before = change.before.values() if change.before else {}
    after = {**before, **change.values}
    was, is_ = ((v.get("availability"), v.get("quantity")) for v in (before, after))
    return is_sold_out(*is_) and not is_sold_out(*was)


def _rekeyed(vanished: Iterable[Product], changes: Iterable[Change]) -> Rekeyed:
    newcomers = [(c.sku, c.values) for c in changes if c.kind == "created"]
    return rekeyed([(product.sku, product.values()) for product in vanished], newcomers)


def removes_absent(feed_context: FeedContext, skus_unreadable: int) -> bool:
    """Whether products that the file lacks are removed: never if a record's sku can't be read."""
    return feed_context.mode == "full" and not skus_unreadable and not feed_context.without_removals


def _last_of_each_sku(
    feed_context: FeedContext,
    records: Iterable[Record],
    tally: Counter[str],
    problems: list[Problem],
) -> dict[str, Record]:
    """The records that count. The last one of a sku wins, even when it is itself rejected."""
    last: dict[str, Record] = {}
    for record in records:
        if record.sku is None:
            tally["rejected"] += 1
            tally["skus_unreadable"] += 1
        else:
            earlier = last.pop(record.sku, None)
            if earlier is not None:
                tally["duplicate"] += 1
                problems.append(duplicate_problem(feed_context, earlier, record))
            last[record.sku] = record
    return last


def duplicate_problem(feed_context: FeedContext, earlier: Record, later: Record) -> Problem:
    """The warning about a sku that comes again: both lines, and the fields that differ."""
    differing = [
        name for name in PRODUCT_FIELDS if earlier.values.get(name) != later.values.get(name)
    ]
    hint = duplicate_hint(earlier.line, later.line, differing)
    column = feed_context.columns.get("sku")
    return Problem.of(
        "duplicate_sku", line=earlier.line, column=column, field="sku", value=earlier.sku, hint=hint
    )


def duplicate_hint(earlier: int, later: int, differing: Iterable[str]) -> str:
    """Names the line that counts, and how the two differ."""
    fields = ", ".join(differing) or "nothing"
    counts = f"Line {later} has the same sku and replaces line {earlier}."
    return f"{counts} They differ in: {fields}."


def _decide(
    feed_context: FeedContext,
    record: Record,
    find: Callable[[str], Product | None],
    zeros: Mapping[str, str],
) -> _Verdict:
    """The fate of a record that counts; `zeros` are absent skus, by what is left of them."""
    if record.rejected or record.sku is None:
        return _Verdict("rejected")
    product = find(record.sku)
    gone = product is None or product.status == "removed"
    if record.deletes and gone:
        return _Verdict("unchanged")
    if product and not gone and product.source_id != feed_context.source_id:
        problem = _problem(feed_context, record, "sku_of_other_source", "sku", record.sku)
        return _refused(evolve(problem, hint=other_source_hint(feed_context, product.source_id)))
    if record.deletes and feed_context.without_removals:
        return _Verdict("withheld")
    if record.deletes:
        return _Verdict("removed", Change("removed", record.sku, record.line, product, {}))
    if product is None and not record.values.get("product_name"):
        return _refused(_problem(feed_context, record, "unknown_sku", "sku", record.sku))
    values = settle(feed_context, record, product)
    if isinstance(values, Problem):
        return _refused(values)
    if product is None and (near := zeros.get(record.sku)) is not None:
        problem = _problem(feed_context, record, "sku_lost_zeros", "sku", record.sku)
        return _refused(evolve(problem, hint=lost_zeros_hint(near)))
    doubt = _doubt_sale(feed_context, record, product, values)
    if product is None:
        made = Change("created", record.sku, record.line, None, values, record.fingerprint)
        return _Verdict("created", made)
    if gone:
        fingerprint = None if doubt else record.fingerprint
        back = Change("restored", record.sku, record.line, product, values, fingerprint)
        return _Verdict("restored", back, doubt)
    return _update(feed_context, record, product, values, doubt)


def _refused(problem: Problem) -> _Verdict:
    return _Verdict("rejected", problem=problem)


def _update(
    feed_context: FeedContext,
    record: Record,
    product: Product,
    values: Mapping[str, Value],
    doubt: Problem | None,
) -> _Verdict:
    """What becomes of an active product; a price that leaps stays, with all that is money."""
    move = move_of(product, product.sku, record.line, values, feed_context.price_leap)
    problem, fingerprint = doubt, None if doubt else record.fingerprint
    if move and move.kept:
        values = {**values, **{name: getattr(product, name) for name in MONEY}}
        problem, fingerprint = leap_problem(feed_context, move), None
    verdict = _Verdict("unchanged", None, problem, move)
    if not changed_fields(product, values):
        return verdict
    change = Change("updated", product.sku, record.line, product, values, fingerprint)
    return evolve(verdict, fate="updated", change=change)


def leap_problem(feed_context: FeedContext, move: PriceMove) -> Problem:
    """The warning about a price that leaps, with both prices."""
    hint = (
        f"{move.after:f} differs from {move.before:f} {move.currency} by a factor of at least "
        f"{feed_context.price_leap}, so the old price is kept. If the new one is right, raise the "
        "source's guard price_leap."
    )
    return Problem.of(
        "price_leap",
        line=move.line,
        column=feed_context.columns.get("price"),
        field="price",
        value=f"{move.after:f}",
        hint=hint,
    )


def settle(
    feed_context: FeedContext, record: Record, product: Product | None
) -> dict[str, Value] | Problem:
    """The record's values with the currency found and every amount in its decimals.

    A price that names no currency takes, in delta mode, the product's, then the partner's; in full
    mode the partner's first. An amount already in the catalog never keeps its number in another
    currency: a new price clears the sale price, and without a new price the record is refused.
    """
    values = {name: record.values[name] for name in PRODUCT_FIELDS if name in record.values}
    if values.keys().isdisjoint((*AMOUNTS, "currency")):
        return values
    amounts = {name: values.get(name, getattr(product, name, None)) for name in AMOUNTS}
    code = values.get("currency")
    if code is None and any(amount is not None for amount in amounts.values()):
        own = product.currency if product else None
        code = (
            (own or feed_context.currency)
            if feed_context.mode == "delta"
            else (feed_context.currency or own)
        )
        if code is None:
            name = "price" if amounts["price"] is not None else "sale_price"
            return _problem(feed_context, record, "missing_currency", name, str(amounts[name]))
        values["currency"] = code
    if product and product.currency and code not in (None, product.currency):
        kept = [n for n in AMOUNTS if n not in values and getattr(product, n) is not None]
        if kept and "price" not in values:
            return _problem(feed_context, record, "currency_without_price", "currency", str(code))
        values |= dict.fromkeys(kept)
        amounts |= dict.fromkeys(kept)
    currency = find_currency(code) if isinstance(code, str) else None
    for name, amount in amounts.items():
        if currency is None or not isinstance(amount, Decimal):
            continue
        if not currency.is_exact(amount):
            return _problem(feed_context, record, "too_many_decimals", name, str(amount))
        values[name] = currency.round(amount)
    return values


def _doubt_sale(
    feed_context: FeedContext, record: Record, product: Product | None, values: dict[str, Value]
) -> Problem | None:
    """Takes a sale price away that is none beside what the product keeps; the warning about it.

    What the record itself sets together was judged when it was read.
    """
    own = record.values.keys()
    if product is None or own.isdisjoint((*_SALE_WINDOW, "price")):
        return None
    price, sale, starts, ends = (
        values.get(name, getattr(product, name)) for name in ("price", *_SALE_WINDOW)
    )
    code = None
    if isinstance(sale, Decimal) and isinstance(price, Decimal) and sale >= price:
        code = None if own >= {"price", "sale_price"} else "sale_not_below_price"
    elif isinstance(starts, datetime) and isinstance(ends, datetime) and ends <= starts:
        code = None if own >= {*_SALE_WINDOW} else "sale_ends_before_start"
    if code is None or not isinstance(sale, Decimal):
        return None
    values["sale_price"] = None
    return _problem(feed_context, record, code, "sale_price", f"{sale:f}")


def other_source_hint(feed_context: FeedContext, owner_id: str) -> str:
    """Names the source that owns the product, the one that claims it, and what to do about it."""
    owner, claimant = (
        repr(feed_context.source_names.get(id_, id_)) for id_ in (owner_id, feed_context.source_id)
    )
    return (
        f"The source {owner} owns this sku, so {claimant} can't change it. Send it from {owner}, "
        "or delete it there first."
    )


def field_problem(
    feed_context: FeedContext, line: int, code: str, name: str, value: str
) -> Problem:
    """A problem of one field of a record, with the partner's name for its column."""
    column = feed_context.columns.get(name)
    return Problem.of(code, line=line, column=column, field=name, value=value)


def _problem(
    feed_context: FeedContext, record: Record, code: str, name: str, value: str
) -> Problem:
    return field_problem(feed_context, record.line, code, name, value)


def _fields_of(changes: Iterable[Change]) -> Counter[str]:
    return Counter(
        name
        for change in changes
        if change.kind == "updated" and change.before
        for name in changed_fields(change.before, change.values)
    )
