"""A command brings its job to an end, whichever process works on it."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from attrs import define, evolve

from commerce_core.base.errors import Conflict, RunLost, Unavailable
from commerce_core.commerce import Commerce
from commerce_core.feeds.job import Job, Progress
from commerce_core.feeds.summary import Summary
from entrypoints.cli.kit import running
from entrypoints.cli.kit.running import exit_code, run_or_watch
from entrypoints.compose import open_platform
from entrypoints.settings import Settings
from tests.support.commands import Cli
from tests.support.waiting import PATIENCE

T0 = datetime(2026, 1, 1, tzinfo=UTC)
QUEUED = Job("job_1", "feed_1", "ptn_1", "ingest", "queued", True, T0)
RUNNING = evolve(QUEUED, status="running", progress=Progress("read", 50, 100, 12_345))
DONE = evolve(QUEUED, status="completed", outcome="clean", summary=Summary())


@define
class Jobs:
    """Answers runs and looks from two scripts; the last word of each is repeated."""

    runs: list[Job | Exception]
    looks: list[Job]

    def run(self, _: str) -> Job:
        result = self.runs.pop(0) if self.runs[1:] else self.runs[0]
        if isinstance(result, Exception):
            raise result
        return result

    def get(self, _: str) -> Job:
        return self.looks.pop(0) if self.looks[1:] else self.looks[0]


def scripted(runs: list[Job | Exception], looks: list[Job]) -> Commerce:
    platform: Any = SimpleNamespace(jobs=Jobs(runs, looks))
    return platform


def busy() -> Conflict:
    return Conflict("busy", code="job_running")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_TRY_EVERY", 0.001)
    monkeypatch.setattr(running, "_LOOK_EVERY", 0.001)


@pytest.mark.parametrize(
    ("runs", "looks"),
    [
        pytest.param([DONE], [QUEUED], id="no other process works on it"),
        pytest.param([busy(), busy()], [QUEUED, RUNNING, RUNNING, DONE], id="a worker has it"),
        pytest.param([busy(), DONE], [QUEUED], id="its partner had another run, or a dead one"),
        pytest.param([RunLost("taken"), busy()], [QUEUED, DONE], id="it was taken over"),
    ],
)
def test_a_job_is_run_here_or_awaited(runs: list[Job | Exception], looks: list[Job]) -> None:
    assert run_or_watch(scripted(runs, looks), "job_1") is DONE


def test_a_job_that_has_ended_is_not_run_again() -> None:
    with pytest.raises(Conflict):
        run_or_watch(scripted([busy()], [DONE]), "job_1")


def test_a_new_job_may_have_been_ended_by_a_quick_worker() -> None:
    ended = Conflict("ended", code="job_finished")
    assert run_or_watch(scripted([ended], [DONE]), "job_1", new=True) is DONE


def test_a_watcher_only_watches() -> None:
    unused = scripted([AssertionError()], [QUEUED, RUNNING, DONE])
    assert running.watch(unused, "job_1") is DONE


def test_progress_is_drawn_where_it_can_be_seen(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr(running, "_BAR_AFTER", 0.0)
    shown = threading.Event()

    def look(_: str) -> Job:
        shown.set()
        return RUNNING

    def run(_: str) -> Job:
        assert shown.wait(PATIENCE)
        return DONE

    platform: Any = SimpleNamespace(
        jobs=SimpleNamespace(run=run, get=look),
        context=SimpleNamespace(clock=lambda: RUNNING.created_at),
    )
    assert run_or_watch(platform, "job_1", new=True) is DONE
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "12,345 records" in printed.err


@pytest.mark.parametrize(
    ("job", "strict", "code"),
    [
        (DONE, True, 0),
        (evolve(DONE, outcome="with_rejects"), False, 0),
        (evolve(DONE, outcome="with_rejects"), True, 65),
        (evolve(DONE, status="failed", outcome=None), False, 65),
        (evolve(DONE, status="cancelled", outcome=None), False, 73),
    ],
)
def test_the_exit_code_depends_on_how_a_job_went(job: Job, strict: bool, code: int) -> None:
    assert exit_code(job, strict=strict) == code


def test_how_long_a_job_took_is_from_its_start_to_its_end() -> None:
    assert running.seconds_of(QUEUED) == 0
    ended = evolve(DONE, started_at=T0, finished_at=T0 + timedelta(seconds=2.5))
    assert running.seconds_of(ended) == 2.5


@pytest.fixture
def cli() -> Iterator[Cli]:
    with open_platform(Settings(database_url="memory:")) as commerce:
        yield Cli(commerce)


def test_ctrl_c_interrupts_a_run_with_a_notice(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> Job:
        raise KeyboardInterrupt

    cli.fine("partners", "add", "Acme")
    monkeypatch.setattr("commerce_core.usecases.jobs.Jobs.run", interrupted)
    answer = cli("feeds", "upload", "-", "--partner", "Acme", "--run", "--wait", text=b"sku\n1\n")
    assert answer.code == 130
    assert "did not finish, and nothing of it was applied." in answer.err
    assert answer.err.endswith("Interrupted.\n")


def test_a_part_that_is_down_is_reported_and_exits_with_75(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(_: object) -> None:
        raise Unavailable("The database is away.")

    monkeypatch.setattr("adapters.memory.MemoryStore.check", down)
    answer = cli("health")
    assert answer.code == 75
    assert "The database is away." in answer.out
    assert cli("health", "--json").json["status"] == "down"
