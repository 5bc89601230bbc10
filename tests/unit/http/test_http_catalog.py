"""Products, orders and reports over HTTP."""

import csv
import io
import json

import pytest

from tests.unit.http.conftest import Api


@pytest.fixture(autouse=True)
def catalog(api: Api) -> str:
    """Three products of Acme, one of Other; returns the feed of Acme's."""
    api.partner("Other", "EUR")
    api.partner("Acme")
    api.ingest("Other", b"sku,product_name,price\nA-1,Rug,30\n")
    return api.ingest("Acme")


def test_a_product_shows_the_decimals_of_its_currency_and_why_it_cannot_be_bought(api: Api):
    lamp = api.get(f"/v1/products/{api.product('A-1')}").json()
    assert (lamp["price"], lamp["currency"], lamp["available"]) == ("12.50", "USD", 7)
    assert (lamp["sellable"], lamp["not_sellable_reason"]) == (True, None)
    table = api.get(f"/v1/products/{api.product('A-3')}").json()
    assert (table["price"], table["not_sellable_reason"]) == (None, "unpriced")
    assert not {"reserved", "ordinal", "publication_id"} & lamp.keys()


def test_products_are_found_by_every_filter(api: Api, catalog: str):
    acme = api.commerce.partners.get("Acme").partner_id
    source = api.get(f"/v1/feeds/{catalog}").json()["source_id"]
    for query, skus in [
        ("limit=5", ["A-1", "A-1", "A-2", "A-3"]),
        (f"partner_id={acme}", ["A-1", "A-2", "A-3"]),
        ("partner_name=ACME&sku=A-1&sku=A-3", ["A-1", "A-3"]),
        (f"source_id={source}", ["A-1", "A-2", "A-3"]),
        (f"feed_id={catalog}", ["A-1", "A-2", "A-3"]),
        ("currency=eur", ["A-1"]),
        ("status=removed", []),
        ("status=all&sku=A-2", ["A-2"]),
        ("partner_name=Acme&sort_by=price&order=desc", ["A-2", "A-1", "A-3"]),
        ("currency=USD&sort_by=price", ["A-1", "A-2", "A-3"]),
        ("partner_name=Acme&order=desc", ["A-3", "A-2", "A-1"]),
        ("sellable=false", ["A-3"]),
        ("partner_name=Acme&sellable=true", ["A-1", "A-2"]),
        ("currency=USD&price_min=12.50&price_max=80", ["A-1", "A-2"]),
        ("currency=USD&price_min=12.51", ["A-2"]),
        ("q=LAMP", ["A-1"]),
        ("q=a-1+rug", ["A-1"]),
        ("availability=in_stock", []),
        ("category=Home%20%3E%20Light", []),
        ("brand=Nike", []),
        ("updated_since=2026-01-01&sort_by=updated_at", ["A-1", "A-1", "A-2", "A-3"]),
        ("updated_since=2999-01-01T00:00:00Z", []),
        ("sort_by=product_name", ["A-2", "A-1", "A-1", "A-3"]),
        ("sort_by=brand&order=desc&partner_name=Acme", ["A-3", "A-2", "A-1"]),
    ]:
        found = api.get(f"/v1/products?{query}")
        assert found.status_code == 200, found.text
        assert [item["sku"] for item in found.json()["items"]] == skus, query


@pytest.mark.parametrize(
    ("query", "pointer", "code"),
    [
        ("price_min=5", "/price_min", "needs_currency"),
        ("price_min=5e3&currency=USD", "/price_min", "not_an_amount"),
        ("price_min=-5&currency=USD", "/price_min", "not_an_amount"),
        ("price_min=5&price_max=4&currency=USD", "/price_max", "bad_range"),
        ("sellable=yes", "/sellable", "not_a_boolean"),
        ("updated_since=yesterday", "/updated_since", "not_a_time"),
        ("availability=none", "/availability", "not_one_of"),
        ("sort_by=sku", "/sort_by", "not_one_of"),
        ("category=%3E", "/category", "bad_length"),
        ("q=+", "/q", "bad_words"),
        ("&".join(["sku=x"] * 201), "/sku", "too_many"),
        ("sort_by=product_name&limit=1&cursor=eyJ9", "/cursor", "bad_cursor"),
    ],
)
def test_a_filter_that_means_nothing_is_refused(api: Api, query: str, pointer: str, code: str):
    answer = api.get(f"/v1/products?{query}")
    assert answer.status_code == 400
    assert [(f["pointer"], f["code"]) for f in answer.json()["errors"]] == [(pointer, code)]


def test_a_cursor_continues_its_own_list_only(api: Api):
    """With another filter, sort or direction it is refused; with the same it goes on."""
    query = "partner_name=Acme&sort_by=product_name&limit=1&q=a"
    cursor = api.get(f"/v1/products?{query}").json()["next_cursor"]
    assert [p["sku"] for p in api.get(f"/v1/products?{query}&cursor={cursor}").json()["items"]] == [
        "A-1"
    ]
    for other in (
        query.replace("Acme", "Other"),
        query.replace("q=a", "q=b"),
        query.replace("product_name", "brand"),
        f"{query}&order=desc",
        f"{query}&sellable=true",
    ):
        answer = api.get(f"/v1/products?{other}&cursor={cursor}")
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_cursor")


def test_what_a_client_has_already_is_not_sent_again(api: Api):
    """A product and a list have an ETag, which holds until anything of them changes."""
    product_id = api.product("A-1")
    for path in (f"/v1/products/{product_id}", "/v1/products?sku=A-1&count=true"):
        first = api.get(path)
        tag = first.headers["ETag"]
        assert first.headers["Cache-Control"] == "private, no-cache"
        for known in (tag, f"W/{tag}", f'"x", {tag}', "*"):
            again = api.get(path, headers={"If-None-Match": known})
            assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
        for other in ('"x"', tag.strip('"'), ""):
            assert api.get(path, headers={"If-None-Match": other}).json() == first.json()


def test_whatever_changes_a_product_changes_its_tag(api: Api):
    """Units held and given back, a new version, a partner's new name."""
    product_id = api.product("A-1")

    def tag() -> str:
        return api.get(f"/v1/products/{product_id}").headers["ETag"]

    tags = [tag()]
    order = api.post("/v1/orders", {"items": [{"product_id": product_id, "quantity": 1}]}).json()
    tags.append(tag())
    api.ingest("Acme", b"sku,product_name\nA-1,Lantern\n")
    tags.append(tag())
    api.patch(f"/v1/partners/{order['items'][0]['partner_id']}", {"partner_name": "Acme Ltd"})
    tags.append(tag())
    assert len(set(tags)) == 4
    assert (
        api.get(f"/v1/products/prod_{'0' * 32}", headers={"If-None-Match": "*"}).status_code == 404
    )


def test_products_are_exported_as_files(api: Api):
    """With the filters of lists; as CSV unless told otherwise, never shown by a browser."""
    answer = api.get("/v1/products/export?partner_name=Acme")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="products.csv"')
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert [(row["sku"], row["price"], row["deleted"]) for row in rows] == [
        ("A-1", "12.50", ""), ("A-2", "80.00", ""), ("A-3", "", ""),
    ]  # fmt: skip
    lines = api.get("/v1/products/export?format=ndjson&sellable=true&currency=USD")
    assert lines.headers["Content-Type"] == "application/x-ndjson"
    listed = api.get("/v1/products?sellable=true&currency=USD").json()["items"]
    assert [json.loads(line) for line in lines.text.splitlines()] == listed


@pytest.mark.parametrize(
    ("query", "pointer"),
    [("format=xlsx", "/format"), ("price_min=1", "/price_min"), ("limit=5", "/limit")],
)
def test_what_cannot_be_exported_is_refused(api: Api, query: str, pointer: str):
    answer = api.get(f"/v1/products/export?{query}")
    assert answer.status_code == 400
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]


def test_a_partner_exports_its_own_products_only(api: Api):
    other = api.asking(api.key("Other", "catalog:read"))
    skus = [json.loads(line)["product_name"] for line in _lines(other, "format=ndjson&status=all")]
    assert skus == ["Rug"]
    assert other.get("/v1/products/export?partner_name=Acme").status_code == 404
    assert api.asking(api.key("Acme", "feeds:read")).get("/v1/products/export").status_code == 403


def _lines(api: Api, query: str) -> list[str]:
    return api.get(f"/v1/products/export?{query}").text.splitlines()


def test_products_of_a_feed_are_listed(api: Api, catalog: str):
    found = api.get(f"/v1/products/by-feed/{catalog}?limit=2&count=true").json()
    assert (found["count"], len(found["items"])) == (3, 2)
    assert api.get(f"/v1/products/by-feed/feed_{'0' * 32}").status_code == 404


def test_prices_are_sorted_within_a_currency_or_partner_only(api: Api):
    answer = api.get("/v1/products?sort_by=price")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["code"] == "needs_currency"


def test_an_order_freezes_its_lines_and_can_be_cancelled_once(api: Api):
    items = [{"product_id": api.product("A-1"), "quantity": 2}]
    placed = api.post(
        "/v1/orders", {"customer_reference": "web-1", "metadata": {"gift": "yes"}, "items": items}
    )
    assert placed.status_code == 201
    order = placed.json()
    assert (order["total_amount"], order["currency"], order["status"]) == (
        "25.00",
        "USD",
        "created",
    )
    assert order["refunded_amount"] == "0.00"
    assert order["items"][0]["unit_price"] == "12.50"
    assert placed.headers["Location"] == f"/v1/orders/{order['order_id']}"
    assert api.get(f"/v1/orders/{order['order_id']}").json() == order
    assert api.get(f"/v1/products/{api.product('A-1')}").json()["available"] == 5

    assert api.post(f"/v1/orders/{order['order_id']}/cancel").json()["status"] == "cancelled"
    again = api.post(f"/v1/orders/{order['order_id']}/cancel")
    assert (again.status_code, again.json()["code"]) == (409, "order_cancelled")


def test_a_product_is_ordered_by_partner_and_sku_too(api: Api):
    acme = api.commerce.partners.get("Acme").partner_id
    item = {"partner_id": acme, "sku": "A-2", "quantity": 1}
    assert api.post("/v1/orders", {"items": [item]}).json()["total_amount"] == "80.00"


def test_every_fault_of_an_order_is_reported(api: Api):
    answer = api.post(
        "/v1/orders",
        {
            "items": [
                {"product_id": f"prod_{'0' * 32}", "quantity": 1},
                {"product_id": "nonsense", "quantity": 1},
                {"product_id": api.product("A-3"), "quantity": 1},
                {"product_id": api.product("A-2"), "quantity": 3},
                {"product_id": api.product("A-1", "Other"), "quantity": 1},
            ]
        },
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "order_refused")
    assert [(f["pointer"], f["code"]) for f in answer.json()["errors"]] == [
        ("/items/0/product_id", "unknown_product"),
        ("/items/1/product_id", "unknown_product"),
        ("/items/2/product_id", "not_sellable"),
        ("/items/3/quantity", "insufficient_stock"),
        ("/items", "mixed_currencies"),
    ]
    assert api.get("/v1/orders").json()["items"] == []


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, ["/items"]),
        ({"items": []}, ["/items"]),
        ({"items": {}}, ["/items"]),
        ({"items": [7]}, ["/items/0"]),
        (
            {"items": [{"quantity": "2"}, {"quantity": True}]},
            ["/items/0/quantity", "/items/1/quantity"],
        ),
        (
            {"items": [{"quantity": 0, "product_id": "x"}]},
            ["/items/0/product_id", "/items/0/quantity"],
        ),
        ({"items": [{"quantity": 1.0}]}, ["/items/0/quantity"]),
        (
            {"items": [{"quantity": 10**30, "product_id": "x"}]},
            ["/items/0/product_id", "/items/0/quantity"],
        ),
        ({"items": [{"qty": 1}]}, ["/items/0/quantity", "/items/0/qty"]),
        ({"items": [{"quantity": 1}], "metadata": {"a/b": 1}}, ["/metadata/a~1b"]),
        ({"items": [{"quantity": 1}], "customer_reference": 5}, ["/customer_reference"]),
        ({"items": [{"quantity": 1, "sku": "\0"}]}, ["/items/0/sku"]),
        ([], [""]),
    ],
)
def test_an_order_of_wrong_types_is_reported_where(api: Api, body: object, pointers: list[str]):
    answer = api.post("/v1/orders", body)
    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json()["errors"]] == pointers


def test_orders_are_found_by_partner_status_reference_and_time(api: Api):
    for reference, sku, partner in [("one", "A-1", "Acme"), ("two", "A-1", "Other")]:
        item = {"product_id": api.product(sku, partner), "quantity": 1}
        api.post("/v1/orders", {"customer_reference": reference, "items": [item]})
    for query, references in [
        ("limit=5", ["one", "two"]),
        ("partner_name=Acme", ["one"]),
        ("customer_reference=two", ["two"]),
        ("status=created", ["one", "two"]),
        ("status=cancelled", []),
        ("to=2020-01-01", []),
    ]:
        found = api.get(f"/v1/orders?{query}").json()["items"]
        assert sorted(order["customer_reference"] for order in found) == references, query


def test_a_partner_sees_its_own_lines_only(api: Api):
    api.ingest("Other", b"sku,product_name,price,currency\nB-1,Bed,100,USD\n")
    items = [
        {"product_id": api.product("A-1"), "quantity": 1},
        {"product_id": api.product("B-1", "Other"), "quantity": 1},
    ]
    order = api.post("/v1/orders", {"items": items}).json()
    acme = api.asking(api.key("Acme", "orders:read", "orders:write"))
    seen = acme.get(f"/v1/orders/{order['order_id']}").json()
    assert [item["sku"] for item in seen["items"]] == ["A-1"]
    assert seen["total_amount"] == "12.50"
    assert acme.post(f"/v1/orders/{order['order_id']}/cancel").status_code == 403


def test_reports_tell_of_every_partner_and_currency(api: Api):
    for sku, partner in [("A-1", "Acme"), ("A-1", "Other")]:
        item = {"product_id": api.product(sku, partner), "quantity": 2}
        api.post("/v1/orders", {"items": [item]})
    by_partner = api.get("/v1/analytics/sales-by-partner").json()
    assert by_partner["tz"] == "UTC"
    assert [(row["partner_name"], row["total_sales"]) for row in by_partner["results"]] == [
        ("Other", "60.00"),
        ("Acme", "25.00"),
    ]
    share = api.get("/v1/analytics/revenue-share?currency=USD").json()["results"]
    assert [row["revenue_pct"] for row in share] == ["100.00"]
    days = api.get("/v1/analytics/sales-over-time?grain=daily&partner_name=Acme").json()["results"]
    assert sum(row["units_sold"] for row in days) == 2


@pytest.mark.parametrize(
    "path",
    [
        "summary", "sales-by-partner", "sales-over-time", "revenue-share", "top", "top-products",
        "top?by=brand&measure=units", "hours", "rules", "refunds", "summary?compare=dates",
        "summary?basis=order",
    ],
)  # fmt: skip
def test_each_report_is_json_or_csv_and_complete_to_a_moment(api: Api, path: str):
    order = {"items": [{"product_id": api.product("A-1", "Acme"), "quantity": 2}]}
    api.post("/v1/orders", order)
    report = api.get(f"/v1/analytics/{path}").json()
    assert report["complete_to"] <= report["to"]
    assert report["basis"] == ("order" if "basis" in path else "event")
    sign = "&" if "?" in path else "?"
    answer = api.get(f"/v1/analytics/{path}{sign}format=csv")
    assert answer.headers["content-type"].startswith("text/csv")
    assert len(answer.text.splitlines()) == 1 + len(report["results"])


def test_price_rules_are_reported_to_the_operator_alone(api: Api):
    acme = api.asking(api.key("Acme", "analytics:read"))
    assert acme.get("/v1/analytics/summary").status_code == 200
    assert acme.get("/v1/analytics/rules").status_code == 403


def test_a_partner_does_not_learn_when_others_began_to_sell(api: Api):
    for sku, partner in [("A-1", "Other"), ("A-1", "Acme")]:
        item = {"product_id": api.product(sku, partner), "quantity": 1}
        last = api.post("/v1/orders", {"items": [item]}).json()
    acme = api.asking(api.key("Acme", "analytics:read"))
    assert acme.get("/v1/analytics/sales-over-time").json()["from"] == last["created_at"]


def test_days_of_a_report_are_those_of_its_time_zone(api: Api):
    report = api.get(
        "/v1/analytics/sales-over-time?from=2026-03-01&to=2026-04-01&tz=Europe/Rome&grain=monthly"
    ).json()
    assert (report["from"], report["to"]) == ("2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z")
    assert report["tz"] == "Europe/Rome"


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("tz=Mars/Base", "/tz"),
        ("tz=../etc/passwd", "/tz"),
        ("currency=XYZ", "/currency"),
        ("from=2026-02-01&to=2026-01-01", "/from"),
        ("from=1800-01-01", "/from"),
        ("from=2026-02-30", "/from"),
        ("grain=yearly", "/grain"),
        ("from=1900-01-01&grain=hour", "/grain"),
    ],
)
def test_a_report_that_cannot_be_made_is_refused_as_a_bad_query(api: Api, query: str, pointer: str):
    item = {"product_id": api.product("A-1"), "quantity": 1}
    api.post("/v1/orders", {"items": [item]})
    answer = api.get(f"/v1/analytics/sales-over-time?{query}")
    assert answer.status_code == 400
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]
