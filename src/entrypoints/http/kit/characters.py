"""Which characters parameters may have: only those that can be stored, wherever they come from.

Checked on the bytes as they came, before anything is looked up, since what decodes them replaces
what it can't read.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final, cast
from urllib.parse import unquote_to_bytes

from commerce_core.base.errors import Fault, Malformed
from commerce_core.base.text import UNSTORABLE
from entrypoints.http.kit.security import KEY_HEADERS, Asked
from entrypoints.reading import pointer

_ANYWHERE: Final = ""
"""The pointer of a fault in a path without parameters."""


def check_characters(request: Asked, path_ids: Iterable[str], headers: Iterable[str]) -> None:
    """Malformed for NUL, halves of surrogate pairs, or bytes that aren't UTF-8, in a parameter.

    `path_ids` are the names of the parameters in the path, `headers` those of headers that are read
    beside the ones of keys. In headers, bytes are characters of Latin-1, of which only NUL is bad.
    """
    names = [*_bad_in_path(request, path_ids), *_bad_in_query(request)]
    names += _bad_headers(request, headers)
    if names:
        detail = "Leave out NUL, halves of surrogate pairs, and bytes that aren't UTF-8."
        faults = [Fault(pointer("", name) if name else "", "bad_text", detail) for name in names]
        what = "The request has a parameter with characters that can't be stored."
        raise Malformed(what, faults=faults, code="bad_text")


def _bad_in_path(request: Asked, path_ids: Iterable[str]) -> Iterator[str]:
    # Not every server gives the path as it came, and some give it with the query.
    scope = cast("dict[str, Any]", request.scope)
    path: bytes = scope.get("raw_path") or scope["path"].encode(errors="surrogatepass")
    path = path.partition(b"?")[0]
    if not _is_storable(unquote_to_bytes(path)):
        yield next(iter(path_ids), _ANYWHERE)


def _bad_in_query(request: Asked) -> Iterator[str]:
    for pair in request.scope["query_string"].split(b"&"):
        raw = unquote_to_bytes(pair.replace(b"+", b" "))
        if not _is_storable(raw):
            yield raw.partition(b"=")[0].decode(errors="replace").replace("\0", "\ufffd")


def _bad_headers(request: Asked, headers: Iterable[str]) -> Iterator[str]:
    for name in (*KEY_HEADERS, *headers):
        if any("\0" in value for value in request.headers.getall(name, [])):
            yield name


def _is_storable(content: bytes) -> bool:
    try:
        return not UNSTORABLE.search(content.decode())
    except UnicodeDecodeError:
        return False
