"""The installation's secret: one root of 64 octets, and the keys derived from it.

Owns where the root comes from: the environment, or a 0600 file made at the first start. Must not
encrypt anything.
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
import stat
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from storage.data_dir import make_data_dir

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

VARIABLE = "SMSGATE_NUMBER_KEY"
FILE_NAME = "number.key"
ROOT_BYTES = 64


class KeyUnusable(Exception):
    """The key cannot be used. One line for the operator."""


class NumberKeys:
    """Keys for one installation. Never shows the root."""

    __slots__ = ("_root",)

    def __init__(self, root: bytes) -> None:
        if len(root) != ROOT_BYTES:
            raise KeyUnusable(f"the number key has {len(root)} bytes instead of {ROOT_BYTES}")
        self._root = root

    def derive(self, purpose: str, length: int) -> bytes:
        """A key of `length` octets for one purpose (HKDF, RFC 5869).

        It says nothing about the root, nor about the keys for other purposes.
        """
        return HKDF(
            algorithm=SHA256(), length=length, salt=None, info=f"smsgate {purpose}".encode()
        ).derive(self._root)

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
    temporary = path.with_name(f"{FILE_NAME}.{secrets.token_hex(4)}")
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
