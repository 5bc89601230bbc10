"""Sessions: a person who has signed in with an API key, in a browser that keeps a token for it."""

import hashlib
from datetime import datetime, timedelta
from typing import Final

from attrs import field, frozen

from commerce_core.base.errors import Unauthenticated
from commerce_core.base.ids import Entropy

SESSION_LASTS: Final = timedelta(hours=12)
"""How long a session lasts at most; it ends earlier with its key."""
MOST_SESSIONS: Final = 20
"""The most sessions of one key; beginning another one ends the oldest."""
MOST_SESSIONS_FORGOTTEN: Final = 1_000
"""The most expired sessions that are deleted when one begins."""
LONGEST_TOKEN: Final = 200
_TOKEN_BYTES: Final = 32


@frozen
class Session:
    """A session of a key. Its token is returned once; only its SHA-256 is stored."""

    session_id: str
    key_id: str
    created_at: datetime
    expires_at: datetime
    digest: bytes = field(default=b"", repr=False)

    def check_valid(self, now: datetime) -> None:
        """Unauthenticated `session_expired` if its time is over."""
        if now >= self.expires_at:
            raise no_session()


def no_session() -> Unauthenticated:
    """The refusal of a token that belongs to no session, or to one that has ended."""
    return Unauthenticated("The session has ended.", "Sign in again.", code="session_expired")


def new_token(entropy: Entropy) -> str:
    """A token that can't be guessed."""
    return entropy(_TOKEN_BYTES).hex()


def digest_of_token(token: str) -> bytes:
    """What is stored of a token."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()


def form_token(token: str) -> str:
    """The token that each form of this session carries; it follows from the session's own.

    Pages of other sites can't know it, and it can't be used as the session's token.
    """
    return hashlib.sha256(b"form " + token.encode(errors="surrogatepass")).hexdigest()
