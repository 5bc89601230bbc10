"""Ports: partners, their sources, and API keys."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from commerce_core.feeds.source import Source
from commerce_core.partners.api_key import ApiKey
from commerce_core.partners.partner import Partner
from commerce_core.partners.session import Session
from commerce_core.ports.listing import Listing
from commerce_core.profiles.profile import SavedProfile


class Partners(Listing[str | None, Partner], Protocol):
    """Partners, by id ascending; the query names the only partner to show, or is None for all."""

    def add(self, partner: Partner) -> None:
        """Stores a new partner.

        Conflict `partner_name_taken` if the name exists, ignoring case; `partner_name_confusable`
        if it looks like another's, as `partners.lookalikes` judges.
        """
        ...

    def put(self, partner: Partner) -> None:
        """Replaces a partner. Conflict as in `add` for a new name, NotFound if there is none."""
        ...

    def get(self, partner_id: str) -> Partner:
        """The partner, or NotFound."""
        ...

    def lock_shared(self, partner_id: str) -> Partner:
        """The partner, which can't be changed until this unit ends; NotFound if there is none."""
        ...

    def lock(self, partner_id: str) -> Partner:
        """The partner, locked against all others until this unit ends; NotFound as in `get`."""
        ...

    def find(self, partner_name: str) -> Partner | None:
        """The partner with that name, ignoring case."""
        ...

    def names(self, partner_ids: Iterable[str]) -> Mapping[str, str]:
        """The names of these partners."""
        ...


class Sources(Listing[str | None, Source], Protocol):
    """Sources, by id ascending; the query names the only partner to show, or is None for all."""

    def add(self, source: Source) -> None:
        """Stores a new source. Conflict `source_name_taken` if the partner has one of that name."""
        ...

    def put(self, source: Source) -> None:
        """Replaces a source. Conflict as in `add`, NotFound if there is none."""
        ...

    def lock_shared(self, source_id: str) -> Source:
        """The source, which can't be removed until this unit ends; NotFound if there is none."""
        ...

    def lock(self, source_id: str) -> Source:
        """The source, locked against all others until this unit ends; NotFound if there is none."""
        ...

    def remove(self, source_id: str) -> None:
        """Deletes a source; NotFound if there is none. Its feeds and profiles stay."""
        ...

    def get(self, source_id: str) -> Source:
        """The source, or NotFound."""
        ...

    def find(self, partner_id: str, source_name: str) -> Source | None:
        """The partner's source with that name."""
        ...

    def of(self, partner_id: str) -> Sequence[Source]:
        """All sources of a partner, by name."""
        ...

    def profile(self, source_id: str, version: int | None = None) -> SavedProfile:
        """That version of the source's profile, or the latest; `UNPROFILED` if there is none."""
        ...

    def save_profile(self, source_id: str, saved: SavedProfile) -> None:
        """Stores a new version. Conflict `profile_changed` if that version is taken already."""
        ...


class Keys(Listing[str | None, ApiKey], Protocol):
    """API keys, newest first; the query names the only partner to show, or is None for all."""

    def add(self, key: ApiKey) -> None:
        """Stores a new key."""
        ...

    def put(self, key: ApiKey) -> None:
        """Replaces a key, except for its last use; NotFound if there is none."""
        ...

    def get(self, key_id: str) -> ApiKey:
        """The key, or NotFound."""
        ...

    def lock(self, key_id: str) -> ApiKey:
        """The key, locked against all others until this unit ends; NotFound if there is none."""
        ...

    def find(self, digest: bytes) -> ApiKey | None:
        """The key with this digest, valid or not."""
        ...

    def note_use(self, key_id: str, at: datetime) -> None:
        """Notes a use of the key, unless another within `USE_NOTED_EVERY` before was noted.

        Never waits: while another unit has locked the key, nothing is noted.
        """
        ...

    def revoke_of(self, partner_id: str, at: datetime) -> Sequence[str]:
        """Revokes all keys of a partner that aren't revoked yet, and returns their ids in order."""
        ...


class Sessions(Protocol):
    """Sessions of people who signed in with a key."""

    def add(self, session: Session) -> None:
        """Stores a new session."""
        ...

    def find(self, digest: bytes) -> Session | None:
        """The session with this digest, expired or not."""
        ...

    def end(self, session_id: str) -> None:
        """Deletes a session, if there is one."""
        ...

    def end_beyond(self, key_id: str, most: int) -> None:
        """Deletes the sessions of a key, except for the `most` newest."""
        ...

    def forget(self, before: datetime, most: int) -> int:
        """Deletes at most `most` sessions that expired before that time; returns how many."""
        ...


class PartnersUnit(Protocol):
    """The part of a unit of work for partners, their sources and keys."""

    @property
    def partners(self) -> Partners:
        """The partners that send feeds."""
        ...

    @property
    def sources(self) -> Sources:
        """Partners' recurring feeds, and their profiles."""
        ...

    @property
    def keys(self) -> Keys:
        """API keys."""
        ...

    @property
    def sessions(self) -> Sessions:
        """Sessions of people in a browser."""
        ...
