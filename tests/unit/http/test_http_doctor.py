"""The doctor over HTTP: a file goes in, a diagnosis comes out, nothing is kept."""

import pytest
from httpx import Response

from entrypoints.http.app import FORM_BYTES
from entrypoints.http.routes.doctor import EXAMINED_BYTES
from tests.unit.http.conftest import FEED, Api

GERMAN = "Artikelnummer;Bezeichnung;Preis;Bestand\nA;Löffel;1.299,00;5 Stück\n".encode()


def doctor(api: Api, content: bytes = FEED, **form: str) -> Response:
    files = {"file": ("feed.csv", content, "text/csv")}
    return api.post("/v1/doctor", data=form, files=files)


def test_a_file_gets_a_diagnosis_and_is_not_kept(api: Api):
    answer = doctor(api)
    assert answer.status_code == 200
    told = answer.json()
    assert told["verdict"] == "taken"
    assert told["dry_read"]["records"] == told["dry_read"]["accepted"] == 3
    assert told["profile"] == {}
    assert api.get("/v1/feeds").json()["items"] == []
    assert list(api.commerce.context.files.list("")) == []


def test_the_proposed_profile_is_one_that_a_source_takes(api: Api, acme: str):
    told = doctor(api, GERMAN, currency="eur").json()
    assert told["profile"]["decimal"] == ","
    assert told["profile"]["currency"] == "EUR"
    (source,) = api.get(f"/v1/sources?partner_id={acme}").json()["items"]
    address = f"/v1/sources/{source['source_id']}/profile"
    answer = api.request("PUT", address, json=told["profile"])
    assert answer.status_code == 200
    assert answer.json()["profile"] == told["profile"]
    feed = api.ingest("Acme", GERMAN)
    assert str(api.commerce.products.get(partner="Acme", sku="A").price) == "1299.00"
    assert feed


def test_a_partners_currency_counts_without_being_put_into_the_profile(api: Api, acme: str):
    assert [q["code"] for q in doctor(api, GERMAN).json()["questions"]] == ["currency"]
    told = doctor(api, GERMAN, partner_id=acme).json()
    assert told["questions"] == []
    assert "currency" not in told["profile"]


def test_preset_and_mode_can_be_given(api: Api):
    told = doctor(api, preset="google-merchant", mode="delta").json()
    assert (told["preset"], told["mode"]) == ("google-merchant", "delta")


def test_a_file_that_would_be_refused_is_an_answer_and_no_problem(api: Api):
    answer = doctor(api, b"%PDF-1.7")
    assert answer.status_code == 200
    assert answer.json()["refusal"]["code"] == "not_text"


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"currency": "EURO"}, 422),
        ({"preset": "opencart"}, 422),
        ({"mode": "all"}, 422),
        ({"partner_id": "ptn_0"}, 404),
        ({"colour": "red"}, 422),
    ],
)
def test_a_wrong_value_is_refused(api: Api, form: dict[str, str], status: int):
    assert doctor(api, FEED, **form).status_code == status


def test_a_stranger_learns_nothing_of_a_partner(api: Api, acme: str):
    other = api.commerce.partners.add("Other").partner_id
    stranger = api.asking(api.key(other))
    assert doctor(stranger, GERMAN).status_code == 200
    assert doctor(stranger, GERMAN, partner_id=acme).status_code == 404
    assert doctor(api.asking(api.key(other, "orders:read"))).status_code == 403


def test_a_file_has_a_limit(api: Api):
    answer = api.post(
        "/v1/doctor",
        content=b"",
        headers={
            "Content-Type": "multipart/form-data; boundary=x",
            "Content-Length": str(EXAMINED_BYTES + FORM_BYTES + 1),
        },
    )
    assert answer.status_code == 413
