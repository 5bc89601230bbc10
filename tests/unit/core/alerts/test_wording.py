"""Mails are plain and short: what, since when, effect, what to do, and where."""

import json
from datetime import timedelta
from decimal import Decimal

import pytest
from attrs import evolve

from commerce_core.activity.inbox import ITEM_KINDS, DailySales
from commerce_core.alerts.alert import (
    LONGEST_REASON,
    LONGEST_TITLE,
    MOST_ENTRIES,
    SCHEDULE,
    Alert,
    entry_of,
    highest,
    listed,
)
from commerce_core.alerts.wording import (
    LONGEST_SUBJECT,
    WHAT_TO_DO,
    body_of,
    no_link,
    subject_of,
    text_of,
)
from entrypoints.links import links_under
from tests.contracts.alerts_contract import ITEM
from tests.contracts.samples import DAY, MINUTE, T0

ENTRY = entry_of(ITEM, "new")
ALERT = Alert(
    alert_id="alrt_1", channel_id="chan_1", partner_id=None, severity="warning", entries=(ENTRY,),
    created_at=T0, due_at=T0,
)  # fmt: skip
LINK = links_under("https://commerce.example.com/")


def test_a_mail_says_what_happened_since_when_its_effect_and_what_to_do():
    assert subject_of(ALERT) == "[warning] prices.csv is held (Acme)"
    assert text_of(ALERT, LINK) == (
        "prices.csv is held (Acme)\n"
        "  severity    warning\n"
        "  since       2026-01-01 12:00 UTC\n"
        "  last        2026-01-01 12:01 UTC\n"
        "  effect      108 products\n"
        "  reason      Too many removals.\n"
        "  what to do  Look at its plan, then approve or reject it.\n"
        "  https://commerce.example.com/feeds/feed_1\n"
        "\n"
        "A cause that is acknowledged or snoozed in the inbox sends no further messages.\n"
        "Channel chan_1, message alrt_1.\n"
    )
    assert "https" not in text_of(ALERT, no_link)


def test_a_partner_that_the_title_names_is_named_once():
    entry = evolve(ENTRY, title="Acme: main is late by 3 hours")
    alert = evolve(ALERT, entries=(entry,))
    assert subject_of(alert) == "[warning] Acme: main is late by 3 hours"
    assert text_of(alert, LINK).startswith("Acme: main is late by 3 hours\n")


def test_what_the_partner_sells_a_day_is_part_of_the_effect():
    sales = (DailySales("EUR", Decimal("1250.50")), DailySales("USD", Decimal(9)))
    selling = evolve(ALERT, entries=(evolve(ENTRY, a_day=sales),))
    effect = "effect      108 products; the partner sells 1,250.50 EUR and 9 USD a day\n"
    assert effect in text_of(selling, LINK)
    (cause,) = json.loads(body_of(selling, LINK))["data"]["causes"]
    assert cause["a_day"][0] == {"currency": "EUR", "amount": "1250.50"}


def test_one_that_is_over_says_only_that():
    over = evolve(ALERT, entries=(evolve(ENTRY, phase="over"),))
    assert subject_of(over) == "[warning] Over: prices.csv is held (Acme)"
    assert "what to do" not in text_of(over, LINK)


def test_the_number_of_causes_is_in_the_subject():
    many = evolve(ALERT, entries=(evolve(ENTRY, phase="grown"), ENTRY), more=1_000)
    assert subject_of(many) == "[warning] Still open: prices.csv is held (Acme), and 1,001 more"
    assert "1,000 more causes are in the inbox." in text_of(many, LINK)


def test_a_webhook_gets_the_same_as_text_and_as_data():
    """`text` is what chat systems show."""
    body = json.loads(body_of(evolve(ALERT, test=True), LINK))
    assert (body["type"], body["test"]) == ("alert.test", True)
    assert body["text"].startswith("[warning] Test: prices.csv is held (Acme)\n\nThis is a test")
    (cause,) = body["data"]["causes"]
    assert cause["url"] == "https://commerce.example.com/feeds/feed_1"
    assert (cause["phase"], cause["since"], cause["products"]) == (
        "new",
        "2026-01-01T12:00:00Z",
        108,
    )
    assert "test" not in json.loads(body_of(ALERT, LINK))


@pytest.mark.parametrize(
    "text", ["a\r\nBcc: thief@example.com", "a\nb", "\u202eevil", "a\0b", "\x1b[31m"]
)
def test_names_that_others_chose_become_one_line_without_controls(text: str):
    """File names and partners are others' texts."""
    entry = entry_of(evolve(ITEM, title=text, reason=text, partner_name=text), "new")
    for made in (entry.title, entry.reason, entry.partner_name):
        assert made.isprintable()
    alert = evolve(ALERT, entries=(entry,))
    assert subject_of(alert).isprintable()
    assert all(line.isprintable() for line in text_of(alert, LINK).split("\n"))


def test_texts_have_limits():
    long = entry_of(evolve(ITEM, title="t" * 9_999, reason="r" * 9_999), "new")
    assert (len(long.title), len(long.reason)) == (LONGEST_TITLE, LONGEST_REASON)
    assert len(subject_of(evolve(ALERT, entries=(long,), more=10**9))) <= LONGEST_SUBJECT
    exact = entry_of(evolve(ITEM, title="t" * LONGEST_TITLE), "new")
    assert exact.title == "t" * LONGEST_TITLE


def test_a_message_lists_the_most_severe_first_and_counts_the_rest():
    low = [evolve(ENTRY, cause_id=f"{n:04}", severity="info") for n in range(MOST_ENTRIES)]
    high = evolve(ENTRY, severity="critical")
    entries, more = listed([*low, high])
    assert (entries[0], len(entries), more) == (high, MOST_ENTRIES, 1)
    assert listed(low)[1] == 0
    assert (highest([*low, high]), highest(low)) == ("critical", "info")


def test_every_kind_of_cause_has_something_to_do():
    assert set(WHAT_TO_DO) == set(ITEM_KINDS)


def test_an_alert_is_tried_for_most_of_a_day():
    """Each time later; the last failure is the end."""
    pauses, alert = [], ALERT
    while alert.status == "pending":
        alert = evolve(alert, attempts=alert.attempts + 1).not_sent(T0, "cut_off")
        if alert.due_at is not None:
            pauses.append(alert.due_at - T0)
    assert pauses == list(SCHEDULE[1:])
    assert pauses[0] == MINUTE
    assert timedelta(hours=12) <= sum(pauses, timedelta()) <= DAY
    assert (alert.status, alert.error, alert.next_at) == ("failed", "cut_off", None)
