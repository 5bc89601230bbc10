"""The lane of webhooks, on a platform in memory whose receivers do as they are asked to."""

import threading
from collections import Counter
from collections.abc import Generator
from datetime import timedelta

import pytest

from commerce_core.activity.events import Event
from commerce_core.webhooks.delivery import DeliveryQuery, DeliveryStatus
from entrypoints import deliveries
from entrypoints.deliveries import MOST_TO_ONE, DeliveryLane
from tests.support.receivers import URL, Answer, Receivers, receivers
from tests.support.waiting import PATIENCE, pause, until

NUMBER = 40


@pytest.fixture
def world() -> Generator[Receivers]:
    with receivers() as made:
        yield made


def announce(world: Receivers, number: int = NUMBER) -> None:
    context = world.commerce.context
    with context.store.begin() as unit:
        unit.events.add(
            Event(context.mint("evt"), "order.created", context.clock(), (), {"order_id": f"o{n}"})
            for n in range(number)
        )


def count(world: Receivers, status: DeliveryStatus) -> int:
    page = world.commerce.webhooks.delivery_page(DeliveryQuery(status=status), count=True)
    return page.count or 0


class Working:
    """A lane that works in a thread while the context lasts."""

    def __init__(self, world: Receivers) -> None:
        self.stopping = threading.Event()
        self.lane = DeliveryLane(world.commerce, timedelta(seconds=0.01), self.stopping)

    def __enter__(self) -> None:
        self.lane.start()

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self.lane.wake()
        self.lane.join(PATIENCE)


def test_all_that_is_due_is_sent_once(world: Receivers):
    for n in range(3):
        world.commerce.webhooks.add(f"{URL}/{n}")
    announce(world)
    with Working(world):
        until(lambda: count(world, "delivered") == 3 * NUMBER)
    sent = Counter((r.url, r.headers["webhook-id"]) for r in world.web.requests)
    assert (len(sent), max(sent.values())) == (3 * NUMBER, 1)


def test_a_receiver_never_gets_more_messages_at_once_than_the_limit(world: Receivers):
    world.commerce.webhooks.add(URL)
    lock, now, most = threading.Lock(), [0], [0]

    def answer() -> Answer:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        pause(0.003)
        with lock:
            now[0] -= 1
        return 204, {}, b""

    world.answers[URL] = answer
    announce(world, 10 * NUMBER)
    with Working(world):
        until(lambda: count(world, "delivered") == 10 * NUMBER)
    assert most[0] <= MOST_TO_ONE


def test_a_run_ends_at_its_first_failure_and_the_rest_is_given_back(world: Receivers):
    """A receiver that breaks down isn't called with all that was claimed while it was fast."""
    world.commerce.webhooks.add(URL)
    answered = [0]

    def answer() -> Answer:
        answered[0] += 1
        return (204 if answered[0] <= 1 else 503), {}, b""

    world.answers[URL] = answer
    announce(world, 10 * NUMBER)
    with Working(world):
        until(lambda: answered[0] > 1 and not count(world, "sending"))
    assert answered[0] <= 2 + MOST_TO_ONE
    assert count(world, "delivered") == 1
    assert count(world, "pending") == 10 * NUMBER - 1
    tried = [d for d in world.commerce.webhooks.deliveries() if d.attempts]
    assert len(tried) == answered[0]


def test_what_waits_for_a_thread_is_given_back_when_the_worker_stops(world: Receivers):
    world.commerce.webhooks.add(URL)
    hangs, free = threading.Event(), threading.Event()
    answered = [0]

    def answer() -> Answer:
        answered[0] += 1
        if answered[0] > 1:
            hangs.set()
            free.wait(PATIENCE)
        return 204, {}, b""

    world.answers[URL] = answer
    announce(world)
    working = Working(world)
    with working:
        assert hangs.wait(PATIENCE)
        working.stopping.set()
        free.set()
    assert not count(world, "sending")
    assert count(world, "delivered") == answered[0]
    assert count(world, "pending") == NUMBER - answered[0]


def test_the_lane_rests_so_long_that_it_takes_no_more_than_its_share(world: Receivers):
    """Half a second of work within half a second asks for a rest of a third."""
    lane = DeliveryLane(world.commerce, timedelta(seconds=1), threading.Event())
    lane._busy.extend([0.2, 0.2])
    assert lane._rest(0.5, 0.1) == pytest.approx(0.5 / deliveries.SHARE - 0.5)
    assert lane._rest(0.5, 0.1) == deliveries.ROUND.total_seconds()
