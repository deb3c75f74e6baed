"""Hashes of numbers under a partner's key, so that two systems compare lists without numbers.

Owns the arithmetic. Must not know where a key comes from. Pure.

HMAC-SHA256 of the number in E.164 form with its +, in the one form of its subscriber. There are few
enough numbers to try them all. So whoever has the key can read the hashes.
"""

from __future__ import annotations

import hmac

from storage.subscribers import canonical, other_form

HASH_BYTES = 32
KEY_BYTES_MIN = 32
KEY_BYTES_MAX = 128


class PartnerKey:
    """The key that is shared with one partner: KEY_BYTES_MIN to KEY_BYTES_MAX octets."""

    __slots__ = ("_empty",)

    def __init__(self, key: bytes) -> None:
        if not KEY_BYTES_MIN <= len(key) <= KEY_BYTES_MAX:
            raise ValueError(f"a partner's key has {KEY_BYTES_MIN} to {KEY_BYTES_MAX} octets")
        self._empty = hmac.new(key, digestmod="sha256")

    def hash(self, number: str) -> bytes:
        """32 octets, for any form of an E.164 number the same."""
        return self._of(canonical(number))

    def hashes(self, number: str) -> tuple[bytes, ...]:
        """Those of every form that the partner may have hashed; the first is `hash`."""
        one = canonical(number)
        other = other_form(one)
        return (self._of(one),) if other is None else (self._of(one), self._of(other))

    def _of(self, text: str) -> bytes:
        keyed = self._empty.copy()
        keyed.update(text.encode())
        return keyed.digest()
