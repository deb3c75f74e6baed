"""API keys: how they look, how they are kept, how they are made.

Owns the table `api_key`. A key is shown once; the database holds its SHA-256, which is enough for a
random 256-bit secret. Must not decide what a key may do (web/auth.py).
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable

import asyncpg

from gateway.accept.models import StorageDown
from gateway.web.services import StoredKey
from storage import sql
from storage.faults import UNAVAILABLE, is_transient
from storage.pool import Connection

SCOPES = (
    "messages:send", "messages:read", "reports:read", "inbound:read", "suppressions:read",
    "suppressions:write", "numbers:read", "consents:read", "consents:write",
    "policy:ignore", "admin",
)  # fmt: skip
KEY_BYTES = 32
RETRY_AFTER_SECONDS = 1
NAME_CHARACTERS_MAX = 100

_SQL = sql.load(__package__)
_FORM = re.compile(r"sk_[A-Za-z0-9_-]{43}", re.ASCII)


class KeyRefused(Exception):
    """A key cannot be made like this: one line for the operator."""


def new_key() -> str:
    """`sk_` and 256 random bits in base64url, 46 characters."""
    return "sk_" + secrets.token_urlsafe(KEY_BYTES)


def hash_of(key: str) -> bytes | None:
    """SHA-256 of a key; None for what cannot be one, which spares the database the question."""
    if not _FORM.fullmatch(key):
        return None
    return hashlib.sha256(key.encode()).digest()


async def create_key(
    connection: Connection, account_name: str, name: str, scopes: Iterable[str]
) -> str:
    """Make and store a key; returns it, the only time it can be read. Raises KeyRefused.

    The account is made too if the database does not know it yet, since a key may be made before the
    gateway first starts. `name` is unique within the account.
    """
    wanted = sorted(set(scopes))
    unknown = [scope for scope in wanted if scope not in SCOPES]
    if unknown or not wanted:
        words = f"unknown scope {', '.join(unknown)}" if unknown else "no scope"
        raise KeyRefused(f"{words}: there are {', '.join(SCOPES)}")
    if not 1 <= len(name) <= NAME_CHARACTERS_MAX or not name.isprintable():
        raise KeyRefused(f"a key's name is 1 to {NAME_CHARACTERS_MAX} printable characters")
    key = new_key()
    async with connection.transaction():
        await connection.execute(_SQL["accounts_register"], [account_name])
        try:
            await connection.execute(_SQL["key_create"], account_name, name, hash_of(key), wanted)
        except asyncpg.UniqueViolationError:
            raise KeyRefused(f"account {account_name} has a key named {name!r} already") from None
    return key


class DatabaseKeys:
    """The KeyStore over PostgreSQL."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._pool = pool

    async def find(self, key_hash: bytes) -> StoredKey | None:
        """The key with this SHA-256 unless it is revoked. Raises StorageDown."""
        try:
            row = await self._pool.fetchrow(_SQL["key_find"], key_hash)
        except UNAVAILABLE as error:
            if not is_transient(error):
                raise
            raise StorageDown(RETRY_AFTER_SECONDS) from error
        if row is None:
            return None
        return StoredKey(row["id"], row["account"], frozenset(row["scopes"]))
