"""Open Commerce: turns partners' product feeds into a catalog, orders and sales figures.

`connect` opens the platform as a library. Everything it does is in `commerce`, and everything it
needs from outside is in `ports`.
"""

from contextlib import AbstractContextManager
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from commerce_core.commerce import Commerce

__all__ = ["connect"]


def connect(
    database_url: str = "embedded:", files_url: str | None = None, **settings: str
) -> "AbstractContextManager[Commerce]":
    """Opens the platform, as in `with commerce_core.connect("embedded:./data") as commerce:`.

    `database_url` is `embedded:[DIR]` (a PostgreSQL server of its own under DIR, which is then also
    the data directory for files), `postgresql://...` or `memory:`. `files_url` is `file:[DIR]`,
    `s3://BUCKET/PREFIX` or `memory:`. Other settings are named as in the environment, in lower case
    and without the prefix. Acts as the operator. Unavailable if a part can't be reached.
    """
    for found in entry_points(group="commerce.composition", name="connect"):
        compose = found.load()
        return compose(database_url, files_url, **settings)
    raise RuntimeError(
        "No composition root is installed; install the distribution, not just its sources."
    )
