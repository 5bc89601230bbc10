"""Why new products can't be sold, counted while they are loaded.

Asking the catalog afterwards is one more pass over all of them, a tenth of what a first load takes
the server. By what decides it new products are of a few dozen kinds, and the core judges each once.
"""

from collections import Counter
from decimal import Decimal
from typing import Final

import polars as pl
from attrs import define, field

from commerce_core.catalog.product import NotSellable, reason_by_values
from commerce_core.catalog.publication import Publication

_PRICE: Final = pl.col("price")
_QUANTITY: Final = pl.col("quantity")
_DECIDES: Final = {
    "availability": pl.col("availability"),
    # One unit, and any price above zero, stand for all others.
    "price": pl.when(_PRICE.is_not_null()).then(_PRICE.str.contains("[1-9]").cast(pl.Int64)),
    "quantity": pl.when(_QUANTITY.is_not_null()).then((_QUANTITY > 0).cast(pl.Int64)),
}


@define
class NewReasons:
    """How many new products of one source can't be sold, by reason; nothing is reserved yet."""

    _publication: Publication
    _created: int = 0
    _by_values: Counter[NotSellable] = field(factory=Counter[NotSellable])

    def add(self, products: pl.DataFrame) -> None:
        """Counts some more, by the columns of their records."""
        self._created += len(products)
        decides = {n: how if n in products.columns else None for n, how in _DECIDES.items()}
        kinds = products.select(**decides).group_by(*_DECIDES).len()
        for availability, price, quantity, times in kinds.iter_rows():
            amount = None if price is None else Decimal(price)
            if reason := reason_by_values(availability, amount, quantity):
                self._by_values[reason] += times

    def are_of(self, publication: Publication) -> bool:
        """Whether that publication wrote these products."""
        return self._publication.publication_id == publication.publication_id

    def counted(self, *, stale: bool) -> Counter[NotSellable]:
        """Their number by reason, if their source is `stale` or isn't."""
        if not stale:
            return self._by_values
        discontinued = self._by_values["discontinued"]
        return +Counter[NotSellable](
            {"discontinued": discontinued, "stale": self._created - discontinued}
        )
