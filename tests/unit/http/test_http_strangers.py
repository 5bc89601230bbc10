"""Every route, with somebody else's ids wherever the description has a place for one.

By each kind of holder: the answer is the one for what nobody has, and has nothing of the other's.
"""

import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from io import BytesIO
from typing import Any, Final

import pytest
from attrs import frozen
from httpx import Response

from commerce_core.partners.access import GRANTABLE_SCOPES, OPERATOR_SCOPES, PARTNER_SCOPES
from entrypoints.http.app import api_description
from tests.unit.http.conftest import FEED, Api, bulk_id, webhook_ids

pytestmark = pytest.mark.slow  # Every route, many times over.

DESCRIPTION: Final = api_description()
UNKNOWN: Final = f"{'0' * 31}1"
KINDS: Final[Mapping[str, str]] = {
    "partner_id": "ptn",
    "source_id": "src",
    "source": "src",
    "feed_id": "feed",
    "job_id": "job",
    "product_id": "prod",
    "order_id": "ord",
    "key_id": "key",
    "webhook_id": "hook",
    "delivery_id": "dlv",
    "channel_id": "chan",
    "event_id": "evt",
    "entry_id": "ent",
    "statement_id": "stmt",
    "reverses": "ent",
    "fetch_id": "ftch",
    "bulk_id": "bulk",
    "fulfilment_id": "ful",
    "refund_id": "rfnd",
    "view_id": "view",
}
"""What names a thing of a partner, wherever it stands, and the prefix of its ids."""
NAMES: Final = {"partner_name": "Nobody", "customer_reference": "nothing", "sku": "N-1"}
"""What names one by a text, and such a text that nothing has."""
OPERATORS_OWN: Final = "/v1/pricing/"
"""Where the operator's own things are, which no partner's key reaches, whatever they are called."""
FORMS: Final = ("multipart/form-data", "application/octet-stream")
Json = dict[str, Any]


@frozen
class Act:
    """A request of the description, with a place in it for what names somebody else's thing."""

    method: str
    path: str
    place: str
    name: str
    body: Json | None
    kind: str | None
    scope: str

    @property
    def title(self) -> str:
        return f"{self.method} {self.path} {self.place} {self.name}"

    def send(self, api: Api, value: str) -> Response:
        path = re.sub(r"\{(\w+)\}", value, self.path)
        query = {self.name: value} if self.place == "query" else {}
        fields = {self.name: value} if self.place == "body" else {}
        body: Json = {}
        if self.kind == FORMS[0]:
            body = {"files": {"file": ("feed.csv", FEED, "text/csv")}, "data": fields or None}
        elif self.kind == FORMS[1]:
            body = {"content": FEED}
        elif self.kind:
            example = {k: v for k, v in (self.body or {}).items() if k != "partner_name"}
            body = {"json": {**example, **fields}}
        if self.place == "items":
            body = {"json": {"items": [_item(self.name, value)]}}
        asked = "&".join(f"{name}={text}" for name, text in query.items())
        return api.request(self.method, f"{path}?{asked}" if asked else path, **body)


def _item(name: str, value: str) -> Json:
    other = {"partner_id": {"sku": "A-1"}, "product_id": {}}[name]
    return {name: value, "quantity": 1, **other}


def _acts() -> Iterator[Act]:
    for path, methods in DESCRIPTION["paths"].items():
        for method, operation in methods.items():
            scope = re.search(r"Needs the scope `([^`]+)`", operation["description"])
            if not scope:
                continue
            ((kind, media),) = operation.get("requestBody", {}).get("content", {"": {}}).items()
            for place, name in _places(operation, media):
                known = (method.upper(), path, place, name, media.get("example"), kind or None)
                yield Act(*known, scope[1])


def _places(operation: Json, media: Json) -> Iterator[tuple[str, str]]:
    for parameter in operation["parameters"]:
        if parameter["name"] in {**KINDS, **NAMES}:
            yield parameter["in"], parameter["name"]
    reference = media.get("schema", {}).get("$ref", "")
    schema = DESCRIPTION["components"]["schemas"].get(reference.rpartition("/")[2], {})
    for name, member in schema.get("properties", {}).items():
        # What a partner's own new thing is called is no name of another's.
        if name in KINDS or (name == "partner_name" and "source" in operation["tags"][0]):
            yield "body", name
        if "NewItem" in json.dumps(member):
            yield "items", "product_id"
            yield "items", "partner_id"


ACTS: Final = [*_acts()]
each_act = pytest.mark.parametrize("act", ACTS, ids=[act.title for act in ACTS])


@pytest.fixture
def acmes(api: Api) -> dict[str, str]:
    """Something of each kind that is Acme's, by the names of what stands for it."""
    acme = api.commerce.partners.add("Acme", currency="USD").partner_id
    job = api.commerce.feeds.load(BytesIO(FEED), partner=acme, file_name="acmes-own.csv")
    feed = api.commerce.feeds.get(job.feed_id)
    product_id = api.product()
    api.commerce.pulls.set(feed.source_id, "https://1.1.1.1/feed.csv")
    order = api.commerce.orders.place([(product_id, 1)], reference="acmes-order")
    api.commerce.orders.fulfil(order.order_id)
    (part,) = api.commerce.orders.refund(order.order_id, reason="late", amount=Decimal(1)).parts
    entry_id, statement_id = api.statement(acme)
    return {
        "entry_id": entry_id,
        "reverses": entry_id,
        "statement_id": statement_id,
        "partner_id": acme,
        "partner_name": "Acme",
        "source_id": feed.source_id,
        "source": feed.source_id,
        "feed_id": feed.feed_id,
        "job_id": job.job_id,
        "fetch_id": api.commerce.pulls.fetch(feed.source_id).fetch_id,
        "product_id": product_id,
        "order_id": order.order_id,
        "fulfilment_id": part.fulfilments[0].fulfilment_id,
        "refund_id": part.refunds[0].refund_id,
        "key_id": api.commerce.keys.add(partner=acme, key_name="acmes-key").key.key_id,
        "customer_reference": "acmes-order",
        "sku": "A-1",
        "bulk_id": bulk_id(api, acme),
        **webhook_ids(api, acme),
    }


ROLES: Final = {
    "all that a partner may": GRANTABLE_SCOPES,
    "the default": PARTNER_SCOPES,
    "only reading the catalog": ("catalog:read",),
}


@each_act
def test_somebody_elses_thing_is_like_one_that_nobody_has(
    api: Api, acmes: dict[str, str], act: Act
):
    """To each kind of key of another partner, in status and words."""
    api.partner("Other")
    for role, scopes in ROLES.items():
        other = api.asking(api.key("Other", *scopes))
        nobodys = NAMES.get(act.name) or f"{KINDS[act.name]}_{UNKNOWN}"
        there, not_there = act.send(other, acmes[act.name]), act.send(other, nobodys)
        assert there.status_code == not_there.status_code, role
        assert _words(there, acmes[act.name]) == _words(not_there, nobodys), role
        if act.scope not in scopes:
            assert (there.status_code, there.json()["code"]) == (403, "missing_scope"), role
        elif act.place == "path" or act.name.startswith("partner"):
            assert there.status_code == (422 if act.place == "items" else 404), role
        _has_nothing_of(acmes, there, but=acmes[act.name])


def _words(answer: Response, named: str) -> str:
    """The answer without what it was asked about, and without what is each request's own."""
    text = answer.text.replace(named, "...").replace(answer.headers["X-Request-Id"], "")
    own = r'"(request_id|feed_id|job_id|next_cursor)":"[^"]*"|/v1/[^"]*|[0-9-]+T[0-9:.]+Z'
    return re.sub(own, "", text)


def _has_nothing_of(acmes: Mapping[str, str], answer: Response, *, but: str) -> None:
    """Nothing but what the request itself had."""
    own = {text for name, text in acmes.items() if text != but and name != "sku"}
    for text in (*own, "acmes-own.csv", "acmes-key"):
        assert text not in answer.text.replace(but, "")


@each_act
def test_nothing_happens_to_somebody_elses_thing(api: Api, acmes: dict[str, str], act: Act):
    """Whatever a stranger asks, Acme's things are as they were."""
    api.partner("Other")
    other = api.asking(api.key("Other", *GRANTABLE_SCOPES))
    before = _state(api, acmes)
    act.send(other, acmes[act.name])
    assert _state(api, acmes) == before


def _state(api: Api, acmes: Mapping[str, str]) -> list[str]:
    places = (
        "partners/{partner_id}", "sources/{source_id}", "sources/{source_id}/profile",
        "feeds/{feed_id}", "jobs/{job_id}", "products/{product_id}", "orders/{order_id}",
        "partners/{partner_id}/keys", "partners/{partner_id}/terms", "statements/{statement_id}",
        "analytics/entries?partner_id={partner_id}", "feeds?partner_id={partner_id}",
        "fetches/{fetch_id}", "sources/{source_id}/pull", "webhooks/{webhook_id}",
        "webhook-deliveries/{delivery_id}",
        "jobs?partner_id={partner_id}", "sources?partner_id={partner_id}",
    )  # fmt: skip
    return [api.get(f"/v1/{place.format_map(acmes)}").text for place in places]


def test_the_acts_are_all_that_there_are():
    """Every route whose path has an id is among them, and every name of a thing that is known."""
    paths = {act.path for act in ACTS if act.place == "path"}
    named = {path for path in DESCRIPTION["paths"] if "{" in path}
    assert paths == {path for path in named if not path.startswith(OPERATORS_OWN)}
    assert {act.name for act in ACTS} == {*KINDS, *NAMES}
    assert {act.scope for act in ACTS} <= set(OPERATOR_SCOPES)


def test_a_partner_sees_its_part_of_a_shared_order(api: Api, acmes: dict[str, str]):
    """Its lines, their total, its own reference, and what stands under its own id."""
    other = api.partner("Other")
    api.ingest("Other")
    items = [(acmes["product_id"], 2), (api.product(partner="Other"), 1)]
    metadata = {"gift": "secret", f"{other}.reference": "P-77", f"{other}.note": "fragile"}
    metadata[f"{acmes['partner_id']}.note"] = "secret"
    order = api.commerce.orders.place(items, reference="secret", metadata=metadata)
    asking = api.asking(api.key("Other"))
    seen = asking.get(f"/v1/orders/{order.order_id}").json()
    assert [item["partner_id"] for item in seen["items"]] == [other]
    assert (seen["total_amount"], seen["customer_reference"]) == ("12.50", "P-77")
    assert seen["metadata"] == {"note": "fragile"}
    (listed,) = asking.get("/v1/orders?customer_reference=P-77").json()["items"]
    assert listed == seen
    assert asking.get("/v1/orders?customer_reference=secret").json()["items"] == []
    for path in ("orders", "events"):
        text = asking.get(f"/v1/{path}").text
        assert "secret" not in text
        assert acmes["partner_id"] not in text
