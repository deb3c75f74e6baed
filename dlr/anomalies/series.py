"""What is looked at: connectors, operators on them, campaigns and senders, window by window.

Owns the reading of keys and their windows from the rollups. Each statement is
bounded: some quarters, the busiest keys. Must not judge (judging.py).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import asyncpg
import msgspec

from dlr.anomalies.baselines import Window
from dlr.anomalies.keys import Counted, Key, Place
from dlr.anomalies.significance import KEYS_MAX
from storage import sql
from storage.pool import Connection

_SQL = sql.load("dlr")


class Names(msgspec.Struct, frozen=True):
    """How numbers are called. Each answers None for what it does not know."""

    connector: Callable[[int], str | None]
    account: Callable[[int], str | None]
    operator: Callable[[int], str | None]


async def windows(connection: Connection, quarters: Sequence[int]) -> dict[Key, dict[int, Counted]]:
    """The KEYS_MAX busiest keys of these quarters; a quarter without traffic is missing."""
    rows = await connection.fetch(_SQL["anomaly_windows"], list(quarters), KEYS_MAX)
    found: dict[Key, dict[int, Counted]] = {}
    for row in rows:
        every = Window(row["accepted"], row["sent"], row["d5m"], row["d1h"])
        others = Window(
            row["others_accepted"], row["others_sent"], row["others_d5m"], row["others_d1h"]
        )
        found.setdefault(key_of(row), {})[row["quarter"]] = Counted(every, others)
    return found


def key_of(row: asyncpg.Record) -> Key:
    """Of a row that has the four columns."""
    return Key(row["scope"], row["connector"], row["account"], row["number"])


async def places(
    connection: Connection, keys: Collection[Key], names: Names
) -> Mapping[Key, Place]:
    """Where each is. What has no name is left out."""
    asked = [each.number for each in keys if each.scope in ("campaign", "sender")]
    rows = await connection.fetch(_SQL["anomaly_names"], asked) if asked else ()
    texts: dict[int | None, str] = {row["id"]: row["name"] for row in rows}
    found: dict[Key, Place] = {}
    for key in keys:
        subject = _subject(key, texts, names)
        if subject is not None:
            found[key] = Place(key.scope, subject, key.account)
    return found


def _subject(key: Key, texts: Mapping[int | None, str], names: Names) -> str | None:
    if key.account is not None:
        owner, name = names.account(key.account), texts.get(key.number)
    else:
        assert key.connector is not None
        owner = names.connector(key.connector)
        if key.scope == "connector":
            return owner
        name = None if key.number is None else names.operator(key.number)
    return None if owner is None or not name else f"{owner}:{name}"
