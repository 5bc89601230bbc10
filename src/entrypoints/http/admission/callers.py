"""Who sends a request: the holder of a key that was valid before, or an address."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, Final

from attrs import define, field, frozen

SESSION_COOKIE: Final = "commerce_session"
"""The cookie that has a session's token."""
_MOST_KNOWN: Final = 10_000
"""Keys that a process remembers to be valid; the one that was used longest ago is forgotten."""


@frozen
class Caller:
    """`name` is the same for all requests that share one allowance; `digest` is of the key sent."""

    name: str
    digest: str
    is_known: bool


@define
class Callers:
    """Recognises callers, without asking the database. A session's token stands for a key.

    A key counts only once it was found to be valid: otherwise each made-up key would be one more
    caller. Until then, its requests count for its address.
    """

    _proxies: "Sequence[IPv4Network | IPv6Network]"
    _known: dict[str, None] = field(factory=dict[str, None], init=False)

    @classmethod
    def behind(cls, proxies: str) -> "Callers":
        """Callers who may come through these proxies: networks, separated by commas."""
        return cls(networks(proxies))

    def of(self, scope: Mapping[str, Any]) -> Caller:
        """The caller of this request."""
        headers = dict[bytes, bytes](scope["headers"])
        secret = secret_in(lambda name: headers.get(name.encode(), b"").decode("latin-1"))
        digest = key_digest(secret or session_in(headers.get(b"cookie", b"").decode("latin-1")))
        if digest in self._known:
            return Caller(f"key {digest}", digest, is_known=True)
        return Caller(f"address {self._address(scope, headers)}", digest, is_known=False)

    def remember(self, secret: str) -> None:
        """Recognises a key that was found to be valid."""
        digest = key_digest(secret)
        self._known.pop(digest, None)
        self._known[digest] = None
        if len(self._known) > _MOST_KNOWN:
            self._known.pop(next(iter(self._known)), None)

    def forget(self, secret: str) -> None:
        """No longer recognises a key that was found to be invalid."""
        self._known.pop(key_digest(secret), None)

    def is_proxy(self, address: str) -> bool:
        """Whether many callers come from this address."""
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._proxies)

    def address_of(self, scope: Mapping[str, Any]) -> str:
        """The address from which a request comes."""
        return self._address(scope, dict[bytes, bytes](scope["headers"]))

    def _address(self, scope: Mapping[str, Any], headers: Mapping[bytes, bytes]) -> str:
        """The peer's address; behind proxies, the last one in X-Forwarded-For that isn't theirs."""
        peer = str((scope.get("client") or ("",))[0])
        if not self.is_proxy(peer):
            return peer
        forwarded = headers.get(b"x-forwarded-for", b"").decode("latin-1")
        hops = [hop.strip() for hop in forwarded.split(",") if hop.strip()]
        return next((hop for hop in reversed(hops) if not self.is_proxy(hop)), peer)


def secret_in(header: Callable[[str], str]) -> str:
    """The key that came with a request, in either of its two headers; empty if there is none."""
    scheme, _, token = header("authorization").partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else ""
    return header("x-api-key").strip() or bearer


def session_in(cookies: str) -> str:
    """The token of a session that came with a request's cookies; empty if there is none."""
    pairs = (cookie.strip().partition("=") for cookie in cookies.split(";"))
    return next((value for name, _, value in pairs if name == SESSION_COOKIE), "")


def key_digest(secret: str) -> str:
    """A text that stands for a key in memory, in place of its secret; empty for none."""
    if not secret:
        return ""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()[:32]


def networks(text: str) -> "Sequence[IPv4Network | IPv6Network]":
    """Networks or addresses, separated by commas; ValueError for anything else."""
    return [ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip()]
