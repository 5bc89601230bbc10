"""Refusals over HTTP: every kind of problem, in one shape, that tells nothing of the inside."""

import json

import pytest

from commerce_core.base import errors
from commerce_core.usecases.products import Products
from tests.unit.http.conftest import Api

MEMBERS = {"type", "title", "status", "detail", "instance", "code", "errors", "request_id"}


def raising(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Whoever lists products meets this error."""

    def page(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(Products, "page", page)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (errors.Malformed("m"), 400, "malformed"),
        (errors.InvalidInput("i"), 400, "invalid_input"),
        (errors.Unauthenticated("u"), 401, "unauthenticated"),
        (errors.Forbidden("f"), 403, "forbidden"),
        (errors.NotFound("n"), 404, "not_found"),
        (errors.Unavailable("a"), 503, "unavailable"),
        (errors.CommerceError("secret"), 500, "internal_error"),
        (RuntimeError("secret"), 500, "internal_error"),
    ],
)
def test_every_error_of_the_core_becomes_a_problem(
    api: Api, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, code: str
):
    raising(monkeypatch, error)
    answer = api.get("/v1/products")
    problem = answer.json()
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert problem.keys() == MEMBERS
    assert (answer.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert problem["instance"] == "/v1/products"
    assert problem["request_id"] == answer.headers["X-Request-Id"]
    assert "secret" not in answer.text


def test_what_is_out_of_reach_says_when_to_try_again(api: Api, monkeypatch: pytest.MonkeyPatch):
    raising(monkeypatch, errors.Unavailable("The database can't be reached."))
    answer = api.get("/v1/products")
    assert int(answer.headers["Retry-After"]) > 0


def test_a_fault_of_ours_is_in_the_log_under_the_requests_id(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    raising(monkeypatch, RuntimeError("secret"))
    answer = api.get("/v1/products", headers={"X-Request-Id": "mine-1"})
    assert answer.json()["request_id"] == "mine-1"
    (fault,) = [record for record in caplog.records if record.msg == "request.fault"]
    assert vars(fault)["fields"]["request_id"] == "mine-1"
    assert fault.exc_info
    assert str(fault.exc_info[1]) == "secret"


def test_a_refusal_lists_each_fault_with_its_place(api: Api):
    answer = api.post("/v1/partners", {"name": "x", "currency": 5})
    assert answer.status_code == 422
    assert [(f["pointer"], f["code"]) for f in answer.json()["errors"]] == [
        ("/partner_name", "required"),
        ("/currency", "not_a_text"),
        ("/name", "unknown_field"),
    ]
    broken = api.post("/v1/partners", {"partner_name": "", "currency": "U$D", "time_zone": "?"})
    assert [f["pointer"] for f in broken.json()["errors"]] == [
        "/partner_name",
        "/currency",
        "/time_zone",
    ]


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"\xff\xfe",
        b'{"partner_name": NaN}',
        b'{"partner_name": "a", "partner_name": "b"}',
        b"[" * 100_000,
        b"1" * 5_000,
        b'{"partner_name": "a"} x',
    ],
    ids=["cut", "not utf-8", "nan", "twice", "deep", "long number", "rest"],
)
def test_what_is_not_json_is_malformed(api: Api, content: bytes):
    headers = {"Content-Type": "application/json"}
    answer = api.post("/v1/partners", content=content, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "not_json")


@pytest.mark.parametrize("body", ["null", "5", '"x"', "[]"])
def test_a_body_that_is_no_object_is_of_the_wrong_type(api: Api, body: str):
    headers = {"Content-Type": "application/json"}
    answer = api.post("/v1/partners", content=body, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["code"] == "not_an_object"


@pytest.mark.parametrize("text", ["\\u0000", "\\ud800", "a\\udfffb"])
def test_text_that_no_database_takes_is_refused_as_value_and_as_name(api: Api, text: str):
    headers = {"Content-Type": "application/json"}
    for body in (f'{{"partner_name": "{text}"}}', f'{{"partner_name": "A", "{text}": 1}}'):
        answer = api.post("/v1/partners", content=body, headers=headers)
        assert answer.status_code == 422, answer.text
        json.loads(answer.text)


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_body_of_another_type_is_not_read(api: Api, media_type: str):
    headers = {"Content-Type": media_type}
    answer = api.post("/v1/partners", content='{"partner_name": "A"}', headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


def test_a_body_beyond_the_limit_is_too_large_but_for_a_feeds_file(api: Api):
    answer = api.post("/v1/partners", {"partner_name": "x" * 1024**2})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_an_unknown_address_and_an_unknown_method_are_distinguished(api: Api):
    lost = api.get("/v1/partner")
    assert (lost.status_code, lost.json()["code"]) == (404, "no_such_address")
    wrong = api.client.request("PUT", "/v1/partners", headers=api.headers)
    assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed")
    assert {"GET", "POST"} <= set(wrong.headers["Allow"].split(", "))
    for answer in (lost, wrong):
        assert answer.json().keys() == MEMBERS
        assert answer.headers["X-Request-Id"] == answer.json()["request_id"]


def test_a_parameter_given_twice_or_left_blank_is_refused(api: Api):
    for query, code in [("limit=1&limit=2", "given_twice"), ("partner_name=", "blank")]:
        answer = api.get(f"/v1/products?{query}")
        assert answer.status_code == 400
        assert [fault["code"] for fault in answer.json()["errors"]] == [code]


@pytest.mark.parametrize("text", ["true", "false", "True", "False", "TRUE"])
def test_a_boolean_is_read_in_any_case(api: Api, text: str):
    """Clients in Python send `True`."""
    assert api.get(f"/v1/products?sellable={text}&count={text}").status_code == 200


@pytest.mark.parametrize("text", ["1", "0", "yes", "tru", "null", "%C5%BFtrue"])
def test_nothing_else_is_a_boolean(api: Api, text: str):
    answer = api.get(f"/v1/products?sellable={text}")
    assert [fault["code"] for fault in answer.json()["errors"]] == ["not_a_boolean"]


def test_faults_of_the_query_and_of_the_key_come_before_the_body_is_read(api: Api):
    answer = api.request("POST", "/v1/partners?nothing=1", content=b"{")
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/nothing")


def test_a_partner_is_named_once(api: Api, acme: str):
    answer = api.get(f"/v1/products?partner_id={acme}&partner_name=Acme")
    assert answer.json()["errors"][0]["code"] == "partner_named_twice"
    both = api.upload(partner_id=acme, partner_name="Acme")
    assert both.status_code == 422


def test_a_nul_in_a_filter_is_refused(api: Api):
    for query in ("sku=%00", "partner_name=%00", "currency=%00", "tz=%00"):
        route = "analytics/sales-by-partner" if query.startswith("tz") else "products"
        assert api.get(f"/v1/{route}?{query}").status_code == 400, query


@pytest.mark.parametrize("sent", ["mine-1", "a" * 128, "0af7651916cd43dd:8448"])
def test_a_sane_request_id_is_kept(nobody: Api, sent: str):
    answer = nobody.get("/v1/health", headers={"X-Request-Id": sent})
    assert answer.headers["X-Request-Id"] == sent


@pytest.mark.parametrize("sent", ["", "a b", "<script>", "a" * 129, "a\tb"])
def test_any_other_request_id_is_replaced(nobody: Api, sent: str):
    first, second = (
        nobody.get("/v1/health", headers={"X-Request-Id": sent}).headers["X-Request-Id"]
        for _ in range(2)
    )
    assert sent not in (first, second)
    assert first != second


def test_every_answer_keeps_browsers_from_harm(api: Api):
    for path in ("/v1/health", "/v1/partners", "/nowhere", "/", "/docs", "/static/page.css"):
        headers = api.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert headers["X-Frame-Options"] == "DENY"
        assert "Access-Control-Allow-Origin" not in headers
    assert api.get("/v1/partners").headers["Cache-Control"] == "no-store"


def test_an_address_tells_all_its_methods(nobody: Api):
    for path, methods in [
        ("/v1/partners", {"GET", "OPTIONS", "POST"}),
        ("/v1/partners/ptn_1", {"GET", "OPTIONS", "PATCH"}),
        ("/", {"GET", "OPTIONS"}),
    ]:
        answer = nobody.client.options(path)
        assert (answer.status_code, answer.content) == (204, b"")
        assert set(answer.headers["Allow"].split(", ")) == methods


@pytest.mark.parametrize(
    "path",
    [
        "orders", "feeds", "statements", "audit", "webhook-deliveries", "analytics/entries",
        "analytics/summary",
    ],
)  # fmt: skip
def test_a_range_that_ends_before_it_begins_is_refused(api: Api, path: str):
    answer = api.get(f"/v1/{path}?from=2026-02-01&to=2026-01-31")
    assert answer.status_code == 400, answer.text
    assert [(f["pointer"], f["code"]) for f in answer.json()["errors"]] == [("/from", "bad_range")]
    assert api.get(f"/v1/{path}?from=2026-02-01&to=2026-02-01").status_code == 200
