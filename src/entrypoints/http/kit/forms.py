"""Reading a form or a file as it arrives: files go to disk, so memory stays flat.

The framework's own reader keeps a part without a file name in memory, however long it is; here
every such part has a limit.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import BinaryIO, Final, cast

from attrs import define, field
from litestar.datastructures import UploadFile
from litestar.exceptions import ClientException
from multipart import (  # pyright: ignore[reportMissingTypeStubs] it has its types inside
    MultipartError,
    MultipartSegment,
    PushMultipartParser,
)

from commerce_core.errors import InvalidInput, Malformed

MOST_PARTS: Final = 50
LONGEST_FIELD: Final = 10_000
"""Bytes of a part that isn't a file."""

Part = tuple[str, str | UploadFile]


async def read_parts(
    chunks: AsyncIterator[bytes], boundary: str, stack: AsyncExitStack
) -> list[Part]:
    """The parts of a form by name, in order; files are closed when the stack is.

    Malformed if it isn't a form, or was cut off.
    """
    form = _Form(stack)
    try:
        with PushMultipartParser(boundary, max_segment_count=MOST_PARTS) as parser:
            async for chunk in chunks:
                for event in parser.parse(chunk):
                    await form.take(event)
    except MultipartError as error:
        detail = f"The form can't be read, or was cut off: {error}."
        raise Malformed.at("", "bad_form", detail) from error
    return form.parts


async def read_content(chunks: AsyncIterator[bytes], stack: AsyncExitStack) -> BinaryIO:
    """A body that is a file, kept on disk and ready to be read; closed when the stack is."""
    kept = UploadFile(content_type="application/octet-stream", filename="content")
    stack.push_async_callback(kept.close)
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


@define
class _Form:
    """What has been read of a form so far."""

    stack: AsyncExitStack
    parts: list[Part] = field(factory=list[Part])
    _name: str = ""
    _file: UploadFile | None = None
    _text: bytearray = field(factory=bytearray)

    async def take(self, event: MultipartSegment | bytearray | bytes | None) -> None:
        """A part's head, some bytes of its content, or None at its end."""
        if isinstance(event, MultipartSegment):
            self._begin(event)
        elif event is None:
            await self._end()
        elif self._file is not None:
            await self._file.write(event)
        else:
            self._text.extend(event)
            if len(self._text) > LONGEST_FIELD:
                detail = f"A field that isn't a file has at most {LONGEST_FIELD:,} bytes."
                raise InvalidInput.at(f"/{self._name[:80]}", "too_long", detail)

    def _begin(self, head: MultipartSegment) -> None:
        self._name = head.name or ""
        self._text = bytearray()
        self._file = None
        if head.filename:
            kind = head.content_type or "application/octet-stream"
            self._file = UploadFile(content_type=kind, filename=head.filename)
            self.stack.push_async_callback(self._file.close)

    async def _end(self) -> None:
        if self._file is not None:
            await self._file.seek(0)
            self.parts.append((self._name, self._file))
            return
        try:
            self.parts.append((self._name, self._text.decode("utf-8")))
        except UnicodeDecodeError as error:
            raise InvalidInput.at(
                f"/{self._name[:80]}", "bad_text", "The field is not UTF-8."
            ) from error
