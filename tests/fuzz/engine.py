"""The fuzzer: damages files of a corpus, and stops at the first broken promise.

An input whose outcome no input had before joins the corpus, so that damage builds on damage. All of
it follows from the seed: the same seed gives the same inputs in the same order, on any machine, and
a longer run only gives more of them.
"""

import random
import resource
import signal
import traceback
import zlib
from base64 import b64encode
from collections.abc import Callable, Generator
from contextlib import contextmanager
from time import process_time
from types import FrameType
from typing import Final, NoReturn

from attrs import frozen

from tests.fuzz.mutation import CORPUS, mutated
from tests.fuzz.readers import READERS

MOST_SECONDS: Final = 2.0
"""Processor time that one input of up to 64 KB may take."""
_MOST_KILOBYTES: Final = 200 * 1024
_HANGS_AFTER: Final = 20.0
_MOST_KEPT: Final = 2_000


class BrokenPromise(AssertionError):
    """What went wrong, with all that is needed to see it again."""


@frozen
class Tally:
    """How many inputs a reader was given, and how many kinds of outcome they had."""

    reader: str
    inputs: int
    outcomes: int


def fuzz(name: str, seed: int, goes_on: Callable[[int], bool]) -> Tally:
    """Gives one reader damaged files; BrokenPromise tells the seed and the bytes.

    `goes_on` is asked before each of them, with how many there have been.
    """
    read = READERS[name]
    corpus = [path.read_bytes() for path in sorted(CORPUS.iterdir())]
    waiting = list(corpus)
    seen: set[object] = set()
    inputs = 0
    while goes_on(inputs):
        chance = random.Random(f"{seed} {name} {inputs}")
        fresh = waiting.pop() if waiting else None
        data = fresh or mutated(chance, _one_of(chance, corpus), chance.choice(corpus))
        with _bounded(name, seed, inputs, data):
            outcome = read(data)
        inputs += 1
        if outcome not in seen:
            seen.add(outcome)
            if len(corpus) < _MOST_KEPT:
                corpus.append(data)
    return Tally(name, inputs, len(seen))


def _one_of(chance: random.Random, corpus: list[bytes]) -> bytes:
    """Any of them, or one of those that came last."""
    return chance.choice(corpus if chance.randrange(2) else corpus[-30:])


@contextmanager
def _bounded(name: str, seed: int, number: int, data: bytes) -> Generator[None]:
    """Whatever happens inside that mustn't is a BrokenPromise: an error, a hang, a waste."""
    begun, memory = process_time(), _most_memory()
    try:
        with _alarm(_HANGS_AFTER):
            yield
        took, grown = process_time() - begun, _most_memory() - memory
        assert took < MOST_SECONDS, f"took {took:.1f} s"
        assert grown < _MOST_KILOBYTES, f"took {grown / 1024:.0f} MB"
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        what = "".join(traceback.format_exception(error)[-4:])
        packed = b64encode(zlib.compress(data, 9)).decode()
        told = f"{name}: input {number} of seed {seed}, {len(data)} bytes: {data[:200]!r}"
        again = f'zlib.decompress(b64decode("{packed}"))'
        raise BrokenPromise(f"{told}\n{again}\n{what}") from error


def _most_memory() -> int:
    """The most kilobytes that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@contextmanager
def _alarm(seconds: float) -> Generator[None]:
    """Interrupts what takes that much processor time."""

    def ring(_signal: int, _frame: FrameType | None) -> NoReturn:
        raise TimeoutError(f"hangs: over {seconds} s")

    before: Callable[[int, FrameType | None], object] | int | None
    before = signal.signal(signal.SIGVTALRM, ring)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
