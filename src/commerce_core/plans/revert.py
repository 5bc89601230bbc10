"""Reverts: the reference of what undoing publications does to each product.

    an undone publication wrote the live version     goes back to the latest version that none did
    and there is no such version                     removed, since an undone one created it
    another publication has changed it since         kept as it is, and listed

A version also counts as written by a publication if a revert brought back that one's values.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final

from attrs import evolve, field, frozen

from commerce_core.catalog.product import Product
from commerce_core.catalog.publication import ChangeKind
from commerce_core.schema.fields import PRODUCT_FIELDS
from commerce_core.schema.problems import Problem

MOST_KEPT: Final = 1_000
"""The most kept products that are listed; all of them are counted."""


@frozen
class Kept:
    """A product that a revert leaves alone, because `publication` later wrote `version` of it."""

    product_id: str
    sku: str
    version: int
    publication: int
    feed_id: str

    @property
    def problem(self) -> Problem:
        """The problem by which a job reports it."""
        hint = (
            f"Feed {self.feed_id} later wrote version {self.version} (publication "
            f"{self.publication}). Revert that feed first, or send a new one."
        )
        return Problem.of("changed_since", line=0, field="sku", value=self.sku, hint=hint)


@frozen
class RevertPlan:
    """What undoing these publications of a partner would change; nothing has been written.

    `updated` products get their former values, `removed` ones had been created or restored,
    `restored` ones had been removed, and `unchanged` ones already are as before. `kept` products
    were changed since; the first of them are listed. `before` is the number of the partner's active
    products.
    """

    partner_id: str
    undone: tuple[str, ...]
    updated: int = 0
    restored: int = 0
    removed: int = 0
    unchanged: int = 0
    kept: int = 0
    before: int = 0
    listed: tuple[Kept, ...] = ()

    @property
    def changes(self) -> int:
        """The number of products that change."""
        return self.updated + self.restored + self.removed

    def check(self, after: int) -> None:
        """AssertionError unless the catalog grew by exactly what the plan has."""
        if after != self.before + self.restored - self.removed:
            raise AssertionError(f"{self.before} products before, {after} after: {self}")


@frozen
class Undone:
    """A product that a revert changes: what it is, and what it becomes."""

    kind: ChangeKind
    live: Product
    becomes: Product


@frozen
class Decided:
    """A plan and its changes, in the order of product ids."""

    plan: RevertPlan
    changes: tuple[Undone, ...] = field(repr=False)


def plan_revert(
    partner_id: str,
    undone: Collection[str],
    live: Iterable[Product],
    earlier: Callable[[Product], Iterable[Product]],
    numbers: Mapping[str, int],
    *,
    most_kept: int = MOST_KEPT,
) -> Decided:
    """Decides what becomes of the partner's live products if these publications are undone.

    `earlier` returns the versions before a live one, newest first; `numbers` are the publications'
    numbers by id.
    """
    products = sorted(live, key=lambda product: product.product_id)
    changes: list[Undone] = []
    kept: list[Kept] = []
    unchanged = 0
    for product in products:
        past = list(earlier(product))
        if is_of(product, undone):
            becomes = before(product, past, undone)
            if becomes is None:
                unchanged += 1
            else:
                changes.append(Undone(_kind(product, becomes), product, becomes))
        elif any(version.publication_id in undone for version in past):
            kept.append(_kept(product, numbers))
    kinds = [change.kind for change in changes]
    plan = RevertPlan(
        partner_id,
        tuple(undone),
        updated=kinds.count("updated"),
        restored=kinds.count("restored"),
        removed=kinds.count("removed"),
        unchanged=unchanged,
        kept=len(kept),
        before=sum(product.status == "active" for product in products),
        listed=tuple(kept[:most_kept]),
    )
    return Decided(plan, tuple(changes))


def is_of(version: Product, publications: Collection[str]) -> bool:
    """Whether one of these publications wrote the version, or first had its values."""
    return version.publication_id in publications or version.origin_id in publications


def before(product: Product, past: Iterable[Product], undone: Collection[str]) -> Product | None:
    """The product as it was before, as its next version; None if it already is so."""
    former = next((version for version in past if not is_of(version, undone)), None)
    if former is None:
        gone = product.status == "removed"
        return None if gone else evolve(product, status="removed", line=0, origin_id=None)
    if product.status == former.status == "removed" or _state(product) == _state(former):
        return None
    return evolve(
        product,
        **former.values(),
        status=former.status,
        source_id=former.source_id,
        line=former.line,
        feed_id=former.feed_id,
        origin_id=former.origin_id or former.publication_id,
    )


def _state(version: Product) -> tuple[object, ...]:
    return (
        version.status, version.source_id, *(getattr(version, name) for name in PRODUCT_FIELDS),
    )  # fmt: skip


def _kind(live: Product, becomes: Product) -> ChangeKind:
    if becomes.status == "removed":
        return "removed"
    return "restored" if live.status == "removed" else "updated"


def _kept(product: Product, numbers: Mapping[str, int]) -> Kept:
    number = numbers[product.publication_id]
    return Kept(product.product_id, product.sku, product.version, number, product.feed_id)
