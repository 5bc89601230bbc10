"""What a profile must declare about the cells of each field, and what only a person can decide."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Final

from attrs import evolve, frozen

from commerce_core.base.text import squash
from commerce_core.doctor.columns import ColumnStats
from commerce_core.doctor.diagnosis import Note, Option, Question
from commerce_core.doctor.styles import decimal_marks, is_ambiguous, wants_mark
from commerce_core.doctor.words import MINOR, WORDS, currency_in, parts_of
from commerce_core.profiles.mapping import FieldMapping, HeaderMapping
from commerce_core.profiles.normalise import currencies_meant
from commerce_core.profiles.profile import Column, DecimalMark, Profile
from commerce_core.schema import fields as schema
from commerce_core.schema.cells import YES_NO
from commerce_core.schema.fields import AMOUNTS, Kind

NUMBER_IN_WORDS: Final = "[^0-9+\\-\u2212\u2013]{0,20}([+\\-]?[0-9]+)[^0-9]{0,40}"
"""The pattern of a whole number with words around it, as in `5 new`.

A sign belongs to the number; a cell in which it doesn't stand right before the number is a problem.
"""
_ENOUGH_PRICES: Final = 10
_ENOUGH_ROUND_PRICES: Final = 3
"""Prices that all end in two zeros may be in minor units, even if there are few."""
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
    """A field with the column that feeds it, and what that column contains."""

    name: str
    kind: Kind
    feeding: FieldMapping
    stats: ColumnStats


def fed_fields(mapping: HeaderMapping, all_stats: Sequence[ColumnStats]) -> Iterator[Fed]:
    """Every field that is fed by one column, or by the first of several."""
    for name, feeding in mapping.field_mappings.items():
        if feeding.indexes and feeding.column.join is None and not feeding.column.pairs:
            yield Fed(name, feeding.field.kind, feeding, all_stats[feeding.indexes[0]])


def findings(fed: Sequence[Fed], currency: str | None) -> Iterator[Finding]:
    """Everything found in the cells of the fields, one field after the other."""
    for each in fed:
        if each.feeding.column.pattern or not each.stats.filled:
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
    yield from _currencies_of_headers(fed, currency)
    yield from _currency(fed, currency)


def _currencies_of_headers(fed: Sequence[Fed], currency: str | None) -> Iterator[Finding]:
    """A currency in a header is that of its amounts; asks if another one was given."""
    for each in fed:
        code = currency_in(each.stats.header) if each.name in AMOUNTS else None
        if code is None or each.feeding.column.currency:
            continue
        question = None
        if currency not in (None, code):
            options = (
                Option(f'currency = "{code}"', "as the header says"),
                Option(f'currency = "{currency}"', "as you or the profile say"),
            )
            asked = f"Are the amounts in {each.stats.header!r} in {code} or in {currency}?"
            question = Question("currency", each.stats.header, asked, options, options[0].answer)
        change = None if each.feeding.currency == code else {"currency": code}
        if change or question:
            yield Finding(each.name, change, question)


def _numbers(fed: Fed) -> Iterator[Finding]:
    stats, shapes = fed.stats, fed.stats.shapes
    if fed.feeding.column.decimal:
        return
    marks = decimal_marks(shapes)
    if len(marks) > 1:
        names = {".": "decimal point", ",": "decimal comma"}
        (usual, most), (odd, few) = sorted(marks.items(), key=lambda each: -each[1])
        detail = f"cells have a {names[odd]}, but {most:,} have a {names[usual]}"
        yield Finding(fed.name, note=Note("mixed_numbers", stats.header, detail, few))
    elif is_ambiguous(shapes) and not isinstance(fed.kind, schema.Whole):
        yield Finding(fed.name, question=_which_mark(stats))
    elif mark := wants_mark(shapes):
        yield Finding(fed.name, {"decimal": mark})


def _which_mark(stats: ColumnStats) -> Question:
    shown = next(n for n in stats.numbers if "." in n or "," in n)
    mark: DecimalMark = "." if "." in shown else ","
    other: DecimalMark = "," if mark == "." else "."
    digits = shown.replace(mark, "")
    return Question(
        "number_style",
        stats.header,
        f"Does {shown!r} in {stats.header!r} have decimals, or is it a thousand times as much?",
        (
            Option(f'decimal = "{mark}"', f"{shown} is {shown.replace(',', '.')}"),
            Option(f'decimal = "{other}"', f"{shown} is {digits}"),
        ),
    )


def _minor_units(fed: Fed) -> Iterator[Finding]:
    stats = fed.stats
    if fed.feeding.column.unit or set(stats.shapes) - {"whole", "other"}:
        return
    named = bool(MINOR & set(parts_of(stats.header)))
    if not named and (stats.currencies() or not _may_be_minor(stats.numbers)):
        return
    shown = next((n for n in stats.numbers if len(n) > len("00") and n.isdigit()), "")
    if not shown:
        return
    options = (
        Option('unit = "major"', f"{shown} is {shown}.00"),
        Option('unit = "minor"', f"{shown} is {shown[:-2]}.{shown[-2:]}"),
    )
    asked = f"Are the amounts in {stats.header!r} in whole units, or in cents, pence or paise?"
    question = Question("minor_units", stats.header, asked, options, 'unit = "minor"' if named
                        else 'unit = "major"')  # fmt: skip
    yield Finding(fed.name, {"unit": "minor"} if named else None, question)


def _may_be_minor(numbers: Sequence[str]) -> bool:
    """Whether nearly all amounts are large and end as prices in minor units do."""
    whole = [n for n in numbers if n.isdigit() and n.isascii() and n != "0"]
    large = bool(whole) and median(int(n[:15]) for n in whole) >= _MINOR_FROM
    if large and len(whole) >= _ENOUGH_ROUND_PRICES and all(n.endswith("00") for n in whole):
        return True
    if len(whole) < _ENOUGH_PRICES or median(int(n[:15]) for n in whole) < _MINOR_FROM:
        return False
    ends = sum(n.endswith(("99", "95", "90", "50", "00", "49")) for n in whole)
    charm = sum(n.endswith(("99", "95")) for n in whole)
    return ends >= _MINOR_SHARE * len(whole) and charm * 4 >= len(whole)


def _words_around(fed: Fed) -> Iterator[Finding]:
    words = {word: count for word, count in fed.stats.around.items() if word}
    if not words or any("point" in shape or "comma" in shape for shape in fed.stats.shapes):
        return
    shown = ", ".join(repr(word) for word in list(words)[:4])
    detail = f"cells have words beside the number ({shown}); the profile's pattern removes them"
    note = Note("words_beside_number", fed.stats.header, detail, sum(words.values()))
    yield Finding(fed.name, {"pattern": NUMBER_IN_WORDS}, None, note)


def _dates(fed: Fed) -> Iterator[Finding]:
    stats = fed.stats
    if fed.feeding.column.dates or not stats.days:
        return
    common = {name for formats in stats.days for name in formats}
    common = {name for name in common if all(name in formats for formats in stats.days)}
    ours = {name for name in common if name.startswith(_ISO_DAY) and ", " not in name}
    if ours:
        return
    if len(common) == 1:
        yield Finding(fed.name, {"dates": common.pop()})
    elif common:
        shown = next(iter(stats.samples))
        options = tuple(
            Option(f'dates = "{name}"', _begins_with(shown, name)) for name in sorted(common)
        )
        asked = f"Which comes first in {stats.header!r}, the day or the month?"
        yield Finding(fed.name, question=Question("date_order", stats.header, asked, options))
    else:
        detail = "dates are in several formats; a column can have only one"
        yield Finding(fed.name, note=Note("mixed_dates", stats.header, detail, stats.kinds["date"]))


def _begins_with(shown: str, format_: str) -> str:
    first = "day" if format_.startswith("DD") else "month"
    return f"{shown} begins with the {first}"


def _words(fed: Fed, understood: Sequence[str]) -> Iterator[Finding]:
    known = {*understood, *(squash(word) for word in fed.feeding.column.values)}
    strange = [word for word in fed.stats.words if squash(word) not in known]
    if not strange:
        return
    ours = WORDS.get(fed.name, {})
    meant = {word: ours[squash(word)] for word in strange if squash(word) in ours}
    # A rare word is a mistake in its record, and is reported as that record's problem.
    often = fed.stats.filled * _SELDOM
    unclear = (word for word in strange if squash(word) not in ours)
    open_ = [word for word in unclear if fed.stats.words[word] > often][:_SHOWN_WORDS]
    values = {**fed.feeding.column.values, **meant}
    question = _what_mean(fed, open_) if open_ else None
    note = None
    if meant:
        shown = ", ".join(f"{theirs!r} as {our}" for theirs, our in list(meant.items())[:4])
        note = Note("words_translated", fed.stats.header, f"the profile reads {shown}")
    yield Finding(fed.name, {"values": values} if meant else None, question, note)


def _what_mean(fed: Fed, words: Sequence[str]) -> Question:
    kinds = dict.fromkeys(fed.kind.spellings.values()) if isinstance(fed.kind, schema.Word) else {
        "yes": None, "no": None,
    }  # fmt: skip
    shown = ", ".join(map(repr, words))
    asked = f"What do these words in {fed.stats.header!r} mean: {shown}?"
    return Question(
        "words", fed.stats.header, asked, tuple(Option(k, f"{fed.name} is {k}") for k in kinds)
    )


def _currency(fed: Sequence[Fed], currency: str | None) -> Iterator[Finding]:
    """Asks for the currency of the amounts, unless the file or the profile declares it."""
    amounts = [each for each in fed if each.name in AMOUNTS and each.stats.kinds["number"]]
    in_column = any(each.name == "currency" and each.stats.filled for each in fed)
    for each in amounts:
        symbols = each.stats.currencies()
        yield from _unclear_symbols(each, symbols, currency)
        declared = (
            in_column
            or each.feeding.currency
            or currency
            or symbols
            or currency_in(each.stats.header)
        )
        if not declared:
            asked = f"In which currency are the amounts in {each.stats.header!r}?"
            option = Option(
                'currency = "..."', "an ISO 4217 code, in the profile or as the partner's default"
            )
            yield Finding(
                each.name, question=Question("currency", each.stats.header, asked, (option,))
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
            asked = f"Which currency does {symbol!r} in {fed.stats.header!r} mean?"
            yield Finding(fed.name, question=Question("currency", fed.stats.header, asked, options))


def amended(profile: Profile, found: Sequence[Finding], mapping: HeaderMapping) -> Profile:
    """The profile with all changes; a decimal mark that all columns share is declared once."""
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
    """The column as the profile has it, with only the headers that the file has."""
    if name in profile.columns:
        return profile.columns[name]
    feeding = mapping.field_mappings[name]
    return evolve(feeding.column, from_=tuple(mapping.header[i] for i in feeding.indexes))
