"""Every reader meets hundreds of damaged files, and nothing but a known refusal comes out."""

import pytest

from tests.fuzz.engine import fuzz
from tests.fuzz.readers import READERS
from tests.support.examples import scaled

SEED = 20260317
"""Of the inputs that every run meets; `make fuzz` goes on from others."""
INPUTS = scaled(2_000)


@pytest.mark.slow
@pytest.mark.parametrize("reader", READERS)
def test_damaged_bytes_are_read_or_refused_in_little_time_and_memory(reader: str):
    tally = fuzz(reader, SEED, lambda inputs: inputs < INPUTS)
    assert tally.outcomes >= 8
