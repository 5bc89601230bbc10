"""Opening the places that sources are fetched from, each by what fetches from its kind."""

from contextlib import AbstractContextManager
from typing import Final, assert_never

from commerce_core.feeds.place import HttpsPlace, Place, S3Place, SftpPlace
from commerce_core.feeds.pull import Pull
from commerce_core.ports.fetcher import Access, Remote
from commerce_core.ports.secrets import vault_name
from commerce_core.usecases.context import Context
from commerce_core.usecases.fetching.web_file import WebFetcher

FETCH_SECONDS: Final = 1_800.0
"""How long one try may take in all."""


def judge(context: Context, place: Place, access: Access) -> None:
    """Judges a place that is to be stored; InvalidInput if it can't be called."""
    match place:
        case HttpsPlace():
            WebFetcher(context.web).judge(place, access)
        case SftpPlace():
            context.sftp.judge(place, access)
        case S3Place():
            context.s3.judge(place, access)
        case _:
            assert_never(place)


def connect(
    context: Context, place: Place, access: Access, seconds: float = FETCH_SECONDS
) -> AbstractContextManager[Remote]:
    """A session with a place."""
    match place:
        case HttpsPlace():
            return WebFetcher(context.web).connect(place, access, seconds)
        case SftpPlace():
            return context.sftp.connect(place, access, seconds)
        case S3Place():
            return context.s3.connect(place, access, seconds)
        case _:
            assert_never(place)


def access_of(context: Context, pull: Pull) -> Access:
    """With which user and secret it is opened; the secret is opened for this alone."""
    secret = None
    if pull.sealed is not None:
        secret = context.vault.open(pull.sealed, vault_name("pull", pull.source_id))
    return Access(pull.username, secret)
