"""The identities of reconciliation, folded from what the store in memory keeps."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import chain

from attrs import frozen

from adapters.memory.tables import Tables
from commerce_core.analytics.ledger import SALE_KINDS, SalesEntry
from commerce_core.analytics.reconciliation import (
    MOST_DIFFERENCES,
    Check,
    Compared,
    Identity,
    StatementDifference,
    judged,
)
from commerce_core.analytics.statement import Statement

_ZERO = Decimal(0)


@frozen
class Books:
    """Implements `commerce_core.ports.money.Books`."""

    _kept: Tables

    def checks(self) -> Mapping[Identity, Check]:
        """The identities that have something to compare."""
        return judged(
            chain(
                self._orders(), self._lines(), self._parts(), self._ledger(), self._rollups(),
                self._held(), self._uses(), self._statements(), self._publications(),
                self._catalog(),
            )
        )  # fmt: skip

    def note_differences(self, at: datetime) -> int:
        """Keeps which statements differ."""
        kept = self._kept.statement_differences
        found: dict[tuple[str, str], StatementDifference] = {}
        for each in sorted(self._statements(), key=lambda row: (row.subject, row.identity)):
            if each.left == each.right or len(found) == MOST_DIFFERENCES:
                continue
            key = (each.subject, each.identity)
            one, before = self._kept.statements[each.subject], kept.get(key)
            found[key] = StatementDifference(
                each.subject, one.partner_id, one.number, one.currency, each.identity, each.left,
                each.right, before.first_at if before else at, at,
            )  # fmt: skip
        for key in [*kept]:
            del kept[key]
        for key, difference in found.items():
            kept[key] = difference
        return len(found)

    def differences(self, partner_id: str | None) -> Sequence[StatementDifference]:
        """What was kept."""
        kept = self._kept.statement_differences
        return [kept[key] for key in sorted(kept) if partner_id in (None, kept[key].partner_id)]

    def _orders(self) -> Iterator[Compared]:
        entries = self._kept.entries.values()
        by_order: defaultdict[str | None, Decimal] = defaultdict(Decimal)
        for entry in entries:
            if entry.kind in SALE_KINDS:
                by_order[entry.order_id] += entry.signed.amount
        placed: dict[str | None, tuple[Decimal, int]] = {}
        for entry in entries:
            if entry.kind == "placed":
                amount, units = placed.get(entry.item_id, (_ZERO, 0))
                placed[entry.item_id] = (amount + entry.amount, units + entry.quantity)
        for order in self._kept.orders.values():
            total = sum((item.line_total for item in order.items), _ZERO)
            yield Compared("lines_make_orders", order.order_id, total, order.total_amount)
            kept = order.refundable_amount
            yield Compared("ledger_makes_orders", order.order_id, by_order[order.order_id], kept)
            for item in order.items:
                amount, units = placed.pop(item.item_id, (_ZERO, 0))
                yield Compared("lines_are_placed", item.item_id, item.line_total, amount)
                yield _units("units_are_placed", item.item_id, item.quantity, units)
        for item_id, (amount, units) in placed.items():
            yield Compared("lines_are_placed", item_id or "", _ZERO, amount)
            yield _units("units_are_placed", item_id or "", 0, units)

    def _lines(self) -> Iterator[Compared]:
        went_back: defaultdict[str | None, Decimal] = defaultdict(Decimal)
        for entry in self._kept.entries.values():
            if entry.kind in SALE_KINDS and entry.kind != "placed":
                went_back[entry.item_id] += entry.amount
        for order in self._kept.orders.values():
            sent = Counter[str]()
            for fulfilment in order.fulfilments:
                for units in fulfilment.items if fulfilment.status == "sent" else ():
                    sent[units.item_id] += units.quantity
            for item in order.items:
                back = item.cancelled_amount + item.refunded_amount
                yield Compared("lines_went_back", item.item_id, back, went_back[item.item_id])
                yield _units(
                    "fulfilments_make_lines", item.item_id, sent[item.item_id], item.fulfilled
                )

    def _parts(self) -> Iterator[Compared]:
        placed: defaultdict[tuple[str | None, str], Decimal] = defaultdict(Decimal)
        for entry in self._kept.entries.values():
            if entry.kind == "placed":
                placed[entry.order_id, entry.partner_id] += entry.partner_amount
        for order in self._kept.orders.values():
            refunded = sum((part.refunded_amount for part in order.parts), _ZERO)
            yield Compared("parts_make_orders", order.order_id, refunded, order.refunded_amount)
            for part in order.parts:
                owed = placed[order.order_id, part.partner_id]
                yield Compared("parts_are_placed", part.part_id, part.partner_amount, owed)
                paid = sum((refund.amount for refund in part.refunds), _ZERO)
                yield Compared("refunds_make_parts", part.part_id, paid, part.refunded_amount)

    def _ledger(self) -> Iterator[Compared]:
        reversed_: defaultdict[str, Decimal] = defaultdict(Decimal)
        for entry in self._kept.entries.values():
            parts = entry.partner_amount + entry.platform_amount
            yield Compared("parts_make_entries", entry.entry_id, parts, entry.amount)
            if entry.reverses is not None and entry.kind in SALE_KINDS:
                reversed_[entry.reverses] += entry.amount
        for entry_id, amount in reversed_.items():
            known = self._kept.entries.get(entry_id)
            whole = known.amount if known else _ZERO
            yield Compared("reversals_fit", entry_id, amount, min(amount, whole))

    def _rollups(self) -> Iterator[Compared]:
        """There are none: reports fold the entries themselves, so these hold by themselves."""
        for entry in self._kept.entries.values():
            if entry.kind in SALE_KINDS:
                amount = entry.signed.amount
                yield Compared("rollups_make_ledger", entry.partner_id, amount, amount)
                yield _units("rollups_count_entries", entry.partner_id, 1, 1)
                yield _units("rollups_count_orders", entry.partner_id, 1, 1)

    def _held(self) -> Iterator[Compared]:
        on_orders = Counter[str]()
        for order in self._kept.orders.values():
            for item in order.items:
                on_orders[item.product_id] += 0 if item.net_of_orders else item.open
        for deduction in self._kept.deductions.values():
            on_orders[deduction.product_id] += deduction.units
        held = self._kept.reserved
        for product_id in sorted(held.keys() | on_orders.keys()):
            yield _units(
                "units_are_held", product_id, held.get(product_id, 0), on_orders[product_id]
            )

    def _uses(self) -> Iterator[Compared]:
        """Nothing is counted beside the uses themselves, so these hold by themselves."""
        for use in self._kept.rule_uses.values():
            if use.given_back_at is None:
                yield _units("uses_are_counted", use.rule_id, 1, 1)
                yield Compared("money_is_counted", use.rule_id, use.amount, use.amount)

    def _statements(self) -> Iterator[Compared]:
        numbered = {
            (one.partner_id, one.currency, one.number): one
            for one in self._kept.statements.values()
        }
        taken: defaultdict[str, list[SalesEntry]] = defaultdict(list)
        for entry_id, by in self._kept.taken.items():
            taken[by].append(self._kept.entries[entry_id])
        for (partner_id, code, number), one in numbered.items():
            former = numbered.get((partner_id, code, number - 1))
            yield from _statement(one, former, taken[one.statement_id or ""])

    def _publications(self) -> Iterator[Compared]:
        made = self._kept.publications.values()
        numbers = [publication.number or 0 for publication in made]
        if numbers:
            yield _units("publications_have_no_gap", "publications", len(numbers), max(numbers))
        rows = (*self._kept.products.values(), *self._kept.history.values())
        written = Counter(row.publication_id for row in rows)
        forgotten = max(self._kept.forgotten, default=0)
        for one in made:
            if one.changes is not None and (one.number or 0) > forgotten:
                id_ = one.publication_id
                yield _units("publications_make_versions", id_, written[id_], one.changes)

    def _catalog(self) -> Iterator[Compared]:
        grown = Counter[str]()
        for job in self._kept.jobs.values():
            if job.kind in ("ingest", "revert") and job.status == "completed" and job.summary:
                made = job.summary
                grown[job.partner_id] += made.created + made.restored - made.removed
        active = [p.partner_id for p in self._kept.products.values() if p.status == "active"]
        sold = Counter(active)
        for partner_id in sorted(grown.keys() | sold.keys()):
            yield _units("catalogs_add_up", partner_id, sold[partner_id], grown[partner_id])
        versions: defaultdict[str, list[int]] = defaultdict(list)
        for product_id, version in self._kept.history:
            versions[product_id].append(version)
        for product in self._kept.products.values():
            if kept := versions.get(product.product_id):
                wanted = product.version - min(kept)
                yield _units("versions_have_no_gap", product.product_id, len(kept), wanted)


def _units(identity: Identity, subject: str, left: int, right: int) -> Compared:
    return Compared(identity, subject, Decimal(left), Decimal(right))


def _statement(
    one: Statement, former: Statement | None, entries: list[SalesEntry]
) -> Iterator[Compared]:
    id_ = one.statement_id or ""
    closing = one.opening + one.entries - one.payouts
    yield Compared("statements_add_up", id_, one.closing, closing)
    yield Compared("statements_follow", id_, one.opening, former.closing if former else _ZERO)
    if one.number > 1:
        ends = [
            Decimal(int(at.timestamp()))
            for at in (one.since, former.until if former else one.until)
        ]
        yield Compared("statements_join", id_, *ends)
    summed = sum((entry.signed.partner_amount for entry in entries), _ZERO)
    yield Compared("statements_make_ledger", id_, one.entries - one.payouts, summed)
    own = [
        entry
        for entry in entries
        if (entry.partner_id, entry.currency) == (one.partner_id, one.currency)
        and entry.at < one.until
    ]
    yield _units("entries_belong", id_, one.entry_count, len(own))
