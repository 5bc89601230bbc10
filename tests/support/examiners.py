"""Processes that read files for all applications of a test run: one takes most of a second."""

from collections.abc import Generator
from contextlib import contextmanager

import pytest

from entrypoints.apart import Examiners
from entrypoints.http import app
from entrypoints.limits import Limits


@contextmanager
def shared_examiners() -> Generator[None]:
    """Applications made meanwhile take the processes that another one of equal limits started."""
    kept: dict[tuple[float, int], Examiners] = {}

    class Shared(Examiners):
        @classmethod
        def of(cls, limits: Limits) -> Examiners:
            bounds = limits.limit_examination_seconds, limits.limit_examination_bytes
            return kept.setdefault(bounds, cls(*bounds))

        def close(self) -> None:
            """Ends nothing: another application goes on with them."""

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app, "Examiners", Shared)
        yield
    for examiners in kept.values():
        Examiners.close(examiners)
