"""API keys: how they look, how they are stored, and how they are made, rotated and revoked.

Owns the table `api_key`. Must not decide what a key may do (web/edge/auth.py), nor be asked by
requests (key_store.py).

A key is shown once. The database holds its SHA-256, which is enough for a random 256-bit secret.
Every change leaves an audit row in its transaction.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Protocol, TypeAlias

import asyncpg
import msgspec

from storage import audit, sql
from storage.audit import AuditEntry
from storage.ids import id_at
from storage.names import register_account
from storage.pool import Connection
from web.edge.scopes import SCOPES

KEY_BYTES = 32
NAME_CHARACTERS_MAX = 100
KEYS_LISTED_MAX = 10_000
Expires: TypeAlias = datetime | timedelta | None  # a moment, a time from now on, or never
OPERATOR = "operator"  # the actor of what a command changes

_SQL = sql.load("web")
_FORM = re.compile(r"sk_[A-Za-z0-9_-]{43}", re.ASCII)
_ID_TAIL_BITS = 22  # node and sequence of an id, drawn at random: a command has no node


class StoredKey(msgspec.Struct, frozen=True):
    """An API key. `lasts_seconds`: how long it still works; None: it does not expire. `ended`:
    `revoked` or `expired`, for a key that is good for nothing any more.
    """

    id: int
    account: int
    scopes: frozenset[str]
    lasts_seconds: float | None = None
    ended: str | None = None


class KeyStore(Protocol):
    """Where API keys are kept."""

    async def find(self, key_hash: bytes) -> StoredKey | None:
        """The key with this SHA-256, also one that has ended. Raises StorageDown."""


class KeyRefused(Exception):
    """A key cannot be made or changed like this. One line for the operator."""


class ListedKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key as the operator sees it; the key itself is known to nobody. `state` is active, expired
    or revoked. `last_used_at` may be a minute behind.
    """

    id: int
    account: str
    name: str
    scopes: tuple[str, ...]
    state: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


class Rotated(msgspec.Struct, frozen=True, kw_only=True):
    """The new key, the name that the old one has now, and until when that works."""

    key: str
    replaced: str
    replaced_until: datetime
    expires_at: datetime | None


def new_key() -> str:
    """`sk_` and 256 random bits in base64url, 46 characters."""
    return "sk_" + secrets.token_urlsafe(KEY_BYTES)


def hash_of(key: str) -> bytes | None:
    """SHA-256 of a key. None for what cannot be a key, which spares the database the question."""
    if not _FORM.fullmatch(key):
        return None
    return hashlib.sha256(key.encode()).digest()


async def create_key(
    connection: Connection,
    account_name: str,
    name: str,
    scopes: Iterable[str],
    *,
    expires: Expires = None,
) -> str:
    """Make and store a key. Returns it, the only time it can be read. Raises KeyRefused.

    The account is made too if the database does not know it yet: keys may be made before the
    gateway first starts. `name` is unique within the account. An ended key gives its name up.
    """
    wanted = sorted(set(scopes))
    unknown = [scope for scope in wanted if scope not in SCOPES]
    if unknown or not wanted:
        words = f"unknown scope {', '.join(unknown)}" if unknown else "no scope"
        raise KeyRefused(f"{words}: there are {', '.join(SCOPES)}")
    if not 1 <= len(name) <= NAME_CHARACTERS_MAX or not name.isprintable():
        raise KeyRefused(f"a key's name is 1 to {NAME_CHARACTERS_MAX} printable characters")
    async with connection.transaction():
        await register_account(connection, account_name)
        now = await connection.fetchval("SELECT now()")
        expires_at = _expiry(expires, now)
        await connection.execute(_SQL["key_name_freed"], account_name, name)
        key, made = await _insert(connection, account_name, name, wanted, expires_at)
        await _audit(connection, "key.create", made["account"], made["id"], now, scopes=wanted)
    return key


async def list_keys(connection: Connection, account_name: str | None = None) -> list[ListedKey]:
    """Every key, or those of one account, also those that have ended. Oldest first."""
    rows = await connection.fetch(_SQL["keys_list"], account_name, KEYS_LISTED_MAX)
    return [
        ListedKey(
            id=row["id"],
            account=row["account"],
            name=row["name"],
            scopes=tuple(row["scopes"]),
            state=_state(row),
            created_at=row["created_at"],
            expires_at=row["expires_at"],
            revoked_at=row["revoked_at"],
            last_used_at=row["last_used_at"],
        )
        for row in rows
    ]


async def revoke_key(connection: Connection, account_name: str, name: str) -> bool:
    """End a key for good. Returns whether it still worked. Raises KeyRefused for an unknown one."""
    async with connection.transaction():
        row = await _locked(connection, account_name, name)
        if row["revoked_at"] is not None:
            return False
        await connection.execute(_SQL["key_revoke"], row["id"])
        await _audit(connection, "key.revoke", row["account"], row["id"], row["now"])
        return _state(row) == "active"


async def rotate_key(
    connection: Connection,
    account_name: str,
    name: str,
    overlap: timedelta,
    *,
    expires: Expires = None,
) -> Rotated:
    """A new key with the name and scopes of another. Raises KeyRefused.

    The old one goes on for `overlap` under the name `NAME#id`. Without `expires` the new one lasts
    as long as the old one was made for.
    """
    async with connection.transaction():
        row = await _locked(connection, account_name, name)
        if _state(row) != "active":
            raise KeyRefused(
                f"the key {name!r} of account {account_name} is {_state(row)}; create another"
            )
        if expires is None and row["expires_at"] is not None:
            expires = row["expires_at"] - row["created_at"]
        expires_at = _expiry(expires, row["now"])
        replaced = f"{name}#{row['id']}"
        until = await connection.fetchval(_SQL["key_replaced"], row["id"], replaced, overlap)
        key, made = await _insert(connection, account_name, name, row["scopes"], expires_at)
        await _audit(
            connection,
            "key.rotate",
            row["account"],
            row["id"],
            row["now"],
            replaced_by=made["id"],
            until=until.isoformat(),
        )
    return Rotated(key=key, replaced=replaced, replaced_until=until, expires_at=expires_at)


async def _insert(
    connection: Connection,
    account_name: str,
    name: str,
    scopes: Iterable[str],
    expires_at: datetime | None,
) -> tuple[str, asyncpg.Record]:
    key = new_key()
    try:
        made = await connection.fetchrow(
            _SQL["key_create"], account_name, name, hash_of(key), list(scopes), expires_at
        )
    except asyncpg.UniqueViolationError:
        raise KeyRefused(f"account {account_name} has a key named {name!r} already") from None
    assert made is not None  # its account was registered in this transaction
    return key, made


async def _locked(connection: Connection, account_name: str, name: str) -> asyncpg.Record:
    row = await connection.fetchrow(_SQL["key_lock"], account_name, name)
    if row is None:
        raise KeyRefused(f"account {account_name} has no key named {name!r}; see `keys list`")
    return row


def _expiry(expires: Expires, now: datetime) -> datetime | None:
    expires_at = now + expires if isinstance(expires, timedelta) else expires
    if expires_at is not None and expires_at <= now:
        raise KeyRefused(f"the key would have expired at {expires_at.isoformat()}")
    return expires_at


async def _audit(
    connection: Connection, action: str, account: int, key_id: int, now: datetime, **detail: object
) -> None:
    entry_id = id_at(now) | secrets.randbits(_ID_TAIL_BITS)
    entry = AuditEntry(entry_id, account, OPERATOR, action, None, {"key": key_id, **detail})
    await audit.append(connection, [entry])


def _state(row: asyncpg.Record) -> str:
    if row["revoked_at"] is not None:
        return "revoked"
    expires_at, now = row["expires_at"], row["now"]
    return "active" if expires_at is None or expires_at > now else "expired"


async def accounts_with_keys(connection: Connection, accounts: Collection[str]) -> list[str]:
    """Those of these accounts that still have working keys."""
    rows = await connection.fetch(_SQL["accounts_with_keys"], list(accounts))
    return [row["name"] for row in rows]
