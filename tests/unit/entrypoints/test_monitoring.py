"""The dashboard and the alert rules name metrics and labels that exist; each alert has its page."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric

from entrypoints.compose import open_platform
from entrypoints.metrics import Metrics
from entrypoints.scraping import Watch
from entrypoints.settings import Settings

HOUSE = Path(__file__).parents[3]
DEPLOY = HOUSE / "deploy/monitoring"
RULES = (DEPLOY / "alerts.yml").read_text()
DASHBOARD: Mapping[str, Any] = json.loads((DEPLOY / "grafana-dashboard.json").read_text())
NAME = re.compile(r"\b(commerce_\w+)(?:\{([^}]*)\})?")
LABEL = re.compile(r"(\w+)\s*(?:=|!=|=~|!~)\s*\"")
GROUPING = re.compile(r"\bby \(([^)]*)\)")
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}
ALERTS = re.findall(r"- alert: (\w+)", RULES)
EXPRESSIONS = re.findall(r"expr: '(.+)'", RULES)
QUERIES = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


def metrics() -> Iterator[tuple[str, frozenset[str]]]:
    """The names by which Prometheus has our metrics, with their labels."""
    made = Metrics()
    registry: CollectorRegistry = made._registry
    for collector in set(registry._collector_to_names):
        (found,) = collector.collect()
        for suffix in SUFFIXES.get(found.type, ("",)):
            yield found.name + suffix, frozenset(getattr(collector, "_labelnames", ())) | {"le"}
    with open_platform(Settings(database_url="memory:")) as commerce:
        own: list[Metric] = list(Watch(commerce)._own_metrics())
    for metric in own:
        yield metric.name, frozenset(label for sample in metric.samples for label in sample.labels)


KNOWN = dict(metrics())


@pytest.mark.parametrize("query", [*EXPRESSIONS, *QUERIES])
def test_queries_name_what_exists(query: str):
    found = NAME.findall(query)
    assert found
    for name, selector in found:
        assert name in KNOWN
        assert set(LABEL.findall(selector)) <= KNOWN[name]
    labels = {label.strip() for group in GROUPING.findall(query) for label in group.split(",")}
    assert labels <= frozenset[str]().union(*(KNOWN[name] for name, _ in found))


def test_the_dashboard_shows_every_metric():
    shown = {name for query in QUERIES for name, _ in NAME.findall(query)}
    families = {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in shown}
    every = {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in KNOWN}
    assert families == every


def test_every_alert_has_a_page_that_shows_its_expression():
    assert len(ALERTS) == len(EXPRESSIONS) == len(set(ALERTS))
    pages = re.findall(r"runbook: (\S+)", RULES)
    for alert, expression, page in zip(ALERTS, EXPRESSIONS, pages, strict=True):
        text = (HOUSE / page).read_text()
        assert f"`{alert}`" in text
        assert expression in text
    assert {f"docs/runbooks/{p.name}" for p in (HOUSE / "docs/runbooks").glob("commerce-*.md")} == {
        *pages
    }


def test_the_routes_of_alerts_name_every_severity_and_rules_that_exist():
    routes = (DEPLOY / "alertmanager.yml").read_text()
    severities = set(re.findall(r"severity: (\w+)", RULES))
    assert set(re.findall(r"severity = (\w+)", routes)) == severities
    assert set(re.findall(r"alertname = (\w+)", routes)) <= set(ALERTS)
