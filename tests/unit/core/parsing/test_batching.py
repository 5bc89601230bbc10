"""How much is read at a time: less where a profile's patterns make each character costly."""

import io
import json
from zoneinfo import ZoneInfo

import pytest

from adapters.polars_feeds.engine import PolarsEngine
from commerce_core.parsing.batching import TEXT_OF_BATCH, text_of_batch
from commerce_core.parsing.record_reader import Terms
from commerce_core.parsing.reference import ReferenceEngine
from commerce_core.ports.engine import FeedEngine
from commerce_core.profiles.patterns import MOST_STEPS
from commerce_core.profiles.profile import Column, Profile

COSTLY = Profile(columns={"mpn": Column(("mpn",), pattern=f"(a{{1,{MOST_STEPS}}})")})
CHEAP = Profile(columns={"mpn": Column(("mpn",), pattern="(a+)")})
RECORDS = [{"sku": f"A{number}", "mpn": "a" * MOST_STEPS} for number in range(3_000)]
CSV = "sku,mpn\n" + "".join(f"{record['sku']},{record['mpn']}\n" for record in RECORDS)
JSON = "".join(json.dumps(record) + "\n" for record in RECORDS)


def test_a_batch_has_less_text_the_more_steps_the_patterns_take():
    assert text_of_batch(Profile()) == text_of_batch(CHEAP) == TEXT_OF_BATCH
    assert text_of_batch(COSTLY) == TEXT_OF_BATCH * 10 // MOST_STEPS


@pytest.mark.slow
@pytest.mark.parametrize("file", [CSV, JSON], ids=["csv", "jsonl"])
@pytest.mark.parametrize("engine", [ReferenceEngine(), PolarsEngine()], ids=["core", "polars"])
def test_a_file_with_costly_patterns_is_read_in_small_steps(engine: FeedEngine, file: str):
    """So that its run can be ended soon, and others get their turn in between."""

    def batches(profile: Profile) -> int:
        terms = Terms("delta", "EUR", ZoneInfo("UTC"), profile)
        return sum(1 for _ in engine.open(io.BytesIO(file.encode()), terms).batches())

    assert batches(CHEAP) <= 2  # The first one may be small, for a server that waits for it.
    assert batches(COSTLY) >= len(CSV) // text_of_batch(COSTLY)
