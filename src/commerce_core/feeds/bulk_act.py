"""Bulk acts: one decision about a whole group of feeds, done by workers, with a result for each.

A group is found by a cause, not ticked on a page: its members are counted when it is shown, and
counted again when it is confirmed. If they aren't the same by then, nothing is done.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import ClassVar, Final, Literal, get_args

from attrs import evolve, frozen

from commerce_core.base.errors import Conflict, Fault, InvalidInput, refuse_if
from commerce_core.feeds.job import LONGEST_NOTE, Without
from commerce_core.partners.access import Scope

BulkKind = Literal["process_again", "approve", "reject"]
BulkStatus = Literal["queued", "completed", "cancelled", "failed"]
ItemStatus = Literal["waiting", "done", "refused"]
MOST_MEMBERS: Final = 10_000
"""The most feeds that a bulk act concerns."""
MOST_UNFINISHED: Final = 20
"""The most bulk acts that aren't finished."""
MOST_LOOKED_AT: Final = 20_000
"""The latest failed feeds whose causes are counted."""
BULK_ACTS_KEPT: Final = timedelta(days=90)
"""How long a bulk act can be looked up after it has finished."""
SAMPLES: Final = 5
"""How many members a plan shows."""


@frozen
class FeedGroup:
    """The feeds that an act can be done to, and that match every given filter.

    `process_again` concerns feeds whose latest job failed, optionally with that error code; the
    others concern held feeds.
    """

    IDENTITY: ClassVar = (
        "FeedGroup(kind={0.kind!r}, partner_id={0.partner_id!r}, source_id={0.source_id!r}, "
        "code={0.code!r}, received_from={0.received_from!r}, received_to={0.received_to!r})"
    )
    kind: BulkKind
    partner_id: str | None = None
    source_id: str | None = None
    code: str | None = None
    received_from: datetime | None = None
    received_to: datetime | None = None

    @property
    def needs(self) -> Scope:
        """The scope that the act needs."""
        return "feeds:write" if self.kind == "process_again" else "feeds:decide"


@frozen
class FailureCause:
    """Failed feeds with one error code: how many, of how many, and the latest of them."""

    code: str
    count: int
    partners: int
    sources: int
    first_at: datetime
    latest_at: datetime
    latest_feed_id: str
    message: str


@frozen
class BulkPlan:
    """What a bulk act would concern now; `digest` stands for exactly these members."""

    group: FeedGroup
    count: int
    digest: str
    samples: tuple[str, ...]


@frozen
class BulkAct:
    """An act on each feed of a group, and how far it is; `partner_id` is that of its owner.

    `done` and `refused` count its members that have a result. `key_id` is the key of `actor`, as
    which it is done. `problem` is why it ended early.
    """

    bulk_id: str
    partner_id: str | None
    actor: str
    group: FeedGroup
    status: BulkStatus
    total: int
    created_at: datetime
    key_id: str | None = None
    without: tuple[Without, ...] = ()
    note: str | None = None
    done: int = 0
    refused: int = 0
    finished_at: datetime | None = None
    problem: str | None = None

    @property
    def waiting(self) -> int:
        """How many members have no result."""
        return self.total - self.done - self.refused

    def with_results(self, items: "Sequence[BulkItem]") -> "BulkAct":
        """The same with these further results."""
        done = sum(item.status == "done" for item in items)
        return evolve(self, done=self.done + done, refused=self.refused + len(items) - done)

    def ended(self, status: BulkStatus, at: datetime, problem: str | None = None) -> "BulkAct":
        """Finished; Conflict `bulk_act_finished` if it is already."""
        if self.finished_at is not None:
            raise Conflict(f"Bulk act {self.bulk_id} is {self.status}.", code="bulk_act_finished")
        return evolve(self, status=status, finished_at=at, problem=problem)


@frozen
class BulkItem:
    """What became of a member, the `number`-th of its bulk act; `job_id` is the job that it led to.

    A member that was refused has the code and the reason.
    """

    number: int
    feed_id: str
    status: ItemStatus = "waiting"
    job_id: str | None = None
    code: str | None = None
    detail: str | None = None


@frozen
class BulkQuery:
    """Selects bulk acts by owner, newest first."""

    IDENTITY: ClassVar = "BulkQuery(partner_id={0.partner_id!r})"
    partner_id: str | None = None


def digest_of_members(feed_ids: Sequence[str]) -> str:
    """What stands for exactly these members."""
    return hashlib.sha256("\n".join(feed_ids).encode()).hexdigest()[:32]


def check_members(count: int) -> None:
    """InvalidInput `no_members` or `too_many_members` unless a bulk act can concern that many."""
    if count == 0:
        raise InvalidInput("There is no feed like that.", code="no_members")
    if count > MOST_MEMBERS:
        raise InvalidInput(
            f"The group has more than {MOST_MEMBERS:,} feeds.",
            "Narrow it down to a partner, a source or a range of time.",
            code="too_many_members",
        )


def check_group(group: FeedGroup, without: Sequence[str], note: str | None) -> None:
    """InvalidInput with all that doesn't go with the kind of act."""
    refuse_if(
        "The bulk act isn't valid.",
        (
            group.code is not None and group.kind != "process_again",
            Fault("/code", "bad_code", "Only failed feeds have an error code."),
        ),
        (
            bool(without) and group.kind != "approve",
            Fault("/without", "bad_without", "Only an approval can leave something out."),
        ),
        (
            any(name not in get_args(Without) for name in without),
            Fault("/without", "bad_without", "Only removals can be left out."),
        ),
        (
            note is not None and group.kind == "process_again",
            Fault("/note", "bad_note", "Only a decision about held feeds takes a note."),
        ),
        (
            len(note or "") > LONGEST_NOTE,
            Fault("/note", "too_long", f"Use at most {LONGEST_NOTE:,} characters."),
        ),
    )
