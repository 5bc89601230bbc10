"""The API's description, and the pages for browsers."""

import hashlib
import json
import re
from io import BytesIO
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import schemathesis

from commerce_core.base.errors import Unavailable
from commerce_core.usecases.health import Health
from entrypoints import scraping
from entrypoints.http.app import api_description
from entrypoints.http.routes import pages
from tests.unit.http.conftest import Api

STATIC = pages.STATIC


@pytest.fixture
def always_looking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scraping, "PARTS_CACHED", 0.0)


def every_operation() -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, operation)
        for path, operations in api_description()["paths"].items()
        for method, operation in operations.items()
    ]


def test_the_description_is_openapi_3_1_and_served_without_a_key(nobody: Api):
    answer = nobody.get("/openapi.json")
    assert answer.json() == api_description()
    schemathesis.openapi.from_dict(answer.json()).validate()


def test_every_reference_in_it_leads_somewhere():
    description = api_description()
    for reference in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(description)):
        found: Any = description
        for part in reference.split("/"):
            found = found[part]


def test_every_schema_in_it_is_one():
    for name, schema in api_description()["components"]["schemas"].items():
        assert jsonschema_rs.meta.is_valid(schema), name


@pytest.mark.parametrize(("method", "path", "operation"), every_operation())
def test_every_operation_says_what_it_takes_and_answers(
    method: str, path: str, operation: dict[str, Any]
):
    responses = operation["responses"]
    assert operation["summary"]
    assert set(re.findall(r"\{(\w+)\}", path)) == {
        p["name"] for p in operation["parameters"] if p["in"] == "path"
    }
    assert all(p.get("description") for p in operation["parameters"] if p["in"] != "path")
    assert any(status < "400" for status in responses)
    assert {"400", "500"} <= responses.keys()
    if operation["security"]:
        assert {"401", "403"} <= responses.keys()
    if "requestBody" in operation:
        assert {"413", "415", "422"} <= responses.keys()
    if "{" in path:
        assert "404" in responses
    assert "requestBody" in operation or method != "patch"
    for status, response in responses.items():
        if status >= "400" and "application/json" not in response["content"]:
            assert response["content"].keys() == {"application/problem+json"}


def test_operations_have_names_of_their_own():
    names = [operation["operationId"] for _, _, operation in every_operation()]
    assert len(set(names)) == len(names)


def test_what_a_body_may_have_is_reported_in_full():
    order = api_description()["components"]["schemas"]["NewOrder"]
    assert order["required"] == ["items"]
    assert order["additionalProperties"] is False
    assert order["properties"]["customer_reference"]["type"] == ["string", "null"]


EXAMPLES = [
    (method, path, operation["requestBody"]["content"]["application/json"]["example"])
    for method, path, operation in every_operation()
    if "application/json" in operation.get("requestBody", {}).get("content", {})
]


@pytest.mark.slow
@pytest.mark.parametrize(("method", "path", "example"), EXAMPLES)
def test_what_the_page_begins_a_body_with_can_be_sent_as_it_is(
    api: Api, acme: str, method: str, path: str, example: dict[str, Any]
):
    """What refuses it is the state of the catalog, never the form of the body."""
    source = api.commerce.sources.get("main", partner=acme)
    rule = api.commerce.pricing.add({"name": "x", "benefit": {"percent": "1"}})
    price_list = api.commerce.price_lists.add("x", currency="USD")
    api.commerce.price_lists.load("x", BytesIO(b"sku,price\nA,1.00\n"))
    hook = api.commerce.webhooks.add("https://receiver.invalid/hook")
    channel = api.commerce.alerts.add(url="https://receiver.invalid/hook")
    ids = {
        "partner_id": acme,
        "source_id": source.source_id,
        "feed_id": api.ingest(acme),
        "order_id": api.commerce.orders.place([(api.product(), 1)]).order_id,
        "key_id": api.commerce.keys.add(partner=acme).key.key_id,
        "rule_id": rule.rule_id,
        "list_id": price_list.list_id,
        "webhook_id": hook.webhook.webhook_id,
        "channel_id": channel.channel.channel_id,
        "view_id": api.commerce.saved_views.add("feeds", "x", {}).view_id,
    }
    address = re.sub(r"\{(\w+)\}", lambda found: ids[found[1]], path)
    answer = api.request(method.upper(), address, json=example)
    if answer.status_code >= 400:
        state = {
            "feed_not_held", "order_refused", "partner_name_taken", "quote_refused",
            "more_than_owed", "too_little_left", "no_members", "not_pulled",
        }  # fmt: skip
        # What a body names may not be there.
        assert answer.json()["code"] in state | {"not_found"}, answer.text


def test_no_filter_of_a_list_is_filled_in_with_the_id_of_nothing():
    for _, path, operation in every_operation():
        for parameter in operation["parameters"]:
            assert parameter["in"] == "path" or "examples" not in parameter["schema"], path


@pytest.mark.parametrize("page", ["/", "/docs"])
def test_pages_load_nothing_from_elsewhere_and_all_that_they_name(nobody: Api, page: str):
    answer = nobody.get(page)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert not re.search(r"""(https?:)?//|<style|\son\w+=|style=|<script>""", answer.text)
    for address in re.findall(r'(?:href|src)="([^"]+)"', answer.text):
        assert nobody.get(f"/{address}").status_code == 200, address
    policy = answer.headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy


def test_the_status_page_shows_what_is_wrong_as_text(nobody: Api, monkeypatch: pytest.MonkeyPatch):
    down = {"database": Unavailable("<b>down</b>")}
    monkeypatch.setattr(Health, "check", lambda _: down)
    text = nobody.get("/").text
    assert "&lt;b&gt;down&lt;/b&gt;" in text


def test_health_is_503_while_a_part_is_down_but_the_process_is_alive(
    always_looking: None, nobody: Api, monkeypatch: pytest.MonkeyPatch
):
    for path in ("/v1/health", "/health/ready"):
        assert nobody.get(path).json() == {
            "status": "ok",
            "parts": {"database": "ok", "files": "ok"},
        }

    def check(_: object) -> None:
        raise Unavailable("The bucket mine gives no answer.", "Wait.", "No answer.")

    monkeypatch.setattr(type(nobody.commerce.context.files), "check", check)
    for path in ("/v1/health", "/health/ready"):
        answer = nobody.get(path)
        assert answer.status_code == 503
        assert answer.json() == {
            "status": "down",
            "parts": {"database": "ok", "files": "No answer."},
        }
    assert nobody.get("/health/live").status_code == 200


def test_however_many_ask_the_parts_are_looked_at_once_a_second(
    nobody: Api, monkeypatch: pytest.MonkeyPatch
):
    looks: list[int] = []
    files = type(nobody.commerce.context.files)
    monkeypatch.setattr(files, "check", lambda _: looks.append(1))
    for _ in range(10):
        assert nobody.get("/v1/health").status_code == 200
    assert len(looks) <= 2


@pytest.mark.parametrize(
    "name", ["VENDORED.json", "nothing.js", "..%2Fpages.py", "%2Fetc%2Fpasswd"]
)
def test_only_what_pages_load_is_served(nobody: Api, name: str):
    assert nobody.get(f"/static/{name}").status_code == 404


def test_vendored_files_are_those_that_were_published():
    """A change to one of them is a change to what its makers licensed."""
    vendored = json.loads((STATIC / "VENDORED.json").read_text())
    for name, digest in vendored["sha256"].items():
        assert hashlib.sha256((STATIC / name).read_bytes()).hexdigest() == digest, name
    own = {"VENDORED.json", "docs.js", "page.css"}
    assert {file.name for file in Path(STATIC).iterdir()} == vendored["sha256"].keys() | own
