"""Messages in doubt: sent again or given up, and what a late receipt still says about them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dispatch.outbox import claims
from dlr.ledger import SubmissionRow, apply_receipts, insert_submissions
from dlr.receipt_rows import ReceiptRow
from dlr.report import Span, message_counts
from dlr.status import Status
from messages.control.doubts import Resolver
from messages.models import Verdict
from messages.reading.timeline import TimelinePage, read_message, read_timeline
from storage.ids import IdSource, id_at
from storage.names import Registry
from tests.messages.accept.world import ACCOUNT, CONNECTOR, World, accepting, prepared, wall_ms

REGISTRY = Registry({}, {"carrier-a": CONNECTOR})
OTHER_CONNECTOR = 8
KEY = 3


class Scene:
    def __init__(self, world: World) -> None:
        self.world = world
        self.ids = IdSource(5, wall_ms)
        self.backlogs: list[tuple[int, int]] = []
        self.resolver = self.another()

    def another(self) -> Resolver:
        return Resolver(
            self.world.database.dedicated("resolve"),
            ids=self.ids,
            backlog=lambda *key: self.backlogs.append(key),
            wall_ms=wall_ms,
        )

    async def in_doubt(self, parts: int = 1, sent: int = 0, **fields: Any) -> int:
        """A message of so many parts; those above `sent` are in doubt."""
        [answer] = await self.world.accepter.accept(
            [prepared(1, parts=parts, **fields)], batch_id=77
        )
        assert isinstance(answer, Verdict)
        await self.world.connection.execute("DELETE FROM outbox WHERE id = $1", answer.id)
        for part in range(1, parts + 1):
            status = Status.SENT if part <= sent else Status.UNCONFIRMED
            await self.part(answer.id, part, parts, status)
        return answer.id

    async def part(
        self, message: int, part: int, parts: int, status: Status, connector: int = OTHER_CONNECTOR
    ) -> int:
        row = SubmissionRow(
            id=self.ids.next(), message_id=message, part=part, parts=parts, account=ACCOUNT,
            category=1, connector=connector, status=status, submitted_at=datetime.now(UTC),
        )  # fmt: skip
        await insert_submissions(self.world.connection, [row])
        return row.id

    async def receipt(self, submission: int, status: Status) -> bool:
        row = ReceiptRow(
            connector=OTHER_CONNECTOR, carrier_id="c", submission_id=submission, status=status,
            reason=0, error=None, done_at=None, received_at=datetime.now(UTC),
        )  # fmt: skip
        [applied] = await apply_receipts(self.world.connection, [row], self.ids)
        return applied.changed

    async def resolve(self, action: str, *messages: int) -> list[str]:
        found = await self.resolver.resolve(ACCOUNT, KEY, action, messages)
        assert [each.id for each in found] == list(dict.fromkeys(messages))
        return [each.result for each in found]

    async def status(self, message: int) -> str:
        record = await read_message(self.world.connection, REGISTRY, ACCOUNT, message)
        assert record is not None
        return record.status.label

    async def counts(self) -> dict[str, int]:
        now = datetime.now(UTC)
        day = timedelta(days=1)
        span = Span(id_at(now - day), id_at(now + day), account=ACCOUNT)
        counts = (await message_counts(self.world.connection, span))[()]
        return {name: number for name, number in counts.items() if number}

    async def submissions(self, message: int) -> list[int]:
        rows = await self.world.connection.fetch(
            "SELECT id FROM submission WHERE message_id = $1 ORDER BY id", message
        )
        return [row["id"] for row in rows]


@pytest.fixture
async def scene(database_url: str) -> AsyncIterator[Scene]:
    async with accepting(database_url) as world:
        yield Scene(world)


async def test_a_message_that_is_resent_waits_again_and_its_new_submit_decides(
    scene: Scene,
) -> None:
    message = await scene.in_doubt()
    assert await scene.resolve("resend", message) == ["resent"]
    row = (await scene.world.outbox())[message]
    assert (row["owner"], row["connector"], row["attempt"]) == (0, OTHER_CONNECTOR, 0)
    assert (row["not_before"], row["batch_id"], row["parts"]) == (None, 77, 1)
    assert row["in_doubt"]
    assert scene.backlogs == [(OTHER_CONNECTOR, 1)]
    assert await scene.status(message) == "queued"
    assert await scene.resolve("resend", message) == ["not_unconfirmed"]
    await scene.world.connection.execute("DELETE FROM outbox")
    second = await scene.part(message, 1, 1, Status.SENT)
    assert await scene.status(message) == "sent"
    await scene.receipt(second, Status.UNDELIVERED)
    assert await scene.status(message) == "undelivered"
    assert await scene.counts() == {"accepted": 1, "sent": 1, "undelivered": 1}
    first = (await scene.submissions(message))[0]
    assert await scene.receipt(first, Status.DELIVERED)  # it had been sent after all
    assert await scene.status(message) == "delivered"
    assert await scene.counts() == {"accepted": 1, "sent": 1, "delivered": 1}


async def test_a_message_that_is_dropped_has_failed_until_a_receipt_says_otherwise(
    scene: Scene,
) -> None:
    message = await scene.in_doubt(parts=2, sent=1)
    assert await scene.resolve("drop", message, message) == ["dropped"]
    assert await scene.world.outbox() == {}
    one, two = await scene.submissions(message)
    assert await scene.status(message) == "failed"  # although its first part may arrive
    await scene.receipt(one, Status.DELIVERED)
    record = await read_message(scene.world.connection, REGISTRY, ACCOUNT, message)
    assert record is not None
    assert record.deciding is not None
    assert (record.status.label, record.status.final) == ("failed", True)
    assert record.deciding.error == "dropped"
    assert await scene.counts() == {"accepted": 1, "sent": 1, "failed": 1}
    assert not await scene.receipt(two, Status.SENT)
    assert await scene.receipt(two, Status.DELIVERED)
    assert await scene.status(message) == "delivered"


async def test_only_the_parts_in_doubt_are_submitted_again(scene: Scene) -> None:
    """Those that have a result keep it (E79)."""
    message = await scene.in_doubt(parts=3, sent=1)
    done = "SELECT part FROM submission WHERE message_id = $1 AND part > 0"
    query = parts_done_query()
    rows = await scene.world.connection.fetch(query, [message], message)
    assert [row["part"] for row in rows] == [1, 2, 3]  # nobody has asked for them again
    await scene.resolve("resend", message)
    rows = await scene.world.connection.fetch(query, [message], message)
    assert [row["part"] for row in rows] == [1]
    assert len(await scene.world.connection.fetch(done, message)) == 3


def parts_done_query() -> str:
    return claims._SQL["parts_done"]


async def test_what_is_not_in_doubt_is_left_alone_and_said(scene: Scene) -> None:
    doubtful = await scene.in_doubt()
    ended = int((datetime.now(UTC) - timedelta(minutes=1)).timestamp() * 1000)
    expired = await scene.in_doubt(expires_at=ended)
    [queued] = await scene.world.accepter.accept([prepared(2)], batch_id=None)
    assert isinstance(queued, Verdict)
    messages = (expired, queued.id, 12345, doubtful)
    results = ["expired", "not_unconfirmed", "not_found", "resent"]
    assert await scene.resolve("resend", *messages) == results
    assert await scene.resolve("drop", expired) == ["dropped"]
    [other] = await scene.resolver.resolve(ACCOUNT + 1, KEY, "drop", [doubtful])
    assert other.result == "not_found"


async def test_two_who_resolve_at_once_send_it_once(scene: Scene) -> None:
    message = await scene.in_doubt()
    second = scene.another()
    found = await asyncio.gather(
        *(each.resolve(ACCOUNT, KEY, "resend", [message]) for each in (scene.resolver, second))
    )
    assert sorted(each[0].result for each in found) == ["not_unconfirmed", "resent"]


async def test_the_decision_is_on_the_timeline_and_in_the_audit(scene: Scene) -> None:
    message = await scene.in_doubt()
    await scene.resolve("drop", message)
    timeline = await read_timeline(
        scene.world.connection, REGISTRY, ACCOUNT, message, TimelinePage(10)
    )
    assert timeline is not None
    assert [dict(each.detail) for each in timeline.events if each.kind == "resolved"] == [
        {"action": "drop"}
    ]
    row = await scene.world.connection.fetchrow("SELECT * FROM audit")
    assert row is not None
    assert (row["account"], row["actor"], row["action"]) == (ACCOUNT, "key 3", "message.drop")
    assert row["detail"] == {"messages": 1, "first": message, "last": message}
