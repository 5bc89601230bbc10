"""Which words in a cell mean that it is blank: what databases, programs and people write for that.

It depends on the kind of the field. A blank quantity is untracked stock, which sells without limit,
and a sale without an end never ends: there, a word counts as blank only if nothing else can be
meant by it. A name or a text can be any word, so there only a database's own marks are blank.
"""

from collections.abc import Set as AbstractSet
from typing import Final, assert_never

from commerce_core.schema import fields as schema
from commerce_core.schema.fields import Kind

LONGEST_BLANK_WORD: Final = 4
"""The longest word that can mean blank, in characters."""
MARKS: Final = frozenset({"NULL", "\\N"})
"""What databases write for no value. In texts, only these spellings are blank."""
_NULLS: Final = frozenset({"null", "\\n"})
_OF_PROGRAMS: Final = _NULLS | {"nil", "nan", "nat"}
_OF_PEOPLE: Final = _OF_PROGRAMS | {
    "none", "n/a", "na", "n.a.", "-", "--", "\u2013", "\u2014",
}  # fmt: skip
_IN_TEXTS: Final = frozenset[str]()


def blank_words(kind: Kind) -> AbstractSet[str]:
    """The words that mean blank in a field of that kind, in lower case; texts have `MARKS`."""
    match kind:
        case (
            schema.Amount() | schema.Grams() | schema.Gtin() | schema.Instant() | schema.Url()
            | schema.Urls() | schema.Category() | schema.Options() | schema.Attributes()
        ):  # fmt: skip
            return _OF_PEOPLE
        case schema.Whole():
            # "None" and "-" may mean that there are none, and "n/a" that it isn't available.
            return _OF_PROGRAMS
        case schema.Word() | schema.YesNo() | schema.CurrencyCode():
            return _NULLS
        case schema.Text():
            return _IN_TEXTS
        case _:
            assert_never(kind)


def is_blank_word(kind: Kind, text: str) -> bool:
    """Whether a trimmed text only says that the field is blank."""
    if len(text) > LONGEST_BLANK_WORD:
        return False
    return text in MARKS if isinstance(kind, schema.Text) else text.lower() in blank_words(kind)


def error_is_blank(kind: Kind) -> bool:
    """Whether a spreadsheet's error in place of a value counts as blank, with a warning.

    Elsewhere it is an error: a blank there could sell more than there is, longer or in another
    currency, and would clear a price. So the product stays as it was.
    """
    match kind:
        case (
            schema.Text() | schema.Grams() | schema.Gtin() | schema.Url() | schema.Urls()
            | schema.Category() | schema.Options() | schema.Attributes()
        ):  # fmt: skip
            return True
        case (
            schema.Amount() | schema.Whole() | schema.Instant() | schema.Word() | schema.YesNo()
            | schema.CurrencyCode()
        ):  # fmt: skip
            return False
        case _:
            assert_never(kind)
