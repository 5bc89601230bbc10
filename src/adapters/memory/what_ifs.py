"""Runs of what-ifs in memory."""

from datetime import datetime

from attrs import frozen

from adapters.memory.tables import Tables, found
from commerce_core.pricing.what_if import WhatIfRun


@frozen
class WhatIfs:
    """Implements `commerce_core.ports.what_ifs.WhatIfs`."""

    _kept: Tables

    def add(self, run: WhatIfRun) -> None:
        """Keeps a new run."""
        self._kept.what_ifs[run.what_if_id] = run

    def get(self, what_if_id: str) -> WhatIfRun:
        """The run."""
        return found(self._kept.what_ifs, what_if_id, "what-if run")

    def put(self, run: WhatIfRun) -> None:
        """Replaces a run."""
        self.get(run.what_if_id)
        self._kept.what_ifs[run.what_if_id] = run

    def queued(self) -> int:
        """How many runs aren't finished."""
        return sum(run.finished_at is None for run in self._kept.what_ifs.values())

    def forget(self, before: datetime) -> int:
        """Deletes old runs."""
        runs = self._kept.what_ifs.values()
        old = [run.what_if_id for run in runs if run.finished_at and run.finished_at < before]
        for what_if_id in old:
            del self._kept.what_ifs[what_if_id]
        return len(old)
