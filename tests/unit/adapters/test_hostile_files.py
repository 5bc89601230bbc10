"""No file costs a reader more than its bytes are worth: counted in steps, on either engine."""

import io
from collections.abc import Callable
from contextlib import suppress
from zoneinfo import ZoneInfo

import pytest

from adapters.polars_feeds import PolarsEngine, chunks, parsing, splits, splitting
from adapters.polars_feeds.splitting import Dialect, Mark, Split
from commerce_core.base.errors import FileRefused
from commerce_core.doctor import examine
from commerce_core.parsing import batching, carrying, decoding, groups, json_lines, raw_records
from commerce_core.parsing.decoding import unpacked
from commerce_core.parsing.record_reader import Terms
from commerce_core.parsing.reference import ReferenceEngine
from commerce_core.ports.engine import FeedEngine
from tests.support import hostile
from tests.support.engines import assert_alike, read
from tests.support.hostile import FAMILY, Hostile
from tests.support.steps import calls_of

UTC = ZoneInfo("UTC")
SIZE = 600
ENGINES = {"reference": ReferenceEngine(), "polars": PolarsEngine(2_000)}


def terms_of(file: Hostile) -> Terms:
    return Terms("full", "EUR", UTC, file[0])


def take_all(feed_engine: FeedEngine, file: Hostile) -> None:
    with suppress(FileRefused):
        for batch in feed_engine.open(io.BytesIO(file[1]), terms_of(file)).batches():
            assert batch.records_read >= 0


@pytest.mark.parametrize("name", FAMILY)
def test_both_engines_find_the_same_in_it(name: str):
    file = FAMILY[name](SIZE)
    wanted = read(ReferenceEngine(), file[1], terms_of(file))
    for chunk in (2_000, 1 << 23):
        assert read(PolarsEngine(chunk), file[1], terms_of(file)) == wanted


@pytest.mark.slow
@pytest.mark.parametrize("by", ENGINES)
@pytest.mark.parametrize("name", FAMILY)
def test_twice_the_file_takes_twice_the_steps(name: str, by: str):
    """Or less, and a few more for a batch that one more record begins; never four times as many."""
    make = FAMILY[name]
    for size in (SIZE, 2 * SIZE):
        take_all(ENGINES[by], make(size))  # names of columns are remembered from then on
    once, twice = (
        calls_of(lambda size=size: take_all(ENGINES[by], make(size))) for size in (SIZE, 2 * SIZE)
    )
    assert twice <= 2.5 * once


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILY)
def test_the_doctor_never_raises_and_takes_no_more_steps(name: str):
    make = FAMILY[name]
    once, twice = (
        calls_of(lambda size=size: examine(io.BytesIO(make(size)[1]))) for size in (SIZE, 2 * SIZE)
    )
    assert twice <= 2.5 * once


def test_a_record_of_many_chunks_is_split_once(monkeypatch: pytest.MonkeyPatch):
    """Not again with each of its chunks, be its quote closed at last or not."""
    seen = 0

    def counting(body: bytes, line: int, dialect: Dialect, mark: Mark) -> Split | None:
        nonlocal seen
        seen += len(body)
        return splitting.split_lines(body, line, dialect, mark)

    monkeypatch.setattr(splits, "split_lines", counting)
    for end in (b"", b'"\nB,n\n'):
        profile, body = hostile.open_quote(20_000)
        seen = 0
        take_all(PolarsEngine(1_000), (profile, body + end))
        assert seen <= 3 * len(body)


@pytest.mark.parametrize("make", [hostile.empty_members, hostile.empty_folders])
def test_an_empty_part_of_an_archive_costs_little(
    make: Callable[[int], Hostile], monkeypatch: pytest.MonkeyPatch
):
    """What lies behind it isn't copied for it."""
    taken = 0
    take = decoding._Source.take

    def counting(source: decoding._Source, count: int) -> bytes:
        nonlocal taken
        found = take(source, count)
        taken += len(found)
        return found

    monkeypatch.setattr(decoding._Source, "take", counting)
    parts = 5_000
    _, body = make(parts)
    assert sum(map(len, unpacked(io.BytesIO(body)))) > 0
    assert taken <= len(body) + parts * 1_100


def test_an_archive_has_as_many_parts_as_it_may(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(decoding, "MOST_PARTS", 10)
    for make in (hostile.empty_members, hostile.empty_folders):
        assert list(unpacked(io.BytesIO(make(9)[1])))
        with pytest.raises(FileRefused, match="more than 10 parts") as refused:
            list(unpacked(io.BytesIO(make(10)[1])))
        assert refused.value.code == "too_large"


@pytest.mark.parametrize("by", ENGINES)
def test_a_group_has_as_many_records_as_it_may(by: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(groups, "MOST_FOLDED", 10)
    at_most, beyond = hostile.folded(10), hostile.folded(11)
    assert read(ENGINES[by], at_most[1], terms_of(at_most))["fates"] == {"folded": 10}
    told = read(ENGINES[by], beyond[1], terms_of(beyond))["refused"]
    assert (told[0], told[2]) == ("too_large", 13)


@pytest.mark.parametrize("by", ENGINES)
def test_records_take_as_much_from_others_as_they_may(by: str, monkeypatch: pytest.MonkeyPatch):
    """In proportion to the file; a small file may take more."""
    file = hostile.carried(500)
    assert read(ENGINES[by], file[1], terms_of(file))["read"] == 501
    monkeypatch.setattr(carrying, "MOST_CARRIED", 10_000)
    told = read(ENGINES[by], file[1], terms_of(file))["refused"]
    assert told[0] == "too_large"
    assert "first record of their group" in told[1]


def test_batches_end_with_their_records_or_their_text(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(batching, "RECORDS_OF_BATCH", 3)
    sizes = [4, 4, 4, 1, 1, 1, 1, 20, 1]
    batches = list(batching.batched(iter(sizes), lambda size: size, most=10))
    assert batches == [[4, 4, 4], [1, 1, 1], [1, 20], [1]]


@pytest.mark.parametrize("by", ENGINES)
def test_json_is_as_deep_and_has_as_many_values_as_it_may(by: str):
    deepest, most = json_lines.DEEPEST_JSON, json_lines.MOST_JSON_VALUES
    for make, size, code in (
        (hostile.nested, deepest - 1, None),
        (hostile.nested, deepest, "oversized_json"),
        (hostile.nested, 100_000, "oversized_json"),
        (hostile.many_values, most // 2 - 5, None),
        (hostile.many_values, most // 2, "oversized_json"),
    ):
        file = make(size)
        told = read(ENGINES[by], file[1], terms_of(file))
        codes = [problem.code for problem in told["problems"] if problem.line == 2]
        assert ("oversized_json" in codes) == (code is not None)
        assert told["skus"][:1] == ["A"]


def test_brackets_and_commas_within_strings_are_no_values():
    text = json_lines.MOST_JSON_VALUES * ',[{\\"'
    line = f'{{"sku": "A", "product_name": "n", "description": "{text}"}}'
    told = read(ReferenceEngine(), line.encode(), Terms("full", "EUR", UTC))
    assert {problem.code for problem in told["problems"]} == {"oversized_cell"}


@pytest.mark.parametrize("most", [1, 7, 40])
def test_however_few_cells_are_read_at_a_time_it_reads_alike(
    most: int, monkeypatch: pytest.MonkeyPatch
):
    names = ",".join(f"c{n}" for n in range(9))
    rows = ["A", "B,b", "", ",", "C,c,,,,", '"D",d,x', 'E,"e,e,e,e,e,e,e"', "F,f" + ",y" * 9,
            "G" + ",z" * 10, "H" + ",z" * 11, 'I"i,i', "J,j" + "," * 9]  # fmt: skip
    body = f"sku,product_name,{names}\n{chr(10).join(rows)}\n".encode()
    terms = Terms("full", "EUR", UTC)
    wanted = read(ReferenceEngine(), body, terms)
    monkeypatch.setattr(parsing, "MOST_CELLS", most)
    assert read(PolarsEngine(), body, terms) == wanted
    monkeypatch.setattr(chunks, "MOST_CELLS", most)
    assert read(PolarsEngine(), body, terms) == wanted


@pytest.mark.parametrize("length", [3, 4, 5, 40])
def test_a_record_is_as_long_as_it_may_be(length: int, monkeypatch: pytest.MonkeyPatch):
    """Be it the header, whose end is looked for once."""
    for module in (raw_records, splits, chunks, groups):
        monkeypatch.setattr(module, "LONGEST_RECORD", 30)
    body = b"sku,product_name\nA," + b"n" * (length * 10) + b"\nB,n\n"
    terms = Terms("full", "EUR", UTC)
    assert_alike(body, terms, 5)
