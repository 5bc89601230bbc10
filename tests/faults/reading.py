"""One file read in a process of its own: its processor time, and its memory at its highest.

python -m tests.faults.reading ENGINE PROFILE FILE
"""

import io
import json
import subprocess
import sys
import time
from contextlib import suppress
from datetime import UTC
from pathlib import Path
from typing import BinaryIO, Final, cast

from attrs import frozen

from adapters.polars_feeds import PolarsEngine
from commerce_core.base.errors import FileRefused
from commerce_core.doctor import Asked, examine
from commerce_core.parsing.record_reader import Terms
from commerce_core.parsing.reference import ReferenceEngine
from commerce_core.profiles.profile import Profile
from entrypoints.profile_files import write_json
from entrypoints.reading import read_json
from tests.support.hostile import Hostile

_KILOBYTE: Final = 1 << 10


@frozen
class Reading:
    """What a file took, and what became of it: the code of its refusal, or its problems."""

    seconds: float
    """Of processor time."""
    megabytes: int
    records: int
    outcome: str


def measured(folder: Path, by: str, file: Hostile) -> Reading:
    """Reads a file by an engine, or examines it by the doctor, in another process."""
    profile, body = file
    paths = folder / "profile.json", folder / "feed"
    paths[0].write_text(write_json(profile))
    paths[1].write_bytes(body)
    command = [sys.executable, "-m", "tests.faults.reading", by, *map(str, paths)]
    told = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return Reading(**told)


def main(by: str, profile_path: str, path: str) -> None:
    """Prints what reading the file took."""
    profile = read_json(Profile, Path(profile_path).read_bytes())
    _read(by, profile, io.BytesIO(b"sku,product_name\nA,n\n"))  # Whatever is made once.
    before, begun = _peak(), time.process_time()
    with Path(path).open("rb") as stream:
        records, outcome = _read(by, profile, stream)
    taken = time.process_time() - begun
    told = {"seconds": taken, "megabytes": _peak() - before, "records": records}
    sys.stdout.write(json.dumps({**told, "outcome": outcome}))


def _peak() -> int:
    """The most memory that this process had so far, in MB; what its parent had doesn't count."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // _KILOBYTE


def _read(by: str, profile: Profile, stream: BinaryIO) -> tuple[int, str]:
    if by == "doctor":
        diagnosis = examine(stream, Asked(profile=profile))
        refusal = diagnosis.refusal.code if diagnosis.refusal else diagnosis.verdict
        return diagnosis.looked_at.records, refusal
    engine = PolarsEngine() if by == "polars" else ReferenceEngine()
    records, codes = 0, set[str]()
    try:
        for batch in engine.open(stream, Terms("full", "EUR", UTC, profile)).batches():
            records += batch.records_read
            codes |= {code for code, _, _ in batch.noted}
            with suppress(AttributeError):
                cast("object", batch).columns()  # type: ignore[attr-defined] - of the fast engine
    except FileRefused as refused:
        return records, refused.code
    return records, ", ".join(sorted(codes)) or "read"


if __name__ == "__main__":
    main(*sys.argv[1:])
