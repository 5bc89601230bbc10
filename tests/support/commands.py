"""The command line as a test uses it: words in; an exit code, stdout and stderr out."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import frozen
from click.testing import CliRunner

from commerce_core.commerce import Commerce
from entrypoints.cli import main

COMMERCE = str(Path(sys.executable).with_name("commerce"))


@frozen
class Answer:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - JSON may be anything
        """Its one JSON document."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """Its JSON objects, one a line."""
        return [json.loads(line) for line in self.out.splitlines()]


@frozen
class Cli:
    """`commerce` in this process, on a platform that is open already."""

    commerce: Commerce | None = None

    def __call__(self, *words: str, text: bytes | None = None) -> Answer:
        result = CliRunner().invoke(
            main, words, input=text, obj=self.commerce, prog_name="commerce"
        )
        return Answer(result.exit_code, result.stdout, result.stderr)

    def fine(self, *words: str, text: bytes | None = None) -> Answer:
        """The answer of a command that is sure to do well."""
        answer = self(*words, text=text)
        assert answer.code == 0, answer
        return answer


def commerce(
    folder: Path, *words: str, text: bytes | None = None, environ: Mapping[str, str] | None = None
) -> Answer:
    """The real command, as a process in that folder."""
    done = subprocess.run(
        [COMMERCE, *words], cwd=folder, input=text, capture_output=True, check=False, env=environ
    )
    return Answer(done.returncode, done.stdout.decode(), done.stderr.decode())
