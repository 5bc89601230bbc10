"""Messages about buckets: which keys they report, in each way in which they come."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commerce_core.feeds.bucket_events import LONGEST_MESSAGE, NewKey, is_about, new_keys
from commerce_core.feeds.place import S3Place

PLACE = S3Place("s3://shelf/out/", pattern="*.csv")


def record(
    key: str, name: str = "ObjectCreated:Put", sequencer: str = "1", bucket: str = "shelf"
) -> dict[str, object]:
    return {
        "eventName": name,
        "s3": {"bucket": {"name": bucket}, "object": {"key": key, "sequencer": sequencer}},
    }


def event(*records: object) -> str:
    return json.dumps({"Records": list(records)})


def test_events_come_as_they_are_or_wrapped():
    plain = event(record("out/a.csv"))
    by_sns = json.dumps({"Type": "Notification", "Message": plain})
    detail = {"bucket": {"name": "shelf"}, "object": {"key": "out/a.csv", "sequencer": "1"}}
    by_bridge = json.dumps({"detail-type": "Object Created", "detail": detail})
    for body in (plain, by_sns, by_bridge, json.dumps({"Type": "Notification", "Message": by_sns})):
        assert new_keys(body) == (NewKey("shelf", "out/a.csv", "1"),)
        assert is_about(PLACE, body)


def test_keys_are_decoded_where_s3_encodes_them():
    assert new_keys(event(record("out/a+b%2Bc%C3%A9.csv")))[0].key == "out/a b+cé.csv"
    detail = {"bucket": {"name": "shelf"}, "object": {"key": "out/a+b.csv"}}
    by_bridge = json.dumps({"detail-type": "Object Created", "detail": detail})
    assert new_keys(by_bridge)[0].key == "out/a+b.csv"


@pytest.mark.parametrize("name", ["ObjectCreated:Copy", "s3:ObjectCreated:CompleteMultipartUpload"])
def test_each_way_of_creating_a_key_counts(name: str):
    assert is_about(PLACE, event(record("out/a.csv", name)))


def test_of_several_events_of_a_key_the_latest_counts():
    """Sequencers are padded on the left: a longer one is later."""
    keys = new_keys(event(*[record("k", sequencer=text) for text in ("FF", "0100", "9", "fe")]))
    assert keys == (NewKey("shelf", "k", "0100"),)


@pytest.mark.parametrize(
    "body",
    [
        event(record("out/a.csv", "ObjectRemoved:Delete")),
        event(record("out/a.csv", bucket="other")),
        event(record("other/a.csv")),
        event(record("out/a.txt")),
        event(record("out/")),
        json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "shelf"}),
        "", "{", "[]", "null", "7", "[" * 100_000, event(None, 7, {"eventName": 7}),
        event({"eventName": "ObjectCreated:Put", "s3": {"bucket": [], "object": {"key": 7}}}),
        json.dumps({"Records": "x"}), json.dumps({"Type": "Notification", "Message": 7}),
        " " * LONGEST_MESSAGE + event(record("out/a.csv")),
    ],
)  # fmt: skip
def test_other_messages_are_not_about_the_place(body: str):
    assert not is_about(PLACE, body)


def test_the_longest_message_is_read():
    body = event(record("out/a.csv"))
    assert is_about(PLACE, body.rjust(LONGEST_MESSAGE))


WORDS = st.sampled_from(["Records", "s3", "object", "key", "Message", "Type"])
CONTENT = st.recursive(
    st.none() | st.text() | st.integers(),
    lambda each: st.lists(each) | st.dictionaries(WORDS, each),
)


@given(CONTENT)
def test_no_message_is_an_error(content: object):
    is_about(PLACE, json.dumps(content))
