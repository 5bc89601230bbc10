"""Seals secrets with AES-GCM by `cryptography`, under one of several keys, which have names.

A sealed text is `v1.KEY.BODY`: the key's id, and nonce, ciphertext and tag in base64 (URL-safe).
Most commands seal nothing, so the library is imported (75 ms) only when something is sealed.
"""
# ruff: noqa: PLC0415 - as above

import re
import secrets
from base64 import b64decode, b64encode, urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Mapping
from typing import Final

from attrs import field, frozen

from commerce_core.base.errors import InvalidInput
from commerce_core.ports.vault import LONGEST_SECRET, cannot_open

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
MOST_KEYS: Final = 32
_KEY: Final = re.compile(r"(?P<id>[A-Za-z0-9_-]{1,40}):(?P<key>[A-Za-z0-9+/_=-]+)", re.ASCII)
_SEALED: Final = re.compile(r"v1\.(?P<id>[A-Za-z0-9_-]{1,40})\.(?P<body>[A-Za-z0-9_=-]+)", re.ASCII)


@frozen
class AesVault:
    """Implements `commerce_core.ports.vault.Vault`. The first key seals, all of them open."""

    _keys: Mapping[str, bytes] = field(repr=False)

    @classmethod
    def of(cls, text: str) -> "AesVault":
        """The vault with the keys `ID:BASE64`, separated by commas or blanks."""
        return cls(keys_of(text))

    def seal(self, plain: str, about: str) -> str:
        """The secret, sealed with the first key."""
        if len(plain) > LONGEST_SECRET:
            detail = f"A secret has at most {LONGEST_SECRET:,} characters."
            raise InvalidInput.at("/secret", "secret_too_long", detail)
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        key_id, key = next(iter(self._keys.items()))
        nonce = secrets.token_bytes(NONCE_BYTES)
        body = nonce + AESGCM(key).encrypt(nonce, plain.encode(), _bound(key_id, about))
        return f"v1.{key_id}.{urlsafe_b64encode(body).decode()}"

    def open(self, sealed: str, about: str) -> str:
        """The secret, opened with the key that the text names."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        found = _SEALED.fullmatch(sealed)
        if found is None:
            raise cannot_open("it isn't a sealed text of this version")
        key_id = found["id"]
        if key_id not in self._keys:
            raise cannot_open(f"there is no key {key_id!r} here")
        try:
            body = urlsafe_b64decode(found["body"])
            nonce, rest = body[:NONCE_BYTES], body[NONCE_BYTES:]
            opened = AESGCM(self._keys[key_id]).decrypt(nonce, rest, _bound(key_id, about))
        except (InvalidTag, NotBase64, ValueError):
            raise cannot_open("it was changed, moved, or sealed with another key") from None
        return opened.decode()

    def is_current(self, sealed: str) -> bool:
        """Whether it names the first key."""
        return sealed.startswith(f"v1.{next(iter(self._keys))}.")


def keys_of(text: str) -> Mapping[str, bytes]:
    """The keys by id, in order; InvalidInput for anything else than `ID:BASE64` of 32 bytes."""
    keys: dict[str, bytes] = {}
    for part in text.replace(",", " ").split():
        found = _KEY.fullmatch(part)
        try:
            key = b64decode(found["key"].replace("-", "+").replace("_", "/")) if found else b""
        except NotBase64:
            key = b""
        if found is None or len(key) != KEY_BYTES or found["id"] in keys:
            raise _bad_keys()
        keys[found["id"]] = key
    if not 1 <= len(keys) <= MOST_KEYS:
        raise _bad_keys()
    return keys


def new_key(key_id: str = "1") -> str:
    """A new random key, as `keys_of` reads it."""
    return f"{key_id}:{b64encode(secrets.token_bytes(KEY_BYTES)).decode()}"


def _bound(key_id: str, about: str) -> bytes:
    """What is authenticated beside the secret; a NUL can't be part of either."""
    return f"v1\0{key_id}\0{about}".encode()


def _bad_keys() -> InvalidInput:
    detail = (
        f"vault_keys must be 1 to {MOST_KEYS} keys ID:BASE64 of {KEY_BYTES} random bytes, each id "
        "once, separated by commas."
    )
    return InvalidInput.at("/vault_keys", "bad_setting", detail)
