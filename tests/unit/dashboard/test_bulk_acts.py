"""Groups on pages: a row for each cause, and one act on all members, with the number confirmed."""

from attrs import define

from commerce_core.work.task import Task
from tests.support.browsing import Visitor, found
from tests.unit.dashboard.conftest import HEADER, Site, products

HTML = b"<html><body>Log in</body></html>"


@define
class Confirmation:
    """The form that confirms a bulk act."""

    visitor: Visitor
    path: str

    def fields(self) -> dict[str, str]:
        page = self.visitor.get(self.path)
        forms = [f for f in found(page).forms if f.action == "/bulk-acts" and f.method == "post"]
        return dict(forms[0].fields)

    def press(self, **changes: str):
        sent = {**self.fields(), **changes}
        return self.visitor.client.post(
            "/bulk-acts", data={name: value for name, value in sent.items() if value}
        )


def work(site: Site) -> None:
    while isinstance(task := site.commerce.queue.claim("bulk_acts"), Task):
        site.commerce.queue.perform(task)


def failures(site: Site, count: int) -> None:
    for _ in range(count):
        site.load(HTML)


def test_many_failures_of_three_causes_are_three_rows(site: Site):
    """Acting on one acts on exactly its members, however many fit on a page."""
    failures(site, 60)
    site.load(b"name\nLamp\n")
    site.load(b"\x1f\x8b\x08cut off")
    visitor = site.visitor()
    page = visitor.get("/failures").text
    assert page.count("<tr data-row>") == 3
    assert '<td class="num">60</td>' in page
    plan = Confirmation(visitor, "/bulk-acts/new?kind=process_again&code=html")
    assert plan.fields()["count"] == "60"
    path = plan.press().headers["location"]
    assert "0 of 60" in visitor.get(path).text
    work(site)
    done = visitor.get(path).text
    assert "60 of 60" in done
    assert "<b>60</b><span>done</span>" in done
    assert "completed" in done
    assert visitor.get("/failures").text.count("<tr data-row>") == 2


def test_a_number_that_has_changed_is_refused_and_nothing_is_done(site: Site):
    failures(site, 2)
    visitor = site.visitor()
    plan = Confirmation(visitor, "/bulk-acts/new?kind=process_again&code=html")
    fields = plan.fields()
    failures(site, 1)
    answer = visitor.client.post("/bulk-acts", data={n: v for n, v in fields.items() if v})
    assert answer.status_code == 409
    assert "3 feeds now, not 2" in answer.text
    assert list(site.commerce.bulk_acts.list()) == []


def test_a_second_click_starts_nothing_more(site: Site):
    failures(site, 2)
    plan = Confirmation(site.visitor(), "/bulk-acts/new?kind=process_again&code=html")
    fields = plan.fields()
    assert plan.press().status_code == 303
    work(site)
    assert plan.visitor.client.post("/bulk-acts", data=fields).status_code in (409, 422)
    assert len(list(site.commerce.bulk_acts.list())) == 1


def test_all_held_feeds_of_a_filter_are_approved_without_their_removals(site: Site):
    site.load(products(120))
    held = site.load(products(12))
    visitor = site.visitor()
    assert "Approve all of them" in visitor.get("/feeds?status=held&partner_name=Acme").text
    plan = Confirmation(visitor, "/bulk-acts/new?kind=approve&partner_name=Acme")
    path = plan.press(without="removals", note="Checked").headers["location"]
    work(site)
    assert "Checked" in visitor.get(path).text
    assert site.commerce.feeds.get(held).status == "applied"
    assert visitor.get("/bulk-acts/new?kind=approve").status_code == 422


def test_what_was_refused_shows_why(site: Site):
    site.load(products(120))
    held = site.load(products(12))
    visitor = site.visitor()
    path = Confirmation(visitor, "/bulk-acts/new?kind=reject").press().headers["location"]
    site.commerce.plans.approve(held)
    work(site)
    refused = visitor.get(f"{path}?status=refused").text
    assert "feed not held" in refused
    assert "only held feeds can be approved or rejected" in refused


def test_the_rest_is_cancelled(site: Site):
    failures(site, 2)
    visitor = site.visitor()
    path = Confirmation(visitor, "/bulk-acts/new?kind=process_again").press().headers["location"]
    assert visitor.send(f"{path}/cancel").headers["location"] == path
    assert "<b>2</b><span>left alone</span>" in visitor.get(path).text
    assert visitor.send(f"{path}/cancel").status_code == 409


def test_a_partner_without_the_scope_is_offered_no_decision(site: Site):
    site.load(products(120))
    site.load(products(12))
    partner = site.visitor("Acme")
    assert "all of them" not in partner.get("/feeds?status=held").text
    assert partner.get("/bulk-acts/new?kind=approve").status_code == 403


def test_hostile_messages_stay_text(site: Site):
    site.load((HEADER.replace("sku", "<script>alert(1)</script>") + "1,2\n").encode())
    assert "<script>alert" not in site.visitor().get("/failures").text
