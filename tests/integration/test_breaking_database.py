"""The database goes away at the worst moments: nothing is lost, nothing is sent twice, and all of
it goes on by itself.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from pathlib import Path

import asyncpg
import pytest

from tests.integration.carrier import Submit, carrier, deliver_and_confirm
from tests.integration.database_proxy import database_proxy
from tests.integration.running import Running, gateway, message, simulator, write_config

ESME_RSYSERR = 0x08
ESME_RX_R_APPN = 0x66


async def until_row(connection: asyncpg.Connection, query: str, *values: object) -> asyncpg.Record:
    """Wait until the query has a row."""
    async with asyncio.timeout(15):
        while (row := await connection.fetchrow(query, *values)) is None:
            await asyncio.sleep(0.02)
    return row


async def end_sessions(connection: asyncpg.Connection) -> None:
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name LIKE 'smsgate%'"
    )


def postmaster_of(folder: Path) -> int:
    (found,) = (folder / "data").rglob("postmaster.pid")
    return int(found.read_text().split()[0])


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
                os.kill(postmaster_of(folder), signal.SIGKILL)
                async with asyncio.timeout(15):  # 503, then 202 again
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


@pytest.mark.parametrize(
    ("closed", "open_again"),
    [
        ("SET default_transaction_read_only = on", "RESET default_transaction_read_only"),
        ("ALLOW_CONNECTIONS false", "ALLOW_CONNECTIONS true"),
    ],
    ids=["read-only", "not accepting connections"],
)
async def test_a_database_that_takes_no_writes_for_a_while_costs_no_result_and_no_receipt(
    database_url: str, connection: asyncpg.Connection, folder: Path, closed: str, open_again: str
) -> None:
    """As after a failover to a server that is not the primary yet, or on a full managed disk."""
    name = await connection.fetchval("SELECT current_database()")
    held: list[Submit] = []
    async with (
        carrier(held.append) as smsc,
        gateway(write_config(folder, database_url, smsc.port, connector="window = 1")) as running,
    ):
        await running.send([message(n) for n in range(5)])
        await smsc.submitted(1)
        await connection.execute(f"ALTER DATABASE {name} {closed}")
        await end_sessions(connection)
        smsc.react = deliver_and_confirm
        for submit in held:
            deliver_and_confirm(submit)
        refused = 0
        while refused < 20:  # each of them is an attempt that also the other writers made
            status, _ = await running.call("POST", "/v1/messages", message(99))
            refused += status == 503
            assert status in (202, 503), status
        await connection.execute(f"ALTER DATABASE {name} {open_again}")
        await end_sessions(connection)
        # More than the ready queue holds: the refiller must be alive as well.
        await send_all(running, [message(n) for n in range(5, 45)])
        await running.until(delivered=45)
        assert ESME_RX_R_APPN not in smsc.deliveries  # the carrier would never send it again
        expires = await connection.fetchval("SELECT max(expires_at) FROM owner_term")
        await until_row(
            connection, "SELECT 1 FROM owner_term WHERE expires_at > $1", expires
        )  # the term is renewed
    assert all(len(smsc.submits_of(str(message(n)["to"]))) == 1 for n in range(45))


async def send_all(running: Running, bodies: list[dict[str, object]]) -> None:
    """As a client does: again after a 503."""
    async with asyncio.timeout(15):
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


@pytest.mark.parametrize("role", ["intent", "record", "accept"])
async def test_a_commit_whose_answer_is_lost_neither_loses_nor_repeats(
    database_url: str, folder: Path, role: str
) -> None:
    async with (
        database_proxy(database_url) as proxy,
        carrier(deliver_and_confirm) as smsc,
        gateway(write_config(folder, proxy.url, smsc.port, connector="window = 5")) as running,
    ):
        await running.send([message(0)])
        await running.until(delivered=1)
        cut = proxy.arm(role, asked=rb"COMMIT;")
        await send_all(running, [message(n) for n in range(1, 40)])
        await proxy.fired(cut)
        counts = await running.until(delivered=40)
    assert counts["accepted"] == counts["delivered"] == 40
    assert sorted(Counter(submit.to for submit in smsc.submits).values()) == [1] * 40


async def test_a_retry_whose_commit_is_in_doubt_is_not_freed_a_second_time(
    database_url: str, connection: asyncpg.Connection, folder: Path
) -> None:
    """The commit lands, its answer is lost, and before it is repeated somebody claims the row."""
    async with (
        database_proxy(database_url) as proxy,
        carrier(lambda submit: submit.answer(ESME_RSYSERR)) as smsc,
        gateway(write_config(folder, proxy.url, smsc.port)) as running,
    ):
        cut = proxy.arm("record", asked=rb"COMMIT;")
        (item,) = await running.send([message(1)])
        await proxy.fired(cut)
        claimed = await until_row(
            connection, "UPDATE outbox SET owner = 77 WHERE owner = 0 AND attempt = 1 RETURNING id"
        )
        # Wait for the repetition: the recorder stores what comes after it in order.
        smsc.react = deliver_and_confirm
        await running.send([message(2)])
        await running.until(delivered=1)
        owner = await connection.fetchval("SELECT owner FROM outbox WHERE id = $1", claimed["id"])
        assert owner == 77, "freed under the hands of whoever claimed it: it will be sent twice"
        assert await running.kinds(item["id"]) == ["accepted", "retry"]
