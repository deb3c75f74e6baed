"""A running gateway names whatever it changes: its rollups are what a count of its tables says."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dlr.rollups.merger import Merger
from smpp.vocabulary import ESME_RINVDSTADR
from storage.ids import parse_id
from storage.pool import Connection, close_connection, connect
from tests.dlr.rollups.reference import assert_exact
from tests.integration.carrier import Submit, carrier
from tests.integration.running import gateway, message, write_config

LONG = "0123456789" * 40  # three parts
EVENTS = "SELECT count(*) FROM contact_event WHERE kind = 'delivered'"
ALL_LATE = {"dlr.rollups.naming._LATE_IDS": -(1 << 62)}  # so every change has to be named
QUICK = {"dlr.rollups.service.MERGE_SECONDS": 0.2, "campaigns.events.gathering.GATHER_SECONDS": 0.1}


async def test_what_a_gateway_does_is_counted_exactly(database_url: str, folder: Path) -> None:
    delivered = message(0, tags=["a"], campaign_id="spring")
    failing = message(1, text=LONG)
    refused, silent = message(2), message(5)
    waiting = message(3, send_at=(datetime.now(UTC) + timedelta(hours=1)).isoformat())
    sandbox = message(4, sandbox=True)
    told_later: list[Submit] = []

    def react(submit: Submit) -> None:
        if f"+{submit.to}" == refused["to"]:
            submit.answer(ESME_RINVDSTADR)
            return
        submit.answer()
        told_later.append(submit)

    connection = await connect(database_url, application_name="test")
    async with carrier(react) as told:
        config = write_config(folder, database_url, told.port)
        async with gateway(config, ALL_LATE | QUICK) as running:
            await counted(connection)  # from here on each message is behind the cursor
            sent = await running.send([delivered, failing, refused, waiting, sandbox, silent])
            await known(connection, [parse_id("msg", each["id"]) for each in sent])
            await running.until(sent=4)
            await counted(connection)
            await assert_exact(connection)
            await running.call("POST", f"/v1/messages/{sent[3]['id']}/cancel")
            for submit in told_later:
                if f"+{submit.to}" == delivered["to"]:
                    submit.receipt()
                elif f"+{submit.to}" == failing["to"]:
                    submit.receipt("UNDELIV" if submit.part == 2 else "DELIVRD")
            await running.until(delivered=1, undelivered=1, canceled=1)
            async with asyncio.timeout(60):
                while not await connection.fetchval(EVENTS):
                    await asyncio.sleep(0.05)  # the gateway's own merge tells of it
            await counted(connection)
            await assert_exact(connection)
            totals = await connection.fetchrow(
                "SELECT sum(accepted), sum(sent), sum(parts), sum(delivered), sum(undelivered),"
                " sum(rejected), sum(canceled) FROM rollup_day"
            )
            assert totals is not None
            assert tuple(totals) == (5, 4, 6, 1, 1, 1, 1)
            countries = await connection.fetch("SELECT DISTINCT country, operator FROM rollup_key")
            assert [row["operator"] > 0 and row["country"] > 0 for row in countries] == [True]
            async with asyncio.timeout(60):
                while not await running.metric("sms_rollup_merge_seconds_total"):
                    await asyncio.sleep(0.1)  # it merges by itself, too
    assert await connection.fetchval("SELECT count(dirty_since) FROM rollup_day_state") == 0
    await close_connection(connection)


async def known(connection: Connection, messages: list[int]) -> None:
    """The recipients of these are contacts."""
    await connection.execute(
        "INSERT INTO contact (id, account) SELECT id, account FROM message WHERE id = ANY($1)",
        messages,
    )
    await connection.execute(
        "INSERT INTO contact_number (account, to_idx, to_enc, contact, rank)"
        " SELECT account, to_idx, to_enc, id, 0 FROM message WHERE id = ANY($1)",
        messages,
    )


async def counted(connection: Connection) -> None:
    """Until all that was named is counted, by us or by the gateway."""
    merger = Merger(left_alone=timedelta(hours=-1))
    async with asyncio.timeout(60):
        while True:
            await merger.turn(connection)
            waiting = await connection.fetchval("SELECT count(*) FROM rollup_change")
            if merger.merges and not waiting:
                return
            await asyncio.sleep(0.05)
