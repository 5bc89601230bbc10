"""Breaks the platform in every way that it promises to survive, and prints what held.

python -m tests.faults            all of it, which takes many minutes
python -m tests.faults 3 4        these lines
"""

import logging
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.faults import addresses, crowds, feeds, fetching, orders, queue, readers

LINES: Mapping[int, tuple[str, Callable[[Path], str]]] = {
    1: ("server killed under orders and acts on them", orders.server_killed),
    2: ("PostgreSQL stopped at once, killed, its sessions ended", orders.database_killed),
    3: ("the answer to COMMIT cut", orders.answer_to_commit_cut),
    4: ("concurrent posts with one key, fifty refunds of one order", orders.one_key_at_once),
    5: ("fifty writers on three products, all acts, server killed", orders.few_products),
    6: ("worker killed at named points and random times", feeds.killed_everywhere),
    7: ("worker stopped past its lease, then continued", feeds.stopped_past_its_lease),
    8: ("events of a bucket doubled, shuffled, lost", fetching.events_in_disorder),
    9: ("object replaced while it is read", fetching.replaced_while_read),
    12: ("S3 slow, reset, 503, cut, away", feeds.files_far_away),
    13: ("PostgreSQL unreachable", orders.unreachable),
    14: ("disk full", feeds.full_disk),
    15: ("a feed that kills its worker", feeds.set_aside),
    16: ("SIGTERM under load", orders.ended_under_load),
    17: ("four times the load it can take", crowds.overloaded),
    19: ("clock off by ten days", feeds.wrong_clock),
    22: ("bombs, huge cells, columns without end", readers.bombs),
    23: ("addresses that lead inside", addresses.inside),
    26: ("1,500 connections without a key", crowds.strangers),
    27: ("36 hard files to doctor, clients gone", crowds.hard_files),
    28: ("files and profiles made to hurt a reader", readers.family),
    29: ("one partner queues sixty feeds", queue.fair),
    30: ("one key takes exports, q, counts, reports, metrics", crowds.one_greedy_key),
    31: ("a small temporary folder", crowds.small_temporary_folder),
    35: ("running jobs cancelled at random times", queue.cancelled),
    36: ("processes of the server killed again and again", queue.processes_killed),
}


def main(wanted: list[str]) -> int:
    """Prints a row for each line; the number of those that didn't hold."""
    logging.disable(logging.WARNING)  # what is lost here is lost on purpose
    numbers = [int(word) for word in wanted] or list(LINES)
    _say("| # | fault | what holds | figure | seconds |\n|---|---|---|---|---|")
    failed = 0
    for number in numbers:
        fault, line = LINES[number]
        promise = (line.__doc__ or "").strip().rstrip(".")
        begun = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="faults-") as folder:
            try:
                figure = line(Path(folder))
            except Exception as error:  # noqa: BLE001 - the other lines are to be tried too
                traceback.print_exc()
                figure = f"**did not hold**: {error}".partition("\n")[0]
                failed += 1
        took = time.monotonic() - begun
        _say(f"| {number} | {fault} | {promise} | {figure} | {took:.0f} |")
    return failed


def _say(row: str) -> None:
    sys.stdout.write(f"{row}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
