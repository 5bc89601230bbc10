"""A person with a browser without script: pages, links, forms, and a crawl over all of them."""

import re
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlencode, urljoin, urlsplit

from attrs import define, field, frozen
from httpx import Response
from litestar.testing import TestClient

MOST_PAGES = 400
LIKE_ANY_OTHER = ("range",)
"""Parameters with a handful of values that make no other kind of page: one of them is visited."""


@frozen
class Form:
    """A form of a page, with the fields that it already has."""

    method: str
    action: str
    fields: Mapping[str, str]


@define
class Found(HTMLParser):
    """What a page has in it."""

    links: list[str] = field(factory=list)
    loaded: list[str] = field(factory=list)
    forms: list[Form] = field(factory=list)
    tags: list[str] = field(factory=list)
    handlers: list[str] = field(factory=list)

    def __attrs_pre_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self.handlers += [name for name in given if name.startswith("on") or name == "style"]
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag in ("script", "img", "link", "iframe", "source"):
            self.loaded += [given[name] for name in ("src", "href") if name in given]
        if tag == "form":
            self.forms.append(Form(given.get("method", "get"), given.get("action", ""), {}))
        if tag in ("input", "button", "select", "textarea") and self.forms and "name" in given:
            last = self.forms[-1]
            fields = {**last.fields, given["name"]: given.get("value", "")}
            self.forms[-1] = Form(last.method, last.action, fields)


def found(answer: Response) -> Found:
    """What the page of that answer has in it."""
    made = Found()
    made.feed(answer.text)
    return made


@define
class Visitor:
    """Someone who visits the dashboard, and signs in with a key."""

    client: TestClient[Any]

    def get(self, path: str) -> Response:
        return self.client.get(path)

    def sign_in(self, secret: str, **fields: str) -> Response:
        form = found(self.get("/sign-in")).forms[0]
        return self.client.post("/sign-in", data={**form.fields, "key": secret, **fields})

    def token(self) -> str:
        got = re.search(r'name="form_token" value="(\w+)"', self.get("/help").text)
        assert got
        return got[1]

    def send(self, path: str, **fields: str) -> Response:
        """Sends a form, with the token of the session."""
        return self.client.post(path, data={"form_token": self.token(), **fields})

    def upload(self, content: bytes, **fields: str) -> Response:
        files = {"file": ("feed.csv", content, "text/csv")}
        data = {"form_token": self.token(), **fields}
        return self.client.post("/upload", data=data, files=files)

    def crawl(self, start: str = "/") -> Iterator[tuple[str, Response]]:
        """Every page that links lead to, once for each path and set of parameters."""
        waiting, seen = [start], {start}
        while waiting and len(seen) < MOST_PAGES:
            path = waiting.pop(0)
            answer = self.get(path)
            yield path, answer
            if not answer.headers.get("content-type", "").startswith("text/html"):
                continue
            for link in found(answer).links:
                there = urlsplit(urljoin(f"http://here{path}", link))
                at = there.path + (f"?{there.query}" if there.query else "")
                own = there.netloc == "here" and not there.path.startswith(("/v1", "/docs"))
                kind = _kind(there)
                if own and kind not in seen:
                    seen.add(kind)
                    waiting.append(at)


def _kind(there: SplitResult) -> str:
    """The address without the values that make no other kind of page."""
    pairs = parse_qsl(there.query, keep_blank_values=True)
    kept = [(name, "" if name in LIKE_ANY_OTHER else value) for name, value in pairs]
    return there.path + (f"?{urlencode(kept)}" if kept else "")
