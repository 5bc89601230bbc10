"""Everything that the store keeps, by key, and what undoes each write of the open unit."""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import TypeVar

from attrs import frozen

from commerce_core.activity.audit import AuditEntry
from commerce_core.activity.events import Event
from commerce_core.activity.inbox import Mark
from commerce_core.alerts.alert import Alert
from commerce_core.alerts.channel import Channel
from commerce_core.alerts.streak import Streak
from commerce_core.analytics.ledger import SalesEntry
from commerce_core.analytics.reconciliation import StatementDifference
from commerce_core.analytics.statement import Statement
from commerce_core.base.errors import no_such
from commerce_core.base.rates import Bucket
from commerce_core.catalog.product import Product
from commerce_core.catalog.publication import Publication
from commerce_core.feeds.arrival import Arrival
from commerce_core.feeds.bulk_act import BulkAct, BulkItem
from commerce_core.feeds.feed import Feed
from commerce_core.feeds.freshness import Standing
from commerce_core.feeds.job import Job
from commerce_core.feeds.pull import Fetch, Pull
from commerce_core.feeds.remote_file import PulledFile
from commerce_core.feeds.source import Source
from commerce_core.orders.order import Order
from commerce_core.parsing.fingerprints import Fingerprint
from commerce_core.partners.api_key import ApiKey
from commerce_core.partners.partner import Partner
from commerce_core.partners.saved_view import SavedView
from commerce_core.partners.session import Session
from commerce_core.partners.terms import PartnerTerms
from commerce_core.plans.saved_plan import SavedPlan
from commerce_core.pricing.price_list import ListVersion, PriceList
from commerce_core.pricing.rules import PriceRule
from commerce_core.pricing.what_if import WhatIfRun
from commerce_core.profiles.profile import SavedProfile
from commerce_core.schema.problems import Problem
from commerce_core.stock.reservation import Deduction
from commerce_core.webhooks.delivery import Delivery, Try
from commerce_core.webhooks.subscription import Webhook
from commerce_core.work.task import Task

K = TypeVar("K")
T = TypeVar("T")

Journal = list[Callable[[], object]]
"""What undoes each write of a unit, in the order of the writes."""


class Table(dict[K, T]):
    """Rows by key, set and deleted by key only; each write records how to undo it."""

    def __init__(self, journal: Journal) -> None:
        super().__init__()
        self._journal = journal

    def __setitem__(self, key: K, row: T) -> None:
        write = super().__setitem__
        self._journal.append(
            partial(write, key, self[key]) if key in self else partial(self.pop, key)
        )
        write(key, row)

    def __delitem__(self, key: K) -> None:
        self._journal.append(partial(super().__setitem__, key, self[key]))
        super().__delitem__(key)


@frozen
class RuleUse:
    """What an order took from the limits of a price rule, and when it gave that back."""

    order_id: str
    rule_id: str
    customer: str | None
    amount: Decimal
    currency: str
    taken_at: datetime
    given_back_at: datetime | None = None


class Tables:
    """Everything that is kept, and the journal of the open unit."""

    def __init__(self) -> None:  # noqa: PLR0915 - one statement for each table
        self.journal: Journal = []
        self.partners = Table[str, Partner](self.journal)
        self.sources = Table[str, Source](self.journal)
        self.profiles = Table[str, tuple[SavedProfile, ...]](self.journal)
        self.keys = Table[str, ApiKey](self.journal)
        self.sessions = Table[str, Session](self.journal)
        self.marks = Table[tuple[str, str], Mark](self.journal)
        self.rates = Table[tuple[str, str], tuple[Bucket, datetime]](self.journal)
        self.feeds = Table[str, Feed](self.journal)
        self.jobs = Table[str, Job](self.journal)
        self.bulk_acts = Table[str, BulkAct](self.journal)
        self.bulk_items = Table[tuple[str, int], BulkItem](self.journal)
        self.leases = Table[str, datetime](self.journal)
        self.turns = Table[str, str](self.journal)
        self.pulls = Table[str, Pull](self.journal)
        self.fetches = Table[str, Fetch](self.journal)
        self.pulled_files = Table[tuple[str, str, str], PulledFile](self.journal)
        self.arrivals = Table[str, Arrival](self.journal)
        self.standings = Table[str, Standing](self.journal)
        self.tasks = Table[int, Task](self.journal)
        self.task_leases = Table[int, datetime](self.journal)
        self.problems = Table[str, tuple[Problem, ...]](self.journal)
        self.plans = Table[str, SavedPlan](self.journal)
        self.products = Table[str, Product](self.journal)
        self.skus = Table[tuple[str, str], str](self.journal)
        self.history = Table[tuple[str, int], Product](self.journal)
        self.forgotten = Table[int, datetime](self.journal)
        self.fingerprints = Table[str, Fingerprint | None](self.journal)
        self.reserved = Table[str, int](self.journal)
        self.deductions = Table[tuple[str, str], Deduction](self.journal)
        self.publications = Table[str, Publication](self.journal)
        self.orders = Table[str, Order](self.journal)
        self.entries = Table[str, SalesEntry](self.journal)
        self.terms = Table[str, tuple[PartnerTerms, ...]](self.journal)
        self.statements = Table[str, Statement](self.journal)
        self.statement_differences = Table[tuple[str, str], StatementDifference](self.journal)
        self.taken = Table[str, str](self.journal)
        self.rules = Table[str, tuple[PriceRule, ...]](self.journal)
        self.price_lists = Table[str, PriceList](self.journal)
        self.list_versions = Table[str, tuple[ListVersion, ...]](self.journal)
        self.list_entries = Table[tuple[str, int], Mapping[tuple[str, int], Decimal]](self.journal)
        self.what_ifs = Table[str, WhatIfRun](self.journal)
        self.rule_uses = Table[tuple[str, str], RuleUse](self.journal)
        self.events = Table[int, Event](self.journal)
        self.event_numbers = Table[str, int](self.journal)
        self.numbers = Table[str, int](self.journal)
        self.webhooks = Table[str, Webhook](self.journal)
        self.deliveries = Table[str, Delivery](self.journal)
        self.tries = Table[str, tuple[Try, ...]](self.journal)
        self.saved_views = Table[str, SavedView](self.journal)
        self.channels = Table[str, Channel](self.journal)
        self.streaks = Table[tuple[str, str], Streak](self.journal)
        self.alerts = Table[str, Alert](self.journal)
        self.audit = Table[str, AuditEntry](self.journal)
        self.answers = Table[tuple[str, str], tuple[str, object]](self.journal)

    def undo(self) -> None:
        """Restores everything to what it was when the unit began."""
        for restore in reversed(self.journal):
            restore()


def found(rows: Mapping[str, T], row_id: str, noun: str) -> T:
    """The row with that id; NotFound if there is none."""
    row = rows.get(row_id)
    if row is None:
        raise no_such(noun, row_id)
    return row
