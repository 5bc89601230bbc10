"""From a partner's text to canonical text: patterns, words, number styles, units, dates, lists.

Every translation is from text to text and declared in the profile; what the text means is up to the
kind of its field. So every engine needs only the same few regular expressions, and nothing is
guessed: text that doesn't fit the declared style is a problem of its record.
"""

import json
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final, cast

from attrs import frozen

from commerce_core.base.money import Currency, find_currency, minor_units_of
from commerce_core.base.text import BLANKS, squash
from commerce_core.profiles.matching import matcher
from commerce_core.profiles.patterns import LONGEST_MATCHED
from commerce_core.profiles.profile import Column, DecimalMark
from commerce_core.schema import fields as schema
from commerce_core.schema.blanks import is_blank_word
from commerce_core.schema.cells import PATH, Misread, split_urls
from commerce_core.schema.debris import is_spreadsheet_error
from commerce_core.schema.fields import Kind

Translation = Callable[[str], "str | Misread"]

# Thousands are separated by blanks or apostrophes in any style, and by the other mark in a declared
# one.
_GROUPS: Final = r"[0-9]{1,3}(?:[ \u00a0\u202f\u2009'\u2019][0-9]{3})+"
_DASHES: Final = "-\u2013\u2014"
"""What may stand in place of the decimals: `490,-`."""
_DASH: Final = re.escape(_DASHES)
"""The same within a character class, where a bare hyphen would make a range."""
_PLAIN: Final = re.compile(rf"([+-]?)({_GROUPS}|[0-9]*)(?:\.([0-9]+))?", re.ASCII)
_STYLES: Final[Mapping[DecimalMark | None, re.Pattern[str]]] = {
    None: _PLAIN,
    ".": re.compile(
        rf"([+-]?)({_GROUPS}|[0-9]{{1,3}}(?:,[0-9]{{2,3}})*,[0-9]{{3}}|[0-9]*)(?:\.([0-9]+|[{_DASH}]))?",
        re.ASCII,
    ),
    ",": re.compile(
        rf"([+-]?)({_GROUPS}|[0-9]{{1,3}}(?:\.[0-9]{{3}})+|[0-9]*)(?:,([0-9]+|[{_DASH}]))?",
        re.ASCII,
    ),
}
_NOT_DIGITS: Final = re.compile(r"[^0-9]", re.ASCII)
# A point after a letter belongs to the word: Rs.500 isn't half a rupee.
_AMOUNT: Final = re.compile(
    rf"((?:[^0-9+\-.,]*[A-Za-z]\.)?[^0-9+\-.,]*)([+-]?[0-9.,].*?[0-9{_DASH}]|[+-]?[0-9])"
    rf"((?:[^0-9.,{_DASH}][^0-9]*)?)",
    re.ASCII,
)
_LONGEST_AMOUNT: Final = 200
"""The longest cell in which a currency is looked for beside a number; it takes its square."""
_DATE_PARTS: Final = {"YYYY": 4, "MM": 2, "DD": 2, "hh": 2, "mm": 2, "ss": 2}
_DATE_TOKEN: Final = re.compile("|".join(_DATE_PARTS))
_CODE_LENGTH: Final = 3

# What partners write for currencies. If a text can mean several, the source's currency decides.
_SYMBOLS: Final[Mapping[str, tuple[str, ...]]] = {
    "€": ("EUR",),
    "£": ("GBP",),
    "$": ("USD", "CAD", "AUD", "NZD", "SGD", "HKD", "MXN", "ARS", "CLP", "COP", "TWD"),
    "us$": ("USD",),
    "c$": ("CAD",),
    "ca$": ("CAD",),
    "a$": ("AUD",),
    "au$": ("AUD",),
    "r$": ("BRL",),
    "¥": ("JPY", "CNY"),
    "₹": ("INR",),
    "rs": ("INR", "PKR", "LKR", "NPR", "MUR"),
    "rs.": ("INR", "PKR", "LKR", "NPR", "MUR"),
    "₩": ("KRW",),
    "₪": ("ILS",),
    "₫": ("VND",),
    "₦": ("NGN",),
    "₱": ("PHP",),
    "฿": ("THB",),
    "₺": ("TRY",),
    "tl": ("TRY",),
    "₽": ("RUB",),
    "₴": ("UAH",),
    "zł": ("PLN",),
    "kč": ("CZK",),
    "ft": ("HUF",),
    "lei": ("RON",),
    "лв": ("BGN",),
    "kr": ("SEK", "NOK", "DKK", "ISK"),
    "kr.": ("DKK", "SEK", "NOK", "ISK"),
    "fr.": ("CHF",),
    "fcfa": ("XOF", "XAF"),
    "cfa": ("XOF", "XAF"),
    "dh": ("MAD", "AED"),
    "dhs": ("AED", "MAD"),
    "euro": ("EUR",),
    "eur.": ("EUR",),
    "ksh": ("KES",),
    "rp": ("IDR",),
    "rm": ("MYR",),
    "r": ("ZAR",),
}


@frozen
class Style:
    """What applies to a whole file: the decimal mark, and the currency that symbols stand for.

    `escaped` is whether a backslash before a separator makes it a part of the text.
    """

    decimal: DecimalMark | None = None
    currency: str | None = None
    escaped: bool = False


def currencies_meant(text: str) -> tuple[str, ...]:
    """The currencies that a code, word or symbol beside a number can mean; `p` is of pounds."""
    named = text.strip(BLANKS)
    if candidates := minor_units_of(named):
        return candidates
    if (candidates := _SYMBOLS.get(named.lower())) is not None:
        return candidates
    found = find_currency(named) if len(named) == _CODE_LENGTH else None
    return (found.code,) if found else ()


def translation(column: Column, kind: Kind, style: Style) -> Translation:
    """Returns the function that turns a partner's trimmed, non-blank text into canonical text."""
    steps: list[Translation] = []
    if column.pattern is not None:
        steps.append(_by_pattern(column.pattern, unmatched(column)))
    if column.values:
        steps.append(_by_words({squash(key): value for key, value in column.values.items()}))
    if column.separator is not None and column.part is not None:
        split = _splitting(column.separator, kind, escaped=style.escaped)
        steps.append(_part_of(column.separator, column.part, split))
    if of_kind := _of_kind(column, kind, style):
        steps.append(_unless_missing(kind, _in_turn(of_kind)))
    return _in_turn(steps)


def _of_kind(column: Column, kind: Kind, style: Style) -> list[Translation]:
    decimal = column.decimal or style.decimal
    match kind:
        case schema.Amount():
            return [lambda text: _amount(text, decimal, column, style.currency)]
        case schema.Whole():
            return [lambda text: _whole(text, decimal)]
        case schema.Grams():
            return [lambda text: _weight(text, decimal, column.unit or "g")]
        case schema.Instant() if column.dates is not None:
            return [_by_dates(column.dates)]
        case schema.Urls() if column.separator is not None:
            return [_by_separator(_splitting(column.separator, kind), " ")]
        case schema.Category() if column.separator is not None and column.part is None:
            split = _splitting(column.separator, kind, escaped=style.escaped)
            return [_from_list, _by_separator(split, PATH)]
        case schema.Category():
            return [_from_list]
        case schema.Options():
            return [_from_object]
        case _:
            return []


def _in_turn(steps: list[Translation]) -> Translation:
    def translate(text: str) -> str | Misread:
        translated: str | Misread = text
        for step in steps:
            if isinstance(translated, Misread) or not translated:
                break
            translated = step(translated)
        return translated

    return translate


def _unless_missing(kind: Kind, translate: Translation) -> Translation:
    """Text that stands for a missing value isn't translated, but left to the kind."""

    def missing_or_translated(text: str) -> str | Misread:
        missing = is_blank_word(kind, text) or is_spreadsheet_error(text)
        return text if missing else translate(text)

    return missing_or_translated


def _by_pattern(pattern: str, mismatch: str | Misread) -> Translation:
    match = matcher(pattern)

    def translate(text: str) -> str | Misread:
        if len(text) > LONGEST_MATCHED:
            return Misread("pattern_mismatch", _TOO_LONG_TO_MATCH)
        kept = match(text)
        return mismatch if kept is None else kept.strip(BLANKS)

    return translate


_TOO_LONG_TO_MATCH: Final = (
    f"The profile's pattern is applied to cells of up to {LONGEST_MATCHED:,} characters."
)


def unmatched(column: Column) -> str | Misread:
    """What a cell that a column's pattern doesn't match is read as."""
    if column.otherwise == "blank":
        return ""
    hint = column.hint or f"The profile expects text that matches {column.pattern}"
    return Misread("pattern_mismatch", hint)


def _by_words(values: Mapping[str, str]) -> Translation:
    """Replaces the partner's words by ours; leaves others as they are."""

    def translate(text: str) -> str | Misread:
        return values.get(squash(text), text)

    return translate


def _number(text: str, decimal: DecimalMark | None) -> str | None:
    """The number with a decimal point; None if the text isn't a number in this style."""
    matched = _STYLES[decimal].fullmatch(text)
    if matched is None or not (matched[2] or matched[3]):
        return None
    sign, whole, decimals = matched[1], _NOT_DIGITS.sub("", matched[2]), matched[3] or "-"
    return f"{sign}{whole or '0'}" + ("" if decimals in _DASHES else f".{decimals}")


def _whole(text: str, decimal: DecimalMark | None) -> str:
    """A number; in a declared style without its decimals if they are zeros."""
    number = _number(text, decimal)
    if number is None or decimal is None:
        return number or text
    whole, _, decimals = number.partition(".")
    return number if decimals.strip("0") else whole


def _amount(
    text: str, decimal: DecimalMark | None, column: Column, currency: str | None
) -> str | Misread:
    """`1.299,00 €` becomes `1299.00 EUR`; text that isn't an amount is left to the kind."""
    if (number := _number(text, decimal)) is not None:
        return number
    matched = _AMOUNT.fullmatch(text) if len(text) <= _LONGEST_AMOUNT else None
    if matched is None:
        return text
    named, digits = (matched[1] + matched[3]).strip(BLANKS), matched[2].strip(BLANKS)
    number = _number(digits, decimal)
    if number is None and decimal == "," and _number(digits, None) is not None:
        # The kind would read its point as a decimal point, but here 1.250 is a thousand and more.
        return Misread(
            "not_a_number", "The profile declares a decimal comma; write numbers such as 1299,00."
        )
    if number is None or not named:
        return text
    code = _code_of(named, column.currency or currency)
    if isinstance(code, Misread):
        return code
    if minor_units_of(named) and column.unit != "minor":
        number = _in_major_units(number, find_currency(code))
    return f"{number} {code}"


def _in_major_units(number: str, money: Currency | None) -> str:
    """`1250` pence are `12.5` pounds."""
    places = money.exponent if money else 0
    # Scaled as text: decimal arithmetic would round a number of more than 28 digits.
    whole, _, decimals = f"{Decimal(f'{number}E-{places}'):f}".partition(".")
    return f"{whole}.{decimals}".rstrip("0").rstrip(".")


def _code_of(named: str, currency: str | None) -> str | Misread:
    """The currency that a symbol, word or code beside a number means."""
    candidates = currencies_meant(named)
    if not candidates:
        return Misread(
            "unknown_currency",
            f"{named[:20]!r} is not a known currency; write the price alone, or a code such as EUR "
            "with it.",
        )
    if currency is not None and currency in candidates:
        return currency
    if len(candidates) == 1:
        return candidates[0]
    hint = f"{named} can mean {', '.join(candidates[:4])}: declare the currency in the profile."
    return Misread("ambiguous_currency", hint)


def _weight(text: str, decimal: DecimalMark | None, unit: str) -> str:
    """Gives a bare number the column's unit; a number with its own unit keeps it."""
    number = _number(text, decimal)
    if number is not None:
        return f"{number} {unit}"
    bare = text.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.")
    own = text[len(bare) :].rstrip(".").lower()
    number = _number(bare.strip(BLANKS), decimal)
    return text if number is None else f"{number} {_WEIGHT_WORDS.get(own, own)}"


_WEIGHT_WORDS: Final = {
    "gr": "g", "gram": "g", "grams": "g", "kgs": "kg", "kilo": "kg", "kilogram": "kg",
    "kilograms": "kg", "lbs": "lb", "pound": "lb", "pounds": "lb", "ounce": "oz", "ounces": "oz",
}  # fmt: skip


def _by_dates(wanted: str) -> Translation:
    """Turns dates of a declared format into ISO 8601; other text is a problem."""
    parts = _DATE_TOKEN.findall(wanted)
    escaped = _DATE_TOKEN.sub(lambda m: rf"([0-9]{{{_DATE_PARTS[m[0]]}}})", re.escape(wanted))
    pattern = re.compile(escaped.replace("\\ ", " "), re.ASCII)
    # A bare date stays one: what it means is up to the field.
    made = "{YYYY}-{MM}-{DD}T{hh}:{mm}:{ss}" if "hh" in parts else "{YYYY}-{MM}-{DD}"

    def translate(text: str) -> str | Misread:
        matched = pattern.fullmatch(text)
        if matched is None:
            return Misread("not_a_time", f"Write it as {wanted}, which the profile expects.")
        found = {"hh": "00", "mm": "00", "ss": "00"} | dict(
            zip(parts, matched.groups(), strict=True)
        )
        return made.format(**found)

    return translate


def _splitting(separator: str, kind: Kind, *, escaped: bool = False) -> Callable[[str], list[str]]:
    """How a separator splits a text of that kind."""
    if isinstance(kind, schema.Url | schema.Urls):
        return lambda text: split_urls(text, separator)
    if not escaped:
        return lambda text: text.split(separator)
    unescaped = re.compile(rf"(?<!\\){re.escape(separator)}")
    return lambda text: [
        part.replace(f"\\{separator}", separator) for part in unescaped.split(text)
    ]


def _by_separator(split: Callable[[str], list[str]], ours: str) -> Translation:
    def translate(text: str) -> str:
        return ours.join(filter(None, (part.strip(BLANKS) for part in split(text))))

    return translate


def _part_of(separator: str, part: str, split: Callable[[str], list[str]]) -> Translation:
    def translate(text: str) -> str:
        first, *rest = split(text)
        if part == "first_path":
            return first.strip(BLANKS) if all(">" in each for each in (first, *rest)) else text
        return (first if part == "first" else separator.join(rest)).strip(BLANKS)

    return translate


def _from_list(text: str) -> str:
    """A path from a list in JSON, `["A", "B"]`; other text stays as it is."""
    found = _json(text) if text.startswith("[") else None
    if not isinstance(found, list):
        return text
    parts = cast("list[object]", found)
    return PATH.join(map(str, parts)) if all(isinstance(part, str) for part in parts) else text


def _from_object(text: str) -> str:
    """Options from an object in JSON, `{"Colour": "Red"}`; other text stays as it is."""
    found = _json(text) if text.startswith("{") else None
    if not isinstance(found, dict):
        return text
    pairs = cast("dict[str, object]", found).items()
    if any(isinstance(value, bool | list | dict) for _, value in pairs):
        return text
    return "; ".join(f"{name}: {value}" for name, value in pairs if value not in (None, ""))


def _json(text: str) -> object:
    try:
        return json.loads(text, parse_float=str, parse_int=str)
    except (ValueError, RecursionError):
        return None
