"""Guards: what no feed does to a catalog before a person has agreed to it.

A plan is measured (`Figures`), and each guard of the feed's source judges one figure. A guard that
holds keeps the feed from the catalog until somebody approves or rejects it; one that warns only
says what it saw. Whatever the guard, a higher value is a worse one.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import ClassVar, Final, Literal

from attrs import fields, frozen

from commerce_core.base.errors import Fault, refuse_if

GuardName = Literal[
    "removals",
    "file_size",
    "columns_gone",
    "rekeyed",
    "price_median",
    "price_leap",
    "out_of_stock",
]
MOST_PERCENT: Final = 10_000
MOST_FOLD: Final = 1_000
PAIRS_FROM: Final = 10
"""So many ids have to be re-keyed before that is judged. Each pair is evidence on its own, so it
takes fewer of them than where counts alone are judged."""
MOVED_FROM_PERCENT: Final = 10
"""So many percent of the products that the feed names have to move in price before that is judged:
a sale of a few products is none of a guard's business."""


@frozen
class GuardSettings:
    """How far feeds of a source may go; None turns a guard off.

    All but three are percent: `removals` of the source's active products, `file_size` how much
    smaller a full file may be than the last one, `rekeyed` of the ids, `price_median` the median
    of the prices that move, `out_of_stock` of the products in stock. `price_leap` is how many fold
    a price may move at once, `columns_gone` whether a full file has to bring every column that the
    last one had, and counts are judged from `judged_from` on.
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
        """Settings that exist are valid; InvalidInput lists every fault at once."""
        percents = ("removals", "file_size", "rekeyed", "price_median", "out_of_stock")
        refuse_if(
            "The guards can't be set so.",
            *(_outside(self, name, 0, MOST_PERCENT, "percent") for name in percents),
            _outside(self, "price_leap", 2, MOST_FOLD, "fold"),
            _outside(self, "judged_from", 1, 10**9, "products"),
        )


def _outside(
    settings: GuardSettings, name: str, least: int, most: int, unit: str
) -> tuple[bool, Fault]:
    value: int | None = getattr(settings, name)
    detail = f"{name} is {least} to {most:,} {unit}."
    return value is not None and not least <= value <= most, Fault(f"/{name}", "bad_guard", detail)


DEFAULT_GUARDS: Final = GuardSettings()
OFF: Final = GuardSettings(None, None, False, None, None, None, None)  # noqa: FBT003 - all off
GUARD_SETTINGS: Final = tuple(field.name for field in fields(GuardSettings))


@frozen
class Figures:
    """What guards judge.

    `before` are the source's active products, `met` the records of the feed whose product was
    there. `median_move` is the median of how far the `moved` prices move, in hundredths of a
    percent. `last_records` is the size of the source's last applied full feed, None where there is
    nothing to compare with; `columns_gone` are the fields whose column it had and this one lacks.
    """

    before: int = 0
    removed: int = 0
    records: int = 0
    last_records: int | None = None
    columns_gone: tuple[str, ...] = ()
    rekeyed: int = 0
    met: int = 0
    moved: int = 0
    median_move: int = 0
    leaps: int = 0
    in_stock: int = 0
    sold_out: int = 0


@frozen
class GuardResult:
    """What one guard says: the value that it saw, its limit, whether that was passed.

    Value and limit are percent, or numbers of columns or prices.
    """

    guard: GuardName
    value: Decimal
    limit: Decimal
    tripped: bool
    severity: Literal["hold", "warn"]
    detail: str


def judge(figures: Figures, settings: GuardSettings) -> tuple[GuardResult, ...]:
    """What each guard says that is on and has enough to judge by, the gravest first."""
    return tuple(
        result
        for judged in (_removals, _file_size, _columns, _rekeyed, _prices, _leaps, _stock)
        for result in judged(figures, settings)
    )


def holds(results: tuple[GuardResult, ...]) -> tuple[GuardResult, ...]:
    """Those for which a feed is held."""
    return tuple(result for result in results if result.tripped and result.severity == "hold")


def worse(now: tuple[GuardResult, ...], approved: tuple[GuardResult, ...]) -> bool:
    """Whether a feed would be held for what nobody has approved, or for more of it."""
    known = {result.guard: result.value for result in holds(approved)}
    return any(
        result.guard not in known or result.value > known[result.guard] for result in holds(now)
    )


def _removals(figures: Figures, settings: GuardSettings) -> Iterator[GuardResult]:
    limit, before, removed = settings.removals, figures.before, figures.removed
    if limit is not None and before >= settings.judged_from:
        detail = f"{removed:,} of {before:,} products would be removed."
        yield _share("removals", removed, before, limit, detail)


def _file_size(figures: Figures, settings: GuardSettings) -> Iterator[GuardResult]:
    limit, last, now = settings.file_size, figures.last_records, figures.records
    if limit is not None and last is not None and last >= settings.judged_from:
        detail = f"The file has {now:,} records; the last full one had {last:,}."
        yield _share("file_size", max(0, last - now), last, limit, detail)


def _columns(figures: Figures, settings: GuardSettings) -> Iterator[GuardResult]:
    if settings.columns_gone and figures.last_records is not None:
        gone = figures.columns_gone
        named = f"The last full file had columns for {', '.join(gone)}; this one has none."
        detail = named if gone else "Every column of the last full file is there."
        count, zero = Decimal(len(gone)), Decimal(0)
        yield GuardResult("columns_gone", count, zero, bool(gone), "hold", detail)


def _rekeyed(figures: Figures, settings: GuardSettings) -> Iterator[GuardResult]:
    limit, before, pairs = settings.rekeyed, figures.before, figures.rekeyed
    if limit is not None and pairs >= PAIRS_FROM:
        detail = (
            f"{pairs:,} of {before:,} ids vanish while a new one comes with the same GTIN, "
            "name or address each: the ids have changed, not the products."
        )
        yield _share("rekeyed", pairs, before, limit, detail)


def _prices(figures: Figures, settings: GuardSettings) -> Iterator[GuardResult]:
    limit, moved, met = settings.price_median, figures.moved, figures.met
    if limit is None or moved < settings.judged_from or moved * 100 < met * MOVED_FROM_PERCENT:
        return
    median = Decimal(figures.median_move).scaleb(-2)
    detail = f"{moved:,} of {met:,} prices move; half of them by {median} % or more."
    tripped = figures.median_move > limit * 100
    yield GuardResult("price_median", median, Decimal(limit), tripped, "hold", detail)


def _leaps(figures: Figures, settings: GuardSettings) -> Iterator[GuardResult]:
    if settings.price_leap is not None and figures.met:
        fold, leaps = settings.price_leap, figures.leaps
        told = f"{leaps:,} prices move {fold} fold or more; the old ones are kept."
        if leaps == 0:
            told = f"No price moves {fold} fold or more."
        elif leaps == 1:
            told = f"One price moves {fold} fold or more; the old one is kept."
        yield GuardResult("price_leap", Decimal(leaps), Decimal(0), leaps > 0, "warn", told)


def _stock(figures: Figures, settings: GuardSettings) -> Iterator[GuardResult]:
    limit, before, now = settings.out_of_stock, figures.in_stock, figures.sold_out
    if limit is not None and before >= settings.judged_from:
        detail = f"{now:,} of {before:,} products in stock would be out of stock."
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
    # In whole numbers, so that 20 % of 50 is not over 20 %.
    value = Decimal(part * 10_000 // whole).scaleb(-2) if whole else Decimal("0.00")
    tripped = part * 100 > limit * whole
    return GuardResult(guard, value, Decimal(limit), tripped, severity, detail)
