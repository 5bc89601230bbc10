"""The choices of options are written in the commands, so that help needs no core; they agree."""

from typing import get_args

import click
import pytest

from commerce_core.activity.inbox import ITEM_KINDS, SEVERITIES
from commerce_core.alerts.alert import AlertStatus
from commerce_core.analytics.questions import MOST_RANKED
from commerce_core.base.calendar import WEEKDAYS
from commerce_core.feeds.bulk_act import BulkKind, ItemStatus
from commerce_core.partners.saved_view import PAGE_NAMES
from entrypoints.cli.commands import alerts, analytics, bulk, inbox, saved_views, sources


@pytest.mark.parametrize(
    ("command", "option", "known"),
    [
        (inbox.list_, "kind", ITEM_KINDS),
        (alerts.add, "kinds", ITEM_KINDS),
        (alerts.add, "severities", SEVERITIES),
        (alerts.log, "status", get_args(AlertStatus)),
        (saved_views.add, "page", PAGE_NAMES),
        (saved_views.list_, "page", PAGE_NAMES),
        (bulk.start, "kind", get_args(BulkKind)),
        (bulk.items, "status", get_args(ItemStatus)),
        (sources.expect, "weekdays_off", WEEKDAYS),
    ],
)
def test_an_option_offers_all_that_the_core_knows(
    command: click.Command, option: str, known: tuple[str, ...]
):
    (parameter,) = (each for each in command.params if each.name == option)
    assert isinstance(parameter.type, click.Choice)
    assert set(parameter.type.choices) == set(known)


def test_as_many_ranks_can_be_asked_for_as_a_report_has():
    (limit,) = (each for each in analytics.top.params if each.name == "limit")
    assert isinstance(limit.type, click.IntRange)
    assert limit.type.max == MOST_RANKED
