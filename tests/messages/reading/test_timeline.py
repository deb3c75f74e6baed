"""One message as its owner sees it: where it stands, and what happened, in order."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dlr.ledger import SubmissionRow, apply_receipts, insert_submissions
from dlr.reasons import Reason
from dlr.status import Status
from messages.reading.reader import Messages
from messages.reading.timeline import TimelinePage, read_message, read_timeline
from shortlinks.classify import ClickClass
from storage.crypto import NumberVault
from storage.events import Event, append
from storage.ids import id_at, time_of
from storage.keys import NumberKeys
from storage.names import Registry, register
from storage.pool import Connection, Database
from tests.dlr.rows import World

ACCOUNT, OTHER = 1, 2


class Scene:
    """One connector `carrier-a`, and messages of ACCOUNT."""

    def __init__(self, connection: Connection, registry: Registry) -> None:
        self.connection = connection
        self.registry = registry
        self.world = World()
        self.connector = registry.connectors["carrier-a"]

    async def message(self, **fields: Any) -> int:
        return await self.world.message(
            self.connection, account=ACCOUNT, connector=self.connector, **fields
        )

    async def part(self, message: int, **fields: Any) -> SubmissionRow:
        self.world.wait(seconds=1)
        row = self.world.part(message_id=message, connector=self.connector, **fields)
        await insert_submissions(self.connection, [row])
        return row

    async def receipt(self, carrier_id: str, status: Status, **fields: Any) -> None:
        self.world.wait(seconds=1)
        receipt = self.world.receipt(carrier_id, status, connector=self.connector, **fields)
        await apply_receipts(self.connection, [receipt], self.world.ids)

    async def intend(self, message: int) -> None:
        await self.connection.execute(
            "INSERT INTO submit_intent (id, owner, connector, message_ids) VALUES ($1, 1, $2, $3)",
            self.world.ids.next(),
            self.connector,
            [message],
        )

    async def status(self, message: int) -> Status:
        record = await read_message(self.connection, self.registry, ACCOUNT, message)
        assert record is not None
        return record.status

    async def timeline(self, message: int) -> list[tuple[str, dict[str, object]]]:
        found = await read_timeline(
            self.connection, self.registry, ACCOUNT, message, TimelinePage(100)
        )
        assert found is not None
        events = found.events
        times = [event.at for event in events]
        assert times == sorted(times)
        return [(event.kind, dict(event.detail)) for event in events]


@pytest.fixture
async def scene(connection: Connection) -> Scene:
    registry = await register(connection, [], ["carrier-a"])
    return Scene(connection, registry)


async def test_a_message_waits_is_being_sent_and_is_delivered(scene: Scene) -> None:
    message = await scene.message(waiting=True)
    assert await scene.status(message) is Status.QUEUED
    await scene.intend(message)
    assert await scene.status(message) is Status.SENDING
    await scene.connection.execute("DELETE FROM outbox")
    await scene.part(message, carrier_id="c1")
    assert await scene.status(message) is Status.SENT
    await scene.receipt("c1", Status.DELIVERED)
    assert await scene.status(message) is Status.DELIVERED


async def test_a_delivered_messages_timeline(scene: Scene) -> None:
    message = await scene.message()
    await scene.part(message, carrier_id="c1")
    await scene.receipt("c1", Status.DELIVERED)
    kinds = await scene.timeline(message)
    assert [kind for kind, _ in kinds] == ["accepted", "submitted", "sent", "receipt"]
    details = dict(kinds)
    assert details["accepted"] == {"category": "transactional", "parts": 1, "route": "carrier-a"}
    assert details["sent"] == {"part": 1, "connector": "carrier-a", "carrier_id": "c1"}
    assert details["receipt"] == {
        "part": 1,
        "connector": "carrier-a",
        "status": "delivered",
        "carrier_code": "000",
        "done_at": scene.world.now,
    }


async def test_a_refusal_says_why(scene: Scene) -> None:
    message = await scene.message()
    await scene.part(
        message, status=Status.REJECTED, reason=Reason.NUMBER_INVALID, error="ESME_RINVDSTADR"
    )
    assert (await scene.timeline(message))[-1] == (
        "rejected",
        {
            "part": 1,
            "connector": "carrier-a",
            "reason": "number_invalid",
            "carrier_code": "ESME_RINVDSTADR",
        },
    )


async def test_a_receipt_that_says_no_is_no_refusal(scene: Scene) -> None:
    """It was taken first, and the timeline says both."""
    message = await scene.message()
    await scene.part(message, carrier_id="c1")
    await scene.receipt("c1", Status.UNDELIVERED, reason=Reason.NUMBER_UNKNOWN, error="001")
    kinds = await scene.timeline(message)
    assert [kind for kind, _ in kinds] == ["accepted", "submitted", "sent", "receipt"]
    assert kinds[-1][1]["status"] == "undelivered"
    assert kinds[-1][1]["reason"] == "number_unknown"


async def test_what_never_reached_the_wire_says_why(scene: Scene) -> None:
    message = await scene.message()
    await scene.part(message, part=0, status=Status.SUPPRESSED, reason=Reason.OPTED_OUT)
    assert await scene.status(message) is Status.SUPPRESSED
    assert await scene.timeline(message) == [
        ("accepted", {"category": "transactional", "parts": 1, "route": "carrier-a"}),
        ("suppressed", {"reason": "opted_out"}),
    ]


@pytest.mark.parametrize("part", [0, 1])
async def test_our_own_words_are_no_carriers_code(
    scene: Scene, database: Database, part: int
) -> None:
    """Ended without the wire, or a part that could not be packed or was given up in doubt."""
    message = await scene.message()
    row = scene.world.part(
        message_id=message, connector=scene.connector, part=part, status=Status.FAILED,
        reason=Reason.INTERNAL, error="cannot be encoded",
    )  # fmt: skip
    row.submitted_at = row.responded_at = None
    await insert_submissions(scene.connection, [row])
    about = {"part": 1, "connector": "carrier-a"} if part else {}
    assert (await scene.timeline(message))[-1] == (
        "failed",
        {**about, "reason": "internal", "detail": "cannot be encoded"},
    )
    vault = NumberVault(NumberKeys(bytes(64)))
    await scene.connection.execute("UPDATE message SET to_enc = $1", vault.seal("+8613800000000"))
    view = await Messages(database.read, scene.registry, vault).message(ACCOUNT, message)
    assert view is not None
    assert (view.reason, view.error, view.detail) == ("internal", None, "cannot be encoded")


async def test_doubt_is_told(scene: Scene) -> None:
    message = await scene.message()
    row = scene.world.part(message_id=message, connector=scene.connector, status=Status.UNCONFIRMED)
    row.responded_at = None
    await insert_submissions(scene.connection, [row])
    detail = {"policy": "hold", "connector": scene.connector}
    await append(scene.connection, [Event(scene.world.ids.next(), message, "in_doubt", detail)])
    kinds = await scene.timeline(message)
    assert {kind for kind, _ in kinds} == {"accepted", "submitted", "unconfirmed", "in_doubt"}
    assert dict(kinds)["in_doubt"] == {"policy": "hold", "connector": "carrier-a"}
    assert await scene.status(message) is Status.UNCONFIRMED


async def test_a_message_of_parts_is_as_far_as_its_parts(scene: Scene) -> None:
    message = await scene.message(parts=3)
    for part in (1, 2, 3):
        await scene.part(message, part=part, parts=3, carrier_id=f"c{part}")
    await scene.receipt("c1", Status.DELIVERED)
    await scene.receipt("c2", Status.UNDELIVERED, reason=Reason.HANDSET_FULL, error="020")
    assert await scene.status(message) is Status.UNDELIVERED  # at once
    await scene.receipt("c3", Status.DELIVERED)
    record = await read_message(scene.connection, scene.registry, ACCOUNT, message)
    assert record is not None
    assert (record.status, record.parts_delivered) == (Status.UNDELIVERED, 2)
    assert record.deciding is not None
    assert (record.deciding.part, record.deciding.reason) == (2, Reason.HANDSET_FULL)
    assert record.updated_at == scene.world.now
    assert record.created_at == time_of(message)


async def test_clicks_are_part_of_the_story(scene: Scene) -> None:
    message = await scene.message()
    await scene.part(message, carrier_id="c1")
    scene.world.wait(seconds=60)
    await scene.connection.execute(
        "INSERT INTO click VALUES ($1, 1, 0, $2, $3, ARRAY['head'], 'HEAD', 'bot', '192.0.2.0/24')",
        id_at(scene.world.now),
        message,
        ClickClass.PREVIEW,
    )
    assert (await scene.timeline(message))[-1] == (
        "click",
        {"class": "preview", "slot": 0, "reasons": ["head"]},
    )


async def test_another_accounts_message_does_not_exist(scene: Scene) -> None:
    message = await scene.message()
    for account, identifier in ((OTHER, message), (ACCOUNT, message + 1)):
        assert await read_message(scene.connection, scene.registry, account, identifier) is None
        found = await read_timeline(
            scene.connection, scene.registry, account, identifier, TimelinePage(1)
        )
        assert found is None


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = await Database.open(
        database_url, Path("unused"), application_name="test", read_connections=1
    )
    yield database
    await database.close()


async def test_the_api_sees_the_number_and_the_part_that_decided(
    scene: Scene, database: Database
) -> None:
    vault = NumberVault(NumberKeys(bytes(64)))
    message = await scene.message(parts=2, campaign_id="spring")
    await scene.connection.execute(
        "UPDATE message SET to_enc = $1, tags = ARRAY['x'], batch_id = 5, client_ref = 'r'",
        vault.seal("+8613800000000"),
    )
    await scene.part(message, part=1, parts=2, carrier_id="c1", status=Status.DELIVERED)
    await scene.part(
        message,
        part=2,
        parts=2,
        status=Status.REJECTED,
        reason=Reason.CARRIER_REJECTED,
        error="0x0B",
    )
    reader = Messages(database.read, scene.registry, vault)
    view = await reader.message(ACCOUNT, message)
    assert view is not None
    assert (view.to, view.status, view.final) == ("+8613800000000", "rejected", True)
    assert (view.reason, view.error, view.connector) == ("carrier_rejected", "0x0B", "carrier-a")
    assert (view.detail, view.send_at) == (None, None)
    assert (view.parts, view.parts_delivered) == (2, 1)
    assert (view.tags, view.batch_id, view.client_ref) == (("x",), 5, "r")
    assert view.created_at <= datetime.now(UTC) < view.created_at + timedelta(hours=1)
    assert await reader.message(OTHER, message) is None
    found = await reader.events(ACCOUNT, message, TimelinePage(1))
    assert found is not None
    assert [event.kind for event in found.events].count("submitted") == 2
    assert "+8613800000000" not in repr(found)


async def test_a_part_that_was_submitted_again_is_what_its_best_result_says(scene: Scene) -> None:
    message = await scene.message()
    await scene.part(message, status=Status.UNCONFIRMED)
    assert await scene.status(message) is Status.UNCONFIRMED
    await scene.part(message, carrier_id="c2")
    assert await scene.status(message) is Status.SENT
    await scene.receipt("c2", Status.DELIVERED)
    assert await scene.status(message) is Status.DELIVERED


async def test_f1_more_clicks_than_a_page_holds_go_on_in_order(scene: Scene) -> None:
    message = await scene.message()
    await scene.part(message, carrier_id="c1")
    for number in range(7):
        scene.world.wait(seconds=0 if number % 2 else 1)  # also of one moment
        await scene.connection.execute(
            "INSERT INTO click VALUES ($1, 1, 0, $2, $3, '{}', 'GET', 'x', '192.0.2.0/24')",
            id_at(scene.world.now) + number,
            message,
            ClickClass.HUMAN,
        )
        if number == 3:
            scene.world.wait(seconds=1)
            event = Event(id_at(scene.world.now), message, "in_doubt", {})
            await append(scene.connection, [event])
    whole = [kind for kind, _ in await scene.timeline(message)]
    assert whole.count("click") == 7
    for size in (1, 2, 3, 7):
        kinds: list[str] = []
        after: int | None = None
        pages = 0
        while True:
            found = await read_timeline(
                scene.connection, scene.registry, ACCOUNT, message, TimelinePage(size, after)
            )
            assert found is not None
            kinds += [event.kind for event in found.events]
            pages += 1
            after = found.more_after
            if after is None:
                break
        assert kinds == whole
        assert pages == -(-7 // size)
