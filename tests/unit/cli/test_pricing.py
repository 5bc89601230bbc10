"""`commerce pricing`, and prices in `commerce orders`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from entrypoints.compose import open_platform
from entrypoints.settings import Settings
from tests.support.commands import Cli

FEED = b"sku,product_name,price,quantity\nA,Lamp,10.00,90\nB,Chair,20.00,90\n"
RULES = """
[[rules]]
name = "Spring sale"
priority = 10
condition = { all = [{ sku = "A" }, { window = { until = 2098-12-31, tz = "Europe/Rome" } }] }
benefit = { percent = "12.5" }

[[rules]]
name = "Code"
condition = { code = "SPRING" }
benefit = { amount = "1.00" }
applies_to = "order"
limits = { most_uses = 1 }
"""
BASKET = ("--partner", "Acme", "--item", "A=3", "--item", "B=1")


@pytest.fixture
def cli() -> Iterator[Cli]:
    """A platform on which Acme sells a lamp and a chair."""
    with open_platform(Settings(database_url="memory:")) as commerce:
        cli = Cli(commerce)
        cli.fine("partners", "add", "Acme", "--currency", "EUR")
        cli.fine("feeds", "upload", "-", "--partner", "Acme", "--run", "--wait", text=FEED)
        yield cli


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    file = tmp_path / "rules.toml"
    file.write_text(RULES)
    return file


def test_what_differs_is_shown_and_then_saved(cli: Cli, rules: Path):
    planned = cli.fine("pricing", "add", str(rules), "--plan").out
    assert "Spring sale would become a new rule." in planned
    assert '+ benefit: {"percent": "12.5"}' in planned
    assert cli.fine("pricing", "list", "--json").lines == []
    assert "Code is now a new rule." in cli.fine("pricing", "add", str(rules)).out
    rules.write_text(RULES.replace("12.5", "15"))
    assert cli.fine("pricing", "add", str(rules)).out == (
        "Spring sale is now version 2.\n"
        '  - benefit: {"percent": "12.5"}\n'
        '  + benefit: {"percent": "15"}\n'
        "Code: nothing changes.\n"
    )
    listed = cli.fine("pricing", "list", "--json").lines
    assert [(each["name"], each["version"]) for each in listed] == [("Spring sale", 2), ("Code", 1)]


def test_a_rule_is_shown_as_a_file_that_can_be_added_again(cli: Cli, rules: Path, tmp_path: Path):
    cli.fine("pricing", "add", str(rules))
    file = tmp_path / "one.json"
    file.write_text(cli.fine("pricing", "show", "Spring sale").out)
    assert cli.fine("pricing", "add", str(file)).out == "Spring sale: nothing changes.\n"
    assert "paused" in cli.fine("pricing", "set", "Spring sale", "--status", "paused").out


def test_a_file_with_a_fault_saves_nothing(cli: Cli, rules: Path):
    rules.write_text(RULES + '\n[[rules]]\nname = "Bad"\nbenefit = { percent = 5 }\n')
    refused = cli("pricing", "add", str(rules))
    assert refused.code == 65
    assert "rule 3, benefit, percent" in refused.err
    assert cli.fine("pricing", "list", "--json").lines == []
    for content, word in (
        ("{", "JSON"),
        ("name =", "TOML"),
        ('{"rules": [1]}', "Rule 1 isn't a table"),
        (
            '{"name": "x", "name": "y"}',
            "The file is not JSON: an object has the same name twice: 'name'",
        ),
        ('[{"name": "x",}]', "The file is not JSON"),
        ('{"rules": []}', "The file has no rules"),
        ("", "The file has no rules"),
        ('[[rule]]\nname = "x"', "A file has one rule, or several under `rules`, and no 'rule'"),
        ('title = "x"\n' + RULES, "A file has one rule, or several under `rules`, and no 'rules'"),
        (f"priority = 1{'0' * 5_000}", "neither TOML nor JSON: a number has too many digits"),
        (f"{'a.' * 3_000}a = 1", "neither TOML nor JSON: it is too deep"),
    ):
        rules.write_text(content)
        refused = cli("pricing", "add", str(rules))
        assert (refused.code, word in refused.err) == (65, True), content


def test_lines_of_a_price_list_have_the_numbers_of_the_file(cli: Cli, tmp_path: Path):
    cli.fine("pricing", "lists", "add", "Trade", "--currency", "EUR")
    file = tmp_path / "list.csv"
    file.write_text("sku,price\nA,9.00\nB,cheap\n")
    refused = cli("pricing", "lists", "load", "Trade", str(file))
    assert (refused.code, "  line 3, price: Write digits" in refused.err) == (65, True)
    assert "line 3, price: not_a_number" in refused.out


def test_places_in_a_file_are_counted_from_one(cli: Cli, rules: Path):
    rules.write_text(
        'name = "Bad"\n'
        'benefit = { tiers = { steps = [{ from = 2, percent = "5" }, { from = 2 }] } }\n'
        'condition = { all = [{ brand = "A" }, { any = [{ sku = [1, "B", 3] }] }] }\n'
    )
    refused = cli("pricing", "add", str(rules)).err
    assert "  rule 1, benefit, tiers, steps 2: Use one of" in refused
    assert "  rule 1, condition, all 2, any 1, sku 3: A text is expected." in refused


@pytest.mark.parametrize("time", ["18:30:00", "18:30:01", "18:30:00.5"])
def test_a_time_in_toml_is_a_whole_minute_or_is_refused(cli: Cli, rules: Path, time: str):
    window = f'{{ tz = "UTC", hours = {{ from = {time}, until = "20:00" }} }}'
    rules.write_text(
        f'name = "Evening"\nbenefit = {{ percent = "5" }}\ncondition = {{ window = {window} }}\n'
    )
    saved = cli("pricing", "add", str(rules), "--plan")
    if time == "18:30:00":
        assert (saved.code, '"from": "18:30"' in saved.out) == (0, True)
    else:
        assert (saved.code, "window, hours, from: A time of day" in saved.err) == (65, True)


@pytest.mark.parametrize("before", ["", "\ufeff", "\n "])
def test_a_file_is_an_object_or_a_list_of_rules_in_json(cli: Cli, rules: Path, before: str):
    one = '{"name": "Sale", "benefit": {"percent": "10"}}'
    for content in (one, f"[{one}]", f'{{"rules": [{one}]}}'):
        rules.write_text(before + content, encoding="utf-8")
        assert "Sale" in cli.fine("pricing", "add", str(rules)).out


def test_a_basket_is_priced_and_explained(cli: Cli, rules: Path):
    cli.fine("pricing", "add", str(rules))
    quote = cli.fine("pricing", "quote", *BASKET, "--code", "spring", "--json").json
    assert quote["total_amount"] == "45.25"
    explained = cli.fine("pricing", "explain", *BASKET).out
    assert (
        "Spring sale took 3.75, for 3 units that cost 30.00 (the price so far); "
        "the line costs 26.25." in explained
    )
    asked = cli.fine("pricing", "why-not", "Code", *BASKET).out
    assert asked == "Code did not apply: it wants code SPRING, and found none.\n"


def test_rules_are_tried_before_they_are_saved(cli: Cli, rules: Path):
    words = ("pricing", "quote", *BASKET, "--rules", str(rules), "--json")
    assert cli.fine(*words).json["total_amount"] == "46.25"
    assert cli.fine(*words, "--at", "2099-01-01").json["total_amount"] == "50.00"


def test_an_order_is_placed_with_its_code_at_the_expected_total(cli: Cli, rules: Path):
    cli.fine("pricing", "add", str(rules))
    words = ("orders", "create", *BASKET, "--code", "SPRING", "--expect")
    assert cli(*words, "50.00").code == 73
    assert cli(*words, "much").code == 2
    order = cli.fine(*words, "45.25", "--json").json
    assert order["total_amount"] == "45.25"
    assert cli(*words, "45.25").code == 73
    assert "Spring sale took 3.75" in cli.fine("orders", "explain", order["order_id"]).out


def test_lint_finds_what_is_odd_in_a_file_and_in_what_is_active(cli: Cli, rules: Path):
    assert cli.fine("pricing", "lint").err == "Nothing is odd about these rules.\n"
    lines = cli.fine("pricing", "lint", str(rules), "--json").lines
    assert [(each["code"], each["name"]) for each in lines] == [("any_currency", "Code")]
    cli.fine("pricing", "add", str(rules))
    assert cli.fine("pricing", "lint", "--json").lines[0]["code"] == "any_currency"
    assert len(cli.fine("pricing", "lint", str(rules), "--json").lines) == 1


def test_what_if_prices_orders_again(cli: Cli, rules: Path):
    cli.fine("orders", "create", *BASKET)
    words = ("pricing", "what-if", str(rules), "--from", "2020-01-01")
    found = cli.fine(*words, "--json").json
    assert (found["orders"], found["changed"]) == (1, 1)
    assert found["totals"][0]["difference"] == "-3.75"
    assert "46.25 EUR" in cli.fine(*words).out


def test_a_what_if_is_left_to_a_worker(cli: Cli, rules: Path):
    cli.fine("orders", "create", *BASKET)
    words = ("pricing", "what-if", str(rules), "--from", "2020-01-01", "--queue")
    assert "queued" in cli.fine(*words).out
    run = cli.fine(*words, "--json").json
    assert cli.fine("pricing", "report", run["what_if_id"], "--json").json == run
    assert "queued" in cli.fine("pricing", "report", run["what_if_id"]).out


def test_prices_are_included_in_products(cli: Cli, rules: Path):
    cli.fine("pricing", "add", str(rules))
    listed = cli.fine("products", "list", "--include", "selling_price, prior_price", "--json").lines
    assert [(each["selling_price"], each["prior_price"]) for each in listed] == [
        ("8.75", "10.00"), ("20.00", None),
    ]  # fmt: skip
    table = cli.fine("products", "list", "--include", "selling_price").out
    assert "selling price" in table
    assert "8.75 EUR" in table
    shown = cli.fine("products", "show", "A", "--partner", "Acme", "--include", "prior_price").out
    assert "prior_price_days" in shown
    exported = cli.fine("products", "export", "--include", "selling_price").out
    assert exported.splitlines()[1].split(",")[6] == "8.75"
    assert cli("products", "list", "--include", "cost").code == 65


def test_price_lists_are_loaded_and_reverted(cli: Cli):
    cli.fine("pricing", "lists", "add", "Trade", "--currency", "EUR")
    first = b"sku,minimum_quantity,price\nA,1,9.00\nA,10,8.00\n"
    planned = cli.fine("pricing", "lists", "load", "Trade", "-", "--plan", text=first).out
    assert planned == (
        "Version 1 would be the current one: 2 added, 0 changed, 0 removed, 0 unchanged.\n"
    )
    assert "Version 1 is now" in cli.fine("pricing", "lists", "load", "Trade", "-", text=first).out
    assert "Nothing changes" in cli.fine("pricing", "lists", "load", "Trade", "-", text=first).out
    broken = cli("pricing", "lists", "load", "Trade", "-", text=b"sku,price\nA,x\n")
    assert broken.code == 65
    assert "line 2, price: not_a_number ('x')." in broken.out
    cli.fine("pricing", "lists", "load", "Trade", "-", "--decimal", ",", text=b"sku;price\nA;7,5\n")
    assert "2 added" not in cli.fine("pricing", "lists", "revert", "Trade", "1").out
    versions = cli.fine("pricing", "lists", "versions", "Trade", "--json").lines
    assert [each["version"] for each in versions] == [3, 2, 1]
    assert cli.fine("pricing", "lists", "list", "--json").lines[0]["entries"] == 2
    assert "Trade" in cli.fine("pricing", "lists", "show", "Trade").out
