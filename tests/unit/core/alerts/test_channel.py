"""Channels are valid, or they don't exist; quiet hours follow the clock on the wall."""

from datetime import UTC, datetime
from typing import Any

import pytest
from attrs import evolve

from commerce_core.alerts.channel import (
    LONGEST_ADDRESS,
    LONGEST_DESCRIPTION,
    LONGEST_DIGEST,
    MOST_RECIPIENTS,
    SHORTEST_DIGEST,
    Channel,
    QuietHours,
    kinds_for,
)
from commerce_core.base.errors import Forbidden, InvalidInput
from commerce_core.partners.access import Principal, Scope
from tests.contracts.samples import T0

CHANNEL = Channel(
    channel_id="chan_1", partner_id=None, recipients=("ops@example.com",), created_at=T0,
    updated_at=T0,
)  # fmt: skip
LONG = "a" * 64 + "@" + ".".join(["b" * 63] * 2) + "."
"""193 characters; 61 more fit."""


@pytest.mark.parametrize(
    "changes",
    [
        {"recipients": ("o'hara+alerts@sub.example.com",)},
        {"recipients": (LONG + "c" * 58 + ".de",)},
        {"recipients": tuple(f"ops{n}@example.com" for n in range(MOST_RECIPIENTS))},
        {"recipients": (), "url": "https://example.com/"},
        {"digest_minutes": SHORTEST_DIGEST},
        {"digest_minutes": LONGEST_DIGEST},
        {"description": "d" * LONGEST_DESCRIPTION},
    ],
    ids=lambda changes: str(changes)[:40],
)
def test_a_channel_is_valid_up_to_its_limits(changes: dict[str, Any]):
    changed = evolve(CHANNEL, **changes)
    assert all(len(address) <= LONGEST_ADDRESS for address in changed.recipients)


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"recipients": ()}, "/recipients"),
        ({"url": "https://example.com/"}, "/recipients"),
        ({"recipients": (LONG + "c" * 59 + ".de",)}, "/recipients/0"),
        (
            {"recipients": tuple(f"ops{n}@example.com" for n in range(MOST_RECIPIENTS + 1))},
            "/recipients",
        ),
        ({"digest_minutes": SHORTEST_DIGEST - 1}, "/digest_minutes"),
        ({"digest_minutes": LONGEST_DIGEST + 1}, "/digest_minutes"),
        ({"description": "d" * (LONGEST_DESCRIPTION + 1)}, "/description"),
        ({"description": "\0"}, "/description"),
        ({"severities": ()}, "/severities"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_channel_beyond_them_is_refused(changes: dict[str, Any], pointer: str):
    with pytest.raises(InvalidInput) as refusal:
        evolve(CHANNEL, **changes)
    assert pointer in [fault.pointer for fault in refusal.value.faults]


@pytest.mark.parametrize(
    "address",
    [
        "", "ops", "ops@", "@example.com", "a@b@example.com", "ops@-example.com",
        "ops@example..com",
        "ops@example.com\n", "ops@example.com\r\nBcc: thief@example.com", "ops@exam ple.com",
        "Ops <ops@example.com>", "ops@example.com,thief@example.com", "ops@ex\u00e4mple.com",
        '"ops"@example.com', "ops@[127.0.0.1]", "\u202eops@example.com",
    ],
)  # fmt: skip
def test_an_address_that_could_be_more_than_one_is_refused(address: str):
    with pytest.raises(InvalidInput) as refusal:
        evolve(CHANNEL, recipients=(address,))
    assert refusal.value.faults[0].code == "bad_mail_address"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("hours", "quiet", "loud"),
    [
        (("22:00", "07:00", "UTC"), ["22:00", "23:59", "00:00", "06:59"], ["07:00", "21:59"]),
        (("12:00", "13:30", "UTC"), ["12:00", "13:29"], ["11:59", "13:30", "00:00"]),
        (("22:00", "07:00", "Europe/Berlin"), ["21:00", "05:59"], ["20:59", "06:00"]),
    ],
)
def test_quiet_hours_include_their_start_and_not_their_end(
    hours: tuple[str, str, str], quiet: list[str], loud: list[str]
):
    found = QuietHours(*hours)
    assert all(found.contain(at(f"2026-01-15T{time}")) for time in quiet)
    assert not any(found.contain(at(f"2026-01-15T{time}")) for time in loud)


def test_quiet_hours_follow_the_change_of_the_clock():
    """22:00 in Berlin is 20:00 UTC in summer, and 21:00 in winter."""
    hours = QuietHours("22:00", "07:00", "Europe/Berlin")
    assert hours.contain(at("2026-07-15T20:00"))
    assert not hours.contain(at("2026-01-15T20:00"))
    # The night in which two o'clock comes twice, and the one in which it doesn't come.
    assert all(hours.contain(at(f"2026-10-25T0{hour}:30")) for hour in range(6))
    assert not hours.contain(at("2026-10-25T06:00"))
    assert not hours.contain(at("2026-03-29T05:00"))


@pytest.mark.parametrize(
    ("hours", "pointer"),
    [
        (("24:00", "07:00", "UTC"), "/quiet_hours/start"),
        (("22:00", "7:00", "UTC"), "/quiet_hours/end"),
        (("22:00", "22:00", "UTC"), "/quiet_hours/end"),
        (("22:00", "07:00", "Berlin"), "/quiet_hours/time_zone"),
        (("22:00", "07:00", "../etc/passwd"), "/quiet_hours/time_zone"),
    ],
)
def test_quiet_hours_that_can_not_be_are_refused(hours: tuple[str, str, str], pointer: str):
    with pytest.raises(InvalidInput) as refusal:
        QuietHours(*hours)
    assert [fault.pointer for fault in refusal.value.faults] == [pointer]


def test_a_channel_gets_what_its_principal_may_see():
    """None of the kinds stands for all, so one that may see none is refused."""

    def principal(*scopes: Scope) -> Principal:
        return Principal("key", "ptn_1", frozenset(scopes))

    every = principal("feeds:read", "catalog:read", "money:read", "webhooks:read")
    assert kinds_for(every, ()) == ()
    assert kinds_for(every, ("webhook", "held", "held")) == ("held", "webhook")
    assert kinds_for(principal("catalog:read"), ()) == ("oversold",)
    with pytest.raises(Forbidden):
        kinds_for(principal("alerts:write"), ())
    with pytest.raises(Forbidden):
        kinds_for(principal("alerts:write"), ("held",))
