"""A browser: Debian's chromium, driven by playwright; installed where that is allowed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

CHROMIUM: Final = Path("/usr/bin/chromium")
PACKAGES: Final = ("chromium", "fonts-dejavu-core")
FLAGS: Final = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")
MISSING: Final = (
    "The browser tests need chromium. On Debian or Ubuntu, as root: "
    f"apt-get install --no-install-recommends {' '.join(PACKAGES)}"
)


def install() -> str | None:
    """Installs chromium if it is missing and this account may; returns what is missing then."""
    if CHROMIUM.exists():
        return None
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return MISSING
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    commands = (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-qq", "-y", "--no-install-recommends", *PACKAGES],
    )
    for command in commands:
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return f"{MISSING}\n{done.stderr[-500:]}"
    return None if CHROMIUM.exists() else MISSING


if __name__ == "__main__":
    problem = install()
    if problem:
        sys.exit(problem)
