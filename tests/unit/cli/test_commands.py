"""Each command translates into one use case, and its answer into words or JSON."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from commerce_core.catalog.product import Availability, SortBy
from entrypoints.cli.kit.product_filters import AVAILABILITIES, SORTS
from entrypoints.compose import open_platform
from entrypoints.problems import EXIT_CONFLICT
from entrypoints.settings import Settings
from tests.support.commands import Answer, Cli

FEED = b"""sku,product_name,price,currency,quantity
A-1,"Lamp, small",12.50,EUR,3
A-2,Lamp,1250.00,EUR,
A-3,Broken,1.234,EUR,1
"""
CLEAN = b"sku,product_name,price\nA-1,Lamp,5.00\n"
UNKNOWN = "prod_0199c2f4a1b07e3d8c215f60a9d2b4c7"


@pytest.fixture
def cli() -> Iterator[Cli]:
    with open_platform(Settings(database_url="memory:")) as commerce:
        yield Cli(commerce)


@pytest.fixture
def acme(cli: Cli) -> Cli:
    """A platform on which Acme has a catalog of two products."""
    cli.fine("partners", "add", "Acme", "--currency", "eur")
    upload(cli, FEED, "--mode", "full", "--run", "--wait")
    return cli


def upload(cli: Cli, content: bytes, *words: str) -> Answer:
    return cli("feeds", "upload", "-", "--partner", "acme", *words, text=content)


def product_id(cli: Cli, sku: str) -> str:
    return cli.fine("products", "show", sku, "--partner", "Acme", "--json").json["product_id"]


# Partners and keys


def test_partners_are_added_listed_shown_and_changed(cli: Cli) -> None:
    made = cli.fine(
        "partners", "add", "Acme", "--currency", "usd", "--email", "feeds@example.com", "--json"
    ).json
    assert (made["partner_name"], made["currency"], made["status"]) == ("Acme", "USD", "active")
    assert cli.fine("partners", "list", "--json").lines == [made]
    assert cli.fine("partners", "show", "ACME", "--json").json == made
    changed = cli.fine("partners", "set", made["partner_id"], "--status", "paused", "--json").json
    assert changed["status"] == "paused"
    assert "paused" in cli.fine("partners", "list").out


def test_all_faults_of_a_partner_are_reported_at_once(cli: Cli) -> None:
    answer = cli("partners", "add", "Acme", "--currency", "EURO", "--time-zone", "Mars")
    assert answer.code == 65
    assert re.search(r"^  currency: ", answer.err, re.MULTILINE)
    assert re.search(r"^  time_zone: ", answer.err, re.MULTILINE)


def test_a_name_that_is_taken_is_a_conflict(acme: Cli) -> None:
    assert acme("partners", "add", "acme").code == 73


def test_changing_nothing_is_a_mistake(acme: Cli) -> None:
    assert acme("partners", "set", "Acme").code == 2


def test_keys_are_made_shown_once_and_revoked(acme: Cli) -> None:
    made = acme.fine("keys", "add", "--partner", "Acme", "--scope", "catalog:read", "--json").json
    assert made["scopes"] == ["catalog:read"]
    assert made["secret"].startswith("ck_")
    listed = acme.fine("keys", "list", "--json")
    assert made["secret"] not in listed.out
    assert listed.lines[0]["key_id"] == made["key_id"]
    assert acme.fine("keys", "revoke", made["key_id"], "--json").json["revoked_at"]
    assert "Acme" in acme.fine("keys", "list").out


@pytest.mark.parametrize("words", [(), ("--operator", "--partner", "Acme")])
def test_a_key_is_either_the_operators_or_a_partners(cli: Cli, words: tuple[str, ...]) -> None:
    assert cli("keys", "add", *words).code == 2


def test_an_operators_key_is_shown_with_its_secret(cli: Cli) -> None:
    assert re.search(r"secret\s+ck_[0-9a-f]{64}", cli.fine("keys", "add", "--operator").out)


# Feeds and jobs


def test_an_upload_waits_for_its_start(acme: Cli) -> None:
    receipt = upload(acme, CLEAN, "--json").json
    assert receipt["status"] == "queued"
    job = acme.fine("jobs", "show", receipt["job_id"], "--json").json
    assert (job["status"], job["released"]) == ("queued", False)
    assert re.search(
        r"waiting for +you to start it", acme.fine("jobs", "show", receipt["job_id"]).out
    )


def test_an_upload_says_what_comes_next(acme: Cli) -> None:
    assert re.search(r"commerce jobs run job_", upload(acme, CLEAN).out)
    released = upload(acme, CLEAN + b"A-2,Desk,6.00\n", "--run").out
    assert "A worker will run the job" in released
    assert re.search(r"commerce jobs watch job_", released)


def test_a_job_runs_here_and_now(acme: Cli) -> None:
    job_id = upload(acme, CLEAN, "--json").json["job_id"]
    job = acme.fine("jobs", "run", job_id, "--json").json
    assert (job["status"], job["summary"]["updated"]) == ("completed", 1)
    assert acme("jobs", "run", job_id).code == 73


def test_a_feed_whose_job_has_ended_is_run_by_a_new_one(acme: Cli) -> None:
    done = upload(acme, CLEAN, "--run", "--wait", "--json").json
    again = acme.fine("jobs", "run", done["feed_id"], "--json").json
    assert again["job_id"] != done["job_id"]
    assert again["outcome"] == "nothing_changed"


def test_waiting_shows_the_finished_job_and_its_first_problems(acme: Cli) -> None:
    answer = upload(acme, FEED.replace(b"12.50", b"13.50"), "--run", "--wait")
    assert answer.code == 0
    assert "3 read: 1 updated, 1 unchanged, 1 rejected" in answer.out
    assert re.search(r"4\s+price\s+1\.234\s+too many decimals\s+\S", answer.out)


def test_a_finished_job_is_not_run_again_and_the_command_for_a_new_one_is_named(acme: Cli) -> None:
    job = upload(acme, CLEAN, "--run", "--wait", "--json").json
    refused = acme("jobs", "run", job["job_id"])
    assert refused.code == EXIT_CONFLICT
    assert f"commerce jobs run {job['feed_id']}" in refused.err


def test_waiting_gives_the_finished_job_as_one_document(acme: Cli) -> None:
    job = upload(acme, FEED, "--run", "--wait", "--json").json
    assert job["status"] == "completed"
    assert [problem["line"] for problem in job["problems"]] == [4]


def test_strict_makes_a_rejected_record_a_failure(acme: Cli) -> None:
    assert upload(acme, FEED, "--run", "--wait", "--strict").code == 65
    assert upload(acme, CLEAN, "--run", "--wait", "--strict").code == 0


def test_a_failed_job_is_shown_with_its_reason(acme: Cli) -> None:
    answer = upload(acme, b"name,price\nLamp,5.00\n", "--run", "--wait")
    assert answer.code == 65
    assert "missing_column" in answer.out


@pytest.mark.parametrize("words", [("--wait",), ("--strict",), ("--run", "--strict")])
def test_waiting_is_for_what_runs(acme: Cli, words: tuple[str, ...]) -> None:
    assert upload(acme, CLEAN, *words).code == 2


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("nowhere.csv", "--partner", "Acme"), 66),
        (("-", "--partner", "nobody"), 66),
        (("-", "--partner", "Acme", "--sha256", "0" * 64), 65),
        (("-", "--partner", "Acme", "--snapshot-at", "yesterday"), 2),
        (("-",), 2),
    ],
)
def test_an_upload_that_cannot_be_is_refused(acme: Cli, words: tuple[str, ...], code: int) -> None:
    assert acme("feeds", "upload", *words, text=CLEAN).code == code


def test_an_empty_file_and_a_folder_are_refused(acme: Cli, tmp_path: Path) -> None:
    assert upload(acme, b"").code == 65
    assert acme("feeds", "upload", str(tmp_path), "--partner", "Acme").code == 65


def test_a_paused_partner_sends_nothing(acme: Cli) -> None:
    acme.fine("partners", "set", "Acme", "--status", "paused")
    assert upload(acme, CLEAN).code == 73


def test_feeds_are_listed_shown_and_given_back_as_they_came(acme: Cli, tmp_path: Path) -> None:
    file = tmp_path / "day 2.csv"
    file.write_bytes(CLEAN)
    words = ("--partner", "Acme", "--snapshot-at", "2026-01-01", "--expected-rows", "1")
    made = acme.fine("feeds", "upload", str(file), *words, "--json").json
    assert [row["file_name"] for row in acme.fine("feeds", "list", "--json").lines] == [
        "day 2.csv",
        "feed.csv",
    ]
    shown = acme.fine("feeds", "show", made["feed_id"], "--json").json
    assert shown["snapshot_at"] == "2026-01-01T00:00:00Z"
    assert "day 2.csv" in acme.fine("feeds", "show", made["feed_id"]).out
    assert acme.fine("feeds", "raw", made["feed_id"]).out.encode() == CLEAN
    applied = acme.fine("feeds", "list", "--partner", "Acme", "--status", "applied")
    assert len(applied.out.splitlines()) == 2


def test_jobs_are_listed_watched_and_cancelled(acme: Cli) -> None:
    job_id = upload(acme, CLEAN, "--json").json["job_id"]
    queued = acme.fine("jobs", "list", "--status", "queued", "--json").lines
    assert [job["job_id"] for job in queued] == [job_id]
    assert acme.fine("jobs", "cancel", job_id, "--json").json["status"] == "cancelled"
    assert acme("jobs", "watch", job_id).code == 73
    assert acme("jobs", "run", job_id).code == 73
    assert "with rejects" in acme.fine("jobs", "list").out


def test_problems_are_listed_by_line(acme: Cli) -> None:
    (job,) = acme.fine("jobs", "list", "--json").lines
    (problem,) = acme.fine("jobs", "problems", job["job_id"], "--json").lines
    assert (problem["line"], problem["column"], problem["code"]) == (
        4,
        "price",
        "too_many_decimals",
    )
    titles = "line column value what is wrong what to do"
    assert " ".join(acme.fine("jobs", "problems", job["job_id"]).out.split()).startswith(titles)


def test_rejected_records_are_written_to_be_corrected(acme: Cli, tmp_path: Path) -> None:
    (feed,) = acme.fine("feeds", "list", "--json").lines
    printed = acme.fine("feeds", "report", feed["feed_id"]).out
    assert printed.splitlines()[1].endswith(",A-3,Broken,1.234,EUR,1")
    file = tmp_path / "mended.csv"
    acme.fine("feeds", "report", feed["latest_job"]["job_id"], "-o", str(file))
    assert file.read_text() == printed
    file.write_text(printed.replace(",Broken,1.234", ",Mended,1.23"))
    answer = acme.fine("feeds", "upload", str(file), "--partner", "Acme", "--run", "--wait")
    assert "1 read: 1 created" in answer.out
    assert "not in this file" not in answer.out
    assert len(acme.fine("products", "list", "--json").lines) == 3
    (mended, _) = acme.fine("feeds", "list", "--json").lines
    assert (mended["mode"], mended["snapshot_at"]) == ("delta", feed["snapshot_at"])
    none = acme("feeds", "report", mended["feed_id"], "-o", str(tmp_path / "none.csv"))
    assert (none.code, none.out, (tmp_path / "none.csv").exists()) == (66, "", False)
    assert "rejected no record" in none.err
    assert acme("feeds", "report", feed["feed_id"], "-o", str(tmp_path / "no" / "x")).code == 65


# Products and orders


def test_products_are_listed_with_amounts_to_the_right(acme: Cli) -> None:
    assert acme.fine("products", "list", "--sort-by", "price", "--partner", "Acme").out == (
        "sku  name                price      stock  partner  id\n"
        f"A-1  Lamp, small     12.50 EUR          3  Acme     {product_id(acme, 'A-1')}\n"
        f"A-2  Lamp         1,250.00 EUR  untracked  Acme     {product_id(acme, 'A-2')}\n"
    )


def test_products_are_filtered(acme: Cli) -> None:
    def skus(*words: str) -> list[str]:
        return [row["sku"] for row in acme.fine("products", "list", *words, "--json").lines]

    assert skus("--sku", "A-2") == ["A-2"]
    assert skus("--currency", "eur", "--sort-by", "price", "--order", "desc") == ["A-2", "A-1"]
    assert skus("--status", "removed") == []
    assert skus("--limit", "1") == ["A-1"]
    assert skus("--currency", "EUR", "--price-min", "12.51", "--price-max", "2000") == ["A-2"]
    assert skus("--sellable", "--q", "LAMP small") == ["A-1"]
    assert skus("--not-sellable") == []
    assert skus("--updated-since", "2026-01-01", "--sort-by", "updated_at") == ["A-1", "A-2"]
    assert skus("--updated-since", "2199-01-01T00:00:00+02:00") == []
    assert skus("--sort-by", "product_name") == ["A-2", "A-1"]
    assert skus("--brand", "Nobody's") == skus("--category", "A > B") == []


def test_products_are_exported(acme: Cli, tmp_path: Path) -> None:
    """To stdout or into a file, as a feed that changes nothing, or as objects a line."""
    file = tmp_path / "products.csv"
    assert acme.fine("products", "export", "--partner", "Acme", "-o", str(file)).out == ""
    assert file.read_text("utf-8").count("\n") == 3
    again = acme.fine(
        "feeds", "upload", str(file), "--partner", "Acme", "--run", "--wait", "--json"
    )
    assert again.json["outcome"] == "nothing_changed"
    (line,) = acme.fine("products", "export", "--sku", "A-2", "--format", "ndjson").lines
    assert line == acme.fine("products", "list", "--sku", "A-2", "--json").lines[0]
    assert acme.fine("products", "export", "--sku", "A-2", "--json").lines == [line]
    assert acme("products", "export", "-o", str(tmp_path / "no" / "x")).code == 65


def test_a_filter_that_means_nothing_is_refused(acme: Cli) -> None:
    assert acme("products", "list", "--price-min", "cheap").code == 2
    assert acme("products", "list", "--price-min", "5").code == 65
    assert "currency" in acme("products", "list", "--price-min", "5").err
    assert acme("products", "list", "--sort-by", "sku").code == 2


@pytest.mark.parametrize("words", ["analytics entries", "audit"])
def test_a_range_that_ends_before_it_begins_is_refused(acme: Cli, words: str) -> None:
    refused = acme(*words.split(), "--from", "2026-02-01", "--to", "2026-01-31")
    assert refused.code == 65
    assert "`from` must not be after `to`" in refused.err


def test_options_offer_the_sort_fields_and_availabilities_of_the_catalog() -> None:
    assert get_args(SortBy) == SORTS
    assert get_args(Availability) == AVAILABILITIES


def test_a_cut_list_says_that_there_is_more(acme: Cli) -> None:
    assert "more" in acme("products", "list", "--limit", "1").err
    assert acme("products", "list", "--limit", "2").err == ""


def test_a_list_without_anything_says_so(cli: Cli) -> None:
    answer = cli.fine("products", "list")
    assert (answer.out, answer.err) == ("", "No products found.\n")


def test_prices_of_several_currencies_are_not_sorted(acme: Cli) -> None:
    assert acme("products", "list", "--sort-by", "price").code == 65


def test_a_product_is_shown_by_id_or_by_sku(acme: Cli) -> None:
    shown = acme.fine("products", "show", product_id(acme, "A-1"))
    assert re.search(r"price\s+12\.50", shown.out)
    assert acme("products", "show", UNKNOWN).code == 66
    assert acme("products", "show", "no-id").code == 66
    assert acme("products", "show", "A-9", "--partner", "Acme").code == 66


def test_an_order_is_placed_shown_listed_and_cancelled(acme: Cli) -> None:
    item = f"{product_id(acme, 'A-1')}=2"
    order = acme.fine("orders", "create", "--item", item, "--reference", "web-1", "--json").json
    assert (order["total_amount"], order["currency"]) == ("25.00", "EUR")
    shown = acme.fine("orders", "show", order["order_id"]).out
    assert re.search(r"A-1\s+Lamp, small\s+2\s+12.50 EUR\s+12.50 EUR\s+25.00 EUR", shown)
    (listed,) = acme.fine("orders", "list", "--reference", "web-1", "--json").lines
    assert listed == order
    assert "web-1" in acme.fine("orders", "list", "--partner", "Acme").out
    assert acme.fine("orders", "cancel", order["order_id"], "--json").json["status"] == "cancelled"
    assert acme("orders", "cancel", order["order_id"]).code == 73


def test_an_order_may_name_products_by_sku(acme: Cli) -> None:
    words = ("--partner", "Acme", "--item", "A-1=1", "--item", f"{product_id(acme, 'A-2')}=1")
    order = acme.fine("orders", "create", *words, "--json").json
    assert [item["sku"] for item in order["items"]] == ["A-1", "A-2"]


def test_an_order_is_refused_with_all_that_speaks_against_it(acme: Cli) -> None:
    items = (f"{product_id(acme, 'A-1')}=99", f"{UNKNOWN}=1")
    answer = acme("orders", "create", "--item", items[0], "--item", items[1])
    assert answer.code == 65
    assert re.search(r"^  item 1, quantity: 99 of A-1 were ordered", answer.err, re.MULTILINE)
    assert re.search(r"^  item 2, product_id: ", answer.err, re.MULTILINE)
    assert acme.fine("orders", "list", "--json").lines == []


def test_an_order_sent_twice_under_a_key_is_one(acme: Cli) -> None:
    words = ("orders", "create", "--item", f"{product_id(acme, 'A-1')}=1", "--key", "k-1", "--json")
    first, again = acme.fine(*words), acme.fine(*words)
    assert again.json == first.json
    assert again.err == "An order with this key already exists; no new order was placed.\n"
    other = acme("orders", "create", "--item", f"{product_id(acme, 'A-1')}=2", "--key", "k-1")
    assert other.code == 73


@pytest.mark.parametrize("item", ["A-1", "A-1=", "A-1=two"])
def test_an_item_is_a_product_and_a_whole_number(acme: Cli, item: str) -> None:
    assert acme("orders", "create", "--item", item).code == 2


# Figures


def test_reports_show_what_was_sold(acme: Cli) -> None:
    acme.fine("orders", "create", "--item", f"{product_id(acme, 'A-1')}=2")
    (row,) = acme.fine("analytics", "by-partner", "--json").json["results"]
    assert (row["partner_name"], row["orders"], row["total_sales"]) == ("Acme", 1, "25.00")
    assert re.search(r"Acme\s+1\s+2\s+25.00 EUR", acme.fine("analytics", "by-partner").out)
    assert "100.00 %" in acme.fine("analytics", "share", "--currency", "EUR").out
    hours = acme.fine("analytics", "over-time", "--grain", "hour", "--tz", "Asia/Kolkata", "--json")
    assert hours.json["results"][0]["sales_period"].endswith(":00:00+05:30")
    month, monthly = (
        acme.fine("analytics", "over-time", "--grain", grain, "--json").json["results"]
        for grain in ("month", "monthly")
    )
    assert month == monthly


def test_each_report_is_a_table_json_or_csv(acme: Cli) -> None:
    acme.fine("orders", "create", "--item", f"{product_id(acme, 'A-1')}=2")
    words = {
        "summary": r"1\s+2\s+25.00 EUR",
        "top": r"1\s+.*25.00 EUR",
        "hours": r"Mon 00:00\s",
    }
    for verb, pattern in words.items():
        assert re.search(pattern, acme.fine("analytics", verb).out), verb
    for verb in (*words, "by-partner", "over-time", "share", "rules", "refunds"):
        rows = acme.fine("analytics", verb, "--json").json["results"]
        assert len(acme.fine("analytics", verb, "--csv").out.splitlines()) == 1 + len(rows)
    compared = acme.fine("analytics", "summary", "--compare", "weekdays", "--basis", "order")
    assert "the same weekdays" in compared.out
    assert "when its order was placed" in compared.out
    assert "No sales" in acme.fine("analytics", "rules").err


def test_a_time_without_offset_is_one_of_the_reports_zone(acme: Cli) -> None:
    words = (
        "--from",
        "2026-01-01",
        "--to",
        "2026-02-01T00:00:00Z",
        "--tz",
        "Europe/Rome",
        "--json",
    )
    report = acme.fine("analytics", "over-time", *words).json
    assert report["from"] == "2025-12-31T23:00:00Z"
    assert report["to"] == "2026-02-01T00:00:00Z"


def test_a_report_without_sales_says_so(cli: Cli) -> None:
    assert cli.fine("analytics", "share").err == "No sales in this period.\n"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--tz", "Mars", "--from", "2026-01-01"), 2),
        (("--tz", "Mars"), 65),
        (("--currency", "EURO"), 65),
        (("--partner", "nobody"), 66),
        (("--from", "2026-02-01", "--to", "2026-01-01"), 65),
    ],
)
def test_a_report_that_cannot_be_is_refused(cli: Cli, words: tuple[str, ...], code: int) -> None:
    assert cli("analytics", "by-partner", *words).code == code


def test_the_database_is_brought_up_to_date(cli: Cli) -> None:
    assert cli.fine("migrate", "--json").json == {"status": "ok"}
