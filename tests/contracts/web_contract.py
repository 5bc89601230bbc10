"""What calling servers of others promises: addresses are judged, pinned, and judged again."""

from collections.abc import Callable

import pytest

from commerce_core.base.errors import InvalidInput, Unreachable
from commerce_core.ports.web import Web, WebRequest

MOST = 3


class World:
    """Two servers that answer by path, `partner.example` and `other.example`; names of others.

    `private.example` and `mixed.example` resolve to addresses that may not be called.
    """

    web: Web
    redirect: Callable[[str, str], None]
    """Makes a path of the first server redirect to a URL."""
    urls: Callable[[str, str], str]
    """The URL of a path of a server."""
    sent: Callable[[], list[tuple[str, dict[str, str]]]]
    """The paths that were requested, with their headers, whose names are in lower case."""


def get(world: World, url: str, redirects: int = MOST, **headers: str) -> tuple[int, bytes]:
    request = WebRequest("GET", url, headers, most_redirects=redirects)
    with world.web.send(request) as answer:
        return answer.status, answer.stream.read()


def refused(world: World, url: str) -> str:
    with pytest.raises(Unreachable) as refusal:
        get(world, url)
    return refusal.value.code


class TestWeb:
    def test_an_answer_comes_with_its_status_and_body(self, world: World):
        assert get(world, world.urls("partner.example", "/feed.csv")) == (200, b"sku\nA\n")
        assert get(world, world.urls("partner.example", "/none"))[0] == 404

    @pytest.mark.parametrize("host", ["private.example", "mixed.example"])
    def test_a_name_of_a_private_address_is_never_called(self, world: World, host: str):
        assert refused(world, world.urls(host, "/feed.csv")) == "address_refused"
        assert world.sent() == []

    @pytest.mark.parametrize("url", ["https://127.1/", "file:///etc/passwd", "https://[::1]/"])
    def test_a_url_that_may_not_be_called_is_refused_when_it_is_used(self, world: World, url: str):
        assert refused(world, url) == "address_refused"

    def test_a_name_without_an_address_is_unresolved(self, world: World):
        assert refused(world, world.urls("unknown.example", "/")) == "unresolved"

    def test_urls_are_judged_before_they_are_stored(self, world: World):
        world.web.judge(world.urls("partner.example", "/feed.csv"))
        world.web.judge(world.urls("unknown.example", "/feed.csv"))
        for url in (world.urls("private.example", "/"), "https://169.254.169.254/latest/"):
            with pytest.raises(InvalidInput) as refusal:
                world.web.judge(url, "/address")
            fault = refusal.value.faults[0]
            assert (fault.pointer, fault.code) == ("/address", "address_refused")
        assert world.sent() == []

    def test_redirects_are_followed_to_the_limit(self, world: World):
        for hop in range(MOST + 1):
            world.redirect(f"/{hop}", world.urls("partner.example", f"/{hop + 1}"))
        world.redirect(f"/{MOST + 1}", "/feed.csv")
        assert get(world, world.urls("partner.example", "/2")) == (200, b"sku\nA\n")
        assert refused(world, world.urls("partner.example", "/0")) == "too_many_redirects"

    def test_each_redirect_is_judged(self, world: World):
        for place in ("http://169.254.169.254/latest/", world.urls("private.example", "/")):
            world.redirect("/away", place)
            assert refused(world, world.urls("partner.example", "/away")) == "address_refused"
        assert [path for path, _ in world.sent()] == ["/away", "/away"]

    def test_without_redirects_the_answer_is_the_redirect(self, world: World):
        world.redirect("/away", "http://169.254.169.254/latest/")
        assert get(world, world.urls("partner.example", "/away"), redirects=0)[0] == 302

    def test_credentials_go_to_no_other_server(self, world: World):
        world.redirect("/same", "/feed.csv")
        world.redirect("/other", world.urls("other.example", "/feed.csv"))
        for path in ("/same", "/other"):
            get(world, world.urls("partner.example", path), authorization="secret")
        shown = [(path, "authorization" in headers) for path, headers in world.sent()]
        assert shown == [
            ("/same", True),
            ("/feed.csv", True),
            ("/other", True),
            ("/feed.csv", False),
        ]
