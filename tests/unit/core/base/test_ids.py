"""Identifiers: one spelling, sorted by creation, refused where they can't be one."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commerce_core.base.errors import NotFound
from commerce_core.base.ids import Kind, looks_like, mint, mint_block, parse

KINDS = get_args(Kind)
NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
BODY = "0199c2f4a1b07e3d8c215f60a9d2b4c7"

DAYS = (datetime(1970, 1, 1), datetime(9999, 12, 31))  # noqa: DTZ001 - the zone is given below
moments = st.datetimes(*DAYS, timezones=st.just(UTC))


def zeros(count: int) -> bytes:
    return bytes(count)


def ones(count: int) -> bytes:
    return b"\xff" * count


@pytest.mark.parametrize("kind", KINDS)
def test_a_minted_identifier_is_its_own_one_spelling(kind: Kind):
    made = mint(kind, NOW, ones)
    assert parse(kind, made) == made
    assert parse(kind, f"  {made.upper()}\n") == made
    assert looks_like(kind, made)


@given(moments, moments)
def test_identifiers_of_later_microseconds_sort_later(one: datetime, other: datetime):
    one, other = sorted((one, other))
    if other > one:
        assert mint("job", one, ones) < mint("job", other, zeros)


@given(moments)
def test_the_first_twelve_digits_are_the_milliseconds_exactly(at: datetime):
    at = at.replace(microsecond=at.microsecond // 1000 * 1000)
    digits = mint("job", at, zeros).removeprefix("job_")[:12]
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    assert epoch + timedelta(milliseconds=int(digits, 16)) == at


def test_a_block_numbers_consecutive_identifiers():
    block = mint_block("prod", NOW, ones)
    assert list(itertools.islice(block, 3)) == [block[0], block[1], block[2]]
    assert [block[n] for n in range(300)] == sorted(block[n] for n in range(300))
    assert parse("prod", block[2**32 - 1]) == block[2**32 - 1]
    assert block[7] == f"prod_{block.stem}00000007"


@pytest.mark.parametrize("number", [-1, 2**32])
def test_a_block_has_no_number_outside_of_it(number: int):
    with pytest.raises(IndexError):
        mint_block("prod", NOW, zeros)[number]


@pytest.mark.parametrize(
    "text",
    [
        "", "_", "prod", "prod_", BODY, f"job_{BODY}", f"prod_{BODY[:-1]}", f"prod_{BODY}0",
        f"prod_{BODY[:-1]}g", f"prod_{BODY[:-1]}\0", f"prod_{BODY[:-1]}０", f"prod-{BODY}",
        f"prod__{BODY}", f"prod_{BODY[:16]} {BODY[16:]}", "prod_" + "0" * 100_000, "\ud800",
        f"prod_{BODY[:-1]}\n",
    ],
)  # fmt: skip
def test_other_texts_are_not_found_and_the_kind_is_named(text: str):
    assert not looks_like("prod", text)
    with pytest.raises(NotFound) as refused:
        parse("prod", text)
    assert refused.value.code == "malformed_id"
    assert "product" in str(refused.value)
    assert len(str(refused.value)) < 700


@given(st.sampled_from(KINDS), st.text())
def test_any_text_is_an_identifier_or_not_found(kind: Kind, text: str):
    if looks_like(kind, text):
        assert parse(kind, text).isascii()
    else:
        with pytest.raises(NotFound):
            parse(kind, text)
