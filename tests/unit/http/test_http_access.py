"""Who may do what: every route of the application, tried by everybody who must not."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from attrs import NOTHING, fields, frozen
from litestar.routes import HTTPRoute

from commerce_core.partners.access import GRANTABLE_SCOPES, OPERATOR_SCOPES
from entrypoints.http.app import create_app, described_routes
from entrypoints.http.kit.handlers import OPERATION, Operation
from entrypoints.scalars import ID_KINDS
from entrypoints.settings import Settings
from tests.unit.http.conftest import FEED, Api, bulk_id, webhook_ids

pytestmark = pytest.mark.slow  # Every route, many times over.

SOMETHING = f"{'0' * 31}1"


@frozen
class Route:
    """A route as a test calls it."""

    method: str
    address: str
    operation: Operation

    def at(self, ids: dict[str, str]) -> str:
        return re.sub(r"\{(\w+)\}", lambda found: ids[found[1]], self.address)

    @property
    def anywhere(self) -> str:
        """An address with ids of nothing."""
        return self.at(
            {n: f"{ID_KINDS[k]}_{SOMETHING}" for n, k in self.operation.path_ids.items()}
        )


def _routes() -> list[Route]:
    return [
        Route(method, prefix + re.sub(r":\w+}", "}", path), handler.opt[OPERATION])
        for prefix, handler in described_routes()
        for path in handler.paths
        for method in handler.http_methods
    ]


ROUTES = _routes()
GUARDED = [route for route in ROUTES if route.operation.scope]
OPERATORS_ALONE = ("partners:write", "keys:write", "pricing:read", "pricing:write", "money:write")
"""Scopes that no partner's key has."""
PARTNERS_TOO = [route for route in GUARDED if route.operation.scope not in OPERATORS_ALONE]


def of(routes: list[Route]) -> pytest.MarkDecorator:
    """One test for each of these routes."""
    titles = [f"{route.method} {route.address}" for route in routes]
    return pytest.mark.parametrize("route", routes, ids=titles)


@pytest.fixture
def acmes(api: Api) -> dict[str, str]:
    """Something of each kind that belongs to Acme."""
    acme = api.partner()
    feed_id = api.ingest("Acme")
    feed = api.commerce.feeds.get(feed_id)
    assert feed.latest_job
    entry_id, statement_id = api.statement(acme)
    product_id, orders = api.product(), api.commerce.orders
    order = orders.fulfil(orders.place([(product_id, 1)]).order_id)
    order = orders.refund(order.order_id, reason="late", amount=Decimal(1))
    api.commerce.pulls.set(feed.source_id, "https://1.1.1.1/feed.csv")
    return {
        "entry_id": entry_id,
        "statement_id": statement_id,
        "partner_id": acme,
        "feed_id": feed_id,
        "job_id": feed.latest_job.job_id,
        "product_id": product_id,
        "order_id": order.order_id,
        "fulfilment_id": order.fulfilments[0].fulfilment_id,
        "refund_id": order.refunds[0].refund_id,
        "key_id": api.commerce.keys.add(partner="Acme").key.key_id,
        "source_id": feed.source_id,
        "fetch_id": api.commerce.pulls.fetch(feed.source_id).fetch_id,
        "rule_id": api.commerce.pricing.add({"name": "x", "benefit": {"percent": "1"}}).rule_id,
        "list_id": api.commerce.price_lists.add("x", currency="USD").list_id,
        "what_if_id": _what_if(api),
        "bulk_id": bulk_id(api, acme),
        **webhook_ids(api, acme),
    }


def _what_if(api: Api) -> str:
    return api.commerce.what_ifs.start(since=datetime(2026, 1, 1, tzinfo=UTC)).what_if_id


@pytest.fixture(scope="module")
def operator(refusing: Api) -> Api:
    """The same API for all tests whose requests are refused, asked by the operator."""
    return refusing.asking(refusing.key())


@pytest.fixture
def other(api: Api) -> Api:
    """The API, asked by another partner who may do all that partners may."""
    api.partner("Other")
    return api.asking(api.key("Other", *GRANTABLE_SCOPES))


def test_every_route_of_the_application_says_whom_it_lets_in(api: Api):
    app = create_app(api.commerce, Settings(database_url="memory:"))
    handlers = [
        handler
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        if handler.http_methods != {"OPTIONS"}
    ]
    assert len(handlers) >= len(ROUTES)
    for handler in handlers:
        assert handler.opt["scope"] in (None, *OPERATOR_SCOPES), handler
    open_ones = {route.address for route in ROUTES if route.operation.scope is None}
    assert open_ones == {"/v1/health", "/health/live", "/health/ready", "/metrics"}


@of(GUARDED)
def test_without_a_known_key_nobody_comes_in(refusing: Api, route: Route):
    for headers in (
        {},
        {"X-API-Key": b""},
        {"X-API-Key": b"ck_" + b"0" * 64},
        {"X-API-Key": b"\xc3\xa9"},
        {"Authorization": b"Bearer ck_nobody"},
        {"Authorization": b"Bearer"},
        {"Authorization": b"Basic Y2s6Y2s="},
    ):
        answer = refusing.request(route.method, route.anywhere, content=b"{", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated"), headers
        assert "Bearer" in answer.headers["WWW-Authenticate"]


@of(GUARDED)
def test_a_key_without_the_scope_opens_nothing_and_no_body_is_read(refusing: Api, route: Route):
    others = [scope for scope in OPERATOR_SCOPES if scope != route.operation.scope]
    lacking = refusing.asking(refusing.key(None, *others))
    answer = lacking.request(route.method, route.anywhere, content=b"{")
    assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")


def test_the_key_comes_in_either_header(api: Api):
    secret = api.headers["X-API-Key"]
    bearer = {"X-API-Key": "", "Authorization": f"bearer {secret}"}
    assert api.get("/v1/partners", headers=bearer).status_code == 200


@of([route for route in GUARDED if route.operation.path_ids])
def test_what_belongs_to_another_partner_is_not_there(
    other: Api, acmes: dict[str, str], route: Route
):
    """Nor may a partner do what only operators do."""
    answer = other.request(route.method, route.at(acmes), **_body_for(route))
    scope = route.operation.scope
    expected = 403 if scope in OPERATORS_ALONE else 404
    assert answer.status_code == expected


@of([r for r in PARTNERS_TOO if "partner_id" in {f.name for f in fields(r.operation.parameters)}])
def test_filters_do_not_reach_another_partner(other: Api, acmes: dict[str, str], route: Route):
    for query in (f"partner_id={acmes['partner_id']}", "partner_name=Acme"):
        answer = other.request(route.method, f"{route.address}?{query}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@of([r for r in PARTNERS_TOO if r.method == "GET" and not r.operation.path_ids])
def test_lists_show_a_partner_its_own_things_only(other: Api, acmes: dict[str, str], route: Route):
    answer = other.get(route.address)
    assert answer.status_code == 200
    for id_ in acmes.values():
        assert id_ not in answer.text


def test_nothing_is_uploaded_or_ordered_in_another_partners_name(other: Api, acmes: dict[str, str]):
    assert other.upload(partner_id=acmes["partner_id"]).status_code == 404
    assert other.upload(partner_name="Acme").status_code == 404
    assert other.upload(partner_name="Other", source=acmes["source_id"]).status_code == 404
    items = [{"product_id": acmes["product_id"], "quantity": 1}]
    answer = other.post("/v1/orders", {"items": items})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["code"] == "unknown_product"
    product = other.commerce.products.get(acmes["product_id"])
    assert product.reserved == 1


@of([route for route in GUARDED if route.operation.path_ids])
def test_an_id_that_cannot_be_one_is_not_found_and_says_so(operator: Api, route: Route):
    ((name, kind),) = route.operation.path_ids.items()
    wrong = "job" if ID_KINDS[kind] == "ord" else "ord"
    for id_ in [
        "nonsense",
        f"{wrong}_{SOMETHING}",
        f"{ID_KINDS[kind]}_1",
        "x" * 5000,
    ]:
        answer = operator.request(route.method, route.at({name: id_}), **_body_for(route))
        assert (answer.status_code, answer.json()["code"]) == (404, "malformed_id"), id_


@of([route for route in GUARDED if route.operation.path_ids])
def test_an_id_of_nothing_is_not_found(operator: Api, route: Route):
    answer = operator.request(route.method, route.anywhere, **_body_for(route))
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@of(
    [
        r
        for r in GUARDED
        if {"partner_id", "feed_id"} & {f.name for f in fields(r.operation.parameters)}
    ]
)
def test_a_filter_that_cannot_be_an_id_is_not_found(api: Api, route: Route):
    names = {f.name for f in fields(route.operation.parameters)}
    for name in names & {"partner_id", "feed_id", "source_id"}:
        answer = api.request(route.method, f"{route.address}?{name}=nonsense")
        assert (answer.status_code, answer.json()["code"]) == (404, "malformed_id")


@of([r for r in GUARDED if "cursor" in {f.name for f in fields(r.operation.parameters)}])
def test_forged_cursors_are_refused(api: Api, acmes: dict[str, str], route: Route):
    address = route.at(acmes)
    for forged in ["x", "W10", "bnVsbA", "WyJhIiwiYiIsImMiXQ", "é", "A" * 5000, "%00"]:
        answer = api.get(f"{address}?cursor={forged}")
        assert answer.status_code == 400, forged
        assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/cursor"]


@of(ROUTES)
def test_unknown_query_parameters_are_refused(operator: Api, route: Route):
    answer = operator.request(route.method, f"{route.anywhere}?limits=5")
    assert answer.status_code == 400
    assert [(f["pointer"], f["code"]) for f in answer.json()["errors"]] == [
        ("/limits", "unknown_field")
    ]


@of([r for r in GUARDED if "limit" in {f.name for f in fields(r.operation.parameters)}])
def test_a_page_has_a_length_within_its_limit(api: Api, acmes: dict[str, str], route: Route):
    """1 to 200 items, and of changes and events up to 1,000."""
    address = route.at(acmes)
    largest = 1_000 if address.endswith(("/changes", "/events")) else 200
    for limit in ("1", str(largest)):
        assert api.get(f"{address}?limit={limit}").status_code == 200
    for limit in ("0", str(largest + 1), "-1", "1e2", "%EF%BC%95", "9" * 40, "1_0", "%2B5", ""):
        answer = api.get(f"{address}?limit={limit}")
        assert answer.status_code == 400, limit
        assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/limit"]


def _body_for(route: Route) -> dict[str, Any]:
    if "form" in route.operation.hints:
        return {"files": {"file": ("feed.csv", FEED, "text/csv")}}
    if "payload" not in route.operation.hints:
        return {}
    needs = any(f.default is NOTHING for f in fields(route.operation.hints["payload"]))
    return {"json": route.operation.example if needs else {}}
