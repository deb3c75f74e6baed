"""Deduplication by `client_ref`: a reference is good once per account in 72 hours.

Owns table `client_ref`: each reference, with a fingerprint of what it was used for. Must not store
messages. Used for anything else, a reference is refused.

The claim is part of the transaction that stores the messages. So a message and its reference are
both there or neither is. Messages without a reference cost nothing.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from dlr.status import Status
from messages.accepting import Accepting
from messages.models import FieldError, Prepared, Refused, Verdict
from messages.reading.statuses import Standing, standings
from storage import sql
from storage.crypto import NumberVault
from storage.ids import id_at
from storage.periodic import while_full
from storage.pool import Connection
from storage.subscribers import canonical

_SQL = sql.load("messages")
REMEMBERED = timedelta(hours=72)
PURGE_ROWS_MAX = 10_000
PURGES_MAX = 20  # a turn, which keeps up with 3 300 a second
ID_OCTETS = 8
_DETAIL = "client_ref has been used for a message with another to, text, from or category"
_REUSED = Refused(
    "client_ref_reused", _DETAIL, (FieldError("client_ref_reused", _DETAIL, "/client_ref"),)
)
_Reference = tuple[int, str]  # account and client_ref
_GONE = Standing(Status.UNKNOWN)  # the first message is deleted, only its reference is kept


class _Held(NamedTuple):
    """A message that was stored before under a reference."""

    message_id: int
    fingerprint: bytes | None
    stands: Standing


def fingerprint(vault: NumberVault, message_id: int, message: Prepared) -> bytes:
    """A hash of what this message asks for, stored with its reference."""
    asked = vault.request_fingerprint(
        canonical(message.to), message.sender, message.category, message.asked_text or ""
    )
    return message_id.to_bytes(ID_OCTETS, "big") + asked


async def claim(
    connection: Connection, items: Sequence[Accepting], now: datetime
) -> Sequence[Accepting]:
    """Take the references of these messages. Returns those that are to be stored.

    Each other one gets `repeat_of`: the message of this flush, or the stored one, with its
    reference. If that one asked for something else it gets a refusal. A reference that another
    process is just storing is waited for.
    """
    first: dict[_Reference, Accepting] = {}
    asking: list[tuple[_Reference, Accepting]] = []
    for item in items:
        reference = item.prepared.client_ref
        if reference is not None:
            key = item.prepared.account, reference
            first.setdefault(key, item)
            asking.append((key, item))
    if not first:
        return items
    keys = sorted(first)  # in one order everywhere: two flushes never wait for each other
    claimed = await connection.fetch(
        _SQL["client_refs_claim"],
        [account for account, _ in keys],
        [reference for _, reference in keys],
        [first[key].id for key in keys],
        [first[key].fingerprint for key in keys],
        id_at(now - REMEMBERED),
    )
    held: dict[_Reference, _Held] = {}
    if len(claimed) < len(keys):
        taken = {row["message_id"] for row in claimed}
        held = await _holders(connection, [key for key in keys if first[key].id not in taken])
    for key, item in asking:
        item.repeat_of = _repeated(item, first[key], held.get(key))
    return [item for item in items if item.repeat_of is None]


def _repeated(
    item: Accepting, first: Accepting, held: _Held | None
) -> Accepting | Verdict | Refused | None:
    """What this message repeats: nothing, another one of its flush, or one stored before."""
    if held is not None:
        if _differ(item.fingerprint, held.message_id, held.fingerprint):
            return _REUSED
        stands = held.stands
        return Verdict(
            held.message_id,
            stands.status.label,
            stands.why,
            item.text,
            deduplicated=True,
            held_until=stands.until,
        )
    if item is first:
        return None
    return _REUSED if _differ(item.fingerprint, first.id, first.fingerprint) else first


def _differ(asked: bytes | None, message_id: int, stored: bytes | None) -> bool:
    """Whether the message with this reference is known to have asked for something else."""
    if asked is None or stored is None or stored[:ID_OCTETS] != message_id.to_bytes(ID_OCTETS):
        return False
    return not hmac.compare_digest(asked[ID_OCTETS:], stored[ID_OCTETS:])


async def _holders(connection: Connection, keys: Sequence[_Reference]) -> dict[_Reference, _Held]:
    """The messages that have these references, with their status."""
    rows = await connection.fetch(
        _SQL["client_refs_held"],
        [account for account, _ in keys],
        [reference for _, reference in keys],
    )
    standing = await standings(connection, [row["message_id"] for row in rows])
    return {
        keys[row["position"] - 1]: _Held(
            row["message_id"], row["fingerprint"], standing.get(row["message_id"], _GONE)
        )
        for row in rows
    }


async def forget(connection: Connection, now: datetime) -> None:
    """Forget references that may be used again; a bounded number in one turn."""
    await while_full(partial(purge, connection, now), PURGE_ROWS_MAX, times_max=PURGES_MAX)


async def purge(connection: Connection, now: datetime) -> int:
    """Delete references that may be used again. Returns how many, at most PURGE_ROWS_MAX."""
    answer = await connection.execute(
        _SQL["client_refs_purge"], id_at(now - REMEMBERED), PURGE_ROWS_MAX
    )
    return int(answer.rpartition(" ")[2])
