"""The quick ones of the faults that the platform survives; `make faults` tries them all."""

from pathlib import Path
from typing import get_args

import pytest

from commerce_core.feeds.place import PlaceKind
from tests.faults import addresses, feeds, orders

pytestmark = pytest.mark.processes


def test_the_answer_to_commit_may_be_lost(tmp_path: Path):
    """A request sent again with its key gets the same answer and has one effect, acts too."""
    assert "one effect" in orders.answer_to_commit_cut(tmp_path)


def test_a_worker_may_die_at_any_point(tmp_path: Path):
    """Readers see the old catalog or the new; the end is that of an undisturbed run."""
    runs = ("products.apply.statement@2", "events.add.committed")
    told = feeds.killed_everywhere(tmp_path, ("idempotency.keep.committed",), runs, times=0)
    assert "equal each time" in told


def test_no_address_leads_inside(tmp_path: Path):
    """However it is written, and whatever its name or a redirect leads to later."""
    assert addresses.KINDS.keys() >= {*get_args(PlaceKind)}, "some kind of place isn't tried"
    assert "0 connections to the victim" in addresses.inside(tmp_path)
