"""The limits of the server, in one table: what each limits, its default, and what happens at it.

Limits of a process are kept by that process alone; those of a key marked as shared are kept in the
database, so they hold for all processes together.
"""

from typing import Any, Final

from attrs import Attribute, field, fields, frozen
from attrs.validators import ge, gt

from commerce_core.feeds.pull import FETCHES_PER_HOST

MIB: Final = 1024**2
_ABOUT: Final = "about"
_AT_LIMIT: Final = "at_limit"


def _count(default: int, about: str, at_limit: str) -> Any:  # noqa: ANN401 - as attrs types fields
    return field(
        default=default,
        converter=int,
        validator=ge(1),
        metadata={_ABOUT: about, _AT_LIMIT: at_limit},
    )


def _amount(default: float, about: str, at_limit: str) -> Any:  # noqa: ANN401 - as attrs types fields
    return field(
        default=default,
        converter=float,
        validator=gt(0),
        metadata={_ABOUT: about, _AT_LIMIT: at_limit},
    )


@frozen(kw_only=True)
class Limits:
    """How much the server takes on at once, and how much of it one caller may have."""

    # --- connections ---
    limit_connections: int = _count(
        4096,
        "Connections of a process.",
        "Idle ones get 503 and are closed, the oldest first.",
    )
    limit_connections_per_address: int = _count(
        512,
        "Connections of a process from one address.",
        "Idle ones of that address get 503 and are closed, the oldest first.",
    )
    limit_header_seconds: float = _amount(
        30.0,
        "Seconds for the first byte of a request up to the end of its header.",
        "The connection is closed.",
    )
    limit_body_seconds: float = _amount(
        30.0,
        "Seconds for a request's body, and one more for each KiB received.",
        "408, and the connection is closed.",
    )
    limit_stalled_seconds: float = _amount(
        60.0,
        "Seconds for which a client may accept no byte of its response.",
        "The response is broken off.",
    )
    # --- requests ---
    limit_requests: int = _count(
        64, "Requests under way in a process at a peak, waiting ones included.", "503 at once."
    )
    limit_requests_standing: int = _count(
        16,
        "The same while a process is overloaded: for half a second, more than half of this number "
        "have been under way all the time. So those accepted don't wait long.",
        "503 at once.",
    )
    limit_requests_per_caller: int = _count(
        32,
        "Requests under way in a process with one key, or without a valid one from one address; "
        "while it is overloaded and others send requests too, half of those then allowed.",
        "429 at once.",
    )
    limit_rate_per_key: float = _amount(
        2000.0,
        "Requests a second with one key, on average; twice that at once. Shared by all processes.",
        "429.",
    )
    limit_rate_per_address: float = _amount(
        100.0,
        "Requests a second without a valid key from one address, on average; five times that at "
        "once.",
        "429.",
    )
    limit_probe_rate_per_address: float = _amount(
        50.0,
        "Requests a second for health and metrics from one address, on average; five times that "
        "at once.",
        "429.",
    )
    # --- uploads, queries, exports ---
    limit_uploads: int = _count(16, "Uploads that a process receives at once.", "503 at once.")
    limit_uploads_per_key: int = _count(
        8, "Uploads with one key that a process receives at once.", "429 at once."
    )
    limit_upload_rate_per_key: float = _amount(
        10.0,
        "Uploads a second with one key, on average; thirty times that at once. Shared by all "
        "processes.",
        "429.",
    )
    limit_queries: int = _count(
        1,
        "Expensive queries that a process runs at once: with `q` or `count`, sorted by name or "
        "price, reports, lineage. Seven times as many wait.",
        "503 at once.",
    )
    limit_queries_per_key: int = _count(
        3, "Expensive queries with one key, under way or waiting, in a process.", "429 at once."
    )
    limit_query_seconds: float = _amount(
        10.0, "Seconds for one statement of an expensive query.", "It is cancelled; 429."
    )
    limit_query_seconds_per_minute: float = _amount(
        15.0,
        "Seconds of expensive queries a minute with one key while others send requests too; one "
        "second of them at once after a pause. Shared by all processes.",
        "429.",
    )
    limit_exports_per_key: int = _count(
        2, "Exports with one key at once. Shared by all processes.", "429 at once."
    )
    limit_export_seconds_per_minute: float = _amount(
        30.0,
        "Seconds a minute in which blocks of exports with one key are made, while others send "
        "requests too; ten of them at once after a pause. Shared by all processes.",
        "Exports under way pause between blocks; 429 for further ones.",
    )
    limit_decision_seconds_per_minute: float = _amount(
        30.0,
        "Seconds a minute for decisions about held feeds with one key, while others send requests "
        "too; all of them at once after a pause. Shared by all processes.",
        "429.",
    )
    # --- fetches ---
    limit_fetches_per_host: int = _count(
        FETCHES_PER_HOST,
        "Fetches from one host at once, for all partners together. Shared by all processes.",
        "Further ones wait until one has ended; those from other hosts don't.",
    )
    # --- files that are examined ---
    limit_examinations: int = _count(
        1,
        "Files that a server process has examined at once (doctor, test of a profile, price "
        "lists), each in a process of its own. Six times as many wait.",
        "503 at once.",
    )
    limit_examinations_per_key: int = _count(
        2, "Files with one key that are examined or wait for it.", "429 at once."
    )
    limit_examination_seconds: float = _amount(
        60.0, "Seconds for the examination of one file.", "It is stopped; 413."
    )
    limit_examination_bytes: int = _count(
        1024 * MIB, "Memory for the examination of one file, in bytes.", "It is stopped; 413."
    )
    limit_examination_seconds_per_minute: float = _amount(
        30.0,
        "Seconds of examinations a minute with one key while others send requests too; all of "
        "them at once after a pause. Shared by all processes.",
        "429.",
    )


def limits_table() -> "list[tuple[Attribute[Any], str, str]]":
    """Every limit, with what it limits and what happens at it."""
    return [(a, a.metadata[_ABOUT], a.metadata[_AT_LIMIT]) for a in fields(Limits)]
