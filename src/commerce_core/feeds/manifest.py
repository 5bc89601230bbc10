"""Manifests: what a sender writes beside a file about it, as a marker that the file is complete."""

import json
import re
from typing import Any, Final, cast

from attrs import frozen

from commerce_core.base.errors import InvalidInput

LONGEST_MANIFEST: Final = 64 * 1024
"""Bytes of a marker that are read."""
MOST_ROWS: Final = 10**12
_SUM: Final = re.compile(r"([0-9a-fA-F]{64})[ \t]+\*?(.+)", re.ASCII)
_DIGEST: Final = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)


@frozen
class Manifest:
    """What a sender promises about a file: its number of records, and the SHA-256 of its bytes."""

    rows: int | None = None
    sha256: str | None = None


def manifest_of(content: bytes, name: str) -> Manifest:
    """What a marker promises about the file of that name; nothing if it has no such content.

    It may be JSON (an object with `name`, `rows` and `sha256`, a list of those, or one under
    `files`), or lines as `sha256sum` writes them. InvalidInput `bad_manifest` if it is about other
    files only, or a value isn't valid.
    """
    text = content.decode("utf-8", "replace").lstrip("\ufeff").strip()
    if text.startswith(("{", "[")):
        return _of_entries(_entries(text), name)
    digests = {
        found[2].strip().rpartition("/")[2]: found[1]
        for line in text.splitlines()
        if (found := _SUM.fullmatch(line.strip()))
    }
    if digests and name not in digests:
        raise _bad(f"doesn't name {name}")
    return Manifest(sha256=digests.get(name, "").lower() or None)


def _entries(text: str) -> list[object]:
    try:
        read: object = json.loads(text)
    except (ValueError, RecursionError):
        raise _bad("isn't valid JSON") from None
    if isinstance(read, dict):
        entry = cast("dict[str, object]", read)
        files = entry.get("files")
        return cast("list[object]", files) if isinstance(files, list) else [entry]
    return cast("list[object]", read)


def _of_entries(entries: list[object], name: str) -> Manifest:
    objects = [cast("dict[str, Any]", each) for each in entries if isinstance(each, dict)]
    found = next((each for each in objects if each.get("name", name) == name), None)
    if found is None:
        raise _bad(f"doesn't name {name}")
    rows, sha256 = found.get("rows"), found.get("sha256")
    if rows is not None and not (type(rows) is int and 0 <= rows <= MOST_ROWS):
        raise _bad("has rows that aren't a whole number")
    if sha256 is not None and not (isinstance(sha256, str) and _DIGEST.fullmatch(sha256)):
        raise _bad("has a sha256 that isn't 64 hexadecimal digits")
    return Manifest(rows, sha256 and sha256.lower())


def _bad(why: str) -> InvalidInput:
    return InvalidInput.at("/marker", "bad_manifest", f"The marker beside the file {why}.")
