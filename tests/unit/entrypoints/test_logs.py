"""The log: one line per event, whatever happens, with nothing confidential in it."""

import io
import json
import logging
import sys
from collections.abc import Generator
from typing import Any

import pytest

from commerce_core.base.errors import InvalidInput, RunLost, Unavailable
from commerce_core.commerce import Commerce
from entrypoints import job_story, logs
from entrypoints.compose import open_platform
from entrypoints.settings import load_settings
from entrypoints.worker import Worker
from tests.support.waiting import until

FEED = b"sku,product_name,price\nA-1,Private lamp,12.5\nA-2,Private chair,x\n"


@pytest.fixture(autouse=True)
def undone() -> Generator[None]:
    """Logging is of the whole process, so each test gives back what it found."""
    root, ours = logging.getLogger(), logging.getLogger("commerce")
    before = (root.handlers[:], root.level, ours.level, logging.raiseExceptions)
    flags = (logging.logThreads, logging.logProcesses, logging.logMultiprocessing)
    yield
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    ours.setLevel(before[2])
    logging.raiseExceptions = before[3]
    logging.logThreads, logging.logProcesses, logging.logMultiprocessing = flags


@pytest.fixture
def log() -> io.StringIO:
    """What is logged, as JSON."""
    stream = io.StringIO()
    logs.configure("info", "json", stream)
    return stream


def lines(log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


def test_an_event_is_one_line_whatever_stands_in_it(log: io.StringIO):
    with logs.around(request_id="r-1"):
        logs.info("a.thing", name="two\nlines \x1b[31m \u2028 é", nothing=None, number=3)
    logs.info("another")
    first, second = lines(log)
    assert len(log.getvalue().split("\n")) == 3
    assert log.getvalue().isascii()
    assert list(first) == ["time", "level", "event", "request_id", "name", "number"]
    assert first["name"] == "two\nlines \x1b[31m \u2028 é"
    assert set(second) == {"time", "level", "event"}


def test_text_is_for_people_and_obeys_nothing_in_it():
    stream = io.StringIO()
    logs.configure("info", "text", stream)
    logs.warning("a.thing", ValueError("secret"), name="two\nlines \x1b[31m", plain="word")
    line, cause = stream.getvalue().splitlines()
    assert line[13:] == r'warning a.thing name="two\nlines \u001b[31m" plain=word'
    assert cause == "  builtins.ValueError"


def test_auto_is_text_on_a_terminal_and_json_elsewhere(monkeypatch: pytest.MonkeyPatch):
    for on_terminal in (True, False):
        stream = io.StringIO()
        monkeypatch.setattr(stream, "isatty", lambda answer=on_terminal: answer)
        logs.configure(stream=stream)
        logs.info("a.thing")
        assert stream.getvalue().startswith("{") != on_terminal


def raised() -> Exception:
    try:
        try:
            _ = {}["john@example.org"]
        except KeyError as error:
            raise Unavailable("secret words") from error
    except Unavailable as error:
        return error
    raise AssertionError


def test_an_error_is_logged_with_its_traceback_and_without_its_message(log: io.StringIO):
    logs.error("oh", raised())
    (line,) = lines(log)
    causes = [cause["type"] for cause in line["error"]]
    assert causes == ["commerce_core.base.errors.Unavailable", "builtins.KeyError"]
    assert line["error"][0]["at"][-1].endswith(" raised")
    assert "secret" not in log.getvalue()
    assert "john" not in log.getvalue()


def test_at_debug_the_message_of_an_error_is_logged_too():
    stream = io.StringIO()
    logs.configure("debug", "json", stream)
    logs.error("oh", raised())
    messages = [cause["message"] for cause in json.loads(stream.getvalue())["error"]]
    assert any("secret words" in message for message in messages)


def test_below_its_level_nothing_is_written():
    stream = io.StringIO()
    logs.configure("warning", "json", stream)
    logs.info("a.thing")
    logs.debug("a.thing")
    assert stream.getvalue() == ""


def test_of_a_library_it_says_the_pattern_only(log: io.StringIO):
    logging.getLogger("some.library").warning("can't reach %s", "john@example.org")
    logging.getLogger("some.library").info("nor this")
    (line,) = lines(log)
    assert (line["logger"], line["pattern"]) == ("some.library", "can't reach %s")
    assert "john" not in log.getvalue()


def test_a_program_that_imports_us_hears_nothing_unless_it_asks(
    capfd: pytest.CaptureFixture[str],
):
    logs.warning("a.thing")
    assert capfd.readouterr().err == ""


def test_a_log_that_cant_be_written_stops_nothing(capfd: pytest.CaptureFixture[str]):
    stream = io.StringIO()
    logs.configure("info", "json", stream)
    stream.close()
    logs.info("a.thing")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("stream", [None])
def test_a_process_without_stderr_can_work(stream: None, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stderr", stream)
    logs.configure()
    logs.info("a.thing")


@pytest.mark.parametrize(
    "given",
    [
        {"log_level": "loud"},
        {"log_format": "xml"},
        {"metrics": "here"},
        {"metrics": "localhost:0"},
        {"metrics": "localhost:70000"},
        {"metrics": "a b:1"},
    ],
)
def test_a_setting_that_cant_be_is_refused(given: dict[str, str]):
    with pytest.raises(InvalidInput):
        load_settings(given, environ={})


@pytest.fixture
def commerce() -> Generator[Commerce]:
    with open_platform(load_settings({"database_url": "memory:"}, environ={})) as commerce:
        yield commerce


def test_every_line_about_a_job_has_its_id(log: io.StringIO, commerce: Commerce):
    partner = commerce.partners.add(
        "Private Partner", currency="USD", contact_email="john@example.org"
    )
    receipts = [
        commerce.feeds.upload(io.BytesIO(content), partner=partner.partner_id, run=True)
        for content in (FEED, b"\n")
    ]
    worker = Worker(commerce)
    worker.start()
    until(lambda: all(commerce.jobs.get(r.job_id).is_finished for r in receipts))
    worker.stop()
    stories = [[line for line in lines(log) if line.get("job_id") == r.job_id] for r in receipts]
    assert [[line["event"] for line in story] for story in stories] == [
        ["job.claimed", "job.finished"],
        ["job.claimed", "job.failed"],
    ]
    finished = stories[0][1]
    assert (finished["outcome"], finished["created"], finished["rejected"]) == (
        "with_rejects",
        1,
        1,
    )
    assert finished["partner_id"] == partner.partner_id
    assert finished["feed_id"] == receipts[0].feed_id
    assert finished["seconds"] >= 0
    assert stories[1][1]["code"] == "empty"
    for private in ("Private", "john", "A-1", "product_name"):
        assert private not in log.getvalue()


@pytest.mark.parametrize(
    ("error", "event"),
    [
        (RunLost("x"), "job.taken_over"),
        (Unavailable("The disk is full."), "part.unavailable"),
        (ZeroDivisionError("x"), "job.fault"),
    ],
)
def test_how_an_attempt_broke_off_is_logged(
    log: io.StringIO, commerce: Commerce, error: Exception, event: str
):
    partner = commerce.partners.add("P", currency="USD").partner_id
    receipt = commerce.feeds.upload(io.BytesIO(FEED), partner=partner, run=True)
    job = commerce.queue.claim()
    assert job
    with job_story.attempt(job):
        job_story.broken_off(job, error)
    line = lines(log)[-1]
    assert (line["event"], line["job_id"], line["attempt"]) == (event, receipt.job_id, 1)
