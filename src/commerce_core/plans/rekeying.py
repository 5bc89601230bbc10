"""Re-keying: products that would be removed while the same ones appear under new ids."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final, Literal

from attrs import frozen

from commerce_core.schema.fields import Value

Trait = Literal["gtin", "product_name", "product_url"]
TRAITS: Final[tuple[Trait, ...]] = ("gtin", "product_name", "product_url")
"""The traits by which two products count as the same, the most reliable first."""
MOST_PAIRS_LISTED: Final = 10
DROPPED: Final = " -_.,:;/()'\""
"""The characters that names are compared without. Of case, only ASCII's is folded: beyond that,
databases differ."""
_FOLDED: Final = {
    **dict.fromkeys(map(ord, DROPPED)),
    **{upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)},
}
_LOWERED: Final = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
_SCHEME: Final = re.compile(r"^https?://(?:www\.)?")


@frozen
class Pair:
    """A sku that would be removed, the new one that replaces it, and the trait they share."""

    vanished: str
    newcomer: str
    by: Trait


@frozen
class Rekeyed:
    """The number of skus that are replaced by new ones, and the first of these pairs, by sku."""

    count: int = 0
    pairs: tuple[Pair, ...] = ()


NONE_REKEYED: Final = Rekeyed()


def rekeyed(
    vanished: Iterable[tuple[str, Mapping[str, Value]]],
    newcomers: Iterable[tuple[str, Mapping[str, Value]]],
) -> Rekeyed:
    """Pairs each vanished product with the newcomer that has its GTIN, name or address.

    The reference. Both sides are pairs of sku and values. A value that several products of one side
    share identifies none of them.
    """
    old, new = _single(vanished), _single(newcomers)
    pairs: dict[str, Pair] = {}
    for trait in TRAITS:
        for key in old[trait].keys() & new[trait].keys():
            sku = old[trait][key]
            pairs.setdefault(sku, Pair(sku, new[trait][key], trait))
    ordered = sorted(pairs.values(), key=lambda pair: pair.vanished)
    return Rekeyed(len(ordered), tuple(ordered[:MOST_PAIRS_LISTED]))


def _single(
    products: Iterable[tuple[str, Mapping[str, Value]]],
) -> dict[Trait, dict[str, str]]:
    """The skus of each trait's keys, for keys that only one product has."""
    keyed: list[tuple[Trait, str, str]] = [
        (trait, key_of(trait, values), sku) for sku, values in products for trait in TRAITS
    ]
    times = Counter((trait, key) for trait, key, _ in keyed)
    found: dict[Trait, dict[str, str]] = {trait: {} for trait in TRAITS}
    for trait, key, sku in keyed:
        if key and times[trait, key] == 1:
            found[trait][key] = sku
    return found


def key_of(trait: Trait, values: Mapping[str, Value]) -> str:
    """The key in which two products must be equal to share a trait; blank if it is missing."""
    text = values.get(trait)
    if not isinstance(text, str):
        return ""
    match trait:
        case "gtin":
            return text.rjust(14, "0")
        case "product_name":
            return text.translate(_FOLDED)
        case "product_url":
            return _SCHEME.sub("", text.translate(_LOWERED)).rstrip("/")
