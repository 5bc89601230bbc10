"""A fault that a file causes is its record's or its file's problem, and never tried again."""

import io
import re
from collections.abc import Callable, Iterator
from typing import NoReturn
from zoneinfo import ZoneInfo

import pytest
from attrs import evolve
from polars.exceptions import PanicException

import commerce_core
from adapters.polars_feeds import PolarsEngine, engine, splits
from adapters.polars_feeds.tables import TableReader
from commerce_core.base.errors import FileRefused, Unavailable
from commerce_core.commerce import Commerce
from commerce_core.doctor import examine
from commerce_core.parsing import decoding, formats, grouping, json_lines, record_reader
from commerce_core.parsing.record_reader import Terms
from commerce_core.parsing.reference import ReferenceEngine
from commerce_core.parsing.unforeseen import guarded
from commerce_core.profiles.profile import Profile
from tests.support.engines import read

ENGINES = {"reference": ReferenceEngine(), "polars": PolarsEngine()}
BODY = b"sku,product_name\nA,One\nB,Two\nC,Three\n"
JSON = b'{"sku":"A","product_name":"One"}\n{"sku":"B","product_name":"Two"}\n'
LISTED = b'[{"sku":"A","product_name":"One"}]'
TERMS = Terms("full", "EUR", ZoneInfo("UTC"))


def failing(*_: object, **__: object) -> NoReturn:
    message = "nobody foresaw this"
    raise RecursionError(message)


def failing_later(*_: object, **__: object) -> Iterator[NoReturn]:
    yield failing()


def failing_at(text: str, call: Callable[..., object]) -> Callable[..., object]:
    """The function, which fails when that text is among what it is given."""

    def fails(*given: object) -> object:
        return failing() if text in given else call(*given)

    return fails


@pytest.mark.parametrize("by", ENGINES)
def test_a_record_that_cant_be_read_is_its_own_problem(by: str, monkeypatch: pytest.MonkeyPatch):
    """The others are read; nothing is removed, since its sku isn't known."""
    call = record_reader.FieldReader.__call__
    monkeypatch.setattr(record_reader.FieldReader, "__call__", failing_at("Two", call))
    monkeypatch.setattr(TableReader, "__call__", failing)
    told = read(ENGINES[by], BODY, TERMS)
    assert told["skus"] == ["A", "C"]
    assert told["unreadable"] == 1
    [problem] = told["problems"]
    assert (problem.line, problem.code, problem.value) == (3, "unreadable_record", "B,Two")
    assert "RecursionError: nobody foresaw this" in problem.hint


@pytest.mark.parametrize("error", [RecursionError("deep"), PanicException("polars fell")])
def test_columns_that_cant_be_read_are_read_one_by_one(
    error: BaseException, monkeypatch: pytest.MonkeyPatch
):
    def fails(*_: object) -> NoReturn:
        raise error

    wanted = [read(ReferenceEngine(), body, TERMS) for body in (BODY, JSON)]
    for module, name in ((TableReader, "__call__"), (splits, "split_lines"), (engine, "parse")):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, fails)
            assert [read(PolarsEngine(), body, TERMS) for body in (BODY, JSON)] == wanted


PLACES = {
    "unpacking": (decoding, "_unpacked", BODY, 1),
    "decoding": (decoding.Text, "_decoded", BODY, 1),
    "splitting": (formats.Delimited, "records", BODY, 1),
    "splitting JSON": (json_lines, "read_object", JSON, 1),
    "grouping": (grouping.Grouping, "alone", LISTED, 1),
}


@pytest.mark.parametrize("by", ENGINES)
@pytest.mark.parametrize("place", PLACES)
def test_what_fails_elsewhere_refuses_the_file(
    place: str, by: str, monkeypatch: pytest.MonkeyPatch
):
    owner, name, body, line = PLACES[place]
    monkeypatch.setattr(owner, name, failing)
    code, detail, at = read(ENGINES[by], body, TERMS)["refused"]
    assert (code, at) == ("unreadable", line)
    assert "RecursionError: nobody foresaw this" in detail


def test_the_line_that_was_reached_is_named():
    def records() -> Iterator[int]:
        yield 7
        failing()

    taken: list[int] = []
    with pytest.raises(FileRefused) as refused:
        taken += guarded(records(), lambda: 7)
    assert (refused.value.line, taken) == (7, [7])


@pytest.mark.parametrize("error", [Unavailable("gone"), OSError("gone"), MemoryError()])
def test_what_isnt_the_fault_of_the_file_stays_what_it_is(error: Exception):
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise error

    with pytest.raises(type(error)):
        ReferenceEngine().open(Broken(), TERMS)


def commerce_with(by: str, commerce: Commerce) -> Commerce:
    return Commerce(evolve(commerce.context, engine=ENGINES[by]))


CONTENTS = {
    "nested": (None, b'{"sku":"A","product_name":' + b"[" * 400 + b"]" * 400 + b"}\n" + JSON[33:]),
    "utf-16": ("utf-16", b"sku,product_name\nA,\xff\n"),
    "utf-32": ("utf-32", b"sku,product_name\nA,\xff\n"),
    "idna": ("idna", b"sku,product_name\nA,\xff\n"),
    "utf-7": ("utf-7", b"sku,product_name\nA,\xff+x\n"),
    "undefined": ("punycode", b"sku,product_name\nA,\xff\n"),
}


@pytest.mark.parametrize("by", ENGINES)
@pytest.mark.parametrize("content", CONTENTS)
def test_the_job_ends_at_its_first_attempt(by: str, content: str):
    encoding, body = CONTENTS[content]
    with commerce_core.connect("memory:") as opened:
        commerce = commerce_with(by, opened)
        commerce.partners.add("Aroma", currency="EUR")
        commerce.sources.set_profile(Profile(encoding=encoding), partner="Aroma")
        job = commerce.feeds.load(io.BytesIO(body), partner="Aroma", mode="full")
        assert job.attempts == 1
        if encoding is None:
            assert (job.outcome, job.summary and job.summary.created) == ("with_rejects", 1)
            [problem] = commerce.jobs.problems(job.job_id)
            assert (problem.line, problem.code) == (1, "oversized_json")
        else:
            assert job.error is not None
            assert job.error.code == "undecodable"
            assert re.search("[Ll]ine [12] ", str(job.error))
        examine(io.BytesIO(body))


@pytest.mark.parametrize("by", ENGINES)
@pytest.mark.parametrize("place", PLACES)
def test_a_job_whose_reader_fails_ends_as_failed_with_its_line(
    by: str, place: str, monkeypatch: pytest.MonkeyPatch
):
    owner, name, body, _ = PLACES[place]
    with commerce_core.connect("memory:") as opened:
        commerce = commerce_with(by, opened)
        commerce.partners.add("Aroma", currency="EUR")
        monkeypatch.setattr(owner, name, failing)
        job = commerce.feeds.load(io.BytesIO(body), partner="Aroma", mode="full")
        assert (job.status, job.attempts) == ("failed", 1)
        assert job.error is not None
        assert job.error.code == "unreadable"
        assert "on or after line 1 " in str(job.error)
        assert examine(io.BytesIO(body)).verdict == "refused"
