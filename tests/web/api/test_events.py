"""/v1/events over a real database, and what is summed of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from campaigns.contacts.desk import ContactDesk
from campaigns.events.desk import EventDesk, forget
from campaigns.events.folding import Folding
from storage import sql
from storage.ids import IdSource
from storage.pool import Connection, close_connection, connect
from tests.dispatch.world import VAULT, World, running, wall_ms
from tests.web.nobody import NoContactFiles
from tests.web.served import Api, running_api
from web.contact_services import ContactRooms

SQL = sql.load("campaigns")
PATH = "/v1/events"
NUMBER = "+8613812345678"
FRIDAY, SATURDAY = "2026-06-05T10:30:00+08:00", "2026-06-06T23:59:59+08:00"


@dataclass
class Shop:
    """An account with one contact."""

    api: Api
    world: World
    folding: Folding
    contact: str = ""

    @property
    def connection(self) -> Connection:
        return self.world.connection

    async def tell(self, *events: dict[str, object]) -> Any:
        response, body = await self.api.post(PATH, msgspec.json.encode({"events": events}))
        return body["items"] if response.status == 200 else (body["code"], body["errors"])

    async def sums(self) -> list[tuple[str, int]]:
        rows = await self.connection.fetch("SELECT kind, n FROM engagement ORDER BY kind")
        return [(row["kind"], row["n"]) for row in rows]


@pytest.fixture
async def shop(database_url: str) -> AsyncIterator[Shop]:
    async with running(database_url) as world:
        dedicated = world.database.dedicated
        desk = ContactDesk(world.database.read, dedicated("contacts"), vault=VAULT, ids=world.ids)
        events = EventDesk(dedicated("events"), vault=VAULT, ids=world.ids, wall_ms=wall_ms)
        folding = Folding(dedicated("fold"), zone="Asia/Shanghai", ended=lambda _: None)
        async with running_api(contacts=ContactRooms(desk, NoContactFiles(), events)) as api:
            api.headers = api.new_key(1, "contacts:read", "contacts:write", "events:write")
            made = {"external_id": "crm-1", "numbers": [NUMBER], "time_zone": "Asia/Shanghai"}
            _, contact = await api.post("/v1/contacts", made)
            yield Shop(api, world, folding, str(contact["id"]))


def event(event_id: str, name: str = "login", **fields: object) -> dict[str, object]:
    who = {} if fields.keys() & {"contact", "to", "external_id"} else {"external_id": "crm-1"}
    return {"event_id": event_id, "name": name, **who, **fields}


async def test_c37_an_event_told_again_is_one_and_told_otherwise_a_conflict(shop: Shop) -> None:
    first = event("e1", "order_paid", amount="129.90", props={"sku": 7}, at=FRIDAY)
    [told] = await shop.tell(first)
    assert (told["status"], told["contact"]) == ("recorded", shop.contact)
    again, other, more = await shop.tell(first, event("e1"), event("e2", to=NUMBER))
    assert (again["status"], again["id"]) == ("repeated", told["id"])
    assert (other["error"]["code"], more["status"]) == ("event_conflict", "recorded")
    twice = await shop.tell(event("e3"), event("e3"))
    assert [each["status"] for each in twice] == ["recorded", "repeated"]
    rows = await shop.connection.fetch("SELECT kind, amount, props FROM contact_event ORDER BY id")
    assert [row["kind"] for row in rows] == ["order_paid", "login", "login"]
    assert (rows[0]["amount"], rows[0]["props"]) == (129_900_000, {"sku": 7})


async def test_a_bad_event_keeps_no_other_and_is_told_with_its_place(shop: Shop) -> None:
    wrong: list[tuple[dict[str, object], str, str]] = [
        (event("a", external_id="nobody"), "contact_unknown", "/external_id"),
        (event("a", to="13812345678"), "number_invalid", "/to"),
        (event("a", contact="con_x"), "contact_unknown", "/contact"),
        (event("a", to=NUMBER, contact=shop.contact), "field_missing", "/to"),
        (event("a", "Log in"), "field_type", "/name"),
        (event("a", at="2100-01-01T00:00:00Z"), "out_of_range", "/at"),
        (event("a", at="2026-06-05T10:30:00"), "field_type", "/at"),
        (event("a", amount="1,5"), "value_invalid", "/amount"),
        (event("a", props={"a": "x" * 5_000}), "out_of_range", "/props"),
        (event("a", props={"a": ["\\\0"]}), "value_invalid", "/props"),
        (event(""), "field_type", "/event_id"),
    ]
    items = await shop.tell(event("good", props={"a": "\\u0000"}), *(each for each, _, _ in wrong))
    assert items[0]["status"] == "recorded"
    for place, (_, code, pointer) in enumerate(wrong, 1):
        [fault] = items[place]["error"]["errors"]
        assert (fault["code"], fault["pointer"]) == (code, f"/events/{place}{pointer}")
    code, _ = await shop.tell(event("a", "X"))
    assert code == "batch_rejected"
    assert await shop.connection.fetchval("SELECT count(*) FROM contact_event") == 1


async def test_c42_sums_follow_by_a_cursor_in_the_contacts_own_hours(shop: Shop) -> None:
    await shop.tell(
        event("1", at=FRIDAY), event("2", at=SATURDAY), event("3", "order_paid", at=FRIDAY),
        event("4", "recall_delivered", at=FRIDAY),
    )  # fmt: skip
    assert await shop.sums() == [], "nothing is summed by whoever tells"
    await shop.folding.turn()
    await shop.folding.turn()
    assert await shop.sums() == [("login", 2), ("order_paid", 1), ("recall_delivered", 1)]
    hours = await shop.connection.fetchval("SELECT hours FROM hour_profile")
    assert {place: n for place, n in enumerate(hours) if n} == {10: 2, 24 + 23: 1}
    await shop.connection.execute("UPDATE contact SET time_zone = 'Factory/Nowhere'")
    await shop.tell(event("5", at=FRIDAY))
    await shop.folding.turn()
    assert (await shop.sums())[0] == ("login", 3)
    row = await shop.connection.fetchrow("SELECT * FROM engagement WHERE kind = 'login'")
    assert row is not None
    assert (row["last_at"] - row["first_at"]).total_seconds() == 37 * 3600 + 29 * 60 + 59


async def test_what_ends_interest_is_no_hour_to_write_in(shop: Shop) -> None:
    idle = ("delivered", "failed", "opted_out", "complaint")
    await shop.tell(*(event(name, name, at=FRIDAY) for name in (*idle, "click")))
    await shop.folding.turn()
    hours = await shop.connection.fetchval("SELECT hours FROM hour_profile")
    assert {place: n for place, n in enumerate(hours) if n} == {10: 1}
    assert len(await shop.sums()) == 5, "they are counted all the same"


async def test_c42_an_event_that_commits_late_is_not_passed_over(
    shop: Shop, database_url: str
) -> None:
    """Its position is lower than that of one which is summed already."""
    other = await connect(database_url, application_name="late")
    try:
        contact = await shop.connection.fetchval("SELECT id FROM contact")
        late = other.transaction()
        await late.start()
        await other.execute("SELECT pg_advisory_xact_lock_shared(7307061160)")
        await other.execute(
            "INSERT INTO contact_event (id, account, contact, kind, at)"
            " VALUES ($1, 1, $2, 'late', now())",
            shop.world.ids.next(), contact,
        )  # fmt: skip
        await shop.tell(event("early"))
        turn = asyncio.create_task(shop.folding.turn())
        done, _ = await asyncio.wait([turn], timeout=0.2)
        assert not done, "it waits for who is about to commit"
        await late.commit()
        await turn
    finally:
        await close_connection(other)
    assert await shop.sums() == [("late", 1), ("login", 1)]


@pytest.mark.parametrize("other_is", ["an event", "a sum"])
async def test_c36_a_contact_that_is_deleted_beside_its_event_leaves_nothing(
    shop: Shop, database_url: str, other_is: str
) -> None:
    await shop.tell(event("1"))
    contact = await shop.connection.fetchval("SELECT id FROM contact")
    other = await connect(database_url, application_name="other")
    try:
        beside = other.transaction()
        await beside.start()
        if other_is == "an event":
            await other.fetch(SQL["contacts_stay"], 1, [contact])
            await other.execute(
                "INSERT INTO contact_event (id, account, contact, kind, at)"
                " VALUES ($1, 1, $2, 'late', now())",
                shop.world.ids.next(), contact,
            )  # fmt: skip
        else:
            await other.fetch(SQL["engagement_hold"])
            await other.fetchval(SQL["engagement_fold"], 0, 9, [], "UTC")
        deletion = asyncio.create_task(
            shop.api.call("DELETE", f"/v1/contacts/{shop.contact}", None, {})
        )
        done, _ = await asyncio.wait([deletion], timeout=0.2)
        assert not done, "it waits for who is at the contact"
        await beside.commit()
        await deletion
    finally:
        await close_connection(other)
    await shop.folding.turn()
    for table in ("contact", "contact_event", "contact_event_ref", "engagement", "hour_profile"):
        assert await shop.connection.fetchval(f"SELECT count(*) FROM {table}") == 0, table


async def test_a_reference_counts_for_72_hours(shop: Shop) -> None:
    old = IdSource(7, lambda: wall_ms() - 73 * 3_600_000).next()
    await shop.tell(event("e1"))
    await shop.connection.execute("UPDATE contact_event_ref SET id = $1", old)
    [again] = await shop.tell(event("e1"))
    assert again["status"] == "recorded"
    await shop.connection.execute("UPDATE contact_event_ref SET id = $1", old)
    await forget(shop.connection, await shop.connection.fetchval("SELECT now()"))
    assert await shop.connection.fetchval("SELECT count(*) FROM contact_event_ref") == 0


async def test_what_a_merged_contact_did_is_the_others(shop: Shop) -> None:
    _, second = await shop.api.post("/v1/contacts", {"external_id": "crm-2"})
    await shop.tell(event("1", external_id="crm-2"))
    await shop.api.post("/v1/contacts/merge", {"contacts": [shop.contact, second["id"]]})
    [told] = await shop.tell(event("2", external_id="crm-2"))
    assert told["contact"] == shop.contact
    [told] = await shop.tell(event("3", contact=second["id"]))
    assert told["contact"] == shop.contact
    await shop.folding.turn()
    assert await shop.sums() == [("login", 3)]
