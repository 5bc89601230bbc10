"""Fetching the one file of a web server: what each answer means, and how the rest is asked for."""

import re
from base64 import b64encode
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from io import BufferedReader
from typing import Final, cast
from urllib.parse import unquote, urlsplit

from attrs import frozen

from commerce_core.feeds.place import HttpsPlace
from commerce_core.feeds.remote_file import RemoteFile
from commerce_core.ports.fetcher import Access, FetchFailed, Opened, replaced
from commerce_core.ports.web import Web, WebAnswer, WebRequest

MOST_REDIRECTS: Final = 3
LONGEST_HEADER: Final = 512
_BUSY: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_OK, _PARTIAL, _NOT_MODIFIED, _UNSATISFIABLE = 200, 206, 304, 416
_RANGE: Final = re.compile(r"bytes ([0-9]{1,15})-[0-9]{1,15}/([0-9]{1,15}|\*)", re.ASCII)
_WHOLE: Final = re.compile(r"bytes \*/([0-9]{1,15})", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]{1,15}", re.ASCII)
_SECONDS: Final = re.compile(r"[0-9]{1,6}", re.ASCII)
_ARCHIVES: Final = frozenset({"", "identity", "gzip", "x-gzip", "zstd"})
"""Encodings of a body that are stored as they come, since feeds may be compressed like this."""


@frozen
class WebFetcher:
    """Implements `commerce_core.ports.fetcher.Fetcher` by calls of a web server."""

    _web: Web

    def judge(self, place: HttpsPlace, access: Access) -> None:  # noqa: ARG002 - any may be sent
        """Judges the URL."""
        self._web.judge(place.url)

    @contextmanager
    def connect(self, place: HttpsPlace, access: Access, seconds: float) -> Generator["_WebRemote"]:
        """Nothing is sent yet: each file is a call of its own."""
        yield _WebRemote(self._web, place, access, seconds)


@frozen
class _WebRemote:
    _web: Web
    _place: HttpsPlace
    _access: Access
    _seconds: float

    def files(self) -> Iterator[RemoteFile]:
        """The one file; nothing else about it is known before it is read."""
        path = unquote(urlsplit(self._place.url).path)
        yield RemoteFile(path if path.rpartition("/")[2] else "feed.csv")

    @contextmanager
    def open(self, file: RemoteFile, start: int = 0) -> Generator[Opened | None]:
        """Asks for the file, unless it is the one with these headers, or for the rest of it."""
        with self._web.send(self._request(file, start)) as answer:
            if answer.status == _NOT_MODIFIED and start == 0 and (file.etag or file.last_modified):
                yield None
                return
            if start:
                _check_rest(answer, file, start)
            elif answer.status != _OK:
                raise _refusal(answer)
            encoding = answer.headers.get("content-encoding", "").strip().lower()
            if encoding not in _ARCHIVES:
                raise FetchFailed(
                    "content_encoding",
                    f"The server sent the file encoded as {encoding[:40]!r}, though it was asked "
                    "for it as it is.",
                )
            yield Opened(_opened(file, answer, start), _reader(answer))

    def _request(self, file: RemoteFile, start: int) -> WebRequest:
        headers = {"User-Agent": "open-commerce", "Accept-Encoding": "identity"}
        secret, username = self._access.secret, self._access.username
        if secret is not None:
            headers["Authorization"] = (
                f"Bearer {secret}"
                if username is None
                else f"Basic {b64encode(f'{username}:{secret}'.encode()).decode()}"
            )
        if start:
            if file.etag is None or file.etag.startswith("W/"):
                # Only a strong one proves that the rest is that of the same file.
                raise _not_continued()
            headers |= {"Range": f"bytes={start}-", "If-Range": file.etag}
        else:
            if file.etag is not None:
                headers["If-None-Match"] = file.etag
            if file.last_modified is not None:
                headers["If-Modified-Since"] = file.last_modified
        return WebRequest(
            "GET", self._place.url, headers, seconds=self._seconds, most_redirects=MOST_REDIRECTS
        )


def _check_rest(answer: WebAnswer, file: RemoteFile, start: int) -> None:
    """Raises unless the answer is the rest of this file, from that position on."""
    is_same = answer.headers.get("etag") == file.etag
    described = answer.headers.get("content-range", "").strip()
    if answer.status == _OK and is_same:
        raise _not_continued()
    whole = _WHOLE.fullmatch(described) if answer.status == _UNSATISFIABLE else None
    if whole is not None and int(whole[1]) == start and file.size is not None:
        raise FetchFailed(
            "wrong_length",
            f"The server announced {file.size:,} bytes, and the file has {start:,}.",
            "Ask the partner to have the server's Content-Length corrected.",
        )
    if answer.status in {_OK, _UNSATISFIABLE}:
        raise replaced(file.path)
    if answer.status != _PARTIAL:
        raise _refusal(answer)
    found = _RANGE.fullmatch(described)
    is_rest = found is not None and int(found[1]) == start and found[2] in ("*", str(file.size))
    at = answer.headers.get("last-modified", file.last_modified)
    # An ETag that stays the same though the file was changed is noticed by its time and size.
    if not is_rest or not is_same or at != file.last_modified:
        raise replaced(file.path)


def _not_continued() -> FetchFailed:
    return FetchFailed(
        "cut_off",
        "The connection ended before the file did, and its server can't continue it.",
        again=True,
    )


def _opened(file: RemoteFile, answer: WebAnswer, start: int) -> RemoteFile:
    """The file as the answer describes it, or as the first one did, of which this is the rest."""
    if start:
        return file
    length = answer.headers.get("content-length", "")
    size = int(length) if _NUMBER.fullmatch(length) else None
    etag = short(answer.headers, "etag")
    return RemoteFile(file.path, size, None, etag, short(answer.headers, "last-modified"))


def _reader(answer: WebAnswer):  # noqa: ANN202 - a bound method
    return cast("BufferedReader", answer.stream).read1


def _refusal(answer: WebAnswer) -> FetchFailed:
    status = answer.status
    if status in _BUSY:
        asked = answer.headers.get("retry-after", "")
        after = float(asked) if _SECONDS.fullmatch(asked) else None
        return FetchFailed("busy", f"The server answered {status}.", again=True, after=after)
    if status in (401, 403):
        detail = f"The server refused the credentials, or the file: {status}."
        return FetchFailed("denied", detail)
    if status in (404, 410):
        return FetchFailed("not_there", f"There is no such file on the server: {status}.")
    return FetchFailed("bad_status", f"The server answered {status} instead of the file.")


def short(headers: Mapping[str, str], name: str) -> str | None:
    """A header that is sent back later; None if it is missing, or too long to keep."""
    value = headers.get(name)
    return value if value and len(value) <= LONGEST_HEADER and value.isprintable() else None
