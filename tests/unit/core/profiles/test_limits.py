"""Limits of profiles: on both sides, when one is saved and when it reads."""

import io
from zoneinfo import ZoneInfo

import pytest

from commerce_core.base.errors import FileRefused, InvalidInput
from commerce_core.parsing.reader import open_feed
from commerce_core.parsing.record_reader import Terms
from commerce_core.profiles import checks, limits
from commerce_core.profiles.limits import limit_faults, text_added
from commerce_core.profiles.patterns import MOST_STEPS
from commerce_core.profiles.presets import PRESET_PROFILES, in_full
from commerce_core.profiles.profile import Column, Group, Preset, Profile, Skip
from commerce_core.schema.fields import FIELDS

HEADERS = tuple(f"c{n}" for n in range(limits.MOST_HEADERS + 1))
WORD = "x" * limits.LONGEST_WORD
BEYOND = {
    "/columns/description/from": Profile(columns={"description": Column(HEADERS)}),
    "/columns/options/pairs": Profile(
        columns={"options": Column(pairs=tuple(zip(HEADERS, HEADERS, strict=True)))}
    ),
    "/columns/price/needs": Profile(columns={"price": Column(("a",), needs=HEADERS)}),
    "/columns/brand/values": Profile(
        columns={"brand": Column(("a",), values=dict.fromkeys(map(str, range(10_001)), ""))}
    ),
    "/columns/sku/pattern": Profile(columns={"sku": Column(("a",), pattern="(a+)+")}),
    "/identity": Profile(identity=("{a}",) * (limits.MOST_TEMPLATES + 1)),
    "/identity/0": Profile(identity=("{a}" * (limits.MOST_HEADERS + 1),)),
    "/skip/0/reason": Profile(skip=(Skip("a", ("b",), WORD + "x"),)),
    "/skip/0/column": Profile(skip=(Skip(WORD + "x", ("b",), "c"),)),
    "/group/key": Profile(group=Group(WORD + "x")),
    "/group/append": Profile(group=Group("a", append=WORD + "x")),
    "/skip": Profile(skip=(Skip("a", ("b",), "c"),) * (limits.MOST_SKIP_RULES + 1)),
    "/skip/0/words": Profile(skip=(Skip("a", ("b",) * (limits.MOST_WORDS + 1), "c"),)),
    "/group/carry": Profile(group=Group("a", carry=HEADERS)),
    "/group/offer": Profile(group=Group("a", offer=HEADERS)),
    "/columns/brand/join": Profile(columns={"brand": Column(("a",), join=WORD + "x")}),
    "/constants/brand": Profile(constants={"brand": WORD + "x"}),
    "": Profile(constants={"brand": WORD, "condition": WORD, "mpn": "x"}),
}


@pytest.mark.parametrize("pointer", BEYOND)
def test_what_is_beyond_a_limit_is_refused_when_saved_and_when_it_reads(pointer: str):
    profile = BEYOND[pointer]
    with pytest.raises(InvalidInput) as refused:
        checks.check(profile)
    assert pointer in {fault.pointer for fault in refused.value.faults}
    terms = Terms("delta", "EUR", ZoneInfo("UTC"), profile)
    with pytest.raises(FileRefused, match="profile can't be used") as read:
        open_feed(io.BytesIO(b"sku,a,c0,c1\n1,2,3,4\n"), terms)
    assert read.value.code == "bad_profile"


def test_a_column_is_joined_once():
    """Else a text could be many times as long as its record. Spelling doesn't matter."""
    joined = Profile(columns={"description": Column(("Text", "te xt"), join=" ")})
    paired = Profile(columns={"options": Column(pairs=(("=A", "Text"), ("=B", "text")))})
    templated = Profile(identity=("{A}-{Text}", "{Text}-{text}"))
    for profile in (joined, paired, templated):
        assert [fault.code for fault in limit_faults(profile)] == ["repeated_column"]
    first_of = Profile(columns={"description": Column(("Text", "text"))})
    assert not list(limit_faults(first_of))


def test_the_patterns_of_a_profile_take_no_more_steps_than_are_allowed_in_all():
    names = [field.name for field in FIELDS]

    def profile(count: int) -> Profile:
        patterns = {name: Column(("a",), pattern=f"(a{{{MOST_STEPS}}})") for name in names[:count]}
        return Profile(columns=patterns)

    most = limits.MOST_STEPS_IN_ALL // MOST_STEPS
    assert not list(limit_faults(profile(most)))
    [fault] = limit_faults(profile(most + 1))
    assert (fault.code, fault.detail) == (
        "bad_pattern", "Its patterns take 1,800 steps; at most 1,200 are allowed.",
    )  # fmt: skip


def test_a_profile_at_its_limits_is_taken():
    at_most = Profile(
        columns={
            "description": Column(HEADERS[1:], join="-"),
            "brand": Column(("a",), values=dict.fromkeys(map(str, range(limits.MOST_WORDS)), WORD)),
        },
        constants={"mpn": WORD},
        identity=("{a}",) * limits.MOST_TEMPLATES,
        skip=(Skip("a", ("b",), "c"),) * limits.MOST_SKIP_RULES,
        group=Group("a", HEADERS[1:], HEADERS[1:]),
    )
    checks.check(at_most)
    assert text_added(at_most) == len(WORD) + limits.MOST_HEADERS


@pytest.mark.parametrize("preset", PRESET_PROFILES)
def test_presets_are_far_within_the_limits(preset: Preset):
    profile = in_full(Profile(preset=preset))
    checks.check(profile)
    assert text_added(profile) < limits.MOST_ADDED / 10
