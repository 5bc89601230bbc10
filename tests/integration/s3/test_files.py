"""Files in S3: the contract of a place for files, and what only a store on a network promises."""

import base64
import contextlib
import hashlib
import io
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Generator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeAlias
from zlib import crc32

import pytest
from boto3.session import Session

import commerce_core
from adapters import s3_files
from adapters.s3_files import S3Files
from commerce_core.base.errors import CommerceError, Conflict, InvalidInput, TooLarge, Unavailable
from commerce_core.ports.files import Files
from tests.contracts.files_contract import TestFiles as FilesContract
from tests.contracts.files_contract import Upload, content, put
from tests.contracts.threads import together
from tests.support.ports import free_port
from tests.support.servers.postgres import children
from tests.support.servers.proxy import Proxy, proxy_before
from tests.support.servers.swift import HOUSE, Swift, running_swift
from tests.support.waiting import PATIENCE, until

Client: TypeAlias = Any
"""One of boto3's, whose methods are made while it runs."""
BUCKET = "feeds"
PART = 1 << 18
MANY = 1 << 30
SLOW_DOWN = (
    b"HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\nConnection: close\r\n\r\n"
    b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
)
NOT_IMPLEMENTED = (
    b"HTTP/1.1 501 Not Implemented\r\nContent-Type: application/xml\r\nConnection: close\r\n\r\n"
    b"<Error><Code>NotImplemented</Code><Message>A header you provided ...</Message></Error>"
)
WITH_CHECKSUM_OF_ABD = (
    b'HTTP/1.1 200 OK\r\nETag: "1"\r\nContent-Length: 3\r\nConnection: close\r\n'
    b"x-amz-checksum-crc32: %b\r\n\r\nabc" % base64.b64encode(crc32(b"abd").to_bytes(4, "big"))
)


@pytest.fixture(scope="module")
def swift() -> Generator[Swift]:
    with running_swift() as store:
        yield store


@pytest.fixture(scope="module")
def behind(swift: Swift) -> Client:
    """The store past our adapter."""
    with pytest.MonkeyPatch.context() as patch:
        set_variables(patch, swift.variables())
        client = Session().client("s3")
        client.create_bucket(Bucket=BUCKET)
    return client


@pytest.fixture(autouse=True)
def variables(swift: Swift, behind: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    set_variables(monkeypatch, swift.variables())


@pytest.fixture
def wire(swift: Swift, monkeypatch: pytest.MonkeyPatch) -> Generator[Proxy]:
    """What all that speaks to the store from now on goes through."""
    with proxy_before(swift.port) as proxy:
        set_variables(monkeypatch, swift.variables(proxy.port))
        yield proxy


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between tries, which nobody waits for."""
    taken: list[float] = []
    monkeypatch.setattr(time, "sleep", taken.append)
    return taken


@pytest.fixture
def prefix() -> str:
    return uuid.uuid4().hex


@pytest.fixture
def files(prefix: str, behind: Client, monkeypatch: pytest.MonkeyPatch) -> Generator[Files]:
    """An empty place, with parts and pages so small that most tests need several."""
    monkeypatch.setattr(s3_files, "MOST_PARTS", MANY)
    yield S3Files(BUCKET, prefix, part_bytes=PART, page=3)
    assert pending(behind, prefix) == [], "an upload was left behind"


def set_variables(patch: pytest.MonkeyPatch, variables: Mapping[str, str]) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        patch.delenv(name)
    for name, value in variables.items():
        patch.setenv(name, value)


def pending(behind: Client, prefix: str) -> list[str]:
    """Keys of uploads under this prefix that were begun, and neither ended nor aborted."""
    answer = behind.list_multipart_uploads(Bucket=BUCKET, Prefix=f"{prefix}/")
    return [upload["Key"].removeprefix(f"{prefix}/") for upload in answer.get("Uploads", ())]


class TestS3Files(FilesContract):
    def test_a_file_is_replaced_as_a_whole(self, files: Files):
        """A file is never replaced: a key that is taken is refused, whoever reads it reads on."""
        for old in (b"old", b"old" * 300_000):
            put(files, "a", old)
            with files.open("a") as stream:
                begun = stream.read(2)
                for new in (b"new", b"new" * 300_000):
                    with pytest.raises(Conflict) as refused:
                        put(files, "a", new)
                    assert refused.value.code == "file_exists"
                assert begun + stream.read() == old
            assert content(files, "a") == old
            files.delete("a")

    def test_puts_of_one_key_at_once_keep_one_of_them(self, files: Files):
        """Of files put under one key at once one is kept, whole, and others are refused."""
        bodies = [bytes([number]) * 900_000 for number in range(4)]

        def try_to_put(body: bytes) -> bytes | None:
            with contextlib.suppress(Conflict):
                put(files, "a", Upload(body))
                return body
            return None

        kept = together(*(lambda body=body: try_to_put(body) for body in bodies))
        assert content(files, "a") in {body for body in kept if body}
        assert list(files.list("")) == ["a"]


class TestPutting:
    @pytest.mark.parametrize(
        ("size", "checksums"),
        [
            (PART - 1, "when_supported"),
            (PART, "when_required"),
            (PART + 1, "when_supported"),
            (3 * PART, "when_supported"),
            (3 * PART + 1, "when_required"),
        ],
    )
    def test_parts_make_the_file(
        self, monkeypatch: pytest.MonkeyPatch, prefix: str, size: int, checksums: str
    ):
        """However many parts there are, the file is the bytes that were put."""
        monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", checksums)
        monkeypatch.setenv("AWS_RESPONSE_CHECKSUM_VALIDATION", checksums)
        files = S3Files(BUCKET, prefix, part_bytes=PART)
        body = random.Random(size).randbytes(size)
        assert put(files, "a", body, MANY).sha256 == hashlib.sha256(body).hexdigest()
        assert content(files, "a") == body

    def test_parts_are_larger_where_there_would_be_too_many(self, monkeypatch: pytest.MonkeyPatch):
        """A file as large as may be fits into as many parts as S3 takes."""
        monkeypatch.setattr(s3_files, "MOST_PARTS", 4)
        sent: list[int] = []

        def ask(operation: str, key: str = "", **arguments: bytes) -> dict[str, str]:
            if operation == "upload_part":
                sent.append(len(arguments["Body"]))
            return {"UploadId": "1", "ETag": "1"}

        files = S3Files(BUCKET, "x", part_bytes=PART)
        monkeypatch.setattr(files._place, "ask", ask)
        put(files, "a", bytes(32 * PART), 40 * PART - 1)
        assert sent == [10 * PART, 10 * PART, 10 * PART, 2 * PART]

    def test_a_failed_upload_leaves_nothing(self, files: Files, behind: Client, prefix: str):
        """A sender that breaks off, or sends too much, leaves no part behind."""
        seen: list[list[str]] = []

        def look() -> None:
            seen.append(pending(behind, prefix))
            if len(seen) > 5:
                raise ConnectionError

        with pytest.raises(ConnectionError):
            put(files, "a", Upload(bytes(20 * PART), look))
        assert seen[-1] == ["a"]
        assert pending(behind, prefix) == []
        with pytest.raises(TooLarge):
            put(files, "a", bytes(6 * PART), 5 * PART)
        assert pending(behind, prefix) == []
        assert list(files.list("")) == []

    def test_what_a_dead_process_left_is_swept(self, files: S3Files, behind: Client, prefix: str):
        """Uploads of this prefix that began long ago are aborted, and no others."""
        for key in ("a", "b/c", "d", "e"):
            behind.create_multipart_upload(Bucket=BUCKET, Key=f"{prefix}/{key}")
        other = behind.create_multipart_upload(Bucket=BUCKET, Key=f"{prefix}0/a")
        assert files.sweep() == 0
        assert len(pending(behind, prefix)) == 4
        assert files.sweep(timedelta(seconds=-5)) == 4
        assert pending(behind, prefix + "0") == ["a"]
        behind.abort_multipart_upload(Bucket=BUCKET, Key=f"{prefix}0/a", UploadId=other["UploadId"])

    @pytest.mark.parametrize("size", [1000, 3 * PART])
    def test_a_lost_answer_is_no_conflict(self, wire: Proxy, files: Files, size: int):
        """The last request is sent again when its answer is lost, and then meets its own effect."""
        body = random.Random(size).randbytes(size)

        class Last(io.BytesIO):
            """Once it is at its end, the request that makes the file comes next."""

            def read(self, size: int | None = -1) -> bytes:
                block = super().read(size)
                if not block:  # the 25 bytes that ask for the body still pass
                    wire.cuts.append(30 if len(body) < PART else 0)
                return block

        assert files.put("a", Last(body), MANY).bytes == size
        assert wire.cuts == []
        assert content(files, "a") == body

    def test_a_store_without_conditions_is_asked_before(self, wire: Proxy, files: Files):
        """Where If-None-Match is not known, a taken key is still refused."""
        wire.answers.append(NOT_IMPLEMENTED)
        put(files, "a", b"1")
        with pytest.raises(Conflict):
            put(files, "a", b"2")
        assert content(files, "a") == b"1"

    def test_what_cant_be_a_file_isnt_listed(self, files: Files, behind: Client, prefix: str):
        """Consoles make folders by empty objects; such are no files of ours."""
        for key in ("", "folder/", ".hidden", "a b"):
            behind.put_object(Bucket=BUCKET, Key=f"{prefix}/{key}", Body=b"")
        for number in range(10):
            put(files, f"folder/{number}", b"")
        assert list(files.list("")) == [f"folder/{number}" for number in range(10)]

    def test_threads_share_it(self, files: Files):
        """Ten threads put and read at once."""
        bodies = [random.Random(number).randbytes(700_000) for number in range(10)]

        def there_and_back(number: int) -> bytes | None:
            put(files, f"a/{number}", bodies[number])
            return content(files, f"a/{number}")

        assert together(*(lambda n=n: there_and_back(n) for n in range(10))) == bodies


class TestReading:
    BODY = random.Random(7).randbytes(2_000_000)
    replaced = pytest.mark.parametrize(
        "replacement", [BODY[::-1], BODY[:1000], None], ids=["another", "shorter", "none"]
    )

    def test_a_cut_connection_is_taken_up_where_it_broke(self, wire: Proxy, files: Files):
        """Every byte comes once, in its place, however often the connection breaks on the way."""
        put(files, "a", self.BODY)
        wire.cuts.extend([700, 300_000, 1_000, 900_000, 2_000])
        assert content(files, "a") == self.BODY
        assert wire.cuts == []

    @pytest.mark.slow
    @replaced
    def test_a_replaced_file_is_never_mixed(
        self, wire: Proxy, files: Files, behind: Client, prefix: str, replacement: bytes | None
    ):
        """Where reading would go on in another file than it began in, it fails and says so."""
        put(files, "a", self.BODY)
        wire.cuts.append(600_000)
        with files.open("a") as stream:
            begun = stream.read(1000)
            files.delete("a")
            if replacement is not None:
                behind.put_object(Bucket=BUCKET, Key=f"{prefix}/a", Body=replacement)
            with pytest.raises(Unavailable, match="replaced or deleted") as refused:
                begun += stream.read()
        assert refused.value.code == "file_replaced"
        assert begun == self.BODY[:1000]

    @replaced
    def test_a_file_that_is_replaced_between_two_places_is_never_mixed(
        self, files: Files, behind: Client, prefix: str, replacement: bytes | None
    ):
        """Who goes to another position reads the version that was opened, or is refused."""
        put(files, "a", self.BODY)
        with files.open("a", 500, 1_999_000) as stream:
            assert stream.read(10) == self.BODY[500:510]
            stream.seek(-10, io.SEEK_END)
            assert stream.read() == self.BODY[1_998_990:1_999_000]
            files.delete("a")
            if replacement is not None:
                behind.put_object(Bucket=BUCKET, Key=f"{prefix}/a", Body=replacement)
            stream.seek(700_000)
            with pytest.raises(Unavailable) as refused:
                stream.read(10)
        assert refused.value.code == "file_replaced"

    def test_a_range_is_taken_up_where_its_connection_broke(self, wire: Proxy, files: Files):
        """Its bytes come once each, and none that follow it."""
        put(files, "a", self.BODY)
        wire.cuts.extend([700, 300_000, 1_000])
        with files.open("a", 100_000, 1_900_000) as stream:
            assert stream.read() == self.BODY[100_000:1_900_000]
        assert wire.cuts == []

    def test_bytes_that_changed_on_their_way_are_refused(
        self, wire: Proxy, prefix: str, monkeypatch: pytest.MonkeyPatch
    ):
        """If the store sends a checksum, the last bytes of a file are given only if it matches."""
        monkeypatch.setenv("AWS_RESPONSE_CHECKSUM_VALIDATION", "when_supported")
        files = S3Files(BUCKET, prefix)
        wire.answers.append(WITH_CHECKSUM_OF_ABD)
        with files.open("a") as stream, pytest.raises(Unavailable):
            stream.read(3)

    def test_it_gives_up_after_five_breaks_in_a_row(
        self, wire: Proxy, files: Files, naps: list[float]
    ):
        """Reading that gets no further ends, after pauses that grow and differ."""
        put(files, "a", self.BODY)
        wire.cuts.extend([600_000, *[1_000] * 100])
        with files.open("a") as stream, pytest.raises(Unavailable):
            stream.read()
        assert sum(naps) < 60
        assert len(wire.cuts) > 50

    def test_a_slow_store_is_waited_for(self, wire: Proxy, files: Files):
        """Pauses within an answer break nothing."""
        put(files, "a", self.BODY[:500_000])
        wire.stall = 0.05
        assert content(files, "a") == self.BODY[:500_000]

    def test_a_stream_is_read_as_any_other(self, files: Files):
        """`open` gives what gzip, csv and the like can read."""
        put(files, "a", b"line 1\nline 2\n")
        with files.open("a") as stream:
            assert stream.readable()
            assert stream.seekable()
            assert not stream.writable()
            assert stream.readline() == b"line 1\n"
            assert stream.read(100) == b"line 2\n"
        assert stream.closed


class TestTrouble:
    def test_a_store_that_wants_less_gets_it_later(
        self, wire: Proxy, files: Files, naps: list[float]
    ):
        """503 is tried again after pauses, five times in all."""
        wire.answers.extend([SLOW_DOWN] * 4)
        put(files, "a", b"1")
        assert len(naps) == 4
        wire.reset_all()
        wire.answers.extend([SLOW_DOWN] * 5)
        with pytest.raises(Unavailable, match="SlowDown") as refused:
            list(files.list(""))
        assert refused.value.remedy
        assert wire.answers == []

    @pytest.mark.parametrize(
        ("variable", "value", "told"),
        [
            ("AWS_SECRET_ACCESS_KEY", "not-the-secret", "AWS_SECRET_ACCESS_KEY"),
            ("AWS_ACCESS_KEY_ID", "test:nobody", "AWS_ACCESS_KEY_ID"),
            ("AWS_ACCESS_KEY_ID", None, "AWS_ACCESS_KEY_ID"),
        ],
    )
    def test_wrong_credentials_are_reported(
        self, monkeypatch: pytest.MonkeyPatch, variable: str, value: str | None, told: str
    ):
        """Every operation says what to correct, and never what the secret is."""
        if value is None:
            monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
            monkeypatch.delenv(variable)
        else:
            monkeypatch.setenv(variable, value)
        for refused in all_refused(S3Files(BUCKET, "x")):
            assert told in refused.remedy
            assert "not-the-secret" not in f"{refused!r}{refused}"

    def test_a_missing_bucket_is_reported(self):
        """It isn't that the file isn't found."""
        for refused in all_refused(S3Files("nowhere", "x")):
            assert "COMMERCE_FILES_URL" in refused.remedy

    def test_an_unreachable_store_is_reported(
        self, monkeypatch: pytest.MonkeyPatch, naps: list[float]
    ):
        """Nobody listens: each operation tries five times and says what to look at."""
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{free_port()}")
        files = S3Files(BUCKET, "x")
        with pytest.raises(Unavailable, match="EndpointConnectionError"):
            list(files.list(""))
        assert len(naps) == 4
        assert sum(naps) < 20
        for refused in all_refused(files):
            assert "AWS_ENDPOINT_URL_S3" in refused.remedy

    def test_a_check_has_an_end(self, monkeypatch: pytest.MonkeyPatch):
        """After five seconds at most, also where a store takes the connection and never answers."""
        assert s3_files.CHECK_SECONDS < 5
        monkeypatch.setattr(s3_files, "CHECK_SECONDS", 0.5)
        with socket.create_server(("127.0.0.1", 0)) as silent:
            port = silent.getsockname()[1]
            monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{port}")
            files = S3Files(BUCKET, "x")
            with pytest.raises(Unavailable):
                files.check()

    def test_a_check_waits_for_nothing_that_has_no_limit(
        self, files: S3Files, monkeypatch: pytest.MonkeyPatch
    ):
        """Looking up a name may take minutes; a check is over before."""
        done = threading.Event()
        monkeypatch.setattr(s3_files, "CHECK_SECONDS", 0.1)
        monkeypatch.setattr(files, "_try", lambda: done.wait(PATIENCE))
        with pytest.raises(Unavailable, match="within"):
            files.check()
        assert not done.is_set()
        done.set()

    def test_a_refused_connection_is_tried_again(self, wire: Proxy, files: Files):
        """A store that restarts is back a moment later."""
        put(files, "a", b"1")
        wire.reset_all()
        assert content(files, "a") == b"1"


class TestSettings:
    @pytest.mark.parametrize(
        "url",
        ["s3://", "s3:///prefix", "s3://bucket/a b", "s3://bucket/../a", "s3://bucket/a?b=c",
         f"s3://bucket/{'x/' * 300}", "http://bucket/a"],
    )  # fmt: skip
    def test_a_url_that_cant_be_is_refused(self, url: str):
        """The place is given as s3://BUCKET/PREFIX, and the prefix spelled as a key."""
        with pytest.raises(InvalidInput) as refused:
            S3Files.at(url)
        assert refused.value.faults[0].pointer == "/files_url"

    def test_an_endpoint_that_cant_be_is_refused(self, monkeypatch: pytest.MonkeyPatch):
        """AWS's own settings are looked at when the platform opens."""
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "storage.example")
        with pytest.raises(InvalidInput, match=r"storage\.example"):
            S3Files.at("s3://bucket")

    @pytest.mark.parametrize("end", ["", "/"])
    def test_the_platform_keeps_files_there(self, behind: Client, prefix: str, end: str):
        """`s3://BUCKET/PREFIX` as the files URL is all it takes."""
        url = f"s3://{BUCKET}/{prefix}{end}"
        with commerce_core.connect("memory:", url) as commerce:
            assert commerce.health.parts()["files"] == "ok"
            commerce.partners.add("Acme", currency="USD")
            commerce.feeds.load(io.BytesIO(b"sku,product_name\n1,Tea\n"), partner="Acme")
        found = behind.list_objects_v2(Bucket=BUCKET, Prefix=f"{prefix}/")["Contents"]
        assert [thing["Size"] for thing in found] == [23]


ROUND_TRIP = """
import resource, sys
from adapters import s3_files
from adapters.s3_files import S3Files

class Zeros:
    def __init__(self, size):
        self.left = size
    def read(self, size):
        size = min(size, self.left)
        self.left -= size
        return bytes(size)

def there_and_back(key, size):
    files.put(key, Zeros(size), 5 << 30)
    with files.open(key) as stream:
        while block := stream.read(1 << 20):
            size -= len(block)
    assert size == 0

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10

files = S3Files(sys.argv[1], sys.argv[2])
there_and_back("small", 1000)
before = peak()
there_and_back("large", 64 << 20)
print(peak() - before)
"""


def test_memory_stays_flat(prefix: str):
    """64 MB go there and come back in the memory of about three parts."""
    run = subprocess.run(
        [sys.executable, "-c", ROUND_TRIP, BUCKET, prefix],
        capture_output=True, text=True, check=True, cwd=HOUSE,
    )  # fmt: skip
    assert int(run.stdout) < 40


def test_swift_ends_with_the_test_run(tmp_path: Path):
    """A test run that is killed leaves no server and no folder."""
    command = (
        "import time; from tests.support.servers.swift import running_swift\n"
        "with running_swift(): print(flush=True); time.sleep(3600)"
    )
    environ = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", command], stdout=subprocess.PIPE, cwd=HOUSE, env=environ
    ) as run:
        assert run.stdout
        assert run.stdout.readline()
        assert list(tmp_path.iterdir())
        (store,) = children(run.pid)
        run.send_signal(signal.SIGKILL)
        run.wait()
    until(lambda: not list(tmp_path.iterdir()))
    until(lambda: not Path(f"/proc/{store}").exists())


def all_refused(files: S3Files) -> list[CommerceError]:
    """What each operation says to Unavailable."""
    operations: tuple[Callable[[], object], ...] = (
        lambda: put(files, "a", b"1"),
        lambda: content(files, "a"),
        lambda: list(files.list("")),
        lambda: files.delete("a"),
        files.check,
    )
    refusals: list[CommerceError] = []
    for operation in operations:
        with pytest.raises(Unavailable) as refused:
            operation()
        refusals.append(refused.value)
    return refusals
