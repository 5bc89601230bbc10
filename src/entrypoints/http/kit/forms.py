"""Reading a form or a file as it arrives: files go to disk, so memory stays flat.

The framework's own reader keeps a part without a file name in memory, however long it is; here
every such part has a limit.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import BinaryIO, Final, cast

from litestar.datastructures import UploadFile
from litestar.exceptions import ClientException
from multipart import (  # pyright: ignore[reportMissingTypeStubs] it has its types inside
    MultipartError,
    MultipartSegment,
    PushMultipartParser,
)

from commerce_core.base.errors import InvalidInput, Malformed

MOST_PARTS: Final = 50
LONGEST_FIELD: Final = 10_000
"""Bytes of a part that isn't a file."""
_BYTES: Final = "application/octet-stream"

Part = tuple[str, str | UploadFile]


async def read_parts(
    chunks: AsyncIterator[bytes], boundary: str, stack: AsyncExitStack
) -> list[Part]:
    """The parts of a form by name, in order; files are closed when the stack is.

    Malformed if it isn't a form, or was cut off.
    """
    parts: list[Part] = []
    name, content = "", _file("", _BYTES, stack)
    try:
        with PushMultipartParser(boundary, max_segment_count=MOST_PARTS) as parser:
            async for chunk in chunks:
                for event in parser.parse(chunk):
                    if isinstance(event, MultipartSegment):
                        name, kind = event.name or "", event.content_type or _BYTES
                        content = _file(event.filename or "", kind, stack)
                    elif event is None:
                        parts.append((name, await _ended(name, content)))
                    else:
                        await content.write(event)
                        await _check_length(name, content)
    except MultipartError as error:
        detail = f"The form can't be read, or was cut off: {error}."
        raise Malformed.at("", "bad_form", detail) from error
    return parts


def _file(name: str, media_type: str, stack: AsyncExitStack) -> UploadFile:
    file = UploadFile(content_type=media_type, filename=name)
    stack.push_async_callback(file.close)
    return file


async def _check_length(name: str, content: UploadFile) -> None:
    if not content.filename and content.file.tell() > LONGEST_FIELD:
        detail = f"A field that isn't a file has at most {LONGEST_FIELD:,} bytes."
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


async def read_content(chunks: AsyncIterator[bytes], stack: AsyncExitStack) -> BinaryIO:
    """A body that is a file, kept on disk and ready to be read; closed when the stack is."""
    kept = _file("content", _BYTES, stack)
    async for chunk in chunks:
        await kept.write(chunk)
    await kept.seek(0)
    return cast("BinaryIO", kept.file)


async def whole(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The chunks; Malformed if the client goes away before the last one."""
    try:
        async for chunk in chunks:
            if chunk:
                yield chunk
    except ClientException:
        raise
    except Exception as error:
        raise Malformed("The request was cut off.", code="cut_off") from error
