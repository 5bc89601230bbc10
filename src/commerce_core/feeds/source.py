"""Sources: the standing feeds of a partner, and what is set for each of them.

A source owns the products that it published: a full feed removes only those, and no other source
of the partner may change them. How its files are read is its profile, kept beside it in versions.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Final, Literal

from attrs import evolve, frozen

from commerce_core.base.errors import Conflict, Fault, InvalidInput, refuse_if
from commerce_core.base.ids import looks_like
from commerce_core.base.text import tidy_name
from commerce_core.feeds.file_name_time import moment_named, pattern_fault
from commerce_core.feeds.guards import DEFAULT_GUARDS, GuardSettings
from commerce_core.feeds.job import JobError
from commerce_core.partners.partner import LONGEST_NAME
from commerce_core.schema.fields import Mode

MAIN_SOURCE: Final = "main"
"""The source that every partner has."""
MOST_REJECTED: Final = 10**12

SourceKind = Literal["upload"]
"""How its files come: they are sent to us."""


@frozen
class OnError:
    """What rejected records mean for their feed.

    The others land as long as no more than `count` records were rejected, nor a larger `share` of
    those that aren't blank; where neither is said, whatever was rejected.
    """

    IDENTITY: ClassVar = "OnError(share={0.share!r}, count={0.count!r})"

    share: Decimal | None = None
    count: int | None = None

    def __attrs_post_init__(self) -> None:
        """InvalidInput for a share that is none, and for a count below 0."""
        share, count = self.share, self.count
        refuse_if(
            "The threshold can't be.",
            (
                share is not None and not (share.is_finite() and 0 <= share <= 1),
                Fault("/on_error/threshold/share", "bad_share", "A share is 0 to 1, as 0.05."),
            ),
            (
                count is not None and not 0 <= count <= MOST_REJECTED,
                Fault("/on_error/threshold/count", "bad_count", "A count is 0 or more."),
            ),
        )

    def refuses(self, rejected: int, records: int) -> bool:
        """Whether a feed is refused of whose so many records so many were rejected."""
        by_count = self.count is not None and rejected > self.count
        return by_count or (self.share is not None and rejected > self.share * records)

    def refusal(self, rejected: int, records: int) -> JobError | None:
        """Why a feed is refused of whose so many records so many were rejected, if it is."""
        if not self.refuses(rejected, records):
            return None
        share = "" if self.share is None else f"{(self.share * 100).normalize():f} % of them"
        count = "" if self.count is None else f"{self.count:,}"
        limit = " or ".join(filter(None, (count, share)))
        message = (
            f"{rejected:,} of {records:,} records were rejected, and the source takes no feed with "
            f"more than {limit}. Nothing was applied: mend the file, and send it again."
        )
        return JobError("too_many_rejected", message)


REJECT_RECORDS: Final = OnError()
"""Whatever is rejected, the others land."""
REJECT_FEED: Final = OnError(count=0)
"""One rejected record, and nothing lands."""


@frozen
class Source:
    """A standing feed of a partner. It owns the products it published, and removes only those.

    `mode` is that of its feeds where an upload says nothing else. `run` says whether their jobs
    begin by themselves, `guards` how far they may go. `snapshot_pattern` reads the moment that a
    file shows from its name.
    """

    source_id: str
    partner_id: str
    source_name: str
    mode: Mode
    created_at: datetime
    kind: SourceKind = "upload"
    run: bool = False
    on_error: OnError = REJECT_RECORDS
    guards: GuardSettings = DEFAULT_GUARDS
    snapshot_pattern: str | None = None

    def __attrs_post_init__(self) -> None:
        """A source that exists is valid; InvalidInput lists every fault at once."""
        name, pattern = self.source_name, self.snapshot_pattern
        fault = None if pattern is None else pattern_fault(pattern)
        well_named = name == tidy_name(name) and 1 <= len(name) <= LONGEST_NAME
        refuse_if(
            "The source can't be described so.",
            (
                not well_named,
                Fault("/source_name", "bad_name", f"A name has 1 to {LONGEST_NAME} characters."),
            ),
            (
                looks_like("src", name),
                Fault("/source_name", "bad_name", "A name can't look like the id of a source."),
            ),
            (
                self.mode not in ("full", "delta"),
                Fault("/mode", "bad_mode", "A mode is full or delta."),
            ),
            *([(True, fault)] if fault else []),
        )

    def changed(self, **changes: Any) -> "Source":  # noqa: ANN401 - each setting has its own type
        """The source with some of its settings changed; the result is checked as a new one is.

        `guards` may be a mapping, of those that change.
        """
        if "source_name" in changes:
            changes["source_name"] = tidy_name(changes["source_name"] or "")
        if isinstance(changes.get("guards"), Mapping):
            changes["guards"] = guards_with(self.guards, changes["guards"])
        return evolve(self, **changes)

    def moment_of(self, file_name: str, time_zone: str) -> datetime | None:
        """The moment that a file's name tells, if it is to tell one and does."""
        if self.snapshot_pattern is None:
            return None
        return moment_named(self.snapshot_pattern, file_name, time_zone)


def name_taken(source: Source) -> Conflict:
    """The refusal of a source whose name another one of its partner has."""
    return Conflict(
        f"The partner already has a source named {source.source_name!r}.",
        "Choose another name.",
        code="source_name_taken",
    )


def guards_with(before: GuardSettings, changes: Mapping[str, Any]) -> GuardSettings:
    """The guards with some of them set otherwise; InvalidInput says where that can't be."""
    try:
        return evolve(before, **changes)
    except InvalidInput as error:
        faults = [evolve(fault, pointer=f"/guards{fault.pointer}") for fault in error.faults]
        raise InvalidInput(error.detail, faults=faults) from error
