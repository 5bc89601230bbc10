"""Texts that may have debris in them, or may not be composed, so that the reference looks at them.

Nearly no text does, so what is looked at must cost next to nothing: how texts compare with a few
others, whether they are ASCII, and which bytes occur in a whole chunk.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from commerce_core.base.text import UNSEEN
from commerce_core.schema.debris import SHORTENED
from commerce_core.schema.fields import LONGEST_SKU

_ODD: Final = (
    r"[\p{M}"
    + UNSEEN
    + r"\x{958}-\x{95f}\x{9dc}-\x{9df}\x{a33}-\x{a5e}\x{b5c}\x{b5d}\x{f43}-\x{f69}"
    r"\x{340}-\x{345}\x{374}\x{37e}\x{387}\x{1100}-\x{11ff}\x{1f71}-\x{1fff}\x{2000}\x{2001}"
    r"\x{2126}\x{212a}\x{212b}\x{2329}\x{232a}\x{2adc}\x{f900}-\x{faff}\x{fb1d}-\x{fb4f}"
    r"\x{1d15e}-\x{1d1ff}\x{2f800}-\x{2fa1f}]"
)
"""Characters that can't be seen, and more than those that change when a text is composed."""
_T: Final = pl.col("t")
_BEYOND: Final = "Err;"
"""Greater than all that begins oddly. One comparison costs a fraction of what a search does."""
_BEGINS_ODDLY: Final = (
    ((_T >= "#") & (_T < "$")) | ((_T >= "=") & (_T < ">")) | ((_T >= "Err:") & (_T < _BEYOND))
)
_IS_ODD_SKU: Final = (
    _BEGINS_ODDLY
    | ((_T >= "'") & (_T < "("))
    | ((_T >= "0") & (_T < ":") & _T.str.contains(f"^{SHORTENED.pattern}$"))
)
_BEYOND_LATIN: Final = 0xCC
_CYRILLIC: Final = (0xD0, 0xD1)
_SOFT_HYPHEN: Final = "\xad".encode()


def is_plain(body: bytes) -> bool:
    """Whether a text in UTF-8 has only Latin and Cyrillic letters, signs and digits.

    Nothing in such a text changes when it is composed, and all of it can be seen.
    """
    if body.isascii():
        return True
    if _SOFT_HYPHEN[1:] in body and _SOFT_HYPHEN in body:
        return False
    data = np.frombuffer(body, np.uint8)
    return bool(data.max() < _BEYOND_LATIN) or _is_cyrillic(data)


def _is_cyrillic(data: npt.NDArray[np.uint8]) -> bool:
    beyond = data[data >= _BEYOND_LATIN]
    return bool(((beyond == _CYRILLIC[0]) | (beyond == _CYRILLIC[1])).all())


def odd_skus(texts: pl.Series) -> pl.Series | None:
    """Which skus the reference has to look at; None if it is none."""
    length = texts.str.len_bytes()
    odd = ~length.is_between(1, LONGEST_SKU) | (length != texts.str.len_chars())
    odd = _with(odd, texts < _BEYOND, texts, _IS_ODD_SKU)
    return odd if odd.any() else None


def odd_texts(texts: pl.Series, *, plain: bool = False) -> pl.Series | None:
    """Which texts the reference has to look at; None if it is none.

    They are known to be `plain` if the whole text is.
    """
    low = (texts < _BEYOND) & (texts != "")
    odd = _with(low, low, texts, _BEGINS_ODDLY)
    if not plain:
        wide = texts.str.len_bytes() != texts.str.len_chars()
        odd = odd | _with(wide, wide, texts, _T.str.contains(_ODD))
    return odd if odd.any() else None


def _with(odd: pl.Series, asked: pl.Series, texts: pl.Series, judge: pl.Expr) -> pl.Series:
    """The same, with the verdict on the texts asked about."""
    if not asked.any():
        return odd
    found = texts.filter(asked).to_frame("t").select(judge).to_series()
    return odd.scatter(asked.arg_true(), found | odd.filter(asked) if odd is not asked else found)
