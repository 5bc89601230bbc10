"""Loads files with the platform, one after another, and prints what each took as a line of JSON.

    python bench/load_with_us.py URL FILES_FOLDER [plan:]FILE...

`plan:` before a file plans it instead. Each line has the seconds of keeping the file and of its
job, the job's figures, and the most memory that this process has had so far, in bytes.
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
    """Does what the command line asks for."""
    url, folder, *files = sys.argv[1:]
    with commerce_core.connect(url, f"file:{folder}") as commerce:
        with suppress(Conflict):
            commerce.partners.add(PARTNER, currency="EUR")
        for asked in files:
            kind, _, name = asked.rpartition(":")
            begun = time.perf_counter()
            with Path(name).open("rb") as stream:
                receipt = commerce.feeds.upload(
                    stream, partner=PARTNER, mode="full", kind="plan" if kind else "ingest"
                )
            kept = time.perf_counter()
            job = commerce.jobs.run(receipt.job_id)
            told = {
                "file": name,
                "keeping": kept - begun,
                "seconds": time.perf_counter() - kept,
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
            print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
