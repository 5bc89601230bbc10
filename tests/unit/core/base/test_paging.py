"""Pages and cursors: what one wrote it can read, and anything else is Malformed."""

import json
from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commerce_core.base.errors import Malformed
from commerce_core.base.paging import (
    DEFAULT_LIMIT,
    LARGEST_LIMIT,
    Page,
    Position,
    check_limit,
    every,
    read_cursor,
    write_cursor,
)
from commerce_core.catalog.product import ProductQuery

QUERY = ProductQuery()
storable = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)
positions = st.builds(Position, st.none() | storable, storable)


def encode(value: object) -> str:
    return urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).decode().rstrip("=")


def fingerprint() -> str:
    """What a client can find out by decoding a cursor it was given."""
    from base64 import urlsafe_b64decode

    cursor = write_cursor(QUERY, Position(None, "x")) or ""
    return json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))[0]


def refusal(cursor: str, query: object = QUERY) -> str:
    with pytest.raises(Malformed) as refused:
        read_cursor(query, cursor)
    assert [fault.pointer for fault in refused.value.faults] == ["/cursor"]
    assert [fault.code for fault in refused.value.faults] == ["bad_cursor"]
    return str(refused.value)


@given(positions)
def test_a_cursor_has_the_position_where_the_page_ended(position: Position):
    cursor = write_cursor(QUERY, position)
    assert cursor is not None
    assert cursor.isascii()
    assert read_cursor(QUERY, cursor) == position


def test_the_end_of_a_list_has_no_cursor_and_no_cursor_is_its_beginning():
    assert write_cursor(QUERY, None) is None
    assert read_cursor(QUERY, None) is None


@pytest.mark.parametrize(
    "other",
    [
        ProductQuery(partner_id="p"),
        ProductQuery(sort_by="price"),
        ProductQuery(order="desc"),
        ProductQuery(skus=("A",)),
        ("products", QUERY),
        None,
    ],
)
def test_a_cursor_is_bound_to_its_question(other: object):
    cursor = write_cursor(QUERY, Position("1", "x"))
    assert cursor
    assert "other filters" in refusal(cursor, other)


@given(positions, st.data())
def test_a_cursor_with_one_character_changed_or_lost_is_refused(
    position: Position, data: st.DataObject
):
    cursor = write_cursor(QUERY, position) or ""
    at = data.draw(st.integers(0, len(cursor) - 1))
    new = data.draw(
        st.sampled_from(["", "A", "z", "0", "-", "=", "!", " ", "\n", "é", "\0", "\ud800"])
    )
    changed = cursor[:at] + new + cursor[at + 1 :]
    try:
        found = read_cursor(QUERY, changed)
    except Malformed:
        return
    # What is read after all is the one spelling of another position, which a client may well ask.
    assert write_cursor(QUERY, found) == changed


@given(st.text())
def test_no_text_raises_anything_but_malformed(text: str):
    refusal(text)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists))
def test_no_json_raises_anything_but_malformed(value: object):
    refusal(encode(value))


@pytest.mark.parametrize(
    "text",
    [
        "", "=", "A", "AA", "AAAA", "A" * 2_000, "A" * 2_001, "A" * 10_000_000, "\0", "％", "null",
        urlsafe_b64encode(b"[" * 1_500).decode(),
        urlsafe_b64encode(b'{"a":' * 290).decode(),
        urlsafe_b64encode(b"[" + b"9" * 1_400 + b",null,null]").decode(),
        urlsafe_b64encode(b"\xff\xfe\xfd").decode(),
        urlsafe_b64encode('["ab","c","d"]'.encode("utf-16")).decode(),
        encode("abc"), encode({"a": 1, "b": 2, "c": 3}), encode([1, 2]), encode([None, None, None]),
    ],
)  # fmt: skip
def test_odd_texts_are_malformed(text: str):
    refusal(text)


@pytest.mark.parametrize(
    "rest",
    [
        [1, "id"], [[], "id"], [{}, "id"], ["v", None], ["v", 1], ["v", ["id"]], ["v"],
        ["v", "i", "d"],
        ["v\0", "id"], ["v", "i\0d"], ["\ud800", "id"], ["v", "\udfff"], [True, "id"], [1.5, "id"],
    ],
)  # fmt: skip
def test_a_forged_cursor_of_this_very_question_is_malformed(rest: list[object]):
    refusal(encode([fingerprint(), *rest]))


def test_a_cursor_has_one_spelling():
    cursor = write_cursor(QUERY, Position("1", "x")) or ""
    for other in (cursor + "=", cursor + "\n", " " + cursor, cursor[:4] + "!" + cursor[4:]):
        refusal(other)
    refusal(urlsafe_b64encode(json.dumps([fingerprint(), "1", "x"]).encode()).decode())


@pytest.mark.parametrize("limit", [1, DEFAULT_LIMIT, LARGEST_LIMIT])
def test_a_page_may_be_so_long(limit: int):
    assert check_limit(limit) == limit


@pytest.mark.parametrize("limit", [-1, 0, LARGEST_LIMIT + 1, 10**30])
def test_a_page_may_not_be_so_long(limit: int):
    with pytest.raises(Malformed):
        check_limit(limit)


def numbers(count: int, limit: int):
    """A list of so many numbers, page by page, as a store would give it."""

    def page(after: Position | None) -> Page[int]:
        begin = 0 if after is None else int(after.id) + 1
        return Page.cut(
            range(begin, min(count, begin + limit + 1)), limit, lambda n: Position(None, str(n))
        )

    return page


@given(st.integers(0, 40), st.integers(1, 12))
def test_walking_a_list_gives_each_item_once_and_in_order(count: int, limit: int):
    assert list(every(numbers(count, limit))) == list(range(count))


def test_a_page_ends_where_nothing_follows():
    assert Page.cut([1, 2], 2, lambda n: Position(None, str(n))) == Page((1, 2), None)
    assert Page.cut([1, 2, 3], 2, lambda n: Position(None, str(n))).after == Position(None, "2")
    assert Page.cut([], 2, lambda n: Position(None, str(n))) == Page((), None)
