"""A COMMIT whose answer never came: what the client is told and what is stored are the same."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from dlr.reasons import Reason
from messages.accept import plain_flush, retraction
from messages.models import Prepared, Verdict
from storage.categories import Category
from storage.faults import StorageDown
from storage.pool import close_connection, connect
from storage.suppression import Suppression, add
from tests.integration.database_proxy import database_proxy
from tests.messages.accept.world import VAULT, World, accepting, prepared

OTP = Category.OTP
LOCK = 42


@pytest.fixture(autouse=True, params=[0.0, 3.0], ids=["no time to ask", "asked"])
def resolve_seconds(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> float:
    """How long the accepter may ask what became of a COMMIT; then it takes back what there is."""
    seconds: float = request.param
    monkeypatch.setattr(retraction, "RESOLVE_SECONDS", seconds)
    return seconds


@pytest.fixture(autouse=True, params=["at once", "long way"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How a flush is stored: in one statement, or in the transaction that looks at everything."""
    if request.param == "long way":
        monkeypatch.setattr(plain_flush, "MESSAGES_MAX", 0)
    return str(request.param)


@pytest.fixture
def last(way: str) -> bytes:
    """What the client asks when it has nothing more to ask: the transaction ends with it."""
    return {"at once": rb'"text":"m', "long way": rb"COMMIT"}[way]


async def texts(world: World) -> list[str]:
    return [row["text"] for row in (await world.messages()).values()]


async def accepted_at_last(world: World, text: str) -> None:
    """The next message that the same client sends, as often as it takes."""
    async with asyncio.timeout(40):
        while True:
            try:
                answers = await world.accepter.accept([prepared(9, text=text)], batch_id=None)
            except StorageDown:
                await asyncio.sleep(0.01)
                continue
            assert isinstance(answers[0], Verdict)
            return


async def told_stored(world: World, items: Sequence[Prepared]) -> bool:
    """Whether the client was told that all of these are stored; else, that none is."""
    try:
        answers = await world.accepter.accept(items, batch_id=None)
    except StorageDown:
        return False
    assert all(isinstance(answer, Verdict) for answer in answers)
    return True


async def test_what_a_lost_answer_said_and_what_is_stored_are_the_same(
    database_url: str, resolve_seconds: float, way: str, last: bytes
) -> None:
    async with (
        database_proxy(database_url) as proxy,
        accepting(database_url, through=proxy.url) as world,
    ):
        suppressed = [prepared(3)] if way == "long way" else []
        await add(
            world.connection,
            [Suppression(VAULT.index(each.to), Reason.OPTED_OUT, "api") for each in suppressed],
        )
        await accepted_at_last(world, "before")
        cut = proxy.arm("accept", asked=last)
        stored = await told_stored(world, [prepared(1), prepared(2), *suppressed])
        await proxy.fired(cut)
        assert stored is (resolve_seconds > 0)
        assert world.room.reserved == 0
        handed = ["m1", "m2"] if stored else []
        assert [message.text for message in world.room.pushed] == ["before", *handed]
        await accepted_at_last(world, "after")
        ended = ["m3"] if stored and suppressed else []
        assert await texts(world) == ["before", *handed, *ended, "after"]
        assert len(await world.outbox()) == 2 + len(handed)
        assert await world.count("submission") == len(ended)


async def test_a_session_lost_before_its_commit_has_stored_nothing(
    database_url: str, way: str
) -> None:
    async with (
        database_proxy(database_url) as proxy,
        accepting(database_url, through=proxy.url) as world,
    ):
        await accepted_at_last(world, "before")
        if way == "at once":
            cut = proxy.arm("accept", asked=rb'"text":"m', before=True)
        else:
            cut = proxy.arm("accept", asked=rb"COPY \"?outbox")
        assert not await told_stored(world, [prepared(1)])
        await proxy.fired(cut)
        await accepted_at_last(world, "after")
        assert await texts(world) == ["before", "after"]


async def test_a_commit_that_is_still_landing_is_ended_before_it_is_taken_back(
    database_url: str,
) -> None:
    """The client's end is gone, and the server's is in the middle of its COMMIT.

    Left to itself it would land after the delete.
    """
    holder = await connect(database_url, application_name="test")
    async with accepting(database_url) as world:
        await accepted_at_last(world, "before")
        await world.connection.execute(
            f"""
            CREATE FUNCTION wait_here() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN PERFORM pg_advisory_xact_lock_shared({LOCK}); RETURN NEW; END $$;
            CREATE CONSTRAINT TRIGGER wait_here AFTER INSERT ON outbox
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
            WHEN (NEW.parts = 5) EXECUTE FUNCTION wait_here();
            """
        )
        await holder.execute(f"SELECT pg_advisory_lock({LOCK})")
        lost = asyncio.create_task(world.accepter.accept([prepared(1, parts=5)], batch_id=None))
        backend = await backend_in_its_commit(world)
        (await world.lanes[1].connection()).terminate()
        with pytest.raises(StorageDown):
            await lost
        await accepted_at_last(world, "after")
        alive = "SELECT count(*) FROM pg_stat_activity WHERE pid = $1"
        assert await world.connection.fetchval(alive, backend) == 0
        await holder.execute(f"SELECT pg_advisory_unlock({LOCK})")
        assert await texts(world) == ["before", "after"]
        assert len(await world.outbox()) == 2
    await close_connection(holder)


async def backend_in_its_commit(world: World) -> int:
    async with asyncio.timeout(40):
        while True:
            found: int | None = await world.connection.fetchval(
                "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                " AND query ~ '^(COMMIT|WITH given)' AND datname = current_database()"
            )
            if found is not None:
                return found
            await asyncio.sleep(0.002)


async def test_each_lane_settles_its_own_only(database_url: str, last: bytes) -> None:
    """Whatever became of the password, the other lane's message is neither lost nor doubled."""
    async with (
        database_proxy(database_url) as proxy,
        accepting(database_url, through=proxy.url) as world,
    ):
        cut = proxy.arm("accept-otp", asked=last)
        answers = await world.accepter.accept([prepared(1, OTP), prepared(2)], batch_id=None)
        await proxy.fired(cut)
        assert isinstance(answers[1], Verdict)
        await accepted_at_last(world, "other lane")
        async with asyncio.timeout(40):
            while not await told_stored(world, [prepared(3, OTP)]):
                await asyncio.sleep(0.01)
        first = ["m1"] if isinstance(answers[0], Verdict) else []
        assert sorted(await texts(world)) == [*first, "m2", "m3", "other lane"]


async def test_losing_one_session_after_the_other_leaves_only_what_was_told(
    database_url: str, way: str, last: bytes
) -> None:
    async with (
        database_proxy(database_url) as proxy,
        accepting(database_url, through=proxy.url) as world,
    ):
        expected = []
        for number in range(6):
            if way == "at once":
                proxy.arm("accept", asked=last, before=bool(number % 2))
            else:
                proxy.arm("accept", asked=last if number % 2 else rb"COPY")
            if await told_stored(world, [prepared(number)]):
                expected.append(f"m{number}")
        await accepted_at_last(world, "after")
        assert await texts(world) == [*expected, "after"]
        assert [message.text for message in world.room.pushed] == [*expected, "after"]
        assert world.room.reserved == 0
