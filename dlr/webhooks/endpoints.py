"""Where an account wants to hear of its events: the shape of an endpoint, and its rows.

Owns the statements on `webhook_endpoint`, `webhook_callback_secret` and `webhook_generation`, and
how secrets and headers are sealed. Each function runs inside the caller's transaction; each change
moves the generation, so that other processes see it (subscriptions.py). Must not judge a URL
(addresses.py), sign (signature.py), or decide when a state changes (endpoint_state.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import asyncpg
import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from dlr.webhooks.endpoint_state import State
from storage import sql
from storage.keys import NumberKeys
from storage.pool import Connection

ENDPOINTS_MAX = 100  # of an account
ORIGINS_MAX = 100  # of an account's callbacks
SECRETS_MAX = 3  # that sign at once
BATCH_MAX = 500
BATCH_WAIT_MS_MAX = 5_000

_SQL = sql.load("dlr")


class Secret(msgspec.Struct, frozen=True):
    """One signing key as its owner has it (`whsec_…`, `whsk_…`). `until` None: for good."""

    key: str
    until: datetime | None = None


class Endpoint(msgspec.Struct, kw_only=True):
    """One row. `secrets`: newest first. `callback`: an origin of per-message callbacks, signed with
    its account's callback secrets.
    """

    id: int
    account: int
    url: str
    events: tuple[str, ...]
    callback: bool = False
    batch_max: int = 1
    batch_wait_ms: int = 0
    full_numbers: bool = False
    ordered: bool = False
    ca: str | None = None
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    secrets: tuple[Secret, ...] = ()
    state: State = State.ACTIVE
    reason: str | None = None
    since: datetime
    last_success_at: datetime | None = None
    tested_at: datetime | None = None
    created_at: datetime

    def signing(self, now: datetime) -> list[str]:
        """The keys that hold at `now`, newest first: at least one."""
        return signing(self.secrets, now)


class Receiver(msgspec.Struct, frozen=True):
    """Where an endpoint is, and who vouches for it."""

    id: int
    url: str
    ca: str | None


class TooMany(Exception):
    """An account has as many endpoints, or callback origins, as one may have."""


class SecretBox:
    """Seals what signs and what authenticates, under a key of its own."""

    __slots__ = ("_siv",)

    def __init__(self, keys: NumberKeys) -> None:
        self._siv = AESSIV(keys.derive("webhook secrets", 64))

    def seal(self, value: object, row_id: int) -> bytes:
        """Good for the row with this id only."""
        return self._siv.encrypt(msgspec.json.encode(value), [row_id.to_bytes(8, "big")])

    def open_secrets(self, sealed: bytes | None, row_id: int) -> tuple[Secret, ...]:
        """None for what another key sealed, as of an endpoint without any."""
        return msgspec.json.decode(self._open(sealed, row_id) or b"[]", type=tuple[Secret, ...])

    def open_headers(self, sealed: bytes | None, row_id: int) -> dict[str, str]:
        """As open_secrets."""
        return msgspec.json.decode(self._open(sealed, row_id) or b"{}", type=dict[str, str])

    def _open(self, sealed: bytes | None, row_id: int) -> bytes | None:
        if sealed is None:
            return None
        try:
            return self._siv.decrypt(sealed, [row_id.to_bytes(8, "big")])
        except (InvalidTag, ValueError):
            return None


def holding(secrets: Iterable[Secret], now: datetime) -> tuple[Secret, ...]:
    """Those of these that hold at `now`, newest first."""
    return tuple(each for each in secrets if each.until is None or each.until > now)


def signing(secrets: Iterable[Secret], now: datetime) -> list[str]:
    """The keys of these that hold at `now`, newest first."""
    return [each.key for each in holding(secrets, now)]


def rotated(secrets: Sequence[Secret], key: str, until: datetime) -> tuple[Secret, ...]:
    """A new key in front; those before sign along until `until`, at most SECRETS_MAX in all."""
    ending = (
        Secret(each.key, until if each.until is None else min(each.until, until))
        for each in secrets
    )
    return (Secret(key), *ending)[:SECRETS_MAX]


def retired(secrets: Sequence[Secret]) -> tuple[Secret, ...]:
    """The newest alone."""
    return tuple(secrets[:1])


async def create(connection: Connection, box: SecretBox, endpoint: Endpoint) -> None:
    """Store a new one. Raises TooMany."""
    await moved(connection)  # first: it holds off whoever else counts
    bound = ORIGINS_MAX if endpoint.callback else ENDPOINTS_MAX
    held = await connection.fetchval(
        _SQL["webhook_endpoints_held"], endpoint.account, endpoint.callback
    )
    if held >= bound:
        raise TooMany(f"account {endpoint.account} has {held} of {bound}")
    headers, secrets = _sealed(box, endpoint)
    await connection.execute(
        _SQL["webhook_endpoint_create"],
        endpoint.id,
        endpoint.account,
        endpoint.callback,
        endpoint.url,
        list(endpoint.events),
        endpoint.batch_max,
        endpoint.batch_wait_ms,
        endpoint.full_numbers,
        endpoint.ordered,
        endpoint.ca,
        headers,
        secrets,
        endpoint.since,
        endpoint.created_at,
    )


async def change(connection: Connection, box: SecretBox, endpoint: Endpoint) -> bool:
    """Store what its owner may change: all but id, account, state, moments. False: it is gone."""
    await moved(connection)
    headers, secrets = _sealed(box, endpoint)
    changed = await connection.fetchval(
        _SQL["webhook_endpoint_change"],
        endpoint.id,
        endpoint.url,
        list(endpoint.events),
        endpoint.batch_max,
        endpoint.batch_wait_ms,
        endpoint.full_numbers,
        endpoint.ordered,
        endpoint.ca,
        headers,
        secrets,
    )
    return changed is not None


async def delete(connection: Connection, account: int, endpoint_id: int, now: datetime) -> bool:
    """End it; what waits for it is dropped by the worker. False: there is none."""
    await moved(connection)
    deleted = await connection.fetchval(_SQL["webhook_endpoint_delete"], account, endpoint_id, now)
    return deleted is not None


async def set_state(
    connection: Connection,
    endpoint_id: int,
    state: State,
    reason: str | None,
    now: datetime,
    *,
    only_from: Sequence[State] = tuple(State),
) -> bool:
    """Enter a state, and why. False: it is in it, or in none of `only_from`, or is gone."""
    await moved(connection)
    entered = await connection.fetchval(
        _SQL["webhook_endpoint_state"], endpoint_id, state, reason, now, list(only_from)
    )
    return entered is not None


async def note_success(connection: Connection, successes: Mapping[int, datetime]) -> None:
    """When these last answered well. Moves no generation: nobody else acts on it."""
    if successes:
        await connection.execute(
            _SQL["webhook_endpoint_success"], list(successes), list(successes.values())
        )


async def note_test(
    connection: Connection, endpoint_id: int, now: datetime, every: timedelta
) -> bool:
    """A `webhook.test` is being sent to it. False: one was, less than `every` ago."""
    noted = await connection.fetchval(_SQL["webhook_endpoint_tested"], endpoint_id, now, every)
    return noted is not None


async def by_id(
    connection: Connection, box: SecretBox, account: int, endpoint_id: int
) -> Endpoint | None:
    """One of this account, callbacks' origins too."""
    row = await connection.fetchrow(_SQL["webhook_endpoint_by_id"], account, endpoint_id)
    return None if row is None else _endpoint(row, box)


async def listed(
    connection: Connection, box: SecretBox, account: int, *, after: int = 0, limit: int
) -> list[Endpoint]:
    """Of this account, oldest first, behind an id; callbacks' origins too."""
    rows = await connection.fetch(_SQL["webhook_endpoints_listed"], account, after, limit)
    return [_endpoint(row, box) for row in rows]


async def every(connection: Connection, box: SecretBox) -> list[Endpoint]:
    """All that are not deleted, of every account."""
    rows = await connection.fetch(_SQL["webhook_endpoints"])
    return [_endpoint(row, box) for row in rows]


async def receivers(connection: Connection, limit: int) -> list[Receiver]:
    """Those that are active, of every account, the newest first; nothing secret of them."""
    rows = await connection.fetch(_SQL["webhook_receivers"], int(State.ACTIVE), limit)
    return [Receiver(row["id"], row["url"], row["ca"]) for row in rows]


async def callback_secrets(connection: Connection, box: SecretBox) -> dict[int, tuple[Secret, ...]]:
    """account -> what signs its callbacks, newest first. Who has none may not name callbacks."""
    rows = await connection.fetch(_SQL["webhook_callback_secrets"])
    return {row["account"]: box.open_secrets(row["secrets_enc"], row["account"]) for row in rows}


async def store_callback_secrets(
    connection: Connection, box: SecretBox, account: int, secrets: Sequence[Secret]
) -> None:
    """Replace what signs this account's callbacks; the first allows them."""
    await moved(connection)
    await connection.execute(
        _SQL["webhook_callback_secret_store"], account, box.seal(secrets, account)
    )


async def moved(connection: Connection) -> None:
    """Something about endpoints changes here. Holds off others that change some, to the end of the
    transaction.
    """
    await connection.execute(_SQL["webhook_generation_moved"])


async def generation(connection: Connection) -> int:
    """A number that has moved whenever an endpoint changed."""
    number: int = await connection.fetchval(_SQL["webhook_generation"])
    return number


def _sealed(box: SecretBox, endpoint: Endpoint) -> tuple[bytes | None, bytes | None]:
    return (
        box.seal(endpoint.headers, endpoint.id) if endpoint.headers else None,
        box.seal(endpoint.secrets, endpoint.id) if endpoint.secrets else None,
    )


def _endpoint(row: asyncpg.Record, box: SecretBox) -> Endpoint:
    return Endpoint(
        id=row["id"],
        account=row["account"],
        url=row["url"],
        events=tuple(row["events"]),
        callback=row["callback"],
        batch_max=row["batch_max"],
        batch_wait_ms=row["batch_wait_ms"],
        full_numbers=row["full_numbers"],
        ordered=row["ordered"],
        ca=row["ca"],
        headers=box.open_headers(row["headers_enc"], row["id"]),
        secrets=box.open_secrets(row["secrets_enc"], row["id"]),
        state=State(row["state"]),
        reason=row["reason"],
        since=row["since"],
        last_success_at=row["last_success_at"],
        tested_at=row["tested_at"],
        created_at=row["created_at"],
    )
