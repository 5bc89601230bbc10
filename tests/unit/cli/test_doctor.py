"""`commerce doctor`: what it says in words and as JSON, what it saves, how it exits."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from entrypoints.profile_files import read_profile
from tests.support.commands import Cli, commerce
from tests.support.terminal import Terminal

CLEAN = b"sku,product_name,price,currency\nA-1,Lamp,12.50,EUR\nA-2,Chair,80,EUR\n"
GERMAN = (
    "Artikelnummer;Bezeichnung;Preis;Bestand;EAN-Code;Einkauf\n"
    "A-1;Löffel;1.299,00;5 Stück;4006381333931;1\n"
    "A-2;Gabel;9,50;;'4006381333931;2\n"
    "A-2;Gabel;9,60;3;4006381333932;2\n"
).encode("cp1252")


@pytest.fixture
def cli() -> Cli:
    """Without a platform: a command that opened one would make a database."""
    return Cli()


@pytest.fixture
def german(tmp_path: Path) -> str:
    file = tmp_path / "shop.csv"
    file.write_bytes(GERMAN)
    return str(file)


def test_a_clean_file_is_accepted(cli: Cli):
    answer = cli.fine("doctor", "-", text=CLEAN)
    assert answer.out.startswith("This file would be accepted.\n")
    assert "2: 2 accepted" in answer.out
    assert "Profile" not in answer.out


def test_a_pipe_is_examined_like_a_file(cli: Cli, tmp_path: Path):
    """As in `commerce doctor <(zcat shop.csv.gz)`: it is read more than once."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as aside:
        aside.submit(pipe.write_bytes, CLEAN)
        answer = cli.fine("doctor", str(pipe))
    assert "2: 2 accepted" in answer.out


def test_a_diagnosis_is_printed_as_text(cli: Cli, german: str):
    printed = cli.fine("doctor", german).out
    assert printed.startswith(
        "shop.csv would be accepted with the profile below, once its prices have a currency (see "
        "the questions below). Without the profile, it would be refused"
    )
    for part in (
        "encoding          unknown: it isn't UTF-8",
        "semicolon: the header has 6 cells",
        "columns not used  Einkauf",
        "price from Preis",
        "GTINs begin with an apostrophe, which is removed (1 cell).",
        "'A-2' on lines 3 and 4",
        "Problems (1 gtin_check_digit)",
        '- encoding = "cp1252": A-1;Löffel',
        "In which currency are the amounts in 'Preis'?",
        "Questions that only you can answer:",
        "Profile (use --save to write it to a file):",
        '  decimal = ","',
    ):
        assert part in printed


def test_the_profile_is_saved_with_what_is_to_be_decided(cli: Cli, german: str, tmp_path: Path):
    saved = tmp_path / "shop.toml"
    assert f"Profile (saved as {saved}):" in cli.fine("doctor", german, "--save", str(saved)).out
    text = saved.read_text("utf-8")
    assert text.startswith("# To be decided: Which encoding is the file in?")
    profile = read_profile(text.encode())
    assert (profile.encoding, profile.columns["price"].from_) == ("cp1252", ("Preis",))
    again = cli.fine("doctor", german, "--profile", str(saved))
    assert again.out.startswith(
        f"shop.csv, read with {saved}, would be accepted, once its prices have"
    )
    assert "Suggestions" not in again.out
    assert "Profile (" not in again.out


def test_the_profile_is_saved_as_json_too(cli: Cli, german: str, tmp_path: Path):
    saved = tmp_path / "shop.json"
    cli.fine("doctor", german, "--save", str(saved), "--currency", "eur")
    assert json.loads(saved.read_text("utf-8"))["currency"] == "EUR"


def test_the_diagnosis_comes_as_one_json_document(cli: Cli, german: str):
    diagnosis = cli.fine("--json", "doctor", german).json
    assert diagnosis["verdict"] == "with_profile"
    assert diagnosis["encoding"]["guesses"][0]["encoding"] == "cp1252"
    assert diagnosis["profile"]["columns"]["price"] == {"from": ["Preis"]}


@pytest.mark.parametrize("content", [b"", b"%PDF", b"colour,size\nred,5\n", b'sku,title\nA,"x\n'])
def test_a_file_that_would_be_refused_exits_with_65(cli: Cli, content: bytes):
    answer = cli("doctor", "-", text=content)
    assert answer.code == 65
    assert "would be refused as a whole" in answer.out
    assert "only the first 0" not in answer.out


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("no-such.csv",), 66),
        ((".",), 65),
        (("-", "--currency", "EURO"), 65),
        (("-", "--preset", "opencart"), 2),
        (("-", "--preset", "shopify", "--profile", "x"), 2),
        (("-", "--profile", "no-such.toml"), 66),
        (("-", "--save", "/no/such/folder/x.toml"), 65),
    ],
)
def test_what_cannot_be_done_has_its_exit_code(cli: Cli, words: tuple[str, ...], code: int):
    answer = cli("doctor", *words, text=CLEAN)
    assert (answer.code, answer.err.partition(":")[0]) == (code, "error")


def test_a_fault_of_a_profile_is_reported_with_its_place(cli: Cli, tmp_path: Path):
    file = tmp_path / "bad.toml"
    file.write_text("[columns]\nprice = {form = 'Preis'}\n")
    answer = cli("doctor", "-", "--profile", str(file), text=CLEAN)
    assert answer.code == 65
    assert "'form' is not a known name" in answer.err


def test_no_database_is_needed(tmp_path: Path):
    (tmp_path / "feed.csv").write_bytes(CLEAN)
    answer = commerce(tmp_path, "doctor", "feed.csv")
    assert answer.code == 0
    assert [file.name for file in tmp_path.iterdir()] == ["feed.csv"]


def test_a_terminal_of_80_columns_shows_all_but_the_profile(tmp_path: Path, german: str):
    with Terminal(tmp_path) as terminal:
        printed, code = terminal._type(f"COLUMNS=80 commerce doctor {german}")
    above, _, _ = printed.partition("Profile (")
    assert code == 0
    assert max(map(len, above.splitlines())) <= 80
