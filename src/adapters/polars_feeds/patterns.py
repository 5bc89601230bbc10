"""Patterns of profiles for whole columns: the same trees, for polars' own linear engine."""

from functools import lru_cache
from typing import Final, assert_never

import polars as pl

from commerce_core.base.text import BLANKS
from commerce_core.profiles.patterns import (
    LONGEST_MATCHED,
    Characters,
    Edge,
    Either,
    Kept,
    Node,
    Repeated,
    Together,
    parse_pattern,
)

_EDGES: Final = {"begin": r"\A", "end": r"\z", "word": r"(?-u:\b)"}
_HALVES: Final = (0xD800, 0xDFFF)
"""Halves of characters, which no column of text has."""


def kept_of(texts: pl.Series, pattern: str) -> pl.Series | None:
    """What a pattern keeps of each text, null if it doesn't match; None if polars can't tell."""
    rust = rust_of(pattern)
    if rust is None:
        return None
    text = pl.col("t")
    short = text.str.len_chars() <= LONGEST_MATCHED
    kept = text.str.extract(rust, 1).fill_null("").str.strip_chars(BLANKS)
    matches = short & text.str.contains(rust)
    return texts.alias("t").to_frame().select(pl.when(matches).then(kept)).to_series()


def is_odd(texts: pl.Series) -> pl.Series:
    """Texts that are refused whether they match or not."""
    text = pl.col("t")
    long = text.str.len_chars() > LONGEST_MATCHED
    odd = long | text.str.contains("\0", literal=True)
    return texts.alias("t").to_frame().select(odd).to_series()


@lru_cache(256)
def rust_of(pattern: str) -> str | None:
    """The pattern as polars reads it, for the text as a whole; None if it has what polars lacks."""
    written = _written(parse_pattern(pattern))
    return None if written is None else rf"\A(?:{written})\z"


def _written(node: Node) -> str | None:
    match node:
        case Characters(ranges):
            return _set(ranges)
        case Edge(place):
            return _EDGES.get(place)
        case Together(parts):
            return _all(parts, "")
        case Either(options):
            inner = _all(options, "|")
            return None if inner is None else f"(?:{inner})"
        case Kept(part):
            inner = _written(part)
            return None if inner is None else f"({inner})"
        case Repeated(part, least, most, lazy):
            inner = _written(part)
            counts = f"{{{least},{'' if most is None else most}}}{'?' * lazy}"
            return None if inner is None else f"(?:{inner}){counts}"
        case _:
            assert_never(node)


def _all(nodes: tuple[Node, ...], between: str) -> str | None:
    written = [_written(node) for node in nodes]
    whole = [text for text in written if text is not None]
    return between.join(whole) if len(whole) == len(written) else None


def _set(ranges: tuple[tuple[int, int], ...]) -> str:
    """The characters as a class of code points."""
    first_half, last_half = _HALVES
    parts: list[str] = []
    for first, last in ranges:
        for a, b in ((first, min(last, first_half - 1)), (max(first, last_half + 1), last)):
            if a <= b:
                parts.append(rf"\x{{{a:X}}}-\x{{{b:X}}}")
    return f"[{''.join(parts)}]" if parts else r"[^\x{0}-\x{10FFFF}]"
