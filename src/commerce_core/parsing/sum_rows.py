"""Rows of sums: what a spreadsheet puts below its products, with a word such as `Total` first.

Such a row is no product, and nothing that is sold: it has sums where products have prices.
"""

import re
from collections.abc import Sequence
from typing import Final

from attrs import frozen

from commerce_core.base.text import BLANKS
from commerce_core.profiles.mapping import HeaderMapping
from commerce_core.profiles.profile import Profile

SUMS: Final = "a row of sums, not a product"
_WORDS: Final = (
    "Total Totals Grand·total Subtotal Sub-total Sub·total Overall·total Sum Sums "
    "Summe Summen Gesamt Gesamtsumme Gesamtergebnis Zwischensumme Teilergebnis Insgesamt "
    "Total·général Totaux Sous-total Somme Total·general Suma Suma·total Subtotales Totales "
    "Totale Totale·complessivo Totale·generale Subtotale Somma Soma Total·geral Totais "
    "Totaal Eindtotaal Subtotaal Som Summa Totalsumma Totalt Delsumma Summa·totalt I·alt Yhteensä "
    "Razem Suma·końcowa Suma·częściowa Celkem Celkový·součet Spolu Összesen Végösszeg "
    "Toplam Genel·Toplam Ara·Toplam Итого Общий·итог Разом Σύνολο Γενικό·άθροισμα "
    "合計 総計 小計 总计 合计 小计 總計 합계 총계 소계 Σ"
)
_NUMBER: Final = re.compile(
    r"[^\W\d]{0,4}[^\w]{0,4}\d[\d.,' \u2019\u00a0\u202f]*[^\w]{0,4}[^\W\d]{0,6}\.?"
)
"""A number, with a currency or a unit."""
_LONGEST: Final = 40


def _spellings(word: str) -> set[str]:
    plain = word.replace("·", " ")
    cases = {plain, plain.lower(), plain.upper(), plain.title(), plain.capitalize()}
    return {f"{each}{end}" for each in cases for end in ("", ":", " :", "\uff1a")}


SPELLINGS: Final = frozenset(each for word in _WORDS.split(" ") for each in _spellings(word))
"""The words in the usual cases, with and without a colon."""


@frozen
class Sums:
    """Which records under one header are rows of sums; `sku` and `name` are the columns of those.

    A product may be called Total, so that no record with a sku of its own is one, nor any other
    that has a text beside the word.
    """

    width: int
    sku: tuple[int, ...]
    name: tuple[int, ...]

    @classmethod
    def of(cls, mapping: HeaderMapping, profile: Profile) -> "Sums | None":
        """None if records without a sku may get one that is made of other columns."""
        if profile.identity:
            return None
        fed = mapping.field_mappings
        name = fed["product_name"].indexes if "product_name" in fed else ()
        return cls(len(mapping.header), fed["sku"].indexes, name)

    def __call__(self, cells: Sequence[str]) -> bool:
        """Whether a whole record begins with such a word, and has nothing but numbers behind it.

        What is blank doesn't count; the word may come again, and a currency's code is no text.
        """
        width = self.width
        first = next((text for cell in cells if (text := cell.strip(BLANKS))), "")
        if first not in SPELLINGS:  # Nearly all begin with something else.
            return False
        if len(cells) < width or any(cell.strip(BLANKS) for cell in cells[width:]):
            return False
        texts = [text for cell in cells if (text := cell.strip(BLANKS))]
        sku = [text for index in self.sku if (text := cells[index].strip(BLANKS))]
        # Without a name, a known product with that sku may be meant; others are refused anyway.
        if sku and not (self.name and SPELLINGS.issuperset(sku)):
            return False
        return all(text in SPELLINGS or _is_number(text) for text in texts[1:])


def _is_number(text: str) -> bool:
    if len(text) > _LONGEST:
        return False
    is_code = len(text) == 3 and text.isalpha() and text.isupper()  # noqa: PLR2004 - a currency's
    return is_code or _NUMBER.fullmatch(text) is not None
