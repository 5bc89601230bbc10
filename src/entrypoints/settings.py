"""The settings, from the environment (`COMMERCE_...`) or from `commerce.toml`."""

import os
import re
import warnings
from collections.abc import Callable, Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final

from attrs import Attribute, converters, field, fields, frozen
from attrs.validators import ge, le, optional

from commerce_core.base.errors import Fault, InvalidInput
from commerce_core.base.network import LAST_PORT, Reach
from commerce_core.usecases.context import MOST_UPLOAD_BYTES
from commerce_core.work.attempt import LEASE, TIME_BUDGET
from entrypoints.limits import Limits

PREFIX: Final = "COMMERCE_"
FILE: Final = "commerce.toml"
EMBEDDED: Final = "embedded:"
_DATABASES: Final = (EMBEDDED, "memory:", "postgresql://", "postgres://")
_FILES: Final = ("file:", "s3://", "memory:")
LEVELS: Final = ("debug", "info", "warning", "error")
FORMATS: Final = ("auto", "json", "text")
_ADDRESS: Final = re.compile(r"(?P<host>[^\s:]+|\[[0-9A-Fa-f:.]+\]):(?P<port>[0-9]{1,5})", re.ASCII)
_WEB: Final = re.compile(r"https?://[!-~]{1,500}", re.ASCII)
_NO_SETTINGS: Final = frozenset({"fail_at", "webhook_secret"})
"""Our variables that aren't settings: of fail points, and of `webhooks listen`."""


def _one_of(schemes: tuple[str, ...]) -> Callable[[object, "Attribute[str]", str], None]:
    def check(_: object, attribute: "Attribute[str]", value: str) -> None:
        if not value.startswith(schemes):
            detail = f"{attribute.name} must begin with one of: {', '.join(schemes)}"
            raise InvalidInput.at(f"/{attribute.name}", "bad_setting", detail)

    return check


def _folder(value: "str | Path") -> Path:
    """A directory; InvalidInput for an empty name, which would be whatever directory this is."""
    if not str(value):
        detail = "data_dir must name a directory; use . for the current one"
        raise InvalidInput.at("/data_dir", "bad_setting", detail)
    return Path(value)


def _among(words: tuple[str, ...]) -> Callable[[object, "Attribute[str]", str], None]:
    def check(_: object, attribute: "Attribute[str]", value: str) -> None:
        if value not in words:
            detail = f"{attribute.name} must be one of: {', '.join(words)}"
            raise InvalidInput.at(f"/{attribute.name}", "bad_setting", detail)

    return check


def address_of(text: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`; ValueError for anything else."""
    found = _ADDRESS.fullmatch(text)
    if not found or not 0 < int(found["port"]) <= LAST_PORT:
        raise ValueError(f"{text!r} is not HOST:PORT")
    return found["host"].strip("[]"), int(found["port"])


def _on_off_or_address(_: object, attribute: "Attribute[str]", value: str) -> None:
    if value in ("on", "off"):
        return
    try:
        address_of(value)
    except ValueError as error:
        detail = f"{attribute.name} must be on, off or HOST:PORT"
        raise InvalidInput.at(f"/{attribute.name}", "bad_setting", detail) from error


def _networks(_: object, attribute: "Attribute[str]", value: str) -> None:
    try:
        for part in filter(None, value.split(",")):
            ip_network(part.strip(), strict=False)
    except ValueError as error:
        detail = f"{attribute.name} must be addresses or networks, separated by commas: {error}"
        raise InvalidInput.at(f"/{attribute.name}", "bad_setting", detail) from error


def _ports(_: object, attribute: "Attribute[str]", value: str) -> None:
    try:
        ports_of(value)
    except ValueError as error:
        detail = f"{attribute.name} must be ports or ranges of ports, separated by commas: {error}"
        raise InvalidInput.at(f"/{attribute.name}", "bad_setting", detail) from error


def _https_or_http(_: object, attribute: "Attribute[str]", value: str) -> None:
    if value and not _WEB.fullmatch(value):
        detail = f"{attribute.name} must be an address such as https://commerce.example.com"
        raise InvalidInput.at(f"/{attribute.name}", "bad_setting", detail)


def ports_of(text: str) -> tuple[tuple[int, int], ...]:
    """The ranges of `8444,9000-9100`, with both ends; ValueError for anything else."""
    ranges: list[tuple[int, int]] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        low, _, high = part.partition("-")
        ranges.append((int(low), int(high or low)))
        if not 0 < ranges[-1][0] <= ranges[-1][1] <= LAST_PORT:
            raise ValueError(f"{part!r} is no range from 1 to {LAST_PORT}")
    return tuple(ranges)


@frozen(kw_only=True)
class Settings(Limits):
    """The settings of one process.

    `database_url` is `embedded:[DIR]` (a PostgreSQL that the platform runs under DIR),
    `postgresql://...` or `memory:`; `files_url` is `file:[DIR]`, `s3://BUCKET/PREFIX` or
    `memory:`; `data_dir` is the directory of the embedded parts, unless the URLs specify others;
    `most_upload_bytes` limits the size of a raw file; `lease_seconds` is the time after which the
    job of an unresponsive worker is taken over; `feed_seconds` is how long an attempt at a feed may
    take before it fails with `out_of_time`; `log_level` and `log_format` configure the log on
    stderr; `metrics` is `on`, `off` or `HOST:PORT`, an address that serves only the metrics;
    `history_days` is how long superseded versions of products are kept (default: forever);
    `orders_expire_minutes` is how long an order waits to be confirmed (default: forever), and
    `duplicate_orders` whether likely ones are placed with a warning (`warn`) or refused (`refuse`);
    `proxies` are the networks, separated by commas, whose X-Forwarded-For header is believed;
    `vault_keys` are the keys that secrets are sealed with, `ID:BASE64`, or `file:PATH`;
    `outbound_networks` are private networks that may be called, and `outbound_ports` further ports;
    `smtp_url` is the server that alerts are sent by, or `file:PATH`, `mail_from` their sender, and
    `public_url` the address of the dashboard to which they link.
    What else the server takes on is in Limits.
    """

    database_url: str = field(default=EMBEDDED, validator=_one_of(_DATABASES))
    files_url: str = field(default="file:", validator=_one_of(_FILES))
    data_dir: Path = field(default=Path("commerce-data"), converter=_folder)
    most_upload_bytes: int = field(default=MOST_UPLOAD_BYTES, converter=int)
    lease_seconds: float = field(
        default=LEASE.total_seconds(), converter=float, validator=[ge(0.2), le(3600)]
    )
    feed_seconds: float = field(
        default=TIME_BUDGET.total_seconds(), converter=float, validator=[ge(0.2), le(7 * 86_400)]
    )
    log_level: str = field(default="info", converter=str.lower, validator=_among(LEVELS))
    log_format: str = field(default="auto", converter=str.lower, validator=_among(FORMATS))
    metrics: str = field(default="on", validator=_on_off_or_address)
    history_days: int | None = field(
        default=None, converter=converters.optional(int), validator=optional([ge(1), le(36_500)])
    )
    orders_expire_minutes: int | None = field(
        default=None, converter=converters.optional(int), validator=optional([ge(1), le(525_600)])
    )
    duplicate_orders: str = field(default="warn", validator=_among(("warn", "refuse")))
    proxies: str = field(default="", validator=_networks)
    vault_keys: str = field(default="", repr=False)
    outbound_networks: str = field(default="", validator=_networks)
    outbound_ports: str = field(default="", validator=_ports)
    smtp_url: str = field(default="", repr=False)
    mail_from: str = ""
    public_url: str = field(default="", validator=_https_or_http)

    @property
    def is_embedded(self) -> bool:
        """Whether the platform runs its own database."""
        return self.database_url.startswith(EMBEDDED)

    @property
    def home(self) -> Path:
        """The data directory: the one in the database URL, else `data_dir`."""
        folder = self.database_url.removeprefix(EMBEDDED) if self.is_embedded else ""
        return Path(folder) if folder else self.data_dir

    @property
    def files_dir(self) -> Path:
        """The directory of raw files on disk."""
        folder = self.files_url.removeprefix("file:")
        return Path(folder) if folder else self.home / "files"

    @property
    def operator_key_file(self) -> Path:
        """The file in which the embedded default keeps the operator's key."""
        return self.home / "operator.key"

    @property
    def vault_file(self) -> Path:
        """The file in which the embedded default keeps the key that seals secrets."""
        return self.home / "vault.key"

    @property
    def reach(self) -> Reach:
        """What the platform may call."""
        networks = (part.strip() for part in self.outbound_networks.split(","))
        return Reach(
            tuple(ip_network(part, strict=False) for part in networks if part),
            ports_of(self.outbound_ports),
        )


def load_settings(
    given: Mapping[str, object] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    file: Path | None = None,
) -> Settings:
    """The settings: from `given` (except None), else the environment, the file, or the defaults.

    InvalidInput for an unknown key in the file, and for invalid values; an unknown variable in the
    environment only causes a warning, since orchestrators inject some.
    """
    known = {attribute.name for attribute in fields(Settings)}
    values: dict[str, Any] = {
        **_from_file(file or Path(FILE), known),
        **_from_environment(os.environ if environ is None else environ, known),
        **{name: value for name, value in (given or {}).items() if value is not None},
    }
    unknown = values.keys() - known
    if unknown:
        raise _unknown(unknown, "passed")
    try:
        return Settings(**values)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"A setting is invalid: {error}", code="bad_setting") from error


def _from_environment(environ: Mapping[str, str], known: set[str]) -> dict[str, Any]:
    found = {
        name.removeprefix(PREFIX).lower(): value
        for name, value in environ.items()
        if name.startswith(PREFIX)
    }
    for name in sorted(found.keys() - known - _NO_SETTINGS):
        warnings.warn(
            f"{PREFIX}{name.upper()} is not a known setting, so it is ignored.", stacklevel=3
        )
    return {name: value for name, value in found.items() if name in known}


def _from_file(file: Path, known: set[str]) -> dict[str, Any]:
    if not file.is_file():
        return {}
    import tomllib  # most processes have no such file

    try:
        found = tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{file} is not valid TOML: {error}", code="bad_setting") from error
    if found.keys() - known:
        raise _unknown(found.keys() - known, f"in {file}")
    return found


def _unknown(names: "set[str]", where: str) -> InvalidInput:
    listed = ", ".join(sorted(names))
    return InvalidInput(
        f"Unknown setting {where}: {listed}.",
        f"The settings are: {', '.join(attribute.name for attribute in fields(Settings))}.",
        faults=[Fault(f"/{name}", "unknown_setting", "Unknown.") for name in sorted(names)],
        code="unknown_setting",
    )
