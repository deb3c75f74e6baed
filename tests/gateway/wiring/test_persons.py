"""One person handed out or erased: from every table, whatever dies in between, and nobody else."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack

import asyncpg
import pytest

from gateway.wiring.persons import steps
from messages.person_steps import waiting
from recipients.erasing import Erasing
from recipients.persons import Asked, Erasure, Persons, PersonWaits
from shortlinks.rewrite import OPT_OUT_TARGET
from storage.audit_check import verify
from storage.faults import StorageDown
from storage.ids import IdSource, format_id
from storage.person_tables import TABLES
from storage.persons import Erased, Person, PersonStep
from storage.pool import Connection, close_connection, connect
from storage.suppression import Suppression, add_new, look_up
from tests.dispatch.world import VAULT, World, running, wall_ms
from tests.gateway.wiring.person import ACCOUNT, SHOP, Life, dump

NUMBER, OTHER = "+8613812345678", "+8613987654321"
MARKER, OTHERS = "Wang-Xiaoming", "Li-Lei"
KEPT = {"suppression", "preference"}  # so that they are not texted against their will


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with running(database_url) as made:
        yield made


@pytest.fixture
async def persons(world: World) -> Persons:
    """With the clock a minute ahead, so that all that the tests store is of before."""
    return Persons(
        world.database.read,
        world.database.dedicated("persons"),
        vault=VAULT,
        ids=IdSource(3, lambda: wall_ms() + 60_000),
        steps=steps(VAULT),
        waits=waiting,
    )


def asked(account: int | None = None, number: str = NUMBER) -> Asked:
    return Asked(account, "operator", number, "letter 4711")


def erasing(found: Sequence[PersonStep] | None = None) -> Erasing:
    return Erasing(VAULT, IdSource(4, wall_ms), found or steps(VAULT), waiting)


async def finish(connection: Connection, persons: Persons, erasure: Erasure) -> Erasure:
    while await erasing().turn(connection):
        pass
    found = await persons.erasure(None, erasure.id)
    assert found is not None
    return found


def traces(tables: Mapping[str, str], number: str, marker: str) -> dict[str, set[str]]:
    """In which tables the number, its index, its ciphertext or the marker is found."""
    wanted = {
        "number": number[1:],
        "index": VAULT.index(number).hex(),
        "sealed": VAULT.seal(number).hex(),
        "marker": marker,
        "marker's octets": marker.encode().hex(),
    }
    return {
        what: found
        for what, text in wanted.items()
        if (found := {name for name, rows in tables.items() if text in rows})
    }


async def test_a_person_erased_leaves_no_trace_but_the_suppression(
    world: World, persons: Persons
) -> None:
    other = Life(world.connection, OTHER, OTHERS)
    await other.live()
    before = await dump(world.connection)
    await Life(world.connection, NUMBER, MARKER).live()
    erasure = await persons.erase(asked())
    done = await finish(world.connection, persons, erasure)
    assert done.finished_at is not None
    after = await dump(world.connection)
    assert traces(after, NUMBER, MARKER) == {"index": KEPT}
    assert traces(after, OTHER, OTHERS) == traces(before, OTHER, OTHERS)
    wanted = {table for table, held in TABLES.items() if held.columns}
    never = {"audit_batch", "import_piece", "person_erasure", "webhook_change"}
    assert set(done.rows) == wanted - never, "a row of each table was erased"
    entry = await world.connection.fetchrow(
        "SELECT to_enc, message_id, detail, source, created_at FROM suppression WHERE to_idx = $1",
        VAULT.index(NUMBER),
    )
    assert entry is not None
    assert (entry["to_enc"], entry["message_id"], entry["detail"]) == (None, None, None)
    assert (entry["source"], entry["created_at"] is None) == ("api", False)


async def test_contacts_that_became_one_are_all_erased_whatever_a_batch_takes(
    world: World, persons: Persons, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.persons.ROWS_PER_BATCH", 2)
    life = Life(world.connection, NUMBER, MARKER)
    await life.live()
    whole = await world.connection.fetchval("SELECT id FROM contact")
    for _ in range(5):
        part = life.ids.next()
        await life.add("contact", id=part, account=ACCOUNT, merged_into=whole)
        await life.add("hour_profile", account=ACCOUNT, contact=part, hours=[1] * 48)
    await world.connection.execute("DELETE FROM hour_profile WHERE contact = $1", whole)
    done = await finish(world.connection, persons, await persons.erase(asked()))
    assert (done.rows["contact"], done.rows["hour_profile"]) == (6, 5)
    for table in ("contact", "hour_profile", "contact_number"):
        assert not await world.connection.fetchval(f"SELECT count(*) FROM {table}"), table


async def test_what_is_told_of_a_contact_while_it_is_erased_goes_with_it(
    world: World, persons: Persons
) -> None:
    """Its events are erased before it is, and more of them may come in between."""
    life = Life(world.connection, NUMBER, MARKER)
    await life.live()
    contact = await world.connection.fetchval("SELECT id FROM contact")

    def beside(step: PersonStep) -> PersonStep:
        erase = step.erase
        if step.table != "contact" or erase is None:
            return step

        async def with_more(connection: Connection, whom: Person, place: int) -> Erased:
            now = await connection.fetchval("SELECT now()")
            more = {"account": ACCOUNT, "contact": contact, "kind": MARKER}
            await life.add("contact_event", id=life.ids.next(), at=now, **more)
            await life.add("engagement", first_at=now, last_at=now, n=1, **more)
            await life.add("hour_profile", account=ACCOUNT, contact=contact, hours=[1] * 48)
            return await erase(connection, whom, place)

        return step._replace(erase=with_more)

    await persons.erase(asked())
    while await erasing([beside(step) for step in steps(VAULT)]).turn(world.connection):
        pass
    for table in ("contact", "contact_event", "engagement", "hour_profile"):
        assert not await world.connection.fetchval(f"SELECT count(*) FROM {table}"), table


async def test_only_addresses_that_nobody_elses_link_leads_to_are_emptied(
    world: World, persons: Persons
) -> None:
    await Life(world.connection, NUMBER, MARKER).live()
    await finish(world.connection, persons, await persons.erase(asked()))
    targets = await world.connection.fetchval("SELECT targets FROM link_range")
    assert targets == ["", SHOP, OPT_OUT_TARGET]


async def test_g34_the_chain_is_whole_after_an_erasure(world: World, persons: Persons) -> None:
    await Life(world.connection, NUMBER, MARKER).live()
    await finish(world.connection, persons, await persons.erase(asked()))
    verdict = await verify(world.connection)
    assert (verdict.whole, verdict.rows, verdict.erased) == (True, 3, 2)
    rows = await world.connection.fetch("SELECT action, detail, text FROM audit ORDER BY seq")
    assert [row["action"] for row in rows] == [
        "numbers.reveal", "persons.erase", "persons.erased",
    ]  # fmt: skip
    assert rows[1]["detail"]["erasure"] == rows[2]["detail"]["erasure"]


async def test_an_erasure_that_dies_at_each_step_goes_on_and_ends_as_if_it_had_not(
    world: World, persons: Persons, database_url: str
) -> None:
    await Life(world.connection, NUMBER, MARKER).live()
    erasure = await persons.erase(asked())
    died: set[str] = set()

    def dying(step: PersonStep) -> PersonStep:
        erase = step.erase
        if erase is None:
            return step

        async def once(connection: Connection, whom: Person, place: int) -> Erased:
            done = await erase(connection, whom, place)
            if step.table not in died:
                died.add(step.table)
                connection.terminate()  # what it has done is not committed
            return done

        return step._replace(erase=once)

    found = [dying(step) for step in steps(VAULT)]
    lives = 0
    while True:
        own = await connect(database_url, application_name="a life")
        lives += 1
        try:
            # A dead life may hold the erasure until the server hears of its end.
            if not await erasing(found).turn(own) and await world.connection.fetchval(
                "SELECT finished_at IS NOT NULL FROM person_erasure WHERE id = $1", erasure.id
            ):
                break
        except (asyncpg.PostgresConnectionError, asyncpg.InterfaceError):
            continue
        finally:
            if not own.is_closed():
                await close_connection(own)
    assert died == {step.table for step in found if step.erase is not None}
    assert lives > len(died)
    done = await persons.erasure(None, erasure.id)
    assert done is not None
    assert done.finished_at is not None
    assert set(done.rows.values()) == {1, 2}, "each row counts once"
    assert done.rows["audit"] == 2
    assert traces(await dump(world.connection), NUMBER, MARKER) == {"index": KEPT}
    assert (await verify(world.connection)).whole


async def test_an_account_erases_its_own_rows_alone(world: World, persons: Persons) -> None:
    await Life(world.connection, NUMBER, MARKER).live()
    await Life(world.connection, NUMBER, OTHERS, account=2, ids=IdSource(8, wall_ms)).live()
    done = await finish(world.connection, persons, await persons.erase(asked(ACCOUNT)))
    assert done.finished_at is not None
    left = traces(await dump(world.connection), NUMBER, MARKER)
    assert "marker" not in left
    assert left["marker's octets"] == {"inbound_part"}
    assert "message" in left["index"], "another account's"
    assert left["index"] >= {"unmatched_receipt"}, "nobody knows whose"
    assert await persons.erasure(2, done.id) is None


async def test_nobody_is_erased_while_a_message_waits(world: World, persons: Persons) -> None:
    waits = world.message(to=NUMBER)
    await world.store([waits])
    with pytest.raises(PersonWaits) as refused:
        await persons.erase(asked())
    assert (refused.value.messages, refused.value.first) == (1, waits.id)
    assert await world.connection.fetchval("SELECT count(*) FROM person_erasure") == 0
    assert await world.connection.fetchval("SELECT count(*) FROM audit") == 0
    await world.connection.execute("DELETE FROM outbox")
    assert (await persons.erase(asked())).finished_at is None


async def test_a_message_committed_after_the_request_is_waited_for(
    world: World, persons: Persons
) -> None:
    late = world.message(to=NUMBER)  # its id is of before
    erasure = await persons.erase(asked())
    await world.store([late])
    found = None
    while found is None or not found.waits:
        assert await erasing().turn(world.connection) > 0
        found = await persons.erasure(None, erasure.id)
    assert found.finished_at is None
    kept = await world.connection.fetchval("SELECT to_enc FROM message WHERE id = $1", late.id)
    assert kept == VAULT.seal(NUMBER), "what is about to be sent is not touched"
    await world.connection.execute("DELETE FROM outbox")
    done = await finish(world.connection, persons, erasure)
    assert done.finished_at is not None
    assert traces(await dump(world.connection), NUMBER, "nobody") == {}


async def test_what_comes_after_the_request_stays(world: World, persons: Persons) -> None:
    early = Persons(
        world.database.read, world.database.dedicated("early"), vault=VAULT,
        ids=IdSource(3, lambda: wall_ms() - 3_600_000), steps=steps(VAULT), waits=waiting,
    )  # fmt: skip
    message = await Life(world.connection, NUMBER, MARKER).live()
    done = await finish(world.connection, persons, await early.erase(asked()))
    assert done.finished_at is not None
    assert await world.connection.fetchval("SELECT text FROM message WHERE id = $1", message)
    assert await world.connection.fetchval("SELECT count(*) FROM consent") == 1


async def test_the_same_request_again_is_one_erasure(world: World, persons: Persons) -> None:
    first = await persons.erase(asked())
    assert (await persons.erase(asked())).id == first.id
    assert (await persons.erase(asked(ACCOUNT))).id != first.id
    await finish(world.connection, persons, first)
    assert (await persons.erase(asked())).id != first.id
    held = await world.connection.fetchrow(
        "SELECT number_enc, number_idx FROM person_erasure WHERE id = $1", first.id
    )
    assert held is not None
    assert (held["number_enc"], held["number_idx"]) == (None, None)


async def test_g38_who_was_erased_and_is_imported_again_stays_suppressed(
    world: World, persons: Persons
) -> None:
    await Life(world.connection, NUMBER, MARKER).live()
    await finish(world.connection, persons, await persons.erase(asked()))
    index = VAULT.index(NUMBER)
    imported = Suppression(index, 9, "import", ACCOUNT, 3, to_enc=VAULT.seal(NUMBER))
    now = await world.connection.fetchval("SELECT now()")
    assert await add_new(world.connection, [imported], now) == set(), "the entry stands"
    await world.store([world.message(to=NUMBER)])
    found = await look_up(world.connection, [index])
    assert found.reason(index, ACCOUNT, 3) == 9


async def test_an_export_has_every_row_and_each_table(world: World, persons: Persons) -> None:
    await Life(world.connection, OTHER, OTHERS).live()
    message = await Life(world.connection, NUMBER, MARKER).live()
    lines = [line async for line in persons.export(asked())]
    first, *rows, last = lines
    assert first["number"] == NUMBER
    assert last == {"rows": len(rows), "complete": True}
    wanted = {table for table, held in TABLES.items() if held.columns}
    beside = {
        "audit_batch", "import_piece", "person_erasure", "webhook_attempt", "webhook_change",
    }  # fmt: skip
    assert {row["table"] for row in rows} == wanted - beside | {"event", "submission"}
    text = json.dumps(lines)
    assert OTHER not in text
    assert OTHERS not in text
    by_table = {str(row["table"]): row for row in rows}
    assert by_table["message"]["id"] == format_id("msg", message)
    assert by_table["message"]["to"] == NUMBER
    assert by_table["message"]["text"] == f"Dear {MARKER}"
    leading = [row["target"] for row in rows if row["table"] == "link_range"]
    assert leading == [f"{SHOP}?n={MARKER}", SHOP]
    assert by_table["submission"]["status"] == "delivered"
    assert MARKER in str(by_table["webhook_event"]["body"])
    assert MARKER.encode().hex() in str(by_table["raw_delivery"]["body"])
    assert VAULT.index(NUMBER).hex() not in text
    note = await world.connection.fetchrow("SELECT * FROM audit WHERE action = 'persons.export'")
    assert note is not None
    assert (note["subject"], note["text"]) == (VAULT.index(NUMBER), "letter 4711")


async def test_an_export_that_is_not_read_gives_its_connection_back_and_is_cut_off(
    world: World,
) -> None:
    await Life(world.connection, NUMBER, MARKER).live()
    pool = world.database.read
    slow = Persons(
        pool,
        world.database.dedicated("slow"),
        vault=VAULT,
        ids=IdSource(3, wall_ms),
        steps=steps(VAULT),
        waits=waiting,
        export_seconds_max=0.1,
    )
    lines = slow.export(asked())
    read = [await anext(lines), await anext(lines)]
    async with AsyncExitStack() as all_of_them:
        for _ in range(pool.get_max_size()):
            await all_of_them.enter_async_context(pool.acquire())
    with pytest.raises(StorageDown):
        read += [line async for line in lines]
    assert not any(line.get("complete") for line in read)


async def test_an_account_is_given_its_own_rows_alone(world: World, persons: Persons) -> None:
    await Life(world.connection, NUMBER, MARKER, account=2).live()
    _, *rows, _ = [line async for line in persons.export(asked(ACCOUNT))]
    assert [row["table"] for row in rows] == ["audit"], "that it was asked for"


async def test_every_form_of_a_number_is_one_person(world: World, persons: Persons) -> None:
    old, new = "+5215512345678", "+525512345678"
    await Life(world.connection, old, MARKER).live()
    erasure = await persons.erase(asked(number=new))
    await finish(world.connection, persons, erasure)
    assert set(traces(await dump(world.connection), old, MARKER)) == {"index"}


async def test_g36_each_table_with_a_person_has_its_step() -> None:
    found = {step.table: step for step in steps(VAULT)}
    held = {table for table, each in TABLES.items() if each.columns}
    itself = {"audit_batch", "person_erasure"}  # empty at a commit, and this work's own
    assert {table for table, step in found.items() if step.erase} == held - itself
    assert set(found) - held == {"conversion", "event", "submission"}
