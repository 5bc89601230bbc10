"""Loads files with the platform, in order, and prints a line of JSON with the times of each.

    python bench/load_with_us.py URL FILES_FOLDER [plan:]FILE...

`plan:` before a file plans it instead. Each line has the seconds spent on storing the file and on
its job, the job's figures, and the peak memory of this process so far, in bytes.
"""

import json
import resource
import sys
import time
from contextlib import suppress
from pathlib import Path

import commerce_core
from commerce_core.base.errors import Conflict

PARTNER = "Measured"


def main() -> None:
    """Loads the files given on the command line."""
    url, folder, *files = sys.argv[1:]
    with commerce_core.connect(url, f"file:{folder}") as commerce:
        with suppress(Conflict):
            commerce.partners.add(PARTNER, currency="EUR")
        for file in files:
            kind, _, name = file.rpartition(":")
            begun = time.perf_counter()
            with Path(name).open("rb") as stream:
                receipt = commerce.feeds.upload(
                    stream, partner=PARTNER, mode="full", kind="plan" if kind else "ingest"
                )
            stored = time.perf_counter()
            job = commerce.jobs.run(receipt.job_id)
            measured = {
                "file": name,
                "keeping": stored - begun,
                "seconds": time.perf_counter() - stored,
                "status": job.status,
                "outcome": job.outcome,
                "error": job.error and job.error.message,
                "stages": {s.name: s.seconds for s in job.summary.stages} if job.summary else {},
                "figures": {
                    name: getattr(job.summary, name)
                    for name in ("created", "updated", "unchanged", "removed", "rejected")
                },
                "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            }
            print(json.dumps(measured), flush=True)


if __name__ == "__main__":
    main()
