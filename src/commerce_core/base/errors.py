"""Every error the platform raises on purpose.

    CommerceError
    ├── InvalidInput        the input breaks a rule; every fault is listed
    │   └── Malformed       the input can't be read at all (a cursor, a parameter)
    ├── Unauthenticated     no API key, or one that isn't valid
    ├── Forbidden           the key lacks the scope
    ├── NotFound            there is no such thing, or the caller may not see it
    ├── Conflict            the thing exists, but its state doesn't allow this
    │   └── Stale               it has changed since the version that the caller has seen
    ├── TooLarge            a limit was exceeded
    ├── FileRefused         a feed's file can't be read as a whole; fails its job
    ├── TooMany             the caller has used up what it may for now; try again later
    ├── RunLost             a job was taken over by another attempt
    ├── Unreachable         a server of others can't be called, or answers wrongly
    └── Unavailable         the database or the file store can't be reached; try again
        └── Severed         the store crashed during a unit, or the connection to it broke

An error carries a `code` (stable, for programs), a `detail` (what happened, where) and often a
`remedy` (what to do). Entry points translate this tree once: HTTP problems and exit codes are two
columns of one table.
"""

from collections.abc import Mapping, Sequence

from attrs import frozen


@frozen
class Fault:
    """One rule that an input breaks; `pointer` is the JSON pointer of the value at fault."""

    pointer: str
    code: str
    detail: str


class CommerceError(Exception):
    """The root of everything the platform raises on purpose."""

    code = "error"

    def __init__(self, detail: str, remedy: str = "", *, code: str | None = None) -> None:
        """Takes what happened as `detail`, and what to do about it as `remedy`."""
        super().__init__(detail)
        self.detail = detail
        self.remedy = remedy
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        """The detail, followed by the remedy."""
        return f"{self.detail} {self.remedy}".rstrip()


class InvalidInput(CommerceError):
    """The input was understood, but breaks rules; `faults` lists every violation."""

    code = "invalid_input"

    def __init__(
        self,
        detail: str,
        remedy: str = "",
        *,
        faults: Sequence[Fault] = (),
        code: str | None = None,
    ) -> None:
        """Takes the `faults` in the order of the input."""
        super().__init__(detail, remedy, code=code)
        self.faults = tuple(faults)

    @classmethod
    def at(cls, pointer: str, code: str, detail: str) -> "InvalidInput":
        """Makes the common case: a single fault."""
        return cls(detail, faults=[Fault(pointer, code, detail)], code=code)


class Malformed(InvalidInput):
    """The input can't be read: a query parameter, a cursor, a body that isn't JSON."""

    code = "malformed"


class Unauthenticated(CommerceError):
    """The request has no API key, or one that is unknown or revoked."""

    code = "unauthenticated"


class Forbidden(CommerceError):
    """The key is valid, but lacks the scope that the request needs."""

    code = "forbidden"


class NotFound(CommerceError):
    """There is no such thing, or the caller may not see it, which looks the same."""

    code = "not_found"


class Conflict(CommerceError):
    """The thing exists, but its state doesn't allow the request.

    `shown` are values that help the caller to react, by name; `faults` are all the reasons, if
    there can be several.
    """

    code = "conflict"

    def __init__(
        self,
        detail: str,
        remedy: str = "",
        *,
        code: str | None = None,
        shown: Mapping[str, object] | None = None,
        faults: Sequence[Fault] = (),
    ) -> None:
        """Takes values of the core to show beside the detail, and the `faults`."""
        super().__init__(detail, remedy, code=code)
        self.shown = dict(shown or {})
        self.faults = tuple(faults)


class Stale(Conflict):
    """The thing has changed since the version that the caller has seen."""

    code = "stale_version"


class TooLarge(CommerceError):
    """A limit on size or number was exceeded; the detail names the limit."""

    code = "too_large"


class TooMany(CommerceError):
    """The caller has used up a limit of its own; others aren't affected.

    `limit` names the limit, `most` is what it allows (units of the limit), and `retry_after` is
    after how many seconds the same request can succeed.
    """

    code = "too_many"

    def __init__(
        self,
        detail: str,
        remedy: str = "",
        *,
        limit: str = "",
        most: float = 0,
        retry_after: float = 1,
    ) -> None:
        """Takes what was used up, and when it is available again."""
        super().__init__(detail, remedy or f"Try again in {whole_seconds(retry_after)} s.")
        self.limit = limit
        self.most = most
        self.retry_after = retry_after


def whole_seconds(seconds: float) -> int:
    """Seconds for a client to wait: rounded up, at least 1."""
    return max(1, -int(-seconds // 1))


class FileRefused(CommerceError):
    """A feed's file can't be read as a whole. Its job fails with this code; the file is kept."""

    code = "file_refused"

    def __init__(
        self,
        code: str,
        detail: str,
        remedy: str = "",
        *,
        line: int | None = None,
        record_path: str | None = None,
    ) -> None:
        """Takes the physical `line` (from 1) at fault, if there is one.

        `record_path` is where the records are that a profile should declare, if that is missing.
        """
        super().__init__(detail, remedy, code=code)
        self.line = line
        self.record_path = record_path


class RunLost(CommerceError):
    """The job's lease passed to another attempt, so this run must not commit anything."""

    code = "run_lost"


class Unavailable(CommerceError):
    """The database or the file store can't be reached or used at the moment.

    `publicly` is the text that any client may see; the detail may name hosts and folders.
    """

    code = "unavailable"

    def __init__(
        self, detail: str, remedy: str = "", publicly: str = "", *, code: str | None = None
    ) -> None:
        """Takes the text to show `publicly`, by default the detail."""
        super().__init__(detail, remedy, code=code)
        self.publicly = publicly or detail


class Unreachable(CommerceError):
    """A server that others run can't be reached, may not be called, or breaks its protocol.

    `phase` is how far it came (`resolve`, `connect`, `tls`, `send`, `wait` or `body`), and
    `seconds` is how long each phase took.
    """

    code = "unreachable"

    def __init__(
        self,
        detail: str,
        remedy: str = "",
        *,
        code: str | None = None,
        phase: str = "resolve",
        seconds: Mapping[str, float] | None = None,
    ) -> None:
        """Takes which of a few ways it failed in, as `code`."""
        super().__init__(detail, remedy, code=code)
        self.phase = phase
        self.seconds = dict(seconds or {})


class Severed(Unavailable):
    """A unit ended because the store crashed during it, or the connection to it broke.

    Nothing of the unit is kept. A store that was shut down, or that refuses a statement, raises
    Unavailable instead.
    """


def no_such(noun: str, id_: str) -> NotFound:
    """The only words for an id that nothing has, or nothing that the caller may see.

    Whatever looks a thing up by its id uses them, so that an answer doesn't reveal what exists.
    """
    return NotFound(f"There is no {noun} {id_}.")


def refuse_if(detail: str, *judgements: tuple[bool, Fault]) -> None:
    """Raises a single InvalidInput that lists every fault whose condition is true, if any is."""
    faults = [fault for wrong, fault in judgements if wrong]
    if faults:
        raise InvalidInput(detail, faults=faults)
