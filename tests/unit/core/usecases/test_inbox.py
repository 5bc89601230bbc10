"""The inbox has what needs a person, once for each cause, until the cause is over."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from attrs import define, evolve

from adapters.memory.mail import MemoryMail
from commerce_core.activity.audit import AuditQuery
from commerce_core.activity.inbox import (
    LEAST_REJECTED,
    LONGEST_CAUSE_ID,
    LONGEST_SNOOZE,
    InboxItem,
    InboxQuery,
    Mark,
    RejectCounts,
)
from commerce_core.analytics.statement import Statement
from commerce_core.base.errors import InvalidInput, NotFound
from commerce_core.commerce import Commerce
from commerce_core.schema.fields import Mode
from entrypoints.compose import open_platform
from entrypoints.settings import Settings
from tests.contracts.statements_contract import statement

HEADER = "sku,product_name,price,currency,quantity\n"
ALL = InboxQuery(None)


@define
class Clock:
    """The platform's own clock, moved on by a test; feeds have a time budget by the real one."""

    ahead: timedelta = timedelta()

    @property
    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def commerce(clock: Clock) -> Iterator[Commerce]:
    with open_platform(Settings(database_url="memory:")) as commerce:
        platform = Commerce(evolve(commerce.context, clock=clock))
        platform.partners.add("Acme", currency="EUR")
        platform.partners.add("Birch", currency="EUR")
        yield platform


def load(commerce: Commerce, *rows: str, partner: str = "Acme", mode: Mode = "full") -> str:
    content = (HEADER + "".join(f"{row}\n" for row in rows)).encode()
    return commerce.feeds.load(io.BytesIO(content), partner=partner, mode=mode).feed_id


def products(count: int, price: str = "10") -> list[str]:
    return [f"A-{n},Lamp {n},{price},EUR,5" for n in range(count)]


def items(commerce: Commerce, query: InboxQuery = ALL) -> list[InboxItem]:
    return list(commerce.inbox.get(query).items)


def as_partner(commerce: Commerce, name: str) -> Commerce:
    return commerce.authenticated(commerce.keys.add(partner=name).secret)


def held(commerce: Commerce, partner: str = "Acme") -> str:
    load(commerce, *products(120), partner=partner)
    return load(commerce, *products(12), partner=partner)


def test_nothing_needs_a_person_at_first(commerce: Commerce):
    load(commerce, *products(3))
    assert items(commerce) == []


def test_a_held_feed_is_an_item_until_it_is_decided(commerce: Commerce):
    feed_id = held(commerce)
    (item,) = items(commerce)
    assert (item.cause_id, item.kind, item.products) == (f"held:{feed_id}", "held", 108)
    assert (item.partner_name, item.subjects) == ("Acme", (feed_id,))
    assert "108 of 120 products would be removed" in item.reason
    commerce.plans.reject(feed_id)
    assert items(commerce) == []


def test_equal_failures_are_one_item_until_a_feed_is_applied(commerce: Commerce):
    """Two thousand failures of three causes are three items; here it is three of two."""
    for content in (b"", b"", b"<html><body>Log in</body></html>"):
        commerce.feeds.load(io.BytesIO(content or b"\n\n"), partner="Acme")
    found = items(commerce)
    assert sorted((item.kind, item.count) for item in found) == [("failed", 1), ("failed", 2)]
    load(commerce, *products(1))
    assert items(commerce) == []


def test_failures_of_long_ago_are_no_items(commerce: Commerce, clock: Clock):
    commerce.feeds.load(io.BytesIO(b"\n\n"), partner="Acme")
    assert len(items(commerce)) == 1
    clock.ahead += timedelta(days=15)
    assert items(commerce) == []


def test_rising_rejects_are_an_item(commerce: Commerce):
    load(commerce, *products(40))
    bad = [f"B-{n},Chair,4,20" for n in range(9)]
    load(commerce, *products(40), *bad, mode="delta")
    (item,) = items(commerce)
    assert (item.kind, item.title) == ("rejects", "9 of 49 records rejected")
    load(commerce, *products(40))
    assert items(commerce) == []


def test_rejects_rise_only_beyond_what_is_usual():
    at = datetime(2026, 11, 29, tzinfo=UTC)
    usual = RejectCounts("ptn", "src", "feed", at, 100, 10, 100, 5)
    assert usual.has_risen
    assert not evolve(usual, rejected_before=6).has_risen
    assert not evolve(usual, records_before=0, rejected_before=0).has_risen
    assert not evolve(usual, rejected=LEAST_REJECTED - 1, rejected_before=0).has_risen
    assert evolve(usual, rejected=LEAST_REJECTED, rejected_before=0).has_risen


def test_oversold_products_of_a_partner_are_one_item(commerce: Commerce):
    load(commerce, *products(3))
    sold = [commerce.products.get(partner="Acme", sku=f"A-{n}").product_id for n in (0, 1)]
    commerce.orders.place([(product_id, 5) for product_id in sold])
    load(commerce, *(row.replace(",5", ",2") for row in products(3)))
    (item,) = items(commerce)
    assert (item.kind, item.count, set(item.subjects)) == ("oversold", 2, set(sold))
    assert [sales.currency for sales in item.a_day] == ["EUR"]
    load(commerce, *products(3))
    assert items(commerce) == []


def test_an_item_is_acknowledged_until_its_cause_occurs_again(commerce: Commerce):
    commerce.feeds.load(io.BytesIO(b"\n\n"), partner="Acme")
    (item,) = items(commerce)
    assert commerce.inbox.mark(item.cause_id, acknowledged=True, note="asked").state == (
        "acknowledged"
    )
    assert items(commerce, InboxQuery()) == []
    assert commerce.inbox.get().acknowledged == 1
    commerce.feeds.load(io.BytesIO(b"\n\n\n"), partner="Acme")
    (again,) = items(commerce, InboxQuery())
    assert (again.count, again.note) == (2, "asked")
    assert commerce.inbox.mark(again.cause_id, assignee="Ada").state == "open"


def test_an_item_is_snoozed_until_its_time(commerce: Commerce, clock: Clock):
    feed_id = held(commerce)
    until = clock.now + timedelta(hours=2)
    marked = commerce.inbox.mark(f"held:{feed_id}", snoozed_until=until, assignee="Ada")
    assert (marked.state, marked.assignee) == ("snoozed", "Ada")
    assert items(commerce, InboxQuery(None, assignee="Grace")) == []
    clock.ahead += timedelta(hours=3)
    (item,) = items(commerce, InboxQuery())
    assert (item.state, item.assignee) == ("open", "Ada")
    assert commerce.inbox.mark(item.cause_id, assignee="").assignee is None


def test_a_mark_is_in_the_audit(commerce: Commerce):
    feed_id = held(commerce)
    commerce.inbox.mark(f"held:{feed_id}", acknowledged=True)
    (entry,) = commerce.audit.list(AuditQuery(action="inbox.marked"))
    assert entry.subjects == (feed_id,)


def test_partners_see_and_mark_only_their_own(commerce: Commerce):
    """A partner's mark doesn't hide the item from the operator, nor the other way round."""
    feed_id = held(commerce)
    held(commerce, "Birch")
    acme = as_partner(commerce, "Acme")
    (item,) = acme.inbox.get().items
    assert item.subjects == (feed_id,)
    acme.inbox.mark(item.cause_id, acknowledged=True)
    assert acme.inbox.get().open == 0
    assert commerce.inbox.get().open == 2
    other = next(i for i in items(commerce) if i.partner_name == "Birch")
    with pytest.raises(NotFound):
        acme.inbox.mark(other.cause_id, acknowledged=True)


def test_a_mark_has_limits():
    at = datetime(2026, 11, 29, tzinfo=UTC)
    mark = Mark(owner="", cause_id="a" * LONGEST_CAUSE_ID, actor="key", at=at)
    evolve(mark, snoozed_until=at + LONGEST_SNOOZE, assignee="a" * 100, note="n" * 500)
    for changes in (
        {"cause_id": "a" * (LONGEST_CAUSE_ID + 1)},
        {"cause_id": ""},
        {"snoozed_until": at + LONGEST_SNOOZE + timedelta(seconds=1)},
        {"snoozed_until": at},
        {"snoozed_until": at.replace(tzinfo=None)},
        {"assignee": "a" * 101},
        {"note": "n" * 501},
        {"note": "\0"},
    ):
        with pytest.raises(InvalidInput):
            evolve(mark, **changes)


def differing_statement(commerce: Commerce) -> Statement:
    """A statement of Acme's that was changed by hand after it was closed."""
    acme = commerce.partners.get("Acme").partner_id
    made = evolve(statement(acme), opening=Decimal(0), entries=Decimal(0), payouts=Decimal(0),
                  closing=Decimal(20), entry_count=0)  # fmt: skip
    with commerce.context.store.begin() as unit:
        unit.statements.add(made)
    return made


def test_a_statement_that_differs_is_an_item_of_operators_alone(commerce: Commerce, clock: Clock):
    made = differing_statement(commerce)
    assert commerce.inbox.get().items == ()
    assert commerce.statements.check() == 1
    (item,) = commerce.inbox.get().items
    assert (item.kind, item.severity, item.partner_name) == ("statement", "critical", "Acme")
    assert (item.title, item.subjects) == ("Statement 1 in EUR differs", (made.statement_id,))
    assert item.reason == "A statement's closing: 20; opening + entries - payouts: 0."
    acme = commerce.authenticated(commerce.keys.add(partner="Acme").secret)
    assert acme.inbox.get().items == ()
    assert acme.statements.differences(made.statement_id or "") == ()
    (difference,) = commerce.statements.differences(made.statement_id or "")
    assert difference.identity == "statements_add_up"
    commerce.inbox.mark(item.cause_id, acknowledged=True)
    clock.ahead += timedelta(days=1)
    commerce.statements.check()
    assert commerce.inbox.get().items == ()


def test_a_difference_is_reported_by_mail_with_what_the_partner_sells(commerce: Commerce):
    mail = MemoryMail()
    commerce = Commerce(evolve(commerce.context, mail=mail))
    load(commerce, "A,Lamp,70,EUR,9")
    product = commerce.products.get(partner="Acme", sku="A")
    commerce.orders.place([(product.product_id, 1)])
    differing_statement(commerce)
    commerce.statements.check()
    commerce.alerts.add(recipients=["ops@example.com"])
    commerce.alerting.run()
    (letter,) = mail.letters
    assert letter.subject == "[critical] Statement 1 in EUR differs (Acme)"
    assert "the partner sells 10.00 EUR a day" in letter.text
