"""Backfills: the files that a folder has already, in the order of their snapshots, each once."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from attrs import evolve

from adapters.memory.fetcher import MemoryFetcher
from adapters.memory.vault import MemoryVault
from commerce_core.base.errors import Conflict, Forbidden, InvalidInput, NotFound, RunLost
from commerce_core.commerce import Commerce
from commerce_core.feeds import backfill as backfills
from commerce_core.feeds.backfill import Backfill, BackfillPlan
from commerce_core.feeds.place import HttpsPlace
from commerce_core.feeds.pull import MOST_TRIES, Fetch
from commerce_core.feeds.remote_file import SETTLE
from commerce_core.partners.access import Principal
from commerce_core.usecases.fetching import backfilling, folders
from commerce_core.work.task import Task
from entrypoints.compose import open_platform
from entrypoints.settings import Settings
from tests.support.announcements import check_announced
from tests.support.pulled import FEED, HOUR, KEY, T0, PulledWorld, feed_of, pulled_world

DAY = timedelta(days=1)
ARCHIVE = Backfill("sftp://partner.example/archive/")


@pytest.fixture
def world() -> Iterator[PulledWorld]:
    with pulled_world() as made:
        made.commerce.sources.change(
            "main", partner="Acme", snapshot_pattern="{YYYY}-{MM}-{DD}.csv", run=True
        )
        yield made


def archive(world: PulledWorld, day: int, content: bytes | None = None) -> None:
    """Puts the file of a day of February into the archive, all of them with one time of change."""
    world.server.put(f"/archive/2026-02-{day:02}.csv", content or feed_of(day), T0 - HOUR)


def plan(world: PulledWorld, wanted: Backfill = ARCHIVE) -> BackfillPlan:
    return world.commerce.pulls.plan_backfill("main", wanted, partner="Acme")


def begin(world: PulledWorld, wanted: Backfill = ARCHIVE) -> Fetch:
    return world.commerce.pulls.backfill("main", wanted, partner="Acme")


def ended(world: PulledWorld, fetch: Fetch) -> Fetch:
    """What becomes of it, after as many looks as it takes."""
    for _ in range(MOST_TRIES):
        world.work()
        fetch = world.commerce.pulls.get_fetch(fetch.fetch_id)
        if fetch.outcome is not None:
            return fetch
        world.now[0] += SETTLE + timedelta(seconds=1)
    raise AssertionError(f"{fetch} has not ended")


def backfilled(world: PulledWorld, wanted: Backfill = ARCHIVE) -> Fetch:
    return ended(world, begin(world, wanted))


def moments(world: PulledWorld) -> list[datetime]:
    return [feed.snapshot_at for feed in world.feeds()]


def test_a_plan_shows_the_order_and_why_and_keeps_nothing(world: PulledWorld):
    for day in (3, 1, 2):
        archive(world, day)
    world.server.put("/archive/notes.txt", b"x", T0 - 99 * DAY)
    world.server.put("/archive/2026-02-04.csv.part", b"x", T0)
    found = plan(world)
    assert [file.path for file in found.files[:4]] == [
        "/archive/notes.txt", "/archive/2026-02-01.csv", "/archive/2026-02-02.csv",
        "/archive/2026-02-03.csv",
    ]  # fmt: skip
    assert [file.snapshot_basis for file in found.files] == [
        "modified", "name", "name", "name", "modified",
    ]  # fmt: skip
    assert (found.takes, found.waits, found.skips) == (4, 0, 1)
    assert found.files[-1].why == "Its name is that of a file which is still being sent, or hidden."
    assert found.bytes == 1 + 3 * len(feed_of(1))
    assert (found.mode, found.applies) == ("full", 1)
    assert [file.effect for file in found.files] == [*["overtaken"] * 3, "applies", None]
    assert (found.last_path, found.last_snapshot_at) == (
        "/archive/2026-02-03.csv", datetime(2026, 2, 3, tzinfo=T0.tzinfo),
    )  # fmt: skip
    assert (world.feeds(), list(world.commerce.pulls.fetches())) == ([], [])
    assert list(world.commerce.context.files.list("")) == []


def test_files_become_feeds_in_the_order_of_their_snapshots_and_with_them(world: PulledWorld):
    for day in (3, 1, 2):
        archive(world, day)
    fetch = backfilled(world)
    assert (fetch.cause, fetch.outcome, fetch.feeds) == ("backfill", "fetched", 3)
    assert fetch.backfill == ARCHIVE
    assert world.names() == [f"2026-02-0{day}.csv" for day in (1, 2, 3)]
    assert moments(world) == [datetime(2026, 2, day, tzinfo=T0.tzinfo) for day in (1, 2, 3)]
    (event,) = [e for e in world.commerce.events.list() if e.kind == "feed.backfilled"]
    assert (event.data["fetch_id"], event.data["feeds"]) == (fetch.fetch_id, 3)
    assert "feed.backfilled" in check_announced(world.commerce)
    actions = [entry.action for entry in world.commerce.audit.list()]
    assert actions[0] == "backfill.requested"


def test_files_without_a_moment_in_their_names_are_as_of_their_time_of_change(world: PulledWorld):
    """So an old file can't replace what a newer one contains, though it comes later."""
    world.server.put("/archive/old.csv", feed_of(1), T0 - 9 * DAY)
    world.server.put("/archive/ahead.csv", feed_of(2), T0 + 9 * DAY)
    backfilled(world)
    assert world.names() == ["old.csv", "ahead.csv"]
    old, ahead = world.feeds()
    assert old.snapshot_at == T0 - 9 * DAY
    assert T0 <= ahead.snapshot_at <= ahead.received_at


def test_an_archive_changes_nothing_that_a_newer_file_contains():
    """By the clock of this machine, which budgets of time go by."""
    server = MemoryFetcher({}, users={"anna": "s3cret"})
    with open_platform(Settings(database_url="memory:")) as platform:
        commerce = Commerce(evolve(platform.context, s3=server, vault=MemoryVault()))
        commerce.partners.add("Acme", currency="EUR")
        commerce.sources.change(
            "main", partner="Acme", mode="full", snapshot_pattern="{YYYY}-{MM}-{DD}.csv", run=True
        )
        commerce.pulls.set(
            "main", "s3://bucket/out/", partner="Acme", username="anna", secret="s3cret"
        )
        server.put("out/2026-03-01.csv", feed_of(99), T0, '"1"')
        commerce.pulls.fetch("main", partner="Acme")
        work(commerce)
        server.put("archive/2026-02-01.csv", feed_of(1), T0, '"2"')
        archive = Backfill("s3://bucket/archive/")
        found = commerce.pulls.plan_backfill("main", archive, partner="Acme")
        assert found.newest_full_at == datetime(2026, 3, 1, tzinfo=T0.tzinfo)
        assert (found.takes, found.applies) == (1, 0)
        commerce.pulls.backfill("main", archive, partner="Acme")
        work(commerce)
        (product,) = commerce.products.list()
        assert (product.price, len(list(commerce.feeds.list()))) == (Decimal("99.00"), 2)


def work(commerce: Commerce) -> None:
    """Fetches, and runs the jobs of what was fetched."""
    for lane in ("fetches", "feeds"):
        while (claimed := commerce.queue.claim(lane)) is not None:
            if isinstance(claimed, Task):
                commerce.queue.perform(claimed)
            else:
                commerce.queue.execute(claimed)


def test_only_a_range_of_snapshots_is_taken(world: PulledWorld):
    for day in range(1, 6):
        archive(world, day)
    first, end = (datetime(2026, 2, day, tzinfo=T0.tzinfo) for day in (2, 4))
    wanted = Backfill(ARCHIVE.url, None, first, end)
    found = plan(world, wanted)
    assert (found.takes, found.skips) == (2, 3)
    assert {file.why for file in found.files[2:]} == {
        "Its snapshot is before the beginning of the range.",
        "Its snapshot isn't before the end of the range.",
    }
    backfilled(world, wanted)
    assert world.names() == ["2026-02-02.csv", "2026-02-03.csv"]


def test_a_range_has_to_have_something_in_it():
    with pytest.raises(InvalidInput) as refusal:
        Backfill(None, None, T0, T0)
    assert refusal.value.faults[0].pointer == "/snapshot_to"


def test_a_time_in_the_future_is_none(world: PulledWorld):
    world.server.put("/archive/2027-01-01.csv", FEED, T0)
    found = plan(world)
    assert (found.takes, found.files[0].why) == (0, "The time in its name is in the future.")


def test_what_was_taken_is_not_taken_again(world: PulledWorld):
    for day in (1, 2):
        archive(world, day)
    backfilled(world)
    archive(world, 3)
    found = plan(world)
    assert (found.takes, found.skips) == (1, 2)
    assert backfilled(world).feeds == 1
    assert backfilled(world).outcome == "unchanged"
    assert len(world.feeds()) == 3


def test_the_same_bytes_as_the_file_before_make_no_feed(world: PulledWorld):
    for day, content in ((1, feed_of(1)), (2, feed_of(1)), (3, feed_of(2)), (4, feed_of(1))):
        archive(world, day, content)
    assert backfilled(world).feeds == 3
    assert world.names() == [f"2026-02-0{day}.csv" for day in (1, 3, 4)]


def test_the_next_fetch_compares_with_nothing_that_is_over(world: PulledWorld):
    """The file fetched before the backfill comes again: by then the catalog has another state."""
    world.put("a.csv", feed_of(1), 3 * HOUR)
    world.fetched()
    world.server.put("/archive/2026-03-02.csv", feed_of(2), T0)
    backfilled(world)
    world.put("b.csv", feed_of(1))
    assert world.fetched().outcome == "fetched"


def test_other_fetches_have_their_turn_meanwhile(
    world: PulledWorld, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(folders, "TURN", timedelta())
    for day in (1, 2, 3):
        archive(world, day)
    fetch = begin(world)
    one_turn(world)  # the first look at files that have to stay as they are
    world.now[0] += SETTLE + timedelta(seconds=1)
    one_turn(world)
    between = world.commerce.pulls.get_fetch(fetch.fetch_id)
    assert (between.status, between.feeds, between.waiting) == ("running", 1, 2)
    assert between.task_kind == "backfill"
    assert ended(world, fetch).feeds == 3
    assert world.names() == [f"2026-02-0{day}.csv" for day in (1, 2, 3)]


def one_turn(world: PulledWorld) -> None:
    task = world.commerce.queue.claim("fetches")
    assert isinstance(task, Task)
    world.commerce.queue.perform(task)


def test_turns_do_not_use_up_its_tries(world: PulledWorld, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(folders, "TURN", timedelta())
    for day in range(1, 3 * MOST_TRIES):
        archive(world, day)
    assert backfilled(world).feeds == 3 * MOST_TRIES - 1


def test_a_worker_killed_between_two_files_takes_none_twice(world: PulledWorld):
    """Nor does the next one compare the file after it with another than the one before it."""
    for day, content in ((1, feed_of(1)), (2, feed_of(2)), (3, feed_of(2)), (4, feed_of(1))):
        archive(world, day, content)
    fetch = begin(world)
    one_turn(world)
    world.now[0] += SETTLE + timedelta(seconds=1)
    world.server.before_read = lambda path: None if "03.csv" not in path else _killed()
    task = world.commerce.queue.claim("fetches")
    assert isinstance(task, Task)
    with pytest.raises(KeyboardInterrupt):
        world.commerce.queue.perform(task)
    world.server.before_read = lambda _: None
    world.now[0] += HOUR
    assert ended(world, fetch).feeds == 3
    assert world.names() == [f"2026-02-0{day}.csv" for day in (1, 2, 4)]


def _killed() -> None:
    raise KeyboardInterrupt


def test_a_cancelled_backfill_takes_nothing_more(world: PulledWorld):
    for day in (1, 2, 3):
        archive(world, day)
    fetch = begin(world)
    one_turn(world)
    world.now[0] += SETTLE + timedelta(seconds=1)

    def cancel(path: str) -> None:
        if "02.csv" in path:
            world.commerce.pulls.cancel(fetch.fetch_id)

    world.server.before_read = cancel
    with pytest.raises(RunLost):
        one_turn(world)
    found = world.commerce.pulls.get_fetch(fetch.fetch_id)
    assert (found.outcome, found.feeds, found.status) == ("cancelled", 1, "finished")
    assert found.finished_at is not None
    assert world.names() == ["2026-02-01.csv"]
    assert len(list(world.commerce.context.files.list("raw/"))) == 1
    assert world.commerce.queue.claim("fetches") is None
    world.server.before_read = lambda _: None
    assert backfilled(world).feeds == 2
    events = [
        e.data["outcome"] for e in world.commerce.events.list() if e.kind == "feed.backfilled"
    ]
    assert sorted(events) == ["cancelled", "fetched"]


def test_a_fetch_can_be_cancelled_before_it_begins_and_only_once(world: PulledWorld):
    fetch = world.commerce.pulls.fetch("main", partner="Acme")
    assert world.commerce.pulls.cancel(fetch.fetch_id).outcome == "cancelled"
    with pytest.raises(Conflict) as refusal:
        world.commerce.pulls.cancel(fetch.fetch_id)
    assert refusal.value.code == "fetch_finished"
    assert world.commerce.audit.list().__next__().action == "fetch.cancelled"
    world.commerce.pulls.fetch("main", partner="Acme")


def test_one_fetch_of_a_source_at_a_time_also_a_backfill(world: PulledWorld):
    begin(world)
    for again in (begin, lambda world: world.commerce.pulls.fetch("main", partner="Acme")):
        with pytest.raises(Conflict) as refusal:
            again(world)
        assert refusal.value.code == "fetch_under_way"


def test_only_what_the_secret_is_for_can_be_backfilled(world: PulledWorld):
    for url in (
        "sftp://other.example/archive/",
        "s3://bucket/archive/",
        "https://partner.example/",
    ):
        for act in (plan, begin):
            with pytest.raises(InvalidInput) as refusal:
                act(world, Backfill(url))
            assert refusal.value.faults[0].pointer in ("/url", "/host_key")


def test_one_file_can_be_named_though_the_source_has_a_pattern(world: PulledWorld):
    world.set(pattern="stock-*.csv")
    for day in (1, 2):
        archive(world, day)
    one = Backfill("sftp://partner.example/archive/2026-02-02.csv")
    assert (plan(world, one).takes, plan(world).takes) == (1, 0)
    assert backfilled(world, one).feeds == 1
    assert world.names() == ["2026-02-02.csv"]


@pytest.mark.parametrize(
    ("wanted", "pointer"),
    [(Backfill(""), "/url"), (Backfill(pattern=""), "/pattern"), (Backfill("a" * 5_000), "/url")],
)
def test_what_cannot_be_a_folder_is_refused(world: PulledWorld, wanted: Backfill, pointer: str):
    for act in (plan, begin):
        with pytest.raises(InvalidInput) as refusal:
            act(world, wanted)
        assert refusal.value.faults[0].pointer == pointer


def test_a_partner_that_may_no_longer_send_ends_a_backfill(world: PulledWorld):
    for day in (1, 2, 3):
        archive(world, day)

    def pause(path: str) -> None:
        if "02.csv" in path:
            world.commerce.partners.change("Acme", status="paused")

    world.server.before_read = pause
    fetch = backfilled(world)
    assert (fetch.outcome, fetch.feeds) == ("failed", 1)
    assert fetch.error is not None
    assert "active" in fetch.error.message
    assert len(list(world.commerce.context.files.list("raw/"))) == 1


def test_the_one_file_of_a_web_server_is_no_folder(world: PulledWorld):
    source_id = world.commerce.sources.get("main", partner="Acme").source_id
    with world.commerce.context.store.begin() as unit:
        found = unit.pulls.get(source_id)
        assert found is not None
        unit.pulls.put(evolve(found, place=HttpsPlace("https://partner.example/a.csv")))
    with pytest.raises(InvalidInput) as refusal:
        begin(world)
    assert refusal.value.faults[0].code == "no_folder"


def test_a_partner_cannot_backfill_or_cancel_for_another(world: PulledWorld):
    fetch = begin(world)
    other = world.commerce.partners.add("Other", currency="EUR").partner_id
    theirs = Commerce(
        world.commerce.context.acting_as(Principal("k", other, frozenset({"feeds:write"})))
    )
    for act in (
        lambda: theirs.pulls.cancel(fetch.fetch_id),
        lambda: theirs.pulls.plan_backfill("main", partner="Acme"),
        lambda: theirs.pulls.backfill("main", partner="Acme"),
    ):
        with pytest.raises((NotFound, Forbidden)):
            act()


@pytest.mark.parametrize("count", [2, 3])
def test_a_backfill_takes_a_limited_number_of_files(
    world: PulledWorld, monkeypatch: pytest.MonkeyPatch, count: int
):
    monkeypatch.setattr(folders, "MOST_BACKFILLED", 2)
    for day in range(1, count + 1):
        archive(world, day)
    if count == 2:
        assert (plan(world).takes, backfilled(world).feeds) == (2, 2)
        return
    with pytest.raises(Conflict) as refusal:
        plan(world)
    assert refusal.value.code == "too_many_files"
    fetch = begin(world)
    world.work()
    world.now[0] += HOUR
    world.work()
    failed = world.commerce.pulls.get_fetch(fetch.fetch_id)
    assert (failed.outcome, failed.error and failed.error.code) == ("failed", "too_many_files")
    assert world.feeds() == []


def test_a_plan_shows_a_limited_number_of_files(
    world: PulledWorld, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(backfilling, "MOST_PLANNED", 2)
    for day in (1, 2, 3):
        archive(world, day)
    found = plan(world)
    assert (found.takes, len(found.files)) == (3, 2)
    assert found.last_path == "/archive/2026-02-03.csv"


def test_a_server_that_cannot_be_listed_is_reported_by_the_plan(world: PulledWorld):
    world.server.users["anna"] = "changed"
    with pytest.raises(Conflict) as refusal:
        plan(world)
    assert refusal.value.code == "denied"
    fetch = backfilled(world)
    assert (fetch.outcome, fetch.error and fetch.error.code) == ("failed", "denied")


def test_the_settings_of_the_source_hold_for_its_own_folder(world: PulledWorld):
    world.set(marker="{name}.done", pattern="*.csv", host_key=KEY)
    world.put("2026-02-01.csv", feed_of(1))
    world.put("2026-02-01.csv.done", b"")
    world.put("2026-02-02.csv", feed_of(2))
    world.put("2026-02-03.txt", feed_of(2))
    found = plan(world, Backfill())
    assert (found.takes, found.waits, found.skips) == (1, 1, 1)
    fetch = backfilled(world, Backfill())
    assert (fetch.feeds, fetch.waiting) == (1, 1)
    assert backfilled(world, Backfill(pattern="*.txt")).waiting == 1


def test_keys_of_another_prefix_are_backfilled(world: PulledWorld):
    world.commerce.pulls.set(
        "main", "s3://bucket/out/", partner="Acme", username="anna", secret="s3cret"
    )
    for day in (2, 1):
        path = f"archive/2026-02-0{day}.csv"
        world.server.put(path, feed_of(day), T0 - HOUR, f'"{day}"')
    fetch = backfilled(world, Backfill("s3://bucket/archive/"))
    assert (fetch.feeds, fetch.tries) == (2, 1)
    assert world.names() == ["2026-02-01.csv", "2026-02-02.csv"]
    with pytest.raises(InvalidInput):
        plan(world, Backfill("s3://other/archive/"))


def test_repeated_with_its_key_it_is_done_once(world: PulledWorld):
    made = [
        world.commerce.pulls.backfill("main", ARCHIVE, partner="Acme", key="k") for _ in range(2)
    ]
    assert made[0] == made[1]


def test_the_limit_is_one_that_a_year_of_hours_fits_into():
    assert backfills.MOST_BACKFILLED >= 365 * 24
