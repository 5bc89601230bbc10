"""The demo tells what it promises, on any platform; and it empties no folder but its own."""

import fcntl
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from commerce_core.base.errors import Conflict, InvalidInput
from entrypoints.cli.demo import home
from entrypoints.cli.demo.home import emptied
from entrypoints.compose import open_platform
from entrypoints.settings import Settings
from tests.support.commands import Answer, Cli


@pytest.fixture(scope="module")
def cli() -> Iterator[Cli]:
    with open_platform(Settings(database_url="memory:")) as commerce:
        yield Cli(commerce)


@pytest.fixture(scope="module")
def printed(cli: Cli) -> Answer:
    return cli.fine("demo")


def test_every_feed_is_shown_with_what_became_of_its_records(printed: Answer) -> None:
    for fates in (
        "294 read: 294 created",
        "506 read: 506 created",
        "119 read: 106 created, 11 rejected, 1 duplicate, 1 blank",
        "242 read: 242 created",
        "296 read: 6 created, 54 updated, 236 unchanged",
        "296 read: 296 unchanged",
    ):
        assert fates in printed.out


def test_rejected_records_are_shown_with_place_reason_and_remedy(printed: Answer) -> None:
    assert re.search(r"^ +11  price +6,90 +not a", printed.out, re.MULTILINE)
    assert re.search(r"^ +102  \(all\) +PEN-011,.* ragged", printed.out, re.MULTILINE)
    table = printed.out.partition("what to do\n")[2].partition("\n\n")[0]
    assert len(re.findall(r"^ +\d+  \S", table, re.MULTILINE)) == 11


def test_what_the_second_day_changed_is_shown(printed: Answer) -> None:
    assert "removed: PH-1373, ST-1289, TB-1162, TV-1383" in printed.out
    assert "new: AU-1306, KB-1434, PH-1400, PW-1321, SH-1090, ST-1331" in printed.out
    assert re.search(r"CO-1328 .*164\.90 USD  179\.90 USD  \+9\.1 %", printed.out)


def test_a_refused_order_is_shown_with_all_its_faults(printed: Answer) -> None:
    assert "PH-1349 can't be sold" in printed.out
    assert "50 of LT-1114 were ordered, but only 1 can be sold" in printed.out
    assert "these items are in EUR, USD" in printed.out


def test_an_order_sent_twice_is_one(printed: Answer) -> None:
    first, again = re.findall(r"^  (ord_\w+)  (?:first|second) request", printed.out, re.MULTILINE)
    assert first == again


def test_all_lines_fit_a_hundred_columns_except_those_to_copy(printed: Answer) -> None:
    lines = [
        line for line in printed.out.splitlines() if "commerce" not in line and "curl" not in line
    ]
    assert max(map(len, lines)) <= 100
    assert not re.search(r"\x1b|[─│█]", printed.out)


def test_three_commands_and_three_requests_are_left_to_try(printed: Answer) -> None:
    last = printed.out.partition("What to try next")[2]
    assert len(re.findall(r"^  commerce ", last, re.MULTILINE)) == 3
    assert len(re.findall(r"^  curl ", last, re.MULTILINE)) == 3


def test_the_orders_and_reports_are_the_same_each_time() -> None:
    figures = [facts()["reports"] for _ in range(2)]
    for reports in figures:
        for report in reports.values():
            for row in report["results"]:
                del row["partner_id"]
            del report["from"], report["to"], report["complete_to"]
    assert figures[0] == figures[1]
    shares = figures[0]["share"]["results"]
    assert sum(Decimal(row["revenue_pct"]) for row in shares if row["currency"] == "EUR") == 100
    assert len(figures[0]["over_time"]["results"]) == 7


def facts() -> dict[str, dict[str, dict[str, list[dict[str, str]]]]]:
    with open_platform(Settings(database_url="memory:")) as commerce:
        answer = Cli(commerce).fine("demo", "--json")
    assert answer.json["orders"] == 36
    assert answer.json["jobs"]["craft-beer.csv"]["outcome"] == "with_rejects"
    return answer.json


def test_a_database_of_ones_own_is_not_for_the_demo() -> None:
    assert Cli()("--database", "postgresql://localhost/mine", "demo").code == 2


def test_the_folder_is_made_and_kept_out_of_git(tmp_path: Path) -> None:
    emptied(tmp_path / "new" / "demo")
    assert (tmp_path / "new" / "demo" / ".gitignore").read_text() == "*\n"


def test_what_an_earlier_demo_left_is_removed(tmp_path: Path) -> None:
    emptied(tmp_path)
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "raw").write_text("old")
    (tmp_path / "operator.key").write_text("old")
    (tmp_path / "link").symlink_to(Path(__file__).parent)
    emptied(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        ".gitignore",
        "made-by-commerce-demo.txt",
    }
    assert Path(__file__).exists()


def test_a_folder_with_anything_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    with pytest.raises(Conflict, match="not empty"):
        emptied(tmp_path)
    assert (tmp_path / "precious").read_text() == "mine"
    answer = Cli()("demo", "--data-dir", str(tmp_path))
    assert answer.code == 73


def test_a_file_in_place_of_the_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInput, match="can't be used"):
        emptied(tmp_path / "file")


def test_a_folder_in_use_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(home, "_TIMEOUT", 0.2)
    emptied(tmp_path)
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "server.lock").touch()
    with (tmp_path / "postgres" / "users.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        with pytest.raises(Conflict, match="in use"):
            emptied(tmp_path)
        assert (tmp_path / "postgres").exists()
    emptied(tmp_path)
    assert not (tmp_path / "postgres").exists()
