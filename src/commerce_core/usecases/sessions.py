"""Sessions: people who sign in with an API key, and what they may do then."""

from attrs import frozen

from commerce_core.partners.access import Principal
from commerce_core.partners.api_key import digest_of
from commerce_core.partners.session import (
    LONGEST_TOKEN,
    MOST_SESSIONS,
    MOST_SESSIONS_FORGOTTEN,
    SESSION_LASTS,
    Session,
    digest_of_token,
    new_token,
    no_session,
)
from commerce_core.usecases.context import Context
from commerce_core.usecases.keys import Keys


@frozen
class NewSession:
    """A session that has begun, and its token, which is never shown again."""

    session: Session
    token: str


@frozen
class Sessions:
    """Sessions, each of one key: it may do what the key may, for as long as the key is valid."""

    _context: Context

    def begin(self, secret: str | None) -> NewSession:
        """A new session of the key with this secret. Unauthenticated as in `keys.authenticate`."""
        Keys(self._context).authenticate(secret)
        now, token = self._context.clock(), new_token(self._context.entropy)
        with self._context.store.begin() as unit:
            key = unit.keys.find(digest_of(secret or ""))
            if key is None:
                raise no_session()
            expires_at = min(filter(None, (now + SESSION_LASTS, key.expires_at)))
            session = Session(
                self._context.mint("ses"), key.key_id, now, expires_at, digest_of_token(token)
            )
            unit.sessions.forget(now, MOST_SESSIONS_FORGOTTEN)
            unit.sessions.add(session)
            unit.sessions.end_beyond(key.key_id, MOST_SESSIONS)
        return NewSession(session, token)

    def resume(self, token: str | None) -> Principal:
        """The principal of the session with this token.

        Unauthenticated `session_expired` if there is none any more, or as in `keys.authenticate` if
        its key was revoked or has expired.
        """
        if not token or len(token) > LONGEST_TOKEN:
            raise no_session()
        now = self._context.clock()
        with self._context.store.read_only() as unit:
            session = unit.sessions.find(digest_of_token(token))
            if session is None:
                raise no_session()
            session.check_valid(now)
            key = unit.keys.get(session.key_id)
        key.check_valid(now)
        return key.principal()

    def end(self, token: str | None) -> None:
        """Ends the session with this token, if there is one."""
        if not token or len(token) > LONGEST_TOKEN:
            return
        with self._context.store.begin() as unit:
            session = unit.sessions.find(digest_of_token(token))
            if session is not None:
                unit.sessions.end(session.session_id)
