"""Every parameter of every route, sent each byte that there is, and what no parameter may have."""

import re
from typing import Final
from urllib.parse import quote

import pytest

from entrypoints.http.app import api_description
from tests.unit.http.conftest import Api

pytestmark = pytest.mark.slow  # Every route, many times over.

UNSTORABLE: Final = ("%00", "a%00b", "%FF", "%E2%82", "%C0%80", "%ED%A0%80", "%ed%bf%bf")
"""NUL; bytes that aren't UTF-8, NUL in two bytes among them; halves of surrogate pairs."""
BYTES: Final = "".join(f"%{number:02X}" for number in range(1, 128))
LATER: Final = quote("".join(map(chr, range(0x80, 0x300))))
TELLING: Final = ("%01", "%09", "%0A", "%20", "%22", "%25", "%27", "%2B", "%3B", "%5C", "%7F")
"""Bytes that mean something to what may read them."""
OPERATIONS: Final = [
    (method.upper(), path, operation["parameters"])
    for path, methods in api_description()["paths"].items()
    for method, operation in methods.items()
    if operation["parameters"]
]
each = pytest.mark.parametrize(
    ("method", "path", "parameters"), OPERATIONS, ids=[f"{m} {p}" for m, p, _ in OPERATIONS]
)


def address(path: str, given: dict[str, str] | None = None) -> str:
    """The address with ids of nothing, but for those that are given."""
    ids = given or {}
    return re.sub(r"\{(\w+)\}", lambda found: ids.get(found[1], "nothing"), path)


@each
def test_what_cannot_be_stored_is_refused_in_any_parameter(
    refusing: Api, method: str, path: str, parameters: list[dict[str, str]]
):
    """With 400, at its place, before anything is looked up; without a key too."""
    for parameter in parameters:
        name, place = parameter["name"], parameter["in"]
        for text in UNSTORABLE if place != "header" else ("\0", "a\0b"):
            headers = {name: text} if place == "header" else {}
            query = f"?{name}={text}" if place == "query" else ""
            asked = address(path, {name: text} if place == "path" else None) + query
            answer = refusing.request(method, asked, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (400, "bad_text"), asked
            assert [fault["pointer"] for fault in answer.json()["errors"]] == [f"/{name}"], asked


@each
def test_no_byte_in_a_parameter_is_a_fault_of_the_server(
    api: Api, method: str, path: str, parameters: list[dict[str, str]]
):
    """Each is read or refused, with an answer that the description has."""
    for parameter in parameters:
        name, place = parameter["name"], parameter["in"]
        if place == "header":
            values = [chr(number) for number in range(1, 256) if chr(number) not in "\r\n"]
            for text in ("".join(values[:120]), "".join(values[120:])):
                answer = api.request(method, address(path), headers={name: text.encode("latin-1")})
                assert answer.status_code < 500
            continue
        for text in (*TELLING, BYTES, LATER):
            query = f"?{name}={text}" if place == "query" else ""
            # A slash would make it another address.
            part = {name: text.replace("%2F", "")} if place == "path" else None
            asked = address(path, part) + query
            assert api.request(method, asked).status_code < 500, asked


@pytest.mark.parametrize("name", ["X-API-Key", "Authorization"])
def test_a_key_with_nul_is_refused(nobody: Api, name: str):
    answer = nobody.request("GET", "/v1/partners", headers={name: b"Bearer a\0b"})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_text")


def test_a_name_of_a_parameter_is_judged_as_its_value_is(api: Api):
    answer = api.get("/v1/partners?a%00=1")
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_text")


@pytest.mark.parametrize(
    "headers",
    [
        [("X-API-Key", "SECRET"), ("X-API-Key", "b")],
        [("X-API-Key", "SECRET"), ("X-API-Key", "SECRET")],
        [("Authorization", "Bearer SECRET"), ("Authorization", "Bearer b")],
        [("X-API-Key", "SECRET"), ("Authorization", "Bearer b")],
        [("X-API-Key", "SECRET, b")],
        [("Authorization", "Bearer SECRET, Bearer b")],
    ],
)
def test_a_request_with_two_keys_is_refused(api: Api, headers: list[tuple[str, str]]):
    """Whichever is valid: others on the way may have judged by the other one."""
    secret = api.headers["X-API-Key"]
    sent = [(name, value.replace("SECRET", secret)) for name, value in headers]
    answer = api.client.get("/v1/partners", headers=sent)
    assert (answer.status_code, answer.json()["code"]) == (400, "several_keys")


def test_one_key_in_both_headers_is_one_key(api: Api):
    secret = api.headers["X-API-Key"]
    answer = api.get("/v1/partners", headers={"Authorization": f"Bearer {secret}"})
    assert answer.status_code == 200
    basic = api.get("/v1/partners", headers={"Authorization": "Basic Y2s6Y2s="})
    assert basic.status_code == 200


def test_faults_beyond_a_hundred_are_counted(api: Api):
    """So that no answer is much longer than what was sent."""
    answer = api.post("/v1/partners", {f"field_{n}": 1 for n in range(60_000)})
    problem = answer.json()
    assert answer.status_code == 422
    assert len(problem["errors"]) == 100
    assert problem["more_errors"] == 59_901
    assert len(answer.content) < 20_000


def test_a_hundred_faults_are_all_listed(api: Api):
    problem = api.post("/v1/partners", {f"field_{n}": 1 for n in range(99)}).json()
    assert len(problem["errors"]) == 100
    assert "more_errors" not in problem


def test_a_name_that_the_client_made_up_is_cut(api: Api):
    problem = api.post("/v1/partners", {"partner_name": "x", "y" * 100_000: 1}).json()
    (fault,) = problem["errors"]
    assert len(fault["pointer"]) == 503
