"""Port: runs of what-ifs, with their reports."""

from datetime import datetime
from typing import Protocol

from commerce_core.pricing.what_if import WhatIfRun


class WhatIfs(Protocol):
    """Runs, from when they are asked for until they are forgotten."""

    def add(self, run: WhatIfRun) -> None:
        """Stores a new run."""
        ...

    def get(self, what_if_id: str) -> WhatIfRun:
        """The run, or NotFound."""
        ...

    def put(self, run: WhatIfRun) -> None:
        """Replaces a run's status, report, problem and end; NotFound if there is no such run."""
        ...

    def queued(self) -> int:
        """How many runs aren't finished."""
        ...

    def forget(self, before: datetime) -> int:
        """Deletes the runs that finished before that moment, and returns how many."""
        ...


class WhatIfsUnit(Protocol):
    """The part of a unit of work for runs of what-ifs."""

    @property
    def what_ifs(self) -> WhatIfs:
        """The runs."""
        ...
