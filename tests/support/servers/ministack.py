"""Queues of SQS and buckets that report to them, for tests: MiniStack, an emulator.

It has an environment of its own, `.venv/ministack`, as the S3 store has; `make test` installs it.
"""

import contextlib
import os
import subprocess
from collections.abc import Generator
from pathlib import Path
from typing import Any, TypeAlias

from attrs import frozen
from boto3.session import Session

from tests.support.ports import free_port
from tests.support.waiting import PATIENCE, until

HOUSE = Path(__file__).parents[3]
PROGRAM = HOUSE / ".venv" / "ministack" / "bin" / "ministack"
Client: TypeAlias = Any
"""One of boto3's, whose methods are made while it runs."""


@frozen
class MiniStack:
    """What runs on this port, and who may use it."""

    port: int
    access_key: str = "test"
    secret_key: str = "test"
    region: str = "us-east-1"

    @property
    def endpoint(self) -> str:
        """Where all of it is."""
        return f"http://127.0.0.1:{self.port}"

    def client(self, service: str) -> Client:
        """A client past our adapters."""
        return Session(self.access_key, self.secret_key, region_name=self.region).client(
            service, endpoint_url=self.endpoint
        )


@contextlib.contextmanager
def running_ministack(home: Path) -> Generator[MiniStack]:
    """An emulator without anything in it; `home` is for its files."""
    if not PROGRAM.exists():
        raise RuntimeError(f"There is no {PROGRAM}: `make test` installs it.")
    made = MiniStack(free_port())
    variables = {name: value for name, value in os.environ.items() if "AWS" not in name}
    variables |= {"GATEWAY_PORT": str(made.port), "IOT_MTLS_ENABLED": "0", "HOME": str(home)}
    log = home / "ministack.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [str(PROGRAM)], env=variables, cwd=home, stdout=output, stderr=output
        ) as process,
    ):
        try:
            until(lambda: process.poll() is not None or _answers(made))
            if process.poll() is not None:
                raise RuntimeError(f"MiniStack did not start: {log.read_text()[-2000:]}")
            yield made
        finally:
            process.terminate()
            process.wait(PATIENCE)


def _answers(made: MiniStack) -> bool:
    with contextlib.suppress(Exception):
        made.client("sqs").list_queues()
        return True
    return False
