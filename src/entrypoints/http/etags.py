"""Entity tags: an answer that the client has already isn't sent again (RFC 9110, section 13)."""

import hashlib
import re
from typing import Any, Final

from litestar import Response
from litestar.serialization import encode_json

from entrypoints.shapes import Json

KEPT: Final = {"Cache-Control": "private, no-cache", "Vary": "Authorization, X-API-Key"}
"""It may be kept by the one who asked, and is asked about each time."""
_TAGS: Final = re.compile(r'(?:W/)?("[^"]*")')


def is_known(if_none_match: str | None, tag: str) -> bool:
    """Whether the client says that it has what the tag stands for."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or tag in _TAGS.findall(if_none_match)


def tagged(shaped: Json, if_none_match: str | None) -> Response[Any]:
    """The answer with its tag, or 304 where the client has it.

    The tag is made of the very bytes, so whatever changes them changes it: a new version, units
    held or given back, a partner's new name.
    """
    body = encode_json(shaped)
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": tag, **KEPT}
    if is_known(if_none_match, tag):
        return Response(None, status_code=304, headers=headers)
    return Response(body, headers=headers, media_type="application/json")
