"""Pages for browsers: a plain status page, and the API's description with a page to read it.

Everything that they load is served from here, so they work without internet access and under a
strict policy.
"""

from html import escape
from pathlib import Path
from typing import Any, Final

from litestar import Response

from commerce_core.base.errors import NotFound
from entrypoints.http.kit.handlers import get
from entrypoints.http.kit.security import Asked
from entrypoints.http.routes.health import watch_of

STATIC: Final = Path(__file__).parents[1] / "static"
_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What our own pages may load: what this server serves, nothing else."""
_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
{head}
</head>
<body>
{body}
</body>
</html>
"""
_HOME: Final = """<main>
<h1>Open Commerce</h1>
<p>Partner product feeds in, one trusted catalog out, with orders and reports on top.</p>
<table>
<tr><th>Part</th><th>State</th></tr>
{rows}
</table>
<p><a href="docs">API documentation</a> ·
<a href="openapi.json">OpenAPI description</a> ·
<a href="v1/health">health as JSON</a></p>
</main>"""


@get("/", scope=None)
def show_home(request: Asked) -> Response[Any]:
    """Shows whether every part is up, and links to everything else."""
    rows = "\n".join(
        f'<tr><td>{escape(name)}</td><td class="{_class(state)}">{escape(state)}</td></tr>'
        for name, state in watch_of(request).parts().items()
    )
    head = '<link rel="stylesheet" href="static/page.css">'
    return _page("Open Commerce", head, _HOME.format(rows=rows))


def _class(state: str) -> str:
    return "ok" if state == "ok" else "down"


@get("/docs", scope=None)
def show_docs() -> Response[Any]:
    """Shows the API's description as a page."""
    head = (
        '<link rel="stylesheet" href="static/swagger-ui.css">\n'
        '<script src="static/swagger-ui-bundle.js" defer></script>\n'
        '<script src="static/docs.js" defer></script>'
    )
    return _page("Open Commerce API", head, '<div id="docs"></div>')


def _page(title: str, head: str, body: str) -> Response[Any]:
    return Response(
        _PAGE.format(title=title, head=head, body=body),
        media_type="text/html",
        headers={"Content-Security-Policy": _POLICY},
    )


@get("/static/{name:str}", scope=None)
def get_static(name: str) -> Response[Any]:
    """Returns a file that these pages load."""
    file = next((file for file in STATIC.iterdir() if file.name == name), None)
    if file is None or file.suffix not in _TYPES:
        raise NotFound("There is no such file.")
    return Response(
        file.read_bytes(),
        media_type=_TYPES[file.suffix],
        headers={"Cache-Control": "public, max-age=86400"},
    )


@get("/openapi.json", scope=None)
def get_description(request: Asked) -> Response[Any]:
    """Returns the API's description, OpenAPI 3.1."""
    return Response(request.app.state.description, media_type="application/json")


ROUTES = (show_docs, get_static, get_description)
