"""Reading queries and bodies, strictly; bodies as they arrive, so memory stays flat.

A body that is a file is streamed. Files of forms go to disk, since fields may follow them. The
framework's own reader of forms keeps a part without a file name in memory, however long it is; here
every such part has a limit.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import Any, BinaryIO, Final, TypeVar, cast, get_origin

from litestar.datastructures import UploadFile
from litestar.exceptions import ClientException, HTTPException
from multipart import (  # pyright: ignore[reportMissingTypeStubs] it has its types inside
    MultipartError,
    MultipartSegment,
    PushMultipartParser,
)

from commerce_core.base.errors import Fault, InvalidInput, Malformed
from entrypoints.http.kit.incoming import Incoming
from entrypoints.http.kit.security import Asked
from entrypoints.reading import fields_of, pointer, read_json, read_value
from entrypoints.scalars import LEAVES, WHOLE_NUMBER, YES_NO, Hint, Read, matching, only
from entrypoints.spool import spooling

Part = tuple[str, str | UploadFile]
T = TypeVar("T")

JSON_TYPES: Final = ("application/json", "application/merge-patch+json")
FORM_TYPE: Final = "multipart/form-data"
BYTES: Final = "application/octet-stream"
_MOST_PARTS: Final = 50
_LONGEST_FIELD: Final = 10_000
"""Bytes of a part that isn't a file."""
_DIGITS_OF_SMALL: Final = 5
"""Digits of the length of a body that counts as small: less than 100 kB."""


async def _payload(request: Asked, _: type[Any], __: AsyncExitStack) -> bytes:
    return b"".join([chunk async for chunk in whole_body(request)])


def is_small(request: Asked) -> bool:
    """Whether the body, as it is declared, needn't be read in chunks."""
    length = request.headers.get("content-length", "")
    return len(length) <= _DIGITS_OF_SMALL and length.isdecimal() and length.isascii()


async def small_body(request: Asked) -> bytes:
    """The whole of a small body; Malformed if the client goes away before its end."""
    content = b""
    while True:
        message: Any = await request.receive()
        if message["type"] != "http.request":
            raise _cut_off()
        content += message["body"]
        if not message.get("more_body", False):
            return content


def read_payload(request: Asked, kind: type[T], content: bytes) -> T:
    """The body as that class; one that isn't there is an empty object, as some may be left out."""
    if content and request.content_type[0] not in JSON_TYPES:
        detail = f"Send the body as {JSON_TYPES[0]}, declared in Content-Type."
        raise HTTPException(status_code=415, detail=detail)
    return read_json(kind, content or b"{}")


async def _form(request: Asked, kind: type[Any], stack: AsyncExitStack) -> Any:  # noqa: ANN401 of that kind
    content_type, options = request.content_type
    if content_type != FORM_TYPE:
        raise HTTPException(status_code=415, detail=f"Send a form as {FORM_TYPE}.")
    if not (boundary := options.get("boundary")):
        raise Malformed.at("", "bad_form", "The Content-Type names no boundary.")
    parts = await read_parts(whole_body(request), boundary, stack)
    # A field that was left blank counts as not sent.
    filled = [(name, value) for name, value in parts if isinstance(value, UploadFile) or value]
    return from_pairs(kind, filled, "The form doesn't match its description.", InvalidInput)


async def _content(request: Asked, _: type[Any], __: AsyncExitStack) -> BinaryIO:
    return cast("BinaryIO", Incoming(whole_body(request), asyncio.get_running_loop()))


BODIES: Final[Mapping[str, tuple[str, Callable[..., Awaitable[Any]]]]] = {
    "payload": (JSON_TYPES[0], _payload),
    "form": (FORM_TYPE, _form),
    "content": (BYTES, _content),
}
"""The bodies that functions take, by name: the type of each, and how it is received.

Its files are closed when the stack is. A payload is received as bytes, for `read_payload`.
"""


async def whole_body(request: Asked) -> AsyncIterator[bytes]:
    """The body in chunks; Malformed if the client goes away before the last one."""
    try:
        async for chunk in request.stream():
            if chunk:
                yield chunk
    except ClientException:
        raise
    except Exception as error:
        raise _cut_off() from error


def _cut_off() -> Malformed:
    return Malformed("The request was cut off.", code="cut_off")


async def read_parts(
    chunks: AsyncIterator[bytes], boundary: str, stack: AsyncExitStack
) -> list[Part]:
    """The parts of a form by name, in order; Malformed if it isn't a form, or was cut off."""
    parts: list[Part] = []
    name, content = "", _file("", BYTES, stack)
    try:
        with PushMultipartParser(boundary, max_segment_count=_MOST_PARTS) as parser:
            async for chunk in chunks:
                for event in parser.parse(chunk):
                    if isinstance(event, MultipartSegment):
                        name, kind = event.name or "", event.content_type or BYTES
                        content = _file(event.filename or "", kind, stack)
                    elif event is None:
                        parts.append((name, await _ended(name, content)))
                    else:
                        with spooling():
                            await content.write(event)
                        _check_length(name, content)
    except MultipartError as error:
        detail = f"The form can't be read, or was cut off: {error}."
        raise Malformed.at("", "bad_form", detail) from error
    return parts


def _file(name: str, media_type: str, stack: AsyncExitStack) -> UploadFile:
    file = UploadFile(content_type=media_type, filename=name)
    stack.push_async_callback(_close, file)
    return file


async def _close(file: UploadFile) -> None:
    # Closing tries again to write what a full disk has refused.
    with suppress(OSError):
        await file.close()


def _check_length(name: str, content: UploadFile) -> None:
    if not content.filename and content.file.tell() > _LONGEST_FIELD:
        detail = f"A field that isn't a file has at most {_LONGEST_FIELD:,} bytes."
        raise InvalidInput.at(f"/{name[:80]}", "too_long", detail)


async def _ended(name: str, content: UploadFile) -> str | UploadFile:
    """A file ready to be read, or the text of a field."""
    with spooling():
        await content.seek(0)
    if content.filename:
        return content
    try:
        return (await content.read()).decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput.at(f"/{name[:80]}", "bad_text", "The field is not UTF-8.") from error


def read_query(kind: type[T], pairs: Iterable[tuple[str, str]]) -> T:
    """The query parameters as that class; Malformed otherwise, and for a blank one."""
    return from_pairs(kind, pairs, "The query parameters can't be read.", Malformed)


def from_pairs(
    kind: type[T], pairs: Iterable[tuple[str, Any]], detail: str, refusal: type[InvalidInput]
) -> T:
    """Values by name as that class, those of a repeatable field as a list; a refusal otherwise."""
    known = fields_of(kind)
    found: dict[str, Any] = {}
    faults: list[Fault] = []
    for name, value in pairs:
        if not value:
            why = "Omit a parameter that has no value."
            faults.append(Fault(pointer("", name), "blank", why))
        elif name in known and get_origin(known[name][1]) is tuple:
            found.setdefault(name, []).append(value)
        elif name in found:
            why = f"{name[:80]!r} occurs twice."
            faults.append(Fault(pointer("", name), "given_twice", why))
        else:
            found[name] = value
    if faults:
        raise refusal(detail, faults=faults)
    return read_value(kind, found, detail, leaves=_TEXTS, refusal=refusal)


def _is_true(text: str) -> bool:
    return text.lower() == "true"


_TEXTS: Final[Mapping[Hint, Read]] = {
    **LEAVES,
    int: partial(matching, r"-?[0-9]{1,18}", int, *WHOLE_NUMBER),
    # Clients in Python send `True`.
    bool: partial(matching, "(?i:true|false)", _is_true, *YES_NO),
    UploadFile: partial(only, UploadFile, "not_a_file", "A part with a file name"),
}
