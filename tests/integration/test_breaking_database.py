"""The database goes away at the worst moments: nothing is lost, nothing is sent twice, and all of
it goes on by itself.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.rehearsal.client import PATIENCE_SECONDS
from gateway.rehearsal.running import Running
from storage.partitions import ensure_partitions, leaf_name
from storage.pool import Connection
from tests.conftest import PostgresTarget
from tests.integration.carrier import Submit, carrier, deliver_and_confirm
from tests.integration.database_proxy import OPEN_INTENTS, STORE_AT_ONCE, database_proxy
from tests.integration.running import gateway, message, simulator, write_config

ESME_RSYSERR = 0x08
ESME_RX_R_APPN = 0x66


async def until_row(connection: Connection, query: str, *values: object) -> object:
    """Wait until the query has a row."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (row := await connection.fetchrow(query, *values)) is None:
            await asyncio.sleep(0.02)
    return row


async def end_sessions(connection: Connection) -> None:
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name LIKE 'smsgate%'"
    )


async def send_until(
    running: Running, stop: asyncio.Event, first: int, answers: dict[str, int]
) -> None:
    """Single messages one after the other; remembers each number's status."""
    number = first
    while not stop.is_set():
        body = message(number)
        url = f"{running.api}/v1/messages"
        async with running.session.post(url, json=body) as response:
            answers[str(body["to"]).removeprefix("+")] = response.status
            assert response.status == 202 or int(response.headers["Retry-After"]) >= 1
        number += 1


async def test_postgresql_killed_under_load_pauses_both_sides_and_loses_nothing(
    folder: Path,
) -> None:
    answers: dict[str, int] = {}
    stop = asyncio.Event()
    async with simulator(folder, "answer_latency_ms = 5\nreceipt_delay_ms = [0, 50]\n") as sim:
        config = write_config(folder, "embedded", sim.port, connector="window = 20")
        async with gateway(config) as running:
            senders = [
                asyncio.create_task(send_until(running, stop, first, answers))
                for first in range(0, 8_000, 1_000)
            ]
            for kills in (1, 2):
                before = len(sim.ledger())
                while len(sim.ledger()) < before + 300:
                    await asyncio.sleep(0.02)
                os.kill(running.postmaster, signal.SIGKILL)
                async with asyncio.timeout(PATIENCE_SECONDS):  # 503, then 202 again
                    while Counter(answers.values())[503] < kills:
                        await asyncio.sleep(0.01)
                    accepted = Counter(answers.values())[202]
                    while Counter(answers.values())[202] < accepted + 100:
                        await asyncio.sleep(0.01)
            stop.set()
            await asyncio.gather(*senders)
            assert set(answers.values()) == {202, 503}
            taken = {to for to, status in answers.items() if status == 202}
            counts = await running.until(delivered=len(taken))
    submits = Counter(line.destination for line in sim.accepted())
    assert counts["accepted"] == counts["delivered"] == len(taken)
    assert set(submits) == taken  # not one that was answered 503: its client sends it again
    assert set(submits.values()) == {1}


EVENT = re.compile(r'"event": "([^"]+)"')
FULL_DISK = """
CREATE FUNCTION disk_is_full() RETURNS trigger LANGUAGE plpgsql AS
$$BEGIN RAISE 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END$$;
CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON message EXECUTE FUNCTION disk_is_full();
CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON outbox EXECUTE FUNCTION disk_is_full();
CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON submit_intent EXECUTE FUNCTION disk_is_full();
CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON submission EXECUTE FUNCTION disk_is_full();
"""


@pytest.mark.parametrize(
    ("closed", "open_again"),
    [
        (
            "ALTER DATABASE {name} SET default_transaction_read_only = on",
            "ALTER DATABASE {name} RESET default_transaction_read_only",
        ),
        (
            "ALTER DATABASE {name} ALLOW_CONNECTIONS false",
            "ALTER DATABASE {name} ALLOW_CONNECTIONS true",
        ),
        (FULL_DISK, "DROP FUNCTION disk_is_full CASCADE"),
    ],
    ids=["read-only", "not accepting connections", "disk full"],
)
async def test_a_database_that_takes_no_writes_for_a_while_costs_no_result_and_no_receipt(
    postgres_target: PostgresTarget,
    database_url: str,
    connection: Connection,
    folder: Path,
    closed: str,
    open_again: str,
) -> None:
    """As after a failover to a server that is not the primary yet, or on a full managed disk."""
    name = await connection.fetchval("SELECT current_database()")

    async def alter(change: str) -> None:
        if "{name}" in change:
            postgres_target.execute(change.format(name=name))
        else:
            await connection.execute(change)

    held: list[Submit] = []
    async with (
        carrier(held.append) as smsc,
        gateway(write_config(folder, database_url, smsc.port, connector="window = 1")) as running,
    ):
        await running.send([message(n) for n in range(5)])
        await smsc.submitted(1)
        await alter(closed)
        try:
            await end_sessions(connection)
            smsc.react = deliver_and_confirm
            for submit in held:
                deliver_and_confirm(submit)
            refusals = await refused(running, 20)  # meanwhile the other writers have tried as well
            status, ready = await running.call("GET", "/readyz")
            troubled = {
                each["name"]: each["reason"] for each in ready["components"] if each["reason"]
            }
        finally:
            await alter(open_again)
        await end_sessions(connection)
        # More than the ready queue holds: the refiller must be alive as well.
        await send_all(running, [message(n) for n in range(5, 45)])
        await running.until(delivered=45)
        assert ESME_RX_R_APPN not in smsc.deliveries  # the carrier would never send it again
        expires = await connection.fetchval("SELECT max(expires_at) FROM owner_term")
        await until_row(connection, "SELECT 1 FROM owner_term WHERE expires_at > $1", expires)
    assert all(len(smsc.submits_of(str(message(n)["to"]))) == 1 for n in range(45))
    assert refusals == {503}
    assert (status, bool(troubled["storing messages"])) == (503, True)  # O8
    log = running.log()
    assert "accept cannot be written" in log and "accept is written again" in log
    assert max(Counter(EVENT.findall(log)).values()) < 500  # O9: no loop fills it


async def refused(running: Running, times: int) -> set[int]:
    """POST until so many were not taken; what they were told instead of 202."""
    told: list[int] = []
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(told) < times:
            url = f"{running.api}/v1/messages"
            async with running.session.post(url, json=message(99)) as response:
                if response.status != 202:
                    told.append(response.status)
    return set(told)


async def send_all(running: Running, bodies: list[dict[str, object]]) -> None:
    """As a client does: again after a 503."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            status, _ = await running.call("POST", "/v1/messages/batch", {"messages": bodies})
            if status == 202:
                return
            assert status == 503


@pytest.mark.parametrize(
    "lost", [rb"SELECT ([2-9]|[1-9][0-9]+)\0"], ids=["the rows that it claimed"]
)
async def test_a_claim_whose_answer_is_lost_is_made_again(
    database_url: str, folder: Path, lost: bytes
) -> None:
    async with (
        database_proxy(database_url) as proxy,
        carrier(deliver_and_confirm) as smsc,
        gateway(write_config(folder, proxy.url, smsc.port, connector="window = 1")) as running,
    ):
        await smsc.until(lambda: smsc.sessions == 1)
        cut = proxy.arm("refill", answered=lost)
        await running.send([message(n) for n in range(60)])  # 20 fit into the ready queue
        await proxy.fired(cut)
        counts = await running.until(delivered=60)
        assert counts["accepted"] == counts["sent"] == 60


@pytest.mark.parametrize(
    ("role", "commit"),
    [("intent", OPEN_INTENTS), ("record", rb"COMMIT;"), ("accept", rb"COMMIT;")],
    ids=["intent", "record", "accept"],
)
async def test_a_commit_whose_answer_is_lost_neither_loses_nor_repeats(
    database_url: str, folder: Path, role: str, commit: bytes
) -> None:
    async with (
        database_proxy(database_url) as proxy,
        carrier(deliver_and_confirm) as smsc,
        gateway(write_config(folder, proxy.url, smsc.port, connector="window = 5")) as running,
    ):
        await running.send([message(0)])
        await running.until(delivered=1)
        cut = proxy.arm(role, asked=commit)
        await send_all(running, [message(n) for n in range(1, 40)])
        await proxy.fired(cut)
        counts = await running.until(delivered=40)
    assert counts["accepted"] == counts["delivered"] == 40
    assert sorted(Counter(submit.to for submit in smsc.submits).values()) == [1] * 40


@pytest.mark.parametrize("role", ["accept", "intent", "record", "refill"])
async def test_a_session_that_was_told_to_end_is_used_no_more(
    database_url: str, folder: Path, role: str
) -> None:
    """Between that word and the end of the stream asyncpg raises an error of another kind."""
    async with (
        database_proxy(database_url) as proxy,
        carrier(deliver_and_confirm) as smsc,
        gateway(write_config(folder, proxy.url, smsc.port, connector="window = 1")) as running,
    ):
        await running.send([message(0)])
        await running.until(delivered=1)
        proxy.announce_the_end(role)
        await send_all(running, [message(n) for n in range(1, 40)])
        counts = await running.until(delivered=40)
    assert counts["accepted"] == counts["delivered"] == 40


async def test_what_is_answered_is_what_happened_although_the_commit_was_not_answered(
    database_url: str, connection: Connection, folder: Path
) -> None:
    """Its client is told to send it again; a message beyond the ready queue is free to be claimed
    as soon as it is committed.
    """
    async with (
        database_proxy(database_url) as proxy,
        carrier() as smsc,
        gateway(write_config(folder, proxy.url, smsc.port, connector="window = 1")) as running,
    ):
        await running.send([message(n) for n in range(30)])  # 20 fit into the ready queue
        await smsc.submitted(1)
        cut = proxy.arm("accept", asked=STORE_AT_ONCE)
        status, _ = await running.call("POST", "/v1/messages", message(99))
        await proxy.fired(cut)
        smsc.react = deliver_and_confirm
        deliver_and_confirm(smsc.submits[0])
        await running.until(delivered=31 if status == 202 else 30)
        await until_row(connection, "SELECT 1 WHERE NOT EXISTS (SELECT FROM outbox)")
    assert status in (202, 503)
    assert len(smsc.submits_of(str(message(99)["to"]))) == (1 if status == 202 else 0)


async def test_a_day_without_its_partition_delays_results_and_drops_none(
    database_url: str, connection: Connection, folder: Path
) -> None:
    """A clock that jumped, or a table that was held whenever partitions should have been made."""
    day = datetime.now(UTC).date()
    async with (
        carrier(deliver_and_confirm) as smsc,
        gateway(write_config(folder, database_url, smsc.port)) as running,
    ):
        await connection.execute(f"DROP TABLE {leaf_name('submission', day)}")
        await running.send([message(n) for n in range(3)])
        await smsc.submitted(3)
        async with asyncio.timeout(PATIENCE_SECONDS):  # the recorder has met it
            while not any(word in running.log() for word in ("record_unstorable", "results_wait")):
                await asyncio.sleep(0.02)
        await ensure_partitions(connection, day)
        await running.until(delivered=3)
    assert smsc.deliveries == [0] * 3


@pytest.mark.parametrize("by", ["another process", "its own refiller"])
async def test_a_retry_whose_commit_is_in_doubt_is_not_freed_a_second_time(
    database_url: str, connection: Connection, folder: Path, by: str
) -> None:
    """The commit lands, its answer is lost, and before it is repeated somebody claims the row."""
    async with (
        database_proxy(database_url) as proxy,
        carrier() as smsc,
        gateway(write_config(folder, proxy.url, smsc.port, connector="window = 1")) as running,
    ):
        own = await connection.fetchval("SELECT max(term) FROM owner_term")
        claimer = 77 if by == "another process" else own
        for number in range(3):  # more than the two windows that may be in doubt
            smsc.react = lambda submit: submit.answer(ESME_RSYSERR)
            cut = proxy.arm("record", asked=rb"COMMIT;")
            (item,) = await running.send([message(number)])
            await proxy.fired(cut)
            await until_row(connection, CLAIM, claimer)
            # The recorder stores in order: what is delivered after it shows that it was repeated.
            smsc.react = deliver_and_confirm
            await running.send([message(number + 10)])
            await running.until(delivered=number + 1)
            claimed = await connection.fetchval(
                "SELECT count(*) FROM outbox WHERE owner = $1 AND attempt = 1", claimer
            )
            assert claimed == number + 1, (
                "freed under the hands of whoever claimed it: it will be sent twice"
            )
            assert await running.kinds(item["id"]) == ["accepted", "retry"]
    assert "record_unstorable" not in running.log()


CLAIM = "UPDATE outbox SET owner = $1 WHERE owner = 0 AND attempt = 1 RETURNING id"
