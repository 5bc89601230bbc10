"""Functions that the core is given: the clock, and what keeps a lease."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime

from commerce_core.feeds.job import Job, Progress

Clock = Callable[[], datetime]
"""The present moment, aware, in UTC."""
KeepLease = Callable[[Job, str], AbstractContextManager[Callable[[Progress], None]]]
"""Keeps the lease of a job alive for as long as the context lasts.

The text names the session that the run works in, so that a takeover can end it; it is empty while
the run has none. Gives a function that takes the latest progress, and raises RunLost once the job
was taken over.
"""
