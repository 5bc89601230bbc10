"""Every page and every act whose address has an id, with the id of somebody else's thing.

By each kind of holder: what is shown is what is shown for an id that nobody has, and nothing
changes.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

import pytest
from attrs import frozen
from httpx import Response

from commerce_core.commerce import Commerce
from commerce_core.feeds.bulk_act import FeedGroup
from commerce_core.partners.access import GRANTABLE_SCOPES, PARTNER_SCOPES, Scope
from entrypoints.dashboard.routes import routes
from tests.support.browsing import Form, Visitor, found
from tests.unit.dashboard.conftest import SETTINGS, Site

pytestmark = pytest.mark.slow  # Every route, many times over.

UNKNOWN: Final = f"{'0' * 31}1"
OTHER: Final = "Zebra Secrets"
ROLES: Final[Mapping[str, tuple[Scope, ...]]] = {
    "all that a partner may": GRANTABLE_SCOPES,
    "the default": PARTNER_SCOPES,
    "only reading the catalog": ("catalog:read",),
}


@frozen
class Address:
    """A page, or an act, with a place for an id in it."""

    method: str
    template: str
    scope: Scope | None

    @property
    def name(self) -> str:
        """What its id is of; a report is of a feed with rejected records."""
        id_ = re.findall(r"\{(\w+)", self.template)[0]
        return "reported_feed_id" if self.template.endswith("/report") else id_

    def path(self, id_: str) -> str:
        return re.sub(r"\{[^}]+\}", id_, self.template)


def _addresses() -> Iterator[Address]:
    for handler in routes(SETTINGS):
        page = handler.opt.get("page")
        for template in handler.paths:
            if page is not None and "{" in template:
                (method,) = handler.http_methods
                yield Address(str(method), template, page.scope)


ADDRESSES: Final = [*_addresses()]
CHOSEN: Final = {"mode": "full", "run": "true", "url": "https://partner.example/feed.csv"}
"""What a person chooses in the fields of forms that have no value of their own."""


def zebras(site: Site) -> dict[str, str]:
    """A thing of each kind that is the other partner's, or the operator's, by names of ids."""
    commerce = site.commerce
    owner = commerce.partners.get(OTHER)
    source = commerce.sources.of(owner.partner_id)[0]
    held = next(f for f in commerce.feeds.list(partner=OTHER) if f.status == "held")
    reported = next(j for j in commerce.jobs.list(partner=OTHER) if j.outcome == "with_rejects")
    job = next(j for j in commerce.jobs.list(partner=OTHER) if j.feed_id == held.feed_id)
    statement = commerce.statements.page(partner=OTHER).items[0]
    (hook,) = commerce.webhooks.list(partner=OTHER)
    order = next(iter(commerce.orders.list(partner=OTHER)))
    (part,) = commerce.orders.fulfil(order.order_id).parts
    key = commerce.keys.add(partner=OTHER, scopes=["feeds:write"]).key
    zebra = Commerce(commerce.context.acting_as(key.principal()))
    group = FeedGroup("process_again")
    bulk = zebra.bulk_acts.start(group, count=zebra.bulk_acts.plan(group).count)
    return {
        "partner_id": owner.partner_id,
        "feed_id": held.feed_id,
        "reported_feed_id": reported.feed_id or "",
        "source_id": source.source_id,
        "job_id": job.job_id,
        "product_id": commerce.products.get(partner=OTHER, sku="ZEB-1").product_id,
        "order_id": order.order_id,
        "fulfilment_id": part.fulfilments[0].fulfilment_id,
        "bulk_id": bulk.bulk_id,
        "fetch_id": next(commerce.pulls.fetches(partner=OTHER)).fetch_id,
        "view_id": commerce.saved_views.add("feeds", "ZEB-view", {"status": "held"}).view_id,
        "rule_id": next(iter(commerce.pricing.list())).rule_id,
        "statement_id": statement.statement_id or "",
        "webhook_id": hook.webhook_id,
        "channel_id": next(commerce.alerts.list(partner=OTHER)).channel_id,
        "delivery_id": next(
            each.delivery_id
            for each in commerce.webhooks.deliveries()
            if each.webhook_id == hook.webhook_id
        ),
    }


def forms_of(operator: Visitor, things: Mapping[str, str]) -> dict[str, Form]:
    """The forms by which the operator acts on them, by address."""
    files = ("/raw", "/report", "/live", "/file")
    paths = [a.path(things[a.name]) for a in ADDRESSES if a.method == "GET"]
    pages = [operator.get(path) for path in paths if not path.endswith(files)]
    forms = [form for page in pages for form in found(page).forms]
    return {form.action: form for form in forms if form.method == "post"}


def send(visitor: Visitor, address: Address, id_: str, form: Form | None) -> Response:
    if address.method == "GET":
        return visitor.get(address.path(id_))
    own = {n: v for n, v in (form.fields if form else {}).items() if n != "form_token"}
    fields = own | {name: text for name, text in CHOSEN.items() if name in own}
    return visitor.send(address.path(id_), **fields)


def words(answer: Response, id_: str) -> str:
    """What is shown, without the id and what is each request's own."""
    own = r'[0-9a-f]{32}|form_token" value="\w+"|[0-9-]+T[0-9:.]+Z'
    return re.sub(own, "", answer.text.replace(id_, ""))


@pytest.mark.parametrize("role", ROLES)
def test_somebody_elses_thing_is_like_one_that_nobody_has(full: Site, role: str):
    things = zebras(full)
    forms = forms_of(full.visitor(), things)
    visitor = full.visitor("Acme", *ROLES[role])
    before = state(full, things)
    for address in ADDRESSES:
        id_ = things[address.name]
        nobodys = f"{id_.partition('_')[0]}_{UNKNOWN}"
        form = forms.get(address.path(id_))
        there, not_there = (send(visitor, address, which, form) for which in (id_, nobodys))
        assert there.status_code == not_there.status_code, address
        # A form that the operator isn't offered now is sent empty.
        refused = (403, 404) if form or address.method == "GET" else (403, 404, 422)
        assert there.status_code in refused, (address, there.status_code)
        if address.scope is not None and address.scope not in ROLES[role]:
            assert there.status_code == 403, address
        assert words(there, id_) == words(not_there, nobodys), address
        for text in ("Zebra", "ZEB-", "zeb.example"):
            assert text not in there.text, address
    assert state(full, things) == before


def state(site: Site, things: Mapping[str, str]) -> list[object]:
    commerce = site.commerce
    return [
        commerce.partners.get(OTHER),
        commerce.feeds.get(things["feed_id"]),
        [*commerce.jobs.list(partner=OTHER)],
        commerce.sources.get(things["source_id"]),
        commerce.orders.get(things["order_id"]),
        commerce.pricing.get(things["rule_id"]),
        commerce.webhooks.get(things["webhook_id"]),
        [*commerce.webhooks.deliveries()],
        commerce.statements.get(things["statement_id"]),
        commerce.alerts.get(things["channel_id"]),
        commerce.bulk_acts.get(things["bulk_id"]),
        views(commerce, things["view_id"]),
    ]


def views(commerce: Commerce, view_id: str) -> object:
    with commerce.context.store.read_only() as unit:
        return unit.saved_views.get(view_id)


def test_the_operator_can_do_each_of_them(full: Site, monkeypatch: pytest.MonkeyPatch):
    """So the refusals above are of the stranger, and not of the address or the form."""
    monkeypatch.setattr("entrypoints.dashboard.kit.live.LONGEST_STREAM", 0.0)
    things = zebras(full)
    operator = full.visitor()
    forms = forms_of(operator, things)
    reached: set[str] = set()
    for address in ADDRESSES:
        id_ = things[address.name]
        if address.method == "GET":
            assert operator.get(address.path(id_)).status_code in (200, 303, 409), address
        elif address.path(id_) in forms:
            reached.add(address.template.rpartition("/")[2])
    assert {"approve", "reject", "cancel", "redeliver"} <= reached


@pytest.mark.parametrize(
    "path",
    [
        "/feeds",
        "/jobs",
        "/products",
        "/orders",
        "/sources",
        "/statements",
        "/webhooks",
        "/alerts",
        "/failures",
        "/analytics",
    ],
)
def test_naming_another_partner_is_like_naming_one_that_nobody_is(full: Site, path: str):
    visitor = full.visitor("Acme", *GRANTABLE_SCOPES)
    answers = [visitor.get(f"{path}?partner_name={name}") for name in ("Zebra+Secrets", "Nobody")]
    assert answers[0].status_code == answers[1].status_code
    shown = [re.sub(r"Zebra(\+|%20| )Secrets|Nobody", "", words(each, "-")) for each in answers]
    assert shown[0] == shown[1]
