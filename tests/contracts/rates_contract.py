"""What the collection of rates promises, and a store that is bounded by an effort."""

from contextlib import ExitStack

import pytest

from commerce_core.base.errors import TooMany
from commerce_core.base.rates import Rate
from commerce_core.catalog.product import ProductQuery
from commerce_core.ports.store import Store
from entrypoints.http.admission.efforts import Gone, RequestEffort
from tests.contracts.threads import together

NEVER = Rate(per_second=1e-9, burst=5)
"""So slow that nothing comes back while a test runs."""
AT_ONCE = Rate(per_second=1e9, burst=5)


def take(store: Store, wanted: int, subject: str = "key_a", rate: Rate = NEVER) -> int:
    with store.begin() as unit:
        return unit.rates.take("requests", subject, rate, wanted)


def spend(store: Store, cost: float, subject: str = "key_a", rate: Rate = NEVER) -> float:
    with store.begin() as unit:
        return unit.rates.spend("requests", subject, rate, cost)


def effort(snapshots: int = 1, caller: str = "key_a") -> RequestEffort:
    return RequestEffort(caller, 60, snapshots)


class TestRates:
    def test_a_new_subject_has_a_full_bucket(self, store: Store):
        assert [take(store, 3), take(store, 3), take(store, 3)] == [3, 2, 0]

    def test_more_than_a_full_bucket_is_never_taken(self, store: Store):
        assert take(store, 100) == 5

    def test_what_was_taken_comes_back_by_the_rate(self, store: Store):
        assert take(store, 5, rate=AT_ONCE) == 5
        assert take(store, 5, rate=AT_ONCE) == 5

    def test_subjects_and_limits_have_buckets_of_their_own(self, store: Store):
        assert take(store, 5) == 5
        assert take(store, 5, "key_b") == 5
        with store.begin() as unit:
            assert unit.rates.take("uploads", "key_a", NEVER, 1) == 1

    def test_what_is_spent_afterwards_may_leave_less_than_nothing(self, store: Store):
        assert [spend(store, 2.5), spend(store, 4)] == pytest.approx([2.5, -1.5])
        assert take(store, 1) == 0
        assert spend(store, 2.5, "key_b") == pytest.approx(2.5)

    def test_a_debt_is_made_up_for_by_the_rate_and_a_bucket_is_never_more_than_full(
        self, store: Store
    ):
        assert spend(store, 8, rate=AT_ONCE) == pytest.approx(-3)
        assert [spend(store, 1, rate=AT_ONCE) for _ in range(2)] == pytest.approx([4, 4])

    def test_spending_at_once_counts_each(self, store: Store):
        together(*[lambda: spend(store, 0.5)] * 9)
        assert spend(store, 0) == pytest.approx(0.5)

    def test_all_that_ask_at_once_get_no_more_than_there_is(self, store: Store):
        assert sum(together(*[lambda: take(store, 1)] * 9)) == 5


class TestBounded:
    def test_an_effort_changes_no_answer(self, store: Store):
        with store.bounded(effort()).begin() as unit:
            assert unit.products.count(ProductQuery()) == 0
        with store.bounded(effort()).read_only() as unit:
            assert unit.partners.find("nobody") is None

    def test_nothing_begins_for_a_caller_who_has_gone(self, store: Store):
        over = effort()
        over.cancel()
        bounded = store.bounded(over)
        with pytest.raises(Gone), bounded.begin():
            pass
        with pytest.raises(Gone), bounded.read_only():
            pass
        with pytest.raises(Gone), bounded.snapshot(ProductQuery()):
            pass

    def test_a_caller_takes_so_many_snapshots_at_once(self, store: Store):
        """One more is refused for it and not for others, and taken when another has ended."""
        with ExitStack() as taken:
            for _ in range(2):
                taken.enter_context(store.bounded(effort(2)).snapshot(ProductQuery()))
            with (
                pytest.raises(TooMany) as refusal,
                store.bounded(effort(2)).snapshot(ProductQuery()),
            ):
                pass
            assert (refusal.value.limit, refusal.value.most) == ("exports", 2)
            with store.bounded(effort(2, "key_b")).snapshot(ProductQuery()):
                pass
        with store.bounded(effort(2)).snapshot(ProductQuery()):
            pass
