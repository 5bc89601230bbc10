"""What events contain is what their schemas declare, in samples and in what is announced."""

import io
import secrets
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from attrs import evolve

from commerce_core.activity.event_schemas import EVENT_SCHEMAS, sample_event
from commerce_core.activity.events import EVENT_KINDS, EventKind
from commerce_core.commerce import Commerce
from commerce_core.orders.order import OrderTerms
from commerce_core.orders.wanted import Wanted
from tests.support.announcements import check, check_announced
from tests.support.receivers import URL, receivers

NOW = datetime(2026, 6, 17, 4, tzinfo=UTC)
FEEDS = ("feed", "catalog", "stock")
"""What other tests in this folder announce and check."""


def test_every_kind_has_a_schema():
    assert set(EVENT_SCHEMAS) == set(EVENT_KINDS)


@pytest.mark.parametrize("kind", [kind for kind in EVENT_KINDS if kind.startswith(FEEDS)])
def test_what_is_announced_of_feeds_is_checked_where_it_happens(kind: EventKind):
    """In a test that names the kind, and compares what was announced with the schemas."""
    tests = (path.read_text("utf-8") for path in Path(__file__).parent.rglob("test_*.py"))
    assert any("check_announced(" in text and f'"{kind}"' in text for text in tests)


@pytest.mark.parametrize("kind", EVENT_KINDS)
def test_samples_match_their_schemas(kind: EventKind):
    check(sample_event(kind, "evt_1", NOW, None, secrets.token_bytes))
    partners = sample_event(kind, "evt_1", NOW, "ptn_1", secrets.token_bytes)
    assert partners.partner_ids == ("ptn_1",)


def test_what_is_announced_of_orders_money_and_webhooks_matches_its_schema():
    """As the operator sees it, and as the partner does."""
    with receivers() as made:
        commerce = made.commerce
        commerce.feeds.load(io.BytesIO(b"sku,title,price,quantity\nA,Lamp,5,9\n"), partner="Acme")
        lamp = Wanted(2, commerce.products.get(partner="Acme", sku="A").product_id)
        sent, cancelled = (commerce.orders.place([lamp]).order_id for _ in range(2))
        commerce.orders.confirm(sent)
        (part,) = commerce.orders.fulfil(sent).parts
        commerce.orders.cancel_fulfilment(part.fulfilments[0].fulfilment_id)
        commerce.orders.fulfil(sent)
        commerce.orders.refund(sent, reason="broken")
        commerce.orders.cancel(cancelled)
        short = evolve(commerce.context, orders=OrderTerms(timedelta(hours=1)))
        Commerce(short).orders.place([lamp])
        commerce.statements.pay_out(
            "Acme", Decimal(1), currency="EUR", reference="SEPA 1", advance=True
        )
        made.later(timedelta(days=40))
        assert commerce.orders.expire_due() == 1
        commerce.statements.close(partner="Acme")
        webhook = commerce.webhooks.add(URL, kinds=["order.created"]).webhook
        commerce.orders.place([lamp])
        made.answer(410)
        made.deliver()
        commerce.webhooks.change(webhook.webhook_id, status="active")
        kinds = check_announced(commerce)
    expected = {kind for kind in EVENT_KINDS if not kind.startswith(FEEDS)}
    assert {kind for kind in kinds if not kind.startswith(FEEDS)} == expected
