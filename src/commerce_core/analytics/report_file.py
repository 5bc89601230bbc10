"""Reports as CSV: one line for each row, with the columns of its JSON form."""

from collections.abc import Iterator

from attrs import fields

from commerce_core.analytics.entries_file import cell
from commerce_core.analytics.reports import Report, Row, SummaryFigures, SummarySales
from commerce_core.parsing.delimited import written
from commerce_core.parsing.formulas import escape_formula

BEFORE = "before"
"""The member of a summary that has the figures of the period before, in columns of their own."""


def write_report(report: Report, of: type[Row]) -> Iterator[bytes]:
    """A header, and a line for each row, in blocks of bytes."""
    yield _line(list(_columns(of)))
    for row in report.results:
        yield _line([_text(row, name) for name in _columns(of)])


def _columns(of: type[Row]) -> Iterator[str]:
    for member in fields(of):
        if of is SummarySales and member.name == BEFORE:
            yield from (f"{BEFORE}_{figure.name}" for figure in fields(SummaryFigures))
        else:
            yield member.name


def _text(row: Row, name: str) -> str:
    """One cell. Texts are other people's, so nothing in them is a formula for a spreadsheet."""
    if isinstance(row, SummarySales) and name.startswith(f"{BEFORE}_"):
        return cell(name, row.before and getattr(row.before, name.removeprefix(f"{BEFORE}_")))
    value = getattr(row, name)
    return escape_formula(value) if isinstance(value, str) else cell(name, value)


def _line(cells: list[str]) -> bytes:
    return f"{written(cells, ',')}\n".encode()
