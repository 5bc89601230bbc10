"""Sources: a partner's recurring feeds, and the settings of each.

A source owns the products that it published: a full feed removes only those, and the partner's
other sources can't change them. Its profile, of which all versions are kept, determines how its
files are read.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar, Final

from attrs import evolve, frozen

from commerce_core.base.errors import Conflict, Fault, InvalidInput, refuse_if
from commerce_core.base.ids import looks_like
from commerce_core.base.text import given_name, tidy_name
from commerce_core.feeds.file_name_time import moment_named, pattern_fault
from commerce_core.feeds.freshness import Freshness
from commerce_core.feeds.freshness_settings import NOTHING_DECLARED, Expected, selling_fault
from commerce_core.feeds.guards import DEFAULT_GUARDS, GuardSettings
from commerce_core.feeds.job import JobError
from commerce_core.feeds.place import SourceKind
from commerce_core.partners.partner import LONGEST_NAME
from commerce_core.schema.fields import Mode

MAIN_SOURCE: Final = "main"
"""The name of the source that every partner has."""
MOST_REJECTED: Final = 10**12


@frozen
class OnError:
    """How many rejected records a feed may have before it is rejected as a whole.

    The other records are applied if at most `count` records, and at most this `share` of the
    non-blank ones, were rejected. Without either limit, they always are.
    """

    IDENTITY: ClassVar = "OnError(share={0.share!r}, count={0.count!r})"

    share: Decimal | None = None
    count: int | None = None

    def __attrs_post_init__(self) -> None:
        """Checks that the share is 0 to 1, and the count 0 or more; InvalidInput otherwise."""
        share, count = self.share, self.count
        refuse_if(
            "The threshold isn't valid.",
            (
                share is not None and not (share.is_finite() and 0 <= share <= 1),
                Fault(
                    "/on_error/threshold/share",
                    "bad_share",
                    "Use a share from 0 to 1, such as 0.05.",
                ),
            ),
            (
                count is not None and not 0 <= count <= MOST_REJECTED,
                Fault("/on_error/threshold/count", "bad_count", "Use a count of 0 or more."),
            ),
        )

    def refuses(self, rejected: int, records: int) -> bool:
        """Whether a feed with this many rejected records, out of this many, is refused."""
        by_count = self.count is not None and rejected > self.count
        return by_count or (self.share is not None and rejected > self.share * records)

    def refusal(self, rejected: int, records: int) -> JobError | None:
        """Why a feed with this many rejected records, out of this many, is refused, if it is."""
        if not self.refuses(rejected, records):
            return None
        share = "" if self.share is None else f"{(self.share * 100).normalize():f} % of them"
        count = "" if self.count is None else f"{self.count:,}"
        limit = (
            f"at most {' and '.join(filter(None, (count, share)))}" if self.count != 0 else "none"
        )
        message = (
            f"{rejected:,} of {records:,} records were rejected, but the source allows {limit}. "
            "Nothing was applied: correct the file, then send it again."
        )
        return JobError("too_many_rejected", message)


REJECT_RECORDS: Final = OnError()
"""The records that aren't rejected are always applied."""
REJECT_FEED: Final = OnError(count=0)
"""Nothing is applied if a single record is rejected."""


@frozen
class Source:
    """A recurring feed of a partner. It owns the products it published, and removes only those.

    `kind` is how its files arrive, `mode` their default mode, `run` whether their jobs start by
    themselves. `guards` are the limits that its feeds are held for. `snapshot_pattern` finds the
    moment that a file shows in the file's name. `net_of_orders` is whether its quantities leave out
    what has been ordered here; then a line deducts only until a later snapshot has its product.
    `expected` is when its files come. Once its last fresh file is older than `stop_selling_after`,
    its products are no longer sold. `freshness` is how fresh it is at the moment; stores don't keep
    that.
    """

    source_id: str
    partner_id: str
    source_name: str
    mode: Mode
    created_at: datetime
    kind: SourceKind = "push"
    run: bool = False
    on_error: OnError = REJECT_RECORDS
    guards: GuardSettings = DEFAULT_GUARDS
    snapshot_pattern: str | None = None
    net_of_orders: bool = False
    expected: Expected = NOTHING_DECLARED
    stop_selling_after: timedelta | None = None
    freshness: Freshness | None = None

    def __attrs_post_init__(self) -> None:
        """Checks the source; InvalidInput lists every fault at once."""
        name, pattern = self.source_name, self.snapshot_pattern
        fault = None if pattern is None else pattern_fault(pattern)
        well_named = name == tidy_name(name) and 1 <= len(name) <= LONGEST_NAME
        refuse_if(
            "The source's settings aren't valid.",
            (
                not well_named,
                Fault("/source_name", "bad_name", f"Use 1 to {LONGEST_NAME} characters."),
            ),
            (
                looks_like("src", name),
                Fault(
                    "/source_name", "bad_name", "Choose a name that doesn't look like a source id."
                ),
            ),
            (
                self.mode not in ("full", "delta"),
                Fault("/mode", "bad_mode", "Use full or delta."),
            ),
            selling_fault(self.stop_selling_after),
            *([(True, fault)] if fault else []),
        )

    def changed(self, **changes: Any) -> "Source":  # noqa: ANN401 - each setting has its own type
        """Returns the source with these settings changed; they are checked as a new source's are.

        `guards` may be a mapping with only the guards that change.
        """
        if "source_name" in changes:
            changes["source_name"] = given_name(changes["source_name"] or "")
        if isinstance(changes.get("guards"), Mapping):
            changes["guards"] = guards_with(self.guards, changes["guards"])
        return evolve(self, **changes)

    def moment_of(self, file_name: str, time_zone: str) -> datetime | None:
        """The moment in a file's name; None if the source has no pattern, or it doesn't match."""
        if self.snapshot_pattern is None:
            return None
        return moment_named(self.snapshot_pattern, file_name, time_zone)


def name_taken(source: Source) -> Conflict:
    """The refusal of a source whose name is taken by another source of the partner."""
    return Conflict(
        f"The partner already has a source named {source.source_name!r}.",
        "Choose another name.",
        code="source_name_taken",
    )


def guards_with(before: GuardSettings, changes: Mapping[str, Any]) -> GuardSettings:
    """Returns the guards with some of them changed; InvalidInput points at values out of range."""
    try:
        return evolve(before, **changes)
    except InvalidInput as error:
        faults = [evolve(fault, pointer=f"/guards{fault.pointer}") for fault in error.faults]
        raise InvalidInput(error.detail, faults=faults) from error
