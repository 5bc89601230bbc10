"""Work on files of unknown content: the same outcome as here, within limits of memory and time."""

import io
import os
import tempfile
from collections.abc import Generator
from typing import BinaryIO, cast

import pytest

from commerce_core.base.errors import FileRefused, TooLarge
from commerce_core.doctor import Asked, examine
from commerce_core.ports.runtime import Apart, Here
from entrypoints.apart import Examiners, InProcesses
from entrypoints.http.admission.efforts import Gone, RequestEffort
from tests.contracts.threads import meanwhile
from tests.support.waiting import PATIENCE, until
from tests.unit.http.conftest import FEED

MEMORY = 512 * 1024**2


def with_suffix(file: BinaryIO, suffix: bytes) -> bytes:
    return file.read() + suffix


def refused(file: BinaryIO, code: str) -> None:
    raise FileRefused(code, f"It has {len(file.read())} bytes.", "Send another.", line=7)


def hungry(_: BinaryIO, size: int) -> int:
    return len(bytearray(size))


def endless(_: BinaryIO, __: None) -> None:
    while True:
        pass


def dies(_: BinaryIO, __: None) -> None:
    os.abort()


def process_id(_: BinaryIO, __: None) -> int:
    return os.getpid()


@pytest.fixture
def examiners() -> Generator[Examiners]:
    examiners = Examiners(PATIENCE, MEMORY)
    yield examiners
    examiners.close()


@pytest.fixture(params=["here", "in processes"])
def apart(request: pytest.FixtureRequest, examiners: Examiners) -> Apart:
    return Here() if request.param == "here" else InProcesses(examiners)


def test_work_returns_what_it_returns(apart: Apart):
    assert apart.run(with_suffix, io.BytesIO(b"ab"), b"c") == b"abc"
    assert apart.run(examine, io.BytesIO(FEED), Asked()).verdict == "taken"


def test_work_raises_what_it_raises(apart: Apart):
    with pytest.raises(FileRefused) as found:
        apart.run(refused, io.BytesIO(b"ab"), "not_a_feed")
    error = found.value
    assert (error.code, error.line, str(error)) == (
        "not_a_feed",
        7,
        "It has 2 bytes. Send another.",
    )


def test_a_large_file_is_read_from_its_beginning(apart: Apart):
    with tempfile.SpooledTemporaryFile(max_size=10) as spooled:
        spooled.write(b"x" * 100)
        spooled.seek(0)
        assert apart.run(with_suffix, cast("BinaryIO", spooled), b"y") == b"x" * 100 + b"y"


def test_a_process_is_used_again(examiners: Examiners):
    apart = InProcesses(examiners)
    first = apart.run(process_id, io.BytesIO(), None)
    with pytest.raises(FileRefused):
        apart.run(refused, io.BytesIO(), "not_a_feed")
    assert apart.run(process_id, io.BytesIO(), None) == first != os.getpid()


@pytest.mark.slow
def test_work_that_needs_more_memory_is_too_large(examiners: Examiners):
    apart = InProcesses(examiners)
    assert apart.run(hungry, io.BytesIO(), MEMORY // 8) == MEMORY // 8
    with pytest.raises(TooLarge, match="512 MiB"):
        apart.run(hungry, io.BytesIO(), 2 * MEMORY)
    assert apart.run(with_suffix, io.BytesIO(), b"c") == b"c"


@pytest.mark.slow
def test_work_that_fells_its_process_is_too_large(examiners: Examiners):
    apart = InProcesses(examiners)
    with pytest.raises(TooLarge):
        apart.run(dies, io.BytesIO(), None)
    assert apart.run(with_suffix, io.BytesIO(), b"c") == b"c"


def test_work_that_takes_too_long_is_too_large():
    examiners = Examiners(0.2, MEMORY)
    with pytest.raises(TooLarge, match=r"0\.2 seconds"):
        InProcesses(examiners).run(endless, io.BytesIO(), None)


@pytest.mark.slow
def test_work_that_may_wait_is_stopped_after_its_time_of_a_processor():
    apart = InProcesses(Examiners(0.2, MEMORY)).patient()
    assert apart.run(with_suffix, io.BytesIO(b"ab"), b"c") == b"abc"
    with pytest.raises(TooLarge, match=r"0\.2 seconds of a processor"):
        apart.run(endless, io.BytesIO(), None)


def test_work_is_stopped_when_its_caller_goes_away(examiners: Examiners):
    effort = RequestEffort("key_a", 600, 1)
    apart = InProcesses(examiners).bounded(effort)
    working = meanwhile(lambda: apart.run(endless, io.BytesIO(), None))
    until(lambda: effort._ends)
    effort.cancel()
    with pytest.raises(Gone):
        working.result(PATIENCE)
    with pytest.raises(Gone):
        apart.run(with_suffix, io.BytesIO(), b"c")
