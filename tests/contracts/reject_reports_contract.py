"""What the report of rejected records promises, whatever the store: it is a feed like any other."""

import csv
import io
import json
import secrets
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime

import pytest
from attrs import evolve, frozen
from hypothesis import assume, given, settings

from adapters.memory import MemoryFiles
from commerce_core.base.errors import NotFound
from commerce_core.commerce import Commerce
from commerce_core.feeds.job import Job
from commerce_core.ingestion import corrected, plan
from commerce_core.parsing.reference import ReferenceEngine
from commerce_core.ports.engine import FeedEngine
from commerce_core.ports.store import Store
from commerce_core.profiles.mapping import REPORT_COLUMNS
from commerce_core.profiles.profile import Profile
from commerce_core.schema.fields import Mode
from commerce_core.schema.listed_problems import MOST_ALIKE
from commerce_core.schema.problems import Problem
from commerce_core.usecases.context import Context
from entrypoints.leases import no_lease
from tests.contracts import samples
from tests.contracts.samples import ONE_STORE_AND_ANOTHER
from tests.support.examples import scaled
from tests.support.strategies import MARKS, MODES, SentFile, sent_files

OF_FULL_FEEDS = {"too_many_decimals", "missing_currency", "missing_value"}
"""In a delta, a price that names no currency takes its product's, and a key may be left out."""
Reject = tuple[str, str | None, str | None]
"""The code, column and value of a rejected record's first error."""


@frozen
class Desk:
    """A partner whose feeds are loaded, reported, mended and loaded again."""

    commerce: Commerce
    partner: str

    def load(self, body: bytes, mode: Mode = "delta", name: str = "feed.csv") -> Job:
        stream = io.BytesIO(body)
        job = self.commerce.feeds.load(
            stream,
            partner=self.partner,
            mode=mode,
            file_name=name,
        )
        assert job.error is None or job.error.code in FAILURES, job.error
        return job

    def report(self, job: Job) -> bytes:
        with self.commerce.jobs.report(job.job_id) as stream:
            return stream.read()

    def rejects(self, job: Job) -> list[Reject]:
        """Why each rejected record is one, by its first error."""
        first: dict[int, Problem] = {}
        problems = list(self.commerce.jobs.problems(job.job_id))
        overridden = {p.line for p in problems if p.code == "duplicate_sku"}
        for problem in problems:
            if problem.severity == "error" and problem.line not in overridden:
                first.setdefault(problem.line, problem)
        return [(p.code, p.column, p.value) for p in first.values()]

    def names(self) -> dict[str, str]:
        found = self.commerce.products.list(partner=self.partner)
        return {product.sku: product.product_name for product in found}


FAILURES = (
    "nothing_accepted", "ambiguous_dialect", "not_text", "no_header", "missing_column",
    "unterminated_quote", "empty", "ambiguous_column", "undecodable", "too_large",
)  # fmt: skip


@pytest.fixture
def engine() -> FeedEngine:
    """What reads the feeds."""
    return ReferenceEngine()


@pytest.fixture
def commerce(store: Store, engine: FeedEngine) -> Commerce:
    return Commerce(
        Context(
            store=store,
            files=MemoryFiles(),
            clock=lambda: datetime.now(UTC),
            entropy=secrets.token_bytes,
            keep_lease=no_lease,
            open_path=lambda path: nullcontext(io.BytesIO(path.encode())),
            engine=engine,
        )
    )


def desk_of(commerce: Commerce, currency: str | None = "EUR", **profile: object) -> Desk:
    name = f"Partner {samples.new_id('ptn')}"
    commerce.partners.add(name, currency=currency)
    if profile:
        commerce.sources.set_profile(evolve(Profile(), **profile), partner=name)
    return Desk(commerce, name)


@pytest.fixture
def desk(commerce: Commerce) -> Desk:
    return desk_of(commerce)


def rows_of(report: bytes, delimiter: str = ",") -> list[dict[str, str]]:
    text = io.StringIO(report.decode(), newline="")
    return list(csv.DictReader(text, delimiter=delimiter))


def count_of(job: Job) -> int:
    return job.summary.rejected if job.summary else -1


class TestReports:
    @settings(max_examples=scaled(30), suppress_health_check=ONE_STORE_AND_ANOTHER)
    @given(file=sent_files())
    def test_a_report_fed_back_unchanged_is_rejected_the_same(
        self, commerce: Commerce, file: SentFile
    ):
        """The same codes, columns and values, in order; also the report of that report's run.

        But for a record that the end of its file cut off: in a report, each row has its end.
        """
        desk = desk_of(commerce, file.currency, encoding="cp1252")
        job = desk.load(file.body, file.mode)
        assume(job.summary and job.summary.rejected)
        told, rejected = desk.rejects(job), count_of(job)
        assume("truncated_record" not in {code for code, *_ in told})
        assert rejected == len(told) == (job.summary and job.summary.report_records)
        report = desk.report(job)
        if file.encoding in MARKS:
            assert report[:2] == file.body[:2]
        for mode in MODES:
            again = desk.load(report, mode)
            if file.mode == "full":
                told = [each for each in told if each[0] not in OF_FULL_FEEDS]
            found = [each for each in desk.rejects(again) if file.mode == "delta" or each in told]
            assert found == told
            assert again.summary
            assert again.summary.report_records == again.summary.rejected <= rejected
            if not again.summary.rejected:
                break
            report = desk.report(again)

    @settings(max_examples=scaled(30), suppress_health_check=ONE_STORE_AND_ANOTHER)
    @given(file=sent_files())
    def test_a_mended_report_is_taken(self, commerce: Commerce, file: SentFile):
        """With valid values in its rows no record is rejected, and the products are there."""
        desk = desk_of(commerce, file.currency, encoding="cp1252")
        job = desk.load(file.body, file.mode)
        assume(job.summary and job.summary.rejected and "product_name" in job.summary.mapping)
        mended, skus = mend(file, desk.report(job))
        again = desk.load(mended, "full")
        assert again.error is None, again.error
        assert (again.status, count_of(again)) == ("completed", 0)
        names = desk.names()
        assert {sku: names.get(sku) for sku in skus} == dict.fromkeys(skus, "Mended")

    def test_what_only_the_comparison_finds_is_in_the_report(self, desk: Desk):
        """An unknown sku, a product of another source, decimals its currency hasn't."""
        desk.load(b"sku,product_name,price,currency\nA,Lamp,5,JPY\n")
        job = desk.load(b"sku,price\nA,5.5\nB,7\nA,6.5\n")
        rows = rows_of(desk.report(job))
        told = [(row["_line"], row["_code"], row["_column"], row["_value"]) for row in rows]
        assert told == [
            ("3", "unknown_sku", "sku", "B"),
            ("4", "too_many_decimals", "price", "6.5"),
        ]
        assert rows[0]["_feed"] == job.feed_id

    def test_a_record_that_a_later_one_overrides_is_left_out(self, desk: Desk):
        """Mended, it would override the later one."""
        job = desk.load(b"sku,product_name,price\nA,Lamp,x\nA,Lamp,5\nB,Desk,y\n")
        assert [row["sku"] for row in rows_of(desk.report(job))] == ["B"]

    def test_several_problems_of_a_record_stand_in_one_row(self, desk: Desk):
        """The first in the columns, the others in the hint."""
        job = desk.load(b'sku,product_name,price,quantity\nA,Lamp,"6,90",some\n')
        (row,) = rows_of(desk.report(job))
        assert (row["_code"], row["_column"], row["_value"]) == ("not_a_number", "price", "6,90")
        assert row["_hint"] == (
            "A comma before the decimals? Write 6.90. "
            "Also not_a_whole_number in quantity: Write a whole number, such as 12."
        )

    def test_rows_are_as_the_partner_sent_them(self, desk: Desk):
        """Quotes, blanks, line ends within cells and columns nobody uses stay as they are."""
        row = b'"A";  Lamp ;x;"it\'s ""new""\r\nand big";;'
        job = desk.load(b"SKU;Title;Price;note;;\r\n" + row)
        header, sent = desk.report(job).split(b"\r\n", 1)
        assert header == b"_feed;_line;_code;_column;_value;_hint;SKU;Title;Price;note;;"
        assert sent.endswith(b";" + row + b"\r\n")

    def test_formulas_are_guarded_and_numbers_are_not(self, desk: Desk):
        """Back in, every value is as it was; one that had an apostrophe keeps it."""
        cells = ["=1+1", "@x", "-x", "\tx", "'=x", "''-1", "-12.50", "+5", "'x", "- 5"]
        names = ",".join(f"c{i}" for i in range(len(cells)))
        text = io.StringIO()
        csv.writer(text).writerow(["A", "=N()", "bad", *cells])
        job = desk.load(f"sku,product_name,price,{names}\n{text.getvalue()}".encode())
        report = desk.report(job)
        (row,) = rows_of(report)
        assert [row[f"c{i}"] for i in range(len(cells))] == [
            "'=1+1", "'@x", "'-x", "'\tx", "''=x", "'''-1", "-12.50", "+5", "'x", "'- 5",
        ]  # fmt: skip
        assert desk.load(report.replace(b"bad", b"5")).outcome == "clean"
        assert desk.names() == {"A": "=N()"}
        again = desk.report(desk.load(report))
        assert rows_of(again)[0] == {**row, "_feed": rows_of(again)[0]["_feed"]}

    def test_values_in_our_own_columns_are_guarded_too(self, desk: Desk):
        """The value at fault stands there a second time."""
        job = desk.load(b"sku,product_name,price\nA,Lamp,=2+3\nB,Desk,-5\n")
        assert [row["_value"] for row in rows_of(desk.report(job))] == ["'=2+3", "-5"]

    def test_a_variant_brings_the_first_row_of_its_product_along(self, commerce: Commerce):
        """The rows it takes something from, and those folded into it, stand beside it."""
        desk = desk_of(commerce, preset="shopify")
        text = (
            "Handle,Title,Option1 Name,Option1 Value,Variant SKU,Variant Price,Image Src\n"
            "shirt,Shirt,Size,S,S-1,10,https://a.example/1.png\n"
            "shirt,,,M,S-2,ten,\n"
            "shirt,,,,,,https://a.example/2.png\n"
            "shirt,,,L,S-3,12,\n"
            "cap,Cap,Title,Default Title,C-1,cheap,\n"
            "cap,,,,,,https://a.example/3.png\n"
        )
        job = desk.load(text.encode())
        report = desk.report(job)
        told = [(row["_line"], row["_code"]) for row in rows_of(report)]
        assert told == [
            ("2", "goes_along"), ("3", "not_a_number"), ("4", "goes_along"),
            ("6", "not_a_number"), ("7", "goes_along"),
        ]  # fmt: skip
        again = desk.load(report)
        assert desk.rejects(again) == desk.rejects(job)
        mended = report.replace(b",ten,", b",11,").replace(b",cheap,", b",5,")
        done = desk.load(mended.replace(b"S-1,10", b"S-1,99"))
        assert (done.outcome, done.summary and done.summary.created) == ("clean", 2)
        product = desk.commerce.products.get(partner=desk.partner, sku="S-2")
        assert product.product_name == "Shirt"
        assert product.additional_image_urls == ("https://a.example/2.png",)
        untouched = desk.commerce.products.get(partner=desk.partner, sku="S-1")
        assert (str(untouched.price), untouched.version) == ("10.00", 1)

    def test_jsonl_stays_jsonl(self, desk: Desk):
        """A line that is no object keeps its text, and its reason stands in front."""
        job = desk.load(
            b'{"sku": "A", "product_name": "Lamp", "price": "x", "n": 1.50}\n'
            b'{"sku": "B", oops}\n7\n'
        )
        report = desk.report(job)
        keys, first, second, third = report.decode().splitlines()
        assert list(json.loads(keys)) == [*REPORT_COLUMNS, "sku", "product_name", "price", "n"]
        assert list(json.loads(first)) == list(json.loads(keys))
        assert first.endswith('"sku": "A", "product_name": "Lamp", "price": "x", "n": 1.50}')
        assert second.endswith(', "sku": "B", oops}')
        assert third.endswith("} 7")
        mended = report.replace(b'"x"', b"5").replace(b"oops}\n", b'"product_name": "Desk"}\n')
        done = desk.load(b"\n".join(mended.splitlines()[:-1]))
        assert (done.outcome, desk.names()) == ("clean", {"A": "Lamp", "B": "Desk"})

    def test_all_of_five_thousand_rejects_are_in_it(self, desk: Desk):
        """Of their problems only the first thousand are kept."""
        lines = (f"S-{n},Lamp,{n}x\n" for n in range(5_000))
        job = desk.load(("sku,product_name,price\n" + "".join(lines)).encode())
        assert (job.error and job.error.code) == "nothing_accepted"
        assert job.summary
        assert job.summary.report_records == 5_000
        assert len(desk.rejects(job)) == 1_000
        mended = desk.report(job).replace(b"x\n", b"\n")
        done = desk.load(mended)
        assert (done.outcome, done.summary and done.summary.created) == ("clean", 5_000)

    def test_warnings_never_crowd_out_errors(self, desk: Desk):
        """Neither those of cells, nor the repeated skus that only the comparison finds."""
        desk.load(b"sku,product_name,price,quantity\nK,Key,5,1\n")
        same = [f"S-{n},Lamp,1,-1\n" for n in range(700)]
        late = [f"U-{n},,1,1\n" for n in range(3)]
        file = "sku,product_name,price,quantity\n" + "".join((*same, *same, *late, "X,Y,z,1\n"))
        job = desk.load(file.encode(), "delta")
        assert job.summary
        assert job.summary.problems_by_code == {
            "duplicate_sku": 700, "missing_value": 3, "negative_quantity": 1_400, "not_a_number": 1,
        }  # fmt: skip
        found = list(desk.commerce.jobs.problems(job.job_id))
        listed = Counter(problem.code for problem in found)
        assert listed == {
            "duplicate_sku": MOST_ALIKE, "missing_value": 3, "negative_quantity": MOST_ALIKE,
            "not_a_number": 1,
        }  # fmt: skip
        assert [problem.line for problem in found] == sorted(problem.line for problem in found)
        assert any(note.startswith("204 of 2,104 problems") for note in job.summary.notes)
        groups = desk.commerce.jobs.problem_groups(job.job_id)
        more = Counter[str]()
        for group in groups.groups:
            more[group.code] += group.more
        assert +more == {"duplicate_sku": 600, "negative_quantity": 1_300}

    def test_errors_that_the_comparison_finds_come_before_its_warnings(
        self, desk: Desk, monkeypatch: pytest.MonkeyPatch
    ):
        """So that the report has them, however many skus come twice."""
        monkeypatch.setattr(plan, "MOST_COMPARED_KEPT", 2)
        job = desk.load(b"sku,price\nA,1\nA,1\nA,1\nA,1\nB,1\n")
        assert [row["sku"] for row in rows_of(desk.report(job))] == ["A", "B"]

    def test_what_the_comparison_finds_has_a_limit_which_is_reported(
        self, desk: Desk, monkeypatch: pytest.MonkeyPatch
    ):
        """The report says in the summary how many it lacks."""
        monkeypatch.setattr(plan, "MOST_COMPARED_KEPT", 2)
        job = desk.load(b"sku,price\nA,1\nB,1\nC,1\nD,x\n")
        assert [row["sku"] for row in rows_of(desk.report(job))] == ["A", "B", "D"]
        assert job.summary
        assert job.summary.notes[-1] == "The report has 3 of 4 rejected records."

    def test_a_mended_report_shows_the_state_of_the_feed_it_mends(self, desk: Desk):
        """It is a delta as of that feed; one that names no feed of the source is as of now."""
        job = desk.load(b"sku,product_name,price\nA,Lamp,5\nB,Desk,x\n", "full")
        first = desk.commerce.feeds.get(job.feed_id)
        report = desk.report(job).replace(b"x\r\n", b"6\n").replace(b",x\n", b",6\n")
        mended = desk.commerce.feeds.get(desk.load(report, "full").feed_id)
        assert (mended.mode, mended.snapshot_at) == ("delta", first.snapshot_at)
        assert desk.names().keys() == {"A", "B"}
        lost = report.replace(job.feed_id.encode(), b"feed_" + b"0" * 32)
        other = desk.commerce.feeds.get(desk.load(lost, "full").feed_id)
        assert (other.mode, other.snapshot_at > first.snapshot_at) == ("delta", True)

    def test_a_row_whose_sku_a_spreadsheet_changed_is_refused(self, desk: Desk):
        """The problem names both, at each further attempt, and in a report of the report too."""
        desk.load(b"sku,product_name,price\n7,Seven,5\n")
        job = desk.load(b"sku,product_name,price\n008,Odd,5\n007,Bond,abc\n")
        report = desk.report(job)
        for sent in (report.replace(b"007,Bond,abc", b"7,Bond,90"), None):
            job = desk.load(sent or desk.report(job))
            (problem,) = desk.commerce.jobs.problems(job.job_id)
            assert (problem.code, problem.field, problem.value) == ("corrected_sku", "sku", "7")
            assert "whose sku is 007; here it is 7" in problem.hint
        again = desk.report(job)
        assert [row["sku"] for row in rows_of(again)] == ["7"]
        assert desk.names() == {"7": "Seven", "008": "Odd"}
        assert desk.load(again.replace(b",7,Bond", b",007,Bond")).outcome == "clean"
        assert desk.names() == {"7": "Seven", "008": "Odd", "007": "Bond"}

    def test_a_row_without_a_line_stands_for_itself(self, desk: Desk):
        """That is how another sku is sent on purpose."""
        job = desk.load(b"sku,product_name,price\nA,Lamp,abc\n")
        report = desk.report(job).replace(b"A,Lamp,abc", b"B,Lamp,9")
        refused = desk.load(report)
        assert refused.error is not None
        assert refused.error.code == "nothing_accepted"
        assert desk.load(report.replace(b",2,not_a_number", b",,not_a_number")).outcome == "clean"
        assert desk.names() == {"B": "Lamp"}

    def test_a_sku_that_was_the_fault_may_be_corrected(self, desk: Desk):
        """No product had it, or it had lost its zeros."""
        desk.load(b"sku,product_name,price\n0042,Lamp,5\n")
        job = desk.load(b"sku,price\n43,6\n")
        assert desk.load(desk.report(job).replace(b",43,6", b",0042,6")).outcome == "clean"

    def test_a_report_names_no_sku_of_another_partner(self, commerce: Commerce):
        """A feed of somebody else's is as unknown as any other."""
        one, other = desk_of(commerce), desk_of(commerce)
        job = one.load(b"sku,product_name,price\nSECRET,Lamp,abc\n")
        sent = one.report(job).replace(b"SECRET,Lamp,abc", b"B,Lamp,9")
        assert other.load(sent).outcome == "clean"

    def test_rows_of_json_are_compared_too(self, desk: Desk):
        """In every format, and whatever moves the columns."""
        job = desk.load(b'{"sku": "007", "product_name": "Bond", "price": "x"}\n')
        sent = desk.report(job).replace(b'"007"', b'"7"').replace(b'"price": "x"', b'"price": 5')
        again = desk.load(sent)
        assert [p.code for p in desk.commerce.jobs.problems(again.job_id)] == ["corrected_sku"]

    def test_a_longer_report_than_can_be_compared_is_refused(
        self, desk: Desk, monkeypatch: pytest.MonkeyPatch
    ):
        """One of just that many rows isn't."""
        monkeypatch.setattr(corrected, "MOST_CORRECTED", 2)
        job = desk.load(b"sku,product_name,price\nA,x,y\nB,x,y\nC,x,y\n")
        report = desk.report(job).replace(b",y\n", b",5\n")
        refused = desk.load(report)
        assert refused.error is not None
        assert refused.error.code == "too_large"
        two = b"".join(report.splitlines(keepends=True)[:-1])
        assert desk.load(two).outcome == "clean"

    def test_there_is_none_where_nothing_was_rejected_and_it_says_why(self, desk: Desk):
        """NotFound tells whether to wait, or that there is nothing to mend."""
        receipt = desk.commerce.feeds.upload(io.BytesIO(b"sku\n"), partner=desk.partner)
        clean = desk.load(b"sku,product_name\nA,Lamp\n")
        refused = desk.load(b"\n")
        whys = {receipt.job_id: "queued", clean.job_id: "rejected no", refused.job_id: "blank"}
        for job_id, why in whys.items():
            with pytest.raises(NotFound, match=why):
                desk.commerce.jobs.report(job_id)

    def test_an_attempt_that_ended_without_a_word_leaves_no_report(self, desk: Desk):
        """Each attempt writes a file of its own; the one that commits removes the others'."""
        receipt = desk.commerce.feeds.upload(
            io.BytesIO(b"sku,product_name,price\nA,Lamp,x\n"), partner=desk.partner
        )
        files, store = desk.commerce.context.files, desk.commerce.context.store
        with store.begin() as unit:
            job = unit.jobs.get(receipt.job_id)
            unit.jobs.put(evolve(job, attempts=1))
        files.put(f"{job.reports}/1", io.BytesIO(b"half"), 9)
        done = desk.commerce.jobs.run(receipt.job_id)
        assert done.attempts == 2
        assert list(files.list(job.reports)) == [done.report_key]
        assert b"not_a_number" in desk.report(done)


def mend(file: SentFile, report: bytes) -> tuple[bytes, set[str]]:
    """The report with valid values in all its rows, and the skus that are then to be there."""
    text, skus = file.text(report), set[str]()
    if file.delimiter is None:
        keys, *lines = [line for line in text.split("\n") if line]
        header = list(json.loads(keys))
        rows = [dict.fromkeys(header, "") for _ in lines]
        made = [json.dumps(valid(row, file, n, skus)) for n, row in enumerate(rows)]
        return file.bytes("\n".join([keys, *made])), skus
    cells = csv.reader(io.StringIO(text, newline=""), delimiter=file.delimiter)
    header = next(cells)
    out = io.StringIO()
    writer = csv.writer(out, delimiter=file.delimiter)
    writer.writerow(header)
    feed_id = report_feed(text)
    for number, _ in enumerate(rows_left(cells)):
        row = valid({**dict.fromkeys(header, ""), "_feed": feed_id}, file, number, skus)
        writer.writerow(row.values())
    return file.bytes(out.getvalue()), skus


def report_feed(text: str) -> str:
    return text[text.index("feed_", text.index("_hint")) :][:37]


def rows_left(cells: Iterator[list[str]]) -> Iterator[list[str]]:
    """The rows, at least one; broken ones are as good as any."""
    while (row := next(cells, None)) is not None:
        yield row


def valid(row: dict[str, str], file: SentFile, number: int, skus: set[str]) -> dict[str, str]:
    sku = f"mended {number}"
    skus.add(sku)
    return {
        **row, "SKU": sku, "PRODUCT_NAME": "Mended", **{n: "" for n in row if n == "MORE"},
        **({"PRICE": "20"} if "PRICE" in row and file.currency else {}),
    }  # fmt: skip
