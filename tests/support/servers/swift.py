"""An S3 store for tests: OpenStack Swift, which checks signatures, digests and conditions.

It has an environment of its own, `.venv/swift`, since it brings a networking library that would
replace parts of Python's own in ours; `make test` installs it.
"""

import contextlib
import subprocess
from collections.abc import Generator, Mapping
from pathlib import Path

from attrs import frozen

from tests.support.waiting import PATIENCE

HOUSE = Path(__file__).parents[3]
PYTHON = HOUSE / ".venv" / "swift" / "bin" / "python"
LEAST_PART_BYTES = 64 << 10
"""Amazon's own least is 5 MiB; with less a test of many parts is quick."""


@frozen
class Swift:
    """A store that runs on this port, and who may use it."""

    port: int
    access_key: str = "test:tester"
    secret_key: str = "testing"

    def variables(self, port: int | None = None) -> Mapping[str, str]:
        """AWS's variables that lead to it, or to what stands before it; none of the machine's."""
        return {
            "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{port or self.port}",
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_REGION": "us-east-1",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_EC2_METADATA_DISABLED": "true",
        }


@contextlib.contextmanager
def running_swift() -> Generator[Swift]:
    """A store without any bucket; it is gone afterwards, also if this process is killed."""
    if not PYTHON.exists():
        raise RuntimeError(f"There is no {PYTHON}: `make test` installs it.")
    program = str(Path(__file__).with_name("swift_process.py"))
    who = ("test:tester", "testing")
    command = [str(PYTHON), "-I", program, *who, str(LEAST_PART_BYTES)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        line = process.stdout.readline()
        if not line:
            raise RuntimeError("Swift did not start; what it said stands above.")
        try:
            yield Swift(int(line), *who)
        finally:
            process.stdin.close()
            process.wait(PATIENCE)
