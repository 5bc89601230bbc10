"""The dry read: what would become of each record, if the partner had no products yet."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from attrs import Factory, define

from commerce_core.doctor.columns import ColumnStats
from commerce_core.doctor.diagnosis import DryRead, Note
from commerce_core.schema.problems import Problem
from commerce_core.schema.record import Record

EXAMPLES_OF_EACH: Final = 3
MOST_EXAMPLES: Final = 40
_LEAST_SHARE: Final = 0.95
_SHAPES_KEPT: Final = 200
_FORM: Final = re.compile(r"[0-9]+|[^\W\d_]+")


@define
class Reading:
    """Counts what becomes of records as they are read, and remembers their skus."""

    records: int = 0
    rejected: int = 0
    corrected_report: bool = False
    fates: Counter[str] = Factory(Counter[str])
    reasons: Counter[str] = Factory(Counter[str])
    codes: Counter[str] = Factory(Counter[str])
    warnings: int = 0
    examples: list[Problem] = Factory(list[Problem])
    lines: dict[str, int] = Factory(dict[str, int])
    taken: dict[str, bool] = Factory(dict[str, bool])
    unpriced: set[str] = Factory(set[str])
    untracked: set[str] = Factory(set[str])
    errors_by_field: Counter[str] = Factory(Counter[str])
    duplicates: list[tuple[str, int, int]] = Factory(list[tuple[str, int, int]])
    duplicate: int = 0
    forms: Counter[str] = Factory(Counter[str])
    form_shown: dict[str, tuple[str, int]] = Factory(dict[str, tuple[str, int]])

    def read(self, records: Iterable[Record], limit: int) -> None:
        """Reads at most `limit` records."""
        for record in islice(records, limit):
            self.records += 1
            if record.fate is not None:
                self.fates[record.fate] += 1
                self.reasons.update(filter(None, (record.reason,)))
            else:
                self._offer(record)

    def _offer(self, record: Record) -> None:
        self._note(record.problems)
        if record.sku is None:
            self.rejected += 1
            return
        first = self.lines.get(record.sku)
        if first is not None:
            # The last one counts, so the one before it is the duplicate.
            self.duplicate += 1
            self.rejected -= not self.taken[record.sku]
            if len(self.duplicates) < EXAMPLES_OF_EACH:
                self.duplicates.append((record.sku, first, record.line))
        else:
            self._note_form(record.sku, record.line)
        self.lines[record.sku] = record.line
        self.taken[record.sku] = not record.rejected
        self.rejected += record.rejected
        self._note_sale(record.sku, record)

    def _note_sale(self, sku: str, record: Record) -> None:
        """Notes what a product lacks to be sold rightly; its last record counts."""
        values = record.values
        stocked = values.get("quantity") is not None or values.get("availability") is not None
        for lacking, skus in (
            (not values.get("price"), self.unpriced), (not stocked, self.untracked),
        ):  # fmt: skip
            if lacking and not record.rejected and not record.deletes:
                skus.add(sku)
            else:
                skus.discard(sku)

    @property
    def right(self) -> tuple[int, int]:
        """How much of the file is read rightly: products that could be sold, and those accepted."""
        accepted = sum(self.taken.values())
        return accepted - len(self.unpriced), accepted

    def _note(self, problems: Sequence[Problem]) -> None:
        for problem in problems:
            if problem.severity == "error" and problem.field is not None:
                self.errors_by_field[problem.field] += 1
            self.codes[problem.code] += 1
            self.warnings += problem.severity == "warning"
            if self.codes[problem.code] <= EXAMPLES_OF_EACH and len(self.examples) < MOST_EXAMPLES:
                self.examples.append(problem)

    def _note_form(self, sku: str, line: int) -> None:
        form = _FORM.sub(lambda found: "9" if found[0][0].isdigit() else "A", sku)
        if form in self.form_shown or len(self.form_shown) < _SHAPES_KEPT:
            self.forms[form] += 1
            self.form_shown.setdefault(form, (sku, line))

    def report(self) -> DryRead:
        """What became of all records."""
        accepted = sum(self.taken.values())
        return DryRead(
            records=self.records,
            accepted=accepted,
            rejected=self.rejected,
            duplicate=self.duplicate,
            folded=self.fates["folded"],
            skipped=self.fates["skipped"],
            blank=self.fates["blank"],
            warnings=self.warnings + self.duplicate,
            problems_by_code=dict(self.codes.most_common()),
            examples=tuple(sorted(self.examples, key=lambda p: -self.codes[p.code])),
            skipped_because=dict(self.reasons.most_common()),
            unpriced=len(self.unpriced),
            untracked=len(self.untracked),
        )

    def notes(self) -> Iterator[Note]:
        """What is worth knowing about the skus: which are repeated, which have an unusual form."""
        if self.duplicate:
            shown = "; ".join(f"{s!r} on lines {a} and {b}" for s, a, b in self.duplicates)
            detail = f"skus are repeated, and only their last record counts: {shown}"
            yield Note("duplicate_sku", None, detail, self.duplicate, self.duplicates[0][1])
        usual = self.forms.most_common(1)
        others = sum(self.forms.values()) - (usual[0][1] if usual else 0)
        if usual and others and usual[0][1] >= _LEAST_SHARE * sum(self.forms.values()):
            sku, line = next(
                shown for form, shown in self.form_shown.items() if form != usual[0][0]
            )
            example = self.form_shown[usual[0][0]][0]
            detail = f"skus look different from the others, such as {example!r}: {sku!r}"
            yield Note("odd_sku", None, detail, others, line, sku)


def gtin_notes(stats: ColumnStats) -> Iterator[Note]:
    """What is worth knowing about a column of GTINs."""
    details = {
        "apostrophe": "GTINs begin with an apostrophe, which is removed",
        "check_digit": "GTINs have a wrong check digit; they are kept, with a warning",
        "zeros_lost": "GTINs lost their leading zeros in a spreadsheet; format the column as text",
        "other": "numbers aren't GTINs, which have 8, 12, 13 or 14 digits",
    }
    valid = stats.gtins["valid"]
    if valid:
        yield Note("gtin_valid", stats.header, "GTINs are valid", valid)
    for code, detail in details.items():
        if count := stats.gtins[code]:
            yield Note(f"gtin_{code}", stats.header, detail, count)
