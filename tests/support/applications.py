"""Applications for tests, each of which takes up what an earlier test has left idle.

Making one of some hundred routes takes longer than most tests, and starting a process that reads
files takes most of a second.
"""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager

import pytest
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler

from commerce_core.commerce import Commerce
from entrypoints.apart import Examiners
from entrypoints.http import app
from entrypoints.http.app import attach, create_app
from entrypoints.limits import Limits
from entrypoints.settings import Settings

Home = Callable[[Settings], Sequence[HTTPRouteHandler]]
_idle: dict[tuple[int, Home | None], list[Litestar]] = {}


@contextmanager
def application(
    commerce: Commerce, settings: Settings, home: Home | None = None
) -> Generator[Litestar]:
    """The application on this platform alone; afterwards it may serve another one."""
    idle = _idle.setdefault((settings.most_upload_bytes, home), [])
    if idle:
        taken = idle.pop()
        attach(taken, commerce, settings)
    elif home:
        taken = create_app(commerce, settings, home=home(settings))
    else:
        taken = create_app(commerce, settings)
    yield taken
    idle.append(taken)


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
