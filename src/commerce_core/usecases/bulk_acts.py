"""Bulk acts: what failed or is held, by cause; and one act on each member of such a group.

plan      counts the members, and shows the first
start     counts again, refuses if they aren't the same, and queues the act
run       a worker acts on member after member, and stores each result; safe to repeat
cancel    members that have no result yet are left alone
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final

from attrs import evolve, frozen

from commerce_core.base.errors import CommerceError, Conflict, Unauthenticated, Unavailable
from commerce_core.base.paging import (
    DEFAULT_LIMIT,
    LARGEST_LIMIT,
    Page,
    Position,
    check_limit,
    every,
    read_cursor,
    write_cursor,
)
from commerce_core.base.text import UNSTORABLE
from commerce_core.feeds.bulk_act import (
    BULK_ACTS_KEPT,
    MOST_LOOKED_AT,
    MOST_MEMBERS,
    MOST_UNFINISHED,
    SAMPLES,
    BulkAct,
    BulkItem,
    BulkPlan,
    BulkQuery,
    FailureCause,
    FeedGroup,
    ItemStatus,
    check_group,
    check_members,
    digest_of_members,
)
from commerce_core.feeds.job import Without
from commerce_core.partners.access import GRANTABLE_SCOPES, OPERATOR, Principal
from commerce_core.ports.store import UnitOfWork
from commerce_core.usecases.context import Context, IdempotencyKey, Listed
from commerce_core.usecases.jobs import Jobs
from commerce_core.usecases.plans import Plans

MOST_CAUSES: Final = 100
AT_ONCE: Final = 20
"""How many members a worker takes before it looks whether the act was cancelled."""
LONGEST_DETAIL: Final = 500
_ANY: Final = BulkQuery()
_BROKEN: Final = "It broke off too often; its worker's log has the reason."


@frozen
class BulkActs:
    """Acts on whole groups of feeds; a partner acts on its own."""

    _context: Context

    def causes(self, *, partner: str | None = None) -> Sequence[FailureCause]:
        """Why feeds failed that nothing has been done about, the most frequent cause first."""
        with self._context.store.read_only() as unit:
            owner = self._context.partner_filter(unit, partner)
            return unit.bulk_acts.causes(owner, MOST_LOOKED_AT, MOST_CAUSES)

    def plan(self, group: FeedGroup, *, partner: str | None = None) -> BulkPlan:
        """What the act would concern now. InvalidInput if there is no member, or too many."""
        self._context.principal.require(group.needs)
        check_group(group, (), None)
        with self._context.store.read_only() as unit:
            group = self._own(unit, group, partner)
            members = _members(unit, group)
        return BulkPlan(group, len(members), digest_of_members(members), tuple(members[:SAMPLES]))

    def _own(self, unit: UnitOfWork, group: FeedGroup, partner: str | None) -> FeedGroup:
        if group.source_id is not None:
            self._context.source(unit, group.source_id, None)
        return self._context.own_in(unit, group, partner)

    def start(
        self,
        group: FeedGroup,
        *,
        count: int,
        digest: str | None = None,
        partner: str | None = None,
        without: Iterable[str] = (),
        note: str | None = None,
        key: IdempotencyKey | str | None = None,
    ) -> BulkAct:
        """Queues the act on each member of the group, if there are `count` of them.

        With a `digest`, they have to be exactly those of the plan. Conflict `group_changed`, with
        the new number, if they aren't; Conflict `too_many_bulk_acts` if too many aren't finished.
        """
        c = self._context
        c.principal.require(group.needs)
        left_out = tuple(dict.fromkeys(without))
        note = UNSTORABLE.sub("\ufffd", note).strip() or None if note else None
        check_group(group, left_out, note)
        with c.writing() as unit:
            group = self._own(unit, group, partner)
            request = ("start_bulk_act", group, count, digest, left_out, note)

            def queued() -> BulkAct:
                members = _members(unit, group)
                _check_same(members, count, digest)
                if unit.bulk_acts.unfinished() >= MOST_UNFINISHED:
                    raise Conflict(
                        f"{MOST_UNFINISHED} bulk acts aren't finished.",
                        "Wait until one of them is.",
                        code="too_many_bulk_acts",
                    )
                removals: tuple[Without, ...] = ("removals",) if left_out else ()
                act = BulkAct(
                    c.mint("bulk"), c.principal.partner_id, c.principal.name, group, "queued",
                    len(members), c.clock(), c.principal.key_id, removals, note,
                )  # fmt: skip
                unit.bulk_acts.add(act, members)
                unit.tasks.add("act_in_bulk", act.bulk_id)
                c.note(
                    unit, "bulk_act.started", act.bulk_id, partner_id=act.partner_id, note=note,
                    after=act,
                )  # fmt: skip
                return act

            return c.once(unit, key, request, queued, answer=BulkAct)

    def get(self, bulk_id: str) -> BulkAct:
        """The bulk act, as far as it is."""
        with self._context.store.read_only() as unit:
            return self._context.seen("bulk", bulk_id, unit.bulk_acts.get)

    def page(
        self, cursor: str | None = None, limit: int = DEFAULT_LIMIT, *, count: bool = False
    ) -> Listed[BulkAct]:
        """A page of the bulk acts, newest first; a partner sees its own."""
        query = BulkQuery(self._context.principal.partner_id)
        with self._context.store.read_only() as unit:
            return self._context.listed(unit.bulk_acts, query, cursor, limit, count=count)

    def list(self) -> Iterator[BulkAct]:
        """All bulk acts, newest first."""
        query = BulkQuery(self._context.principal.partner_id)
        return self._context.walk(lambda unit: unit.bulk_acts, query)

    def items(self, bulk_id: str, status: ItemStatus | None = None) -> Iterator[BulkItem]:
        """What became of each member, oldest feed first."""
        act = self.get(bulk_id)

        def fetch(after: Position | None) -> Page[BulkItem]:
            with self._context.store.read_only() as unit:
                return unit.bulk_acts.items(act.bulk_id, status, after, LARGEST_LIMIT)

        return every(fetch)

    def page_items(
        self,
        bulk_id: str,
        status: ItemStatus | None = None,
        cursor: str | None = None,
        limit: int = DEFAULT_LIMIT,
    ) -> Listed[BulkItem]:
        """A page of what became of each member."""
        act = self.get(bulk_id)
        query = ("bulk_items", act.bulk_id, status)
        with self._context.store.read_only() as unit:
            after = read_cursor(query, cursor)
            page = unit.bulk_acts.items(act.bulk_id, status, after, check_limit(limit))
        return Listed(page.items, write_cursor(query, page.after))

    def cancel(self, bulk_id: str) -> BulkAct:
        """Leaves alone what has no result yet. Conflict `bulk_act_finished` if it is finished."""
        self._context.principal.require(self.get(bulk_id).group.needs)
        with self._context.writing() as unit:
            act = self._context.seen("bulk", bulk_id, unit.bulk_acts.lock)
            ended = act.ended("cancelled", self._context.clock())
            unit.bulk_acts.put(ended)
            self._context.note(
                unit, "bulk_act.cancelled", act.bulk_id, partner_id=act.partner_id, before=act,
                after=ended,
            )  # fmt: skip
            return ended

    def run(self, bulk_id: str) -> int:
        """Acts on every member without a result; returns how many there were.

        It acts as the person who confirmed it: once their key is revoked, it ends as failed.
        """
        acted = 0
        while (chunk := self._next(bulk_id)) is not None:
            for item in chunk.items:
                try:
                    result = self._acted(chunk, item)
                except Unauthenticated:
                    break  # the next look ends the whole act
                self._record(bulk_id, result)
                acted += 1
        return acted

    def _next(self, bulk_id: str) -> "_Chunk | None":
        """The next members; None once it is finished."""
        now = self._context.clock()
        with self._context.store.begin() as unit:
            act = unit.bulk_acts.lock(bulk_id)
            if act.finished_at is not None:
                return None
            try:
                principal = _principal(unit, act, now)
            except Unauthenticated as error:
                unit.bulk_acts.put(act.ended("failed", now, str(error)))
                return None
            if items := unit.bulk_acts.waiting(bulk_id, AT_ONCE):
                return _Chunk(act, self._context.acting_as(principal), items)
            unit.bulk_acts.put(act.ended("completed", now))
            unit.bulk_acts.forget(now - BULK_ACTS_KEPT)
            return None

    def _acted(self, chunk: "_Chunk", item: BulkItem) -> BulkItem:
        """What became of one member: its own transactions, whatever becomes of the others."""
        try:
            return self._act(chunk.context, chunk.act, item)
        except (Unavailable, Unauthenticated):
            raise
        except CommerceError as error:
            detail = str(error)[:LONGEST_DETAIL]
            return evolve(item, status="refused", code=error.code, detail=detail)

    def _act(self, context: Context, act: BulkAct, item: BulkItem) -> BulkItem:
        """Acts on a member; the same once more if an earlier attempt ended before its record."""
        done = evolve(item, status="done")
        if act.group.kind == "process_again":
            once = f"{act.bulk_id}:{item.number}"
            job = Jobs(context).start(item.feed_id, run=True, key=once)
            return evolve(done, job_id=job.job_id)
        if _is_decided(context, act, item.feed_id):
            return done
        if act.group.kind == "reject":
            Plans(context).reject(item.feed_id, note=act.note)
            return done
        job = Plans(context).approve(item.feed_id, without=act.without, note=act.note)
        if job.status != "completed":
            why = job.error.message if job.error else f"Its job is {job.status}."
            code = job.error.code if job.error else job.status
            detail = why[:LONGEST_DETAIL]
            return evolve(item, status="refused", job_id=job.job_id, code=code, detail=detail)
        return evolve(done, job_id=job.job_id)

    def _record(self, bulk_id: str, item: BulkItem) -> None:
        with self._context.store.begin() as unit:
            act = unit.bulk_acts.lock(bulk_id)
            unit.bulk_acts.record(bulk_id, [item])
            unit.bulk_acts.put(act.with_results([item]))

    def give_up(self, bulk_id: str) -> None:
        """Records that the act isn't tried again."""
        now = self._context.clock()
        with self._context.store.begin() as unit:
            act = unit.bulk_acts.lock(bulk_id)
            if act.finished_at is None:
                unit.bulk_acts.put(act.ended("failed", now, _BROKEN))


@frozen
class _Chunk:
    """Members to act on now, and as whom."""

    act: BulkAct
    context: Context
    items: Sequence[BulkItem]


def _members(unit: UnitOfWork, group: FeedGroup) -> Sequence[str]:
    members = unit.bulk_acts.members(group, MOST_MEMBERS + 1)
    check_members(len(members))
    return members


def _check_same(members: Sequence[str], count: int, digest: str | None) -> None:
    """Conflict `group_changed` unless they are those that were confirmed."""
    now = digest_of_members(members)
    if len(members) == count and digest in (None, now):
        return
    changed = f"The group has {len(members):,} feeds now, not {count:,}."
    if len(members) == count:
        changed = "The group has other feeds now."
    raise Conflict(
        changed, "Look at it again, then confirm.", code="group_changed",
        shown={"count": len(members), "digest": now},
    )  # fmt: skip


def _principal(unit: UnitOfWork, act: BulkAct, now: datetime) -> Principal:
    """As whom it is done; Unauthenticated if the key isn't valid at that time."""
    if act.key_id is not None:
        key = unit.keys.get(act.key_id)
        key.check_valid(now)
        return key.principal()
    if act.partner_id is None:
        return evolve(OPERATOR, name=act.actor)
    return Principal(act.actor, act.partner_id, frozenset(GRANTABLE_SCOPES))


def _is_decided(context: Context, act: BulkAct, feed_id: str) -> bool:
    """Whether an earlier attempt of this act has decided about the feed."""
    verdict = "approved" if act.group.kind == "approve" else "rejected"
    with context.store.read_only() as unit:
        feed = unit.feeds.get(feed_id)
        job = unit.jobs.get(feed.latest_job.job_id) if feed.latest_job else None
    made = job.decision if job else None
    return (
        job is not None
        and made is not None
        and job.status in ("completed", "cancelled")
        and (made.verdict, made.actor) == (verdict, act.actor)
        and made.at >= act.created_at
    )
