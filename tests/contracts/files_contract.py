"""The whole contract of a place for files: one promise of `ports.files.Files` per test.

A test module takes it in, and provides the fixture `files`: an empty place for each test.

    from tests.contracts.files_contract import *

    @pytest.fixture
    def files(): ...
"""

import hashlib
import io
import itertools
import random
from collections.abc import Callable
from typing import Any

import pytest

from commerce_core.base.errors import NotFound, TooLarge
from commerce_core.ports.files import LONGEST_FILE_KEY, Files, StoredFile
from tests.contracts.threads import together

__all__ = ["TestFiles"]

MANY = 1 << 40
LARGEST_BLOCK = 1 << 23
"""Bytes that reading a stream may ask for at a time: memory stays flat."""
BAD_KEYS = (
    "", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/..", "./a", ".hidden", "a/.b",
    "a b", "a\\b", "C:a", "ä", "a\0", "a\n", "\na", "~", "a*", "%2e%2e", "a/b?", "x" * 201,
    "/".join(["x" * 100] * 6),
)  # fmt: skip


class Zeros:
    """A stream of so many zeros, made as they are asked for; it knows how many it gave."""

    def __init__(self, size: int) -> None:
        self._size = size
        self.given = 0

    def read(self, size: int = -1) -> bytes:
        assert 0 < size <= LARGEST_BLOCK
        block = bytes(min(size, self._size - self.given))
        self.given += len(block)
        return block


class Upload:
    """A stream that gives its bytes in pieces of odd sizes, and does something before each."""

    def __init__(self, body: bytes, before: Callable[[], object] = bool) -> None:
        self._body = io.BytesIO(body)
        self._before = before

    def read(self, size: int = -1) -> bytes:
        assert 0 < size <= LARGEST_BLOCK
        self._before()
        return self._body.read(min(size, 700_001))


def put(files: Files, key: str, body: bytes | Upload | Zeros, most_bytes: int = MANY) -> StoredFile:
    stream: Any = io.BytesIO(body) if isinstance(body, bytes) else body
    return files.put(key, stream, most_bytes)


def content(files: Files, key: str) -> bytes | None:
    """The bytes of a file, None if there is none."""
    try:
        with files.open(key) as stream:
            return stream.read()
    except NotFound:
        return None


class TestFiles:
    @pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 262_144, 262_145, 1_000_000])
    def test_what_is_put_comes_back(self, files: Files, size: int):
        """`open` gives the bytes that were put, of any size, in pieces of any size."""
        body = random.Random(size).randbytes(size)
        assert put(files, "raw/a", Upload(body)) == StoredFile(size, sha256(body))
        assert content(files, "raw/a") == body

    @pytest.mark.parametrize("size", [0, 1, 1_000_000])
    def test_a_range_is_read_by_itself(self, files: Files, size: int):
        """`open` gives the bytes from `start` up to `end`, and what there is of them at the end."""
        body = random.Random(size).randbytes(size)
        put(files, "raw/a", body)
        places = (0, 1, 2, 262_144, 999_999, 1_000_000, 1_000_001, 5_000_000)
        for start, end in itertools.product(places, (*places, None)):
            if end is None or start <= end:
                with files.open("raw/a", start, end) as stream:
                    assert stream.read() == body[start:end], (start, end)
                    assert stream.read(1) == b""

    @pytest.mark.parametrize(("start", "end"), [(0, None), (1_000, None), (1_000, 900_000)])
    def test_a_stream_goes_to_any_position(self, files: Files, start: int, end: int | None):
        """Positions count from the first byte of the range; behind its end there is nothing."""
        body = random.Random(9).randbytes(1_000_000)
        put(files, "a", body)
        wanted = io.BytesIO(body[start:end])
        with files.open("a", start, end) as stream:
            assert stream.seekable()
            for step in range(40):
                offset, whence = [(step * 37_813, 0), (-40_000, 2), (1, 1), (0, 0)][step % 4]
                assert stream.seek(offset, whence) == wanted.seek(offset, whence)
                assert stream.read(step * 1_000) == wanted.read(step * 1_000)
                assert stream.tell() == wanted.tell()

    @pytest.mark.parametrize(("start", "end"), [(-1, None), (-2, -1), (3, 2), (0, -1)])
    def test_no_other_ranges_are_taken(self, files: Files, start: int, end: int | None):
        """A range that begins before the file, or ends before it begins, is a ValueError."""
        put(files, "a", b"12345")
        with pytest.raises(ValueError, match="not a range"), files.open("a", start, end):
            pass

    def test_a_range_of_no_file_isnt_found(self, files: Files):
        """It is NotFound, an empty range too."""
        for start, end in ((0, 0), (0, 5), (7, None)):
            with pytest.raises(NotFound), files.open("none", start, end):
                pass

    def test_the_digest_is_of_the_bytes(self, files: Files):
        """The SHA-256 is computed by us, of the very bytes."""
        wanted = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        assert put(files, "a", b"abc") == StoredFile(3, wanted)

    def test_a_file_of_just_the_limit_is_kept(self, files: Files):
        """A file may be as large as the limit says."""
        assert put(files, "a", b"12345", 5).bytes == 5
        assert content(files, "a") == b"12345"
        assert put(files, "empty", b"", 0).bytes == 0

    @pytest.mark.parametrize("size", [6, 700_000, 1_500_000])
    def test_a_file_beyond_the_limit_leaves_nothing(self, files: Files, size: int):
        """A byte more is TooLarge, the detail names the limit, and nothing is kept."""
        with pytest.raises(TooLarge, match="5"):
            put(files, "a", Upload(bytes(size)), 5)
        assert content(files, "a") is None
        assert list(files.list("")) == []

    def test_a_file_beyond_the_limit_isnt_read_to_its_end(self, files: Files):
        """What is too large is refused as soon as that is known."""
        stream = Zeros(MANY)
        with pytest.raises(TooLarge):
            put(files, "a", stream, 100_000)
        assert stream.given <= LARGEST_BLOCK

    def test_a_put_that_is_refused_leaves_the_file_before_it(self, files: Files):
        """A file stays as it was when a larger one in its place is refused."""
        put(files, "a", b"before")
        with pytest.raises(TooLarge):
            put(files, "a", b"afterwards", 6)
        assert content(files, "a") == b"before"

    def test_an_upload_that_breaks_off_leaves_nothing(self, files: Files):
        """What reading the stream raises comes out as it is, and nothing is kept."""

        class Gone(OSError):
            pass

        def break_off() -> None:
            nonlocal reads
            reads += 1
            if reads > 2:
                raise Gone

        reads = 0
        put(files, "b", b"before")
        for key in ("a", "b"):
            reads = 0
            with pytest.raises(Gone):
                put(files, key, Upload(bytes(2_000_000), break_off))
        assert content(files, "a") is None
        assert content(files, "b") == b"before"
        assert list(files.list("")) == ["b"]

    def test_nothing_is_seen_before_it_is_whole(self, files: Files):
        """While a file is being put it is neither listed nor opened."""
        seen: list[object] = []

        def look() -> None:
            seen.extend([list(files.list("")), content(files, "a")])

        put(files, "a", Upload(bytes(2_000_000), look))
        assert seen
        assert not any(seen)
        assert list(files.list("")) == ["a"]

    def test_a_file_is_replaced_as_a_whole(self, files: Files):
        """Who has opened a file reads it to its end, whatever is put there meanwhile."""
        old, new = b"old" * 300_000, b"new"
        put(files, "a", old)
        with files.open("a") as stream:
            begun = stream.read(10)
            put(files, "a", new)
            assert begun + stream.read() == old
        assert content(files, "a") == new

    def test_puts_of_one_key_at_once_keep_one_of_them(self, files: Files):
        """Of files put under one key at once one is kept, whole."""
        bodies = [bytes([number]) * 900_000 for number in range(4)]
        together(*(lambda body=body: put(files, "a", Upload(body)) for body in bodies))
        assert content(files, "a") in bodies
        assert list(files.list("")) == ["a"]

    def test_puts_of_many_keys_at_once_keep_them_all(self, files: Files):
        """Files put at once, into folders that didn't exist, are all kept."""
        keys = [f"new/{number % 2}/{number}" for number in range(8)]
        together(*(lambda key=key: put(files, key, key.encode()) for key in keys))
        assert list(files.list("")) == sorted(keys)
        assert [content(files, key) for key in keys] == [key.encode() for key in keys]

    def test_each_reader_has_its_own_place(self, files: Files):
        """Streams of one file don't move each other."""
        put(files, "a", b"0123456789")
        with files.open("a") as one, files.open("a") as other:
            assert one.read(4) == b"0123"
            assert other.read(2) == b"01"
            assert one.read(100) == b"456789"
            assert one.read(1) == b""

    @pytest.mark.parametrize("key", ["none", "folder", "folder/none", "file/none", "FILE"])
    def test_what_was_never_put_isnt_found(self, files: Files, key: str):
        """`open` of a key without a file is NotFound, a part of another's key too."""
        put(files, "folder/file", b"1")
        put(files, "file", b"1")
        with pytest.raises(NotFound), files.open(key):
            pass

    def test_keys_are_listed_in_order(self, files: Files):
        """`list` gives keys in the order of their characters, whatever folders they lie in."""
        keys = ["a/b", "a-b", "a.b", "a0", "a/b-c/d", "a/b.c", "b", "A", "_", "-", "a/0", "9"]
        for key in keys:
            put(files, key, b"")
        assert list(files.list("")) == sorted(keys)

    @pytest.mark.parametrize(
        ("prefix", "found"),
        [
            ("raw/", ["raw/p1/f1", "raw/p1/f2", "raw/p10/f1"]),
            ("raw/p1", ["raw/p1/f1", "raw/p1/f2", "raw/p10/f1"]),
            ("raw/p1/", ["raw/p1/f1", "raw/p1/f2"]),
            ("raw/p1/f2", ["raw/p1/f2"]),
            ("ra", ["raw/p1/f1", "raw/p1/f2", "raw/p10/f1", "ray"]),
            ("raw/p2", []),
            ("raw/p1/f1/", []),
            ("ray/", []),
            ("../", []),
        ],
    )
    def test_keys_are_listed_by_how_they_begin(self, files: Files, prefix: str, found: list[str]):
        """A prefix may end anywhere in a key."""
        for key in ("raw/p1/f1", "raw/p1/f2", "raw/p10/f1", "ray", "s"):
            put(files, key, b"")
        assert list(files.list(prefix)) == found

    def test_an_empty_place_lists_nothing(self, files: Files):
        """Where nothing was put there are no keys."""
        assert list(files.list("")) == []
        assert list(files.list("raw/")) == []

    def test_a_deleted_file_is_gone(self, files: Files):
        """`delete` forgets a file and no other; its key is free again."""
        for key in ("a/b", "a/c"):
            put(files, key, b"1")
        files.delete("a/b")
        assert content(files, "a/b") is None
        assert list(files.list("")) == ["a/c"]
        put(files, "a/b", b"2")
        assert content(files, "a/b") == b"2"

    @pytest.mark.parametrize("key", ["none", "folder", "folder/none", "none/none"])
    def test_deleting_nothing_does_nothing(self, files: Files, key: str):
        """`delete` of a key without a file leaves everything as it is."""
        put(files, "folder/file", b"1")
        files.delete(key)
        assert list(files.list("")) == ["folder/file"]

    @pytest.mark.parametrize("key", BAD_KEYS)
    def test_no_other_keys_are_taken(self, files: Files, key: str):
        """A key that isn't of that spelling is a ValueError, wherever it is given."""
        with pytest.raises(ValueError, match="can't be the key"):
            put(files, key, b"")
        with pytest.raises(ValueError, match="can't be the key"), files.open(key):
            pass
        with pytest.raises(ValueError, match="can't be the key"):
            files.delete(key)
        assert list(files.list("")) == []

    def test_the_longest_key(self, files: Files):
        """A key may have as many characters as the limit says."""
        key = "/".join(["x" * 200, "y" * 200, "z" * 110])
        assert len(key) == LONGEST_FILE_KEY
        put(files, key, b"1")
        assert content(files, key) == b"1"
        assert list(files.list("x")) == [key]

    def test_a_place_in_order_passes_its_check(self, files: Files):
        """`check` returns where files can be kept, and leaves nothing."""
        files.check()
        assert list(files.list("")) == []


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
