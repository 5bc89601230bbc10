"""Files in a bucket of Amazon S3 or of a compatible store, each stored whole or not at all.

    s3://BUCKET/PREFIX/raw/ptn_.../feed_...    a file, under its key

A file that fits in one part is sent in one request, a larger one part by part. Either way it exists
from the moment at which the last request succeeds, and a second file under the same key is refused
by the store itself (`If-None-Match`). A file, or a range of it, is read in one request;
after a seek or a broken connection another one continues (`Range`), provided that the file is still
the same (`If-Match`).
Region, credentials, endpoint and checksums are configured by AWS's own variables.
"""

import contextlib
import hashlib
import io
import os
import random
import secrets
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO, Final, Protocol
from urllib.parse import urlsplit

from boto3.session import Session  # pyright: ignore[reportMissingTypeStubs] it has none
from botocore.config import Config  # pyright: ignore[reportMissingTypeStubs]
from botocore.exceptions import (  # pyright: ignore[reportMissingTypeStubs]
    BotoCoreError,
    ClientError,
    HTTPClientError,
    IncompleteReadError,
)
from urllib3.exceptions import HTTPError  # what botocore reads with; some errors come as they are

from commerce_core.base.errors import (
    CommerceError,
    Conflict,
    InvalidInput,
    NotFound,
    TooLarge,
    Unavailable,
)
from commerce_core.ports.files import (
    FILE_KEY,
    FileRange,
    StoredFile,
    check_file_key,
    check_range,
)

PART: Final = 8 << 20
"""Bytes of a part; more only if a file of the largest size would need too many parts."""
MOST_PARTS: Final = 10_000
"""The most parts that S3 accepts for one file."""
BLOCK: Final = 1 << 18
"""Bytes that are read at a time."""
PAGE: Final = 1000
"""Keys listed at a time; S3 lists no more."""
TRIES: Final = 5
"""How often a request is sent, and how often reading is resumed without any progress."""
CHECK_SECONDS: Final = 4.5
"""The longest wait for the answer to a check."""
STALE_AFTER: Final = timedelta(days=2)
"""Time after its beginning until an upload counts as abandoned."""
LONGEST_PREFIX: Final = 500
"""Bytes; with the longest file key, as much as S3 allows for a key."""

MOST_CONNECTIONS: Final = 50
"""Connections kept open for further requests; more threads than that reconnect each time."""

_MARK: Final = "commerce-put"
"""Metadata of an object: names the put that made it."""
_CHECKSUM: Final = "ChecksumCRC32"
_CUTS: Final = (HTTPClientError, IncompleteReadError, HTTPError, OSError)
_TAKEN: Final = (409, 412)
_UNKNOWN: Final = 501
_GONE: Final = 404
_BEYOND: Final = 416
_NOT_FILES: Final = ("NoSuchBucket", "NoSuchUpload")
_KEYS: Final = "Check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN."
_REGION: Final = "Set AWS_REGION to the region of the bucket."
_POLICY: Final = "Allow these credentials to read, write, list and delete there."
_NETWORK: Final = "Check AWS_ENDPOINT_URL_S3, AWS_REGION and the network."
_LATER: Final = "Try again in a moment."
_REMEDIES: Final = {
    "AccessDenied": _POLICY,
    "403": _POLICY,
    "InvalidAccessKeyId": _KEYS,
    "SignatureDoesNotMatch": _KEYS,
    "InvalidToken": _KEYS,
    "ExpiredToken": _KEYS,
    "NoSuchBucket": "Create the bucket, or correct COMMERCE_FILES_URL.",
    "AuthorizationHeaderMalformed": _REGION,
    "PermanentRedirect": _REGION,
    "301": _REGION,
    "RequestTimeTooSkewed": "Correct the clock of this machine.",
    "NoSuchUpload": "It was aborted in the meantime. Send the file again.",
    "NoCredentialsError": "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or grant a role.",
    "EndpointConnectionError": _NETWORK,
    "ConnectTimeoutError": _NETWORK,
    "FlexibleChecksumError": "The bytes received aren't the bytes stored. Read the file again.",
    "SSLError": "Check the endpoint's certificate, and AWS_CA_BUNDLE.",
}


class _NotImplemented(Unavailable):
    """The store doesn't support this kind of request."""


class _Cut(Unavailable):
    """The connection broke, or nothing more came."""


class _BeyondEnd(Unavailable):
    """A range that begins at the end of a file or behind it."""


class S3Files:
    """Implements `ports.files.Files` in one bucket, under one prefix; threads may share it."""

    def __init__(
        self, bucket: str, prefix: str = "", *, part_bytes: int = PART, page: int = PAGE
    ) -> None:
        """Reads AWS's variables, and sends no request yet. The prefix doesn't end with a slash."""
        prefix = f"{prefix}/" if prefix else ""
        session = Session(region_name=os.environ.get("AWS_REGION") or None)
        patient = _client(session, tries=TRIES, connect=5, read=30)
        impatient = _client(session, tries=1, connect=2, read=2)
        self._place = _Place(patient, bucket, prefix, page)
        self._impatient = _Place(impatient, bucket, prefix, page)
        self._part_bytes = part_bytes
        self._is_conditional = True
        self._is_swept = False

    @classmethod
    def at(cls, url: str) -> "S3Files":
        """The files at `s3://BUCKET/PREFIX`; InvalidInput `bad_setting` for any other."""
        parts = urlsplit(url)
        prefix = parts.path.strip("/")
        if parts.scheme != "s3" or not parts.netloc or parts.query or parts.fragment:
            raise _bad_setting(f"{url} is not of the form s3://BUCKET/PREFIX.")
        if prefix and not (FILE_KEY.fullmatch(prefix) and len(prefix) <= LONGEST_PREFIX):
            raise _bad_setting(f"{prefix[:200]} can't be the prefix of files in S3.")
        try:
            return cls(parts.netloc, prefix)
        except (BotoCoreError, ValueError) as error:
            raise _bad_setting(f"One of AWS's own settings is invalid: {error}") from error

    def put(self, key: str, stream: BinaryIO, most_bytes: int) -> StoredFile:
        """Keeps a new file; Conflict `file_exists` if there already is one under this key.

        After Unavailable the file may exist, whole, if only the last answer was lost.
        """
        check_file_key(key)
        size = max(self._part_bytes, -(-most_bytes // MOST_PARTS))
        parts = _Parts(stream, most_bytes, size)
        part = parts.read()
        if len(part) < size:
            mark = secrets.token_hex(8)
            self._finish("put_object", key, mark, Body=part, Metadata={_MARK: mark})
        else:
            self._put_in_parts(key, part, parts)
        return parts.stored()

    def _put_in_parts(self, key: str, part: bytes, parts: "_Parts") -> None:
        """Sends part after part. All have the same size, since some stores insist on it."""
        self._sweep_once()
        mark = secrets.token_hex(8)
        begun = self._place.ask(
            "create_multipart_upload", key, Metadata={_MARK: mark}, **self._place.checksum
        )
        upload = begun["UploadId"]
        try:
            sent = self._send(key, upload, part, parts)
            whole = {"Parts": sent}
            self._finish(
                "complete_multipart_upload", key, mark, UploadId=upload, MultipartUpload=whole
            )
        except BaseException:
            with contextlib.suppress(CommerceError):  # a sweep aborts it later
                self._place.ask("abort_multipart_upload", key, UploadId=upload)
            raise

    def _send(self, key: str, upload: str, part: bytes, parts: "_Parts") -> list[dict[str, object]]:
        """Sends this part and all that follow; returns what the store answered to each."""
        sent: list[dict[str, object]] = []
        while part:
            which: dict[str, object] = {"PartNumber": len(sent) + 1}
            answer = self._place.ask(
                "upload_part", key, UploadId=upload, Body=part, **which, **self._place.checksum
            )
            stored = {name: answer[name] for name in ("ETag", _CHECKSUM) if name in answer}
            sent.append(which | stored)
            part = parts.read()
        return sent

    def _finish(self, operation: str, key: str, mark: str, **arguments: object) -> None:
        """Sends the request after which the file exists.

        If its answer is lost, the request is sent again and finds the file of its first try: before
        it counts as refused or failed, the mark of the existing file is compared with its own.
        """
        try:
            self._write(operation, key, **arguments)
        except CommerceError:
            if self._mark_of(key) != mark:
                raise

    def _write(self, operation: str, key: str, **arguments: object) -> None:
        """Writes if there is no file yet. A store that can't check that itself is asked before."""
        if self._is_conditional:
            try:
                self._place.ask(operation, key, IfNoneMatch="*", **arguments)
            except _NotImplemented:
                self._is_conditional = False
            else:
                return
        if self._mark_of(key) is not None:
            raise _taken(key)
        self._place.ask(operation, key, **arguments)

    def _mark_of(self, key: str) -> str | None:
        """The mark of the put that made the existing file; None if there is none, or no answer."""
        try:
            return self._place.ask("head_object", key)["Metadata"].get(_MARK, "")
        except CommerceError:
            return None

    @contextmanager
    def open(self, key: str, start: int = 0, end: int | None = None) -> Generator[BinaryIO]:
        """Reading is Unavailable `file_replaced` if it would continue in another file."""
        check_range(start, end)
        body = _Body(self._place, check_file_key(key), start, end)
        part = FileRange(start, body.end, body.read_at, body.close)
        with io.BufferedReader(part, BLOCK) as stream:
            yield stream

    def list(self, prefix: str) -> Iterator[str]:
        """The keys, page by page as they are requested, without those that no file can have."""
        start = len(self._place.prefix)
        for page in self._place.pages("list_objects_v2", Prefix=self._place.prefix + prefix):
            for found in page.get("Contents", ()):
                key = found["Key"][start:]
                if FILE_KEY.fullmatch(key):
                    yield key

    def delete(self, key: str) -> None:
        """Deletes a file; a bucket with versioning keeps it as an old version."""
        check_file_key(key)
        with contextlib.suppress(NotFound):
            self._place.ask("delete_object", key)

    def check(self) -> None:
        """Lists a key, begins an upload and aborts it, all within five seconds."""
        _within(CHECK_SECONDS, self._try)

    def _try(self) -> None:
        """No part of a key begins with a dot, so this touches no file."""
        ask = self._impatient.ask
        ask("list_objects_v2", Prefix=self._place.prefix, MaxKeys=1)
        begun = ask("create_multipart_upload", ".check")
        ask("abort_multipart_upload", ".check", UploadId=begun["UploadId"])

    def sweep(self, older_than: timedelta = STALE_AFTER) -> int:
        """Aborts uploads that began longer ago, since their process is gone; returns how many."""
        before, start, count = datetime.now(UTC) - older_than, len(self._place.prefix), 0
        for page in self._place.pages("list_multipart_uploads", Prefix=self._place.prefix):
            for found in page.get("Uploads", ()):
                if found["Initiated"] <= before:
                    key, upload = found["Key"][start:], found["UploadId"]
                    self._place.ask("abort_multipart_upload", key, UploadId=upload)
                    count += 1
        return count

    def _sweep_once(self) -> None:
        """Sweeps before a process's first large file, if the store and its policy permit it."""
        if not self._is_swept:
            self._is_swept = True
            with contextlib.suppress(CommerceError):
                self.sweep()


class _Parts:
    """Cuts a stream into parts of the same size, but the last; counts and digests all bytes."""

    def __init__(self, stream: BinaryIO, most_bytes: int, size: int) -> None:
        self._stream = stream
        self._most_bytes = most_bytes
        self._size = size
        self._bytes = 0
        self._digest = hashlib.sha256()

    def read(self) -> bytes:
        """The next part, empty at the end; TooLarge as soon as there is one byte too many."""
        part = io.BytesIO()
        while block := self._stream.read(min(BLOCK, self._size - part.tell())):
            self._bytes += len(block)
            if self._bytes > self._most_bytes:
                raise TooLarge(f"The file has more than {self._most_bytes:,} bytes.")
            self._digest.update(block)
            part.write(block)
            if part.tell() == self._size:
                break
        return part.getvalue()

    def stored(self) -> StoredFile:
        """The size and digest of all parts together."""
        return StoredFile(self._bytes, self._digest.hexdigest())


class _Body:
    """The bytes of one version of a file as they come, from `start` up to `end`.

    Asks for the rest when the connection breaks, and for other bytes when another position is read.
    """

    def __init__(self, place: "_Place", key: str, start: int, end: int | None) -> None:
        self._place = place
        self._key = key
        self._at = start
        self._cuts = 0
        self._stream: Any = None
        self._etag = ""
        self.end = start
        with contextlib.suppress(_BeyondEnd):
            self._begin(start, end)

    def _begin(self, start: int, end: int | None) -> None:
        """Opens the file; the answer has the size, and the position of its first byte."""
        # No range is empty, so instead of an empty one its first byte is asked for, and not read.
        last = None if end is None else max(end, start + 1)
        wanted = {} if start == 0 and end is None else _range(start, last)
        begun = self._place.ask("get_object", self._key, **wanted)
        self._stream, self._etag = begun["Body"], begun["ETag"]
        first = start if _begins_at(start, begun) else 0
        size = first + int(begun["ContentLength"])
        self.end = max(start, size if end is None else min(end, size))
        if first != start and size > start:
            self.close()
            raise self._place.unavailable("reading", "a store that can't read a part of a file")

    def read_at(self, position: int, buffer: memoryview) -> int:
        """Reads what has arrived at this position, which is before the end."""
        if position != self._at:
            self.close()
            self._at = position
        while True:
            try:
                got = self._read(buffer)
            except _Cut:
                self._pause()
                continue
            self._cuts = 0
            self._at += got
            return got

    def _read(self, buffer: memoryview) -> int:
        if self._stream is None:
            self._stream = self._rest()
        with self._place.translated("reading", self._key):
            got: int = self._stream.readinto(buffer)
            if self._at + got == self.end:
                # Nothing follows, and boto3 compares checksums only when it is asked for more.
                self._stream.readinto(bytearray(1))
        return got

    def _pause(self) -> None:
        """Waits before the rest is requested; Unavailable if that has failed too often in a row."""
        self.close()
        self._cuts += 1
        if self._cuts >= TRIES:
            raise self._place.unavailable("reading", f"{TRIES} broken connections in a row")
        time.sleep(random.uniform(0, 0.1 * 2**self._cuts))  # noqa: S311 it spreads, it hides nothing

    def _rest(self) -> Any:  # noqa: ANN401 - what boto3 reads from
        """The bytes from the current position, of the version that was opened."""
        wanted = _range(self._at, self.end)
        try:
            rest = self._place.ask("get_object", self._key, IfMatch=self._etag, **wanted)
        except (Conflict, NotFound, _BeyondEnd) as error:
            raise self._replaced() from error
        if rest["ETag"] != self._etag:
            raise self._replaced()
        if not _begins_at(self._at, rest):
            raise self._place.unavailable("reading", "a store that can't read a part of a file")
        return rest["Body"]

    def _replaced(self) -> Unavailable:
        return Unavailable(
            f"The file {self._key} was replaced or deleted while it was read.",
            "Read it from its beginning.",
            code="file_replaced",
        )

    def close(self) -> None:
        """Closes the connection, on which bytes may still be arriving."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()


def _range(start: int, end: int | None) -> dict[str, str]:
    """The header that requests these bytes; it names the last byte, not the one behind it."""
    return {"Range": f"bytes={start}-{'' if end is None else end - 1}"}


def _begins_at(start: int, answer: Mapping[str, Any]) -> bool:
    """Whether the first byte of an answer is the one at this position."""
    return str(answer.get("ContentRange", "")).startswith(f"bytes {start}-")


class _Client(Protocol):
    """The part of boto3's client that is used here, beside the requests, which are dynamic."""

    @property
    def meta(self) -> Any: ...  # noqa: ANN401
    def get_paginator(self, operation: str, /) -> Any: ...  # noqa: ANN401


class _Place:
    """A bucket and a prefix in it: sends requests about them, and translates their errors."""

    def __init__(self, client: _Client, bucket: str, prefix: str, page: int) -> None:
        self._client = client
        self._bucket = bucket
        self._page = page
        self.prefix = prefix

    @property
    def checksum(self) -> dict[str, object]:
        """Makes the store verify each part, unless AWS's settings disable that."""
        wanted = self._client.meta.config.request_checksum_calculation == "when_supported"
        return {"ChecksumAlgorithm": "CRC32"} if wanted else {}

    def ask(self, operation: str, key: str = "", **arguments: object) -> dict[str, Any]:
        """The answer to a request about the bucket, or about one key in it."""
        if key:
            arguments["Key"] = self.prefix + key
        with self.translated(operation, key):
            return getattr(self._client, operation)(Bucket=self._bucket, **arguments)

    def pages(self, operation: str, **arguments: object) -> Iterator[dict[str, Any]]:
        """The pages of the answer to a request."""
        paginator = self._client.get_paginator(operation)
        config = {"PageSize": self._page}
        pages = iter(paginator.paginate(Bucket=self._bucket, PaginationConfig=config, **arguments))
        while True:
            with self.translated(operation):
                page = next(pages, None)
            if page is None:
                return
            yield page

    @contextmanager
    def translated(self, operation: str, key: str = "") -> Generator[None]:
        """Turns errors of boto3 into those of the core."""
        try:
            yield
        except ClientError as error:
            answer: dict[str, Any] = error.response
            raise self._refusal(operation, key, answer) from error
        except _CUTS as error:
            raise _Cut(*self._trouble(operation, type(error).__name__)) from error
        except BotoCoreError as error:
            raise self.unavailable(operation, type(error).__name__) from error

    def _refusal(self, operation: str, key: str, answer: dict[str, Any]) -> CommerceError:
        """The error that an answer of the store stands for."""
        status: int = answer["ResponseMetadata"]["HTTPStatusCode"]
        code = str(answer["Error"].get("Code", status))
        if status == _GONE and code not in _NOT_FILES:
            return NotFound(f"There is no file {key}.")
        if status in _TAKEN:
            return _taken(key)
        if status == _BEYOND:
            return _BeyondEnd(*self._trouble(operation, code))
        if status == _UNKNOWN:
            return _NotImplemented(*self._trouble(operation, code))
        return self.unavailable(operation, code)

    def unavailable(self, operation: str, trouble: str) -> Unavailable:
        """An error that names the request, the trouble and the remedy."""
        return Unavailable(*self._trouble(operation, trouble))

    def _trouble(self, operation: str, trouble: str) -> tuple[str, str, str]:
        where = f"s3://{self._bucket}/{self.prefix}"
        what = f"can't be used: {operation} met {trouble}."
        remedy = _REMEDIES.get(trouble, _LATER)
        return f"The files in {where} {what}", remedy, f"The files {what}"


def _client(session: Any, *, tries: int, connect: float, read: float) -> _Client:  # noqa: ANN401
    """A client by AWS's own settings, with these limits in seconds and number of tries.

    Between its tries it pauses for a random time, longer each time, up to some seconds.
    """
    config = Config(
        connect_timeout=connect,
        read_timeout=read,
        retries={"mode": "standard", "total_max_attempts": tries},
        max_pool_connections=MOST_CONNECTIONS,
        user_agent_extra="open-commerce",
    )
    return session.client("s3", config=config)


def _taken(key: str) -> Conflict:
    return Conflict(f"There is already a file {key}.", code="file_exists")


def _bad_setting(detail: str) -> InvalidInput:
    return InvalidInput.at("/files_url", "bad_setting", detail)


def _within(seconds: float, call: Callable[[], None]) -> None:
    """Runs it in a thread that is abandoned if it takes longer: name resolution has no timeout."""
    done: Future[None] = Future()

    def run() -> None:
        try:
            done.set_result(call())
        except BaseException as error:  # noqa: BLE001 it is raised where it is waited for
            done.set_exception(error)

    threading.Thread(target=run, name="s3-check", daemon=True).start()
    try:
        done.result(seconds)
    except TimeoutError as error:
        raise Unavailable(f"S3 did not answer within {seconds} seconds.", _LATER) from error
