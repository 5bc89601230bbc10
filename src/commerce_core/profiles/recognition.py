"""Recognition of platforms' exports: which preset a header fits, by names that only it has."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Final

from commerce_core.base.text import squash
from commerce_core.profiles.mapping import REQUIRED, fits
from commerce_core.profiles.presets import PRESET_PROFILES
from commerce_core.profiles.profile import TEMPLATE_PART, Preset, Profile
from commerce_core.schema.fields import FIELDS

LEAST_NAMES: Final = 3
"""The columns by which an export is recognised: one or two may be in any file."""
MAKERS: Final[Mapping[Preset, str]] = {
    "google-merchant": "a Google Merchant feed",
    "shopify": "a Shopify export",
    "shopify-api": "a list of products from Shopify's API",
    "woocommerce": "a WooCommerce export",
    "medusa": "a Medusa export",
    "bigcommerce": "a BigCommerce export",
    "magento": "a Magento export",
    "prestashop": "a PrestaShop file",
    "shopware": "a Shopware export",
    "mirakl": "a Mirakl offers file",
    "amazon": "an Amazon flat file",
    "idealo": "an idealo file",
    "etsy": "Etsy's list of listings",
    "wix": "a Wix export",
    "ecwid": "an Ecwid export",
    "ebay": "an eBay file",
}


def recognised_preset(header: Sequence[str]) -> Preset | None:
    """The preset of which a header has several names that no other file would have.

    None if there is none, or if several fit equally well.
    """
    names = {squash(name.strip(REQUIRED)) for name in header}
    found: dict[Preset, int] = {
        preset: len(names & own)
        + sum(any(fits(name, o) for name in names) for o in own if "*" in o)
        for preset, own in _distinctive().items()
    }
    most = max(found.values(), default=0)
    best: list[Preset] = [preset for preset, count in found.items() if count == most]
    return best[0] if most >= LEAST_NAMES and len(best) == 1 else None


def recognition_hint(header: Sequence[str], profile: Profile) -> str | None:
    """What a file with that header looks like, if the profile doesn't read it as that."""
    if profile.preset != "canonical":
        return None
    preset = recognised_preset(header)
    if preset is None:
        return None
    return f"It looks like {MAKERS[preset]}; the preset {preset} reads it."


@cache
def _distinctive() -> dict[Preset, frozenset[str]]:
    """For each preset the names of its columns that aren't the schema's own names or aliases."""
    named = {squash(name) for field in FIELDS for name in (field.name, *field.aliases)}
    ours = named | {f"../{name}" for name in named}
    return {
        preset: frozenset(map(squash, _names_in(profile))) - ours
        for preset, profile in PRESET_PROFILES.items()
        if preset in MAKERS
    }


def _names_in(profile: Profile) -> Iterator[str]:
    """Every column that a profile names."""
    for column in profile.columns.values():
        yield from column.from_
        yield from column.needs
        yield from (name for pair in column.pairs for name in pair)
    yield from (rule.column for rule in profile.skip)
    for template in profile.identity:
        yield from TEMPLATE_PART.findall(template)
    if group := profile.group:
        yield from (group.key, *group.carry, *group.offer, group.append or "")
