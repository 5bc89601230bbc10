"""Places: where the files of a source are fetched from, one class for each kind of server.

A place is written as a URL, whose scheme decides its kind, with the settings that this kind takes:

    https://partner.example/feed.csv     one file
    sftp://partner.example/out/feed.csv  one file; a folder if the path ends with /
    s3://bucket/prefix/                  every key that begins with the prefix
"""

import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, ClassVar, Final, Literal, assert_never, get_args
from urllib.parse import unquote, urlsplit

from attrs import fields, frozen

from commerce_core.base.errors import Fault, InvalidInput, refuse_if
from commerce_core.base.network import LONGEST_URL

PlaceKind = Literal["https", "sftp", "s3"]
SourceKind = Literal["push", PlaceKind]
"""How a source's files arrive: the partner sends them, or they are fetched from such a place."""

LONGEST_PATTERN: Final = 200
LONGEST_MARKER: Final = 200
MOST_HOST_KEYS: Final = 8
LONGEST_HOST_KEY: Final = 4_000
LONGEST_PATH: Final = 1_024
"""Bytes of the path of a file, or of a key."""
IGNORED_ENDINGS: Final = (".filepart", ".part", ".tmp", "~")
"""How files end that are still being sent, or aren't meant for others."""
HOST_KEY_TYPES: Final = (
    "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa",
)  # fmt: skip

_FINGERPRINT: Final = re.compile(r"SHA256:[A-Za-z0-9+/]{43}", re.ASCII)
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)
_REGION: Final = re.compile(r"[a-z0-9-]{1,40}", re.ASCII)
_NAMED: Final = re.compile(r"\{(name|stem)\}", re.ASCII)


@frozen
class PlaceTraits:
    """What holds for every place of a kind.

    `needs_own_secret`: a partner has to send one, since without it the operator's access would be
    used. `grows_in_place`: a file may be listed before all of it is there. `joins_user_and_secret`:
    a colon separates them, so a user's name has none.
    """

    needs_own_secret: bool
    grows_in_place: bool
    joins_user_and_secret: bool


@frozen
class HttpsPlace:
    """One file of a web server."""

    traits: ClassVar = PlaceTraits(
        needs_own_secret=False, grows_in_place=False, joins_user_and_secret=True
    )
    url: str

    @property
    def kind(self) -> Literal["https"]:
        """The kind of such places."""
        return "https"

    @property
    def host(self) -> str | None:
        """The server's name."""
        return _host(self.url)


@frozen
class SftpPlace:
    """A file of an SFTP server, or the files of a folder, whose URL ends with `/`.

    The server has to prove that it has one of `host_keys`: public keys as OpenSSH writes them, or
    fingerprints. `pattern` selects files of a folder, such as `stock-*.csv`. `marker` names the
    file that shows that another one is complete, such as `{name}.done`.
    """

    traits: ClassVar = PlaceTraits(
        needs_own_secret=False, grows_in_place=True, joins_user_and_secret=False
    )
    url: str
    host_keys: tuple[str, ...]
    pattern: str | None = None
    marker: str | None = None

    def __attrs_post_init__(self) -> None:
        """Checks everything but the server; InvalidInput lists every fault."""
        keys = self.host_keys
        refuse_if(
            "The source can't be fetched like this.",
            (
                not self.path.startswith("/") or len(self.path.encode()) > LONGEST_PATH,
                Fault("/url", "bad_path", f"Use a path of at most {LONGEST_PATH:,} bytes."),
            ),
            (
                not self.path.isprintable() or bool(urlsplit(self.url).query),
                Fault("/url", "bad_path", "Use a path of printable characters, without a query."),
            ),
            (
                not keys,
                Fault(
                    "/host_key",
                    "host_key_needed",
                    "Name the server's public key, so that no other server can take its place.",
                ),
            ),
            (
                len(keys) > MOST_HOST_KEYS or not all(map(_is_host_key, keys)),
                Fault(
                    "/host_key",
                    "bad_host_key",
                    f"Use at most {MOST_HOST_KEYS} lines, each a public key such as "
                    "'ssh-ed25519 AAAA...', or a fingerprint such as 'SHA256:...'.",
                ),
            ),
            *_faults_of_folder(self),
        )

    @property
    def kind(self) -> Literal["sftp"]:
        """The kind of such places."""
        return "sftp"

    @property
    def host(self) -> str | None:
        """The server's name."""
        return _host(self.url)

    @property
    def path(self) -> str:
        """The path on the server."""
        return unquote(urlsplit(self.url).path) or "/"

    @property
    def is_folder(self) -> bool:
        """Whether all files of a folder are meant."""
        return self.path.endswith("/")


@frozen
class S3Place:
    """The keys of a bucket that begin with a prefix, in Amazon S3 or a compatible store.

    `endpoint` is the URL of a store that isn't Amazon's. `pattern` and `marker` are as in
    `SftpPlace`. `queue_url` is the queue of SQS that reports new keys.
    """

    traits: ClassVar = PlaceTraits(
        needs_own_secret=True, grows_in_place=False, joins_user_and_secret=False
    )
    url: str
    endpoint: str | None = None
    region: str | None = None
    pattern: str | None = None
    marker: str | None = None
    queue_url: str | None = None

    def __attrs_post_init__(self) -> None:
        """Checks everything but the server; InvalidInput lists every fault."""
        refuse_if(
            "The source can't be fetched like this.",
            (
                not _BUCKET.fullmatch(self.bucket) or len(self.url) > LONGEST_URL,
                Fault("/url", "bad_url", "Use s3://BUCKET/PREFIX, with the name of a bucket."),
            ),
            (
                not self.prefix.isprintable() or len(self.prefix.encode()) > LONGEST_PATH,
                Fault("/url", "bad_path", f"Use a prefix of at most {LONGEST_PATH:,} bytes."),
            ),
            (
                bool(urlsplit(self.url).query),
                Fault("/url", "bad_path", "Write a question mark in a prefix as %3F."),
            ),
            (
                self.queue_url is not None and not self.queue_url.startswith(("https:", "http:")),
                Fault("/queue_url", "bad_url", "Use the URL of the queue, as SQS shows it."),
            ),
            (
                self.region is not None and not _REGION.fullmatch(self.region),
                Fault("/region", "bad_region", "Use the name of a region, such as eu-central-1."),
            ),
            *_faults_of_folder(self),
        )

    @property
    def kind(self) -> Literal["s3"]:
        """The kind of such places."""
        return "s3"

    @property
    def host(self) -> str | None:
        """The name of the store's server; None for Amazon's, which has many."""
        return _host(self.endpoint) if self.endpoint else None

    @property
    def bucket(self) -> str:
        """The name of the bucket."""
        return self.url.removeprefix("s3://").partition("/")[0]

    @property
    def prefix(self) -> str:
        """What the keys begin with."""
        return unquote(urlsplit(self.url).path).removeprefix("/")

    @property
    def is_folder(self) -> bool:
        """Always: a prefix may begin any number of keys."""
        return True


Place = HttpsPlace | SftpPlace | S3Place
Folder = SftpPlace | S3Place
"""Places that may have several files."""

SCHEMES: Final[Mapping[str, type[Place]]] = {
    "https": HttpsPlace, "http": HttpsPlace, "sftp": SftpPlace, "s3": S3Place,
}  # fmt: skip
"""What an address begins with, and the kind of place that it names."""
PLACE_SETTINGS: Final = tuple(
    dict.fromkeys(each.name for kind in SCHEMES.values() for each in fields(kind)[1:])
)
"""The settings that only some kinds take; `host_key` for people, since there is mostly one."""


def place_of(url: str, **settings: Any) -> Place:  # noqa: ANN401 - each setting has its own type
    """The place at a URL, with those settings that aren't None; InvalidInput for what can't be one.

    A setting that its kind doesn't take is refused.
    """
    scheme = url.partition(":")[0].lower()
    kind = SCHEMES.get(scheme)
    if kind is None or not url.lower().startswith(f"{scheme}://"):
        *others, last = (f"{each}://" for each in get_args(PlaceKind))
        detail = f"Use an address that begins with {', '.join(others)} or {last}."
        raise InvalidInput.at("/url", "scheme_refused", detail)
    given = {name: value for name, value in settings.items() if value not in (None, ())}
    taken = {each.name for each in fields(kind)}
    refuse_if(
        "The source can't be fetched like this.",
        *(
            (
                name not in taken,
                Fault(
                    f"/{'host_key' if name == 'host_keys' else name}",
                    "setting_refused",
                    f"Addresses that begin with {scheme}:// don't take this setting.",
                ),
            )
            for name in given
        ),
    )
    if kind is SftpPlace:
        given["host_keys"] = tuple(given.get("host_keys", ()))
    return kind(url, **given)


def host_keys_of(text: str | None) -> tuple[str, ...]:
    """The keys in lines of text, as `ssh-keyscan` or a file `known_hosts` has them."""
    if text is None:
        return ()
    refuse_if(
        "The source can't be fetched like this.",
        (
            len(text) > LONGEST_HOST_KEY * MOST_HOST_KEYS,
            Fault("/host_key", "bad_host_key", f"Use at most {LONGEST_HOST_KEY:,} characters."),
        ),
    )
    lines = (line.strip() for line in text.splitlines())
    keys = (_plain_key(line) for line in lines if line and not line.startswith("#"))
    return tuple(dict.fromkeys(keys))


def _plain_key(line: str) -> str:
    """The key of a line, without the host before it and the comment behind it."""
    words = line.split()
    for n, word in enumerate(words):
        if word in HOST_KEY_TYPES:
            return " ".join(words[n : n + 2])
    return line


def _is_host_key(text: str) -> bool:
    if _FINGERPRINT.fullmatch(text):
        return True
    kind, _, body = text.partition(" ")
    try:
        blob = b64decode(body, validate=True)
    except (NotBase64, ValueError):
        return False
    named = kind.encode()
    return (
        kind in HOST_KEY_TYPES
        and len(text) <= LONGEST_HOST_KEY
        and blob.startswith(len(named).to_bytes(4, "big") + named)
    )


def _faults_of_folder(place: Folder) -> list[tuple[bool, Fault]]:
    pattern, marker = place.pattern, place.marker
    return [
        (
            pattern is not None
            and not (1 <= len(pattern) <= LONGEST_PATTERN and pattern.isprintable()),
            Fault("/pattern", "bad_pattern", f"Use 1 to {LONGEST_PATTERN} characters."),
        ),
        (
            pattern is not None and not place.is_folder,
            Fault("/pattern", "bad_pattern", "Only a folder takes a pattern: end the URL with /."),
        ),
        (
            marker is not None
            and not (
                1 <= len(marker) <= LONGEST_MARKER
                and marker.isprintable()
                and _NAMED.search(marker)
                and "/" not in marker
                and marker != "{name}"
            ),
            Fault(
                "/marker",
                "bad_marker",
                f"Use at most {LONGEST_MARKER} characters with {{name}} or {{stem}}, such as "
                "{name}.done.",
            ),
        ),
    ]


def _host(url: str) -> str | None:
    """The name in a URL, whatever its port: it is the same server."""
    name = urlsplit(url).hostname
    return name.rstrip(".") if name else None


def name_of(path: str) -> str:
    """The name of a file, without its folders."""
    return path.rpartition("/")[2]


def marker_of(place: Folder, path: str) -> str | None:
    """The path of the file that shows that this one is complete; None if none is needed."""
    if place.marker is None:
        return None
    folder, slash, name = path.rpartition("/")
    named = {"name": name, "stem": name.rpartition(".")[0] or name}
    return f"{folder}{slash}{_NAMED.sub(lambda found: named[found[1]], place.marker)}"


def fits(place: Folder, path: str) -> bool:
    """Whether the pattern selects that file; keys are compared from the end of the prefix on."""
    match place:
        case SftpPlace():
            compared = name_of(path)
        case S3Place():
            compared = path.removeprefix(place.prefix).removeprefix("/") or name_of(path)
        case _:
            assert_never(place)
    return place.pattern is None or fnmatchcase(compared, place.pattern)


def secrets_for(place: Place) -> str:
    """What secrets of a place are for: nothing else gets them."""
    match place:
        case HttpsPlace() | SftpPlace():
            return "/".join(place.url.split("/", 3)[:3]).lower()
        case S3Place():
            return f"{place.endpoint or 's3:'} {place.bucket} {place.queue_url or ''}"
        case _:
            assert_never(place)
