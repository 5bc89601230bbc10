"""Money: decimal amounts beside an ISO 4217 currency, never floats, rounded in one place.

An amount stands beside its currency everywhere: in a feed, a column, a JSON object, an order. So
nothing wraps the pair. Instead, every amount that is read or computed passes through its
`Currency`, which gives it exactly that currency's decimals: `80.00` in USD, `80` in JPY, `80.000`
in KWD.
"""

import math
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction
from typing import Final

from attrs import field, frozen

from commerce_core.base.errors import InvalidInput

LARGEST_AMOUNT: Final = Decimal("999999999999.9999")
"""The limit of a price and of an order line; sums fit easily into `numeric` and Decimal."""

# Source: ISO 4217, lists one and three, as published for 2026. Historic codes are included, since
# partners still send them; metals, units of account and test codes aren't: no price uses them.
_DECIMALS: Final[dict[int, str]] = {
    0: """BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF
          ADP BEF BYB BYR ESP GRD ITL LUF MGF PTE ROL TPE TRL""",
    2: """AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD
          CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP
          GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK
          LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO
          NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS
          SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST
          XAD XCD XCG YER ZAR ZMW ZWG
          AFA ANG ATS AZM BGL BGN CSD CUC CYP DEM EEK FIM FRF GHC HRK IEP LTL LVL MRO MTL MZM NLG
          RUR SDD SIT SKK SLL SRG STD TMM USS VEB VEF XEU ZMK ZWD ZWL ZWR""",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
MOST_DECIMALS: Final = max(_DECIMALS)
"""The most decimals that a currency has."""
_EXPONENTS: Final = {code: digits for digits, codes in _DECIMALS.items() for code in codes.split()}

# Wide enough for any amount, and independent of the caller's decimal context.
_ROUNDING: Final = Context(prec=100)


@frozen
class Currency:
    """An ISO 4217 currency: its code and the number of decimals its amounts have."""

    code: str
    exponent: int
    zero: Decimal = field(init=False, eq=False, repr=False)
    """Zero with this currency's decimals."""

    def __attrs_post_init__(self) -> None:
        """Makes the zero once, since every rounding needs it."""
        object.__setattr__(self, "zero", Decimal(0).scaleb(-self.exponent))

    def is_exact(self, amount: Decimal) -> bool:
        """Whether the amount has no digits beyond this currency's decimals."""
        return amount == self.round(amount)

    def round(self, amount: Decimal) -> Decimal:
        """The amount rounded to this currency's decimals, halves away from zero.

        Only this, `round_like`, and `round_half_up` and `half_up`, which do the same to fractions,
        round money.
        """
        return amount.quantize(self.zero, ROUND_HALF_UP, _ROUNDING)

    def allocate(self, total: Decimal, weights: Sequence[Decimal]) -> list[Decimal]:
        """Splits `total` in proportion to `weights`, so that the parts add up to it exactly.

        Uses the largest remainder method: each part is rounded down to the smallest unit, and the
        remaining units go to the parts that lost most, earlier ones first. Weights that are all
        zero count as equal.
        """
        return apportion(self.round(total), weights, self.exponent)


def apportion(total: Decimal, weights: Sequence[Decimal], decimals: int) -> list[Decimal]:
    """Splits a total with that many decimals in proportion to weights, by largest remainder.

    Weights that add up to zero or less count as equal.
    """
    # In fractions: sums of decimals are rounded to 28 digits, so the parts might not add up.
    units = int(Fraction(total) * 10**decimals)
    parts = split_units(units, [Fraction(weight) for weight in weights])
    return [Decimal(f"{part}E-{decimals}") for part in parts]


def split_units(units: int, weights: Sequence[Fraction | int]) -> list[int]:
    """Splits a number of smallest units in proportion to weights, by largest remainder.

    Earlier parts come first in a tie. Weights that add up to zero or less count as equal.
    """
    if not weights:
        return []
    # Over a common denominator, since sums and comparisons of fractions are slow.
    common = math.lcm(*(weight.denominator for weight in weights))
    whole_weights = [weight.numerator * (common // weight.denominator) for weight in weights]
    whole = sum(whole_weights)
    if whole <= 0:
        whole_weights, whole = [1] * len(weights), len(weights)
    split = [divmod(units * weight, whole) for weight in whole_weights]
    parts = [part for part, _ in split]
    by_loss = sorted(range(len(parts)), key=lambda i: (-split[i][1], i))
    for index in by_loss[: units - sum(parts)]:
        parts[index] += 1
    return parts


def find_currency(code: str) -> Currency | None:
    """The currency with that code, current or historic, in any case; None if there is none."""
    known = _CURRENCIES.get(code)
    if known is not None:
        return known
    # Upper-casing can turn other characters into ASCII: the ligature in "\ufb01m" becomes FI.
    return _CURRENCIES.get(code.strip().upper()) if code.isascii() else None


def minor_code(currency: Currency) -> str:
    """What stands for amounts in that currency's minor units: `GBp` for pence."""
    return currency.code[:-1] + currency.code[-1].lower()


def is_minor(code: str) -> bool:
    """Whether a code is one of `minor_code`, so that the amounts beside it are in minor units."""
    return code[-1:].islower()


def minor_units_of(word: str) -> tuple[str, ...]:
    """The currencies whose minor unit a word can mean: pence, cents; none if it isn't one."""
    return _EXACT_MINOR.get(word) or _MINOR_WORDS.get(word.lower(), ())


_EXACT_MINOR: Final = {"GBp": ("GBP",), "ZAc": ("ZAR",), "ILa": ("ILS",)}
"""Codes of exchanges that only case distinguishes from other codes."""
_WITH_CENTS: Final = ("USD", "EUR", "CAD", "AUD", "NZD", "SGD", "HKD", "ZAR")
_MINOR_WORDS: Final = {
    "gbx": ("GBP",), "p": ("GBP",), "pence": ("GBP",), "penny": ("GBP",), "zac": ("ZAR",),
    "ila": ("ILS",), "\u00a2": _WITH_CENTS, "cent": _WITH_CENTS, "cents": _WITH_CENTS,
    "paise": ("INR", "PKR", "NPR"), "paisa": ("INR", "PKR", "NPR"),
}  # fmt: skip

_CURRENCIES: Final = {code: Currency(code, digits) for code, digits in _EXPONENTS.items()}


def round_half_up(amount: Fraction | int) -> int:
    """An amount in smallest units rounded to a whole one, halves away from zero."""
    return amount if isinstance(amount, int) else half_up(amount.numerator, amount.denominator)


def half_up(numerator: int, denominator: int) -> int:
    """A quotient rounded to a whole number, halves away from zero; the denominator is above 0."""
    size = (2 * abs(numerator) + denominator) // (2 * denominator)
    return size if numerator >= 0 else -size


def decimals_of(amount: Decimal) -> int:
    """How many decimals the amount needs: 1 for 1.50, and 0 for 100."""
    exponent = amount.normalize(_ROUNDING).as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def round_like(other: Decimal, amount: Decimal) -> Decimal:
    """The amount rounded to the decimals of another one, halves away from zero."""
    return amount.quantize(other, ROUND_HALF_UP, _ROUNDING)


def share_of_units(total: Decimal, before: int, units: int, of: int) -> Decimal:
    """What falls to the units after the first `before`, of a total for `of` units.

    To the units taken together falls the total, whatever the steps; it keeps its decimals.
    """
    exponent = total.as_tuple().exponent
    scale = -exponent if isinstance(exponent, int) and exponent < 0 else 0
    whole = int(total.scaleb(scale, _ROUNDING))
    minor = whole * (before + units) // of - whole * before // of
    return Decimal(minor).scaleb(-scale, _ROUNDING)


def currency(code: str) -> Currency:
    """The currency with that code; InvalidInput if there is none."""
    found = find_currency(code)
    if found is None:
        raise InvalidInput.at(
            "/currency", "unknown_currency", f"{code[:20]!r} is not an ISO 4217 currency code."
        )
    return found


def currencies() -> dict[str, int]:
    """Every known code, with its number of decimals."""
    return dict(_EXPONENTS)
