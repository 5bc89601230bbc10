"""What a profile has to say about each field's cells, and what only a person can say."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Final

from attrs import evolve, frozen

from commerce_core.base.text import squash
from commerce_core.doctor.columns import Tally
from commerce_core.doctor.diagnosis import Note, Option, Question
from commerce_core.doctor.styles import decimal_marks, is_ambiguous, wants_mark
from commerce_core.doctor.words import MINOR, WORDS, parts_of
from commerce_core.profiles.mapping import FieldMapping, HeaderMapping
from commerce_core.profiles.normalise import currencies_meant
from commerce_core.profiles.profile import Column, DecimalMark, Profile
from commerce_core.schema import fields as schema
from commerce_core.schema.cells import YES_NO
from commerce_core.schema.fields import AMOUNTS, Kind

NUMBER_IN_WORDS: Final = "[^0-9]{0,20}([0-9]+)[^0-9]{0,40}"
"""The pattern of a whole number with words around it, as in `5 new`."""
_ENOUGH_PRICES: Final = 10
_MINOR_FROM: Final = 900
_MINOR_SHARE: Final = 0.8
_SHOWN_WORDS: Final = 8
_SELDOM: Final = 0.02
_FREQUENT_SYMBOLS: Final = 12
_ISO_DAY: Final = "YYYY-MM-DD"


@frozen
class Finding:
    """What one look at a field found: a change to its column, a question, a note."""

    field: str
    change: Mapping[str, object] | None = None
    question: Question | None = None
    note: Note | None = None


@frozen
class Fed:
    """A field with the column that feeds it, and what stands in there."""

    name: str
    kind: Kind
    feeding: FieldMapping
    tally: Tally


def fed_fields(mapping: HeaderMapping, tallies: Sequence[Tally]) -> Iterator[Fed]:
    """Each field that one column feeds by itself, or first."""
    for name, feeding in mapping.field_mappings.items():
        if feeding.indexes and feeding.column.join is None and not feeding.column.pairs:
            yield Fed(name, feeding.field.kind, feeding, tallies[feeding.indexes[0]])


def findings(fed: Sequence[Fed], currency: str | None) -> Iterator[Finding]:
    """All that is found in the cells of the fields, one after the other."""
    for each in fed:
        if each.feeding.column.pattern or not each.tally.filled:
            continue
        match each.kind:
            case schema.Amount():
                yield from _numbers(each)
                yield from _minor_units(each)
            case schema.Grams():
                yield from _numbers(each)
            case schema.Whole():
                yield from _numbers(each)
                yield from _words_around(each)
            case schema.Instant():
                yield from _dates(each)
            case schema.Word(spellings):
                yield from _words(each, tuple(spellings))
            case schema.YesNo():
                yield from _words(each, tuple(YES_NO))
            case _:
                pass
    yield from _currency(fed, currency)


def _numbers(fed: Fed) -> Iterator[Finding]:
    tally, shapes = fed.tally, fed.tally.shapes
    if fed.feeding.column.decimal:
        return
    marks = decimal_marks(shapes)
    if len(marks) > 1:
        names = {".": "a point", ",": "a comma"}
        (usual, most), (odd, few) = sorted(marks.items(), key=lambda each: -each[1])
        detail = f"{names[odd]} stands before the decimals where {most:,} cells have {names[usual]}"
        yield Finding(fed.name, note=Note("mixed_numbers", tally.header, detail, few))
    elif is_ambiguous(shapes) and not isinstance(fed.kind, schema.Whole):
        yield Finding(fed.name, question=_which_mark(tally))
    elif mark := wants_mark(shapes):
        yield Finding(fed.name, {"decimal": mark})


def _which_mark(tally: Tally) -> Question:
    shown = next(n for n in tally.numbers if "." in n or "," in n)
    mark: DecimalMark = "." if "." in shown else ","
    other: DecimalMark = "," if mark == "." else "."
    digits = shown.replace(mark, "")
    return Question(
        "number_style",
        tally.header,
        f"Is {shown!r} in {tally.header!r} about one, or a thousand times as much?",
        (
            Option(f'decimal = "{mark}"', f"{shown} is {shown.replace(',', '.')}"),
            Option(f'decimal = "{other}"', f"{shown} is {digits}"),
        ),
    )


def _minor_units(fed: Fed) -> Iterator[Finding]:
    tally = fed.tally
    if fed.feeding.column.unit or set(tally.shapes) - {"whole", "other"}:
        return
    named = bool(MINOR & set(parts_of(tally.header)))
    if not named and (tally.currencies() or not _may_be_minor(tally.numbers)):
        return
    shown = next((n for n in tally.numbers if len(n) > len("00") and n.isdigit()), "")
    if not shown:
        return
    options = (
        Option('unit = "major"', f"{shown} is {shown}.00"),
        Option('unit = "minor"', f"{shown} is {shown[:-2]}.{shown[-2:]}"),
    )
    asked = f"Are the amounts in {tally.header!r} whole units, or cents, pence, paise?"
    question = Question("minor_units", tally.header, asked, options, 'unit = "minor"' if named
                        else 'unit = "major"')  # fmt: skip
    yield Finding(fed.name, {"unit": "minor"} if named else None, question)


def _may_be_minor(numbers: Sequence[str]) -> bool:
    """Whether whole amounts end as prices in minor units do, nearly all, and are large."""
    whole = [n for n in numbers if n.isdigit() and n.isascii() and n != "0"]
    if len(whole) < _ENOUGH_PRICES or median(int(n[:15]) for n in whole) < _MINOR_FROM:
        return False
    ends = sum(n.endswith(("99", "95", "90", "50", "00", "49")) for n in whole)
    charm = sum(n.endswith(("99", "95")) for n in whole)
    return ends >= _MINOR_SHARE * len(whole) and charm * 4 >= len(whole)


def _words_around(fed: Fed) -> Iterator[Finding]:
    words = {word: count for word, count in fed.tally.around.items() if word}
    if not words or any("point" in shape or "comma" in shape for shape in fed.tally.shapes):
        return
    told = ", ".join(repr(word) for word in list(words)[:4])
    detail = f"words stand beside the number ({told}); the profile's pattern takes the number"
    note = Note("words_beside_number", fed.tally.header, detail, sum(words.values()))
    yield Finding(fed.name, {"pattern": NUMBER_IN_WORDS}, None, note)


def _dates(fed: Fed) -> Iterator[Finding]:
    tally = fed.tally
    if fed.feeding.column.dates or not tally.days:
        return
    common = {name for formats in tally.days for name in formats}
    common = {name for name in common if all(name in formats for formats in tally.days)}
    ours = {name for name in common if name.startswith(_ISO_DAY) and ", " not in name}
    if ours:
        return
    if len(common) == 1:
        yield Finding(fed.name, {"dates": common.pop()})
    elif common:
        shown = next(iter(tally.samples))
        options = tuple(Option(f'dates = "{name}"', _said(shown, name)) for name in sorted(common))
        asked = f"Which comes first in {tally.header!r}, the day or the month?"
        yield Finding(fed.name, question=Question("date_order", tally.header, asked, options))
    else:
        detail = "the dates are in several formats; one column has to keep to one"
        yield Finding(fed.name, note=Note("mixed_dates", tally.header, detail, tally.kinds["date"]))


def _said(shown: str, format_: str) -> str:
    first = "day" if format_.startswith("DD") else "month"
    return f"{shown} begins with the {first}"


def _words(fed: Fed, understood: Sequence[str]) -> Iterator[Finding]:
    known = {*understood, *(squash(word) for word in fed.feeding.column.values)}
    strange = [word for word in fed.tally.words if squash(word) not in known]
    if not strange:
        return
    ours = WORDS.get(fed.name, {})
    meant = {word: ours[squash(word)] for word in strange if squash(word) in ours}
    # A word that hardly ever comes is a slip of its record, and told as its problem.
    often = fed.tally.filled * _SELDOM
    unclear = (word for word in strange if squash(word) not in ours)
    open_ = [word for word in unclear if fed.tally.words[word] > often][:_SHOWN_WORDS]
    values = {**fed.feeding.column.values, **meant}
    question = _what_mean(fed, open_) if open_ else None
    note = None
    if meant:
        told = ", ".join(f"{theirs!r} is {our}" for theirs, our in list(meant.items())[:4])
        note = Note("words_translated", fed.tally.header, f"the profile says that {told}")
    yield Finding(fed.name, {"values": values} if meant else None, question, note)


def _what_mean(fed: Fed, words: Sequence[str]) -> Question:
    kinds = dict.fromkeys(fed.kind.spellings.values()) if isinstance(fed.kind, schema.Word) else {
        "yes": None, "no": None,
    }  # fmt: skip
    told = ", ".join(map(repr, words))
    asked = f"What do these words in {fed.tally.header!r} mean: {told}?"
    return Question(
        "words", fed.tally.header, asked, tuple(Option(k, f"{fed.name} is {k}") for k in kinds)
    )


def _currency(fed: Sequence[Fed], currency: str | None) -> Iterator[Finding]:
    """Whether every amount says its currency, or something says it for all."""
    amounts = [each for each in fed if each.name in AMOUNTS and each.tally.kinds["number"]]
    in_column = any(each.name == "currency" and each.tally.filled for each in fed)
    for each in amounts:
        symbols = each.tally.currencies()
        yield from _unclear_symbols(each, symbols, currency)
        said = in_column or each.feeding.currency or currency or symbols
        if not said:
            asked = f"In which currency are the amounts in {each.tally.header!r}?"
            option = Option(
                'currency = "..."', "an ISO 4217 code, here or as the partner's default"
            )
            yield Finding(
                each.name, question=Question("currency", each.tally.header, asked, (option,))
            )
            return


def _unclear_symbols(
    fed: Fed, symbols: Mapping[str, int], currency: str | None
) -> Iterator[Finding]:
    for symbol in symbols:
        candidates = currencies_meant(symbol)
        if len(candidates) > 1 and (currency or fed.feeding.currency) not in candidates:
            options = tuple(
                Option(f'currency = "{code}"', f"{symbol} is {code}")
                for code in candidates[:_FREQUENT_SYMBOLS]
            )
            asked = f"Which currency is {symbol!r} in {fed.tally.header!r}?"
            yield Finding(fed.name, question=Question("currency", fed.tally.header, asked, options))


def amended(profile: Profile, found: Sequence[Finding], mapping: HeaderMapping) -> Profile:
    """The profile with every change; a mark before decimals that all share is said once."""
    changes: dict[str, dict[str, object]] = {}
    for finding in found:
        if finding.change:
            changes.setdefault(finding.field, {}).update(finding.change)
    marks = {change["decimal"] for change in changes.values() if "decimal" in change}
    if len(marks) == 1:
        for change in changes.values():
            change.pop("decimal", None)
        profile = evolve(profile, decimal=marks.pop())
    columns = dict(profile.columns)
    for name, change in changes.items():
        if change:
            columns[name] = evolve(_column(profile, mapping, name), **change)
    return evolve(profile, columns=columns)


def _column(profile: Profile, mapping: HeaderMapping, name: str) -> Column:
    """The column as the profile has it; of several headers those that the file has."""
    if name in profile.columns:
        return profile.columns[name]
    feeding = mapping.field_mappings[name]
    return evolve(feeding.column, from_=tuple(mapping.header[i] for i in feeding.indexes))
