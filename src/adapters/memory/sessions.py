"""Sessions in memory."""

from collections.abc import MutableMapping
from datetime import datetime
from itertools import islice

from attrs import frozen

from commerce_core.partners.session import Session


@frozen
class Sessions:
    """Implements `commerce_core.ports.partners.Sessions`."""

    _rows: MutableMapping[str, Session]

    def add(self, session: Session) -> None:
        """Keeps a new session."""
        self._rows[session.session_id] = session

    def find(self, digest: bytes) -> Session | None:
        """The session with this digest."""
        return next((row for row in self._rows.values() if row.digest == digest), None)

    def end(self, session_id: str) -> None:
        """Deletes a session."""
        if session_id in self._rows:
            del self._rows[session_id]

    def end_beyond(self, key_id: str, most: int) -> None:
        """Deletes the oldest sessions of a key."""
        own = sorted(id_ for id_, row in self._rows.items() if row.key_id == key_id)
        for session_id in own[:-most] if most else own:
            del self._rows[session_id]

    def forget(self, before: datetime, most: int) -> int:
        """Deletes expired sessions."""
        over = [id_ for id_, row in self._rows.items() if row.expires_at < before]
        gone = list(islice(over, most))
        for session_id in gone:
            del self._rows[session_id]
        return len(gone)
