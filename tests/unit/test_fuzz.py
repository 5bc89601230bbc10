"""Every reader meets damaged bytes for some seconds, and nothing but a known refusal comes out."""

import pytest

from tests.fuzz.engine import fuzz
from tests.fuzz.readers import READERS

SEED = 20260317
"""Of the inputs that every run meets; `make fuzz` goes on from others."""
SECONDS = 40 / len(READERS)


@pytest.mark.slow
@pytest.mark.parametrize("reader", READERS)
def test_damaged_bytes_are_read_or_refused_in_little_time_and_memory(reader: str):
    tally = fuzz(reader, SECONDS, SEED)
    assert tally.inputs > 100
    assert tally.outcomes > 10
