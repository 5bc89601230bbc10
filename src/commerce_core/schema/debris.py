"""Debris in cells: what spreadsheets and copying leave there, which is no part of the value.

    ="0042"            a spreadsheet's way to keep a text; the text counts
    #N/A, #REF!        a spreadsheet's error; there is no value
    1E+05              a number that a spreadsheet has shortened
    U-1<U+200E>        marks of direction, zero-width characters, soft hyphens

Texts are composed (Unicode's NFC), so that one name has one spelling, however it was typed.
"""

import re
from typing import Final

from commerce_core.base.text import BLANKS, composed, visible
from commerce_core.schema import fields as schema
from commerce_core.schema.fields import Kind

FORMULA_TEXT: Final = re.compile(r'="((?:[^"]|"")*)"')
SPREADSHEET_ERROR: Final = re.compile(
    r"#(?:N/[A-Z]{1,3}|NV|[A-ZÀ-Þ0-9/¡¿.]{2,20}[!?]|GETTING_DATA)|Err:[0-9]{3}"
)
SHORTENED: Final = re.compile(r"[0-9](?:[.,][0-9]{1,20})?[eE][+-][0-9]{2,3}", re.ASCII)
"""How a spreadsheet shows a number that is too wide for its column."""
_FIRST: Final = frozenset("=#E")


def is_spreadsheet_error(text: str) -> bool:
    """Whether a spreadsheet's error stands in place of a value."""
    return text[:1] in _FIRST and SPREADSHEET_ERROR.fullmatch(text) is not None


def without_debris(text: str, *, is_code: bool) -> tuple[str, str | None]:
    """The text without debris, and the code of a warning if some was removed.

    In a code or number, invisible characters are debris too. In other texts they may be
    there for a reason, as in some scripts and pictures.
    """
    if text.isascii():
        return _out_of_formula(text)
    text, code = _out_of_formula(text)
    whole = composed(text)
    if not is_code:
        return whole, code
    seen = visible(whole)
    return seen, "invisible_characters" if seen != whole else code


def _out_of_formula(text: str) -> tuple[str, str | None]:
    found = FORMULA_TEXT.fullmatch(text) if text.startswith('="') else None
    return (
        (text, None)
        if found is None
        else (found[1].replace('""', '"').strip(BLANKS), "spreadsheet_text")
    )


def is_code(kind: Kind) -> bool:
    """Whether cells of a kind are for machines: every character counts, and has to be seen."""
    match kind:
        case schema.Text() | schema.Category() | schema.Options() | schema.Attributes():
            return False
        case _:
            return True
