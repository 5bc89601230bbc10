"""Fetches files from buckets with boto3: judged and pinned addresses, one deadline over all.

Each request goes to an address that was judged when it was made, also one that a redirect of the
store leads to. Credentials are those of the place, or, for an operator, the environment's.
"""
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

import socket
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, Final

from attrs import Factory, field, frozen
from boto3.session import Session
from botocore.awsrequest import (
    AWSHTTPConnection,
    AWSHTTPConnectionPool,
    AWSHTTPSConnection,
    AWSHTTPSConnectionPool,
)
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    ReadTimeoutError,
)
from urllib3.exceptions import HTTPError

from adapters.outside.watch import (
    CONNECT_SECONDS,
    IDLE_SECONDS,
    Outside,
    Resolve,
    Watch,
    resolve,
)
from commerce_core.base.errors import InvalidInput, Unreachable
from commerce_core.base.network import Reach, Target
from commerce_core.feeds.place import S3Place
from commerce_core.feeds.remote_file import RemoteFile
from commerce_core.ports import fetcher
from commerce_core.ports.fetcher import Access, FetchFailed, Opened, replaced, too_many

PAGE: Final = 1_000
DEFAULT_REGION: Final = "us-east-1"
RAISED: Final = (OSError, HTTPError, BotoCoreError, ValueError)
"""What boto3 raises."""
_BUSY: Final = frozenset({429, 500, 502, 503, 504})
_CHANGED: Final = frozenset({412, 416})
_DENIED: Final = frozenset({"InvalidClientTokenId", "SignatureDoesNotMatch", "AccessDenied"})
_MOVED: Final = frozenset({301, 307, 308})


@frozen
class S3Fetcher:
    """Implements `commerce_core.ports.fetcher.Fetcher` for buckets. `ca_file` is as for the web."""

    _reach: Reach
    _resolve: Resolve = resolve
    _ca_file: str | None = None
    _outside: Outside = field(
        default=Factory(lambda self: Outside(self._reach, self._resolve), takes_self=True),
        init=False,
    )

    def judge(self, place: S3Place, access: Access) -> None:
        """Judges the store's address, and whether the key of access is whole."""
        if (access.username is None) != (access.secret is None):
            missing = "username" if access.username is None else "secret"
            detail = "Send both the id of an access key, as the user, and its secret."
            raise InvalidInput.at(f"/{missing}", f"{missing}_needed", detail)
        if place.endpoint is not None:
            target = self._reach.target(place.endpoint, "/endpoint")
            if target.path != "/":
                detail = "Name the store alone, without a path."
                raise InvalidInput.at("/endpoint", "bad_url", detail)
            self._outside.judge(target, "/endpoint")

    @contextmanager
    def connect(self, place: S3Place, access: Access, seconds: float) -> Generator["_S3Remote"]:
        """A session with a bucket; nothing is sent yet."""
        watch = Watch(seconds, RAISED)
        if place.endpoint is not None:
            try:
                self._reach.target(place.endpoint, "/endpoint")
            except InvalidInput as error:
                raise Unreachable(error.faults[0].detail, code="address_refused") from error
        with ExitStack() as stack:
            client = client_of("s3", place, access, place.endpoint, self._ca_file)
            pin(client, self._outside, watch, stack)
            yield _S3Remote(client, place, watch)


def client_of(
    service: str, place: S3Place, access: Access, endpoint: str | None, ca_file: str | None = None
) -> Any:  # noqa: ANN401 - boto3 has no types
    """A client with the credentials of a place; without any, with those of the environment."""
    is_own = access.secret is not None
    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=IDLE_SECONDS,
        retries={"mode": "standard", "total_max_attempts": 1},
        # Places of others don't follow the settings of the platform's own store.
        ignore_configured_endpoint_urls=is_own,
        proxies={},
        s3={"addressing_style": "path"} if endpoint else None,
        user_agent_extra="open-commerce",
    )
    keys = (
        {"aws_access_key_id": access.username, "aws_secret_access_key": access.secret}
        if is_own
        else {}
    )
    region = place.region or (DEFAULT_REGION if is_own else None)
    session = Session(region_name=region, **keys)
    return session.client(service, endpoint_url=endpoint, config=config, verify=ca_file)


def pin(client: Any, outside: Outside, watch: Watch, stack: ExitStack) -> None:  # noqa: ANN401
    """Makes the client connect to judged addresses alone, until the stack is closed."""
    session = client._endpoint.http_session  # noqa: SLF001 - the only way to its sockets
    session._manager.pool_classes_by_scheme = _pools(outside, watch, stack)  # noqa: SLF001
    stack.callback(session.close)


def _pools(outside: Outside, watch: Watch, stack: ExitStack) -> dict[str, type]:
    """Pools whose connections go to judged addresses, and are cut at the deadline."""

    def connected(scheme: str, host: str, port: int) -> socket.socket:
        name = host.strip("[]")
        outside.reach.check_port(port, "/endpoint")
        _, raw = outside.connected(Target(scheme, name, port, "/"), watch, stack)
        raw.settimeout(watch.at_most(IDLE_SECONDS))
        return raw

    class Plain(AWSHTTPConnection):
        def _new_conn(self) -> socket.socket:
            stack.callback(self.close)  # with the answer, should that be left unread
            return connected("http", self.host, self.port)

    class Encrypted(AWSHTTPSConnection):
        def _new_conn(self) -> socket.socket:
            stack.callback(self.close)  # with the answer, should that be left unread
            return connected("https", self.host, self.port)

    class PlainPool(AWSHTTPConnectionPool):
        ConnectionCls = Plain

    class EncryptedPool(AWSHTTPSConnectionPool):
        ConnectionCls = Encrypted

    return {"http": PlainPool, "https": EncryptedPool}


@frozen
class _S3Remote:
    _client: Any
    _place: S3Place
    _watch: Watch

    def files(self) -> Iterator[RemoteFile]:
        """The keys that begin with the prefix, without those that stand for folders."""
        paginator = self._client.get_paginator("list_objects_v2")
        pages = iter(
            paginator.paginate(
                Bucket=self._place.bucket, Prefix=self._place.prefix,
                PaginationConfig={"PageSize": PAGE},
            )
        )  # fmt: skip
        count = 0
        while True:
            with self._translated("list", self._place.url):
                page = next(pages, None)
            if page is None:
                return
            for found in page.get("Contents", ()):
                if found["Key"].endswith("/"):
                    continue
                count += 1
                if count > fetcher.MOST_LISTED:
                    raise too_many(self._place.url)
                yield RemoteFile(
                    found["Key"], found["Size"], found["LastModified"].replace(microsecond=0),
                    found["ETag"],
                )  # fmt: skip

    @contextmanager
    def open(self, file: RemoteFile, start: int = 0) -> Generator[Opened]:
        """Asks for the rest of the object, if it still has the ETag that was listed."""
        wanted = {"Range": f"bytes={start}-"} if start else {}
        if start and start >= (file.size or 0):
            raise replaced(file.path)
        with self._translated("body", file.path):
            answer = self._client.get_object(
                Bucket=self._place.bucket, Key=file.path, IfMatch=file.etag, **wanted
            )
        body = answer["Body"]
        try:
            begins = str(answer.get("ContentRange", "")).startswith(f"bytes {start}-")
            if answer["ETag"] != file.etag or (start and not begins):
                raise replaced(file.path)
            yield Opened(file, self._reader(body, file))
        finally:
            body.close()

    def _reader(self, body: Any, file: RemoteFile) -> Callable[[int], bytes]:  # noqa: ANN401
        def read(most: int) -> bytes:
            with self._translated("body", file.path):
                block = body.read(most)
                # A connection that was cut at the deadline looks like the end of the body.
                self._watch.check()
                return block

        return read

    def _translated(self, phase: str, about: str) -> AbstractContextManager[None]:
        host = self._place.endpoint or "The store"
        return translated(self._watch, phase, host, about)


@contextmanager
def translated(watch: Watch, phase: str, host: str, about: str) -> Generator[None]:
    """Raises FetchFailed for what the store refuses, and Unreachable if it is gone."""
    with watch.translated(phase, host):
        try:
            yield
        except ClientError as error:
            raise _refusal(error.response, about) from error
        except BotoCoreError as error:
            inner = error.kwargs.get("error")
            if isinstance(inner, Unreachable | InvalidInput):
                raise _reached(inner) from error
            if isinstance(error, ConnectTimeoutError | ReadTimeoutError):
                raise TimeoutError from error
            raise
    watch.begin(phase)


def _reached(error: Unreachable | InvalidInput) -> Unreachable:
    if isinstance(error, Unreachable):
        return error
    return Unreachable(error.faults[0].detail, code="address_refused")


def _refusal(answer: dict[str, Any], about: str) -> FetchFailed:
    """The failure that an answer of the store stands for."""
    status: int = answer["ResponseMetadata"]["HTTPStatusCode"]
    code = str(answer.get("Error", {}).get("Code", status))
    if status in _CHANGED:
        return replaced(about)
    if status == 404 or code.endswith("NonExistentQueue"):  # noqa: PLR2004
        return FetchFailed("not_there", f"The store has no {about} ({code}).")
    if status in (401, 403) or code in _DENIED:
        return FetchFailed("denied", f"The store refused the key, or {about} ({code}).")
    if status in _BUSY:
        return FetchFailed("busy", f"The store answered {status} ({code}).", again=True)
    if status in _MOVED or code == "AuthorizationHeaderMalformed":
        region = answer["ResponseMetadata"].get("HTTPHeaders", {}).get("x-amz-bucket-region")
        return FetchFailed(
            "wrong_region",
            f"The bucket is in another region{f', {region}' if region else ''}.",
            "Set the region of the bucket.",
        )
    return FetchFailed("bad_status", f"The store answered {status} ({code}).")
