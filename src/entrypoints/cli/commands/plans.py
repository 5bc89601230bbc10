"""`commerce feeds plan` and `commerce jobs plan`: what a feed changes, and what guards found."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click

from entrypoints.cli.kit.files import rewindable
from entrypoints.cli.kit.output import Output, plural
from entrypoints.cli.kit.tables import Column
from entrypoints.cli.kit.verbs import Moment, Session, partner_option
from entrypoints.problems import EXIT_HELD

if TYPE_CHECKING:
    from commerce_core.feeds.guards import GuardResult
    from commerce_core.plans.changes import Sample
    from commerce_core.plans.price_moves import PriceMove
    from commerce_core.plans.rekeying import Pair
    from commerce_core.plans.saved_plan import SavedPlan
    from commerce_core.schema.fields import Mode

_COUNTS: Final = (
    "created", "updated", "restored", "unchanged", "deleted", "folded", "skipped", "rejected",
    "duplicate", "overtaken", "blank",
)  # fmt: skip
_SAMPLES_SHOWN: Final = 3


def plan_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options that describe a file as `feeds upload` does."""
    for option in (
        click.option(
            "--expected-rows", type=int, help="Number of records that the file must contain."
        ),
        click.option(
            "--snapshot-at",
            type=Moment(),
            show_default="now",
            help="Time of the state that the file shows; UTC if it has no offset.",
        ),
        click.option(
            "--mode",
            type=click.Choice(["full", "delta"]),
            show_default="the source's mode",
            help="Whether the file contains the whole catalog (full) or only changes (delta).",
        ),
        click.option(
            "--profile",
            metavar="PRESET_OR_FILE",
            show_default="the source's profile",
            help="Profile to read the file with.",
        ),
        click.option(
            "--source",
            metavar="SOURCE",
            default="main",
            show_default=True,
            help="Source of the partner: an id or a name.",
        ),
        partner_option("Partner that would send the file: an id or a name.", required=True),
    ):
        command = option(command)
    return command


def plan_file(
    session: Session,
    file: str,
    *,
    partner: str,
    source: str,
    mode: "Mode | None",
    profile: str | None,
    snapshot_at: datetime | None,
    expected_rows: int | None,
) -> None:
    """Shows what a file would change; exits with 3 if the feed would be held."""
    if snapshot_at is not None and snapshot_at.tzinfo is None:
        snapshot_at = snapshot_at.replace(tzinfo=UTC)
    from entrypoints.cli.commands.profiles import named_profile

    with rewindable(file) as stream:
        plan = session.commerce.plans.preview(
            stream,
            partner=partner,
            source=source,
            mode=mode,
            profile=None if profile is None else named_profile(profile),
            snapshot_at=snapshot_at,
            expected_rows=expected_rows,
        )
    if session.out.as_json:
        session.out.document(plan)
    else:
        show_plan(session.out, plan)
    if plan.holds:
        session.end(EXIT_HELD)


def show_plan(out: Output, plan: "SavedPlan") -> None:
    """Prints a plan: counts, what the guards found, the largest price moves, samples."""
    out.fields(_fields(plan))
    tripped = [result for result in plan.guards if result.tripped]
    if tripped:
        out.line()
        out.table(tripped, _guard_columns())
    if plan.price_moves.largest:
        out.line()
        out.table(plan.price_moves.largest, _move_columns())
    if plan.rekeyed.pairs:
        out.line()
        out.table(plan.rekeyed.pairs, _pair_columns())
    samples = list(_first_of_each(plan.samples))
    if samples:
        out.line()
        out.table(samples, _sample_columns())


def _fields(plan: "SavedPlan") -> Iterator[tuple[str, str]]:
    counts = ((getattr(plan, name), name) for name in _COUNTS)
    fates = ", ".join(f"{count:,} {name}" for count, name in counts if count)
    moves = plan.price_moves
    yield "result", "held" if plan.holds else "applied"
    yield "records", f"{plan.records_read:,} read{': ' if fates else ''}{fates}"
    yield "products before", f"{plan.before:,}"
    yield "removed", plural(plan.removed, "product") if plan.removed else ""
    by_field = plan.updated_by_field.items()
    yield "updated", ", ".join(f"{name} {count:,}" for name, count in by_field)
    if moves.moved:
        kept = f"; {moves.kept:,} too large, old price kept" if moves.kept else ""
        yield "price moves", f"{moves.moved:,}, median {moves.median_percent} %{kept}"
    yield "sold out", plural(plan.stock.sold_out, "product") if plan.stock.sold_out else ""
    problems = plan.problems_by_code.items()
    yield "problems", ", ".join(f"{code} {count:,}" for code, count in problems)
    for note in plan.notes:
        yield "note", note


def _guard_columns() -> "list[Column[GuardResult]]":
    return [
        Column("guard", lambda g: g.guard),
        Column("value", lambda g: f"{g.value}", right=True),
        Column("limit", lambda g: f"{g.limit}", right=True),
        Column("effect", lambda g: "holds" if g.severity == "hold" else "warns"),
        Column("what it found", lambda g: g.detail, wraps=True),
    ]


def _move_columns() -> "list[Column[PriceMove]]":
    return [
        Column("largest price moves", lambda m: m.sku, crops=True),
        Column("from", lambda m: f"{m.before:f}", right=True),
        Column("to", lambda m: f"{m.after:f}", right=True),
        Column("", lambda m: m.currency),
        Column("change", lambda m: f"{m.percent:+} %", right=True),
        Column("", lambda m: "old price kept" if m.kept else ""),
    ]


def _pair_columns() -> "list[Column[Pair]]":
    return [
        Column("removed sku", lambda p: p.vanished, crops=True),
        Column("new sku", lambda p: p.newcomer, crops=True),
        Column("matched by", lambda p: p.by),
    ]


def _sample_columns() -> "list[Column[Sample]]":
    return [
        Column("change", lambda s: s.change),
        Column("sku", lambda s: s.sku, crops=True),
        Column("name", lambda s: s.product_name, crops=True),
        Column("fields", _changed, wraps=True, most=40),
    ]


def _changed(sample: "Sample") -> str:
    if sample.change == "created":
        return ", ".join(change.field for change in sample.fields)
    return ", ".join(f"{c.field}: {c.before or ''} -> {c.after or ''}" for c in sample.fields)


def _first_of_each(samples: "tuple[Sample, ...]") -> "Iterator[Sample]":
    for kind in ("created", "updated", "restored", "removed"):
        yield from [sample for sample in samples if sample.change == kind][:_SAMPLES_SHOWN]
