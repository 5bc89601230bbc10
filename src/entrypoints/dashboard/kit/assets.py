"""What browsers load beside a page: one stylesheet and one script, kept by their digest."""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any, Final

from attrs import frozen
from litestar import Response

from commerce_core.base.errors import NotFound
from entrypoints.http.kit.handlers import get

STATIC: Final = Path(__file__).parents[1] / "static"
SCRIPTS: Final = ("htmx.min.js", "hx-sse.min.js", "dashboard.js")
"""The parts of the script, in order: a page makes one request for all of them."""
_KEPT: Final = {"Cache-Control": "public, max-age=31536000, immutable"}


@frozen
class Asset:
    """A file as it is served."""

    name: str
    media_type: str
    content: bytes

    @property
    def path(self) -> str:
        """Its address, which changes with its content."""
        return f"/assets/{hashlib.sha256(self.content).hexdigest()[:16]}/{self.name}"


@cache
def assets() -> dict[str, Asset]:
    """All of them, by name."""
    script = b"\n;\n".join((STATIC / name).read_bytes() for name in SCRIPTS)
    made = (
        Asset("dashboard.css", "text/css", (STATIC / "dashboard.css").read_bytes()),
        Asset("dashboard.js", "text/javascript", script),
    )
    return {asset.name: asset for asset in made}


def asset_path(name: str) -> str:
    """The address of an asset."""
    return assets()[name].path


def vendored() -> Any:  # noqa: ANN401 - JSON
    """What of the script is from elsewhere: version, licence, and the digest of each file."""
    return json.loads((STATIC / "VENDORED.json").read_text())


@get("/assets/{digest:str}/{name:str}", scope=None)
def get_asset(digest: str, name: str) -> Response[Any]:
    """Returns a file that the pages load."""
    asset = assets().get(name)
    if asset is None or asset.path != f"/assets/{digest}/{name}":
        raise NotFound("There is no such file.")
    return Response(asset.content, media_type=asset.media_type, headers=_KEPT)
