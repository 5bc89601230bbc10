"""Places: which addresses and settings name one, on both sides of each limit."""

from base64 import b64encode

import pytest

from commerce_core.base.errors import InvalidInput
from commerce_core.base.network import DEFAULT_PORTS
from commerce_core.feeds.place import (
    LONGEST_HOST_KEY,
    LONGEST_MARKER,
    LONGEST_PATH,
    LONGEST_PATTERN,
    MOST_HOST_KEYS,
    SCHEMES,
    HttpsPlace,
    S3Place,
    SftpPlace,
    fits,
    host_keys_of,
    marker_of,
    place_of,
    secrets_for,
)

KEY = "SHA256:" + "A" * 43
FOLDER = "sftp://partner.example/out/"
BLOB = b"\0\0\0\x0bssh-ed25519\0\0\0 " + b"k" * 32
FULL_KEY = f"ssh-ed25519 {b64encode(BLOB).decode()}"


def codes(url: str, **settings: object) -> set[tuple[str, str]]:
    with pytest.raises(InvalidInput) as refusal:
        place_of(url, **settings)
    return {(fault.pointer, fault.code) for fault in refusal.value.faults}


def test_the_scheme_decides_the_kind():
    assert place_of("https://a.example/f.csv") == HttpsPlace("https://a.example/f.csv")
    assert place_of(FOLDER, host_keys=(KEY,)) == SftpPlace(FOLDER, (KEY,))
    assert place_of("s3://bucket/out/") == S3Place("s3://bucket/out/")
    kinds = [
        place_of("http://a.example/").kind, place_of(FOLDER, host_keys=[KEY]).kind,
        place_of("s3://bucket").kind,
    ]  # fmt: skip
    assert kinds == ["https", "sftp", "s3"]


def test_each_scheme_has_a_port():
    """But that of a bucket, whose server is another setting."""
    assert SCHEMES.keys() - DEFAULT_PORTS.keys() == {"s3"}


@pytest.mark.parametrize("url", ["ftp://a.example/", "file:///etc/passwd", "feed.csv", "s3:x", ""])
def test_no_other_scheme_names_a_place(url: str):
    assert codes(url) == {("/url", "scheme_refused")}


@pytest.mark.parametrize(
    ("url", "settings", "pointer"),
    [
        ("https://a.example/", {"host_keys": (KEY,)}, "/host_key"),
        ("https://a.example/", {"pattern": "*"}, "/pattern"),
        ("https://a.example/", {"marker": "{name}.done"}, "/marker"),
        (FOLDER, {"host_keys": (KEY,), "endpoint": "https://s3.example"}, "/endpoint"),
        ("s3://bucket/", {"host_keys": (KEY,)}, "/host_key"),
    ],
)
def test_a_setting_of_another_kind_is_refused(url: str, settings: dict[str, object], pointer: str):
    assert codes(url, **settings) == {(pointer, "setting_refused")}


def test_a_path_is_decoded_and_has_a_limit():
    place = SftpPlace("sftp://a.example/out%20put/a%23b.csv", (KEY,))
    assert (place.path, place.is_folder) == ("/out put/a#b.csv", False)
    assert SftpPlace("sftp://a.example", (KEY,)).path == "/"
    longest = "/" + "a" * (LONGEST_PATH - 1)
    assert SftpPlace(f"sftp://a.example{longest}", (KEY,)).path == longest
    assert codes(f"sftp://a.example{longest}a", host_keys=(KEY,)) == {("/url", "bad_path")}
    assert codes("sftp://a.example/a%0Ab", host_keys=(KEY,)) == {("/url", "bad_path")}
    assert codes("sftp://a.example/a?b", host_keys=(KEY,)) == {("/url", "bad_path")}


def test_a_server_has_to_be_known_by_its_key():
    assert codes(FOLDER) == {("/host_key", "host_key_needed")}


@pytest.mark.parametrize("keys", [(KEY,), (FULL_KEY,), (KEY,) * MOST_HOST_KEYS])
def test_keys_and_fingerprints_are_taken(keys: tuple[str, ...]):
    assert SftpPlace(FOLDER, keys).host_keys == keys


@pytest.mark.parametrize(
    "keys",
    [
        (KEY,) * (MOST_HOST_KEYS + 1),
        (KEY + "A",),
        ("MD5:aa:bb",),
        ("ssh-ed25519 AAAA",),
        (FULL_KEY.replace("ssh-ed25519", "ssh-rsa"),),
        (f"ssh-dss {b64encode(BLOB).decode()}",),
        ("ssh-ed25519 " + b64encode(BLOB + b"x" * LONGEST_HOST_KEY).decode(),),
        ("partner.example",),
    ],
)
def test_other_texts_are_no_keys(keys: tuple[str, ...]):
    assert codes(FOLDER, host_keys=keys) == {("/host_key", "bad_host_key")}


def test_keys_are_found_in_lines_as_tools_print_them():
    text = f"""
# partner.example:22 SSH-2.0-OpenSSH_9.2p1
partner.example {FULL_KEY}
[partner.example]:2222 {FULL_KEY} a comment
{KEY}
"""
    assert host_keys_of(text) == (FULL_KEY, KEY)
    assert host_keys_of(None) == host_keys_of("\n") == ()
    with pytest.raises(InvalidInput):
        host_keys_of("x" * (LONGEST_HOST_KEY * MOST_HOST_KEYS + 1))


@pytest.mark.parametrize("pattern", ["*", "a" * LONGEST_PATTERN])
def test_a_pattern_selects_files_of_a_folder(pattern: str):
    assert SftpPlace(FOLDER, (KEY,), pattern).pattern == pattern


@pytest.mark.parametrize("pattern", ["a" * (LONGEST_PATTERN + 1), "a\nb"])
def test_a_pattern_has_a_limit(pattern: str):
    assert codes(FOLDER, host_keys=(KEY,), pattern=pattern) == {("/pattern", "bad_pattern")}
    assert codes("s3://bucket/", pattern=pattern) == {("/pattern", "bad_pattern")}


def test_one_file_takes_no_pattern():
    found = codes("sftp://a.example/f.csv", host_keys=(KEY,), pattern="*")
    assert found == {("/pattern", "bad_pattern")}


@pytest.mark.parametrize("marker", ["{name}.done", "{stem}.ok", "{stem}" + "a" * 194])
def test_a_marker_is_named_after_the_file(marker: str):
    assert len(marker) <= LONGEST_MARKER
    assert SftpPlace(FOLDER, (KEY,), marker=marker).marker == marker


@pytest.mark.parametrize(
    "marker", ["done", "{name}", "x/{name}", "{name}\n", "{stem}" + "a" * (LONGEST_MARKER - 5)]
)
def test_other_texts_name_no_marker(marker: str):
    assert codes(FOLDER, host_keys=(KEY,), marker=marker) == {("/marker", "bad_marker")}


def test_the_marker_of_a_file_lies_beside_it():
    def named(marker: str, path: str) -> str | None:
        return marker_of(SftpPlace(FOLDER, (KEY,), marker=marker), path)

    assert named("{name}.done", "/out/a.csv") == "/out/a.csv.done"
    assert named("{stem}.ok", "/out/a.csv") == "/out/a.ok"
    assert named("{stem}.ok", "/out/a") == "/out/a.ok"
    assert named("done-{name}", "a.csv") == "done-a.csv"
    assert marker_of(SftpPlace(FOLDER, (KEY,)), "/out/a.csv") is None


def test_patterns_compare_names_and_keys_behind_the_prefix():
    folder = SftpPlace(FOLDER, (KEY,), "stock-*.csv")
    assert fits(folder, "/out/stock-1.csv")
    assert not fits(folder, "/out/Stock-1.csv")
    bucket = S3Place("s3://bucket/out", pattern="*/a.csv")
    assert fits(bucket, "out/2026/a.csv")
    assert not fits(bucket, "out/a.csv")
    assert fits(S3Place("s3://bucket/out/a.csv", pattern="a.csv"), "out/a.csv")


@pytest.mark.parametrize("bucket", ["abc", "a.b-c9", "a" * 63])
def test_a_bucket_has_a_valid_name(bucket: str):
    place = S3Place(f"s3://{bucket}/a%20b/")
    assert (place.bucket, place.prefix) == (bucket, "a b/")


@pytest.mark.parametrize("url", ["s3://ab", "s3://A/", "s3:///x", "s3://a_b/", f"s3://{'a' * 64}"])
def test_other_names_are_no_buckets(url: str):
    assert ("/url", "bad_url") in codes(url)


def test_prefixes_and_regions_have_limits():
    longest = "a" * LONGEST_PATH
    assert S3Place(f"s3://bucket/{longest}").prefix == longest
    assert codes(f"s3://bucket/{longest}a") == {("/url", "bad_path")}
    assert codes("s3://bucket/a?b=c") == {("/url", "bad_path")}
    assert S3Place("s3://bucket/", region="eu-central-1").region == "eu-central-1"
    assert codes("s3://bucket/", region="a b") == {("/region", "bad_region")}
    assert codes("s3://bucket/", region="a" * 41) == {("/region", "bad_region")}
    assert codes("s3://bucket/", queue_url="news") == {("/queue_url", "bad_url")}


def test_secrets_are_for_one_server_or_bucket():
    def sftp(url: str) -> str:
        return secrets_for(SftpPlace(url, (KEY,)))

    assert sftp(FOLDER) == sftp("sftp://Partner.example/other/f.csv")
    assert sftp(FOLDER) != sftp("sftp://partner.example:2222/out/")
    assert secrets_for(S3Place("s3://bucket/a")) == secrets_for(S3Place("s3://bucket/b"))
    assert secrets_for(S3Place("s3://bucket")) != secrets_for(S3Place("s3://bucket2"))
    other = S3Place("s3://bucket", endpoint="https://s3.example")
    assert secrets_for(other) != secrets_for(S3Place("s3://bucket"))
    assert secrets_for(HttpsPlace("https://a.example/x")) == "https://a.example"
