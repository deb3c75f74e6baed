"""Recipient numbers at rest: AES-SIV to decrypt them again, a keyed HMAC to find them.

Owns both, the masked form, and the check that a database belongs to our key. Must not keep a
number, and must not know where the columns are.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from storage.sql import load
from storage.subscribers import SEVERAL_FORMS, canonical, forms_indexed_before

if TYPE_CHECKING:
    from collections.abc import Iterable

    from storage.keys import NumberKeys
    from storage.pool import Connection

SQL = load("storage")
INDEX_BYTES = 16

_BLOCK_BYTES = 64  # of SHA-256


class KeyMismatch(Exception):
    """The database was written with another key. One line for the operator."""


class UnreadableNumber(Exception):
    """The octets are no number that our key encrypted."""


class NumberVault:
    """Encrypts, decrypts and indexes E.164 numbers ("+8613812345678").

    Encryption is deterministic (AES-SIV, RFC 5297), and so is the index (HMAC-SHA256, cut to 16
    octets). Their keys are derived separately. There are few enough numbers to try them all, so
    both are only as secret as the key.

    `rewritten`: in tables that decide who is spared, no index of the release before is left
    (index_rewrite.py).

    While the key is changed (key_rotation.py) there are two keys. One writes; both are read, and
    numbers are looked up under both.
    """

    __slots__ = (
        "_also", "_ever", "_inner", "_kept", "_outer", "_raw", "_request", "_siv", "_texts",
        "fingerprint", "rewritten", "unreadable",
    )  # fmt: skip

    def __init__(self, keys: NumberKeys) -> None:
        self.rewritten = False
        self.unreadable = 0  # stored numbers that could not be decrypted, since start
        self._request = _hmac_blocks(keys.derive("request fingerprint", 32))
        self._texts = _hmac_blocks(keys.text_key)
        self._ever = tuple(map(_hmac_blocks, keys.indexes_before))
        self._also: _Keyed | None = None
        self._kept: tuple[tuple[hashlib._Hash, hashlib._Hash], ...] = ()
        self._write(_Keyed(keys))

    def _write(self, keyed: _Keyed) -> None:
        self.fingerprint, self._siv, self._raw = keyed.fingerprint, keyed.siv, keyed.raw
        self._inner, self._outer = keyed.index

    @property
    def moving(self) -> bool:
        """Whether there are two keys."""
        return self._also is not None

    @property
    def several_keys(self) -> bool:
        """Whether numbers are looked up under more than one: they are while the key changes, and
        after it where rows were left.
        """
        return self._also is not None or bool(self._kept)

    def knows(self, fingerprint: str) -> bool:
        """Whether the key with this fingerprint is one of those here."""
        other = None if self._also is None else self._also.fingerprint
        return fingerprint in (self.fingerprint, other)

    def learn(self, keys: NumberKeys) -> None:
        """Read and look up under this key, too."""
        self._also = _Keyed(keys)

    def turn_over(self) -> None:
        """Write with the other key from now on. Raises LookupError where there is none."""
        if self._also is None:
            raise LookupError("there is one key")
        now = _Keyed.__new__(_Keyed)
        now.fingerprint, now.siv, now.raw = self.fingerprint, self._siv, self._raw
        now.index = self._inner, self._outer
        self._write(self._also)
        self._also = now

    def forget(self, *, keep_index: bool = False) -> None:
        """The key that does not write is no longer read; `keep_index`: but still looked up."""
        if self._also is not None:
            self._ever = (*self._ever, self._also.index)
        if self._also is not None and keep_index:
            self._kept = (*self._kept, self._also.index)
        elif not keep_index:
            self._kept = ()
        self._also = None

    def keep_indexes(self, keys: Iterable[bytes]) -> None:
        """Look up under these earlier keys, too: rows are left there."""
        self._kept = tuple(map(_hmac_blocks, keys))

    def seal(self, msisdn: str) -> bytes:
        """The ciphertext: 16 octets longer than the number, equal for equal numbers."""
        return self._siv.encrypt(msisdn.encode(), None)

    def open(self, sealed: bytes) -> str:
        """The number. Raises UnreadableNumber for what our key did not encrypt."""
        try:
            return self._siv.decrypt(sealed, None).decode()
        except (InvalidTag, ValueError) as error:
            if self._also is not None:
                with contextlib.suppress(InvalidTag, ValueError):
                    return self._also.siv.decrypt(sealed, None).decode()
            raise UnreadableNumber("sealed with another key, or damaged") from error

    def is_current(self, sealed: bytes) -> bool:
        """Whether the key that writes has sealed this number."""
        try:
            self._siv.decrypt(sealed, None)
        except (InvalidTag, ValueError):
            return False
        return True

    def open_or_none(self, sealed: bytes) -> str | None:
        """The number; None, and counted, for what our key did not encrypt.

        One damaged row must not sink those beside it. Of a person that was erased nothing is
        stored, and nothing is counted.
        """
        if not sealed:
            return None
        try:
            return self.open(sealed)
        except UnreadableNumber:
            self.unreadable += 1
            return None

    def shown(self, sealed: bytes) -> str | None:
        """As open_or_none(), for a reader; "" where the person was erased."""
        return self.open_or_none(sealed) if sealed else ""

    def seal_octets(self, octets: bytes, row_id: int) -> bytes:
        """Encrypt what a carrier delivered, under a key of its own. It is bound to the row with
        this id.
        """
        return self._raw.encrypt(octets, [row_id.to_bytes(8, "big")])

    def open_octets(self, sealed: bytes, row_id: int) -> bytes | None:
        """The octets; None, and counted, for what our key did not encrypt for this row."""
        bound = [row_id.to_bytes(8, "big")]
        try:
            return self._raw.decrypt(sealed, bound)
        except (InvalidTag, ValueError):
            if self._also is not None:
                with contextlib.suppress(InvalidTag, ValueError):
                    return self._also.raw.decrypt(sealed, bound)
            self.unreadable += 1
            return None

    def octets_are_current(self, sealed: bytes, row_id: int) -> bool:
        """Whether the key that writes has sealed these octets for this row."""
        try:
            self._raw.decrypt(sealed, [row_id.to_bytes(8, "big")])
        except (InvalidTag, ValueError):
            return False
        return True

    def index(self, msisdn: str) -> bytes:
        """The index of the subscriber, whichever form the number is written in: 16 octets."""
        if msisdn[1:3] in SEVERAL_FORMS:
            msisdn = canonical(msisdn)
        inner = self._inner.copy()  # as digest() does, without the call: each message passes here
        inner.update(msisdn.encode())
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.digest()[:INDEX_BYTES]

    def todays_index(self, msisdn: str, stored: bytes) -> bytes:
        """index() of a number that was stored with this one, computed where it may be another."""
        if self._also is None and msisdn[1:3] not in SEVERAL_FORMS:
            return stored
        return self.index(msisdn)

    def digest(self, text: str) -> bytes:
        """The HMAC of any text under the index's key: 16 octets."""
        return _digest((self._inner, self._outer), text)

    def fingerprint_of(self, text: str) -> bytes:
        """As digest(), under a key that does not change with the number key: what is told again is
        known again.
        """
        return _digest(self._texts, text)

    def other_indexes(self, msisdn: str) -> tuple[bytes, ...]:
        """Other indexes under which this subscriber may stand: those of the release before, and
        those of the other key. Most have none.
        """
        if self._also is None and not self._kept:
            if msisdn[1:3] not in SEVERAL_FORMS:
                return ()
            return tuple(map(self.digest, forms_indexed_before(msisdn)))
        others = self._kept if self._also is None else (*self._kept, self._also.index)
        several = msisdn[1:3] in SEVERAL_FORMS
        forms = forms_indexed_before(msisdn) if several else ()
        also = [canonical(msisdn) if several else msisdn, *forms]
        return (
            *map(self.digest, forms),
            *(_digest(blocks, each) for blocks in others for each in also),
        )

    def indexes(self, msisdn: str) -> tuple[bytes, ...]:
        """index() and the other ones, for tables that are not rewritten."""
        return (self.index(msisdn), *self.other_indexes(msisdn))

    def indexes_ever(self, msisdn: str) -> tuple[bytes, ...]:
        """Every index that any number key has given this subscriber: what is on record keeps its
        own.
        """
        form = canonical(msisdn) if msisdn[1:3] in SEVERAL_FORMS else msisdn
        before = (_digest(blocks, form) for blocks in self._ever)
        return tuple(dict.fromkeys((*self.indexes(msisdn), *before)))

    def old_indexes(self, msisdn: str) -> tuple[bytes, ...]:
        """The other ones, as long as they may stand in a table that is rewritten."""
        one = self.rewritten and not self.several_keys
        return () if one else self.other_indexes(msisdn)

    def request_fingerprint(self, to: str, sender: str, category: int, text: str) -> bytes:
        """Equal for two messages that ask for the same: 16 octets. No value may hold a NUL.

        Without the key nobody can use it to try numbers or texts.
        """
        inner, outer = (block.copy() for block in self._request)
        inner.update(f"{to}\0{sender}\0{category}\0{text}".encode())
        outer.update(inner.digest())
        return outer.digest()[:INDEX_BYTES]

    def seal_many(self, msisdns: Iterable[str]) -> list[bytes]:
        """`seal` of each, in order."""
        encrypt = self._siv.encrypt
        return [encrypt(msisdn.encode(), None) for msisdn in msisdns]

    def index_many(self, msisdns: Iterable[str]) -> list[bytes]:
        """`index` of each, in order."""
        index = self.index
        return [index(msisdn) for msisdn in msisdns]


class _Keyed:
    """What one number key reads and writes with."""

    __slots__ = ("fingerprint", "index", "raw", "siv")

    def __init__(self, keys: NumberKeys) -> None:
        self.fingerprint = keys.fingerprint
        self.siv = AESSIV(keys.derive("number seal", 64))
        self.raw = AESSIV(keys.derive("raw delivery", 64))
        self.index = _hmac_blocks(keys.derive("number index", 32))


def _digest(blocks: tuple[hashlib._Hash, hashlib._Hash], text: str) -> bytes:
    inner, outer = (block.copy() for block in blocks)
    inner.update(text.encode())
    outer.update(inner.digest())
    return outer.digest()[:INDEX_BYTES]


def _hmac_blocks(key: bytes) -> tuple[hashlib._Hash, hashlib._Hash]:
    """HMAC with its two key blocks hashed once: 0.7 us a number."""
    key = key.ljust(_BLOCK_BYTES, b"\0")
    inner = hashlib.sha256(bytes(octet ^ 0x36 for octet in key))
    return inner, hashlib.sha256(bytes(octet ^ 0x5C for octet in key))


def mask(msisdn: str) -> str:
    """`+8613812345678` -> `+86138****5678`: always four stars for at least four digits.

    A number of fewer than 13 digits shows less of its beginning, one of fewer than 8 less of its
    end as well.
    """
    digits = msisdn.removeprefix("+")
    sign = "+" if msisdn.startswith("+") else ""
    tail = min(4, max(0, len(digits) - 4))
    head = min(5, max(0, len(digits) - tail - 4))
    return f"{sign}{digits[:head]}****{digits[len(digits) - tail :]}"


async def check_fingerprint(connection: Connection, vault: NumberVault) -> None:
    """Mark a new database with our key's fingerprint. Raises KeyMismatch for one with another mark.

    With a changed index nobody who opted out would be found any more.
    """
    await connection.execute(SQL["claim_installation"], vault.fingerprint)
    recorded = await connection.fetchval(SQL["key_fingerprint"])
    if not hmac.compare_digest(recorded, vault.fingerprint):
        raise KeyMismatch(
            f"this database was written with number key {recorded} and the key given is"
            f" {vault.fingerprint}: bring the old key back"
        )
