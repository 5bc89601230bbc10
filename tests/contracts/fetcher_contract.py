"""What fetchers promise: what is listed, what is read, and that no other server gets a secret."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from attrs import evolve

from commerce_core.base.errors import InvalidInput, Unreachable
from commerce_core.feeds.place import Place
from commerce_core.feeds.remote_file import RemoteFile
from commerce_core.ports import fetcher
from commerce_core.ports.fetcher import Access, Fetcher, FetchFailed

SECONDS = 300.0
CONTENT = b"sku\n" + b"A\n" * 50_000


class World:
    """A server with a folder `out`, or a bucket with the prefix `out/`, in which tests put files.

    `private` is the same place on a server with an address that may not be called.
    """

    fetcher: Fetcher[Place]
    place: Place
    private: Place
    access: Access
    paths: Callable[[str], str]
    """How the place lists the file of that name."""
    put: Callable[[str, bytes], None]
    """Writes a file into the folder, or replaces it by one that differs."""
    remove: Callable[[str], None]


def listed(world: World) -> dict[str, RemoteFile]:
    with world.fetcher.connect(world.place, world.access, SECONDS) as remote:
        return {file.path: file for file in remote.files()}


def read(world: World, file: RemoteFile, start: int = 0) -> bytes:
    with (
        world.fetcher.connect(world.place, world.access, SECONDS) as remote,
        remote.open(file, start) as opened,
    ):
        assert opened is not None
        assert opened.file == file
        return b"".join(iter(lambda: opened.read(1 << 16), b""))


def failure(world: World, file: RemoteFile, start: int = 0) -> str:
    with pytest.raises(FetchFailed) as refusal:
        read(world, file, start)
    return refusal.value.code


class TestFetcher:
    def test_files_are_listed_with_their_sizes_and_times(self, world: World):
        world.put("a.csv", CONTENT)
        world.put("b.csv", b"")
        found = listed(world)
        assert set(found) == {world.paths("a.csv"), world.paths("b.csv")}
        file = found[world.paths("a.csv")]
        assert file.size == len(CONTENT)
        assert file.modified_at is not None
        # Stores round up to seconds.
        assert file.modified_at < datetime.now(UTC) + timedelta(seconds=1)

    def test_what_lies_deeper_is_no_file_of_a_folder(self, world: World):
        """A bucket has no folders: there, each key that begins with the prefix is listed."""
        world.put("a.csv", b"sku\n")
        world.put("deeper/b.csv", b"sku\n")
        expected = {world.paths("a.csv")}
        if world.place.kind == "s3":
            expected |= {world.paths("deeper/b.csv")}
        assert set(listed(world)) == expected

    def test_a_place_without_files_lists_none(self, world: World):
        assert listed(world) == {}

    def test_a_file_is_read_as_it_is(self, world: World):
        world.put("a.csv", CONTENT)
        world.put("empty.csv", b"")
        found = listed(world)
        assert read(world, found[world.paths("a.csv")]) == CONTENT
        assert read(world, found[world.paths("empty.csv")]) == b""

    @pytest.mark.parametrize("start", [1, 40_000, len(CONTENT) - 1])
    def test_a_file_is_read_from_a_position_on(self, world: World, start: int):
        world.put("a.csv", CONTENT)
        file = listed(world)[world.paths("a.csv")]
        assert read(world, file, start) == CONTENT[start:]

    def test_a_version_is_the_same_until_the_file_changes(self, world: World):
        world.put("a.csv", b"one")
        first = listed(world)[world.paths("a.csv")]
        assert listed(world)[world.paths("a.csv")].version == first.version
        world.put("a.csv", b"another")
        assert listed(world)[world.paths("a.csv")].version != first.version

    @pytest.mark.parametrize("start", [0, 1])
    def test_a_file_that_was_replaced_is_not_read_as_the_one_before(self, world: World, start: int):
        world.put("a.csv", b"one")
        file = listed(world)[world.paths("a.csv")]
        world.put("a.csv", b"another")
        assert failure(world, file, start) == "file_replaced"

    def test_a_file_that_is_gone_is_not_there(self, world: World):
        world.put("a.csv", b"one")
        file = listed(world)[world.paths("a.csv")]
        world.remove("a.csv")
        assert failure(world, file) == "not_there"

    def test_a_list_has_a_limit(self, world: World, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(fetcher, "MOST_LISTED", 2)
        world.put("a.csv", b"1")
        world.put("b.csv", b"1")
        assert len(listed(world)) == 2
        world.put("c.csv", b"1")
        with pytest.raises(FetchFailed) as refusal:
            listed(world)
        assert refusal.value.code == "too_many_files"

    def test_wrong_credentials_are_denied(self, world: World):
        world.put("a.csv", b"1")
        world.access = evolve(world.access, secret="wrong")
        with pytest.raises(FetchFailed) as refusal:
            listed(world)
        assert refusal.value.code == "denied"

    def test_a_private_address_is_judged_when_stored_and_when_used(self, world: World):
        with pytest.raises(InvalidInput) as refusal:
            world.fetcher.judge(world.private, world.access)
        assert refusal.value.faults[0].code == "address_refused"
        world.place = world.private
        with pytest.raises(Unreachable) as refused:
            listed(world)
        assert refused.value.code == "address_refused"

    def test_a_place_that_can_be_called_is_accepted(self, world: World):
        world.fetcher.judge(world.place, world.access)
