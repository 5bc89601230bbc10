"""Simple records of XML, found by patterns: elements with nothing in them but texts under names.

    <product><sku>A</sku> <name>Lamp &amp; shade</name> <note><![CDATA[x]]></note></product>

Most feeds consist of such records, and a parser that calls Python for each tag takes several times
as long. The parser still reads them, without calling, so that what isn't well-formed is refused.
Whatever isn't simple is left to it.
"""

import re
from typing import Final

from attrs import define

from commerce_core.base.text import BLANKS
from commerce_core.schema.fields import MOST_JSON_VALUES

Members = dict[str, "str | list[str]"]

_BLANK: Final = r"[ \t\r\n]*+"
_CDATA: Final = r"<!\[CDATA\[((?:[^\]]++|\](?!\]>))*+)\]\]>"
_FIELD: Final = (
    rf"{_BLANK}<(?P<name>[^ \t\r\n<>/&\"'=!?]++)"
    rf"(?:>(?:([^<]*+)|{_BLANK}{_CDATA}{_BLANK})</(?P=name)>|/>)"
)
_FIELDS: Final = re.compile(_FIELD)
_ANY_FIELD: Final = (
    rf"{_BLANK}<[^ \t\r\n<>/&\"'=!?]++"
    rf"(?:>(?:[^<]*+|{_BLANK}<!\[CDATA\[(?:[^\]]++|\](?!\]>))*+\]\]>{_BLANK})</[^ \t\r\n<>]++>|/>)"
)
"""The same without a look at whether the name of an end tag is right, which the parser checks."""
_PLAIN_FIELDS: Final = re.compile(r"<([^ \t\r\n<>/]++)(?:>([^<]*+)</[^>]*+>|/>)")
"""The same of records that are known to be simple, and have no CDATA: it takes half the time."""
_REFERENCE: Final = re.compile(r"&(?:(lt|gt|amp|quot|apos)|#([0-9]+)|#x([0-9A-Fa-f]+));")
NAMED: Final = {"&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'", "&amp;": "&"}
"""The last one makes the sign with which the others begin."""
MOST_MISSES: Final = 100
"""Records that aren't simple, more than runs of those that are, after which none is tried."""


@define
class SimpleRecords:
    """Finds records of one name; `misses` are those that weren't simple."""

    end: bytes
    record: re.Pattern[bytes]
    """One of them, with the blanks before it; the group is without them."""
    run: re.Pattern[bytes]
    misses: int = 0

    @classmethod
    def of(cls, name: str) -> "SimpleRecords":
        """Records that are elements of that name."""
        own = re.escape(name)
        record = rf"{_BLANK}(?P<whole><{own}>(?:{_ANY_FIELD})*+{_BLANK}</{own}>)"
        run = rf"(?:{record})*+"
        return cls(f"</{name}>".encode(), re.compile(record.encode()), re.compile(run.encode()))

    def end_of_run(self, data: bytes, at: int) -> int:
        """Where the records end that follow each other from there on; there if there is none."""
        if self.misses > MOST_MISSES:
            return at
        found = self.run.match(data, at)
        end = found.end() if found else at
        self.misses = max(0, self.misses + (-1 if end > at else 1))
        return end


def members_of(record: str) -> Members | None:
    """The texts of a simple record by name; None if there are too many."""
    begun = record.index(">") + 1
    if "\r" in record:
        record = record.replace("\r\n", "\n").replace("\r", "\n")
    if "<![CDATA[" in record:
        fields = [(n, raw or unescaped(t)) for n, t, raw in _FIELDS.findall(record, begun)]
    else:
        fields = _PLAIN_FIELDS.findall(record, begun)
        if "&" in record:
            fields = [(n, unescaped(text)) for n, text in fields]
    if len(fields) > MOST_JSON_VALUES:
        return None
    members: Members = {name: text.strip(BLANKS) for name, text in fields}
    return members if len(members) == len(fields) else _with_lists(fields)


def _with_lists(fields: list[tuple[str, str]]) -> Members:
    """The same where a name comes again."""
    lists: dict[str, list[str]] = {}
    for name, text in fields:
        lists.setdefault(name, []).append(text.strip(BLANKS))
    return {name: texts if len(texts) > 1 else texts[0] for name, texts in lists.items()}


def unescaped(text: str) -> str:
    """A text of XML, with the characters that its references stand for."""
    if "&" not in text:
        return text
    if "&#" in text:
        return _REFERENCE.sub(_character, text)
    for reference, character in NAMED.items():
        text = text.replace(reference, character)
    return text


def _character(found: re.Match[str]) -> str:
    if found[1]:
        return NAMED[found[0]]
    return chr(int(found[2]) if found[2] else int(found[3], 16))
