"""Text in whole lines: as many at a time as one piece of a file may have."""

from collections.abc import Iterable, Iterator

from commerce_core.parsing.raw_records import (
    LONGEST_RECORD,
    count_line_ends,
    line_starts,
    line_too_long,
)


def lines_from(
    blocks: Iterable[str], first: int, most: int, most_lines: int
) -> Iterator[tuple[str, int]]:
    """The lines of a text from number `first` on, some at a time, each time with their number.

    They have about `most` characters, and are at most `most_lines`. FileRefused if one is too long.
    """
    line = 1
    for text in _whole(blocks, most, most_lines):
        lines, at = text, line
        line += count_line_ends(text)
        if at < first:
            starts = line_starts(text, first - at)
            lines = text[starts[-1] if len(starts) == first - at else len(text) :]
            at = first
        if lines:
            yield lines, at


def _whole(blocks: Iterable[str], most: int, most_lines: int) -> Iterator[str]:
    kept, size, since, line = list[str](), 0, 0, 1
    for block in blocks:
        kept.append(block)
        size += len(block)
        # A CR at the end of a block may be half of the end of a line.
        end = block.rfind("\n") + 1 or block.rfind("\r", 0, -1) + 1
        since = len(block) - end if end else since + len(block)
        if since > LONGEST_RECORD:
            raise line_too_long(line + count_line_ends("".join(kept)))
        if size >= most and since < size:
            text = "".join(kept)
            whole = text[: size - since]
            line += count_line_ends(whole)
            yield from _few(whole, most, most_lines)
            kept, size = [text[size - since :]], since
    yield from _few("".join(kept), most, most_lines)


def _few(text: str, most: int, most_lines: int) -> Iterator[str]:
    at = 0
    while at < len(text):
        end = text.find("\n", at + most - 1) + 1 or len(text)
        part, at = text[at:end], end
        while part.count("\n") > most_lines:
            *lines, part = part.split("\n", most_lines)
            yield "\n".join((*lines, ""))
        if part:
            yield part
