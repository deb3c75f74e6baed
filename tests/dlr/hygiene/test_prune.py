"""The job that goes through all evidence now and then."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from dlr.hygiene.prune import PruneJob
from storage.crypto import NumberVault
from storage.ids import IdSource
from storage.keys import NumberKeys

if TYPE_CHECKING:
    from storage.pool import Connection


VAULT = NumberVault(NumberKeys(bytes(range(64))))


async def proof(connection: Connection, number: int) -> None:
    now = datetime.now(UTC)
    await connection.execute(
        "INSERT INTO number_evidence (to_idx, account, day, kind, reason, connector, message_id,"
        " at, to_enc) VALUES ($1, 1, $2, 'p', 2, 7, 9, $3, '')",
        number.to_bytes(16, "big"),
        now.date(),
        now,
    )


async def test_it_walks_page_by_page_and_rests_until_its_hour(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dlr.hygiene.prune.NUMBERS_PER_PAGE", 2)
    monkeypatch.setattr("dlr.hygiene.prune.PAGES_PER_TURN_MAX", 1)
    ids = IdSource(3, lambda: int(datetime.now(UTC).timestamp() * 1000))
    job = PruneJob(ids.next, vault=VAULT, every_hours=24, below=0.35)
    for number in range(3):
        await proof(connection, number)
    now = datetime.now(UTC)
    await job.turn(connection, now)
    assert job.pruned == 2
    await job.turn(connection, now)
    assert job.pruned == 3
    await proof(connection, 9)
    await job.turn(connection, now + timedelta(hours=23))
    assert job.pruned == 3
    for _ in range(2):
        await job.turn(connection, now + timedelta(hours=24))
    assert job.pruned == 4
    audited = await connection.fetch("SELECT actor, detail FROM audit ORDER BY seq")
    assert [row["actor"] for row in audited] == ["job"] * 3
    assert audited[0]["detail"] == {"suppressed": 2, "reasons": ["number_unknown"]}


async def test_it_may_be_off(connection: Connection) -> None:
    await proof(connection, 1)
    job = PruneJob(lambda: 1, vault=VAULT, every_hours=0, below=0.35)
    await job.turn(connection, datetime.now(UTC))
    assert job.pruned == 0
