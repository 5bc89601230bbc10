"""What the core needs to fetch files from servers of others: a session, a list, and their bytes.

One implementation for each kind of place. All judge addresses by `base.addresses.Reach`, connect to
the address that was judged, and end at a deadline.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Final, Protocol, TypeVar

from attrs import field, frozen

from commerce_core.base.errors import Unreachable
from commerce_core.feeds.place import Place
from commerce_core.feeds.remote_file import RemoteFile

MOST_LISTED: Final = 100_000
"""How many names a place may list."""

P_contra = TypeVar("P_contra", bound=Place, contravariant=True)


@frozen
class Access:
    """With which user and secret a place is opened; without a secret, with none."""

    username: str | None = None
    secret: str | None = field(default=None, repr=False)


class FetchFailed(Exception):
    """A file, or a place, can't be fetched. No caller waits for it: it ends up in a fetch.

    `again` is whether another try may succeed, after the seconds that the server asked for.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        remedy: str = "",
        *,
        again: bool = False,
        after: float | None = None,
    ) -> None:
        """Takes which of a few ways it failed in, as `code`."""
        super().__init__(f"{detail} {remedy}".strip())
        self.code = code
        self.again = again
        self.after = after


@frozen
class Opened:
    """A file that is being read: as it is now, and what reads it from the position on.

    `read` returns some bytes, at most that many, and none only at the end. It raises Unreachable,
    such as `cut_off`, and FetchFailed `file_replaced` if the rest would be that of another file.
    """

    file: RemoteFile
    read: Callable[[int], bytes]


class Remote(Protocol):
    """A session with a place."""

    def files(self) -> Iterator[RemoteFile]:
        """The files that are there, as they are listed, in no order.

        What isn't a file, as a folder or a link, is left out. FetchFailed `too_many_files` beyond
        the limit, `denied` or `not_there`.
        """
        ...

    def open(self, file: RemoteFile, start: int = 0) -> AbstractContextManager[Opened | None]:
        """The bytes of a file from `start` on; None if it is as it was when it was fetched last.

        Only a place that doesn't list versions returns None. FetchFailed `denied`, `not_there`, or
        `file_replaced` if the file isn't the one that is named, by its version.
        """
        ...


class Fetcher(Protocol[P_contra]):
    """Opens places of one kind."""

    def judge(self, place: P_contra, access: Access) -> None:
        """Judges a place that is to be stored, and sends nothing; InvalidInput.

        A name that doesn't resolve at present passes.
        """
        ...

    def connect(
        self, place: P_contra, access: Access, seconds: float
    ) -> AbstractContextManager[Remote]:
        """A session, in which everything together may take that many seconds.

        Unreachable as `ports.web.Web.send` does; FetchFailed `denied` if the server refuses the
        credentials, or `host_key_differs` if it can't prove which server it is.
        """
        ...


class Nowhere:
    """A platform that calls no other servers."""

    def judge(self, place: Place, access: Access) -> None:  # noqa: ARG002
        """Refused."""
        raise _offline()

    def connect(
        self,
        place: Place,  # noqa: ARG002
        access: Access,  # noqa: ARG002
        seconds: float,  # noqa: ARG002
    ) -> AbstractContextManager[Remote]:
        """Refused."""
        raise _offline()


def _offline() -> Unreachable:
    return Unreachable("This platform doesn't call other servers.", code="offline")


def replaced(path: str) -> FetchFailed:
    """The failure of a file that changed while it was read, or since it was listed."""
    return FetchFailed(
        "file_replaced", f"{path} was changed or deleted while it was read.", again=True
    )


def too_many(place: str) -> FetchFailed:
    """The failure of a place that lists more than the limit."""
    return FetchFailed(
        "too_many_files",
        f"{place} has more than {MOST_LISTED:,} files.",
        "Fetch a folder, or a prefix, with fewer of them.",
    )
