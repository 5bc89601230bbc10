"""Manifests: what a marker promises about its file."""

import json

import pytest

from commerce_core.base.errors import InvalidInput
from commerce_core.feeds.manifest import MOST_ROWS, Manifest, manifest_of

SUM = "ab" * 32


@pytest.mark.parametrize("content", [b"", b"done\n", b"\xff\xfe", b" \n"])
def test_a_marker_without_such_content_promises_nothing(content: bytes):
    assert manifest_of(content, "a.csv") == Manifest()


@pytest.mark.parametrize(
    "content",
    [
        {"name": "a.csv", "rows": 7, "sha256": SUM.upper()},
        {"rows": 7, "sha256": SUM},
        [{"name": "b.csv", "rows": 1}, {"name": "a.csv", "rows": 7, "sha256": SUM}],
        {"files": [{"name": "a.csv", "rows": 7, "sha256": SUM}], "version": 1},
    ],
)
def test_json_promises_rows_and_a_digest(content: object):
    text = b"\xef\xbb\xbf" + json.dumps(content).encode()
    assert manifest_of(text, "a.csv") == Manifest(7, SUM)


def test_each_promise_may_be_missing():
    assert manifest_of(b'{"rows": 0}', "a.csv") == Manifest(0, None)
    assert manifest_of(b"{}", "a.csv") == Manifest()


def test_lines_of_sha256sum_promise_a_digest():
    text = f"{'cd' * 32}  b.csv\n{SUM.upper()} *out/a.csv\n".encode()
    assert manifest_of(text, "a.csv") == Manifest(None, SUM)


@pytest.mark.parametrize(
    "content",
    [
        b"{", b"[" * 100_000, b'{"name": "b.csv"}', b"[]", b"[1]", b'{"rows": "7"}',
        b'{"rows": true}', b'{"rows": -1}', f'{{"rows": {MOST_ROWS + 1}}}'.encode(),
        b'{"rows": 1.0}', b'{"sha256": "ab"}', b'{"sha256": 7}', f"{SUM}  b.csv".encode(),
    ],
)  # fmt: skip
def test_what_promises_nothing_valid_about_the_file_is_refused(content: bytes):
    with pytest.raises(InvalidInput) as refusal:
        manifest_of(content, "a.csv")
    assert refusal.value.faults[0].code == "bad_manifest"


def test_the_largest_number_of_rows_is_taken():
    assert manifest_of(f'{{"rows": {MOST_ROWS}}}'.encode(), "a.csv").rows == MOST_ROWS
