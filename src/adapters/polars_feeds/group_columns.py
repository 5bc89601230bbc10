"""Groups for many records at once: `commerce_core.parsing.groups.Groups` as columns.

What has come is in the `Groups` themselves, so that they can go on with any record one by one.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

import polars as pl
from attrs import define, evolve, field

from adapters.polars_feeds.completing import (
    HEADS,
    Completed,
    characters_taken,
    lengths,
    raw_at,
)
from adapters.polars_feeds.parsing import cell
from adapters.polars_feeds.tables import PICTURES_OF_OTHERS
from adapters.polars_feeds.texts import holds
from commerce_core.base.text import BLANKS
from commerce_core.parsing.groups import (
    MOST_PICTURES,
    Groups,
    are_too_many,
    may_stand_between,
    too_long,
)
from commerce_core.parsing.raw_records import RawRecord
from commerce_core.schema.fields import LONGEST_CELL

_ROW: Final = pl.int_range(pl.len(), dtype=pl.Int64)
_BEFORE: Final = -1
"""The row of what came before these records."""
Pictures = dict[int, tuple[str, ...]]
"""Those of records, by row."""


@define
class GroupCompleting:
    """Implements `Completing` for the groups of a file."""

    _groups: Groups
    _delimiter: str
    _key: str = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Finds the column of the key."""
        self._key = cell(self._groups.columns.key or 0)

    def __call__(self, cells: pl.DataFrame) -> Completed | None:
        """The records before the last one, which waits, and the one that was waiting.

        None if many of no group stand within one: then it matters how many came before.
        """
        plan, sent = self._plan(cells), lengths(cells)
        if self._are_many_between(plan, sent):
            return None
        taken = self._taken(cells, plan)
        more = characters_taken(cells, taken)
        plan = plan.with_columns(sent=sent, more=more, line=cells["line"])
        self._refuse_beyond(plan)
        own = self._pictures(cells, plan)
        # From here on nothing fails, so that the groups never know half of a piece.
        return evolve(self._advanced(cells.with_columns(taken), plan, own), taken=taken.columns)

    def _plan(self, cells: pl.DataFrame) -> pl.DataFrame:
        """What becomes of each record.

        Whether it `begins` a group, `takes` cells from the `head` in that row, `folds` into the
        `target` in that row, or is of no group and stands `between` that and the next.
        """
        columns, key, head = self._groups.columns, cells[self._key], self._groups.head
        has_key = key.str.strip_chars(BLANKS) != ""
        if columns.heads:
            begins = holds(key, columns.is_head)
            within = (begins.cum_sum() > 0) | (head is not None)
        else:
            known = pl.when(has_key).then(key).forward_fill().shift(1)
            if head is not None and head.cells:
                known = known.fill_null(pl.lit(head.cells[columns.key or 0]))
            begins = has_key & key.ne_missing(pl.select(known).to_series())
            within = ~begins
        continues = has_key & ~begins & within
        offers = [pl.col(cell(index)).str.strip_chars(BLANKS) != "" for index in columns.offer]
        variant = cells.select(pl.any_horizontal(offers)).to_series() if offers else has_key
        folds = continues & ~variant
        return pl.DataFrame(
            {
                "begins": begins,
                "takes": continues & variant,
                "folds": folds,
                "between": ~has_key,
                "waits": has_key & ~folds,
            }
        ).select(
            pl.all(),
            pl.when("begins").then(_ROW).forward_fill().fill_null(_BEFORE).alias("head"),
            pl.when("waits").then(_ROW).forward_fill().fill_null(_BEFORE).alias("target"),
        )

    def _are_many_between(self, plan: pl.DataFrame, sent: pl.Series) -> bool:
        """Whether more records may stand behind one that waits than it waits for."""
        groups = self._groups
        if groups.head is not None and groups.waiting is None:
            return True  # It no longer waits for its pictures.
        if not plan["between"].any():
            return False
        before = pl.when(pl.col("target") == _BEFORE).then(groups.between).otherwise(0)
        most = plan.select((pl.col("between").sum() + before).over("target").max()).item()
        longest = plan.select(pl.lit(sent).filter(pl.col("between")).max()).item()
        return not may_stand_between(most, longest)

    def _taken(self, cells: pl.DataFrame, plan: pl.DataFrame) -> pl.DataFrame:
        """The columns in which records take blank cells from their head."""
        head = self._groups.head
        first = head.cells if head is not None else None
        taken = list[pl.Series]()
        for index in dict.fromkeys(self._groups.columns.carry):
            own = cells[cell(index)]
            takes = plan["takes"] & (own.str.strip_chars(BLANKS) == "")
            if takes.any():
                before = pl.Series([first[index] if first else ""], dtype=pl.String)
                given = pl.concat([before.alias(own.name), own]).gather(plan["head"] - _BEFORE)
                taken.append(given.zip_with(takes, own))
        return pl.DataFrame(taken)

    def _refuse_beyond(self, plan: pl.DataFrame) -> None:
        """FileRefused where the groups would refuse the file."""
        groups = self._groups
        rows = plan.select("line", "takes", "folds", "target", "sent", "more")
        folded = _folded(plan, len(groups.folded), groups.characters)
        worst = folded.max().row(0) if len(folded) else (0, 0, 0)
        allowed = groups.carrying.allows(int(plan["more"].clip(lower_bound=0).sum()))
        if allowed and not are_too_many(worst[1], worst[2]):
            return
        carrying = evolve(groups.carrying)
        counted = {row: (count, characters) for row, count, characters in folded.iter_rows()}
        for row, (line, takes, folds, target, sent, more) in enumerate(rows.iter_rows()):
            carrying.read += sent
            if folds and are_too_many(*counted[row]):
                begins = groups.waiting.raw.line if groups.waiting else line
                raise too_long(begins if target == _BEFORE else plan["line"][target], line)
            if takes:
                carrying.take(more, line)

    def _pictures(self, cells: pl.DataFrame, plan: pl.DataFrame) -> Pictures:
        """The pictures of the records folded into others."""
        append = self._groups.columns.append
        if append is None or not plan["folds"].any():
            return {}
        texts = cells[cell(append)].str.strip_chars(BLANKS).alias("text")
        found = plan.select("target", "folds").with_columns(texts)
        found = found.filter(pl.col("folds") & (pl.col("text") != ""))
        few = pl.col("text").str.head(LONGEST_CELL + 1).head(MOST_PICTURES)
        by_target = found.group_by("target").agg(few)
        return {target: tuple(some) for target, some in by_target.iter_rows()}

    def _advanced(self, cells: pl.DataFrame, plan: pl.DataFrame, own: Pictures) -> Completed:
        """The records that wait for nothing more; the groups go on behind all of them."""
        groups, folds, width = self._groups, plan["folds"], self._groups.width
        groups.carrying.read += int(plan["sent"].sum())
        groups.carrying.carried += int(plan["more"].sum())

        def raw(row: int) -> RawRecord:
            return raw_at(cells, row, width, self._delimiter)

        stays = plan["waits"].arg_true()
        waits = groups.waiting is not None
        if stays.is_empty():
            if not waits:
                return Completed(cells)
            self._add(plan, range(len(cells)), raw)
            return Completed(cells.clear())
        first, last, head = int(stays[0]), int(stays[-1]), int(plan["head"][-1])
        start = first if waits else 0
        self._add(plan, range(start), raw)
        if groups.columns.heads and plan["takes"][first]:
            groups.part()
        others = tuple(groups.end())
        parted = self._parted(plan, stays)
        given = self._given(own, parted)
        if head != _BEFORE:
            groups.head, groups.pictures = raw(head), given.get(head, ())
        takes = plan["takes"][last]
        newest = groups.head if head == last and groups.head is not None else raw(last)
        waiting = groups.alone(newest, groups.head if takes else None)
        groups.wait(evolve(waiting, pictures=given.get(head, ()) if takes else ()))
        self._add(plan, range(last + 1, len(cells)), raw)
        keep = ~folds.head(last) & pl.int_range(last, eager=True).ge(start)
        made = list[pl.Series]()
        if pictures := self._with_given(own, given, plan.head(last)):
            texts = pl.Series([" ".join(some) for some in pictures.values()], dtype=pl.String)
            none = pl.repeat("", last, dtype=pl.String, eager=True).alias(PICTURES_OF_OTHERS)
            made.append(none.scatter(list(pictures), texts))
        if len(parted):
            heads = _ROW.is_in(parted.implode()).alias(HEADS)
            made.append(plan.select(heads).to_series().head(last))
        done = cells.head(last).with_columns(made)
        sizes = plan.select(pl.col("sent") + pl.col("more")).to_series().head(last)
        folded = int(folds[start:last].sum())
        fates = Counter({"folded": folded}) if folded else Counter[str]()
        return Completed(done.filter(keep), others, fates, sizes=sizes.filter(keep))

    def _add(
        self, plan: pl.DataFrame, rows: Iterable[int], raw: Callable[[int], RawRecord]
    ) -> None:
        """Folds records into the one that waits, or lets them stand behind it."""
        for row in rows:
            if plan["folds"][row]:
                self._groups.fold(raw(row))
            else:
                self._groups.follow(raw(row))

    def _parted(self, plan: pl.DataFrame, stays: pl.Series) -> pl.Series:
        """The rows of heads behind which a variant stands."""
        if not self._groups.columns.heads:
            return stays.clear()
        begins, takes = plan["begins"].gather(stays), plan["takes"].gather(stays)
        return stays.filter(begins & takes.shift(-1, fill_value=False))

    def _given(self, own: Pictures, parted: pl.Series) -> Pictures:
        """The pictures that heads give their variants."""
        given = {row: own[row] for row in parted if row in own}
        return given | {_BEFORE: self._groups.pictures} if self._groups.pictures else given

    def _with_given(self, own: Pictures, given: Pictures, plan: pl.DataFrame) -> Pictures:
        """The pictures of each record that has any."""
        found = {row: some for row, some in own.items() if 0 <= row < len(plan)}
        if given:
            rows = plan.select(_ROW.alias("row"), "takes", "head").filter("takes")
            for row, head in rows.select("row", "head").iter_rows():
                if head in given:
                    found[row] = (*given[head], *found.get(row, ()))[:MOST_PICTURES]
        return found


def _folded(plan: pl.DataFrame, folded: int, characters: int) -> pl.DataFrame:
    """The rows of folded records: how many are folded up to each, and their characters.

    `folded` are folded into the one that waits already, and have these `characters` with it.
    """
    up_to = pl.col("sent").cum_sum()
    target = pl.col("target").clip(lower_bound=0)
    waits = pl.col("target") == _BEFORE
    return plan.select(
        _ROW.alias("row"),
        (_ROW - pl.col("target") + pl.when(waits).then(folded).otherwise(0)).alias("count"),
        (up_to + pl.when(waits).then(characters).otherwise((pl.col("sent") - up_to).gather(target)))
        .alias("characters"),
        "folds",
    ).filter("folds").drop("folds")  # fmt: skip
