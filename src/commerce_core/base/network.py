"""Addresses that the platform calls on behalf of others: which may be called, and which may not.

A name is resolved once, every address it resolves to is judged, and the connection goes to one of
those: nothing that answers differently a second time can lead into a private network. What is
judged is the address itself, so no spelling of it, and no transition format, makes a difference.
"""

import re
from collections.abc import Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final
from urllib.parse import SplitResult, urljoin, urlsplit

from attrs import frozen

from commerce_core.base.errors import InvalidInput, Unreachable

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

LONGEST_URL: Final = 2_000
"""Characters of a URL."""
MOST_ADDRESSES: Final = 64
"""Addresses that a name may resolve to."""
DEFAULT_PORTS: Final = {"https": 443, "http": 80, "sftp": 22}
"""The schemes that can be called, and the port of each."""
USUAL_PORTS: Final = frozenset({*DEFAULT_PORTS.values(), 2222, 8080, 8443})
"""The ports that may be called by default: those that such servers usually have."""
LAST_PORT: Final = 65_535
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
"""The statuses that name another address."""

_LABEL: Final = r"[a-z0-9_][a-z0-9_-]{0,62}"
_HOST: Final = re.compile(rf"{_LABEL}(\.{_LABEL})*\.?", re.ASCII)
_LOOKS_NUMERIC: Final = re.compile(r"([0-9]+|0x[0-9a-f]*)", re.ASCII | re.IGNORECASE)
_BEYOND_ASCII: Final = re.compile(r"[^\x21-\x7e]")
_LONGEST_HOST: Final = 253

_SPECIAL: Final = tuple(
    (ip_network(network), why)
    for network, why in (
        ("0.0.0.0/8", "this host"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "shared by a carrier's customers"),
        ("127.0.0.0/8", "loopback"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved"),
        ("192.0.2.0/24", "for documentation"),
        ("192.88.99.0/24", "a relay"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "for benchmarks"),
        ("198.51.100.0/24", "for documentation"),
        ("203.0.113.0/24", "for documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
        # Anything of IPv6 that isn't global unicast, and the special parts of that.
        ("::/3", "reserved"),
        ("2001::/23", "reserved"),
        ("2001:db8::/32", "for documentation"),
        ("3fff::/20", "for documentation"),
        ("4000::/2", "reserved"),
        ("8000::/1", "reserved, private, link-local or multicast"),
    )
)
"""Networks in which nothing public is, by IANA's registries of special addresses."""
_NAT64: Final = ip_network("64:ff9b::/96")
_COMPATIBLE: Final = ip_network("::/96")


@frozen
class Target:
    """What a URL names: the server, and the path with its query, as it is sent."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def url(self) -> str:
        """The URL again, in its plainest spelling."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"

    @property
    def address(self) -> Address | None:
        """The address that the host is, if it is one and no name."""
        return _literal(self.host)


@frozen
class Reach:
    """What may be called: public addresses, at usual ports, encrypted; and what is added here.

    `networks` are private networks that may be called too, without encryption if need be. `ports`
    are further ports, as ranges with both ends.
    """

    networks: tuple[Network, ...] = ()
    ports: tuple[tuple[int, int], ...] = ()

    def target(
        self, url: str, pointer: str = "/url", schemes: Sequence[str] = ("https", "http")
    ) -> Target:
        """What the URL names; InvalidInput if it may not be called, whatever it resolves to."""
        parts, port = _split(url, pointer)
        scheme = parts.scheme.lower()
        if scheme not in schemes:
            detail = f"Use an address that begins with {' or '.join(f'{s}://' for s in schemes)}."
            raise InvalidInput.at(pointer, "scheme_refused", detail)
        if parts.username is not None or parts.password is not None:
            detail = "A URL can't contain a user or a password; they have settings of their own."
            raise InvalidInput.at(pointer, "url_credentials", detail)
        host = host_of(parts.hostname or "", pointer)
        port = DEFAULT_PORTS[scheme] if port is None else port
        self.check_port(port, pointer)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        target = Target(scheme, host, port, path)
        if (literal := target.address) is not None and (why := self._refusal(literal, scheme)):
            raise InvalidInput.at(pointer, "address_refused", f"{host} can't be called: {why}.")
        return target

    def check_port(self, port: int, pointer: str) -> None:
        """InvalidInput if that port may not be called."""
        if port not in USUAL_PORTS and not any(low <= port <= high for low, high in self.ports):
            usual = ", ".join(map(str, sorted(USUAL_PORTS)))
            detail = f"Port {port} can't be called, only {usual}, and those that settings add."
            raise InvalidInput.at(pointer, "port_refused", detail)

    def judge(self, host: str, addresses: Sequence[str], scheme: str = "https") -> str:
        """The address to connect to; Unreachable if a single one of these can't be called."""
        if not addresses:
            raise Unreachable(
                f"The name {host} has no address.",
                code="unresolved",
            )
        for text in addresses[:MOST_ADDRESSES]:
            if why := self._refusal(ip_address(text.partition("%")[0]), scheme):
                raise Unreachable(
                    f"{host} can't be called: it has an address that is {why}.",
                    "A setting can allow networks of your own: outbound_networks.",
                    code="address_refused",
                )
        return addresses[0]

    def _refusal(self, address: Address, scheme: str) -> str | None:
        """Why that address can't be called; None if it can."""
        inner = _inner(address)
        if len(inner) == 1 and any(_within(inner[0], network) for network in self.networks):
            return None
        for each in inner:
            for network, why in _SPECIAL:
                if _within(each, network):
                    return why
        return "public, and plain http isn't encrypted" if scheme == "http" else None


def server_of(url: str) -> str:
    """What a URL begins with, up to its path: its scheme, host and port, in lower case."""
    return "/".join(url.split("/", 3)[:3]).lower()


def next_hop(target: Target, status: int, location: str | None) -> str | None:
    """The URL that an answer redirects to; None if it doesn't."""
    if status not in REDIRECTS or not location:
        return None
    return urljoin(target.url, location)


def host_of(host: str, pointer: str) -> str:
    """The host in lower case; InvalidInput for what is neither a name nor a plain address."""
    host = host.lower()
    if _literal(host) is not None:
        return host
    last = host.rstrip(".").rpartition(".")[2]
    if _LOOKS_NUMERIC.fullmatch(last):
        # 127.1, 0x7f000001 and 2130706433 are spellings of 127.0.0.1.
        detail = "Write an address of four numbers, such as 203.0.113.9, or a name."
        raise InvalidInput.at(pointer, "address_refused", detail)
    if len(host) > _LONGEST_HOST or not _HOST.fullmatch(host):
        raise InvalidInput.at(pointer, "bad_url", "The URL names no valid host.")
    return host


def _split(url: str, pointer: str) -> tuple[SplitResult, int | None]:
    if len(url) > LONGEST_URL:
        raise InvalidInput.at(pointer, "bad_url", f"Use at most {LONGEST_URL:,} characters.")
    if _BEYOND_ASCII.search(url) or "\\" in url:
        detail = "Use printable ASCII without blanks; write other characters percent-encoded."
        raise InvalidInput.at(pointer, "bad_url", detail)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InvalidInput.at(pointer, "bad_url", "That isn't a URL.") from None
    return parts, port


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _within(address: Address, network: Network) -> bool:
    return address.version == network.version and address in network


def _inner(address: Address) -> tuple[Address, ...]:
    """The address, and the ones of IPv4 that it stands for."""
    if isinstance(address, IPv4Address):
        return (address,)
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    if address in _NAT64:
        return (IPv4Address(int(address) & 0xFFFF_FFFF),)
    if address.sixtofour is not None:
        return (address, address.sixtofour)
    if address in _COMPATIBLE:
        return (address, IPv4Address(int(address) & 0xFFFF_FFFF))
    return (address,)
