"""Every way the platform refuses, and what it tells the one refused.

    CommerceError
    ├── InvalidInput        what was sent breaks a rule; every fault is listed
    │   └── Malformed       what was sent can't be read at all (a cursor, a parameter)
    ├── Unauthenticated     no key, or none that is known
    ├── Forbidden           the key lacks the scope
    ├── NotFound            there is no such thing, or it isn't yours to see
    ├── Conflict            the thing exists, its state says no
    ├── TooLarge            a limit was passed
    ├── FileRefused         a feed's file, as a whole, can't be taken; fails its job
    ├── RunLost             a job was taken over by another attempt
    └── Unavailable         a part we stand on is out of reach; try again
        └── Severed         the store fell over in the middle of a unit, or the way to it was cut

An error carries `code` (stable, for programs), `detail` (what happened, where) and, if any, a
`remedy` (what to do). Entry points translate this tree once: HTTP problems and exit codes are two
columns of one table.
"""

from collections.abc import Mapping, Sequence

from attrs import frozen


@frozen
class Fault:
    """One broken rule of an input: `pointer` is the JSON pointer of the value at fault."""

    pointer: str
    code: str
    detail: str


class CommerceError(Exception):
    """Root of everything the platform raises on purpose."""

    code = "error"

    def __init__(self, detail: str, remedy: str = "", *, code: str | None = None) -> None:
        """Says what happened in `detail` and what to do about it in `remedy`."""
        super().__init__(detail)
        self.detail = detail
        self.remedy = remedy
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        """The detail, followed by the remedy."""
        return f"{self.detail} {self.remedy}".rstrip()


class InvalidInput(CommerceError):
    """What was sent was understood and breaks a rule; `faults` has every one of them."""

    code = "invalid_input"

    def __init__(
        self,
        detail: str,
        remedy: str = "",
        *,
        faults: Sequence[Fault] = (),
        code: str | None = None,
    ) -> None:
        """Lists the `faults`, in the order of the input."""
        super().__init__(detail, remedy, code=code)
        self.faults = tuple(faults)

    @classmethod
    def at(cls, pointer: str, code: str, detail: str) -> "InvalidInput":
        """The common case: one fault, at one place."""
        return cls(detail, faults=[Fault(pointer, code, detail)], code=code)


class Malformed(InvalidInput):
    """What was sent can't be read: a query parameter, a cursor, a body that isn't JSON."""

    code = "malformed"


class Unauthenticated(CommerceError):
    """No API key came with the request, or none that is known and alive."""

    code = "unauthenticated"


class Forbidden(CommerceError):
    """The key is known and lacks the scope that this needs."""

    code = "forbidden"


class NotFound(CommerceError):
    """There is no such thing, or it belongs to somebody else, which looks the same."""

    code = "not_found"


class Conflict(CommerceError):
    """The thing is there, and the state it is in says no.

    `shown` is what the one refused should see of it besides, by name.
    """

    code = "conflict"

    def __init__(
        self,
        detail: str,
        remedy: str = "",
        *,
        code: str | None = None,
        shown: Mapping[str, object] | None = None,
    ) -> None:
        """Shows some of the core's values beside the detail."""
        super().__init__(detail, remedy, code=code)
        self.shown = dict(shown or {})


class TooLarge(CommerceError):
    """A limit on size or number was passed; the detail names the limit."""

    code = "too_large"


class FileRefused(CommerceError):
    """A feed's file can't be taken as a whole. Its job fails with this code; the file is kept."""

    code = "file_refused"

    def __init__(
        self, code: str, detail: str, remedy: str = "", *, line: int | None = None
    ) -> None:
        """Names the physical `line` (from 1) at fault where there is one."""
        super().__init__(detail, remedy, code=code)
        self.line = line


class RunLost(CommerceError):
    """The job's lease passed to another attempt, so nothing of this run may be committed."""

    code = "run_lost"


class Unavailable(CommerceError):
    """The database or the file store can't be reached or used at the moment.

    `publicly` is what anybody may know of it; the detail may name hosts and folders.
    """

    code = "unavailable"

    def __init__(
        self, detail: str, remedy: str = "", publicly: str = "", *, code: str | None = None
    ) -> None:
        """Says `publicly` what the detail says, unless told otherwise."""
        super().__init__(detail, remedy, code=code)
        self.publicly = publicly or detail


class Severed(Unavailable):
    """A unit ended because the store fell over under it, or the way there was cut.

    Nothing of it is kept. A store that is told to end, or that refuses, isn't meant.
    """


def refuse_if(detail: str, *judgements: tuple[bool, Fault]) -> None:
    """Raises one InvalidInput that lists every fault whose condition holds, if any does."""
    faults = [fault for wrong, fault in judgements if wrong]
    if faults:
        raise InvalidInput(detail, faults=faults)
