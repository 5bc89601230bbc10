"""Uploading a file: first what it would change, then the feed itself."""

from collections.abc import Callable
from typing import Any, BinaryIO, Final, Literal, cast
from zoneinfo import ZoneInfo

from attrs import frozen
from litestar.datastructures import UploadFile
from litestar.handlers import HTTPRouteHandler

from commerce_core.base.errors import CommerceError, Conflict, FileRefused, InvalidInput, NotFound
from commerce_core.commerce import Commerce
from commerce_core.doctor import MOST_BYTES, Asked, Diagnosis, examine
from commerce_core.plans.saved_plan import SavedPlan
from commerce_core.schema.fields import Mode
from entrypoints.dashboard.kit.pages import Goto, act, page
from entrypoints.dashboard.kit.rendering import View
from entrypoints.reading import optional, required

MOST_PARTNERS: Final = 200
"""The partners offered in the form; others are named in a filter of the address."""


@frozen(kw_only=True)
class Choice:
    """What the form begins with."""

    partner: str | None = optional(None, "Partner.")


@frozen(kw_only=True)
class Upload:
    """A file, whose it is, and whether to look at it or to send it."""

    file: UploadFile = required("The file.")
    partner: str | None = optional(None, "Partner.")
    source: str | None = optional(None, "Source.")
    mode: Mode | None = optional(None, "Mode.")
    do: Literal["look", "send"] = optional("look", "Look at it, or send it.")


@page("/upload", scope="feeds:write")
def show_upload(commerce: Commerce, parameters: Choice) -> View:
    """Asks for a file."""
    return _view(commerce, parameters.partner)


def _view(commerce: Commerce, partner: str | None, **values: Any) -> View:  # noqa: ANN401 - as shown
    listed = commerce.partners.page(limit=MOST_PARTNERS).items
    partners = [(p.partner_id, p.partner_name) for p in listed if p.status == "active"]
    shown = {"plan": None, "diagnosis": None, "refused": "", "file_name": "", **values}
    return View(
        "upload.html", "Upload a file", values={"partners": partners, "partner": partner, **shown},
        command="feeds plan FILE --partner PARTNER", status=422 if shown["refused"] else 200,
    )  # fmt: skip


def _upload_file(commerce: Commerce, form: Upload) -> Goto | View:
    """Shows what a file would change, or sends it as a feed that is processed at once."""
    partner = commerce.context.principal.partner_id or form.partner
    if partner is None:
        raise InvalidInput.at("/partner", "required", "Choose the partner that sends the file.")
    stream = cast("BinaryIO", form.file.file)
    if form.do == "look":
        return _look(commerce, form, partner, stream)
    receipt = commerce.feeds.upload(
        stream, partner=partner, file_name=form.file.filename, content_type=form.file.content_type,
        source=form.source, mode=form.mode, run=True,
    )  # fmt: skip
    return Goto(f"/feeds/{receipt.feed_id}", "Received. A worker processes it.")


def _look(commerce: Commerce, form: Upload, partner: str, stream: BinaryIO) -> View:
    """Doctor's answer and the plan; a file that can't be processed has only the first."""
    plan: SavedPlan | None = None
    refused = ""
    try:
        plan = commerce.plans.preview(stream, partner=partner, source=form.source, mode=form.mode)
    except NotFound:
        raise
    except (FileRefused, Conflict) as error:
        refused = str(error)
    return _view(
        commerce, partner, plan=plan, refused=refused, file_name=form.file.filename,
        diagnosis=_diagnosis(commerce, partner, stream),
    )  # fmt: skip


def _diagnosis(commerce: Commerce, partner: str, stream: BinaryIO) -> Diagnosis | None:
    """What doctor says; None if it can't be asked now, or the file is too large for it."""
    owner = commerce.partners.get(partner)
    stream.seek(0, 2)
    if stream.tell() > MOST_BYTES:
        return None
    stream.seek(0)
    asked = Asked(currency=owner.currency, zone=ZoneInfo(owner.time_zone))
    try:
        return commerce.context.apart.run(examine, stream, asked)
    except CommerceError:
        return None


def routes(most_bytes: int) -> tuple[HTTPRouteHandler, ...]:
    """Both; an upload may have that many bytes."""
    upload: Callable[[Any], HTTPRouteHandler] = act(
        "/upload", scope="feeds:write", lane="uploads", most_bytes=most_bytes
    )
    return (show_upload, upload(_upload_file))
