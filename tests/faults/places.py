"""Which places an undisturbed act passes, found by watching one: those of the code as it is now."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing

from attrs import define, evolve, field

from adapters.postgres import PostgresStore
from commerce_core.commerce import Commerce
from entrypoints.fail_points import FailPoint
from entrypoints.leases import lease_keeper
from tests.support.servers.platform import Platform


@define
class _Watcher(FailPoint):
    """Fails nowhere, and notes every place in its order."""

    seen: list[str] = field(factory=list[str])

    def passing(self, name: str) -> None:
        self.seen.append(name)


def places_of(platform: Platform, act: Callable[[Commerce], object]) -> tuple[str, ...]:
    """The places at which a process that does this may be killed, each leaving another state.

    Before a call and before its first statement all is as after the call before it; so those that
    matter are after calls and commits, between statements, and between pieces of a file.
    """
    watcher = _Watcher("", 1, "")
    with (
        platform.opened() as commerce,
        closing(PostgresStore(platform.database_url, before_each=watcher.statement)) as store,
    ):
        context = evolve(
            commerce.context, store=store, keep_lease=lease_keeper(store, platform.lease)
        )
        act(Commerce(watcher.around(context)))
    return tuple(_telling(watcher.seen))


def _telling(seen: list[str]) -> Iterator[str]:
    times = Counter[str]()
    last = Counter(seen)
    for name in seen:
        times[name] += 1
        number = times[name]
        kind = name.rpartition(".")[2]
        # Of a call that comes often the first and the last are enough.
        often = number not in (1, last[name])
        between = kind == "statement" and number > 1 and name.startswith("products.")
        whole = kind in ("after", "committed", "batches", "read") and not often
        if between or whole:
            yield f"{name}@{number}"
