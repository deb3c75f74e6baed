"""Owner terms: one node each, death by the clock or by a look at the process, and the fence."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import asyncpg
import pytest

from storage.faults import TRANSIENT
from storage.pool import close_connection, connect
from storage.terms import (
    TTL_SECONDS,
    HostIdentity,
    NoNodeFree,
    OwnerTerm,
    TermLost,
    dead_terms,
    fence,
)

if TYPE_CHECKING:
    from storage.pool import Connection

HERE = HostIdentity.current()
ELSEWHERE = replace(HERE, host="another machine")


def child_process() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)


def wait_without_burying(process: subprocess.Popen[bytes]) -> None:
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)


async def expire(connection: Connection, term: int) -> None:
    await connection.execute(
        "UPDATE owner_term SET expires_at = now() - interval '1 s' WHERE term = $1", term
    )


async def is_open(connection: Connection, term: int) -> bool:
    ended = await connection.fetchval("SELECT ended_at FROM owner_term WHERE term = $1", term)
    return ended is None


async def test_each_process_gets_the_lowest_free_node(connection: Connection) -> None:
    terms = [await OwnerTerm.acquire(connection, HERE) for _ in range(3)]
    assert [term.node for term in terms] == [0, 1, 2]
    await terms[1].release(connection)
    again = await OwnerTerm.acquire(connection, HERE)
    assert again.node == 1
    assert again.term > max(term.term for term in terms)


async def test_many_at_once_never_share_a_node(database_url: str) -> None:
    connections = [await connect(database_url, application_name="test") for _ in range(8)]
    terms = await asyncio.gather(
        *(OwnerTerm.acquire(connection, HERE) for connection in connections)
    )
    assert sorted(term.node for term in terms) == list(range(8))
    for connection in connections:
        await close_connection(connection)


async def test_256_nodes_and_no_more(connection: Connection) -> None:
    await connection.execute(
        "INSERT INTO owner_term (node, host, pid, pid_started, expires_at)"
        " SELECT node, '', 0, '', 'infinity' FROM generate_series(0, 254) node"
    )
    assert (await OwnerTerm.acquire(connection, HERE)).node == 255
    with pytest.raises(NoNodeFree):
        await OwnerTerm.acquire(connection, HERE)


async def test_a_term_lives_ten_seconds_from_its_last_renewal(connection: Connection) -> None:
    term = await OwnerTerm.acquire(connection, ELSEWHERE)
    left = "SELECT extract(epoch FROM expires_at - now())::float8 FROM owner_term WHERE term = $1"
    assert 9 < await connection.fetchval(left, term.term) <= 10.5
    await connection.execute("UPDATE owner_term SET expires_at = now() + interval '1 s'")
    renewal = await term.renew(connection)
    assert (renewal.held, renewal.now <= await connection.fetchval("SELECT now()")) == (1, True)
    assert 9 < await connection.fetchval(left, term.term) <= 10.5
    assert await dead_terms(connection, HERE) == []
    other = await OwnerTerm.acquire(connection, ELSEWHERE)
    assert (await term.renew(connection)).held == 2
    await other.release(connection)
    assert (await term.renew(connection)).held == 1


async def test_what_ran_out_is_dead_unless_it_is_our_own(connection: Connection) -> None:
    term = await OwnerTerm.acquire(connection, ELSEWHERE)
    await expire(connection, term.term)
    assert await dead_terms(connection, HERE) == [term.term]
    assert await dead_terms(connection, ELSEWHERE, own_term=term.term) == []
    await term.renew(connection)  # late, but nobody has begun to fence it
    assert await dead_terms(connection, HERE) == []


async def test_a_process_gone_from_this_host_is_dead_at_once(connection: Connection) -> None:
    with child_process() as process:
        identity = replace(HERE, pid=process.pid, pid_started=started_of(process.pid))
        term = await OwnerTerm.acquire(connection, identity)
        assert await dead_terms(connection, HERE) == []
        process.kill()
        process.wait()
    assert await dead_terms(connection, HERE) == [term.term]
    assert await dead_terms(connection, ELSEWHERE) == []  # cannot see it from there


async def test_a_zombie_is_dead(connection: Connection) -> None:
    with child_process() as process:
        identity = replace(HERE, pid=process.pid, pid_started=started_of(process.pid))
        term = await OwnerTerm.acquire(connection, identity)
        process.kill()
        wait_without_burying(process)
        assert await dead_terms(connection, HERE) == [term.term]


async def test_a_reused_process_id_is_another_process(connection: Connection) -> None:
    term = await OwnerTerm.acquire(connection, replace(HERE, pid_started="1"))
    assert await dead_terms(connection, HERE) == [term.term]


async def test_a_host_without_proc_is_believed_until_its_time_is_up(connection: Connection) -> None:
    await OwnerTerm.acquire(connection, replace(HERE, pid_started=""))
    assert await dead_terms(connection, HERE) == []


def started_of(pid: int) -> str:
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        return stat.read().rpartition(")")[2].split()[19]


async def test_our_own_identity_is_the_kernels() -> None:
    assert HERE.pid == os.getpid()
    assert HERE.pid_started == started_of(os.getpid())
    assert not HERE.proves_gone(HERE.host, HERE.pid, HERE.pid_started)


async def test_an_ended_term_cannot_be_renewed(connection: Connection) -> None:
    term = await OwnerTerm.acquire(connection, HERE)
    await term.release(connection)
    with pytest.raises(TermLost):
        await term.renew(connection)


async def test_a_fence_ends_the_sessions_of_its_term_only(
    connection: Connection, database_url: str
) -> None:
    doomed = await OwnerTerm.acquire(connection, ELSEWHERE)
    assert doomed.term == 1
    names = ["smsgate:1", "smsgate:1:accept", "smsgate:1:lease", "smsgate:10:accept", "smsgate:2"]
    sessions = {name: await connect(database_url, application_name=name) for name in names}
    async with sessions["smsgate:10:accept"].transaction():
        await sessions["smsgate:1:accept"].execute("BEGIN; INSERT INTO account (name) VALUES ('x')")
        await fence(connection, doomed.term)
        assert not await is_open(connection, doomed.term)
        left = await connection.fetch(
            "SELECT application_name FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name LIKE 'smsgate:%'"
        )
        assert sorted(row["application_name"] for row in left) == ["smsgate:10:accept", "smsgate:2"]
    with pytest.raises((*TRANSIENT, asyncpg.InterfaceError)):
        await sessions["smsgate:1:accept"].execute("COMMIT")
    assert await connection.fetchval("SELECT count(*) FROM account") == 0
    for session in sessions.values():
        await close_connection(session)


async def test_another_database_of_the_server_is_not_touched(
    connection: Connection, empty_database_url: str
) -> None:
    term = await OwnerTerm.acquire(connection, ELSEWHERE)
    stranger = await connect(empty_database_url, application_name=f"smsgate:{term.term}:accept")
    await fence(connection, term.term)
    assert await stranger.fetchval("SELECT 1") == 1
    await close_connection(stranger)


async def test_a_fence_waits_for_a_session_that_will_not_end(
    connection: Connection, database_url: str
) -> None:
    """A stopped backend may still commit: until it is gone the term stays open."""
    term = await OwnerTerm.acquire(connection, ELSEWHERE)
    session = await connect(database_url, application_name=f"smsgate:{term.term}:accept")
    pid = await session.fetchval("SELECT pg_backend_pid()")
    watcher = await connect(database_url, application_name="test")
    try:
        os.kill(pid, signal.SIGSTOP)
    except (ProcessLookupError, PermissionError):
        pytest.skip("the server's processes cannot be reached from here")
    try:
        fencing = asyncio.create_task(fence(connection, term.term))
        while not await watcher.fetchval("SELECT expires_at = '-infinity' FROM owner_term"):
            pass
        with pytest.raises(TermLost):
            await term.renew(watcher)
        assert await dead_terms(watcher, HERE) == [term.term]  # should the fencing process die too
        assert await is_open(watcher, term.term)
        assert not fencing.done()
    finally:
        os.kill(pid, signal.SIGCONT)
    await fencing
    assert not await is_open(watcher, term.term)
    for each in (session, watcher):
        await close_connection(each)


async def test_two_may_fence_one_term_at_once(connection: Connection, database_url: str) -> None:
    term = await OwnerTerm.acquire(connection, ELSEWHERE)
    other = await connect(database_url, application_name="test")
    await asyncio.gather(fence(connection, term.term), fence(other, term.term))
    assert not await is_open(connection, term.term)
    await close_connection(other)


async def test_a_clock_that_was_set_back_lets_no_dead_process_live_on(
    connection: Connection,
) -> None:
    """Whoever looks next counts from there; a living process renews itself meanwhile."""
    dead, living = [await OwnerTerm.acquire(connection, ELSEWHERE) for _ in range(2)]
    await connection.execute("UPDATE owner_term SET expires_at = now() + interval '1 day'")
    assert await dead_terms(connection, HERE) == []
    left = await connection.fetch("SELECT expires_at - now() AS left FROM owner_term")
    assert all(row["left"].total_seconds() <= TTL_SECONDS + 1 for row in left)
    await connection.execute("UPDATE owner_term SET expires_at = expires_at - interval '11 s'")
    await living.renew(connection)
    assert await dead_terms(connection, HERE) == [dead.term]


async def test_a_term_that_is_being_fenced_stays_so(connection: Connection) -> None:
    term = await OwnerTerm.acquire(connection, ELSEWHERE)
    await connection.execute("UPDATE owner_term SET expires_at = '-infinity'")
    assert await dead_terms(connection, HERE) == [term.term]
    with pytest.raises(TermLost):
        await term.renew(connection)
