"""Signatures of webhooks, after Standard Webhooks: the secret's form, signing, and verifying."""

import hashlib
import hmac
import re
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from commerce_core.base.errors import Fault, InvalidInput
from commerce_core.base.ids import Entropy

PREFIX: Final = "whsec_"
FEWEST_SECRET_BYTES: Final = 24
MOST_SECRET_BYTES: Final = 64
NEW_SECRET_BYTES: Final = 32
TOLERANCE: Final = timedelta(minutes=5)
"""How far the time of a message may be from the receiver's clock."""
_TIMESTAMP: Final = re.compile(r"[0-9]{1,12}", re.ASCII)


class BadSignature(ValueError):
    """A message that isn't signed with any of the secrets, or not at about this time."""


def new_secret(entropy: Entropy) -> str:
    """A new secret, in the form in which receivers get it."""
    return PREFIX + b64encode(entropy(NEW_SECRET_BYTES)).decode()


def check_secret(secret: str, pointer: str) -> None:
    """InvalidInput unless it is a secret after Standard Webhooks."""
    try:
        _key(secret)
    except ValueError as error:
        raise InvalidInput(
            "The secret can't be used.",
            faults=[
                Fault(
                    pointer,
                    "bad_secret",
                    f"Use {PREFIX} and the Base64 of {FEWEST_SECRET_BYTES} to "
                    f"{MOST_SECRET_BYTES} random bytes.",
                )
            ],
        ) from error


def signed(secrets: Iterable[str], message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The headers of a message: its id, its time, and a signature with each of the secrets."""
    timestamp = str(int(at.timestamp()))
    signatures = [_signature(secret, message_id, timestamp, body) for secret in secrets]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(signatures),
    }


def verify(secrets: Iterable[str], headers: Mapping[str, str], body: bytes, now: datetime) -> None:
    """Returns if one of the secrets signed this message; BadSignature otherwise.

    The names of the headers are in lower case.
    """
    message_id = headers.get("webhook-id", "")
    timestamp = headers.get("webhook-timestamp", "")
    given = headers.get("webhook-signature", "")
    if not (message_id and given and _TIMESTAMP.fullmatch(timestamp)):
        raise BadSignature("A header of the signature is missing or malformed.")
    if abs(now - datetime.fromtimestamp(int(timestamp), UTC)) > TOLERANCE:
        raise BadSignature("The message is too old, or from the future.")
    expected = [_signature(secret, message_id, timestamp, body) for secret in secrets]
    if not any(
        hmac.compare_digest(e.encode(), g.encode()) for e in expected for g in given.split()
    ):
        raise BadSignature("No signature matches.")


def _signature(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    content = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + b64encode(hmac.digest(_key(secret), content, hashlib.sha256)).decode()


def _key(secret: str) -> bytes:
    """The bytes of a secret; ValueError if it isn't one."""
    try:
        key = b64decode(secret.removeprefix(PREFIX), validate=True)
    except NotBase64 as error:
        raise ValueError("not Base64") from error
    if not secret.startswith(PREFIX) or not FEWEST_SECRET_BYTES <= len(key) <= MOST_SECRET_BYTES:
        raise ValueError("not a secret")
    return key
