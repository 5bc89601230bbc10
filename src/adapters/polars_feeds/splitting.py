"""From lines to records: which lines belong together, found for all lines at once.

What a line leaves open depends on the line before it: a quoted cell goes on, or it doesn't. So a
line is a function of two states, and composing them shows where each record begins. That is
exactly what the reference's reader finds; quotes within a cell, or text behind one, included.
"""

import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import Final

import polars as pl
from attrs import frozen

from commerce_core.base.errors import FileRefused
from commerce_core.parsing.delimited import read_delimited
from commerce_core.parsing.quoting import beside_quotes
from commerce_core.parsing.raw_records import RawRecord, count_line_ends, without_end

Mark = Callable[[pl.DataFrame], pl.DataFrame]
"""Adds to records which product each is known to be: `upper`, `lower`, `number`, `warnings`."""
_TEXT: Final = pl.col("text")
_BARE_RETURN: Final = b"\x01"
"""What stands for a CR alone while lines are split."""
RECORDS: Final = {"text": pl.String, "line": pl.Int64, "lines": pl.UInt32, "end": pl.String}
"""The columns of records: `text` is without the `end` of its last line."""


@frozen
class Dialect:
    """What lines look like with one delimiter, as regular expressions."""

    delimiter: str
    proper: str
    """A record whose quotes all stand around cells, or are doubled within them."""
    opens: str
    """Text that begins a record, or a cell, and ends within quotes."""
    stays_open: str
    """Text that begins within quotes and ends within quotes."""
    blank_beside: str
    """Text in which a blank may stand between a quote and the edge of a cell."""

    @classmethod
    @cache
    def of(cls, delimiter: str) -> "Dialect":
        """For cells with that delimiter between them."""
        d = re.escape(delimiter)
        quoted, inside = r'"[^"]*(?:""[^"]*)*"', r'[^"]*(?:""[^"]*)*'
        plain = rf'[^"{d}\r\n]*'
        any_cell = rf'(?:{quoted}|[^"{d}\r\n][^{d}\r\n]*|)'
        b = beside_quotes(delimiter)
        opens = rf'(?:{any_cell}{d})*"{inside}'
        return cls(
            delimiter,
            rf"^(?:{plain}|{quoted})(?:{d}(?:{plain}|{quoted}))*$",
            f"^{opens}$",
            rf'^{inside}(?:"{d}{opens})?$',
            rf'(?:^|{d}){b}+"|"{b}+(?:{d}|$)',
        )


@frozen
class Split:
    """Records, and the text after them of one that isn't whole yet, which begins on that line.

    `after` is the line behind all of it. `as_csv` is all the text, where it is that of well quoted
    records alone, behind a line that isn't theirs.
    """

    records: pl.DataFrame
    after: int
    line: int
    pending: bytes = b""
    as_csv: bytes | None = None


def stays_open(body: bytes, dialect: Dialect) -> bool:
    """Whether a quoted cell that is open before these lines is still open behind each of them.

    Its record then goes on, and nothing need be joined before it ends. Raises polars' own errors
    for what is no UTF-8.
    """
    if b'"' not in body:
        return True
    lines = b"\n" + body.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    quoted = pl.read_lines(lines, name="text").filter(_quoted())
    return quoted.select(_TEXT.str.contains(dialect.stays_open).all()).item()


def split_lines(body: bytes, line: int, dialect: Dialect, mark: Mark) -> Split | None:
    """The records of a text behind its first line, which isn't of the file.

    The first of them begins on that line of the file. `mark` adds what records are recognised by;
    one that is recognised was whole and well quoted when it was read, and needn't be looked at.
    `proper` says so of the others. None where there is a NUL, or another character that no text has
    beside a CR, or a quote with a blank beside it that may matter. Raises polars' own errors for
    what is no UTF-8.
    """
    lines = _lines_of(body, line)
    if lines is None:
        return None
    marked, after = mark(lines), line + len(lines)
    proper = _proper(marked, dialect)
    marked = marked.with_columns(proper=pl.lit(value=True) if proper is None else proper)
    if proper is None:
        usual = b"\r" not in body or (marked["end"] == "\r\n").all()
        whole = body if usual and marked["number"].null_count() == len(marked) else None
        return Split(marked, after, after, as_csv=whole)
    opening, blank_beside = (
        marked.filter(~proper)
        .select(
            _TEXT.str.contains(dialect.opens).any().alias("opens"),
            _TEXT.str.contains(dialect.blank_beside).any().alias("blank_beside"),
        )
        .row(0)
    )
    if opening:
        return _joined(marked, after, dialect, mark, by_count=blank_beside)
    return None if blank_beside else Split(marked, after, after)


def _lines_of(body: bytes, line: int) -> pl.DataFrame | None:
    """The lines of a text behind its first one, as if each were a record."""
    if b"\0" in body:
        return None
    text, end = _TEXT, pl.lit("\n")
    if b"\r" in body:
        returns = body.count(b"\r\n")
        if returns == body.count(b"\r") == body.count(b"\n") - 1:
            end = pl.lit("\r\n")
        elif _BARE_RETURN in body:
            return None
        else:
            # Two characters that don't occur mark how each line ended.
            body = body.replace(b"\r\n", b"\0\n").replace(b"\r", _BARE_RETURN + b"\n")
            last = _TEXT.str.tail(1)
            text = _TEXT.str.strip_chars_end("\0" + _BARE_RETURN.decode())
            end = pl.when(last == "\0").then(pl.lit("\r\n")).otherwise(end)
            end = pl.when(last == _BARE_RETURN.decode()).then(pl.lit("\r")).otherwise(end)
    if not body.endswith(b"\n"):
        is_last = pl.int_range(pl.len()) == pl.len() - 1
        end = pl.when(is_last).then(pl.lit("")).otherwise(end)
    return (
        pl.read_lines(body, name="text")
        .slice(1)
        .select(
            text,
            pl.int_range(line, line + pl.len(), dtype=pl.Int64).alias("line"),
            pl.lit(1, pl.UInt32).alias("lines"),
            end.alias("end"),
        )
    )


def _proper(marked: pl.DataFrame, dialect: Dialect) -> pl.Series | None:
    """Whether all quotes of each record that isn't recognised stand around cells; None if so."""
    rows = marked["number"].is_null().arg_true()
    texts = marked["text"] if len(rows) == len(marked) else marked["text"].gather(rows)
    has_quotes = texts.str.contains('"', literal=True)
    if not has_quotes.any():
        return None
    rows, quoted = rows.filter(has_quotes), texts.filter(has_quotes).to_frame()
    # Most have one quoted cell, and it is quicker to look at what stands beside two quotes.
    parts = quoted.select(_TEXT.str.splitn('"', 4).struct.unnest())
    before, behind, more = (pl.col(f"field_{n}") for n in (0, 2, 3))
    d = dialect.delimiter
    simple = parts.select(
        ((before == "") | before.str.ends_with(d))
        & ((behind == "") | behind.str.starts_with(d)).fill_null(value=False)
        & more.is_null()
    ).to_series()
    rest = quoted.filter(~simple).select(_TEXT.str.contains(dialect.proper)).to_series()
    if rest.all():
        return None
    found = simple.scatter((~simple).arg_true(), rest)
    return pl.repeat(value=True, n=len(marked), eager=True).scatter(rows, found)


def _joined(
    marked: pl.DataFrame, after: int, dialect: Dialect, mark: Mark, *, by_count: bool
) -> Split | None:
    """The records where some cover several lines.

    If every quote stands around a cell or is doubled, it is enough to count them. Whether that
    is so, the resulting records show; if not, each line is looked at more closely, or None is
    returned if they may only be counted.
    """
    odd = (_TEXT.str.count_matches('"', literal=True) % 2).cum_sum() % 2 == 1
    counted = _grouped(marked, marked.select(odd).to_series(), after, dialect, mark)
    if counted.records["proper"].all():
        return counted
    if by_count:
        return None
    states = marked.select(
        from_start=~pl.col("proper") & _TEXT.str.contains(dialect.opens),
        from_within=~_quoted() | _TEXT.str.contains(dialect.stays_open),
    ).select(_open_after())
    return _grouped(marked, states.to_series(), after, dialect, mark)


def _grouped(
    marked: pl.DataFrame, open_after: pl.Series, after: int, dialect: Dialect, mark: Mark
) -> Split:
    """The records of lines behind some of which a quoted cell is open."""
    begins = ~open_after.shift(1, fill_value=False)
    count = int(begins.arg_true()[-1]) if open_after[-1] else len(marked)
    pending, begins = marked.slice(count), begins.head(count)
    is_alone = begins & begins.shift(-1, fill_value=True)
    whole = marked.head(count).with_columns(group=begins.cum_sum())
    alone, several = whole.filter(is_alone).drop("group"), whole.filter(~is_alone)
    goes_on = (pl.col("group") == pl.col("group").shift(-1)).fill_null(value=False)
    text = pl.concat_str(_TEXT, pl.when(goes_on).then("end").otherwise(pl.lit("")))
    records = several.group_by("group", maintain_order=True).agg(
        text.str.join("").alias("text"),
        pl.col("line").first(),
        pl.len().cast(pl.UInt32).alias("lines"),
        pl.col("end").last(),
    )
    joined = mark(records.select(*RECORDS)).with_columns(
        proper=pl.col("number").is_not_null() | _TEXT.str.contains(dialect.proper)
    )
    kept = pending.select(pl.concat_str("text", "end").str.join("")).item() if len(pending) else ""
    line = int(pending["line"][0]) if len(pending) else after
    return Split(alone.merge_sorted(joined, "line"), after, line, kept.encode())


def _open_after() -> pl.Expr:
    """Whether a quoted cell is open behind each line, the first line beginning a record.

    Most lines leave it as it was. Some settle it, some turn it round; how often it has been turned
    since it was last settled is the rest.
    """
    start, within = pl.col("from_start"), pl.col("from_within")
    turns = (start & ~within).cast(pl.UInt32).cum_sum() % 2 == 1
    settled = pl.when(start == within).then(start ^ turns).forward_fill().fill_null(value=False)
    return settled ^ turns


def split_by_reference(
    body: bytes, line: int, dialect: Dialect, mark: Mark, *, final: bool
) -> Split:
    """The same for any characters."""
    raws: list[RawRecord] = []
    text, taken, ends_on = body.decode(), 0, line
    try:
        for raw in read_delimited(iter((text,)), dialect.delimiter, line):
            raws.append(raw)
            taken += len(raw.sent)
            ends_on = raw.line + raw.lines
    except FileRefused as refusal:
        if final or refusal.code != "unterminated_quote":
            raise
    records, rest = as_records(raws, dialect, mark), text[taken:]
    return Split(records, line + count_line_ends(text), ends_on, rest.encode())


def as_records(raws: Iterable[RawRecord], dialect: Dialect, mark: Mark) -> pl.DataFrame:
    """Records that the reference has split, as columns."""
    rows = [(text := without_end(r.sent), r.line, r.lines, r.sent[len(text) :]) for r in raws]
    proper = ~_TEXT.str.contains("\0", literal=True) & _TEXT.str.contains(dialect.proper)
    return mark(pl.DataFrame(rows, RECORDS, orient="row")).with_columns(proper=proper)


def _quoted() -> pl.Expr:
    return _TEXT.str.contains('"', literal=True)
