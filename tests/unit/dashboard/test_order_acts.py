"""Acts on orders: the plan stands before the button, and the button does what the plan showed."""

from decimal import Decimal
from typing import get_args

import pytest
from httpx import Response

from commerce_core.orders.acts import AnyAsked
from commerce_core.orders.order import Order
from entrypoints.dashboard.pages.order_acts import ROUTES, VERBS, Choice, asked_for
from tests.support.browsing import Form, Visitor, found
from tests.unit.dashboard.conftest import Site, products


def test_every_act_on_orders_has_a_page():
    made = {type(asked_for(verb, Choice())) for verb in VERBS}
    assert made == set(get_args(AnyAsked))
    assert {f"/orders/{{order_id:str}}/{verb}" for verb in VERBS} <= {
        r.opt["page"].path for r in ROUTES
    }


@pytest.fixture
def order(site: Site) -> Order:
    """3 lamps of Acme at 10.00 and 2 of Zebra at 20.00."""
    site.commerce.partners.add("Zebra", currency="EUR")
    site.load(products(2, "ACM"))
    site.load(products(2, "ZEB", "20"), "Zebra")
    wanted = [
        (site.commerce.products.get(partner=partner, sku=sku).product_id, quantity)
        for partner, sku, quantity in (("Acme", "ACM-1", 3), ("Zebra", "ZEB-1", 2))
    ]
    return site.commerce.orders.place(wanted, reference="web-7")


def button(page: Response) -> Form:
    """The form of the page's act."""
    path = page.url.path
    return next(f for f in found(page).forms if f.method == "post" and f.action == path)


def press(visitor: Visitor, page: Response, **more: str) -> Response:
    form = button(page)
    return visitor.client.post(form.action, data={**form.fields, **more})


def line(order: Order, sku: str) -> str:
    return next(item.item_id for item in order.items if item.sku == sku)


class TestTheWholeOrder:
    def test_is_confirmed_fulfilled_and_refunded_by_pages_alone(self, site: Site, order: Order):
        visitor, path = site.visitor(), f"/orders/{order.order_id}"
        shown = visitor.get(path).text
        assert [f'href="{path}/{verb}"' in shown for verb in ("confirm", "refund")] == [True, True]
        assert press(visitor, visitor.get(f"{path}/confirm")).headers["location"] == path
        assert site.commerce.orders.get(order.order_id).status == "confirmed"
        sent = press(visitor, visitor.get(f"{path}/fulfil"), carrier="DHL", tracking_number="0034")
        assert sent.status_code == 303
        assert "by <bdi>DHL</bdi>" in visitor.get(path).text
        plan = visitor.get(f"{path}/refund")
        assert "70.00 EUR go back" in plan.text
        assert press(visitor, plan, reason="The parcel was lost").status_code == 303
        after = site.commerce.orders.get(order.order_id)
        assert (after.status, after.refunded_amount) == ("refunded", Decimal("70.00"))
        assert "The parcel was lost" in visitor.get(path).text

    def test_a_plan_changes_nothing(self, site: Site, order: Order):
        visitor = site.visitor()
        for verb in ("confirm", "fulfil", "cancel", "refund"):
            assert visitor.get(f"/orders/{order.order_id}/{verb}").status_code == 200
        assert site.commerce.orders.get(order.order_id) == order


class TestAPart:
    def test_is_cancelled_with_what_each_partner_is_owed(self, site: Site, order: Order):
        visitor, zebra = site.visitor(), order.items[1].partner_id
        page = visitor.get(f"/orders/{order.order_id}/cancel?partner_id={zebra}")
        assert '<td><bdi>Zebra</bdi></td><td class="num">-40.00 EUR</td>' in page.text
        assert "-30.00" not in page.text
        assert press(visitor, page).status_code == 303
        acme, own = site.commerce.orders.get(order.order_id).parts
        assert (acme.status, own.status) == ("created", "cancelled")

    def test_of_a_partner_is_all_that_it_acts_on(self, site: Site, order: Order):
        visitor = site.visitor("Zebra", "orders:read", "orders:act")
        page = visitor.get(f"/orders/{order.order_id}/confirm")
        assert "Acme" not in page.text
        assert press(visitor, page).status_code == 303
        acme, own = site.commerce.orders.get(order.order_id).parts
        assert (acme.status, own.status) == ("created", "confirmed")
        other = visitor.get(f"/orders/{order.order_id}/cancel?partner_id={acme.partner_id}")
        assert other.status_code == 422
        assert "The order has no part of" in other.text


class TestUnits:
    def test_of_lines_are_chosen_and_only_these_go_back(self, site: Site, order: Order):
        visitor, lamp = site.visitor(), line(order, "ACM-1")
        page = visitor.get(f"/orders/{order.order_id}/refund?chosen=true&units.{lamp}=2")
        assert "20.00 EUR go back" in page.text
        assert press(visitor, page, reason="Broken").status_code == 303
        after = site.commerce.orders.get(order.order_id)
        assert after.refunded_amount == Decimal("20.00")
        assert after.items[0].cancelled == 2

    def test_none_chosen_is_not_all(self, site: Site, order: Order):
        visitor, lamp = site.visitor(), line(order, "ACM-1")
        for query in ("chosen=true", f"chosen=true&units.{lamp}=0"):
            page = visitor.get(f"/orders/{order.order_id}/cancel?{query}")
            assert "Choose at least one unit" in page.text
            assert not [
                f for f in found(page).forms if f.action.endswith("/cancel") and f.method == "post"
            ]
        sent = visitor.send(f"/orders/{order.order_id}/cancel", chosen="true", version="1")
        assert sent.status_code == 422
        assert site.commerce.orders.get(order.order_id) == order

    def test_beyond_what_there_is_are_refused_with_the_reason(self, site: Site, order: Order):
        lamp = line(order, "ACM-1")
        page = site.visitor().get(f"/orders/{order.order_id}/cancel?chosen=true&units.{lamp}=4")
        assert page.status_code == 409
        assert "4 were asked for, but 3 units of ACM-1 can be cancelled" in page.text

    def test_that_came_back_can_be_sold_again(self, site: Site, order: Order):
        visitor = site.visitor()
        site.commerce.orders.fulfil(order.order_id)
        lamp = line(order, "ACM-1")
        query = f"chosen=true&units.{lamp}=1&returned=true&restock=true"
        page = visitor.get(f"/orders/{order.order_id}/refund?{query}")
        assert '<td class="num">2</td><td class="num">3</td>' in page.text
        assert press(visitor, page, reason="Returned").status_code == 303
        assert site.commerce.products.get(partner="Acme", sku="ACM-1").available == 3


class TestAnAmount:
    def test_goes_back_without_units_up_to_what_is_left(self, site: Site, order: Order):
        visitor, path = site.visitor(), f"/orders/{order.order_id}/refund?by=amount"
        assert "Enter the amount" in visitor.get(path).text
        beyond = visitor.get(f"{path}&chosen=true&amount=70.01")
        assert beyond.status_code == 409
        assert "70.01 EUR is more than the 70.00 that are left" in beyond.text
        page = visitor.get(f"{path}&chosen=true&amount=70.00")
        assert press(visitor, page, reason="Sorry").status_code == 303
        assert site.commerce.orders.get(order.order_id).refundable_amount == 0


class TestTwoWindows:
    def test_a_second_click_does_nothing_twice(self, site: Site, order: Order):
        visitor = site.visitor()
        page = visitor.get(f"/orders/{order.order_id}/refund?by=amount&chosen=true&amount=5.00")
        assert press(visitor, page, reason="Sorry").status_code == 303
        again = press(visitor, page, reason="Sorry")
        assert again.status_code == 412
        assert "has version 2, not 1" in again.text
        assert site.commerce.orders.get(order.order_id).refunded_amount == Decimal("5.00")

    def test_a_plan_of_an_older_state_is_refused_and_leads_back(self, site: Site, order: Order):
        visitor = site.visitor()
        page = visitor.get(f"/orders/{order.order_id}/cancel")
        site.commerce.orders.fulfil(order.order_id, {line(order, "ACM-1"): 1})
        form = button(page)
        back = str(page.url)
        late = visitor.client.post(form.action, data=form.fields, headers={"Referer": back})
        assert late.status_code == 412
        assert f'href="{page.url.path}"' in late.text
        other = {"Referer": "https://evil.example/orders"}
        foreign = visitor.client.post(form.action, data=form.fields, headers=other)
        assert ">Look at it again</a>" not in foreign.text
        assert "evil.example" not in foreign.text


def test_a_fulfilment_is_cancelled(site: Site, order: Order):
    visitor = site.visitor()
    sent = site.commerce.orders.fulfil(order.order_id, {line(order, "ACM-1"): 2})
    path = f"/fulfilments/{sent.fulfilments[0].fulfilment_id}/cancel"
    assert visitor.send(path, version="1").status_code == 412
    assert visitor.send(path, version="2").headers["location"] == f"/orders/{order.order_id}"
    assert site.commerce.orders.get(order.order_id).items[0].open == 3


def test_a_finished_order_offers_no_act(site: Site, order: Order):
    site.commerce.orders.cancel(order.order_id)
    visitor = site.visitor()
    assert "…</a>" not in visitor.get(f"/orders/{order.order_id}").text
    late = visitor.get(f"/orders/{order.order_id}/fulfil")
    assert late.status_code == 409
    assert "is cancelled, so nothing of it can be fulfilled" in late.text


def test_the_page_offers_its_request_with_its_body(site: Site, order: Order):
    lamp = line(order, "ACM-1")
    page = site.visitor().get(f"/orders/{order.order_id}/cancel?chosen=true&units.{lamp}=2").text
    assert f"orders cancel {order.order_id} --item {lamp}=2 --plan" in page
    assert "--json" in page


def test_the_price_is_explained_as_a_tree(full: Site):
    order = next(full.commerce.orders.list(partner="Acme"))
    text = full.visitor().get(f"/orders/{order.order_id}").text
    assert "Spring took" in text
    assert "paid for by" in text
