"""Functions that are passed into the core: the clock, and the one that keeps a lease."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime

from commerce_core.ports.work import Work
from commerce_core.work.attempt import Progress

Clock = Callable[[], datetime]
"""The present moment, aware, in UTC."""
KeepLease = Callable[[Work, str], AbstractContextManager[Callable[[Progress], None]]]
"""Keeps the lease of work alive for as long as the context lasts.

The text names the session that the run works in, so that a takeover can end it; it is empty while
the run has none. Returns a function that takes the latest progress, and that raises RunLost once
the work has been taken over or cancelled, and FileRefused `out_of_time` once a job's time budget is
used up.
"""
