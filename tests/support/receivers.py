"""Receivers of webhooks in memory, and a platform that calls them."""

import json
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from attrs import define, evolve, field

from adapters.memory import MemoryStore
from adapters.memory.web import MemoryWeb
from commerce_core.commerce import Commerce
from commerce_core.ports.web import WebRequest
from commerce_core.webhooks.delivery import Claim, Judged
from entrypoints.compose import open_platform
from entrypoints.settings import Settings

Answer = tuple[int, Mapping[str, str], bytes]
URL = "https://receiver.example/hook"
ROOMS = (Claim(100, others=100), Claim(100, others=100, failing=True))


@define
class Receivers:
    """A platform whose clock stands still, and servers that answer as they are asked to."""

    commerce: Commerce
    web: MemoryWeb
    now: datetime
    answers: dict[str, Callable[[], Answer]] = field(factory=dict[str, Callable[[], Answer]])

    def later(self, by: timedelta) -> None:
        """Some time passes."""
        self.now += by

    def answer(self, status: int = 204, body: bytes = b"", url: str = URL, **headers: str) -> None:
        """From now on, the receiver answers so."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers[url] = lambda: (status, named, body)

    def deliver(self) -> list[Judged]:
        """What a worker does, until nothing is due."""
        done: list[Judged] = []
        while self.commerce.sending.read_events():
            pass
        while claimed := self.commerce.sending.claim(*ROOMS):
            judged = [self.commerce.sending.send(one) for one in claimed]
            self.commerce.sending.record(judged)
            done += judged
        return done

    def bodies(self, url: str = URL) -> list[dict[str, Any]]:
        """What was received."""
        return [json.loads(request.body) for request in self.web.requests if request.url == url]


@contextmanager
def receivers() -> Generator[Receivers]:
    """A platform in memory with two partners, and receivers."""
    with open_platform(Settings(database_url="memory:")) as opened:
        found: Receivers

        def answer(request: WebRequest) -> Answer:
            return found.answers.get(request.url, lambda: (204, {}, b""))()

        web = MemoryWeb(
            {"receiver.example": ["93.184.216.34"], "inside.example": ["10.0.0.1"]}, answer
        )
        store = MemoryStore(lambda: found.now)
        context = evolve(opened.context, store=store, web=web, clock=lambda: found.now)
        found = Receivers(Commerce(context), web, datetime.now(UTC))
        for name in ("Acme", "Bloom"):
            found.commerce.partners.add(name, currency="EUR")
        yield found
