"""Retention: which versions are deleted, and how requests for them are refused."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from attrs import evolve

from commerce_core.base.errors import Conflict, InvalidInput, Malformed
from commerce_core.commerce import Commerce
from commerce_core.work.attempt import MOST_CRASHED_ATTEMPTS
from commerce_core.work.task import CHORES, Task
from entrypoints.compose import open_platform
from entrypoints.settings import Settings

DAY = timedelta(days=1)


@pytest.fixture
def commerce() -> Iterator[Commerce]:
    """Three feeds of Acme, each of which changes a price."""
    with open_platform(Settings(database_url="memory:")) as commerce:
        commerce.partners.add("Acme", currency="EUR")
        for price in (10, 11, 12):
            send(commerce, price)
        yield commerce


def send(commerce: Commerce, price: int) -> str:
    content = f"sku,product_name,price\nA,Lamp,{price}\n".encode()
    return commerce.feeds.load(io.BytesIO(content), partner="Acme").feed_id


def keeping(commerce: Commerce, kept: timedelta | None, later: timedelta) -> Commerce:
    """The same platform with that setting, some time later."""
    clock = commerce.context.clock
    return Commerce(evolve(commerce.context, history_kept=kept, clock=lambda: clock() + later))


def versions(commerce: Commerce) -> list[int]:
    product = commerce.products.get(partner="Acme", sku="A")
    return [revision.version for revision in commerce.history.revisions(product.product_id)]


def test_everything_is_kept_by_default(commerce: Commerce):
    assert keeping(commerce, None, 9999 * DAY).history.forget_old() == 0
    assert versions(commerce) == [3, 2, 1]


def test_versions_are_forgotten_once_they_were_replaced_long_enough_ago(commerce: Commerce):
    """The live version stays, however old it is."""
    assert keeping(commerce, 30 * DAY, 29 * DAY).history.forget_old() == 0
    assert keeping(commerce, 30 * DAY, 31 * DAY).history.forget_old() == 2
    assert versions(commerce) == [3]
    assert keeping(commerce, 30 * DAY, 32 * DAY).history.forget_old() == 0


def test_a_cursor_from_before_is_refused_with_the_place_to_start_again(commerce: Commerce):
    """So is no cursor, for the stream from the beginning would lack something."""
    first = commerce.history.page_changes(limit=1).next_cursor
    last = commerce.history.page_changes(limit=100).next_cursor
    keeping(commerce, 30 * DAY, 31 * DAY).history.forget_old()
    for cursor in (None, first):
        with pytest.raises(Malformed, match="again with an export") as refused:
            commerce.history.page_changes(cursor=cursor)
        assert refused.value.code == "cursor_expired"
    assert commerce.history.page_changes(cursor=last).items == ()
    latest = commerce.history.page_changes(cursor="latest").next_cursor
    send(commerce, 13)
    assert [change.version for change in commerce.history.changes(cursor=latest)] == [4]


def test_moments_from_before_are_refused(commerce: Commerce):
    """Of one product and of all; any moment since is known."""
    before = datetime.now(UTC)
    send(commerce, 14)
    send(commerce, 15)
    keeping(commerce, 30 * DAY, 31 * DAY).history.forget_old()
    for ask in (
        lambda: commerce.products.get(partner="Acme", sku="A", as_of=before),
        lambda: commerce.products.page(as_of=before),
    ):
        with pytest.raises(InvalidInput) as refused:
            ask()
        assert refused.value.code == "history_forgotten"
    assert len(commerce.products.page(as_of=datetime.now(UTC)).items) == 1


def test_a_feed_whose_history_was_deleted_cannot_be_reverted(commerce: Commerce):
    """A revert is refused whose former versions may be gone."""
    old = send(commerce, 16)
    keeping(commerce, 30 * DAY, 31 * DAY).history.forget_old()
    with pytest.raises(Conflict) as refused:
        commerce.reverts.plan(old)
    assert refused.value.code == "history_forgotten"
    new = send(commerce, 17)
    assert commerce.reverts.plan(new).updated == 1


def test_a_chore_forgets_what_is_old(commerce: Commerce):
    later = keeping(commerce, 30 * DAY, 31 * DAY)
    later.queue.add_chores()
    while task := later.queue.claim("chores"):
        assert isinstance(task, Task)
        later.queue.perform(task)
    assert versions(commerce) == [3]


def test_a_chore_that_crashed_its_workers_waits_for_its_next_period(commerce: Commerce):
    commerce.queue.add_chores()
    task = commerce.queue.claim("chores")
    assert isinstance(task, Task)
    assert commerce.queue.perform(evolve(task, crashed_attempts=MOST_CRASHED_ATTEMPTS)) is None
    with commerce.context.store.begin() as unit:
        waiting = unit.tasks.find(task.kind)
    assert waiting
    assert (waiting.status, waiting.due_at) == ("queued", task.due_at + CHORES[task.kind])
