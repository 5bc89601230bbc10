"""Profiles on the command line: shown as a file that can be set again, tried on files."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from entrypoints.compose import open_platform
from entrypoints.settings import Settings
from tests.support.commands import Cli

SHOP = "Artikel;Bezeichnung;Preis\nA-1;Lampe;1.299,00 EUR\nA-2;Stuhl;gratis\n"
PROFILE = """
delimiter = ";"
decimal = ","

[columns]
sku = "Artikel"
product_name = "Bezeichnung"
price = { from = "Preis", currency = "EUR" }
"""


@pytest.fixture
def cli() -> Iterator[Cli]:
    with open_platform(Settings(database_url="memory:")) as commerce:
        made = Cli(commerce)
        made.fine("partners", "add", "Acme")
        yield made


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "acme.toml").write_text(PROFILE)
    (tmp_path / "shop.csv").write_text(SHOP)
    return tmp_path


def test_without_a_profile_it_says_so(cli: Cli) -> None:
    assert "No profile is set" in cli.fine("profiles", "show", "Acme").out
    assert cli.fine("profiles", "show", "Acme", "--json").json["version"] == 0


def test_what_is_shown_can_be_set_again(cli: Cli, shop: Path) -> None:
    cli.fine("profiles", "set", "acme", str(shop / "acme.toml"))
    shown = cli.fine("profiles", "show", "Acme").out
    (shop / "again.toml").write_text(shown)
    again = cli.fine("profiles", "set", "Acme", str(shop / "again.toml"), "--json").json
    assert again["version"] == 1
    assert cli.fine("profiles", "set", "Acme", "shopify", "--json").json["version"] == 2


def test_a_profile_is_tried_and_rejects_make_the_exit_code(cli: Cli, shop: Path) -> None:
    words = ("profiles", "test", str(shop / "shop.csv"), "--partner", "Acme")
    answer = cli(*words, "--profile", str(shop / "acme.toml"))
    assert answer.code == 65
    assert "1299.00" in answer.out
    assert "gratis" in answer.out
    assert cli(*words, "--profile", "nobody-has-this").code == 66
    assert cli.fine("feeds", "list", "--json").lines == []


def test_an_upload_brings_its_profile_along(cli: Cli, shop: Path) -> None:
    cli.fine(
        "feeds", "upload", str(shop / "shop.csv"), "--partner", "Acme", "--mode", "full",
        "--profile", str(shop / "acme.toml"), "--run", "--wait",
    )  # fmt: skip
    (product,) = cli.fine("products", "list", "--json").lines
    assert (product["price"], product["currency"]) == ("1299.00", "EUR")
    assert cli.fine("profiles", "show", "Acme", "--json").json["version"] == 1


def test_every_fault_of_a_profile_is_reported_with_its_place(cli: Cli, shop: Path) -> None:
    (shop / "wrong.toml").write_text('currency = "EURO"\n[columns]\ncolour = "Farbe"\n')
    answer = cli("profiles", "set", "Acme", str(shop / "wrong.toml"))
    assert answer.code == 65
    assert "currency: Use an ISO 4217 code" in answer.err
    assert "columns, colour: There is no field" in answer.err


def test_several_urls_of_a_sample_are_printed_on_one_line(cli: Cli, shop: Path) -> None:
    urls = "https://e.example/1.jpg https://e.example/2.jpg"
    (shop / "urls.csv").write_text(f"sku,additional_image_urls\nA-1,{urls}\n")
    assert urls in cli.fine("profiles", "test", str(shop / "urls.csv"), "--partner", "Acme").out


def test_a_suggested_profile_can_be_edited_and_set(cli: Cli, shop: Path) -> None:
    """It is what the doctor proposes, with the questions as comments; no partner is needed."""
    (shop / "shop.csv").write_text("sku;Bezeichnung;Preis\nA;Lampe;9,90 EUR\nB;Stuhl;19,00 EUR\n")
    suggested = cli.fine("profiles", "suggest", str(shop / "shop.csv")).out
    assert 'price = "Preis"' in suggested
    assert 'decimal = ","' in suggested
    (shop / "suggested.toml").write_text(suggested)
    assert cli.fine("profiles", "set", "Acme", str(shop / "suggested.toml"), "--json").json
    shown = cli.fine("profiles", "suggest", str(shop / "shop.csv"), "--json").json
    assert shown["columns"]["price"]["from"] == ["Preis"]
    (shop / "page.csv").write_text("<!doctype html><html></html>")
    assert cli("profiles", "suggest", str(shop / "page.csv")).code == 65


def test_a_suggestion_has_its_open_questions_as_comments(cli: Cli, shop: Path) -> None:
    (shop / "open.csv").write_text("sku,product_name,price\nA,Lamp,5\nB,Desk,6\n")
    assert cli.fine("profiles", "suggest", str(shop / "open.csv")).out.startswith("# To be decided")
    fine = cli.fine("profiles", "suggest", str(shop / "open.csv"), "--currency", "EUR").out
    assert fine == 'currency = "EUR"\n'
