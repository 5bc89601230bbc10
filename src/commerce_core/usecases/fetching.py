"""Fetching: one try at getting a source's file, and what follows from what the server answers.

task claimed ──> request ─┬─ 304, or the same bytes ──> unchanged
                          ├─ 200 ──> file stored ─────> feed + job + end of the fetch, at once
                          ├─ 429, 5xx, cut off ───────> the task waits, and is claimed again
                          └─ anything else ───────────> failed
"""

import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import BinaryIO, Final, cast
from urllib.parse import unquote, urlsplit

from attrs import evolve, frozen

from commerce_core.base.errors import (
    CommerceError,
    Conflict,
    InvalidInput,
    NotFound,
    TooLarge,
    Unreachable,
)
from commerce_core.feeds.job import JobError
from commerce_core.feeds.pull import MOST_TRIES, Fetch, Pull, pause_before
from commerce_core.ports.files import StoredFile
from commerce_core.ports.store import UnitOfWork
from commerce_core.ports.web import WebAnswer, WebRequest
from commerce_core.usecases.arrivals import Arrival, check_received, receive
from commerce_core.usecases.context import Context
from commerce_core.work.attempt import Progress
from commerce_core.work.task import Task

FETCH_SECONDS: Final = 1_800.0
"""How long one try may take in all."""
MOST_REDIRECTS: Final = 3
_HEAD: Final = 512
_HTML: Final = re.compile(rb"[\s\xef\xbb\xbf]*(<!doctype\s+html|<html)", re.IGNORECASE)
_SHOW_EVERY: Final = 1 << 20
_BUSY: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_AGAIN: Final = frozenset({"unresolved", "not_connected", "timed_out", "cut_off", "bad_answer"})
"""Failures of a server that may be over soon."""
_OWN: Final = (Conflict, InvalidInput, NotFound, TooLarge)

Show = Callable[[Progress], None]


class _Fails(Exception):
    """A try failed; `again` is whether another may succeed, after the seconds that were asked."""

    def __init__(
        self, code: str, message: str, *, again: bool = False, after: float | None = None
    ) -> None:
        super().__init__(message)
        self.error = JobError(code, message)
        self.again = again
        self.after = after


@frozen
class _Got:
    """What a try brought: the stored file, unless it is unchanged, and what the server names it."""

    pull: Pull
    file_key: str | None = None
    stored: StoredFile | None = None


@frozen
class Fetching:
    """Runs the tasks `fetch`, whose subjects are fetches."""

    _context: Context

    def perform(self, task: Task) -> int | None:
        """One try; returns how many feeds it made, and None if it gives up after crashes."""
        context = self._context
        with context.store.begin() as unit:
            fetch = unit.fetches.get(task.subject)
            pull = unit.pulls.get(fetch.source_id)
            if task.is_given_up or pull is None:
                why = ("set_aside", "Its attempts crashed; it isn't tried again.")
                gone = ("not_pulled", "The source isn't fetched any more.")
                self._fail(unit, task, fetch, JobError(*(why if task.is_given_up else gone)))
                return None if task.is_given_up else 0
        try:
            with context.keep_lease(task, "") as show:
                return self._try(task, fetch, pull, show)
        except _Fails as failure:
            return self._after_failure(task, fetch, failure)
        except Unreachable as error:
            again = error.code in _AGAIN
            return self._after_failure(task, fetch, _Fails(error.code, str(error), again=again))
        except _OWN as error:
            return self._after_failure(task, fetch, _Fails(error.code, _said(error)))

    def _after_failure(self, task: Task, fetch: Fetch, failure: _Fails) -> int:
        with self._context.store.begin() as unit:
            if failure.again and task.attempts < MOST_TRIES:
                chance = self._context.entropy(1)[0] / 255
                unit.tasks.give_back(task, pause_before(task.attempts, failure.after, chance))
            else:
                self._fail(unit, task, fetch, failure.error)
        return 0

    def _fail(self, unit: UnitOfWork, task: Task, fetch: Fetch, error: JobError) -> None:
        unit.fetches.finish(
            evolve(
                fetch,
                outcome="failed",
                error=error,
                finished_at=self._context.clock(),
                tries=task.attempts,
            )
        )
        unit.tasks.finish(task)

    def _try(self, task: Task, fetch: Fetch, pull: Pull, show: Show) -> int:
        """The whole way from the request to the feed."""
        context = self._context
        with context.web.send(self._request(pull)) as answer:
            got = self._take(pull, answer, show)
        try:
            with context.store.begin() as unit:
                made = self._keep(unit, task, fetch, got)
        except BaseException:
            self._drop(got)
            raise
        if not made:
            self._drop(got)
        return made

    def _drop(self, got: _Got) -> None:
        if got.file_key is not None:
            self._context.files.delete(got.file_key)

    def _request(self, pull: Pull) -> WebRequest:
        headers = {"User-Agent": "open-commerce"}
        if pull.sealed is not None:
            secret = self._context.vault.open(pull.sealed, f"pull:{pull.source_id}")
            headers["Authorization"] = (
                f"Bearer {secret}"
                if pull.username is None
                else f"Basic {b64encode(f'{pull.username}:{secret}'.encode()).decode()}"
            )
        if pull.sha256 is not None:
            if pull.etag is not None:
                headers["If-None-Match"] = pull.etag
            if pull.last_modified is not None:
                headers["If-Modified-Since"] = pull.last_modified
        return WebRequest(
            "GET", pull.url, headers, seconds=FETCH_SECONDS, most_redirects=MOST_REDIRECTS
        )

    def _take(self, pull: Pull, answer: WebAnswer, show: Show) -> _Got:
        """Stores the file of an answer; _Fails if it has none."""
        if answer.status == 304 and pull.sha256 is not None:  # noqa: PLR2004 - not modified
            return _Got(pull)
        if answer.status != 200:  # noqa: PLR2004 - the only status with the whole file
            raise _refusal(answer)
        head = answer.stream.read(_HEAD)
        if _HTML.match(head):
            raise _Fails(
                "html", "The server sent a web page, such as a form to sign in, instead of a file."
            )
        length = answer.headers.get("content-length", "")
        total = int(length) if length.isascii() and length.isdecimal() and len(length) < 16 else 0  # noqa: PLR2004 - digits of a size
        file_key = f"raw/{pull.partner_id}/{self._context.mint('feed')}"
        stream = cast("BinaryIO", _Metered(head, answer.stream, total, show))
        stored = self._context.files.put(file_key, stream, self._context.most_upload_bytes)
        seen = evolve(
            pull,
            etag=_short(answer.headers, "etag"),
            last_modified=_short(answer.headers, "last-modified"),
            sha256=stored.sha256,
        )
        return _Got(seen, file_key, stored)

    def _keep(self, unit: UnitOfWork, task: Task, fetch: Fetch, got: _Got) -> int:
        """Makes the feed, unless the bytes are those of last time, and ends the fetch."""
        context, stored = self._context, got.stored
        now_set = unit.pulls.lock(fetch.source_id)
        last = now_set.sha256 if now_set else None
        is_same_place = now_set is not None and now_set.url == got.pull.url
        ended = evolve(fetch, outcome="unchanged", finished_at=context.clock(), tries=task.attempts)
        made = 0
        if stored is not None:
            check_received(stored.bytes, stored.sha256, None)
            ended = evolve(ended, bytes=stored.bytes)
            if stored.sha256 != last or not is_same_place:
                ended = evolve(ended, outcome="fetched", feed_id=self._feed(unit, got, stored))
                made = 1
        if now_set is not None and is_same_place and stored is not None:
            unit.pulls.put(
                evolve(
                    now_set,
                    etag=got.pull.etag,
                    last_modified=got.pull.last_modified,
                    sha256=stored.sha256,
                )
            )
        unit.fetches.finish(ended)
        unit.tasks.finish(task)
        return made

    def _feed(self, unit: UnitOfWork, got: _Got, stored: StoredFile) -> str:
        """Makes the feed of a stored file, as an upload does, and returns its id."""
        pull = got.pull
        arrival = Arrival(pull.partner_id, pull.source_id, None, _file_name(pull.url), None, None)
        feed = evolve(
            arrival.feed(self._context, unit),
            feed_id=str(got.file_key).rpartition("/")[2],
            bytes=stored.bytes,
            sha256=stored.sha256,
        )
        return receive(self._context, unit, feed, run=unit.sources.get(pull.source_id).run).feed_id


class _Metered:
    """A body that begins with what was read of it, and shows how far it is."""

    def __init__(self, head: bytes, rest: BinaryIO, total: int, show: Show) -> None:
        self._head, self._rest, self._total, self._show = head, rest, total, show
        self._read = self._shown = 0

    def read(self, size: int = -1) -> bytes:
        if self._head:
            cut = len(self._head) if size < 0 else size
            block, self._head = self._head[:cut], self._head[cut:]
            if size < 0:
                block += self._rest.read()
        else:
            block = self._rest.read(size)
        self._read += len(block)
        if self._read - self._shown >= _SHOW_EVERY or not block:
            self._shown = self._read
            self._show(Progress("fetch", self._read, self._total))
        return block


def _refusal(answer: WebAnswer) -> _Fails:
    status = answer.status
    if status in _BUSY:
        asked = answer.headers.get("retry-after", "")
        after = float(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 7 else None  # noqa: PLR2004 - digits of seconds
        return _Fails("busy", f"The server answered {status}.", again=True, after=after)
    if status in (401, 403):
        return _Fails("denied", f"The server refused the credentials, or the file: {status}.")
    if status in (404, 410):
        return _Fails("not_there", f"There is no such file on the server: {status}.")
    return _Fails("bad_status", f"The server answered {status} instead of the file.")


def _short(headers: Mapping[str, str], name: str) -> str | None:
    """A header that is sent back later; None if it is missing, or too long to keep."""
    value = headers.get(name)
    return value if value is not None and len(value) <= _HEAD and value.isprintable() else None


def _file_name(url: str) -> str:
    return unquote(urlsplit(url).path).rpartition("/")[2] or "feed.csv"


def _said(error: CommerceError) -> str:
    faults = error.faults if isinstance(error, InvalidInput) else ()
    return faults[0].detail if faults else str(error)
