"""The route of the doctor, which examines a file."""

from typing import BinaryIO, Final, cast
from zoneinfo import ZoneInfo

from attrs import frozen
from litestar.datastructures import UploadFile

from commerce_core.base.money import currency
from commerce_core.commerce import Commerce
from commerce_core.doctor import MOST_BYTES, Asked, Diagnosis, examine
from commerce_core.profiles.profile import Preset
from commerce_core.schema.fields import Mode
from entrypoints.http.kit.handlers import post
from entrypoints.reading import optional, required
from entrypoints.scalars import PartnerId

EXAMINED_BYTES: Final = MOST_BYTES
"""Maximum size of a file to examine."""


@frozen(kw_only=True)
class ExaminedFile:
    """A file to examine, and what is known about it."""

    file: UploadFile = required("The file, which isn't stored.")
    partner_id: PartnerId | None = optional(None, "Partner whose currency and time zone apply.")
    preset: Preset | None = optional(
        None, "Preset to read the file with (default: the best match)."
    )
    mode: Mode | None = optional(
        None, "Mode (default: delta if it has only stock or prices, else full)."
    )
    currency: str | None = optional(None, "Currency of prices that don't specify one.")


@post("/doctor", scope="feeds:read", refuses=[404], lane="examinations")
def examine_file(commerce: Commerce, form: ExaminedFile) -> Diagnosis:
    """Examines a file: what it contains, how it would be read, what is wrong; nothing is stored."""
    partner = commerce.partners.get(form.partner_id) if form.partner_id else None
    own = currency(form.currency).code if form.currency else None
    asked = Asked(
        preset=form.preset,
        mode=form.mode,
        currency=own or (partner.currency if partner else None),
        currency_is_of_file=own is not None,
        zone=ZoneInfo(partner.time_zone if partner else "UTC"),
    )
    return commerce.context.apart.run(examine, cast("BinaryIO", form.file.file), asked)


EXAMINE: Final = examine_file
