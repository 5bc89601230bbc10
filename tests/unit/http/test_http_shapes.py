"""The names that clients rely on: each shape has at least these. A name may be added, none goes."""

import json
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from commerce_core.catalog.product import Product
from entrypoints import shapes as json_shapes
from tests.unit.http.conftest import Api

NAMES = {
    "upload": "feed_id job_id partner_id source_id status sha256 bytes links",
    "partner": """partner_id partner_name status currency time_zone contact_email created_at
        updated_at""",
    "feed": """feed_id partner_id partner_name source_id file_name content_type bytes sha256 mode
        status received_at snapshot_at applied_at latest_job""",
    "job": """job_id feed_id partner_id kind status released outcome attempts created_at started_at
        finished_at progress summary error""",
    "progress": "stage bytes_read bytes_total records",
    "summary": """records_read created updated restored unchanged deleted folded skipped rejected
        duplicate overtaken blank absent removed warnings problems_by_code unused_columns stages""",
    "stage": "name seconds records",
    "error": "code message",
    "problem": "line column field code value hint severity",
    "key": "key_id partner_id scopes created_at revoked_at secret",
    "product": """product_id partner_id partner_name source_id sku product_name group_id options
        description brand condition category gtin mpn price currency sale_price sale_starts_at
        sale_ends_at availability quantity weight product_url image_url additional_image_urls status
        sellable not_sellable_reason available feed_id line version created_at updated_at""",
    "order": """order_id status customer_reference currency total_amount refunded_amount items
        created_at updated_at""",
    "item": """item_id product_id product_version partner_id sku product_name quantity list_price
        unit_price line_total adjustments""",
    "report": "from to tz results",
    "by partner": "partner_id partner_name currency orders units_sold gross_sales total_sales",
    "over time": """sales_period partner_id partner_name currency orders units_sold gross_sales
        total_sales""",
    "share": "partner_id partner_name currency total_revenue revenue_pct",
    "page": "items next_cursor count",
    "health": "status parts",
    "refusal": "type title status detail instance code errors request_id",
}


@pytest.fixture
def shapes(api: Api, acme: str) -> dict[str, Any]:
    """One of each."""
    upload = api.upload(b"sku,product_name,price\nA-1,Lamp,12.5\nA-2,Chair,x\n", partner_id=acme)
    receipt = upload.json()
    api.commerce.jobs.run(receipt["job_id"])
    empty = api.upload(b"\n", partner_id=acme).json()
    api.commerce.jobs.run(empty["job_id"])
    job = api.get(f"/v1/jobs/{receipt['job_id']}").json()
    items = [{"product_id": api.product(), "quantity": 1}]
    order = api.post("/v1/orders", {"items": items}).json()
    by_partner = api.get("/v1/analytics/sales-by-partner").json()
    return {
        "upload": receipt,
        "partner": api.get(f"/v1/partners/{acme}").json(),
        "feed": api.get(f"/v1/feeds/{receipt['feed_id']}").json(),
        "job": job,
        "progress": job["progress"],
        "summary": job["summary"],
        "stage": job["summary"]["stages"][0],
        "error": api.get(f"/v1/jobs/{empty['job_id']}").json()["error"],
        "problem": api.get(f"/v1/jobs/{receipt['job_id']}/problems").json()["items"][0],
        "key": api.post(f"/v1/partners/{acme}/keys").json(),
        "product": api.get(f"/v1/products/{api.product()}").json(),
        "order": order,
        "item": order["items"][0],
        "report": by_partner,
        "by partner": by_partner["results"][0],
        "over time": api.get("/v1/analytics/sales-over-time").json()["results"][0],
        "share": api.get("/v1/analytics/revenue-share").json()["results"][0],
        "page": api.get("/v1/products?count=true").json(),
        "health": api.get("/v1/health").json(),
        "refusal": api.get("/v1/nowhere").json(),
    }


def test_every_shape_has_the_names_that_clients_rely_on(shapes: dict[str, Any]):
    missing = {
        shape: lacking
        for shape, names in NAMES.items()
        if (lacking := set(names.split()) - shapes[shape].keys())
    }
    assert missing == {}


def test_amounts_are_text_with_their_currencys_decimals(shapes: dict[str, Any]):
    assert shapes["product"]["price"] == "12.50"
    assert shapes["order"]["total_amount"] == "12.50"
    assert shapes["item"]["line_total"] == "12.50"
    assert shapes["by partner"]["total_sales"] == "12.50"
    assert shapes["share"]["revenue_pct"] == "100.00"


def test_times_are_in_utc_and_say_so(shapes: dict[str, Any]):
    for shape in ("partner", "feed", "job", "product", "order", "report"):
        for name in ("created_at", "received_at", "from"):
            if name in shapes[shape]:
                assert shapes[shape][name].endswith("Z")


def test_a_time_of_any_zone_is_shown_in_utc():
    at = datetime(2026, 6, 17, 16, 0, 0, 120, tzinfo=timezone(timedelta(hours=2)))
    product = Product(
        product_id="p",
        partner_id="p",
        partner_name="A",
        source_id="s",
        sku="1",
        product_name="L",
        price=Decimal("1E+2"),
        weight=Decimal("0.0000001"),
        feed_id="f",
        line=1,
        publication_id="1",
        created_at=at,
        updated_at=at,
    )
    shown = json.loads(json_shapes.encoded(product))
    assert shown == json_shapes.shape(product)
    assert shown["created_at"] == "2026-06-17T14:00:00.000120Z"
    assert (shown["price"], shown["weight"]) == ("100", "0.0000001")
    assert "held" not in shown
