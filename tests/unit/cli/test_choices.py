"""The choices of options are written in the commands, so that help needs no core; they agree."""

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import click

from commerce_core.activity.inbox import ITEM_KINDS, SEVERITIES, ItemState
from commerce_core.alerts.alert import AlertStatus
from commerce_core.analytics.ledger import EntryKind
from commerce_core.analytics.questions import MOST_RANKED, Basis, Dimension, Measure
from commerce_core.base.calendar import WEEKDAYS, Grain
from commerce_core.catalog.export import FileForm
from commerce_core.catalog.product import Availability, ProductStatus, SortBy
from commerce_core.catalog.publication import ChangeKind
from commerce_core.feeds.bulk_act import BulkKind, ItemStatus
from commerce_core.feeds.feed import FeedStatus
from commerce_core.feeds.job import FeedJobKind, JobStatus, Without
from commerce_core.feeds.place import PLACE_SETTINGS
from commerce_core.orders.states import OrderStatus
from commerce_core.partners.partner import PartnerStatus
from commerce_core.partners.saved_view import PageName
from commerce_core.partners.terms import Cycle
from commerce_core.pricing.rules import RuleStatus
from commerce_core.profiles.profile import Preset
from commerce_core.schema.fields import Mode
from commerce_core.usecases.reports import DEFAULT_RANKS
from commerce_core.webhooks.delivery import DeliveryStatus
from commerce_core.webhooks.subscription import Body
from entrypoints.cli import main
from entrypoints.cli.commands import analytics, pulls

KNOWN: dict[str, tuple[str, ...]] = {
    "preset": get_args(Preset),
    "mode": get_args(Mode),
    "weekdays_off": WEEKDAYS,
    "without": get_args(Without),
    "kinds": get_args(ChangeKind),
    "body": get_args(Body),
    "basis": get_args(Basis),
    "grain": get_args(Grain),
    "by": get_args(Dimension),
    "measure": get_args(Measure),
    "form": get_args(FileForm),
    "cycle": get_args(Cycle),
    "availability": get_args(Availability),
    "sort_by": get_args(SortBy),
    "page": get_args(PageName),
    "severities": SEVERITIES,
    "feeds list status": get_args(FeedStatus),
    "feeds upload kind": get_args(FeedJobKind),
    "partners set status": get_args(PartnerStatus),
    "bulk items status": get_args(ItemStatus),
    "bulk start kind": get_args(BulkKind),
    "inbox list state": (*get_args(ItemState), "all"),
    "inbox list kind": ITEM_KINDS,
    "alerts add kinds": ITEM_KINDS,
    "alerts set kinds": ITEM_KINDS,
    "alerts log status": get_args(AlertStatus),
    "alerts set status": ("active", "paused"),
    "jobs list status": get_args(JobStatus),
    "products export status": (*get_args(ProductStatus), "all"),
    "products list status": (*get_args(ProductStatus), "all"),
    "products list order": ("asc", "desc"),
    "pricing list status": get_args(RuleStatus),
    "pricing set status": get_args(RuleStatus),
    "pricing lists load decimal": (".", ","),
    "orders list status": get_args(OrderStatus),
    "webhooks deliveries status": get_args(DeliveryStatus),
    "webhooks redeliver status": ("delivered", "failed", "missed"),
    "webhooks set status": ("active", "paused"),
    "analytics entries kind": get_args(EntryKind),
    "analytics summary compare": ("dates", "weekdays"),
}
"""What an option may be, by its name, or by its command and its name."""


def options(command: click.Command, path: str = "") -> Iterator[tuple[str, click.Parameter]]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            within = command.get_command(context, name)
            assert within is not None
            yield from options(within, f"{path}{name} ")
    yield from ((f"{path}{each.name}", each) for each in command.params)


def test_options_offer_all_that_the_core_knows():
    wrong: dict[str, object] = {}
    for name, option in options(main):
        if isinstance(option.type, click.Choice):
            known = KNOWN.get(name, KNOWN.get(str(option.name)))
            if known is None or set(option.type.choices) != set(known):
                wrong[name] = option.type.choices, known
    assert not wrong


def test_every_setting_of_a_place_can_be_set():
    offered = {each.name for each in pulls.pull.params}
    assert offered >= {*PLACE_SETTINGS, "host_key"} - {"host_keys"}


def test_as_many_ranks_can_be_asked_for_as_a_report_has():
    (limit,) = (each for each in analytics.top.params if each.name == "limit")
    assert isinstance(limit.type, click.IntRange)
    assert limit.type.max == MOST_RANKED


def test_the_reference_of_reports_has_the_most_ranks():
    page = Path("docs/reference/reports.md").read_text(encoding="utf-8")
    assert f"(1 to {MOST_RANKED:,}, by default {DEFAULT_RANKS})" in page
    assert f"`limit` isn't 1 to {MOST_RANKED:,}" in page
