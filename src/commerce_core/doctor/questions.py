"""Questions that a file leaves open, for a person to answer."""

from collections.abc import Mapping, Sequence
from typing import Final

from commerce_core.doctor.columns import ColumnStats
from commerce_core.doctor.diagnosis import (
    EncodingGuess,
    Option,
    Question,
    QuoteTrouble,
    Refusal,
)
from commerce_core.doctor.dialects import Splitting

_MOST_KEYS: Final = 6


def which_encoding(guesses: Sequence[EncodingGuess]) -> Question:
    """Asks for the encoding; the best guess is assumed."""
    options = tuple(
        Option(f'encoding = "{guess.encoding}"', " … ".join(guess.samples)) for guess in guesses
    )
    asked = "Which encoding is the file in? Choose the one in which the text reads right."
    return Question("encoding", None, asked, options, options[0].answer)


def which_records(record_path: str) -> Question:
    """Asks whether the records in others are the products, as is assumed."""
    outer, inner = record_path.split("[]")[:2]
    options = (
        Option(
            f'record_path = "{record_path}"',
            f"each of {inner.strip('/')} is a product, with what is around it (../title)",
        ),
        Option(f'record_path = "{outer}[]"', "each of the outer ones is a single product"),
    )
    asked = "The records have records in them, such as variants. Which ones are products?"
    return Question("records", None, asked, options, options[0].answer)


def are_quotes_characters(troubles: Sequence[QuoteTrouble], refusal: Refusal | None) -> Question:
    """Asks whether quotes mean nothing in a file in which they don't stand around cells."""
    lines = [trouble.line for trouble in troubles] or [refusal.line if refusal else None]
    where = ", ".join(str(line) for line in lines if line)
    options = (
        Option('quotes = "none"', 'a quote is a character like any other, as in 5" pipe'),
        Option('quotes = "double"', "quotes stand around cells; the records here are broken"),
    )
    asked = f"Quotes don't stand around cells, such as on line {where}. Is there no quoting at all?"
    return Question("quotes", None, asked, options, options[0].answer)


def which_delimiter(splittings: Sequence[Splitting]) -> Question:
    """Asks for the delimiter."""
    options = tuple(Option(f'delimiter = "{each.delimiter}"', each.evidence) for each in splittings)
    return Question("delimiter", None, "Which character separates the cells?", options)


def which_currency(codes: Sequence[str]) -> Question:
    """Asks which of a file's price columns, one for each currency, is the price."""
    options = tuple(Option(f'currency = "{code}"', f"prices in {code}") for code in codes)
    asked = "The file has a price column for each currency. Which one should be the price?"
    return Question(
        "currency", None, asked, options, options[0].answer if len(codes) == 1 else None
    )


def which_column(field: str, candidates: Sequence[ColumnStats]) -> Question:
    """Asks which of several columns is a field."""
    options = tuple(Option(stats.header, _samples(stats)) for stats in candidates)
    return Question("which_column", None, f"Which column is the {field}?", options)


def _samples(stats: ColumnStats) -> str:
    shown = ", ".join(map(repr, list(stats.samples)[:2]))
    return f"such as {shown}" if shown else "blank"


def which_identity(
    all_stats: Sequence[ColumnStats], feeds: Mapping[int, Sequence[str]]
) -> Question:
    """Asks which column identifies a product, by the fields that each column already feeds."""
    free = (s for s in all_stats if set(feeds.get(s.index, ())) <= {"gtin", "mpn"})
    keys = [stats for stats in free if stats.is_key][:_MOST_KEYS]
    options = tuple(
        Option(stats.header, f"never blank or repeated, such as {next(iter(stats.samples))!r}")
        for stats in keys
    )
    asked = "No column is the sku. Which column permanently identifies a product?"
    return Question("identity", None, asked, options)
