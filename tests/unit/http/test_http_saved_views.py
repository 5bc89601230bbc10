"""Saved views over HTTP and on the command line."""

from tests.support.commands import Cli
from tests.unit.http.conftest import Api

HELD = {"page": "feeds", "view_name": "Held", "filters": {"status": "held"}}


def test_a_view_is_saved_listed_changed_and_removed(api: Api):
    saved = api.post("/v1/views", HELD)
    assert saved.status_code == 201
    path = saved.headers["location"]
    shown = api.get(path).json()
    assert (shown["page"], shown["filters"], shown["shared"]) == (
        "feeds",
        {"status": "held"},
        False,
    )
    assert api.post("/v1/views", HELD).json()["code"] == "view_name_taken"
    changed = api.patch(path, {"view_name": "All", "filters": {}, "shared": True}).json()
    assert (changed["view_name"], changed["filters"], changed["shared"]) == ("All", {}, True)
    listed = api.get("/v1/views?page=feeds&count=true").json()
    assert (listed["count"], listed["items"]) == (1, [changed])
    assert api.get("/v1/views?page=jobs").json()["items"] == []
    assert api.delete(path).json() == changed
    assert api.get(path).status_code == 404


def test_an_unknown_page_or_a_filter_of_another_type_is_refused(api: Api):
    for wrong in ({"page": "moon"}, {"filters": {"status": 3}}, {"filters": ["x"]}):
        assert api.post("/v1/views", {**HELD, **wrong}).status_code == 422


def test_views_on_the_command_line_are_those_that_operators_share(api: Api):
    cli = Cli(api.commerce)
    added = cli.fine("views", "add", "feeds", "Held", "--filter", "status=held", "--json").json
    assert added["shared"]
    view_id = added["view_id"]
    assert "status=held" in cli.fine("views", "list", "--page", "feeds").out
    renamed = cli.fine("views", "set", view_id, "--name", "Waiting").out
    assert "Waiting" in renamed
    assert "status=held" in cli.fine("views", "show", view_id).out
    cli.fine("views", "remove", view_id)
    assert "There are no saved views." in cli.fine("views", "list").err
    assert cli("views", "add", "feeds", "x", "--filter", "status").code == 2
    assert cli("views", "set", view_id).code == 2
