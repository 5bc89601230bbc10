"""Reading a body as it arrives: files go to disk, so memory stays flat.

The framework's own reader keeps a part without a file name in memory, however long it is; here
every such part has a limit.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any, BinaryIO, Final, cast

from litestar.datastructures import UploadFile
from litestar.exceptions import ClientException, HTTPException
from multipart import (  # pyright: ignore[reportMissingTypeStubs] it has its types inside
    MultipartError,
    MultipartSegment,
    PushMultipartParser,
)

from commerce_core.base.errors import InvalidInput, Malformed
from entrypoints.http.kit.security import Asked
from entrypoints.http.kit.values import read_form
from entrypoints.reading import read_json

Part = tuple[str, str | UploadFile]

JSON_TYPES: Final = ("application/json", "application/merge-patch+json")
FORM_TYPE: Final = "multipart/form-data"
BYTES: Final = "application/octet-stream"
_MOST_PARTS: Final = 50
_LONGEST_FIELD: Final = 10_000
"""Bytes of a part that isn't a file."""


async def _payload(request: Asked, kind: type[Any], _: AsyncExitStack) -> Any:  # noqa: ANN401 of that kind
    """The body; one that isn't there is an empty object, since some bodies may be left out."""
    content = b"".join([chunk async for chunk in _whole(request)])
    if content and request.content_type[0] not in JSON_TYPES:
        raise HTTPException(
            status_code=415, detail=f"Send the body as {JSON_TYPES[0]}, declared in Content-Type."
        )
    return read_json(kind, content or b"{}")


async def _form(request: Asked, kind: type[Any], stack: AsyncExitStack) -> Any:  # noqa: ANN401 of that kind
    content_type, options = request.content_type
    if content_type != FORM_TYPE:
        raise HTTPException(status_code=415, detail=f"Send a form as {FORM_TYPE}.")
    if not (boundary := options.get("boundary")):
        raise Malformed.at("", "bad_form", "The Content-Type names no boundary.")
    return read_form(kind, await read_parts(_whole(request), boundary, stack))


async def _content(request: Asked, _: type[Any], stack: AsyncExitStack) -> BinaryIO:
    kept = _file("content", BYTES, stack)
    async for chunk in _whole(request):
        await kept.write(chunk)
    await kept.seek(0)
    return cast("BinaryIO", kept.file)


BODIES: Final[Mapping[str, tuple[str, Callable[..., Awaitable[Any]]]]] = {
    "payload": (JSON_TYPES[0], _payload),
    "form": (FORM_TYPE, _form),
    "content": (BYTES, _content),
}
"""The bodies that functions take, by name: the type of each, and how it is read.

Its files are closed when the stack is.
"""


async def _whole(request: Asked) -> AsyncIterator[bytes]:
    """The body in chunks; Malformed if the client goes away before the last one."""
    try:
        async for chunk in request.stream():
            if chunk:
                yield chunk
    except ClientException:
        raise
    except Exception as error:
        raise Malformed("The request was cut off.", code="cut_off") from error


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
                        await content.write(event)
                        _check_length(name, content)
    except MultipartError as error:
        detail = f"The form can't be read, or was cut off: {error}."
        raise Malformed.at("", "bad_form", detail) from error
    return parts


def _file(name: str, media_type: str, stack: AsyncExitStack) -> UploadFile:
    file = UploadFile(content_type=media_type, filename=name)
    stack.push_async_callback(file.close)
    return file


def _check_length(name: str, content: UploadFile) -> None:
    if not content.filename and content.file.tell() > _LONGEST_FIELD:
        detail = f"A field that isn't a file has at most {_LONGEST_FIELD:,} bytes."
        raise InvalidInput.at(f"/{name[:80]}", "too_long", detail)


async def _ended(name: str, content: UploadFile) -> str | UploadFile:
    """A file ready to be read, or the text of a field."""
    await content.seek(0)
    if content.filename:
        return content
    try:
        return (await content.read()).decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput.at(f"/{name[:80]}", "bad_text", "The field is not UTF-8.") from error
