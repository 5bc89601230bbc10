"""A handler that runs a query and returns its rows, and nothing else: the yardstick for ours.

    python -m bench.bare_handler URL PORT CASES

CASES is a JSON file: by name a query, its parameters, and the settings under which it is planned.
No key is required, nothing is checked and no values are built; rows are sent as the driver
returns them.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server import Server
from litestar import Litestar, get
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool


def load() -> Litestar:
    """The application of the one process."""
    pool = ConnectionPool(os.environ["BARE_URL"], min_size=2, max_size=10, open=True)
    cases = json.loads(Path(os.environ["BARE_CASES"]).read_text())

    @get("/{name:str}", sync_to_thread=True)
    def rows(name: str) -> list[dict[str, Any]]:
        case = cases[name]
        with pool.connection() as db, db.cursor(row_factory=dict_row) as cursor:
            if case["settings"]:
                db.execute(case["settings"])
            return cursor.execute(case["query"], case["params"]).fetchall()

    return Litestar([rows], openapi_config=None, logging_config=None)


def main() -> None:
    """Serves until it is stopped."""
    url, port, cases = sys.argv[1:]
    os.environ.update(BARE_URL=url, BARE_CASES=cases)
    server: Any = Server(
        "bench.bare_handler:load",
        address="127.0.0.1",
        port=int(port),
        interface=Interfaces.ASGI,
        websockets=False,
        log_level=LogLevels.warning,
        factory=True,
    )
    server.serve()


if __name__ == "__main__":
    main()
