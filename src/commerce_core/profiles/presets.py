"""Presets: ready-made profiles for the exports of well-known systems, a module for each.

A source names a preset and overrides what differs. Headers are compared as everywhere, ignoring
case, blanks, underscores and hyphens; `names` has those of a maker's other templates and languages.
Presets also know our own names for sku, price and quantity, so that a source can send just its
stock and prices between its exports.
"""

from collections.abc import Mapping
from typing import Final

from commerce_core.profiles.amazon import AMAZON
from commerce_core.profiles.bigcommerce import BIGCOMMERCE
from commerce_core.profiles.ebay import EBAY
from commerce_core.profiles.ecwid import ECWID
from commerce_core.profiles.etsy import ETSY
from commerce_core.profiles.google_merchant import GOOGLE_MERCHANT
from commerce_core.profiles.idealo import IDEALO
from commerce_core.profiles.magento import MAGENTO
from commerce_core.profiles.medusa import MEDUSA
from commerce_core.profiles.mirakl import MIRAKL
from commerce_core.profiles.prestashop import PRESTASHOP
from commerce_core.profiles.profile import CANONICAL, Preset, Profile
from commerce_core.profiles.shopify import SHOPIFY
from commerce_core.profiles.shopify_api import SHOPIFY_API
from commerce_core.profiles.shopware import SHOPWARE
from commerce_core.profiles.wix import WIX
from commerce_core.profiles.woocommerce import WOOCOMMERCE

PRESET_PROFILES: Final[Mapping[Preset, Profile]] = {
    "canonical": CANONICAL,
    "google-merchant": GOOGLE_MERCHANT,
    "shopify": SHOPIFY,
    "shopify-api": SHOPIFY_API,
    "woocommerce": WOOCOMMERCE,
    "medusa": MEDUSA,
    "bigcommerce": BIGCOMMERCE,
    "magento": MAGENTO,
    "prestashop": PRESTASHOP,
    "shopware": SHOPWARE,
    "mirakl": MIRAKL,
    "amazon": AMAZON,
    "idealo": IDEALO,
    "etsy": ETSY,
    "wix": WIX,
    "ecwid": ECWID,
    "ebay": EBAY,
}


def in_full(profile: Profile) -> Profile:
    """The profile, with its preset's values for everything that it doesn't set itself."""
    return profile.over(PRESET_PROFILES[profile.preset])
