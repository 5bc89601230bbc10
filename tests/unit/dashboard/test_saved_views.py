"""Saved views on pages: saved from what a list shows, offered above it, of their own key alone."""

from commerce_core.partners.saved_view import SavedView
from tests.support.browsing import found
from tests.unit.dashboard.conftest import Site

HOSTILE = "<b onmouseover=x>\u2067view\u2069</b>"


def test_what_a_list_shows_is_saved_and_offered_above_it(full: Site):
    visitor = full.visitor()
    page = visitor.get("/feeds?status=failed&partner_name=Acme&from=&cursor=")
    form = next(f for f in found(page).forms if f.action == "/views")
    fields = {n: v for n, v in form.fields.items() if n in ("page", "query")}
    saved = visitor.send("/views", view_name="Acme's failed", **fields)
    assert saved.headers["location"] == "/feeds?status=failed&partner_name=Acme"
    text = visitor.get(saved.headers["location"]).text
    assert 'aria-current="true">\n' not in text
    assert 'aria-current="true"><bdi>Acme&#39;s failed</bdi>' in text
    assert "Acme&#39;s failed" in visitor.get("/feeds").text
    assert "Acme&#39;s failed" not in visitor.get("/jobs").text
    assert "Acme&#39;s failed" not in full.visitor().get("/feeds").text


def test_a_view_has_an_address_of_its_own_and_is_renamed_shared_and_removed(full: Site):
    visitor, other = full.visitor(), full.visitor()
    visitor.send("/views", page="orders", query="status=open", view_name="Open")
    view = next(v for v in _own(full) if v.view_name == "Open")
    path = f"/views/{view.view_id}"
    assert visitor.get(path).headers["location"] == "/orders?status=open"
    assert other.get(path).status_code == 404
    visitor.send(path, view_name="Not sent yet", shared="true")
    assert "Not sent yet" in other.get("/views").text
    assert other.get(path).status_code == 303
    assert full.visitor("Acme").get(path).status_code == 404
    assert full.visitor("Acme").send(f"{path}/remove").status_code == 404
    visitor.send(f"{path}/remove")
    assert (
        "Not sent yet"
        not in visitor.get("/views").text.partition('role="status"')[2].partition("</p>")[2]
    )


def _own(full: Site) -> list[SavedView]:
    with full.commerce.context.store.read_only() as unit:
        keys = unit.keys.page(None, None, 50).items
    views: list[SavedView] = []
    for key in keys:
        views += [*full.commerce.acting_as(key.principal()).saved_views.list()]
    return views


def test_each_list_with_filters_can_be_saved(full: Site):
    visitor = full.visitor()
    lists = (
        "/", "/feeds", "/jobs", "/failures", "/products", "/orders", "/analytics",
        "/analytics/top", "/analytics/hours", "/analytics/refunds", "/analytics/rules",
        "/statements",
    )  # fmt: skip
    for path in lists:
        form = next(f for f in found(visitor.get(path)).forms if f.action == "/views")
        saved = visitor.send("/views", view_name="Mine", page=form.fields["page"])
        assert saved.headers["location"] == path


def test_hostile_names_and_filters_break_no_page(full: Site):
    visitor = full.visitor()
    visitor.send("/views", page="products", query="q=%3Cscript%3E", view_name=HOSTILE)
    for path in ("/products", "/views"):
        page = visitor.get(path)
        assert page.status_code == 200
        assert "<b onmouseover" not in page.text
        assert "<script>" not in page.text
        assert "&lt;b onmouseover" in page.text
    for query in ("q=" + "x" * 10_000, "&".join(f"f{n}=1" for n in range(100)), "q=%00"):
        refused = visitor.send("/views", page="products", query=query, view_name="Long")
        assert refused.status_code == 422, query[:20]
    assert visitor.send("/views", page="products", view_name="x" * 10_000).status_code == 422
