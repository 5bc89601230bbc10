"""Runs a command with COMMERCE_TEST_DATABASE_URL at a server of that version, gone afterwards.

python -m tests.support.servers.on_postgres 15 pytest tests/integration
"""

import os
import subprocess
import sys

from tests.support.servers.postgres import BINARIES, running_server


def main(major: str, *command: str) -> int:
    """The command's exit code; 0 where that version isn't installed, which is said."""
    if not (BINARIES[int(major)] / "postgres").exists():
        sys.stdout.write(f"PostgreSQL {major} isn't installed: not tried.\n")
        return 0
    with running_server(int(major)) as server:
        environ = {**os.environ, "COMMERCE_TEST_DATABASE_URL": server.conninfo}
        return subprocess.run(command, env=environ, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
