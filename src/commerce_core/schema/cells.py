"""The reference reading of one cell: text in; out comes a value, or the one problem it has.

The grammar of each kind is an anchored regular expression of ASCII classes, applied before any
conversion. So every engine uses the same grammar, and none accepts `1_000`, full-width digits,
`NaN` or `inf` as a number just because its conversion happens to.
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import tzinfo
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Final, assert_never, cast
from urllib.parse import quote

from attrs import frozen

from commerce_core.base.money import (
    LARGEST_AMOUNT,
    currency,
    find_currency,
    minor_code,
    minor_units_of,
)
from commerce_core.base.text import BLANKS, squash, with_plain_blanks
from commerce_core.schema import fields as schema
from commerce_core.schema.blanks import error_is_blank, is_blank_word
from commerce_core.schema.debris import SHORTENED, is_spreadsheet_error, without_debris
from commerce_core.schema.fields import Kind, Value
from commerce_core.schema.instants import read_instant

NUMBER: Final = re.compile(r"([+-]?)([0-9]{1,40}(?:\.[0-9]{1,40})?|\.[0-9]{1,40})", re.ASCII)
EXPONENT: Final = re.compile(r"[+-]?[0-9]{1,20}(?:\.[0-9]{1,20})?[eE][+-]?[0-9]{1,2}", re.ASCII)
WHOLE: Final = re.compile(r"([+-]?)([0-9]{1,40})(?:\.0{1,40})?", re.ASCII)
GRAMS: Final = re.compile(
    r"([0-9]{1,12}(?:\.[0-9]{1,9})?) ?(g|kg|lb|oz)?", re.ASCII | re.IGNORECASE
)
CURRENCY: Final = re.compile(r"[A-Za-z]{3}", re.ASCII)
GTIN: Final = re.compile(r"(?:[0-9]{8}|[0-9]{12,14})", re.ASCII)
_NOT_IN_URL: Final = rf"{BLANKS}\x00-\x20\x7f\"<>\\^`{{|}}"
URL: Final = re.compile(
    rf"https?://[^{_NOT_IN_URL}/?#]+[^{_NOT_IN_URL}]*", re.ASCII | re.IGNORECASE
)
_HOST: Final = re.compile(rf"https?://[^{_NOT_IN_URL}/?#]+", re.ASCII | re.IGNORECASE)
_ESCAPED_IN_URL: Final = re.compile(r"[ \xa0\"<>\\^`{|}]")
"""What may not stand in an address but is often sent in its path; it is percent-encoded."""
_OPTION: Final = r"[^:;\x00]{1,100}: ?[^;\x00]{1,500}"
OPTIONS: Final = re.compile(rf"{_OPTION}(?:; ?{_OPTION}){{0,9}};?", re.ASCII)
_BEHIND_HOST: Final = ("", "/", "?", "#")
PATH: Final = " > "
"""The separator between the parts of a category."""
YES_NO: Final = {
    "yes": True,
    "true": True,
    "1": True,
    "y": True,
    "no": False,
    "false": False,
    "0": False,
    "n": False,
}

_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")
_THOUSANDS: Final = re.compile(r"\+?[1-9][0-9]{0,2}\.000", re.ASCII)
"""A whole number that would be another one if its point separates thousands."""
_COMMA_DECIMALS: Final = re.compile(r"[+-]?[0-9]{1,3}(?:\.?[0-9]{3})*,[0-9]{1,2}", re.ASCII)
_COMMA_THOUSANDS: Final = re.compile(r"[+-]?[0-9]{1,3}(?:,[0-9]{3})+\.[0-9]{1,2}", re.ASCII)
_ZEROS_LOST: Final = re.compile(r"[0-9]{7}|[0-9]{9,11}", re.ASCII)
# The lookbehind tries a run of blanks only from its first one; from each, it would take n*n steps.
_BETWEEN_URLS: Final = re.compile(
    rf"(?<![{BLANKS},;|])[{BLANKS},;|]+(?=https?://)", re.ASCII | re.IGNORECASE
)
_UNITS: Final = {
    "g": Decimal(1),
    "kg": Decimal(1000),
    "lb": Decimal("453.59237"),
    "oz": Decimal("28.349523125"),
}
_GRAM_DECIMALS: Final = Decimal("0.001")
_TOO_HEAVY: Final = Decimal(10**12)
_DECIMAL_PLACES: Final = 4
# Wide enough for any weight times any unit, so that the product is rounded only once.
_EXACT: Final = Context(prec=50)


@frozen
class Misread:
    """Why a cell can't be read: a problem's code, and a hint if it isn't the code's default."""

    code: str
    hint: str | None = None


@frozen
class Warned:
    """A value that was read, and the code of a warning about it."""

    value: Value
    code: str


Reading = Value | Misread | Warned
"""What was read of a cell, None if it is blank."""


def reader_of(kind: Kind, zone: tzinfo, *, verbatim: bool = False) -> Callable[[str], Reading]:
    """Returns the function that reads a trimmed, non-blank cell; local times are in `zone`.

    In a file that is `verbatim`, as exports are, no word stands for a blank cell.
    """
    read = _reader_of(kind, zone)
    if verbatim:
        return read

    def reading(text: str) -> Reading:
        if is_blank_word(kind, text):
            return None
        if is_spreadsheet_error(text):
            return _read_error(kind)
        return read(text)

    return reading


def _read_error(kind: Kind) -> Reading:
    """What stands for a value that a spreadsheet couldn't compute."""
    if error_is_blank(kind):
        return Warned(None, "spreadsheet_error_ignored")
    return Misread("spreadsheet_error")


def _reader_of(kind: Kind, zone: tzinfo) -> Callable[[str], Reading]:
    match kind:
        case schema.Text(longest):
            return lambda text: _read_text(text, longest)
        case schema.Word(spellings):
            return lambda text: _read_word(text, spellings)
        case schema.Amount():
            return _read_amount
        case schema.Whole():
            return _read_whole
        case schema.Grams():
            return _read_grams
        case schema.CurrencyCode():
            return _read_currency
        case schema.Gtin():
            return _read_gtin
        case schema.Category():
            return _read_category
        case schema.Options():
            return _read_options
        case schema.Instant(ends):
            return lambda text: _read_instant(text, zone, ends=ends)
        case schema.Url():
            return _read_url
        case schema.Urls():
            return _read_urls
        case schema.YesNo():
            return _read_yes_no
        case schema.Attributes():
            return _read_attributes
        case _:
            assert_never(kind)


def read_sku(cell: str) -> str | None:
    """The sku in a cell; None if it can't be read."""
    reading = sku_reading(cell)
    if isinstance(reading, Warned):
        return str(reading.value)
    return None if isinstance(reading, Misread) else reading


def sku_reading(cell: str, *, verbatim: bool = False) -> str | Misread | Warned:
    """The sku in a cell, without debris and a spreadsheet's apostrophe; or why there is none.

    In a file that is `verbatim`, as exports are, nothing of a sku is debris.
    """
    text = cell.strip(BLANKS)
    if (refused := unkept(text)) is not None:
        return refused
    plain, code = (text, None) if verbatim else without_debris(text, is_code=True)
    # Numbers may have their own blanks between thousands; in skus they look the same.
    blanks = plain if verbatim else with_plain_blanks(plain)
    code = "invisible_characters" if blanks != plain else code
    sku = blanks.removeprefix("'").strip(BLANKS)
    if not sku:
        return Misread("missing_value")
    if is_spreadsheet_error(sku):
        return Misread("missing_value", "The spreadsheet has an error here instead of a sku.")
    if len(sku) > schema.LONGEST_SKU:
        return Misread("too_long")
    code = code or ("shortened_sku" if SHORTENED.fullmatch(sku) else None)
    return sku if code is None else Warned(sku, code)


def unkept(text: str) -> Misread | None:
    """Why a text can't be stored, if it can't: it has a NUL, or half of a surrogate pair."""
    found = _UNSTORABLE.search(text)
    if found is None:
        return None
    return Misread("nul_character" if found[0] == "\0" else "half_character")


def _read_text(text: str, longest: int) -> Reading:
    if len(text) > longest:
        return Misread(
            "too_long", f"Shorten the text to {longest:,} characters; it has {len(text):,}."
        )
    return text


def _read_word(text: str, spellings: Mapping[str, str]) -> Reading:
    value = spellings.get(squash(text))
    if value is None:
        return Misread(
            "unknown_word", f"Use one of: {', '.join(dict.fromkeys(spellings.values()))}."
        )
    return value


def _read_amount(text: str) -> Reading:
    if matched := NUMBER.fullmatch(text):
        amount = Decimal(matched[2])
        if matched[1] == "-" and amount:
            return Misread("negative_number")
        return _bounded(amount)
    if EXPONENT.fullmatch(text):
        amount = Decimal(text)
        if amount < 0:
            return Misread("negative_number")
        bounded = _bounded(_plain(amount.copy_abs()))
        return bounded if isinstance(bounded, Misread) else Warned(bounded, "exponent_number")
    return Misread("not_a_number", _number_hint(text))


def _bounded(amount: Decimal) -> Decimal | Misread:
    """The amount with at most four decimals, the most that any currency has."""
    if amount > LARGEST_AMOUNT:
        return Misread("too_large_number")
    shown = _plain(amount) if _decimals(amount) > _DECIMAL_PLACES else amount
    return Misread("too_many_decimals") if _decimals(shown) > _DECIMAL_PLACES else shown


def _plain(number: Decimal) -> Decimal:
    """The same number without an exponent and without trailing zeros."""
    # Through text: normalize() rounds to 28 digits, so 19.990...01 would become 19.99.
    whole, _, decimals = f"{number:f}".partition(".")
    return Decimal(f"{whole}.{decimals.rstrip('0')}")


def _decimals(amount: Decimal) -> int:
    exponent = amount.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _number_hint(text: str) -> str | None:
    if _COMMA_DECIMALS.fullmatch(text):
        return f"A comma before the decimals? Write {text.replace('.', '').replace(',', '.')}."
    if _COMMA_THOUSANDS.fullmatch(text):
        return f"Commas between thousands? Write {text.replace(',', '')}."
    return None


def _read_whole(text: str) -> Reading:
    matched = WHOLE.fullmatch(text)
    if matched is None:
        return Misread("not_a_whole_number")
    number = int(matched[2])
    if number > schema.LARGEST_WHOLE:
        return Misread("too_large_number")
    if matched[1] == "-" and number:
        return Warned(0, "negative_quantity")
    return Warned(number, "thousands_or_decimals") if _THOUSANDS.fullmatch(text) else number


def _read_grams(text: str) -> Reading:
    matched = GRAMS.fullmatch(text)
    if matched is None:
        return Misread("not_a_weight")
    grams = _EXACT.multiply(Decimal(matched[1]), _UNITS[(matched[2] or "g").lower()])
    rounded = grams.quantize(_GRAM_DECIMALS, ROUND_HALF_UP, _EXACT)
    return _plain(rounded) if rounded < _TOO_HEAVY else Misread("too_large_number")


def _read_currency(text: str) -> Reading:
    """The code of a currency, or of its minor units (see `money.minor_code`)."""
    if CURRENCY.fullmatch(text) and len(meant := minor_units_of(text)) == 1:
        return minor_code(currency(meant[0]))
    found = find_currency(text) if CURRENCY.fullmatch(text) else None
    return Misread("unknown_currency") if found is None else found.code


def _read_gtin(text: str) -> Reading:
    digits = text.removeprefix("'").strip(BLANKS)
    if EXPONENT.fullmatch(digits):
        return Misread(
            "not_a_gtin", "A spreadsheet rounded this number; send all its digits, as text."
        )
    if _ZEROS_LOST.fullmatch(digits) and gtin_fits(digits):
        whole = digits.zfill(8 if len(digits) < 8 else 12)  # noqa: PLR2004 lengths of GTINs
        return Misread("not_a_gtin", f"A spreadsheet dropped the leading zeros; write {whole}.")
    if not GTIN.fullmatch(digits):
        return Misread("not_a_gtin")
    return digits if gtin_fits(digits) else Warned(digits, "gtin_check_digit")


def gtin_fits(digits: str) -> bool:
    """Whether the last digit is the check digit of the others (GS1: modulo 10, weights 3 and 1)."""
    weighed = sum(int(digit) * (3, 1)[place % 2] for place, digit in enumerate(digits[-2::-1]))
    return (weighed + int(digits[-1])) % 10 == 0


def _read_category(text: str) -> Reading:
    path = category_path(text)
    return _read_text(path, schema.LONGEST_SHORT_TEXT) if path else None


def category_path(text: str) -> str:
    """The path in its canonical spelling, without blank parts: `A > B > C`."""
    parts = (part.strip(BLANKS) for part in text.split(">"))
    return PATH.join(filter(None, parts))


def _read_options(text: str) -> Reading:
    if not OPTIONS.fullmatch(text):
        return Misread("not_options")
    pairs = [option.partition(":") for option in text.rstrip(";").split(";")]
    trimmed = [(name.strip(BLANKS), value.strip(BLANKS)) for name, _, value in pairs]
    if not all(name and value for name, value in trimmed):
        return Misread("not_options")
    return "; ".join(f"{name}: {value}" for name, value in trimmed)


def _read_instant(text: str, zone: tzinfo, *, ends: bool) -> Reading:
    try:
        return read_instant(text, zone, ends=ends) or Misread("not_a_time")
    except (ValueError, OverflowError):
        return Misread("not_a_time", "That day or time doesn't exist.")


def _read_url(text: str) -> Reading:
    """The address; the first one if there are several."""
    first, *others = _BETWEEN_URLS.split(text, maxsplit=1)
    url = _url_of(first)
    return Warned(url, "several_urls") if others and not isinstance(url, Misread) else url


def _url_of(text: str) -> str | Misread:
    """One address; what may not stand in its path as it is, is percent-encoded."""
    host = _HOST.match(text)
    if host is not None:
        text = host[0] + _ESCAPED_IN_URL.sub(lambda found: quote(found[0]), text[host.end() :])
    if len(text) > schema.LONGEST_URL:
        return Misread("too_long", f"Shorten the address to {schema.LONGEST_URL:,} characters.")
    behind_host = text[host.end() : host.end() + 1] if host else ""
    return text if URL.fullmatch(text) and behind_host in _BEHIND_HOST else Misread("not_a_url")


def _read_urls(text: str) -> Reading:
    urls = _BETWEEN_URLS.split(text.strip(BLANKS + ",;|"))
    if len(urls) > schema.MOST_URLS:
        return Misread("too_many_urls")
    read = [_url_of(url) for url in urls]
    faults = [reading for reading in read if isinstance(reading, Misread)]
    return faults[0] if faults else tuple(url for url in read if isinstance(url, str))


def split_urls(text: str, separator: str) -> list[str]:
    """The members of a list of addresses, between separators.

    A separator that may stand within an address, such as a comma, is one only before the next
    address.
    """
    if re.fullmatch(rf"[^{_NOT_IN_URL}]+", separator):
        between = rf"{re.escape(separator)}[{BLANKS}]*(?=https?://)"
        return re.split(between, text, flags=re.ASCII | re.IGNORECASE)
    return text.split(separator)


def _read_yes_no(text: str) -> Reading:
    value = YES_NO.get(squash(text))
    return Misread("not_yes_or_no") if value is None else value


def _read_attributes(text: str) -> Reading:
    try:
        parsed: object = json.loads(text)
    except (ValueError, RecursionError):
        return Misread("not_attributes")
    if not isinstance(parsed, dict):
        return Misread("not_attributes")
    members = cast("dict[str, object]", parsed)
    texts = [text for pair in members.items() for text in pair if isinstance(text, str)]
    if len(texts) < 2 * len(members) or any(map(unkept, texts)):
        return Misread("not_attributes")
    return {name: str(value) for name, value in members.items()}
