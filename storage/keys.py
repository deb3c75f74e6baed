"""The installation's secret: one root of 64 octets, and the keys derived from it.

Owns where the root comes from: the environment, or a 0600 file made at the first start. Must not
encrypt anything.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import secrets
import stat
from types import MappingProxyType
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from storage.data_dir import make_data_dir

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

VARIABLE = "SMSGATE_NUMBER_KEY"
FILE_NAME = "number.key"
NEXT_VARIABLE, NEXT_FILE_NAME = "SMSGATE_NUMBER_KEY_NEXT", "number.key.next"
ROOT_BYTES = 64
# What is not about numbers goes on under another number key: purpose -> octets of its key.
CARRIED: Mapping[str, int] = MappingProxyType(
    {
        "short-link codes": 32,
        "webhook secrets": 64,
        "list cursor": 32,
        "audit anchor": 32,
        "request fingerprint": 32,
    }
)
_TEXTS, _INDEXES = "text fingerprint", "indexes before"
_INDEX_KEY_BYTES = 32


class KeyUnusable(Exception):
    """The key cannot be used. One line for the operator."""


class NumberKeys:
    """Keys for one installation. Never shows the root."""

    __slots__ = ("_carried", "_root")

    def __init__(self, root: bytes, carried: Mapping[str, bytes] = MappingProxyType({})) -> None:
        """`carried`: keys of an earlier root that go on, by purpose."""
        if len(root) != ROOT_BYTES:
            raise KeyUnusable(f"the number key has {len(root)} bytes instead of {ROOT_BYTES}")
        self._root = root
        self._carried = carried

    def derive(self, purpose: str, length: int) -> bytes:
        """A key of `length` octets for one purpose (HKDF, RFC 5869).

        It says nothing about the root, nor about the keys for other purposes.
        """
        if purpose in self._carried:
            return self._carried[purpose]
        return HKDF(
            algorithm=SHA256(), length=length, salt=None, info=f"smsgate {purpose}".encode()
        ).derive(self._root)

    @property
    def text_key(self) -> bytes:
        """For fingerprints of what is told: once the index's key, and the same ever since."""
        return self._carried.get(_TEXTS) or self.derive("number index", _INDEX_KEY_BYTES)

    @property
    def indexes_before(self) -> tuple[bytes, ...]:
        """The keys under which earlier roots have indexed numbers, the oldest first."""
        joined = self._carried.get(_INDEXES, b"")
        size = _INDEX_KEY_BYTES
        return tuple(joined[at : at + size] for at in range(0, len(joined), size))

    def with_carried_of(self, other: NumberKeys) -> NumberKeys:
        """This root, with what goes on as `other` has it."""
        return NumberKeys(self._root, other._carried)

    def carry_to(self, other: NumberKeys) -> bytes:
        """The keys that go on under another root, sealed with it."""
        kept = {purpose: self.derive(purpose, length) for purpose, length in CARRIED.items()}
        kept[_TEXTS] = self.text_key
        kept[_INDEXES] = b"".join(
            (*self.indexes_before, self.derive("number index", _INDEX_KEY_BYTES))
        )
        document = {name: key.hex() for name, key in kept.items()}
        return AESSIV(other.derive("carried keys", 64)).encrypt(json.dumps(document).encode(), None)

    def carrying(self, sealed: bytes) -> NumberKeys:
        """These keys with those that carry_to() sealed. Raises KeyUnusable."""
        try:
            document = json.loads(AESSIV(self.derive("carried keys", 64)).decrypt(sealed, None))
        except (InvalidTag, ValueError) as error:
            raise KeyUnusable("the keys that go on cannot be read with the number key") from error
        return NumberKeys(self._root, {name: bytes.fromhex(key) for name, key in document.items()})

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that tell one key from another."""
        return self.derive("fingerprint", 8).hex()


def load_keys(data_dir: Path, environ: Mapping[str, str]) -> NumberKeys:
    """The keys from SMSGATE_NUMBER_KEY (64 octets as hexadecimal or base64), else from
    `number.key`.

    That file is in the data folder, and made if it is missing. Raises KeyUnusable for a malformed
    key and for a file that others may read; EmbeddedError when the data folder cannot be made.
    """
    text = environ.get(VARIABLE)
    if text is not None:
        return NumberKeys(_decode(text, VARIABLE))
    path = make_data_dir(data_dir) / FILE_NAME
    try:
        if not path.exists():
            _create(path)
        return NumberKeys(_read(path))
    except OSError as error:
        raise KeyUnusable(f"cannot use {path}: {error.strerror}") from error


def load_next(data_dir: Path, environ: Mapping[str, str]) -> NumberKeys | None:
    """The key that a rotation goes to: SMSGATE_NUMBER_KEY_NEXT, else `number.key.next`; None
    without either. Raises KeyUnusable.
    """
    text = environ.get(NEXT_VARIABLE)
    if text is not None:
        return NumberKeys(_decode(text, NEXT_VARIABLE))
    path = data_dir / NEXT_FILE_NAME
    try:
        return NumberKeys(_read(path)) if path.exists() else None
    except OSError as error:
        raise KeyUnusable(f"cannot use {path}: {error.strerror}") from error


def make_next(data_dir: Path) -> None:
    """Make `number.key.next`, unless it is there."""
    path = data_dir / NEXT_FILE_NAME
    try:
        _create(path)
    except OSError as error:
        raise KeyUnusable(f"cannot make {path}: {error.strerror}") from error


def _decode(text: str, where: str) -> bytes:
    text = text.strip()
    try:
        if len(text) == 2 * ROOT_BYTES:
            return bytes.fromhex(text)
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error) as error:
        raise KeyUnusable(
            f"{where}: expected {ROOT_BYTES} bytes as hexadecimal or base64"
        ) from error


def _create(path: Path) -> None:
    """Make the key file, whole or not at all: processes that start together read the same key."""
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "w", encoding="ascii") as file:
            file.write(f"{secrets.token_hex(ROOT_BYTES)}\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read(path: Path) -> bytes:
    with path.open(encoding="ascii") as file:
        status = os.fstat(file.fileno())
        if stat.S_IMODE(status.st_mode) & 0o077:
            raise KeyUnusable(f"{path} can be read by others: chmod 600 it, or use another key")
        if status.st_uid != os.geteuid():
            raise KeyUnusable(f"{path} belongs to uid {status.st_uid}: it must be our own")
        return _decode(file.read(4 * ROOT_BYTES), str(path))
