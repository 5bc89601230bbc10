"""When a delivery is tried again, and when no more."""

from datetime import UTC, datetime, timedelta

import pytest
from attrs import evolve

from commerce_core.webhooks.delivery import (
    JITTER,
    KEPT_ANSWER,
    LONGEST_RETRY_AFTER,
    SCHEDULE,
    Claimed,
    Delivery,
    Reply,
    judge,
    redelivered,
)
from commerce_core.webhooks.subscription import DISABLED_AFTER, Webhook

NOW = datetime(2026, 6, 17, 4, tzinfo=UTC)
WEBHOOK = Webhook(
    webhook_id="hook_1", partner_id=None, url="https://a.example", created_at=NOW, updated_at=NOW
)
DELIVERY = Delivery(
    delivery_id="dlv_1", webhook_id="hook_1", partner_id=None, event_id="evt_1", sequence=1,
    kind="feed.applied", subject="feed_1", status="sending", created_at=NOW, due_at=NOW,
)  # fmt: skip


def reply(**changes: object) -> Reply:
    return evolve(Reply(at=NOW, http_status=500, seconds={"wait": 0.2}), **changes)


def tried(times: int, answer: Reply, chance: float = 0, webhook: Webhook = WEBHOOK) -> timedelta:
    """The pause after so many tries with that reply."""
    delivery = evolve(DELIVERY, attempts=times - 1)
    next_at = judge(Claimed(delivery, webhook, None), answer, chance).tried.next_at
    assert next_at is not None
    return next_at - NOW


def test_tries_follow_the_schedule():
    """0 s, 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 10 h; then the delivery has failed."""
    pauses = [tried(n, reply()).total_seconds() for n in range(1, len(SCHEDULE))]
    assert pauses == [5, 300, 1800, 7200, 18_000, 36_000, 36_000]
    last = judge(Claimed(evolve(DELIVERY, attempts=7), WEBHOOK, None), reply(), 0)
    assert (last.delivery.status, last.tried.next_at, last.delivery.finished_at) == (
        "failed",
        None,
        NOW,
    )


def test_pauses_are_longer_by_chance():
    assert tried(2, reply(), 1) == timedelta(minutes=5) * (1 + JITTER)


@pytest.mark.parametrize(
    "text",
    [
        "", "soon", "-5", "1.5", "1e9", "0x10", "٣", "12, 13", "Wed, 17 Jun 2026 04:00:00 -0000",
        "Wed, 17 Jun 2026 04:00:00 +99999999", "Wed, 99 Jun 99999 99:99:99 GMT", "9" * 5_000 + "x",
        "Thu, 01 Jan 1970 00:00:00 GMT", "\x00", "GMT GMT GMT",
    ],
)  # fmt: skip
def test_a_retry_after_that_is_none_changes_nothing(text: str):
    assert tried(1, reply(retry_after=text)) == SCHEDULE[1]


@pytest.mark.parametrize("text", ["9" * 5_000, "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_retry_after_of_years_is_a_day(text: str):
    assert tried(1, reply(retry_after=text)) == LONGEST_RETRY_AFTER


def test_a_redelivery_begins_the_schedule_again():
    again = redelivered(evolve(DELIVERY, attempts=8, status="failed"), NOW)
    judged = judge(Claimed(again, WEBHOOK, None), reply(), 0)
    assert (judged.tried.number, judged.tried.next_at) == (9, NOW + SCHEDULE[1])


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_every_2xx_confirms(status: int):
    judged = judge(Claimed(DELIVERY, WEBHOOK, None), reply(http_status=status), 0)
    assert (judged.delivery.status, judged.tried.error) == ("delivered", None)


@pytest.mark.parametrize(
    ("status", "code"), [(302, "redirect"), (404, "refused"), (100, "refused")]
)
def test_anything_else_is_a_failure_with_a_code(status: int, code: str):
    judged = judge(Claimed(DELIVERY, WEBHOOK, None), reply(http_status=status), 0)
    assert (judged.delivery.status, judged.tried.error) == ("pending", code)


def test_a_2xx_whose_body_was_cut_is_a_failure():
    """Without its end, nobody knows whether the receiver has the message."""
    judged = judge(Claimed(DELIVERY, WEBHOOK, None), reply(http_status=200, error="cut_off"), 0)
    assert judged.delivery.status == "pending"


@pytest.mark.parametrize(
    ("text", "pause"),
    [
        ("120", timedelta(seconds=120)),
        ("Wed, 17 Jun 2026 05:00:00 GMT", timedelta(hours=1)),
        ("999999999", LONGEST_RETRY_AFTER),
        ("9" * 400, LONGEST_RETRY_AFTER),
        ("Fri, 17 Jun 2033 05:00:00 GMT", LONGEST_RETRY_AFTER),
        ("3", SCHEDULE[1]),
        ("Wed, 17 Jun 2026 03:00:00 GMT", SCHEDULE[1]),
        ("Wed, 17 Jun 2026 05:00:00", SCHEDULE[1]),
        ("-5", SCHEDULE[1]),
        ("soon", SCHEDULE[1]),
        ("²", SCHEDULE[1]),
        ("", SCHEDULE[1]),
    ],
)
def test_retry_after_lengthens_the_pause(text: str, pause: timedelta):
    assert tried(1, reply(http_status=503, retry_after=text)) == pause


def test_410_ends_it_all():
    judged = judge(Claimed(DELIVERY, WEBHOOK, None), reply(http_status=410), 0)
    assert (judged.delivery.status, judged.disables) == ("missed", "gone")


def test_five_days_of_failures_disable_the_webhook():
    """Not a moment earlier; a success doesn't, however long it failed before."""
    failing = evolve(WEBHOOK, failing_since=NOW - DISABLED_AFTER + timedelta(seconds=1))
    assert judge(Claimed(DELIVERY, failing, None), reply(), 0).disables is None
    dead = evolve(WEBHOOK, failing_since=NOW - DISABLED_AFTER)
    assert judge(Claimed(DELIVERY, dead, None), reply(), 0).disables == "failing"
    assert judge(Claimed(DELIVERY, dead, None), reply(http_status=200), 0).disables is None


def test_the_log_keeps_the_beginning_of_an_answer_as_text():
    answer = "é".encode() * KEPT_ANSWER + b"\0"
    kept = judge(Claimed(DELIVERY, WEBHOOK, None), reply(answer=answer), 0).tried.answer
    assert kept == "é" * (KEPT_ANSWER // 2)
    odd = judge(Claimed(DELIVERY, WEBHOOK, None), reply(answer=b"\xff\0ok"), 0).tried.answer
    assert odd == "\ufffd\ufffdok"
