"""The composition root: the only place that knows the adapters, and connects them to the core."""

import os
import secrets
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from attrs import frozen

import adapters
import commerce_core
import entrypoints
from commerce_core.alerts.wording import no_link
from commerce_core.base.errors import InvalidInput
from commerce_core.base.network import Reach
from commerce_core.commerce import Commerce
from commerce_core.feeds.place import S3Place, SftpPlace
from commerce_core.orders.order import OrderTerms
from commerce_core.parsing.library_formats import (
    Compression,
    Decompressor,
    Read,
    TableFormat,
    register,
)
from commerce_core.parsing.record_reader import Terms
from commerce_core.parsing.reference import ReferenceEngine
from commerce_core.partners.api_key import new_secret
from commerce_core.ports.engine import Reading
from commerce_core.ports.fetcher import Access, Fetcher, Remote
from commerce_core.ports.files import Files
from commerce_core.ports.mail import Mail, NoMail
from commerce_core.ports.messages import Message, Messages
from commerce_core.ports.store import Store
from commerce_core.ports.vault import Closed, Vault
from commerce_core.ports.web import Web, WebAnswer, WebRequest
from commerce_core.usecases.context import Context
from entrypoints import alert_story, tracing
from entrypoints.fail_points import FailPoint
from entrypoints.leases import budget_keeper, lease_keeper
from entrypoints.links import links_under
from entrypoints.metrics import Connections, Held
from entrypoints.settings import Settings, load_settings


@contextmanager
def connect(
    database_url: str, files_url: str | None = None, **settings: object
) -> Generator[Commerce]:
    """The platform for a program that imports the library, opened by `commerce_core.connect`."""
    given = {"database_url": database_url, "files_url": files_url, **settings}
    with open_platform(load_settings(given)) as commerce:
        yield commerce


def register_formats() -> None:
    """Registers what reads the formats that take a library; it is imported when one comes."""

    def zstd() -> Decompressor:
        from adapters.zstd import new_decompressor

        return new_decompressor()

    def parquet(read: Read) -> Iterator[str]:
        from adapters.polars_feeds.parquet_rows import parquet_rows

        return parquet_rows(read)

    register(Compression(b"\x28\xb5\x2f\xfd", "zstd", zstd), TableFormat(b"PAR1", parquet))


@contextmanager
def open_platform(settings: Settings) -> Generator[Commerce]:
    """The platform with these settings, acting as the operator; closes everything at the end.

    Raises Unavailable if a part can't be reached.
    """
    _check_import_roots()
    register_formats()
    with ExitStack() as stack:
        fail_point = FailPoint.of(os.environ)
        store = stack.enter_context(_store(settings, fail_point and fail_point.statement))
        in_memory = settings.database_url.startswith("memory:")
        lease = timedelta(seconds=settings.lease_seconds)
        budget = timedelta(seconds=settings.feed_seconds)
        context = Context(
            store=store,
            files=_files(settings),
            clock=now,
            entropy=secrets.token_bytes,
            keep_lease=(
                budget_keeper(budget, now) if in_memory else lease_keeper(store, lease, budget, now)
            ),
            engine=ReferenceEngine() if in_memory else _Vectorised(),
            open_path=_open_path,
            most_upload_bytes=settings.most_upload_bytes,
            lease=lease,
            scratch=_scratch,
            history_kept=timedelta(days=settings.history_days) if settings.history_days else None,
            vault=_vault(settings),
            web=_Outside(settings.reach),
            sftp=_OverSftp(settings.reach),
            s3=_FromBuckets(settings.reach),
            messages=_FromQueues(settings.reach),
            fetches_per_host=settings.limit_fetches_per_host,
            columns=_columns,
            orders=_order_terms(settings),
            mail=_mail(settings),
            link=links_under(settings.public_url) if settings.public_url else no_link,
            after_alert=alert_story.tried,
        )
        commerce = Commerce(fail_point.around(context) if fail_point else context)
        if settings.is_embedded:
            commerce.keys.ensure_operator(
                _secret_in(settings.operator_key_file, lambda: new_secret(secrets.token_bytes))
            )
        yield commerce


def _order_terms(settings: Settings) -> OrderTerms:
    minutes = settings.orders_expire_minutes
    return OrderTerms(
        expire_after=timedelta(minutes=minutes) if minutes else None,
        refuse_duplicates=settings.duplicate_orders == "refuse",
    )


def connections(commerce: Commerce) -> Connections | None:
    """Returns the database connections of this process; None if the store has no connections."""
    # This isn't part of the port, since not every store has connections.
    return getattr(commerce.context.store, "connections", None)


def held(commerce: Commerce) -> Held | None:
    """Returns how long units of work have held connections; None if there are no connections."""
    return getattr(commerce.context.store, "held", None)


def now() -> datetime:
    """The current time, in UTC."""
    return datetime.now(UTC)


@frozen
class _Vectorised:
    """The vectorised engine; polars is imported only when the first feed is read."""

    def open(self, stream: BinaryIO, terms: Terms) -> Reading:
        from adapters.polars_feeds import PolarsEngine

        return PolarsEngine().open(stream, terms)


def _columns(lines: Iterator[bytes], names: tuple[str, ...]) -> Iterator[bytes]:
    from adapters.polars_feeds.parquet_export import parquet

    return parquet(lines, names)


def _scratch() -> Store:
    """An empty store in memory."""
    from adapters.memory import MemoryStore

    return MemoryStore(now)


@contextmanager
def _store(settings: Settings, before_each: Callable[[], None] | None) -> Generator[Store]:
    if settings.database_url.startswith("memory:"):
        from adapters.memory import MemoryStore

        yield MemoryStore(now)
        return
    from adapters.postgres import PostgresStore

    with (
        _database(settings) as address,
        PostgresStore.open(
            address,
            before_each=before_each,
            around_each=tracing.statement if tracing.is_wanted() else None,
        ) as store,
    ):
        yield store


@contextmanager
def _database(settings: Settings) -> Generator[str]:
    """The database's address; the embedded one is started if it isn't running."""
    if not settings.is_embedded:
        yield settings.database_url
        return
    from adapters.embedded_postgres import running_postgres

    with running_postgres(settings.home) as address:
        yield address


def _files(settings: Settings) -> Files:
    by_default = settings.files_url == "file:" and settings.database_url.startswith("memory:")
    if by_default or settings.files_url.startswith("memory:"):
        from adapters.memory import MemoryFiles

        return MemoryFiles()
    if settings.files_url.startswith("s3://"):
        from adapters.s3_files import S3Files

        return S3Files.at(settings.files_url)
    from adapters.filesystem import DiskFiles

    return DiskFiles(settings.files_dir)


def _vault(settings: Settings) -> Vault:
    """What seals secrets. The embedded default makes a key of its own on the first start."""
    text = settings.vault_keys
    if not text and settings.database_url.startswith("memory:"):
        from adapters.memory.vault import MemoryVault

        return MemoryVault()
    if not text and not settings.is_embedded:
        # A key made here would be another one in each process of the platform.
        return Closed()
    from adapters.aes_vault import AesVault, new_key

    if not text:
        return AesVault.of(_secret_in(settings.vault_file, new_key))
    return AesVault.of(_in_file("vault_keys", text))


def _in_file(setting: str, text: str) -> str:
    """The setting's text, which may be in a file; InvalidInput if that can't be read."""
    if not text.startswith("file:"):
        return text
    try:
        return Path(text.removeprefix("file:")).read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        detail = f"{setting} names a file that can't be read: {error}"
        raise InvalidInput.at(f"/{setting}", "bad_setting", detail) from error


def _mail(settings: Settings) -> Mail:
    """What sends mail; none without a server."""
    if not settings.smtp_url:
        return NoMail()
    from adapters.smtp_mail import SmtpMail

    return SmtpMail.at(_in_file("smtp_url", settings.smtp_url), settings.mail_from)


@frozen
class _Outside:
    """Calls servers with urllib3, which is imported only for the first call."""

    reach: Reach

    def judge(self, url: str, pointer: str = "/url") -> None:
        self._web.judge(url, pointer)

    def send(self, request: WebRequest) -> AbstractContextManager[WebAnswer]:
        return self._web.send(request)

    @cached_property
    def _web(self) -> Web:
        # One for all calls, since it has the connections that stay open.
        from adapters.outside.web import Urllib3Web

        return Urllib3Web(self.reach)


@frozen
class _OverSftp:
    """Fetches over SFTP with paramiko, which is imported only for the first call."""

    reach: Reach

    def judge(self, place: SftpPlace, access: Access) -> None:
        self._fetcher.judge(place, access)

    def connect(
        self, place: SftpPlace, access: Access, seconds: float
    ) -> AbstractContextManager[Remote]:
        return self._fetcher.connect(place, access, seconds)

    @property
    def _fetcher(self) -> Fetcher[SftpPlace]:
        from adapters.outside.sftp_fetcher import SftpFetcher

        return SftpFetcher(self.reach)


@frozen
class _FromBuckets:
    """Fetches from buckets with boto3, which is imported only for the first call."""

    reach: Reach

    def judge(self, place: S3Place, access: Access) -> None:
        self._fetcher.judge(place, access)

    def connect(
        self, place: S3Place, access: Access, seconds: float
    ) -> AbstractContextManager[Remote]:
        return self._fetcher.connect(place, access, seconds)

    @property
    def _fetcher(self) -> Fetcher[S3Place]:
        from adapters.outside.s3_fetcher import S3Fetcher

        return S3Fetcher(self.reach)


@frozen
class _FromQueues:
    """Receives from queues with boto3, which is imported only for the first call."""

    reach: Reach

    def judge(self, place: S3Place) -> None:
        self._messages.judge(place)

    def receive(self, place: S3Place, access: Access) -> Sequence[Message]:
        return self._messages.receive(place, access)

    def delete(self, place: S3Place, access: Access, messages: Sequence[Message]) -> None:
        self._messages.delete(place, access, messages)

    @property
    def _messages(self) -> Messages:
        from adapters.outside.sqs import SqsMessages

        return SqsMessages(self.reach)


def _open_path(path: str) -> BinaryIO:
    return Path(path).open("rb")


def _secret_in(file: Path, make: Callable[[], str]) -> str:
    """A secret of the embedded default, created on the first start."""
    while True:
        try:
            return file.read_text("ascii").strip()
        except FileNotFoundError:
            _write_secret(file, make())


def _write_secret(file: Path, secret: str) -> None:
    """Writes the file atomically, readable only by its owner; an existing file is kept."""
    draft = file.with_name(f".{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(f"{secret}\n")
    try:
        os.link(draft, file)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _check_import_roots() -> None:
    """Checks that no other distribution has taken our two generic import names."""
    home = Path(commerce_core.__file__).parents[1]
    for package in (adapters, entrypoints):
        if package.__file__ is None or Path(package.__file__).parents[1] != home:
            raise RuntimeError(
                f"Python imports the package {package.__name__!r} from {package.__file__}, which "
                "isn't part of Open Commerce. Another distribution uses the same name; install "
                "Open Commerce in an environment of its own."
            )
