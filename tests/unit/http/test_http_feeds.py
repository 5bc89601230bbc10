"""Feeds over HTTP: upload, list, raw bytes, new jobs."""

import asyncio
import hashlib
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from commerce_core.base.errors import InvalidInput
from entrypoints.http.kit.inputs import read_parts
from tests.unit.http.conftest import FEED, Api

BOUNDARY = "end-of-part"
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def test_an_upload_is_acknowledged_with_where_to_go_on(api: Api, acme: str):
    answer = api.upload(partner_name="acme")
    assert answer.status_code == 201
    receipt = answer.json()
    assert receipt["status"] == "queued"
    assert receipt["partner_id"] == acme
    assert receipt["sha256"] == hashlib.sha256(FEED).hexdigest()
    assert receipt["bytes"] == len(FEED)
    assert answer.headers["Location"] == receipt["links"]["feed"]
    assert api.get(receipt["links"]["job"]).json()["released"] is False
    feed = api.get(receipt["links"]["feed"]).json()
    assert feed["latest_job"]["job_id"] == receipt["job_id"]
    assert (feed["file_name"], feed["status"], feed["mode"]) == ("feed.csv", "received", "delta")


def test_every_option_of_a_feed_is_heeded(api: Api, acme: str):
    answer = api.upload(
        name="summer.csv",
        partner_id=acme,
        source="main",
        mode="full",
        run="true",
        snapshot_at="2026-06-17T14:00:00+02:00",
        expected_rows="3",
        sha256=hashlib.sha256(FEED).hexdigest(),
    )
    receipt = answer.json()
    assert api.get(receipt["links"]["job"]).json()["released"] is True
    feed = api.get(receipt["links"]["feed"]).json()
    assert feed["snapshot_at"] == "2026-06-17T12:00:00Z"
    assert (feed["mode"], feed["expected_rows"]) == ("full", 3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("form", "pointer", "code"),
    [
        ({}, "/partner_id", "required"),
        ({"partner_name": "Acme", "mode": "all"}, "/mode", "not_one_of"),
        ({"partner_name": "Acme", "run": "yes"}, "/run", "not_a_boolean"),
        ({"partner_name": "Acme", "snapshot_at": "yesterday"}, "/snapshot_at", "not_a_time"),
        (
            {"partner_name": "Acme", "expected_rows": "1_000"},
            "/expected_rows",
            "not_a_whole_number",
        ),
        ({"partner_name": "Acme", "sha256": "ab"}, "/sha256", "bad_sha256"),
        ({"partner_name": "Acme", "sha256": "0" * 64}, "/sha256", "digest_mismatch"),
        ({"partner_name": "Acme", "modes": "full"}, "/modes", "unknown_field"),
        ({"partner_name": "x" * 10_001}, "/partner_name", "too_long"),
    ],
)
def test_a_wrong_value_in_an_upload_is_reported_at_its_place(
    api: Api, acme: str, form: dict[str, str], pointer: str, code: str
):
    answer = api.upload(FEED, name="feed.csv", **form)
    assert answer.status_code == 422
    assert [(f["pointer"], f["code"]) for f in answer.json()["errors"]] == [(pointer, code)]
    assert api.get("/v1/feeds").json()["items"] == []
    assert list(api.commerce.context.files.list("")) == []


def test_a_file_of_no_bytes_is_refused(api: Api, acme: str):
    answer = api.upload(b"", partner_name="Acme")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["code"] == "empty_file"


def test_a_form_without_a_file_is_refused_and_so_is_a_text_in_its_place(api: Api, acme: str):
    missing = api.post("/v1/feeds/upload", content=_form(b"partner_name", b"Acme"), headers=FORM)
    assert [f["pointer"] for f in missing.json()["errors"]] == ["/file"]
    text = api.post("/v1/feeds/upload", content=_form(b"file", b"sku\nA"), headers=FORM)
    assert text.json()["errors"][0]["code"] == "not_a_file"


def test_an_unknown_partner_is_not_found_and_a_paused_one_sends_nothing(api: Api, acme: str):
    assert api.upload(partner_name="Nobody").status_code == 404
    assert api.upload(partner_id=f"ptn_{'0' * 32}").status_code == 404
    assert api.upload(partner_name="Acme", source="second").status_code == 404
    api.patch(f"/v1/partners/{acme}", {"status": "paused"})
    answer = api.upload(partner_name="Acme")
    assert (answer.status_code, answer.json()["code"]) == (409, "partner_not_active")
    assert list(api.commerce.context.files.list("")) == []


@pytest.mark.parametrize("size", [200_001, 3_000_000])
def test_a_file_beyond_the_limit_is_too_large_and_leaves_nothing(api: Api, acme: str, size: int):
    answer = api.upload(b"x" * size, partner_name="Acme")
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert list(api.commerce.context.files.list("")) == []


def test_a_file_at_the_limit_is_kept(api: Api, acme: str):
    assert api.upload(b"x" * 200_000, partner_name="Acme").status_code == 201


def test_an_upload_cut_off_half_way_leaves_nothing(api: Api, acme: str):
    content = _form(b"partner_name", b"Acme", end=b"") + _file_head() + FEED
    answer = api.post("/v1/feeds/upload", content=content, headers=FORM)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "bad_form")
    assert api.get("/v1/feeds").json()["items"] == []
    assert list(api.commerce.context.files.list("")) == []


@pytest.mark.parametrize("is_file", [True, False])
def test_memory_stays_flat_while_a_form_is_read(is_file: bool):
    """However long its file is, and however long what isn't a file."""
    head = _file_head() if is_file else _form(b"mode", b"", end=b"")[: -len(BOUNDARY) - 4]

    async def chunks() -> AsyncIterator[bytes]:
        yield head
        for _ in range(400):
            yield b"x" * 65_536
        yield b"\r\n--%b--\r\n" % BOUNDARY.encode()

    async def read() -> list[str]:
        async with AsyncExitStack() as stack:
            return [name for name, _ in await read_parts(chunks(), BOUNDARY, stack)]

    tracemalloc.start()
    try:
        if is_file:
            assert asyncio.run(read()) == ["file"]
        else:
            with pytest.raises(InvalidInput):
                asyncio.run(read())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4_000_000


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "text/csv"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Type": "multipart/form-data"}, 400),
        ({"Content-Type": "multipart/form-data; boundary=other"}, 400),
    ],
)
def test_only_forms_of_parts_are_uploads(api: Api, acme: str, headers: dict[str, str], status: int):
    answer = api.post("/v1/feeds/upload", content=_form(b"mode", b"full"), headers=headers)
    assert answer.status_code == status


def test_a_feed_is_given_back_as_it_was_received(api: Api, acme: str):
    receipt = api.upload(name='Größe "1".csv', partner_name="Acme").json()
    raw = api.get(f"/v1/feeds/{receipt['feed_id']}/raw")
    assert raw.content == FEED
    assert raw.headers["ETag"] == f'"{receipt["sha256"]}"'
    assert raw.headers["Content-Type"] == "text/csv"
    assert raw.headers["Content-Length"] == str(len(FEED))
    assert raw.headers["Content-Disposition"].startswith("attachment; ")
    assert "filename*=UTF-8''Gr%C3%B6%C3%9Fe" in raw.headers["Content-Disposition"]
    again = api.get(
        f"/v1/feeds/{receipt['feed_id']}/raw", headers={"If-None-Match": raw.headers["ETag"]}
    )
    assert (again.status_code, again.content) == (304, b"")


def test_what_a_sender_calls_a_file_cannot_break_the_answer(api: Api, acme: str):
    for said, told in [("text/html", "text/html"), ("é", "application/octet-stream")]:
        files = {"file": ("f.csv", FEED, said)}
        receipt = api.post("/v1/feeds/upload", data={"partner_name": "Acme"}, files=files).json()
        raw = api.get(f"/v1/feeds/{receipt['feed_id']}/raw")
        assert raw.headers["Content-Type"] == told
        assert raw.headers["X-Content-Type-Options"] == "nosniff"
        assert raw.headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_feeds_are_listed_by_partner_source_status_and_time(api: Api, acme: str):
    other = api.partner("Other")
    api.ingest("Acme")
    waiting = api.upload(partner_name="Other").json()
    for query, expected in [
        ("", 2),
        (f"partner_id={acme}", 1),
        ("partner_name=other", 1),
        ("status=applied", 1),
        ("status=failed", 0),
        (f"source_id={waiting['source_id']}", 1),
        ("from=2000-01-01&to=2020-01-01", 0),
        ("from=2020-01-01", 2),
        ("from=2020-01-01T00:00:00%2B02:00", 2),
        ("from=2020-01-01T00:00:00+02:00", 2),
    ]:
        found = api.get(f"/v1/feeds?count=true&{query}" if query else "/v1/feeds?count=true").json()
        assert found["count"] == len(found["items"]) == expected, query
    assert (
        api.get(f"/v1/feeds?partner_id={other}").json()["items"][0]["feed_id"] == waiting["feed_id"]
    )


def test_a_feed_gets_a_new_job_once_its_last_one_has_ended(api: Api, acme: str):
    receipt = api.upload(partner_name="Acme").json()
    address = f"/v1/feeds/{receipt['feed_id']}/jobs"
    unfinished = api.post(address, {"kind": "ingest"})
    assert (unfinished.status_code, unfinished.json()["code"]) == (409, "job_unfinished")
    api.post(f"/v1/jobs/{receipt['job_id']}/cancel")
    made = api.post(address, {"kind": "ingest", "run": True})
    assert made.status_code == 201
    assert made.json()["released"] is True
    assert made.headers["Location"] == f"/v1/jobs/{made.json()['job_id']}"
    assert api.post(address, {"kind": "bake"}).status_code == 422


def _form(name: bytes, value: bytes, end: bytes = b"--\r\n") -> bytes:
    line = b"--" + BOUNDARY.encode()
    head = b'Content-Disposition: form-data; name="%b"' % name
    return b"\r\n".join([line, head, b"", value, b""]) + (line + end if end else b"")


def _file_head() -> bytes:
    head = b'Content-Disposition: form-data; name="file"; filename="f.csv"'
    return b"\r\n".join([b"--" + BOUNDARY.encode(), head, b"", b""])


def test_a_body_that_is_the_file_is_received_as_a_form_is(api: Api, acme: str):
    query = f"partner_id={acme}&filename=day.csv&mode=full&expected_rows=3"
    answer = api.request("PUT", f"/v1/feeds/content?{query}", content=FEED)
    assert answer.status_code == 201
    feed = api.get(f"/v1/feeds/{answer.json()['feed_id']}").json()
    assert (feed["file_name"], feed["mode"], feed["bytes"]) == ("day.csv", "full", len(FEED))
    assert api.get(f"/v1/feeds/{feed['feed_id']}/raw").content == FEED
    empty = api.request("PUT", f"/v1/feeds/content?partner_id={acme}")
    assert (empty.status_code, empty.json()["errors"][0]["code"]) == (422, "empty_file")


def test_a_partners_own_key_needs_no_name_of_it(api: Api, acme: str):
    own = api.asking(api.key("Acme"))
    assert own.upload(FEED).json()["partner_id"] == acme
    api.partner("Other")
    assert own.upload(FEED, partner_name="Other").status_code == 404
    both = own.upload(FEED, partner_name="Acme", partner_id=acme)
    assert (both.status_code, both.json()["errors"][0]["pointer"]) == (422, "/partner_id")
