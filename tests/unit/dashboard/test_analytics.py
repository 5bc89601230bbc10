"""Reports on pages: their figures, their range and how complete they are, and each as CSV."""

import pytest

from tests.support.browsing import found
from tests.unit.dashboard.conftest import Site

REPORTS = ("", "/top", "/hours", "/refunds", "/rules")


@pytest.mark.parametrize("end", REPORTS)
def test_each_report_states_its_range_its_zone_and_how_complete_it_is(full: Site, end: str):
    text = full.visitor().get(f"/analytics{end}?tz=Europe/Rome").text
    assert "in Europe/Rome; complete up to " in text
    assert ' aria-current="true">30 days' in text


@pytest.mark.parametrize(
    ("end", "header"),
    [
        ("", "sales_period,partner_id,"),
        ("/top", "rank,name,product_id,"),
        ("/hours", "weekday,hour,currency,"),
        ("/refunds", "kind,reason,currency,"),
        ("/rules", "rule_id,rule_name,currency,"),
    ],
)
def test_each_report_is_a_csv_file(full: Site, end: str, header: str):
    order = next(full.commerce.orders.list(partner="Acme"))
    full.commerce.orders.cancel(order.order_id)
    visitor = full.visitor()
    page = visitor.get(f"/analytics{end}?range=7d")
    (link,) = [link for link in found(page).links if "format=csv" in link]
    answer = visitor.get(link)
    assert answer.text.startswith(header)
    assert len(answer.text.splitlines()) > 1
    assert answer.headers["content-disposition"].startswith("attachment")


def test_the_overview_counts_an_order_of_two_partners_once(full: Site):
    lamps = [
        (full.commerce.products.get(partner=p, sku=sku).product_id, 1)
        for p, sku in (("Acme", "ACM-3"), ("Zebra Secrets", "ZEB-3"))
    ]
    full.commerce.orders.place(lamps)
    assert "<b>3</b><span>orders</span>" in full.visitor().get("/analytics").text


def test_it_is_compared_with_the_period_before(full: Site):
    text = full.visitor().get("/analytics?compare=dates").text
    assert "Compared with " in text
    assert "against 0.00 before" in text
    assert "Compared with " not in full.visitor().get("/analytics").text


def test_ranks_and_their_figures(full: Site):
    visitor = full.visitor()
    by_net = visitor.get("/analytics/top").text
    assert by_net.index("ACM Lamp 1") < by_net.index("ACM Lamp 2")
    brands = visitor.get("/analytics/top?by=brand&measure=units").text
    assert "<bdi>Brass</bdi>" in brands


def test_hours_are_a_week_of_local_hours(full: Site):
    text = full.visitor().get("/analytics/hours").text
    assert text.count('<th scope="row">') == 7
    assert "Most is sold on " in text


def test_filters_stay_from_report_to_report(full: Site):
    page = full.visitor().get("/analytics?range=7d&tz=Europe/Rome&partner_name=Acme")
    shared = "?range=7d&tz=Europe%2FRome&partner_name=Acme"
    assert f"/analytics/top{shared}" in found(page).links


def test_rules_are_the_operators(full: Site):
    partner = full.visitor("Acme")
    assert "/analytics/rules" not in partner.get("/analytics").text
    assert partner.get("/analytics/rules").status_code == 403


def test_what_isnt_a_zone_or_a_currency_is_refused(full: Site):
    visitor = full.visitor()
    assert visitor.get("/analytics?tz=Mars/Olympus").status_code == 400
    assert visitor.get("/analytics/hours?tz=Mars/Olympus").status_code == 400
    assert visitor.get("/analytics?currency=beads").status_code == 422
    assert visitor.get("/analytics?from=2026-11-03&to=2026-11-01").status_code == 422
