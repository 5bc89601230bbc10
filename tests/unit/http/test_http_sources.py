"""Sources and their profiles over HTTP."""

from tests.unit.http.conftest import Api

SHOP = b"Artikel;Bezeichnung;Preis\nA-1;Lampe;1.299,00 EUR\nA-2;Stuhl;89,90\n"
PROFILE = {
    "delimiter": ";",
    "decimal": ",",
    "columns": {"sku": "Artikel", "product_name": ["Bezeichnung"], "price": {"from": "Preis"}},
}


def main_source(api: Api, partner: str) -> str:
    (source,) = api.get(f"/v1/sources?partner_id={partner}").json()["items"]
    assert source["source_name"] == "main"
    assert api.get(f"/v1/sources/{source['source_id']}").json() == source
    return source["source_id"]


def test_a_new_source_reads_by_the_canonical_profile(api: Api, acme: str):
    saved = api.get(f"/v1/sources/{main_source(api, acme)}/profile").json()
    assert saved == {"version": 0, "profile": {}, "author": "", "saved_at": None}


def test_a_profile_is_kept_in_versions_with_its_author_and_read_back_as_sent(api: Api, acme: str):
    address = f"/v1/sources/{main_source(api, acme)}/profile"
    saved = api.request("PUT", address, json=PROFILE).json()
    assert saved["version"] == 1
    assert saved["author"].startswith(("operator", "key_"))
    assert saved["profile"]["columns"]["price"] == {"from": ["Preis"]}
    assert api.request("PUT", address, json=saved["profile"]).json() == saved
    assert api.request("PUT", address, json={"preset": "shopify"}).json()["version"] == 2
    assert api.get(address).json()["profile"] == {"preset": "shopify"}


def test_a_profile_is_tried_on_a_file_without_a_trace(api: Api, acme: str):
    source = main_source(api, acme)
    api.request("PUT", f"/v1/sources/{source}/profile", json=PROFILE)
    files = {"file": ("shop.csv", SHOP, "text/csv")}
    trial = api.post(f"/v1/sources/{source}/profile/test", files=files).json()
    assert (trial["records_read"], trial["offers"], trial["complete"]) == (2, 2, True)
    assert trial["mapping"]["price"] == "Preis"
    assert [sample["price"] for sample in trial["samples"]] == ["1299.00", "89.90"]
    assert api.get("/v1/feeds").json()["items"] == []


def test_a_file_that_cannot_be_read_by_the_profile_is_refused_with_its_reason(api: Api, acme: str):
    source = main_source(api, acme)
    files = {"file": ("shop.csv", b"colour;size\nred;5\n", "text/csv")}
    answer = api.post(f"/v1/sources/{source}/profile/test", files=files)
    assert (answer.status_code, answer.json()["code"]) == (422, "no_header")


def test_every_fault_of_a_profile_is_told_at_its_place(api: Api, acme: str):
    wrong = {
        "currency": "EURO",
        "columns": {"price": {"from": "P", "pattern": "(a+)+"}, "colour": "C"},
    }
    answer = api.request("PUT", f"/v1/sources/{main_source(api, acme)}/profile", json=wrong)
    assert answer.status_code == 422
    pointers = {fault["pointer"] for fault in answer.json()["errors"]}
    assert pointers == {"/currency", "/columns/price/pattern", "/columns/colour"}
    misspelt = {"colums": {}, "columns": {"price": {"form": "P"}}}
    answer = api.request("PUT", f"/v1/sources/{main_source(api, acme)}/profile", json=misspelt)
    pointers = {fault["pointer"] for fault in answer.json()["errors"]}
    assert pointers == {"/colums", "/columns/price/form"}


def test_feeds_are_read_by_the_profile_of_their_source(api: Api, acme: str):
    api.request("PUT", f"/v1/sources/{main_source(api, acme)}/profile", json=PROFILE)
    api.ingest(acme, SHOP)
    products = api.get("/v1/products?sort_by=price&currency=EUR").json()["items"]
    assert [(p["sku"], p["price"], p["currency"]) for p in products] == [("A-1", "1299.00", "EUR")]


def test_a_constant_may_be_a_number_or_a_boolean(api: Api, acme: str):
    address = f"/v1/sources/{main_source(api, acme)}/profile"
    saved = api.request("PUT", address, json={"constants": {"quantity": 1, "deleted": False}})
    assert saved.json()["profile"] == {"constants": {"quantity": "1", "deleted": "no"}}
