"""What partners are owed, in the store in memory, against a book of one page."""

from adapters.memory import MemoryStore
from tests.contracts.money_machine import BEGIN, hold


def test_whatever_happens_partners_are_owed_what_the_book_says():
    hold(MemoryStore(lambda: BEGIN), examples=15, steps=20)
