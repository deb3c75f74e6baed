"""Two gateways on one database: the messages of one that is gone, or cut off, are the other's."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest

from dispatch.answers.doubt import OutcomePolicy
from dispatch.answers.error_policy import ATTEMPTS_MAX
from dispatch.outbox.recovery import recover
from gateway.maintenance import Maintenance, Step
from gateway.rehearsal.client import PATIENCE_SECONDS
from gateway.rehearsal.processes import free_port
from gateway.vitals import Lease
from storage import terms
from storage.categories import Category
from storage.database_clock import DatabaseClock
from storage.ids import IdSource
from storage.pool import Connection, Database
from storage.terms import TTL_SECONDS, HostIdentity, OwnerTerm
from tests.integration.carrier import Carrier, carrier, deliver_and_confirm
from tests.integration.running import gateway, message, start_gateway, write_config

# How soon a gateway takes over, and gives away, what it cannot send.
HASTE = {
    "gateway.maintenance.RECOVER_SECONDS": 0.5,
    "dispatch.wire.connector_dispatch.FREE_AFTER_SECONDS": 0.5,
    "dispatch.outbox.handover.DOWN_SECONDS": 0.5,
}


def config_of(
    folder: Path, name: str, database: str, port: int, connector: str = "", rest: str = ""
) -> Path:
    home = folder / name
    home.mkdir()
    home.chmod(0o711)
    # Both see the same numbers under the same key.
    data = folder / "data"
    return write_config(home, database, port, connector=connector, data_dir=data, rest=rest)


async def test_a_killed_gateway_s_messages_go_out_through_the_other(
    database_url: str, folder: Path
) -> None:
    async with carrier() as smsc:
        first = config_of(folder, "a", database_url, smsc.port, "window = 10")
        second = config_of(folder, "b", database_url, smsc.port, "window = 10")
        async with gateway(first, HASTE) as dying, gateway(second, HASTE) as living:
            await smsc.until(lambda: smsc.sessions == 2)
            items = await dying.send(
                [message(n, category="transactional" if n % 2 else "marketing") for n in range(300)]
            )
            await smsc.submitted(10)
            in_flight = {submit.to for submit in smsc.submits}
            smsc.react = deliver_and_confirm
            dying.kill()
            async with asyncio.timeout(PATIENCE_SECONDS):
                counts = await living.counts()
                while counts["delivered"] + counts["unconfirmed"] < len(items):
                    counts = await living.counts()
            smsc.cut()  # it would wait for the answers that it owes
        submits = Counter(submit.to for submit in smsc.submits)
    assert counts["pending"] == 0
    assert len(submits) >= 300 - counts["unconfirmed"]
    repeated = {to for to, count in submits.items() if count > 1}
    assert repeated <= in_flight
    assert 0 < len(repeated) + counts["unconfirmed"] <= 2 * 10  # two windows


async def test_a_gateway_without_a_bind_leaves_its_messages_to_one_that_has_one(
    database_url: str, folder: Path
) -> None:
    async with carrier(deliver_and_confirm) as smsc:
        cut_off = config_of(folder, "a", database_url, free_port())
        healthy = config_of(folder, "b", database_url, smsc.port)
        async with gateway(cut_off, HASTE) as without, gateway(healthy, HASTE) as running:
            await without.send([message(n, category="otp") for n in range(20)])
            async with asyncio.timeout(PATIENCE_SECONDS):
                while (await running.counts())["delivered"] < 20:
                    await asyncio.sleep(0.05)


async def test_what_waits_when_the_last_bind_is_lost_goes_out_through_the_other(
    database_url: str, folder: Path
) -> None:
    """The carrier takes this gateway's session away and lets it in no more."""
    async with carrier(deliver_and_confirm) as smsc, carrier() as silent:
        first = config_of(folder, "a", database_url, silent.port, "window = 5")
        second = config_of(folder, "b", database_url, smsc.port, "window = 5")
        async with gateway(first, HASTE) as losing, gateway(second, HASTE) as running:
            await losing.send([message(n) for n in range(60)])
            await silent.submitted(5)
            await stop(silent)
            async with asyncio.timeout(PATIENCE_SECONDS):
                while (await running.counts())["delivered"] < 60:
                    await asyncio.sleep(0.05)


async def stop(smsc: Carrier) -> None:
    assert smsc.server is not None
    smsc.cut()
    await smsc.server.stop()


async def test_a_gateway_that_slept_through_its_take_over_ends_and_repeats_only_what_is_in_doubt(
    database_url: str, connection: Connection, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its batch that was committed ahead may go twice, and says so; the rest of it does not."""
    # The carrier does not hold up the unbinding for the answers that it owes.
    monkeypatch.setattr("smpp.session_machine.PEER_DRAIN_SECONDS", 0.2)
    connector, rest = "window = 2", "[limits]\ndrain_seconds = 0\n"
    async with carrier() as smsc:
        first = config_of(folder, "a", database_url, smsc.port, connector, rest)
        second = config_of(folder, "b", database_url, smsc.port, connector, rest)
        sleeping = await start_gateway(first, HASTE)
        async with gateway(second, HASTE) as living:
            await smsc.until(lambda: smsc.sessions == 2)
            url = sleeping.ready.split()[1] + "/v1/messages/batch"
            bodies = [message(n) for n in range(30)]
            async with living.session.post(url, json={"messages": bodies}) as response:
                ids = [item["id"] for item in (await response.json())["items"]]
            await smsc.submitted(2)
            sleeping.process.send_signal(signal.SIGSTOP)
            await connection.execute(
                "UPDATE owner_term SET expires_at = now() WHERE pid = $1", sleeping.process.pid
            )
            smsc.react = deliver_and_confirm
            async with asyncio.timeout(PATIENCE_SECONDS):
                while (await living.counts())["delivered"] < 30:
                    await asyncio.sleep(0.05)
            in_doubt = [item for item in ids if "in_doubt" in await living.kinds(item)]
            sleeping.process.send_signal(signal.SIGCONT)
            assert await sleeping.stop() == 1
            smsc.cut()  # it would wait for the answers that it owes
        submits = Counter(submit.to for submit in smsc.submits)
    assert len(submits) == 30
    assert sum(count > 1 for count in submits.values()) <= len(in_doubt) <= 4


# --- recovery, against rows --------------------------------------------------------------------


GONE = HostIdentity("elsewhere", 1, "1")


async def dead_term_with(
    connection: Connection, *, owner: int | None, attempt: int, category: Category
) -> tuple[int, int]:
    """A term that ran out and whose open intent names message 1000, and that message's row."""
    term = await OwnerTerm.acquire(connection, GONE)
    await connection.execute(
        "UPDATE owner_term SET expires_at = now() - interval '1 s' WHERE term = $1", term.term
    )
    await connection.execute(
        "INSERT INTO submit_intent (id, owner, connector, message_ids) VALUES (1, $1, 1, '{1000}')",
        term.term,
    )
    await connection.execute(
        "INSERT INTO outbox (id, owner, connector, category, account, parts, attempt)"
        " VALUES (1000, $1, 1, $2, 1, 1, $3)",
        term.term if owner is None else owner,
        category,
        attempt,
    )
    return term.term, 1000


async def run_recovery(connection: Connection, own: OwnerTerm) -> None:
    await recover(
        connection,
        HostIdentity.current(),
        own_term=own.term,
        ids=IdSource(own.node, lambda: int(datetime.now(UTC).timestamp() * 1000)),
        policy=OutcomePolicy(),
    )


@pytest.mark.parametrize("category", [Category.OTP, Category.MARKETING])
async def test_what_another_gateway_claimed_since_is_not_taken_from_it(
    connection: Connection, category: Category
) -> None:
    """One message of the batch was freed for another attempt and is the other's; the intent is
    open for the rest of its batch.
    """
    own = await OwnerTerm.acquire(connection, HostIdentity.current())
    await dead_term_with(connection, owner=own.term, attempt=1, category=category)
    await run_recovery(connection, own)
    row = await connection.fetchrow("SELECT owner, attempt FROM outbox WHERE id = 1000")
    assert row is not None, "given up while the other gateway sends it"
    assert (row["owner"], row["attempt"]) == (own.term, 1), "freed while the other sends it: twice"
    assert await connection.fetchval("SELECT count(*) FROM submit_intent") == 0


async def test_a_refused_message_that_waits_for_its_next_attempt_is_not_in_doubt(
    connection: Connection,
) -> None:
    own = await OwnerTerm.acquire(connection, HostIdentity.current())
    await dead_term_with(connection, owner=0, attempt=1, category=Category.MARKETING)
    await run_recovery(connection, own)
    assert await connection.fetchval("SELECT owner FROM outbox WHERE id = 1000") == 0
    assert await connection.fetchval("SELECT count(*) FROM submission") == 0


async def test_e30_a_message_that_kills_its_process_each_time_is_not_sent_for_ever(
    connection: Connection,
) -> None:
    own = await OwnerTerm.acquire(connection, HostIdentity.current())
    await dead_term_with(
        connection, owner=None, attempt=ATTEMPTS_MAX - 1, category=Category.TRANSACTIONAL
    )
    await run_recovery(connection, own)
    assert await connection.fetchval("SELECT count(*) FROM outbox") == 0, "it is sent once more"
    assert await connection.fetchval("SELECT count(*) FROM submission") == 1


async def test_a_term_whose_sessions_do_not_end_waits_and_holds_up_nobody(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FenceFailed is to be tried again, as its documentation says."""
    own = await OwnerTerm.acquire(connection, HostIdentity.current())
    await dead_term_with(connection, owner=None, attempt=0, category=Category.OTP)
    monkeypatch.setattr(terms, "FENCE_SECONDS_MAX", 0.0)
    await run_recovery(connection, own)
    assert await connection.fetchval("SELECT owner FROM outbox WHERE id = 1000") != 0
    monkeypatch.undo()
    await run_recovery(connection, own)
    assert await connection.fetchval("SELECT owner FROM outbox WHERE id = 1000") == 0


@pytest.mark.parametrize("fault", [asyncpg.UndefinedTableError, RuntimeError])
async def test_a_step_of_maintenance_that_fails_once_is_not_the_last(
    database_url: str, folder: Path, fault: type[Exception]
) -> None:
    """Either it is tried again or the process ends: never a gateway without its maintenance."""
    database = await Database.open(database_url, folder, application_name="smsgate")
    noticed, calls = asyncio.Event(), 0

    async def take_over(connection: Connection, now: datetime) -> None:
        nonlocal calls
        calls += 1
        if calls > 1:
            noticed.set()
        raise fault("once")

    work = database.dedicated("maintenance")
    term = await OwnerTerm.acquire(await work.connection(), HostIdentity.current())
    maintenance = Maintenance(
        database.dedicated("renew"),
        work,
        term=term,
        lease=Lease(TTL_SECONDS, time.monotonic),
        clock=DatabaseClock(lambda: 0, time.monotonic_ns),
        steps=[Step("take-over", 0.01, take_over)],
        lost=lambda why: noticed.set(),
        ended=lambda task: noticed.set(),
    )
    maintenance.start()
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await noticed.wait()
    finally:
        await maintenance.stop()
        await database.close()
