"""Idempotency keys over HTTP: whatever creates has one effect, however often it is sent."""

from collections.abc import Callable

import pytest
from httpx import Response

from entrypoints.http.app import api_description
from tests.unit.http.conftest import FEED, Api

Send = Callable[[Api, dict[str, str]], Response]


def add_partner(api: Api, headers: dict[str, str]) -> Response:
    return api.post("/v1/partners", {"partner_name": "New"}, headers=headers)


def upload(api: Api, headers: dict[str, str]) -> Response:
    files = {"file": ("f.csv", FEED, "text/csv")}
    data = {"partner_name": "Acme"}
    return api.post("/v1/feeds/upload", data=data, files=files, headers=headers)


def start_job(api: Api, headers: dict[str, str]) -> Response:
    feed = api.get("/v1/feeds").json()["items"][0]
    return api.post(f"/v1/feeds/{feed['feed_id']}/jobs", {}, headers=headers)


def place_order(api: Api, headers: dict[str, str]) -> Response:
    items = [{"product_id": api.product(), "quantity": 1}]
    return api.post("/v1/orders", {"items": items}, headers=headers)


@pytest.fixture(autouse=True)
def catalog(api: Api, acme: str) -> None:
    api.ingest("Acme")


@pytest.mark.parametrize("send", [add_partner, upload, start_job, place_order])
def test_the_second_answer_is_the_first_one_to_the_byte(api: Api, send: Send):
    key = {"Idempotency-Key": "once"}
    first, second = send(api, key), send(api, key)
    assert first.status_code == second.status_code == 201
    assert first.content == second.content
    assert first.headers["Location"] == second.headers["Location"]
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"


def test_what_was_done_once_was_done_once(api: Api):
    for _ in range(3):
        place_order(api, {"Idempotency-Key": "order-1"})
        upload(api, {"Idempotency-Key": "upload-1"})
    assert len(api.get("/v1/orders").json()["items"]) == 1
    assert len(api.get("/v1/feeds").json()["items"]) == 2
    assert len(list(api.commerce.context.files.list(""))) == 2


def test_a_new_keys_secret_is_in_the_first_answer_only(api: Api, acme: str):
    address, key = f"/v1/partners/{acme}/keys", {"Idempotency-Key": "once"}
    first, second = (api.post(address, {}, headers=key) for _ in range(2))
    assert second.headers["Idempotency-Replayed"] == "true"
    assert second.json() == {**first.json(), "secret": None}


def test_a_key_that_came_with_another_request_is_a_conflict(api: Api):
    key = {"Idempotency-Key": "once"}
    add_partner(api, key)
    answer = api.post("/v1/partners", {"partner_name": "Newer"}, headers=key)
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_key_reused")


def test_partners_keys_do_not_meet_each_other(api: Api):
    api.partner("Other")
    key = {"Idempotency-Key": "once"}
    upload(api, key)
    other = api.asking(api.key("Other"))
    files = {"file": ("f.csv", FEED, "text/csv")}
    data = {"partner_name": "Other"}
    answer = other.post("/v1/feeds/upload", data=data, files=files, headers=key)
    assert answer.status_code == 201
    assert "Idempotency-Replayed" not in answer.headers


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb"])
def test_a_key_that_is_none_is_refused(api: Api, key: str):
    assert add_partner(api, {"Idempotency-Key": key}).status_code == 422


def test_every_request_that_creates_takes_a_key():
    """So do the acts on orders, which leave a record."""
    for path, operations in api_description()["paths"].items():
        for method, operation in operations.items():
            takes = "Idempotency-Key" in {p["name"] for p in operation["parameters"]}
            answers = operation["responses"]
            queues = "Location" in answers.get("202", {}).get("headers", {})
            changes = method in ("post", "put")
            assert takes or not (changes and ("201" in answers or queues)), path
            assert changes or not takes, path
