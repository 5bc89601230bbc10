"""Sources that are fetched, on the command line."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import evolve

from adapters.memory.fetcher import MemoryFetcher
from adapters.memory.vault import MemoryVault
from commerce_core.commerce import Commerce
from entrypoints.compose import open_platform
from entrypoints.settings import Settings
from tests.support.commands import Cli

URL = "https://1.1.1.1/feed.csv"


@pytest.fixture
def cli() -> Iterator[Cli]:
    with open_platform(Settings(database_url="memory:")) as commerce:
        made = Cli(commerce)
        made.fine("partners", "add", "Acme")
        yield made


def test_a_source_is_fetched_by_a_schedule_and_on_request(cli: Cli, tmp_path: Path):
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    shown = cli.fine(
        "sources", "pull", "main", "--partner", "Acme", "--url", URL, "--username", "anna",
        "--secret-file", str(secret), "--cron", "30 6 * * *", "--time-zone", "Europe/Berlin",
    ).out  # fmt: skip
    assert re.search(r"^schedule +30 6 \* \* \* in Europe/Berlin$", shown, re.MULTILINE)
    assert len(re.findall(r"^next ", shown, re.MULTILINE)) == 5
    assert "s3cret" not in shown
    of_main = ("main", "--partner", "Acme")
    pull = cli.fine("sources", "pull", *of_main, "--json").json
    assert (pull["url"], pull["has_secret"], "sealed" in pull) == (URL, True, False)
    fetch = cli.fine("sources", "fetch", *of_main, "--json").json
    assert fetch["status"] == "queued"
    assert fetch["fetch_id"] in cli.fine("sources", "fetches", *of_main, "--json").out
    assert "queued" in cli.fine("sources", "fetches").out
    assert cli("sources", "fetch", *of_main).code == 73
    assert "on request" in cli.fine("sources", "pull", *of_main, "--url", URL, "--no-secret").out
    cli.fine("sources", "pull", *of_main, "--off")
    assert cli("sources", "pull", *of_main).code == 66


def test_an_address_inside_is_refused(cli: Cli):
    refused = cli(
        "sources", "pull", "main", "--partner", "Acme", "--url", "https://169.254.169.254/"
    )
    assert refused.code == 65
    assert "link-local" in refused.err


def test_a_folder_of_an_sftp_server_is_set_with_its_key(cli: Cli, tmp_path: Path):
    keys = tmp_path / "keys"
    fingerprint = "SHA256:" + "A" * 43
    keys.write_text(f"# a comment\n{fingerprint}\n")
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    of_main = ("main", "--partner", "Acme")
    shown = cli.fine(
        "sources", "pull", *of_main, "--url", "sftp://1.1.1.1/out/", "--username", "anna",
        "--secret-file", str(secret), "--host-key-file", str(keys), "--pattern", "*.csv",
        "--marker", "{name}.done",
    ).out  # fmt: skip
    for name, value in {
        "kind": "sftp", "host key": fingerprint, "pattern": "*.csv", "marker": "{name}.done",
    }.items():  # fmt: skip
        assert re.search(rf"^{name} +{re.escape(value)}$", shown, re.MULTILINE)
    assert "s3cret" not in shown
    assert cli.fine("sources", "list", "--json").json["kind"] == "sftp"
    bucket = cli.fine(
        "sources", "pull", *of_main, "--url", "s3://bucket/out/", "--username", "id",
        "--secret-file", str(secret), "--endpoint", "https://1.1.1.1", "--region", "eu-central-1",
        "--json",
    ).json  # fmt: skip
    assert (bucket["kind"], bucket["region"]) == ("s3", "eu-central-1")


def test_a_rehearsal_that_fails_shows_why(cli: Cli):
    of_main = ("main", "--partner", "Acme")
    cli.fine("sources", "pull", *of_main, "--url", "https://unresolved.invalid/feed.csv")
    found = cli("sources", "test", *of_main)
    assert found.code == 65
    assert re.search(r"^error +.*\(unresolved\)$", found.out, re.MULTILINE)
    assert cli("sources", "test", *of_main, "--json").json["error"]["code"] == "unresolved"


def test_past_files_are_planned_loaded_and_cancelled(cli: Cli):
    server = MemoryFetcher({}, users={"anna": "s3cret"})
    assert cli.commerce is not None
    commerce = Commerce(evolve(cli.commerce.context, s3=server, vault=MemoryVault()))
    commerce.sources.change("main", partner="Acme", snapshot_pattern="{YYYY}-{MM}-{DD}.csv")
    commerce.pulls.set("main", "s3://shelf/out/", partner="Acme", username="anna", secret="s3cret")
    for name in ("2026-01-02.csv", "2026-01-01.csv", "2025-12-31.csv", "2026-01-03.csv.part"):
        server.put(f"old/{name}", b"sku\nA\n", etag='"1"')
    own, of_main = Cli(commerce), ("main", "--partner", "Acme", "--url", "s3://shelf/old/")
    shown = own.fine("sources", "backfill", *of_main, "--from", "2026-01-01", "--plan")
    lines = [re.sub(" +", " ", line) for line in shown.out.splitlines()]
    assert "would take 2 files, 12 bytes" in lines
    assert "1 old/2026-01-01.csv, 6 bytes, 2026-01-01 00:00:00 UTC by its name" in lines
    before = (
        "2025-12-31 00:00:00 UTC by its name: Its snapshot is before the beginning of the range."
    )
    assert f"skip old/2025-12-31.csv, 6 bytes, {before}" in lines
    assert "last old/2026-01-02.csv, as of 2026-01-02 00:00:00 UTC" in lines
    assert "leave out --plan" in shown.err
    assert own.fine("sources", "fetches", "--json").out == ""
    made = own.fine("sources", "backfill", *of_main, "--from", "2026-01-01", "--json").json
    assert (made["cause"], made["status"]) == ("backfill", "queued")
    cancelled = own.fine("sources", "cancel", made["fetch_id"]).out
    assert re.search(r"^status +cancelled$", cancelled, re.MULTILINE)
    assert own("sources", "cancel", made["fetch_id"]).code == 73
    assert own("sources", "backfill", "main", "--partner", "Acme", "--url", "s3://b/").code == 65
