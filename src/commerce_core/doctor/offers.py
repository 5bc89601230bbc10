"""Columns that say whether a record is for sale at all, or whether its sale price applies.

Nothing but such a column tells a product that a shop has hidden from one that it sells, so a file
that is otherwise read well would sell the hidden ones too.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from attrs import evolve, frozen

from commerce_core.base.text import squash
from commerce_core.doctor.columns import ColumnStats
from commerce_core.doctor.diagnosis import Option, Question
from commerce_core.doctor.proposal import Finding
from commerce_core.doctor.words import WORDS
from commerce_core.profiles.notes import says_for_sale
from commerce_core.profiles.profile import Profile, Skip
from commerce_core.schema.cells import YES_NO

_MOST_WORDS: Final = 6
_SOLD: Final = frozenset(
    {"active", "published", "publish", "live", "enabled", "visible", "online", "public"}
    | {"aktiv", "veröffentlicht", "sichtbar", "actif", "publié", "activo", "publicado"}
    | {"attivo", "pubblicato", "actief", "aktywny", "aktivní"}
)
_UNSOLD: Final = frozenset(
    {"draft", "archived", "inactive", "disabled", "hidden", "offline", "private", "pending"}
    | {"unpublished", "notpublished", "unlisted", "deleted", "trash", "blocked", "suspended"}
    | {"entwurf", "archiviert", "inaktiv", "deaktiviert", "gesperrt", "versteckt", "brouillon"}
    | {"archivé", "inactif", "borrador", "archivado", "inactivo", "bozza", "archiviato"}
    | {"inattivo", "concept", "gearchiveerd", "inactief", "nieaktywny", "szkic", "neaktivní"}
)
"""Words of a status, squashed, with which a product is sold or isn't."""
_ON_SALE: Final = frozenset(
    {
        "onsale",
        "isonsale",
        "saleactive",
        "saleenabled",
        "onpromotion",
        "specialactive",
        "salepriceon",
    }
)


@frozen
class Offered:
    """A rule to leave out records that aren't for sale, and the question whether it is right."""

    rule: Skip
    question: Question


def not_offered(all_stats: Sequence[ColumnStats], unused: Sequence[str]) -> Iterator[Offered]:
    """Each unused column by which some records are not for sale."""
    for stats in all_stats:
        if stats.header not in unused or (sold := says_for_sale(stats.header)) is None:
            continue
        means = {word: _is_sold(word) if sold else _yes(word) for word in stats.words}
        left_out = tuple(word for word, yes in means.items() if yes is not sold)
        if None in means.values() or not left_out or len(means) > _MOST_WORDS:
            continue
        shown = " or ".join(map(repr, left_out))
        count = sum(stats.words[word] for word in left_out)
        asked = f"Is a product for sale whose {stats.header!r} is {shown}, as in {count:,} records?"
        options = (
            Option("no", "the profile leaves such records out; in a delta they are removed"),
            Option("yes", "take the rule out of the profile"),
        )
        rule = Skip(
            stats.header, left_out, f"{stats.header} is {left_out[0]}"[:200], withdraws=True
        )
        yield Offered(rule, Question("for_sale", stats.header, asked, options, options[0].answer))


def sale_flag(
    all_stats: Sequence[ColumnStats], unused: Sequence[str], fed: Sequence[str]
) -> Iterator[Finding]:
    """The unused column without whose yes a sale price doesn't apply."""
    for stats in all_stats if "sale_price" in fed else ():
        words = {squash(word) for word in stats.words}
        if (
            stats.header in unused
            and squash(stats.header).replace("?", "") in _ON_SALE
            and words <= YES_NO.keys()
            and not all(YES_NO[word] for word in words)
        ):
            options = (
                Option("no", "the sale price is taken only where the column has a yes"),
                Option("yes", "take `needs` out of the profile"),
            )
            asked = f"Does a sale price apply where {stats.header!r} is no?"
            question = Question("sale_flag", stats.header, asked, options, options[0].answer)
            yield Finding("sale_price", {"needs": (stats.header,)}, question)
            return


def with_rules(profile: Profile, found: Sequence[Offered]) -> Profile:
    """The profile with the rules that leave records out."""
    return evolve(profile, skip=(*profile.skip, *(each.rule for each in found)))


def _is_sold(word: str) -> bool | None:
    """Whether a word of a status means that a product is sold; None if it isn't known."""
    plain = squash(word)
    return True if plain in _SOLD else False if plain in _UNSOLD else _yes(word)


def _yes(word: str) -> bool | None:
    """Whether a word is a yes or a no; None if it is neither."""
    plain = squash(word)
    known = WORDS["deleted"].get(plain)
    return known == "yes" if known else YES_NO.get(plain)
