"""Checks of a profile that a person sends: its limits, and what its words mean for their fields."""

from collections.abc import Iterator, Mapping
from typing import Final
from zoneinfo import ZoneInfo

from commerce_core.base.errors import Fault, InvalidInput
from commerce_core.base.money import minor_units_of
from commerce_core.base.text import did_you_mean
from commerce_core.profiles.limits import limit_faults
from commerce_core.profiles.profile import Column, Profile
from commerce_core.schema import fields as schema
from commerce_core.schema.cells import Misread, reader_of
from commerce_core.schema.fields import BY_NAME, Kind

_UTC: Final = ZoneInfo("UTC")
_AMOUNT_UNITS: Final = ("major", "minor")
_WEIGHT_UNITS: Final = ("g", "kg", "lb", "oz")
_NUMBERS: Final = schema.Amount | schema.Whole | schema.Grams


def check(profile: Profile) -> None:
    """InvalidInput lists all that is beyond a limit, or doesn't apply where it stands.

    Only profiles that a person sends are checked: those saved by an earlier version go on working.
    """
    faults = list(faults_of(profile))
    if faults:
        raise InvalidInput("The profile can't be used.", faults=faults, code="bad_profile")


def faults_of(profile: Profile) -> Iterator[Fault]:
    """All that is beyond a limit, or doesn't apply where it stands."""
    yield from limit_faults(profile)
    yield from _constant_faults(profile.constants)
    yield from _minor_faults("/currency", profile.currency)
    for name, column in profile.columns.items():
        yield from _column_faults(f"/columns/{name}", name, column)


def _constant_faults(constants: Mapping[str, str]) -> Iterator[Fault]:
    """Constants that their fields can't have."""
    for name, text in constants.items():
        if name in BY_NAME and text and _unreadable(BY_NAME[name].kind, text):
            at, detail = f"/constants/{name}", f"{text[:80]!r} can't be the {name} of a product."
            yield Fault(at, "bad_constant", f"{detail}{_words(BY_NAME[name].kind, text)}")


def _column_faults(at: str, name: str, column: Column) -> Iterator[Fault]:
    """What a column declares that doesn't apply to its field."""
    kind = BY_NAME[name].kind
    yield from _unit_faults(at, kind, column)
    yield from _minor_faults(f"{at}/currency", column.currency)
    yield from _value_faults(at, kind, column)
    for option, given, wanted in _options(kind, column):
        if given and not wanted:
            detail = f"{option} doesn't apply to {name}."
            yield Fault(f"{at}/{option}", "does_not_apply", detail)
    if column.compare_at and name != "sale_price":
        yield Fault(f"{at}/compare_at", "does_not_apply", "compare_at applies to sale_price.")
    if column.part is not None and column.separator is None:
        detail = "Declare the separator of the members too."
        yield Fault(f"{at}/part", "needs_separator", detail)


def _unit_faults(at: str, kind: Kind, column: Column) -> Iterator[Fault]:
    units = _units_of(kind)
    if column.unit is not None and column.unit not in units:
        detail = (
            f"Use one of: {', '.join(units)}." if units else "Only amounts and weights have one."
        )
        yield Fault(f"{at}/unit", "bad_unit", detail)


def _minor_faults(at: str, currency: str | None) -> Iterator[Fault]:
    """A minor unit in a currency's place: whether amounts are in it is said by their `unit`."""
    codes = minor_units_of(currency) if currency else ()
    if codes:
        detail = f'Declare currency = "{codes[0]}", and unit = "minor" for each amount.'
        yield Fault(at, "minor_currency", detail)


def _units_of(kind: Kind) -> tuple[str, ...]:
    match kind:
        case schema.Amount():
            return _AMOUNT_UNITS
        case schema.Grams():
            return _WEIGHT_UNITS
        case _:
            return ()


def _options(kind: Kind, column: Column) -> Iterator[tuple[str, object, bool]]:
    """Each option that only some kinds have, whether it is given, and whether the kind has it."""
    yield "currency", column.currency, isinstance(kind, schema.Amount)
    yield "decimal", column.decimal, isinstance(kind, _NUMBERS)
    yield "dates", column.dates, isinstance(kind, schema.Instant)
    yield "pairs", column.pairs, isinstance(kind, schema.Options)


def _value_faults(at: str, kind: Kind, column: Column) -> Iterator[Fault]:
    """Words that the partner's own become, but that the field doesn't know."""
    if not isinstance(kind, schema.Word | schema.YesNo | schema.CurrencyCode):
        return
    for own, ours in column.values.items():
        if ours and _unreadable(kind, ours):
            detail = f"{ours[:80]!r} is none of the field's words.{_words(kind, ours)}"
            yield Fault(f"{at}/values/{own}", "bad_value", detail)


def _words(kind: Kind, text: str) -> str:
    if not isinstance(kind, schema.Word):
        return ""
    words = dict.fromkeys(kind.spellings.values())
    return f"{did_you_mean(text, words)} Use one of: {', '.join(words)}."


def _unreadable(kind: Kind, text: str) -> bool:
    return isinstance(reader_of(kind, _UTC)(text), Misread)
