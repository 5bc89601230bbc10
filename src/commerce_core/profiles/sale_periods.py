"""Columns that may say when a sale price applies, and that nothing reads.

A sale price whose period can't be read would apply for ever, so it isn't taken.
"""

import re
from typing import Final

from commerce_core.base.text import squash
from commerce_core.profiles.mapping import HeaderMapping

_OF_SALES: Final = r"(?:sale|special|discount|promo|offer|action|aktion|angebot|sonderpreis)"
_PERIOD: Final = re.compile(
    rf"{_OF_SALES}.*(?:date|from|until|start|begin|period|validity|datum|zeitraum|expir)"
    rf"|{_OF_SALES}.*(?:von|bis|ends?(?:s?(?:at|on|time))?|priceto)$"
)
"""How the squashed name of such a column begins."""


def unread_periods(mapping: HeaderMapping) -> tuple[int, ...]:
    """Such columns, unless a time of the sale is mapped; none if there is no sale price."""
    fed = mapping.field_mappings
    if "sale_price" not in fed or fed["sale_price"].column.compare_at:
        return ()
    if "sale_starts_at" in fed or "sale_ends_at" in fed:
        return ()
    unused = {*mapping.unused}
    return tuple(
        index
        for index, name in enumerate(mapping.header)
        if name in unused and _PERIOD.match(squash(name))
    )
