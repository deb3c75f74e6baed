"""A COMMIT whose answer never came: the client was told that nothing is stored, so nothing is."""

from __future__ import annotations

import asyncio

import pytest

from dlr.reasons import Reason
from gateway.accept.models import Refused, StorageDown, Verdict
from storage.categories import Category
from storage.pool import close_connection, connect
from storage.suppression import Suppression, add
from tests.accept.world import VAULT, World, accepting, prepared
from tests.integration.database_proxy import database_proxy

OTP, MARKETING = Category.OTP, Category.MARKETING
LOCK = 42


async def texts(world: World) -> list[str]:
    return [row["text"] for row in (await world.messages()).values()]


async def accepted_at_last(world: World, text: str) -> None:
    """The next message that the same client sends, as often as it takes."""
    async with asyncio.timeout(10):
        while True:
            try:
                answers = await world.accepter.accept([prepared(9, text=text)], batch_id=None)
            except StorageDown:
                await asyncio.sleep(0.01)
                continue
            assert isinstance(answers[0], Verdict)
            return


async def test_what_was_committed_without_an_answer_is_taken_back(database_url: str) -> None:
    async with (
        database_proxy(database_url) as proxy,
        accepting(database_url, through=proxy.url) as world,
    ):
        suppressed = prepared(3)
        await add(
            world.connection, [Suppression(VAULT.index(suppressed.to), Reason.OPTED_OUT, "api")]
        )
        await accepted_at_last(world, "before")
        cut = proxy.arm("accept", asked=rb"COMMIT")
        with pytest.raises(StorageDown):
            await world.accepter.accept([prepared(1), prepared(2), suppressed], batch_id=None)
        await proxy.fired(cut)
        assert await texts(world) == ["before", "m1", "m2", "m3"]  # it had landed
        assert world.room.reserved == 0
        assert [message.text for message in world.room.pushed] == ["before"]
        await accepted_at_last(world, "after")
        assert await texts(world) == ["before", "after"]
        assert len(await world.outbox()) == 2
        assert await world.count("submission") == 0


async def test_a_commit_that_is_still_landing_is_ended_before_it_is_taken_back(
    database_url: str,
) -> None:
    """The client's end is gone, the server's is in the middle of its COMMIT: had it been left to
    itself it would land after the delete."""
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
    async with asyncio.timeout(10):
        while True:
            found: int | None = await world.connection.fetchval(
                "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                " AND query LIKE 'COMMIT%' AND datname = current_database()"
            )
            if found is not None:
                return found
            await asyncio.sleep(0.002)


async def test_each_lane_takes_back_its_own_only(database_url: str) -> None:
    async with (
        database_proxy(database_url) as proxy,
        accepting(database_url, through=proxy.url) as world,
    ):
        cut = proxy.arm("accept-otp", asked=rb"COMMIT")
        answers = await world.accepter.accept([prepared(1, OTP), prepared(2)], batch_id=None)
        await proxy.fired(cut)
        assert isinstance(answers[0], Refused)
        assert isinstance(answers[1], Verdict)
        await accepted_at_last(world, "other lane")
        assert sorted(await texts(world)) == ["m1", "m2", "other lane"]
        async with asyncio.timeout(10):
            while True:
                try:
                    await world.accepter.accept([prepared(3, OTP)], batch_id=None)
                    break
                except StorageDown:
                    await asyncio.sleep(0.01)
        assert sorted(await texts(world)) == ["m2", "m3", "other lane"]


async def test_a_retraction_that_fails_is_done_by_the_next(database_url: str) -> None:
    async with (
        database_proxy(database_url) as proxy,
        accepting(database_url, through=proxy.url) as world,
    ):
        cut = proxy.arm("accept", asked=rb"COMMIT")
        with pytest.raises(StorageDown):
            await world.accepter.accept([prepared(1)], batch_id=None)
        await proxy.fired(cut)
        cut = proxy.arm("accept", asked=rb"DELETE FROM outbox")
        with pytest.raises(StorageDown):
            await world.accepter.accept([prepared(2)], batch_id=None)
        await proxy.fired(cut)
        await accepted_at_last(world, "after")
        assert await texts(world) == ["after"]
