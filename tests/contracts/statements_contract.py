"""What the collections of terms and statements promise."""

from datetime import timedelta
from decimal import Decimal

import pytest
from attrs import evolve

from commerce_core.analytics.ledger import SalesEntry
from commerce_core.analytics.statement import Account, Statement, StatementQuery
from commerce_core.base.errors import Conflict, NotFound
from commerce_core.partners.terms import PartnerTerms, Term
from commerce_core.ports.store import Store
from tests.contracts import samples
from tests.contracts.samples import DAY, SECOND, T0, line
from tests.contracts.threads import together


def statement(partner_id: str, number: int = 1, **changes: object) -> Statement:
    since = T0 + (number - 1) * DAY
    made = Statement(
        samples.new_id("stmt"), partner_id, "EUR", number, since, since + DAY, "Europe/Rome", "day",
        Decimal("1.00"), Decimal("5.50"), Decimal("2.00"), Decimal("4.50"), 3, "closed", "ab" * 32,
        since + DAY, since + DAY + SECOND,
    )  # fmt: skip
    return evolve(made, **changes)


def sold(partner_id: str, *times: int) -> list[SalesEntry]:
    """An entry for each number of seconds after T0."""
    item = line(partner_id)
    order = samples.order(item)
    return [samples.entry(order, item, T0 + at * SECOND) for at in times]


class TestTerms:
    def test_terms_are_kept_in_versions(self, store: Store):
        """`of` gives the latest, `versions` all of them; decimals and times stay as they are."""
        one, two = samples.new_id("ptn"), samples.new_id("ptn")
        first = PartnerTerms(one, 1, "week", [Term(Decimal("12.50"))], T0)
        term = Term(
            Decimal(10), Decimal("0.30"), "EUR", None, "Ω 📦", T0, T0 + timedelta(microseconds=1)
        )
        second = PartnerTerms(one, 2, "day", [term, Term(category="A > B")], T0 + DAY)
        with store.begin() as unit:
            unit.terms.put(first)
            unit.terms.put(second)
        with store.begin() as unit:
            assert unit.terms.of([one, two]) == {one: second}
            assert unit.terms.of([]) == {}
            assert list(unit.terms.versions(one)) == [second, first]
            assert list(unit.terms.versions(two)) == []
            assert str(unit.terms.versions(one)[1].terms[0].commission_percent) == "12.50"

    def test_a_version_is_stored_once(self, store: Store):
        """Of two changes of the same version, one is a Conflict `terms_changed`."""
        one = samples.new_id("ptn")
        with store.begin() as unit:
            unit.terms.put(PartnerTerms(one, 1, created_at=T0))
        with pytest.raises(Conflict) as refused, store.begin() as unit:
            unit.terms.put(PartnerTerms(one, 1, created_at=T0))
        assert refused.value.code == "terms_changed"


class TestStatements:
    def test_a_statement_is_kept_as_it_is(self, store: Store):
        """`get` and `page` give what was added, and NotFound what wasn't."""
        made = statement(samples.new_id("ptn"))
        with store.begin() as unit:
            unit.statements.add(made)
        with store.begin() as unit:
            assert unit.statements.get(made.statement_id or "") == made
            assert unit.statements.page(StatementQuery(), None, 5).items == (made,)
            with pytest.raises(NotFound):
                unit.statements.get("stmt_" + "0" * 32)

    def test_a_query_keeps_what_fits_every_filter(self, store: Store):
        """Partner, currency, and when it ends (from included, to not); newest first."""
        one, two = samples.new_id("ptn"), samples.new_id("ptn")
        made = [statement(one), statement(one, 2), statement(two, currency="USD")]
        with store.begin() as unit:
            for each in made:
                unit.statements.add(each)

        def fitting(**filters: object) -> list[int]:
            query = StatementQuery(**filters)  # type: ignore[arg-type]
            with store.begin() as unit:
                found = unit.statements.page(query, None, 10).items
                assert unit.statements.count(query) == len(found)
            return [made.index(each) for each in found]

        assert fitting() == [2, 1, 0]
        assert fitting(partner_id=one) == [1, 0]
        assert fitting(currency="USD") == [2]
        assert fitting(since=T0 + 2 * DAY) == [1]
        assert fitting(until=T0 + 2 * DAY) == [2, 0]

    def test_a_number_is_taken_once(self, store: Store):
        """A second statement with the number of one is a Conflict `statement_closed`."""
        one = samples.new_id("ptn")
        with store.begin() as unit:
            unit.statements.add(statement(one))
            unit.statements.add(statement(one, currency="USD"))
        with pytest.raises(Conflict) as refused, store.begin() as unit:
            unit.statements.add(statement(one))
        assert refused.value.code == "statement_closed"

    def test_it_takes_what_no_statement_has(self, store: Store):
        """`take` gives it each entry before that moment, late ones too, and those alone."""
        someone, _ = samples.settled(store)
        one, two = someone.partner_id, samples.new_id("ptn")
        early, late, other = sold(one, 0, 5), sold(one, 1, 9), sold(two, 2)
        first, second = samples.new_id("stmt"), samples.new_id("stmt")
        with store.begin() as unit:
            unit.sales.add([*early, *other, evolve(early[0], entry_id=samples.new_id("ent"),
                                                   currency="USD")])  # fmt: skip
            unit.statements.take(first, one, "EUR", T0 + 5 * SECOND)
        with store.begin() as unit:
            unit.sales.add(late)
            unit.statements.take(second, one, "EUR", T0 + 9 * SECOND)
            assert [each.entry for each in unit.statements.lines(first, None, 9)] == early[:1]
            assert [each.entry for each in unit.statements.lines(second, None, 9)] == [
                early[1],
                late[0],
            ]
            left = unit.statements.open_lines(one, "EUR", T0 + DAY, None, 9)
            assert [each.entry for each in left] == late[1:]
            assert not unit.statements.open_lines(one, "EUR", T0 + 9 * SECOND, None, 9)
            assert unit.statements.of_entry(early[1].entry_id) == second
            assert unit.statements.of_entry(late[1].entry_id) is None

    def test_lines_come_some_at_a_time(self, store: Store):
        """In the order of the entries' ids, beyond the one given."""
        one, id_ = samples.new_id("ptn"), samples.new_id("stmt")
        made = sold(one, *range(5))
        with store.begin() as unit:
            unit.sales.add(made)
            some = unit.statements.open_lines(one, "EUR", T0 + DAY, made[0].entry_id, 2)
            assert [each.entry for each in some] == made[1:3]
            unit.statements.take(id_, one, "EUR", T0 + DAY)
            some = unit.statements.lines(id_, made[2].entry_id, 9)
            assert [each.entry for each in some] == made[3:]

    def test_a_line_leads_back_to_the_statement_that_it_reverses(self, store: Store):
        """Unless that is the same statement, or none yet."""
        one = samples.new_id("ptn")
        first, second, third = (samples.new_id("stmt") for _ in range(3))
        placed = sold(one, 0)[0]

        def undone(at: int, of: SalesEntry) -> SalesEntry:
            return evolve(
                placed, entry_id=samples.new_id("ent"), kind="refunded", reverses=of.entry_id,
                at=T0 + at * SECOND,
            )  # fmt: skip

        later = undone(1, placed)
        again = undone(1, later)
        with store.begin() as unit:
            unit.sales.add([placed, later, again])
            assert links(unit.statements.open_lines(one, "EUR", T0 + DAY, None, 9)) == [None] * 3
            unit.statements.take(first, one, "EUR", T0 + SECOND)
            unit.statements.take(second, one, "EUR", T0 + DAY)
            assert links(unit.statements.lines(first, None, 9)) == [None]
            assert links(unit.statements.lines(second, None, 9)) == [first, None]
            unit.sales.add([undone(2, placed)])
            assert links(unit.statements.open_lines(one, "EUR", T0 + DAY, None, 9)) == [first]
            unit.statements.take(third, one, "EUR", T0 + DAY)
            assert links(unit.statements.lines(third, None, 9)) == [first]

    def test_what_is_owed_is_the_latest_closing_and_what_came_since(self, store: Store):
        """Entries of every kind, by their signs."""
        one = samples.new_id("ptn")
        item = line(one)
        order = samples.order(item)
        with store.begin() as unit:
            assert unit.statements.owed(one, "EUR") == 0
            unit.sales.add([samples.entry(order, item, partner_amount=Decimal("10.00"))])
            assert unit.statements.owed(one, "EUR") == 10
            unit.statements.take(samples.new_id("stmt"), one, "EUR", T0 + DAY)
            unit.statements.add(statement(one, closing=Decimal("4.50")))
            assert unit.statements.owed(one, "EUR") == Decimal("4.50")
            unit.sales.add(
                samples.entry(order, item, kind=kind, partner_amount=Decimal(amount))
                for kind, amount in [("cancelled", "1.00"), ("payout", "2.00"), ("fee", "-0.25"),
                                     ("correction", "0.75")]
            )  # fmt: skip
            assert unit.statements.owed(one, "EUR") == Decimal("2.00")
            assert unit.statements.owed(one, "USD") == 0

    def test_a_partner_has_an_account_in_each_of_its_currencies(self, store: Store):
        """Its own since it was added, and those of its entries; each with its latest statement."""
        someone, _ = samples.settled(store, currency="EUR")
        one, two = someone.partner_id, samples.new_id("ptn")
        late = someone.created_at + DAY
        item = line(one)
        entries = [
            samples.entry(samples.order(item), item, late, currency="USD"),
            samples.entry(samples.order(item), item, late + DAY, currency="USD"),
            samples.entry(samples.order(item), item, late, currency="EUR"),
            samples.entry(samples.order(item), line(two), late, partner_id=two),
        ]
        closed = [statement(one, 1, currency="USD"), statement(one, 2, currency="USD")]
        with store.begin() as unit:
            unit.sales.add(entries)
            for each in closed:
                unit.statements.add(each)
        with store.begin() as unit:
            assert list(unit.statements.accounts(one)) == [
                Account(one, "EUR", someone.created_at),
                Account(one, "USD", late, closed[1]),
            ]
            every = unit.statements.accounts()
            assert [(each.partner_id, each.currency) for each in every] == sorted(
                [(one, "EUR"), (one, "USD"), (two, "EUR")]
            )

    def test_of_two_that_take_at_once_each_entry_is_taken_once(self, store: Store):
        """The partner is locked by both, so the second one sees what the first has taken."""
        someone, _ = samples.settled(store)
        one = someone.partner_id
        with store.begin() as unit:
            unit.sales.add(sold(one, *range(20)))

        def take() -> int:
            id_ = samples.new_id("stmt")
            with store.begin() as unit:
                unit.partners.lock(one)
                unit.statements.take(id_, one, "EUR", T0 + DAY)
                return len(unit.statements.lines(id_, None, 50))

        assert sorted(together(take, take)) == [0, 20]


def links(lines: object) -> list[str | None]:
    return [each.reverses_statement_id for each in lines]  # type: ignore[attr-defined]


class TestDifferences:
    def test_statements_that_differ_are_kept_until_a_comparison_finds_them_gone(self, store: Store):
        one, two = samples.new_id("ptn"), samples.new_id("ptn")
        odd = statement(one)  # It opens with 1.00 after none, and has no entries.
        with store.begin() as unit:
            unit.statements.add(odd)
            assert unit.books.differences(None) == []
            assert unit.books.note_differences(T0) == 3
        with store.begin() as unit:
            found = unit.books.differences(one)
            assert unit.books.differences(None) == found
            assert unit.books.differences(two) == []
        assert [each.identity for each in found] == [
            "entries_belong", "statements_follow", "statements_make_ledger",
        ]  # fmt: skip
        added = found[1]
        assert (added.statement_id, added.partner_id) == (odd.statement_id, one)
        assert (added.left, added.right) == (Decimal("1.00"), Decimal(0))
        assert (added.first_at, added.latest_at) == (T0, T0)
        assert added.sentence.startswith("A statement's opening: 1.00; the closing of the one")
        fine = statement(
            two, opening=Decimal(0), entries=Decimal(0), payouts=Decimal(0), closing=Decimal(0),
            entry_count=0,
        )  # fmt: skip
        with store.begin() as unit:
            unit.statements.add(fine)
            assert unit.books.note_differences(T0 + DAY) == 3
        with store.begin() as unit:
            again = unit.books.differences(None)
            assert {(each.first_at, each.latest_at) for each in again} == {(T0, T0 + DAY)}
            assert unit.books.differences(two) == []

    def test_what_is_made_good_is_gone(self, store: Store):
        """The entry of a statement that came later, as after a repair by hand."""
        one = samples.new_id("ptn")
        (entry,) = sold(one, 1)
        owed = entry.signed.partner_amount or entry.signed.amount
        late = statement(
            one, opening=Decimal(0), entries=owed, payouts=Decimal(0), closing=owed, entry_count=1
        )
        with store.begin() as unit:
            unit.statements.add(late)
            assert unit.books.note_differences(T0) == 2
        with store.begin() as unit:
            unit.sales.add([entry])
            unit.statements.take(late.statement_id or "", one, "EUR", late.until)
            assert unit.books.note_differences(T0 + DAY) == 0
            assert unit.books.differences(None) == []
