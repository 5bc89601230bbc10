"""Guards: limits on what a feed may do to the catalog without a person's approval.

A plan is measured (`Figures`), and each of the source's guards judges one figure. A guard that
holds keeps the feed out of the catalog until it is approved or rejected; one that warns only
reports what it saw. For every guard, a higher value is worse.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, ClassVar, Final, Literal

from attrs import evolve, fields, frozen

from commerce_core.base.errors import Fault, refuse_if

GuardName = Literal[
    "truncated",
    "removals",
    "file_size",
    "columns_gone",
    "rekeyed",
    "price_median",
    "price_leap",
    "out_of_stock",
]
SettingName = GuardName | Literal["judged_from"]
"""What a setting is called: as its guard, unless it concerns all of them."""
_PERCENT: Final = (0, 10_000, "percent")
_BOUNDS: Final[Mapping[SettingName, tuple[int, int, str]]] = {
    "removals": _PERCENT,
    "file_size": _PERCENT,
    "rekeyed": _PERCENT,
    "price_median": _PERCENT,
    "price_leap": (2, 1_000, "times"),
    "out_of_stock": _PERCENT,
    "judged_from": (1, 10**9, "products"),
}
"""The least and the most that a number may be set to, and what it counts."""
PAIRS_FROM: Final = 10
"""The re-keyed ids from which on they are judged. Each pair is evidence by itself, so fewer are
needed than for guards that judge counts alone."""
SMALL_FROM: Final = 5
"""The products that a small full feed removes, and the records that it lacks, from which on its
size is judged as well: a file cut off at the end of a record looks like a whole one."""
MOVED_FROM_PERCENT: Final = 10
"""The percentage of the feed's products whose prices must change before that is judged: a sale of a
few products is no reason for a guard to step in."""


@frozen
class GuardSettings:
    """The limits of a source's guards; None turns a guard off.

    Most are percentages: `removals` of the source's active products, `file_size` by which a full
    file may be smaller than the last one, `rekeyed` of the ids, `price_median` the median change
    of the prices that change, `out_of_stock` of the products in stock. `price_leap` is the factor
    by which a price may change at once. `columns_gone` is whether a full file must have every
    column that the last one had. `judged_from` is the least number of products to judge by.
    """

    IDENTITY: ClassVar = (
        "GuardSettings(removals={0.removals!r}, file_size={0.file_size!r}, "
        "columns_gone={0.columns_gone!r}, rekeyed={0.rekeyed!r}, price_median={0.price_median!r}, "
        "price_leap={0.price_leap!r}, out_of_stock={0.out_of_stock!r}, "
        "judged_from={0.judged_from!r})"
    )

    removals: int | None = 20
    file_size: int | None = 50
    columns_gone: bool = True
    rekeyed: int | None = 20
    price_median: int | None = 20
    price_leap: int | None = 5
    out_of_stock: int | None = 20
    judged_from: int = 50

    def __attrs_post_init__(self) -> None:
        """Checks the settings; InvalidInput lists every fault at once."""
        numbers: Any = (name for name in GUARD_SETTINGS if name not in SWITCHES)
        refuse_if(
            "The settings of the guards aren't valid.",
            *(_outside(name, getattr(self, name)) for name in numbers),
        )


def _outside(name: SettingName, value: int | None) -> tuple[bool, Fault]:
    least, most, unit = _BOUNDS[name]
    detail = f"Set {name} to {least} to {most:,} {unit}."
    return value is not None and not least <= value <= most, Fault(f"/{name}", "bad_guard", detail)


GUARD_SETTINGS: Final = tuple(each.name for each in fields(GuardSettings))
SWITCHES: Final = tuple(each.name for each in fields(GuardSettings) if each.type is bool)
"""The settings that are on or off."""
DEFAULT_GUARDS: Final = GuardSettings()
OFF: Final = evolve(
    DEFAULT_GUARDS,
    **{
        name: False if name in SWITCHES else None
        for name in GUARD_SETTINGS
        if name != "judged_from"
    },
)


@frozen(kw_only=True)
class Figures:
    """The figures that guards judge.

    `before` is the number of the source's active products, `met` of the records that matched an
    existing product. `median_move` is the median change of the `moved` prices, in hundredths of a
    percent. `last_records` is the size of the source's last applied full feed, None if there is
    nothing to compare with; `columns_gone` are the fields that it had more columns for than this
    one. `cut_off` is whether a full file ends within its last record.
    """

    before: int
    removed: int
    records: int
    last_records: int | None
    columns_gone: tuple[str, ...]
    rekeyed: int
    met: int
    moved: int
    median_move: int
    leaps: int
    in_stock: int
    sold_out: int
    cut_off: bool


@frozen
class GuardResult:
    """One guard's verdict: the value that it saw, its limit, and whether that was exceeded.

    Value and limit are percentages, or numbers of columns or prices.
    """

    guard: GuardName
    value: Decimal
    limit: Decimal
    tripped: bool
    severity: Literal["hold", "warn"]
    detail: str


def judge(figures: Figures, settings: GuardSettings) -> tuple[GuardResult, ...]:
    """The verdicts of all guards that are on and have enough to judge by, the gravest first."""
    return tuple(
        result
        for judged in (
            _truncated,
            _removals,
            _file_size,
            _columns,
            _rekeyed,
            _prices,
            _leaps,
            _stock,
        )
        for result in judged(figures, settings)
    )


def holds(results: tuple[GuardResult, ...]) -> tuple[GuardResult, ...]:
    """The verdicts that hold a feed."""
    return tuple(result for result in results if result.tripped and result.severity == "hold")


def exceeded(results: tuple[GuardResult, ...]) -> tuple[GuardResult, ...]:
    """The verdicts of the guards whose limits were exceeded, whether they hold or warn."""
    return tuple(result for result in results if result.tripped)


def worse(now: tuple[GuardResult, ...], approved: tuple[GuardResult, ...]) -> bool:
    """Whether a feed would be held for something not yet approved, or for more of it."""
    known = {result.guard: result.value for result in holds(approved)}
    return any(
        result.guard not in known or result.value > known[result.guard] for result in holds(now)
    )


def _truncated(figures: Figures, _settings: GuardSettings) -> Iterator[GuardResult]:
    """No source turns this guard off: half a file is never sent on purpose."""
    if figures.cut_off and figures.before:
        detail = (
            "The file ends within its last record, so it was probably cut off. Send the whole file "
            "again. If this one is approved, no product is removed for being absent from it."
        )
        yield GuardResult("truncated", Decimal(1), Decimal(0), tripped=True, severity="hold",
                          detail=detail)  # fmt: skip


def _removals(figures: Figures, settings: GuardSettings) -> Iterator[GuardResult]:
    limit, before, removed = settings.removals, figures.before, figures.removed
    if limit is not None and before >= settings.judged_from:
        detail = f"{removed:,} of {before:,} products would be removed."
        yield _share("removals", removed, before, limit, detail)


def _file_size(figures: Figures, settings: GuardSettings) -> Iterator[GuardResult]:
    limit, last, now = settings.file_size, figures.last_records, figures.records
    if limit is None or last is None:
        return
    is_small = last < settings.judged_from
    if not is_small or min(last - now, figures.removed) >= SMALL_FROM:
        detail = f"The file has {now:,} records; the last full one had {last:,}."
        yield _share("file_size", max(0, last - now), last, limit, detail)


def _columns(figures: Figures, settings: GuardSettings) -> Iterator[GuardResult]:
    if settings.columns_gone and figures.last_records is not None:
        gone = figures.columns_gone
        missing = f"The last full file had columns for {', '.join(gone)}; this one doesn't."
        detail = missing if gone else "The file has every column of the last full one."
        count, zero = Decimal(len(gone)), Decimal(0)
        yield GuardResult("columns_gone", count, zero, bool(gone), "hold", detail)


def _rekeyed(figures: Figures, settings: GuardSettings) -> Iterator[GuardResult]:
    limit, before, pairs = settings.rekeyed, figures.before, figures.rekeyed
    if limit is not None and pairs >= PAIRS_FROM:
        detail = (
            f"{pairs:,} of {before:,} ids would be removed while new ones appear with the same "
            "GTIN, name or address: probably the ids have changed, not the products."
        )
        yield _share("rekeyed", pairs, before, limit, detail)


def _prices(figures: Figures, settings: GuardSettings) -> Iterator[GuardResult]:
    limit, moved, met = settings.price_median, figures.moved, figures.met
    if limit is None or moved < settings.judged_from or moved * 100 < met * MOVED_FROM_PERCENT:
        return
    median = Decimal(figures.median_move).scaleb(-2)
    detail = f"{moved:,} of {met:,} prices would change, half of them by {median} % or more."
    tripped = figures.median_move > limit * 100
    yield GuardResult("price_median", median, Decimal(limit), tripped, "hold", detail)


def _leaps(figures: Figures, settings: GuardSettings) -> Iterator[GuardResult]:
    if settings.price_leap is not None and figures.met:
        fold, leaps = settings.price_leap, figures.leaps
        detail = (
            f"{leaps:,} prices would change by a factor of {fold} or more; the old ones are kept."
        )
        if leaps == 0:
            detail = f"No price would change by a factor of {fold} or more."
        elif leaps == 1:
            detail = f"One price would change by a factor of {fold} or more; the old one is kept."
        yield GuardResult("price_leap", Decimal(leaps), Decimal(0), leaps > 0, "warn", detail)


def _stock(figures: Figures, settings: GuardSettings) -> Iterator[GuardResult]:
    limit, before, now = settings.out_of_stock, figures.in_stock, figures.sold_out
    if limit is not None and before >= settings.judged_from:
        detail = f"{now:,} of {before:,} products in stock would go out of stock."
        yield _share("out_of_stock", now, before, limit, detail, severity="warn")


def _share(
    guard: GuardName,
    part: int,
    whole: int,
    limit: int,
    detail: str,
    *,
    severity: Literal["hold", "warn"] = "hold",
) -> GuardResult:
    # In whole numbers, so that exactly 20 % of 50 doesn't exceed 20 %.
    value = Decimal(part * 10_000 // whole).scaleb(-2) if whole else Decimal("0.00")
    tripped = part * 100 > limit * whole
    return GuardResult(guard, value, Decimal(limit), tripped, severity, detail)
