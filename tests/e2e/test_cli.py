"""The real command on the embedded default: as a person, a script and the demo's reader use it."""

import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commands import COMMERCE, Answer, commerce
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.processes

FEEDS = Path(__file__).parents[2] / "examples" / "feeds"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a data directory in it, and a partner with the brewery's catalog."""
    folder = tmp_path_factory.mktemp("my shop")
    assert commerce(folder, "partners", "add", "Brewery", "--currency", "EUR").code == 0
    return folder


def upload(shop: Path, file: str, *words: str) -> Answer:
    return commerce(shop, "feeds", "upload", file, "--partner", "brewery", "--json", *words)


def test_a_feed_becomes_a_catalog_an_order_and_figures(shop: Path) -> None:
    loaded = upload(shop, str(FEEDS / "craft-beer.csv"), "--mode", "full", "--run", "--wait")
    assert (loaded.code, loaded.err) == (0, "")
    assert loaded.json["summary"]["created"] == 106
    assert [problem["line"] for problem in loaded.json["problems"]][:3] == [11, 19, 33]
    listed = commerce(shop, "products", "list", "--json", "--sku", "GRA-014").lines
    item = f"{listed[0]['product_id']}=6"
    order = commerce(shop, "orders", "create", "--item", item, "--reference", "web-1", "--json")
    assert (order.code, order.json["customer_reference"]) == (0, "web-1")
    (row,) = commerce(shop, "analytics", "by-partner", "--json").json["results"]
    assert row["total_sales"] == order.json["total_amount"]


def test_the_platform_lives_in_the_folder_in_which_it_is_used(shop: Path) -> None:
    assert {"operator.key", "postgres"} <= set(names(shop / "commerce-data"))
    assert (shop / "commerce-data" / "operator.key").stat().st_mode & 0o777 == 0o600


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("partners", "add"), 2),
        (("partners", "add", "Brewery"), 73),
        (("partners", "show", "nobody"), 66),
        (("partners", "add", "Other", "--currency", "EURO"), 65),
        (("--database", "postgresql://nowhere.invalid/x", "partners", "list"), 75),
    ],
)
def test_a_refusal_has_its_exit_code_and_a_sentence(
    shop: Path, words: tuple[str, ...], code: int
) -> None:
    answer = commerce(shop, *words)
    assert (answer.code, answer.out) == (code, "")
    assert answer.err.startswith("error: ")
    assert "Traceback" not in answer.err


def test_a_failed_feed_exits_with_65_and_prints_the_job(shop: Path, tmp_path: Path) -> None:
    picture = tmp_path / "picture.csv"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    failed = upload(shop, str(picture), "--run", "--wait")
    assert (failed.code, failed.json["status"]) == (65, "failed")
    assert failed.json["error"]["code"]


def test_a_list_ends_quietly_when_its_reader_does(shop: Path) -> None:
    ends = f"'{COMMERCE}' partners list | head -n 1"
    shown = subprocess.run(["sh", "-c", ends], cwd=shop, capture_output=True, check=False)
    assert shown.stdout.startswith(b"name")
    assert b"Traceback" not in shown.stderr


def test_help_comes_at_once(tmp_path: Path) -> None:
    """It loads none of the libraries that take their time to load."""
    assert commerce(tmp_path, "--help").code == 0
    code = "from entrypoints.cli import main; main(['--help'])"
    shown = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", code], capture_output=True, text=True, check=True
    )
    loaded = set(re.findall(r"\| +(\w+)", shown.stderr))
    assert "click" in loaded
    assert loaded.isdisjoint({"boto3", "granian", "litestar", "numpy", "polars", "psycopg"})


def test_a_worker_runs_released_jobs_and_ends_on_a_signal(shop: Path, tmp_path: Path) -> None:
    feed = tmp_path / "more.csv"
    feed.write_text("sku,product_name,price\nNEW-1,Nouveau,3.00\n")
    worker = subprocess.Popen([COMMERCE, "worker"], cwd=shop, stderr=subprocess.PIPE)
    try:
        job_id = upload(shop, str(feed), "--run").json["job_id"]
        watched = commerce(shop, "jobs", "watch", job_id, "--json")
        assert (watched.code, watched.json["summary"]["created"]) == (0, 1)
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.communicate(timeout=PATIENCE)
    assert worker.returncode == 0


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def demos(tmp_path_factory: pytest.TempPathFactory, port: int) -> tuple[Path, list[Answer]]:
    """Where the demo ran twice, and what it printed."""
    folder = tmp_path_factory.mktemp("demo")
    return folder, [commerce(folder, "demo", "--port", str(port)) for _ in range(2)]


def test_the_demo_runs_as_often_as_one_likes(demos: tuple[Path, list[Answer]]) -> None:
    _, answers = demos
    assert [(answer.code, answer.err) for answer in answers] == [(0, ""), (0, "")]
    changing = re.compile(r"(?:job|ord)_\w+|\d+ ms|\d+\.\d s")
    first, second = (changing.sub("...", answer.out) for answer in answers)
    assert first == second


def to_try(demos: tuple[Path, list[Answer]], tool: str) -> list[str]:
    last = demos[1][1].out.partition("What to try next")[2]
    return [line.strip() for line in last.splitlines() if line.startswith(f"  {tool}")]


def test_the_commands_to_try_work_as_printed(demos: tuple[Path, list[Answer]]) -> None:
    lines = to_try(demos, shlex.quote(COMMERCE))
    assert len(lines) == 3
    for line in lines:
        done = subprocess.run(["sh", "-c", line], cwd=demos[0], capture_output=True, check=False)
        assert done.returncode == 0, (line, done)
        assert done.stdout


@pytest.fixture
def served(demos: tuple[Path, list[Answer]], port: int) -> Iterator[None]:
    words = [COMMERCE, "--data-dir", "commerce-demo", "serve", "--port", str(port)]
    with subprocess.Popen(words, cwd=demos[0], stdout=subprocess.PIPE) as server:
        assert server.stdout
        assert f"http://127.0.0.1:{port}/".encode() in server.stdout.readline()
        yield
        server.send_signal(signal.SIGINT)
        assert server.wait(timeout=PATIENCE) == 0


@pytest.mark.skipif(shutil.which("curl") is None, reason="the lines are for curl")
def test_the_requests_to_try_work_as_printed(
    demos: tuple[Path, list[Answer]], served: None
) -> None:
    lines = to_try(demos, "curl")
    assert len(lines) == 3
    for line in lines:
        done = subprocess.run(
            ["sh", "-c", f"{line} --silent --fail"], cwd=demos[0], capture_output=True, check=False
        )
        assert done.returncode == 0, (line, done)
        assert done.stdout.startswith(b"{")
