"""What every test runs under."""

import gc
import os

import pytest
from hypothesis import settings

from tests.support.examples import ALL, ANY_PACE, SOME

# Contracts are written once and run over every adapter; their asserts explain themselves too.
pytest.register_assert_rewrite("tests.contracts")

# `quick` tries some examples, `long` all (--hypothesis-profile=long). In CI they are the same ones
# each time; elsewhere new ones are looked for, and those that failed are kept.
REPEATED = {"derandomize": True, "database": None, "print_blob": True}
for name, count in (("quick", SOME), ("long", ALL)):
    settings.register_profile(
        name,
        max_examples=count,
        deadline=None,
        suppress_health_check=ANY_PACE,
        **(REPEATED if os.environ.get("CI") else {}),
    )
settings.load_profile("quick")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What shares something that was set up at length stays together (--dist=loadgroup).

    The longest begin first, so that no worker sits idle beside the last one at the end.
    """
    for item in items:
        found = item._fixtureinfo.name2fixturedefs if isinstance(item, pytest.Function) else {}
        if any(fixture.scope == "module" for fixtures in found.values() for fixture in fixtures):
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Refuses versions of pytest and xdist that ignore groups; sets the tests aside.

    The tests themselves, half a million objects, are kept out of every garbage collection: with
    them, each full one takes half a second, and there is one every few tests.
    """
    grouped = [item for item in session.items if item.get_closest_marker("xdist_group")]
    if session.config.getoption("loadgroup", default=False):
        assert all("@" in item.nodeid for item in grouped), "xdist ignores the groups of tests"
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
