"""Pages show what use cases return, escaped, to those who may see it; forms carry their token."""

import html
import io
import re
import shlex
from collections.abc import Iterable, Iterator
from urllib.parse import urlencode, urlsplit

import click
import pytest
from attrs import evolve

from commerce_core.activity.inbox import InboxQuery
from commerce_core.base.text import given_name
from entrypoints.cli import main
from entrypoints.dashboard.kit.assets import STATIC, assets, vendored
from entrypoints.dashboard.pages.entry import own_path
from entrypoints.dashboard.routes import routes
from tests.support.browsing import Visitor, found
from tests.unit.dashboard.conftest import HEADER, SETTINGS, Site, opened, products

LARGEST_PAGE = 100_000
HOSTILE = (
    "<script>alert(1)</script><b onmouseover=x>bold</b>",
    "\u202egpj.exe\u202d \u2067rtl\u2069",
    "long " * 2_000,
    "{{ 7*7 }}{% raw %}",
    "'\"><img src=x onerror=alert(1)>",
)


def pages(visitor: Visitor) -> dict[str, str]:
    """All pages that can be reached, by path."""
    found_pages = {}
    for path, answer in visitor.crawl():
        assert answer.status_code == 200, (path, answer.status_code, answer.text[-600:])
        if answer.headers["content-type"].startswith("text/html"):
            found_pages[path] = answer.text
    return found_pages


def unreached(paths: Iterable[str]) -> Iterator[str]:
    """The pages that none of the paths is of."""
    visited = list(paths)
    for handler in routes(SETTINGS):
        page = handler.opt.get("page")
        if page is not None and not page.is_act and "View" in str(page.hints["return"]):
            like = re.compile(re.sub(r"\{[^}]+\}", "[^/]+", page.path))
            if not any(map(like.fullmatch, visited)):
                yield page.path


class TestEveryPage:
    @pytest.mark.slow
    def test_is_small_loads_only_its_own_and_has_no_inline_script_or_style(self, full: Site):
        """Three requests: the page, one stylesheet, one script."""
        visitor = full.visitor()
        seen: list[str] = []
        for path, answer in visitor.crawl():
            assert answer.status_code == 200, (path, answer.text[-400:])
            if not answer.headers["content-type"].startswith("text/html"):
                continue
            page = found(answer)
            seen.append(path.partition("?")[0])
            assert len(answer.content) < LARGEST_PAGE, path
            own = [address for address in page.loaded if address != "data:,"]
            assert own == [assets()[n].path for n in ("dashboard.css", "dashboard.js")], path
            assert page.handlers == [], path
            assert [link for link in page.links if urlsplit(link).netloc] == [], path
            assert answer.headers["content-security-policy"].startswith("default-src 'self';")
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["referrer-policy"] == "same-origin"
            ids = re.findall(r'\bid="([^"]+)"', answer.text)
            assert len(ids) == len(set(ids)), path
        assert set(unreached(seen)) == {"/sign-in"}

    def test_offers_itself_as_a_command(self, full: Site):
        text = full.visitor().get("/feeds?status=held").text
        assert "commerce feeds list --status held" in text
        assert "/v1/feeds?status=held" in text

    @pytest.mark.slow
    def test_offers_only_commands_and_options_that_there_are(self, full: Site):
        offered = {
            html.unescape(command)
            for text in pages(full.visitor()).values()
            for command in re.findall(r'<pre tabindex="0">commerce ([^<]+)</pre>', text)
        }
        assert len(offered) > 20
        for command in offered:
            noun, *words = shlex.split(command)
            verb = main.get_command(click.Context(main), noun)
            if isinstance(verb, click.Group):
                verb = verb.get_command(click.Context(verb), words.pop(0))
            assert verb is not None, command
            known = {option for param in verb.params for option in param.opts}
            assert {word for word in words if word.startswith("--")} <= known, command

    def test_stands_hostile_names(self, site: Site):
        """Markup stays text, directions stay inside, and long names are cut."""
        for number, name in enumerate(HOSTILE):
            row = f'H-{number},"{name.replace(chr(34), chr(34) * 2)}",10,EUR,5,,\n'
            site.load((HEADER + row).encode(), mode="delta")
        site.commerce.partners.add("<i>Italic</i> & \u05d0\u05d1", currency="EUR")
        site.load((HEADER + "X-1,<script>,<b>x</b>,EUR,1,,\n").encode(), mode="delta")
        for path, text in pages(site.visitor()).items():
            assert "<script>alert" not in text, path
            assert "<b onmouseover" not in text, path
            assert "<img" not in text, path
            assert "<i>" not in text, path
            assert "\u202e" not in text, path
            assert len(text) < LARGEST_PAGE, path

    def test_stands_hostile_texts_of_orders_decisions_and_marks(self, site: Site):
        """References, reasons, carriers, notes, codes, names of rules and of views."""
        visitor = site.visitor()
        site.load(products(60, "H"))
        lamp = site.commerce.products.get(partner="Acme", sku="H-1").product_id
        for text in (name for name in HOSTILE if len(name) < 100):
            order_id = site.commerce.orders.place([(lamp, 1)], reference=text).order_id
            site.commerce.pricing.add(
                {
                    "name": given_name(text),
                    "condition": {"code": text},
                    "benefit": {"percent": "1"},
                }
            )
            order = site.commerce.orders.get(order_id)
            sent = visitor.send(
                f"/orders/{order_id}/fulfil", carrier=text, tracking_number=text,
                version=str(order.version),
            )  # fmt: skip
            assert sent.status_code == 303, sent.text[-900:]
            order = site.commerce.orders.get(order_id)
            sent = visitor.send(
                f"/orders/{order_id}/refund", reason=text, version=str(order.version)
            )
            assert sent.status_code == 303, sent.text[-900:]
            assert visitor.send("/views", page="feeds", view_name=text).status_code == 303
            feed_id = site.load(products(5, "H"))
            assert visitor.send(f"/feeds/{feed_id}/reject", note=text).status_code == 303
            feed_id = site.load(products(5, "H"))
            marks = {"cause_id": f"held:{feed_id}", "assignee": text, "note": text}
            assert visitor.send("/inbox/marks", **marks).status_code == 303
            quoted = visitor.get("/rules?" + urlencode({"quote_partner": "Acme", "code": text}))
            assert_harmless("/rules", quoted.text)
        for path, text in pages(visitor).items():
            assert_harmless(path, text)

    def test_texts_that_are_too_long_are_refused_on_a_page(self, site: Site):
        visitor, long = site.visitor(), "long " * 2_000
        site.load(products(60, "H"))
        held = site.load(products(5, "H"))
        lamp = site.commerce.products.get(partner="Acme", sku="H-1").product_id
        order = site.commerce.orders.place([(lamp, 1)])
        version = str(order.version)
        many = "&".join(f"filter{number}=1" for number in range(200))
        for path, fields in (
            (f"/orders/{order.order_id}/fulfil", {"carrier": long, "version": version}),
            (f"/orders/{order.order_id}/fulfil", {"tracking_number": long, "version": version}),
            (f"/orders/{order.order_id}/refund", {"reason": long, "version": version}),
            (f"/feeds/{held}/reject", {"note": long}),
            ("/inbox/marks", {"cause_id": f"held:{held}", "note": long}),
            ("/inbox/marks", {"cause_id": f"held:{held}", "assignee": long}),
            ("/views", {"page": "feeds", "view_name": long}),
            ("/views", {"page": "feeds", "view_name": "x", "query": many}),
        ):
            refused = visitor.send(path, **fields)
            assert refused.status_code == 422, (path, fields.keys())
            assert len(refused.text) < LARGEST_PAGE
        for path in (
            "/orders?customer_reference=",
            "/rules?quote_sku=x&code=",
            "/feeds?partner_name=",
        ):
            assert visitor.get(path + "x" * 10_000).status_code in (200, 400, 404), path


def assert_harmless(path: str, text: str) -> None:
    """Markup stays text, and directions stay inside; fields keep to themselves what they have."""
    for raw in ("<script>alert", "<b onmouseover", "<img", "<i>"):
        assert raw not in text, path
    assert "\u202e" not in re.sub(r' value="[^"]*"', "", text), path
    assert len(text) < LARGEST_PAGE, path


class TestForms:
    @pytest.mark.slow
    def test_every_form_without_its_token_is_refused(self, full: Site):
        """Found by a crawl over all pages; with the token of another session too."""
        visitor, other = full.visitor(), full.visitor()
        wrong = other.token()
        forms = {
            form.action: form
            for _, answer in visitor.crawl()
            if answer.headers["content-type"].startswith("text/html")
            for form in found(answer).forms
            if form.method == "post"
        }
        forms["/sign-in"] = found(full.stranger().get("/sign-in")).forms[0]
        assert len(forms) > 12
        for action, form in forms.items():
            assert "form_token" in form.fields, action
            fields = {n: v for n, v in form.fields.items() if n != "form_token"}
            for sent in (fields, {**fields, "form_token": wrong}):
                answer = visitor.client.post(action, data=sent)
                assert answer.status_code == 403, (action, answer.text)
                assert "foreign_form" in answer.text

    def test_a_form_from_another_site_is_refused_before_it_is_read(self, site: Site):
        visitor = site.visitor()
        answer = visitor.client.post(
            "/partners",
            data={"form_token": visitor.token(), "partner_name": "Evil"},
            headers={"Sec-Fetch-Site": "cross-site"},
        )
        assert answer.status_code == 403

    def test_unknown_fields_and_parameters_are_refused(self, site: Site):
        visitor = site.visitor()
        assert visitor.send("/partners", partner_name="X", nonsense="1").status_code == 422
        assert visitor.get("/feeds?nonsense=1").status_code == 400
        assert visitor.get("/feeds?status=nonsense").status_code == 400
        assert visitor.get("/feeds?status=&partner_name=").status_code == 200

    @pytest.mark.parametrize("path", ["/feeds", "/orders"])
    def test_a_range_that_ends_before_it_begins_is_refused(self, site: Site, path: str):
        answer = site.visitor().get(f"{path}?from=2026-02-01&to=2026-01-31")
        assert answer.status_code == 422
        assert "`from` must not be after `to`" in html.unescape(answer.text)

    def test_a_form_of_another_kind_is_refused(self, site: Site):
        visitor = site.visitor()
        answer = visitor.client.post("/partners", json={"partner_name": "X"})
        assert answer.status_code == 415


class TestSessions:
    def test_a_person_who_isnt_signed_in_is_sent_to_sign_in_and_back(self, full: Site):
        stranger = full.stranger()
        answer = stranger.get("/feeds?status=held")
        assert answer.status_code == 303
        assert answer.headers["location"] == "/sign-in?next=%2Ffeeds%3Fstatus%3Dheld"
        secret = full.commerce.keys.add().secret or ""
        back = stranger.sign_in(secret, next="/feeds?status=held")
        assert back.headers["location"] == "/feeds?status=held"
        assert stranger.get("/feeds?status=held").status_code == 200

    def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(self, site: Site):
        stranger = site.stranger()
        answer = stranger.sign_in(site.commerce.keys.add().secret or "")
        (cookie,) = [
            text
            for text in answer.headers.get_list("set-cookie")
            if text.startswith("commerce_session")
        ]
        for part in ("HttpOnly", "SameSite=lax", "Path=/", "Max-Age=43200"):
            assert part in cookie
        assert "Secure" not in cookie

    def test_behind_https_the_cookie_is_sent_nowhere_else(self, site: Site):
        stranger = site.stranger()
        form = found(stranger.get("/sign-in")).forms[0]
        data = {**form.fields, "key": site.commerce.keys.add().secret or ""}
        headers = {"X-Forwarded-Proto": "https"}
        answer = stranger.client.post("/sign-in", data=data, headers=headers)
        cookies = answer.headers.get_list("set-cookie")
        assert any("commerce_session" in text and "Secure" in text for text in cookies)

    def test_a_wrong_key_is_refused_with_the_reason(self, site: Site):
        answer = site.stranger().sign_in("made up")
        assert answer.status_code == 401
        assert "unknown or was revoked" in answer.text

    def test_signing_out_ends_the_session(self, site: Site):
        visitor = site.visitor()
        session = visitor.client.cookies["commerce_session"]
        assert visitor.send("/sign-out").headers["location"] == "/sign-in"
        again = site.stranger()
        again.client.cookies.set("commerce_session", session)
        assert again.get("/").status_code == 303

    def test_a_revoked_key_ends_its_sessions(self, site: Site):
        visitor = site.visitor()
        for key in site.commerce.keys.list():
            site.commerce.keys.revoke(key.key_id)
        assert visitor.get("/").headers["location"] == "/sign-in"

    @pytest.mark.parametrize(
        ("path", "leads_to"),
        [
            ("/feeds?a=b", "/feeds?a=b"),
            ("https://evil.example", "/"),
            ("//evil.example", "/"),
            ("/\\evil.example", "/"),
            ("/%2fevil.example", "/"),
            ("/%5cevil.example", "/"),
            ("/a\r\nSet-Cookie: x=y", "/"),
            ("javascript:alert(1)", "/"),
        ],
    )
    def test_signing_in_leads_to_no_other_site(self, path: str, leads_to: str):
        assert own_path(path) == leads_to


class TestPartners:
    @pytest.mark.slow
    def test_a_partner_finds_nothing_of_others_on_any_page(self, full: Site):
        """All addresses that the operator can reach, visited by a partner."""
        operator, partner = full.visitor(), full.visitor("Acme", *GRANTABLE)
        for path in [*pages(operator), "/rules?lint=true", "/feeds?partner_name=Zebra+Secrets"]:
            answer = partner.get(path)
            assert answer.status_code in (200, 303, 400, 403, 404), (path, answer.text)
            shown = answer.text.replace(path.partition("?")[2].replace("+", " "), "")
            if answer.status_code == 200 and "Zebra" not in path:
                assert "Zebra" not in shown, path
                assert "ZEB-" not in shown, path

    def test_a_partner_sees_its_own(self, full: Site):
        partner = full.visitor("Acme")
        seen = pages(partner)
        assert "Acme" in seen["/"]
        assert "the partner sells" not in seen["/"]
        assert "By partner" not in seen["/analytics"]
        assert "<th>Partner" not in seen["/feeds"].replace(' scope="col"', "")
        assert not {"/rules", "/system"} & seen.keys()
        assert any(path.startswith("/orders/") for path in seen)

    def test_acts_on_others_are_refused_as_unknown(self, full: Site):
        held = next(
            feed for feed in full.commerce.feeds.list(partner="Zebra Secrets")
            if feed.status == "held"
        )  # fmt: skip
        partner = full.visitor("Acme", *GRANTABLE)
        for act in ("approve", "reject", "revert", "jobs"):
            assert partner.send(f"/feeds/{held.feed_id}/{act}").status_code == 404, act
        assert full.commerce.feeds.get(held.feed_id).status == "held"

    def test_pages_need_their_scope(self, full: Site):
        reader = full.visitor("Acme", "feeds:read")
        assert reader.get("/").status_code == 200
        for path in ("/orders", "/products", "/analytics", "/upload", "/rules", "/system"):
            assert reader.get(path).status_code == 403, path
        held = next(f for f in full.commerce.feeds.list(partner="Acme") if f.status == "held")
        assert reader.send(f"/feeds/{held.feed_id}/approve").status_code == 403
        assert "Approve:" not in reader.get(f"/feeds/{held.feed_id}").text


GRANTABLE = (
    "partners:read", "feeds:read", "feeds:write", "feeds:decide", "catalog:read", "orders:read",
    "orders:write", "analytics:read", "money:read", "webhooks:read", "webhooks:write",
    "alerts:read", "alerts:write",
)  # fmt: skip


ALL = InboxQuery(None)


class TestActs:
    def test_an_item_is_acknowledged_snoozed_and_assigned(self, full: Site):
        visitor = full.visitor()
        item = full.commerce.inbox.get().items[0]
        marked = visitor.send("/inbox/marks", cause_id=item.cause_id, acknowledged="true")
        assert marked.headers["location"] == "/"
        page = visitor.get("/")
        assert "Now acknowledged" in page.text
        assert "Now acknowledged" not in visitor.get("/").text
        visitor.send("/inbox/marks", cause_id=item.cause_id, snooze="1d", assignee="Ada", note="x")
        (snoozed,) = [i for i in full.commerce.inbox.get(ALL).items if i.state == "snoozed"]
        assert (snoozed.assignee, snoozed.note) == ("Ada", "x")
        visitor.send("/inbox/marks", cause_id=item.cause_id, assignee="", note="")
        assert "Ada" not in visitor.get("/?state=snoozed").text

    def test_a_held_feed_is_decided(self, full: Site):
        visitor = full.visitor()
        acme, zebra = (
            next(f for f in full.commerce.feeds.list(partner=p) if f.status == "held").feed_id
            for p in ("Acme", "Zebra Secrets")
        )
        assert "108 of 120 products would be removed" in visitor.get(f"/feeds/{acme}").text
        answer = visitor.send(f"/feeds/{acme}/approve", without="removals")
        assert answer.status_code == 303, answer.text
        assert full.commerce.feeds.get(acme).status == "applied"
        visitor.send(f"/feeds/{zebra}/reject", note="Half of it is missing")
        assert full.commerce.feeds.get(zebra).status == "rejected"
        assert "Half of it is missing" in visitor.get(f"/feeds/{zebra}").text
        assert visitor.send(f"/feeds/{zebra}/approve").status_code == 409

    def test_problems_are_grouped_with_the_cell_marked(self, full: Site):
        feed = next(
            f for f in full.commerce.feeds.list(partner="Acme") if f.mode == "delta"
        )  # fmt: skip
        text = full.visitor().get(f"/feeds/{feed.feed_id}").text
        assert "<code>9,99</code>" in text
        assert "<mark>4,20</mark>" in text
        assert "9 ×" in text

    def test_a_feed_is_reverted_after_its_plan_was_shown(self, site: Site):
        feed_id = site.load(products(3))
        visitor = site.visitor()
        assert "change 3 products" in visitor.get(f"/feeds/{feed_id}/revert").text
        answer = visitor.send(f"/feeds/{feed_id}/revert", undo="false")
        job_id = answer.headers["location"].rpartition("/")[2]
        assert site.commerce.jobs.run(job_id).status == "completed"
        assert site.commerce.feeds.get(feed_id).status == "reverted"

    def test_a_file_is_looked_at_before_anything_is_kept(self, site: Site):
        visitor, partner = site.visitor(), site.commerce.partners.get("Acme").partner_id
        shown = visitor.upload(products(3), partner=partner, do="look", mode="full")
        assert shown.status_code == 200
        assert "What doctor says" in shown.text
        assert "<b>3</b><span>created</span>" in shown.text
        assert list(site.commerce.feeds.list()) == []
        sent = visitor.upload(products(3), partner=partner, do="send", mode="full")
        feed_id = sent.headers["location"].rpartition("/")[2]
        assert site.commerce.feeds.get(feed_id).mode == "full"

    def test_a_file_that_cant_be_processed_is_refused_with_the_reason(self, site: Site):
        visitor, partner = site.visitor(), site.commerce.partners.get("Acme").partner_id
        shown = visitor.upload(b"<html></html>", partner=partner, do="look")
        assert shown.status_code == 422
        assert "can't be processed" in shown.text
        assert visitor.upload(b"sku\n", do="look").status_code == 422
        assert visitor.upload(b"a" * 2_000_000, partner=partner, do="send").status_code == 413

    def test_uploads_have_the_rate_that_the_api_gives_them(self):
        with opened(evolve(SETTINGS, limit_upload_rate_per_key=0.01)) as site:
            visitor, partner = site.visitor(), site.commerce.partners.get("Acme").partner_id
            assert visitor.upload(products(3), partner=partner, do="send").status_code == 303
            refused = visitor.upload(products(3), partner=partner, do="look")
            assert refused.status_code == 429
            assert refused.headers["retry-after"]
            assert visitor.get("/feeds").status_code == 200

    def test_the_raw_file_and_the_report_are_downloaded(self, full: Site):
        feed = next(f for f in full.commerce.feeds.list(partner="Acme") if f.mode == "delta")
        visitor = full.visitor()
        raw = visitor.get(f"/feeds/{feed.feed_id}/raw")
        assert raw.content.startswith(HEADER.encode())
        assert raw.headers["content-disposition"].startswith("attachment")
        assert b"not_a_number" in visitor.get(f"/feeds/{feed.feed_id}/report").content

    def test_partners_and_sources_are_changed(self, site: Site):
        visitor = site.visitor()
        added = visitor.send("/partners", partner_name="Birch", currency="EUR")
        path = added.headers["location"]
        assert visitor.send(path, partner_name="Birch & Co", status="paused").status_code == 303
        partner = site.commerce.partners.get("Birch & Co")
        assert (partner.status, partner.currency) == ("paused", None)
        (source,) = site.commerce.sources.of(partner.partner_id)
        visitor.send(f"/sources/{source.source_id}", mode="full", run="true")
        assert site.commerce.sources.get(source.source_id).run

    def test_a_rule_is_quoted_explained_and_paused(self, full: Site):
        visitor = full.visitor()
        shown = visitor.get("/rules?lint=true&quote_partner=Acme&quote_sku=ACM-1&why_not=Spring")
        assert "Spring took" in shown.text
        nothing = visitor.get("/rules?quote_partner=Acme&quote_sku=nothing")
        assert "has no product" in nothing.text
        rule = full.commerce.pricing.get("Spring")
        visitor.send(f"/rules/{rule.rule_id}", status="paused", version="1")
        assert full.commerce.pricing.get(rule.rule_id).status == "paused"
        late = visitor.send(f"/rules/{rule.rule_id}", status="active", version="1")
        assert late.status_code == 409

    def test_a_disabled_webhook_is_an_item_and_is_enabled_again(self, full: Site):
        visitor = full.visitor()
        hook = next(full.commerce.webhooks.list(partner="Acme"))
        assert f"/webhooks/{hook.webhook_id}" in visitor.get("/").text
        delivery = next(full.commerce.webhooks.deliveries(partner="Acme"))
        assert "Send it again" in visitor.get(f"/deliveries/{delivery.delivery_id}").text
        again = visitor.send(f"/deliveries/{delivery.delivery_id}/redeliver")
        assert again.status_code == 409
        visitor.send(f"/webhooks/{hook.webhook_id}", status="active")
        assert f"/webhooks/{hook.webhook_id}" not in visitor.get("/").text
        visitor.send(f"/deliveries/{delivery.delivery_id}/redeliver")
        assert full.commerce.webhooks.delivery(delivery.delivery_id).delivery.status == "pending"

    def test_a_statement_is_read_down_to_its_orders(self, full: Site):
        visitor = full.visitor()
        closed = full.commerce.statements.list(partner="Acme")
        statement = next(one for one in closed if one.entry_count)
        page = visitor.get(f"/statements/{statement.statement_id}")
        assert "/orders/" in page.text
        file = visitor.get(f"/statements/{statement.statement_id}/file")
        assert file.headers["content-disposition"].startswith("attachment")
        assert visitor.send("/statements/close").status_code == 303

    def test_a_failed_feed_is_processed_again(self, full: Site):
        feed = next(f for f in full.commerce.feeds.list(partner="Acme") if f.status == "failed")
        answer = full.visitor().send(f"/feeds/{feed.feed_id}/jobs")
        assert answer.headers["location"].startswith("/jobs/")

    def test_a_job_is_started_and_cancelled(self, site: Site):
        file = io.BytesIO(products(1))
        job_id = site.commerce.feeds.upload(file, partner="Acme", file_name="f.csv").job_id
        visitor = site.visitor()
        assert "waits for its start" in visitor.get(f"/jobs/{job_id}").text
        visitor.send(f"/jobs/{job_id}/run")
        assert "hx-sse:connect" in visitor.get(f"/jobs/{job_id}").text
        assert 'http-equiv="refresh"' in visitor.get("/jobs").text
        visitor.send(f"/jobs/{job_id}/cancel")
        assert site.commerce.jobs.get(job_id).status == "cancelled"


def test_the_vendored_script_is_what_was_packed():
    import hashlib

    for name, digest in vendored()["sha256"].items():
        assert hashlib.sha256((STATIC / name).read_bytes()).hexdigest() == digest


def test_assets_are_kept_for_good_by_their_digest(site: Site):
    for asset in assets().values():
        answer = site.client.get(asset.path)
        assert answer.content == asset.content
        assert "immutable" in answer.headers["cache-control"]
        assert site.client.get(asset.path.replace("/assets/", "/assets/0")).status_code == 404


def test_the_status_page_stands_without_the_dashboard():
    from litestar.testing import TestClient

    from entrypoints.compose import open_platform
    from entrypoints.http.app import create_app
    from tests.unit.dashboard.conftest import SETTINGS

    with open_platform(SETTINGS) as commerce, TestClient(create_app(commerce, SETTINGS)) as client:
        assert "health as JSON" in client.get("/").text
