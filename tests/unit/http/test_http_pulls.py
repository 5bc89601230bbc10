"""Sources that are fetched, over HTTP."""

import pytest

from tests.unit.http.conftest import Api

URL = "https://1.1.1.1/feed.csv"


@pytest.fixture
def acme(api: Api) -> Api:
    """The API as a partner sees it."""
    return api.asking(api.key(api.partner()))


def source_of(api: Api) -> str:
    return api.get("/v1/sources").json()["items"][0]["source_id"]


def test_a_source_is_fetched_by_a_schedule_and_on_request(acme: Api):
    path = f"/v1/sources/{source_of(acme)}"
    assert acme.get(f"{path}/pull").json()["code"] == "not_pulled"
    settings = {"url": URL, "secret": "s3cret", "cron": "0 6 * * *", "time_zone": "Asia/Tokyo"}
    made = acme.request("PUT", f"{path}/pull", json=settings)
    assert made.status_code == 200
    assert (made.json()["has_secret"], len(made.json()["next_at"])) == (True, 5)
    assert "s3cret" not in made.text
    assert "sealed" not in made.json()
    kept = acme.request("PUT", f"{path}/pull", json={"url": URL})
    assert (kept.json()["has_secret"], kept.json()["next_at"]) == (True, [])
    gone = acme.request("PUT", f"{path}/pull", json={"url": URL, "secret": None})
    assert not gone.json()["has_secret"]
    fetch = acme.post(f"{path}/fetch")
    assert (fetch.status_code, fetch.json()["status"]) == (201, "queued")
    assert acme.get(fetch.headers["location"]).json() == fetch.json()
    assert acme.post(f"{path}/fetch").json()["code"] == "fetch_under_way"
    assert acme.get("/v1/fetches?count=true").json()["count"] == 1
    assert acme.delete(f"{path}/pull").json()["url"] == URL


def test_addresses_and_schedules_are_judged_with_their_pointers(acme: Api):
    path = f"/v1/sources/{source_of(acme)}/pull"
    for settings, pointer, code in (
        ({"url": "https://[::ffff:127.0.0.1]/"}, "/url", "address_refused"),
        ({"url": "https://a:b@1.1.1.1/"}, "/url", "url_credentials"),
        ({"url": URL, "cron": "* * *"}, "/cron", "bad_cron"),
        ({"url": URL, "cron": "0 0 * * *", "time_zone": "X"}, "/time_zone", "bad_time_zone"),
    ):
        answer = acme.request("PUT", path, json=settings)
        assert answer.status_code == 422
        (error,) = answer.json()["errors"]
        assert (error["pointer"], error["code"]) == (pointer, code)


def test_what_is_anothers_answers_like_what_there_is_not(api: Api, acme: Api):
    path = f"/v1/sources/{source_of(acme)}"
    acme.request("PUT", f"{path}/pull", json={"url": URL})
    fetch = acme.post(f"{path}/fetch").json()["fetch_id"]
    other = api.asking(api.key(api.partner("Other")))
    assert other.get("/v1/fetches").json()["items"] == []
    for method, of in (
        ("GET", f"{path}/pull"), ("DELETE", f"{path}/pull"), ("POST", f"{path}/fetch"),
        ("GET", f"/v1/fetches/{fetch}"),
    ):  # fmt: skip
        assert other.request(method, of).status_code == 404
    assert other.request("PUT", f"{path}/pull", json={"url": URL}).status_code == 404
    assert api.asking(None).get("/v1/fetches").status_code == 401
