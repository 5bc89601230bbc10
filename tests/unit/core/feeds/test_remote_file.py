"""Files of folders: which are taken, in which order, and which wait."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commerce_core.feeds.file_name_time import moment_named
from commerce_core.feeds.place import LONGEST_PATH, Folder, S3Place, SftpPlace
from commerce_core.feeds.remote_file import (
    SETTLE,
    Candidate,
    PulledFile,
    RemoteFile,
    Verdict,
    judged,
)

T0 = datetime(2026, 3, 2, 5, tzinfo=UTC)
KEY = "SHA256:" + "A" * 43
SFTP = SftpPlace("sftp://a.example/out/", (KEY,))
MARKED = SftpPlace("sftp://a.example/out/", (KEY,), marker="{name}.done")
S3 = S3Place("s3://bucket/out/")


def file(name: str, size: int = 1, age: timedelta = timedelta(hours=1)) -> RemoteFile:
    return RemoteFile(f"/out/{name}", size, T0 - age)


def known(file: RemoteFile, state: str = "seen", ago: timedelta = SETTLE) -> PulledFile:
    return PulledFile("src", "ptn", file.path, file.version, state, T0 - ago)  # pyright: ignore[reportArgumentType]


def judge(
    place: Folder, files: Sequence[RemoteFile], *before: PulledFile, pattern: str | None = None
) -> Sequence[Candidate]:
    seen: dict[str, list[PulledFile]] = {}
    for each in before:
        seen.setdefault(each.path, []).append(each)
    return judged(
        place, files, seen, T0, lambda name: moment_named(pattern, name, "UTC") if pattern else None
    )


def verdicts(place: Folder, files: Sequence[RemoteFile], *before: PulledFile) -> dict[str, Verdict]:
    return {
        each.file.path.rpartition("/")[2]: each.verdict for each in judge(place, files, *before)
    }


def test_a_file_is_taken_at_the_second_look_if_it_stays_as_it_is():
    a = file("a.csv")
    assert verdicts(SFTP, [a]) == {"a.csv": "wait"}
    almost = SETTLE - timedelta(microseconds=1)
    assert verdicts(SFTP, [a], known(a, ago=almost)) == {"a.csv": "wait"}
    assert verdicts(SFTP, [a], known(a)) == {"a.csv": "take"}


@pytest.mark.parametrize("changed", [file("a.csv", 2), file("a.csv", age=timedelta(hours=2))])
def test_a_file_that_changes_waits_again(changed: RemoteFile):
    assert verdicts(SFTP, [changed], known(file("a.csv"))) == {"a.csv": "wait"}


def test_objects_of_a_bucket_are_whole_at_once():
    assert verdicts(S3, [RemoteFile("out/a.csv", 1, T0, '"1"')]) == {"a.csv": "take"}


@pytest.mark.parametrize("state", ["taken", "unchanged", "refused"])
def test_what_was_decided_is_not_decided_again(state: str):
    a = file("a.csv")
    assert verdicts(SFTP, [a], known(a, state)) == {"a.csv": "skip"}
    again = file("a.csv", 2)
    assert verdicts(SFTP, [again], known(a, state), known(again)) == {"a.csv": "take"}


def test_a_big_file_with_an_older_time_is_taken():
    """The time of change decides the order alone."""
    small, big = file("small.csv"), file("big.csv", 10**9, timedelta(days=400))
    found = judge(SFTP, [small, big], known(small, "taken"), known(big))
    assert [(each.file.path, each.verdict) for each in found] == [
        ("/out/big.csv", "take"),
        ("/out/small.csv", "skip"),
    ]


@pytest.mark.parametrize(
    "name",
    [
        "a.csv.filepart", "a.csv.part", "a.tmp", "a.csv~", ".hidden", "caf\udce9.csv", "a\nb.csv",
        "a" * LONGEST_PATH,
    ],
)  # fmt: skip
def test_names_of_what_is_still_sent_or_cannot_be_shown_are_ignored(name: str):
    assert verdicts(SFTP, [file(name)], known(file(name))) == {name: "skip"}


def test_the_pattern_selects():
    place = SftpPlace(SFTP.url, SFTP.host_keys, "stock-*")
    files = [file("stock-1.csv"), file("other.csv")]
    assert verdicts(place, files, *map(known, files)) == {
        "stock-1.csv": "take",
        "other.csv": "skip",
    }


def test_a_marked_file_is_taken_at_the_first_look_and_never_without_its_marker():
    a, done = file("a.csv"), file("a.csv.done")
    assert verdicts(MARKED, [a]) == {"a.csv": "wait"}
    assert verdicts(MARKED, [a], known(a)) == {"a.csv": "wait"}
    assert verdicts(MARKED, [a, done]) == {"a.csv": "take"}


def test_a_marker_of_a_former_version_shows_nothing():
    older = file("a.csv.done", age=timedelta(hours=2))
    assert verdicts(MARKED, [file("a.csv"), older]) == {"a.csv": "wait"}


def test_a_new_marker_makes_a_refused_file_another_version():
    a, done = file("a.csv"), file("a.csv.done")
    (refused,) = judge(MARKED, [a, done])
    before = PulledFile("src", "ptn", a.path, refused.version, "refused", T0)
    assert verdicts(MARKED, [a, done], before) == {"a.csv": "skip"}
    newer = file("a.csv.done", age=timedelta(minutes=1))
    assert verdicts(MARKED, [a, newer], before) == {"a.csv": "take"}


def test_files_are_in_the_order_of_their_snapshots():
    """By the moment in the name if there is one, else by the time of change, then by name."""
    files = [
        file("s-20260101.csv", age=timedelta(1)),
        file("s-20251231.csv", age=timedelta(0)),
        file("y.csv", age=timedelta(hours=2)),
        file("x.csv", age=timedelta(hours=2)),
    ]
    found = judge(SFTP, files, pattern="s-{YYYY}{MM}{DD}.csv")
    names = [each.file.path.rpartition("/")[2] for each in found]
    assert names == ["s-20251231.csv", "s-20260101.csv", "x.csv", "y.csv"]


@given(st.permutations([file(f"{n}.csv", n) for n in range(6)]))
def test_the_order_of_the_list_makes_no_difference(files: list[RemoteFile]):
    assert judge(SFTP, files) == judge(SFTP, sorted(files, key=lambda each: each.path))
