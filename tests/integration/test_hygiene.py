"""From a receipt to its row, to evidence, to a suppression: kill -9 between any two of them."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from gateway.rehearsal.client import PATIENCE_SECONDS
from smpp.pdu import DeliverSm
from storage.pool import Connection
from tests.integration.carrier import RECEIPT, Carrier, Submit, carrier
from tests.integration.database_proxy import database_proxy
from tests.integration.running import gateway, message, write_config

MESSAGES = 12  # fewer than the guard looks at
# What the recorder asks of the database, in this order, for a flush of such receipts.
STEPS = {
    "before the row": (rb"UPDATE submission AS s", True),
    "before the number is looked up": (rb"SELECT id, to_idx, to_enc FROM message", True),
    "before the evidence": (rb"INSERT INTO number_evidence", True),
    "before the suppression": (rb"INSERT INTO suppression", True),
    "behind the suppression": (rb"INSERT INTO suppression", False),
    "before the commit": (rb"COMMIT", True),
    "behind the commit": (rb"COMMIT", False),
}


def dead(smsc: Carrier, submit: Submit) -> None:
    """A receipt that says that nobody has the number."""
    assert smsc.live is not None
    text = f"id:{submit.message_id} sub:001 dlvrd:000 stat:UNDELIV err:001 text:"
    smsc.live.deliver([(DeliverSm(0, esm_class=RECEIPT, short_message=text.encode()), submit)])


@pytest.mark.parametrize("step", STEPS)
async def test_receipt_row_evidence_and_suppression_are_one(
    database_url: str, connection: Connection, folder: Path, step: str
) -> None:
    pattern, before = STEPS[step]
    async with carrier(Submit.answer) as smsc, database_proxy(database_url) as proxy:
        async with gateway(write_config(folder, proxy.url, smsc.port)) as life:
            killed = asyncio.Event()

            def kill() -> None:
                os.kill(life.pid, signal.SIGKILL)
                killed.set()

            await life.send([message(number) for number in range(MESSAGES)])
            await smsc.submitted(MESSAGES)
            await _stored(connection, MESSAGES)
            proxy.arm("record", asked=pattern, before=before, act=kill)
            for submit in smsc.submits:
                dead(smsc, submit)
            async with asyncio.timeout(PATIENCE_SECONDS):
                await killed.wait()
            await life.exit()
        counts = set(await _counts(connection))
        # All of what a transaction said, or nothing.
        assert len(counts) == 1
        assert (counts == {0}) is (step != "behind the commit")
        async with gateway(write_config(folder, database_url, smsc.port)):
            await smsc.until(lambda: smsc.sessions > 1)
            for submit in list(smsc.submits):
                dead(smsc, submit)
            await smsc.until(lambda: len(smsc.deliveries) >= MESSAGES)
        assert await _counts(connection) == (MESSAGES, MESSAGES, MESSAGES)


async def _stored(connection: Connection, results: int) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await connection.fetchval("SELECT count(*) FROM submission") < results:
            await asyncio.sleep(0.01)


async def _counts(connection: Connection) -> tuple[int, int, int]:
    """(parts undelivered, numbers with a proof, numbers suppressed)."""
    row = await connection.fetchrow(
        "SELECT (SELECT count(*) FROM submission WHERE status = 50),"
        " (SELECT count(*) FROM number_evidence WHERE kind = 'p'),"
        " (SELECT count(*) FROM suppression WHERE source = 'receipt')"
    )
    assert row is not None
    return row[0], row[1], row[2]
