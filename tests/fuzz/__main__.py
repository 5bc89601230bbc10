"""Fuzzes every reader in turns: `python -m tests.fuzz SECONDS [SEED]`, or `make fuzz SECONDS=900`.

Without a seed each run has another one. The first broken promise ends the run with exit code 1, and
says the seed and the bytes: put them into the corpus with a test once it is mended.
"""

import secrets
import sys
from time import monotonic
from typing import Final

from tests.fuzz.engine import BrokenPromise, fuzz
from tests.fuzz.readers import READERS

_TURN: Final = 30.0


def main(words: list[str]) -> int:
    """The exit code of a run of so many seconds."""
    seconds = float(words[0]) if words else 900.0
    seed = int(words[1]) if len(words) > 1 else secrets.randbelow(10**9)
    end = monotonic() + seconds
    while (left := end - monotonic()) > 0:
        turn = min(_TURN, left / len(READERS))
        for name in READERS:
            try:
                turn_ends = monotonic() + turn
                tally = fuzz(name, seed, lambda _, ends=turn_ends: monotonic() < ends)
            except BrokenPromise as broken:
                sys.stderr.write(f"{broken}\n")
                return 1
            told = f"{tally.reader:16} {tally.inputs:8,} inputs, {tally.outcomes:5,} outcomes"
            sys.stdout.write(f"seed {seed:<12} {told}\n")
            sys.stdout.flush()
        seed += 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
