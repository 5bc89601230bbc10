"""The route of the doctor: what a file is, how it would be read, what would be wrong with it."""

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
"""How large a request may be whose file is only looked at."""


@frozen(kw_only=True)
class ExaminedFile:
    """A file to be looked at, and what is known of it."""

    file: UploadFile = required("The file; nothing of it is kept.")
    partner_id: PartnerId | None = optional(None, "Whose it is: currency and time zone are theirs.")
    preset: Preset | None = optional(
        None, "The platform that exported it (default: what fits best)."
    )
    mode: Mode | None = optional(None, "full or delta; full unless it has stock or prices alone.")
    currency: str | None = optional(None, "The currency of its prices, unless they say.")


@post("/doctor", scope="feeds:read", refuses=[404])
def examine_file(commerce: Commerce, form: ExaminedFile) -> Diagnosis:
    """Looks at a file: what it is, how it would be read, what would be wrong; nothing is kept."""
    partner = commerce.partners.get(form.partner_id) if form.partner_id else None
    own = currency(form.currency).code if form.currency else None
    asked = Asked(
        preset=form.preset,
        mode=form.mode,
        currency=own or (partner.currency if partner else None),
        currency_is_of_file=own is not None,
        zone=ZoneInfo(partner.time_zone if partner else "UTC"),
    )
    return examine(cast("BinaryIO", form.file.file), asked)


EXAMINE: Final = examine_file
