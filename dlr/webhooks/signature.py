"""Standard Webhooks 1.0.0: the secrets an endpoint has, and the headers that sign one attempt.

Owns the text forms of keys (`whsec_`, `whsk_`, `whpk_`) and the three headers. Pure but for the
octets of a new key. Must not keep or send anything.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import secrets
from collections.abc import Sequence
from typing import Literal, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SECRET_PREFIX = "whsec_"
PRIVATE_PREFIX = "whsk_"
PUBLIC_PREFIX = "whpk_"
SECRET_BYTES = 32  # of those made here
SECRET_BYTES_MIN = 24
SECRET_BYTES_MAX = 64
SEED_BYTES = 32
# Two secrets while one is exchanged for the other, and an Ed25519 key beside them.
SIGNATURES_MAX = 3

ID_HEADER = "webhook-id"
TIMESTAMP_HEADER = "webhook-timestamp"
SIGNATURE_HEADER = "webhook-signature"
# Dots part what is signed: with one in the id another id and time could be read out of it.
WEBHOOK_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class SecretInvalid(Exception):
    """A text that is no key: says what would be one, and never shows the text."""


class Signing(Protocol):
    """A key that is ready to sign."""

    def sign(self, signed: bytes) -> str:
        """One entry of the header `webhook-signature`."""


class SecretKey:
    """HMAC-SHA256 under a secret that sender and receiver share."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = key

    def sign(self, signed: bytes) -> str:
        """`v1,` and the MAC in base64."""
        return f"v1,{base64.b64encode(hmac.digest(self._key, signed, 'sha256')).decode()}"


class PrivateKey:
    """Ed25519: the receiver holds the public half only."""

    __slots__ = ("_key",)

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)

    @property
    def public(self) -> bytes:
        """The half that a receiver verifies with: 32 octets."""
        return self._key.public_key().public_bytes_raw()

    def sign(self, signed: bytes) -> str:
        """`v1a,` and the signature in base64."""
        return f"v1a,{base64.b64encode(self._key.sign(signed)).decode()}"


def new_secret() -> str:
    """A secret nobody has seen: `whsec_…`."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def new_private_key() -> str:
    """An Ed25519 key nobody has seen: `whsk_…`, seed and public half."""
    seed = secrets.token_bytes(SEED_BYTES)
    return PRIVATE_PREFIX + base64.b64encode(seed + PrivateKey(seed).public).decode()


def new_key(signing: Literal["hmac", "ed25519"]) -> str:
    """One that signs so."""
    return new_private_key() if signing == "ed25519" else new_secret()


def signing_of(text: str) -> Literal["hmac", "ed25519"]:
    """How this key signs."""
    return "ed25519" if text.startswith(PRIVATE_PREFIX) else "hmac"


def public_key(private: str) -> str:
    """The `whpk_…` that a receiver gets. Raises SecretInvalid."""
    return PUBLIC_PREFIX + base64.b64encode(_private(private).public).decode()


def signing_key(text: str) -> Signing:
    """The key that `whsec_…` or `whsk_…` stands for. Raises SecretInvalid."""
    return _private(text) if text.startswith(PRIVATE_PREFIX) else _secret(text)


def signed_headers(
    keys: Sequence[Signing], webhook_id: str, timestamp: int, body: bytes
) -> dict[str, str]:
    """The three headers of one attempt. `keys` are those in force, the newest first; `timestamp` is
    this attempt's, in seconds; `webhook_id` is the same at every attempt.
    """
    if not 1 <= len(keys) <= SIGNATURES_MAX:
        raise ValueError(f"{len(keys)} keys: expected 1 to {SIGNATURES_MAX}")
    if WEBHOOK_ID.fullmatch(webhook_id) is None:
        raise ValueError("a webhook-id is 1 to 64 of A-Z a-z 0-9 _ -")
    signed = b"%b.%d.%b" % (webhook_id.encode(), timestamp, body)
    return {
        ID_HEADER: webhook_id,
        TIMESTAMP_HEADER: str(timestamp),
        SIGNATURE_HEADER: " ".join([key.sign(signed) for key in keys]),
    }


def _secret(text: str) -> SecretKey:
    key = _octets(text, SECRET_PREFIX)
    if not SECRET_BYTES_MIN <= len(key) <= SECRET_BYTES_MAX:
        raise SecretInvalid(
            f"the secret has {len(key)} octets: expected {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX}"
        )
    return SecretKey(key)


def _private(text: str) -> PrivateKey:
    octets = _octets(text, PRIVATE_PREFIX)
    if len(octets) != 2 * SEED_BYTES:
        raise SecretInvalid(
            f"the key has {len(octets)} octets: expected a seed and a public key of {SEED_BYTES}"
        )
    key = PrivateKey(octets[:SEED_BYTES])
    if key.public != octets[SEED_BYTES:]:
        raise SecretInvalid("the public half does not belong to the seed")
    return key


def _octets(text: str, prefix: str) -> bytes:
    if not text.startswith(prefix):
        raise SecretInvalid(f"expected {prefix} and base64")
    try:
        return base64.b64decode(text[len(prefix) :], validate=True)
    except (ValueError, binascii.Error):
        raise SecretInvalid(f"what follows {prefix} is no base64") from None
