"""What the collections of events and of audit entries promise."""

from datetime import timedelta

import pytest
from attrs import evolve

from commerce_core.activity.audit import AuditEntry, AuditQuery
from commerce_core.activity.events import Event, EventKind, EventPage, EventQuery
from commerce_core.base.errors import Malformed
from commerce_core.base.paging import every
from commerce_core.ports.store import Store
from tests.contracts import samples
from tests.contracts.samples import DAY, MINUTE, SECOND, T0
from tests.contracts.threads import meanwhile, together
from tests.support.waiting import PATIENCE, until

ANY = EventQuery()


def event(kind: EventKind = "feed.applied", *partners: str, **changes: object) -> Event:
    data = {"feed_id": "feed_1", "counts": [1, 2**40], "note": "📦", "error": None}
    return evolve(Event(samples.new_id("evt"), kind, T0, partners, data), **changes)


def announce(store: Store, *events: Event) -> None:
    with store.begin() as unit:
        unit.events.add(events)


def read(
    store: Store, after: int | None = None, limit: int = 100, query: EventQuery = ANY
) -> EventPage:
    with store.begin() as unit:
        return unit.events.page(query, after, limit)


class TestEvents:
    def test_an_event_is_read_as_it_was_added(self, store: Store):
        """Ids, time, partners and data are those of the event, in the order of adding."""
        one, other = samples.new_id("ptn"), samples.new_id("ptn")
        told = [event("order.created", one, other), event(occurred_at=T0 + SECOND), event()]
        announce(store, *told)
        announce(store)
        assert list(read(store).items) == told

    def test_a_reader_that_is_caught_up_gets_what_comes(self, store: Store):
        """Behind the last event a page is empty, and goes on from the same place."""
        assert read(store) == EventPage([], 0)
        first, second, third = event(), event(), event()
        announce(store, first, second)
        page = read(store, limit=1)
        assert list(page.items) == [first]
        rest = read(store, page.after)
        assert list(rest.items) == [second]
        assert read(store, rest.after) == EventPage([], rest.after)
        announce(store, third)
        assert list(read(store, rest.after).items) == [third]

    def test_events_are_of_partners_and_kinds(self, store: Store):
        """A query keeps those of its kinds that are its partner's business."""
        one, other = samples.new_id("ptn"), samples.new_id("ptn")
        told = [
            event("feed.received", one),
            event("feed.applied", other),
            event("order.created", one, other),
            event("stock.oversold"),
        ]
        announce(store, *told)

        def fitting(*kinds: EventKind, partner: str | None = None) -> list[int]:
            query = EventQuery(partner, kinds) if kinds else EventQuery(partner)
            return [told.index(each) for each in read(store, query=query).items]

        assert fitting() == [0, 1, 2, 3]
        assert fitting(partner=one) == [0, 2]
        assert fitting("feed.received", "feed.applied") == [0, 1]
        assert fitting("order.created", partner=other) == [2]
        assert fitting("feed.received", partner=other) == []
        assert read(store, query=EventQuery(None, ())).items == []

    def test_a_filter_that_nothing_fits_moves_on_too(self, store: Store):
        """Who waits for rare events isn't led past the same ones each time."""
        announce(store, *[event() for _ in range(5)])
        rare = EventQuery(None, ("stock.oversold",))
        page = read(store, query=rare)
        assert (list(page.items), page.after) == ([], read(store).after)

    def test_what_did_not_happen_is_not_announced(self, store: Store):
        """An event of a unit that is undone is never read, and leaves no gap."""
        with store.begin(dry_run=True) as unit:
            unit.events.add([event()])
            assert len(unit.events.page(ANY, None, 10).items) == 1
        kept = event()
        announce(store, kept)
        assert list(read(store).items) == [kept]

    def test_nothing_appears_behind_a_reader(self, store: Store):
        """A unit that began before another, and ends after it, is told of after it."""
        first, second = event(), event()

        def slow() -> None:
            announce(store, second)

        with store.begin() as unit:
            unit.events.add([first])
            ending = meanwhile(slow)
        ending.result(PATIENCE)
        page = read(store)
        assert {each.event_id for each in page.items} == {first.event_id, second.event_id}
        late = event()
        announce(store, late)
        assert list(read(store, page.after).items) == [late]

    def test_many_writers_and_readers_lose_nothing(self, store: Store):
        """Each reader sees every event once, and all readers see them in the same order."""
        told = [[event() for _ in range(12)] for _ in range(4)]

        def write(own: list[Event]) -> list[str]:
            for each in own:
                announce(store, each)
            return []

        def follow() -> list[str]:
            seen: list[str] = []
            after: int | None = None

            def is_at_the_end() -> bool:
                nonlocal after
                page = read(store, after, limit=5)
                seen.extend(each.event_id for each in page.items)
                after = page.after
                return len(seen) >= 48

            until(is_at_the_end, every=0)
            return seen

        writers = [lambda own=own: write(own) for own in told]
        *_, one, two, three = together(*writers, follow, follow, follow)
        assert sorted(one) == sorted(each.event_id for own in told for each in own)
        assert one == two == three

    def test_the_latest(self, store: Store):
        """`latest` is behind all there is, and 0 before the first."""
        with store.begin() as unit:
            assert unit.events.latest() == 0
        announce(store, event(), event())
        with store.begin() as unit:
            latest = unit.events.latest()
        assert read(store, latest).items == []
        announce(store, event())
        assert len(read(store, latest).items) == 1

    def test_old_events_are_forgotten_from_the_oldest_on(self, store: Store):
        """`forget` stops at the first that is not older, and after as many as are allowed."""
        old = [event(occurred_at=T0 + number * MINUTE) for number in range(4)]
        new = event(occurred_at=T0 + DAY)
        announce(store, *old, new, event())

        def forget(before: timedelta, most: int = 10) -> int:
            with store.begin() as unit:
                return unit.events.forget(T0 + before, most)

        assert forget(timedelta(0)) == 0
        assert forget(DAY, most=1) == 1
        assert forget(2 * MINUTE) == 1
        assert list(read(store).items)[:2] == old[2:]
        assert forget(DAY) == 2
        assert forget(DAY) == 0
        assert read(store).items[0] == new

    def test_a_reader_that_missed_some_learns_it(self, store: Store):
        """Behind a number whose successors are gone a page is refused, as `cursor_expired`."""
        announce(store, event(), event(), event())
        first, second = read(store, limit=1).after, read(store, limit=2).after
        with store.begin() as unit:
            unit.events.forget(T0 + DAY, 2)
        assert len(read(store, second).items) == 1
        assert len(read(store, None).items) == 1
        with pytest.raises(Malformed) as refused:
            read(store, first)
        assert refused.value.code == "cursor_expired"

    def test_numbers_go_on_when_all_was_forgotten(self, store: Store):
        """A reader who was caught up then is still caught up, and gets what comes."""
        announce(store, event())
        after = read(store).after
        with store.begin() as unit:
            unit.events.forget(T0 + DAY, 10)
        assert read(store, after) == EventPage([], after)
        new = event()
        announce(store, new)
        assert list(read(store, after).items) == [new]


class TestAudit:
    def entry(self, **changes: object) -> AuditEntry:
        made = AuditEntry(
            samples.new_id("aud"), T0, "operator", "source.changed", samples.new_id("ptn"),
            (samples.new_id("src"),), "Because 📦.", {"mode": "full"},
            {"mode": "delta", "limits": [1, None], "share": "0.05"},
        )  # fmt: skip
        return evolve(made, **changes)

    def keep(self, store: Store, *entries: AuditEntry) -> None:
        with store.begin() as unit:
            for entry in entries:
                unit.audit.add(entry)

    def test_an_entry_is_kept_as_it_is(self, store: Store):
        """`page` gives the very entries that were added, newest first, whatever they lack."""
        bare = {"partner_id": None, "subjects": (), "note": None, "before": None, "after": None}
        entries = [self.entry(), self.entry(**bare), self.entry(subjects=("a", "b"))]
        self.keep(store, *entries)
        with store.begin() as unit:
            assert unit.audit.page(AuditQuery(), None, 10).items == tuple(reversed(entries))
            walked = list(every(lambda after: unit.audit.page(AuditQuery(), after, 2)))
            assert walked == entries[::-1]

    def test_a_query_keeps_what_fits_every_filter(self, store: Store):
        """Partner, actor, action, subject and time (from included, to not) all have to fit."""
        entries = [
            self.entry(),
            self.entry(actor="key_1", action="key.issued", at=T0 + DAY),
            self.entry(actor="key_1", subjects=("feed_1", "job_1"), at=T0 + 2 * DAY),
        ]
        self.keep(store, *entries)

        def fitting(**filters: object) -> list[int]:
            query = AuditQuery(**filters)  # type: ignore[arg-type]
            with store.begin() as unit:
                found = unit.audit.page(query, None, 10).items
                assert unit.audit.count(query) == len(found)
            return [entries.index(entry) for entry in found]

        assert fitting() == [2, 1, 0]
        assert fitting(partner_id=entries[1].partner_id) == [1]
        assert fitting(actor="key_1") == [2, 1]
        assert fitting(action="key.issued") == [1]
        assert fitting(subject="job_1") == [2]
        assert fitting(subject="job") == []
        assert fitting(since=T0 + DAY) == [2, 1]
        assert fitting(until=T0 + DAY) == [0]
        assert fitting(actor="key_1", since=T0, until=T0 + 2 * DAY) == [1]
        assert fitting(actor="operator", action="key.issued") == []
