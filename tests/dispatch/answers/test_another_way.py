"""What a carrier could not deliver goes by another connector of its route, where that may help."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Any

import pytest

from dispatch.answers import recorder as recorder_module
from dispatch.answers.another_way import Fit, Submit, fit
from dispatch.answers.records import MessageDone, PartResult, StateLearned
from dispatch.holds import Hold
from dispatch.message import Ended, ReadyMessage
from dispatch.outbox.ways import WayLook
from dlr.codes import NONE_NAMED
from dlr.connector_groups import ConnectorGroups
from dlr.ledger import SubmissionRow
from dlr.reasons import Reason
from dlr.status import Status
from dlr.webhooks.changes import LOOK
from storage.categories import Category
from storage.names import NO_CONNECTOR
from tests.dispatch.told import told_messages
from tests.dispatch.world import CONNECTOR, World, running
from tests.integration.database_proxy import database_proxy

OTHER, THIRD = CONNECTOR + 1, CONNECTOR + 2
ROUTE = (CONNECTOR, OTHER, THIRD)
OFF, NOBODY = "MK:0010", "MK:0001"  # a handset that is off; a number that nobody has


def untried(tried: Collection[int], *_about: object) -> int:
    return next((each for each in ROUTE if each not in tried), NO_CONNECTOR)


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with running(database_url, untried=untried) as world:
        yield world


def submit(
    world: World, message: ReadyMessage, part: int, *, connector: int = CONNECTOR, way: int = 0
) -> SubmissionRow:
    """A part that the connector took."""
    return SubmissionRow(
        id=world.ids.next(),
        message_id=message.id,
        part=part,
        parts=message.parts,
        account=1,
        category=message.category,
        connector=connector,
        status=Status.SENT,
        carrier_id=f"{message.id}-{connector}-{part}",
        way=way,
    )


async def sent(
    world: World,
    *,
    connector: int = CONNECTOR,
    way: int = 0,
    message: ReadyMessage | None = None,
    **fields: Any,
) -> tuple[ReadyMessage, list[SubmissionRow]]:
    """A message of which a connector took every part."""
    if message is None:
        message = world.message(fields.pop("category", Category.MARKETING), **fields)
        await world.store([message])
    parts = range(1, message.parts + 1)
    rows = [submit(world, message, part, connector=connector, way=way) for part in parts]
    done = MessageDone(message.id, None, rows=(rows[-1],))
    await world.recorder.commits.submit([*map(PartResult, rows[:-1]), done])
    return message, rows


async def told(
    world: World, row: SubmissionRow, status: Status = Status.UNDELIVERED, error: str = OFF
) -> None:
    """The carrier's receipt about a part."""
    receipt = world.receipt(
        row.carrier_id or "", status, connector=row.connector, error=error,
        reason=Reason.HANDSET_UNREACHABLE if status != Status.DELIVERED else 0,
    )  # fmt: skip
    await world.recorder.commits.submit([StateLearned(receipt)])


def quicker_than_its_answer(
    world: World, message: ReadyMessage
) -> tuple[MessageDone, StateLearned]:
    """A submit's result, and its failing receipt of the same flush."""
    row = SubmissionRow(
        id=world.ids.next(), message_id=message.id, part=1, parts=1, account=1,
        category=message.category, connector=CONNECTOR, status=Status.SENT, carrier_id="early",
    )  # fmt: skip
    receipt = world.receipt("early", Status.EXPIRED, submission_id=row.id, certain=True)
    return MessageDone(message.id, None, rows=(row,)), StateLearned(receipt)


async def ways(world: World) -> dict[int, tuple[int, int, list[int]]]:
    """What waits: message -> (connector, way, connectors of the ways before)."""
    return {
        message: (row["connector"], row["way"], row["tried"])
        for message, row in (await world.outbox()).items()
    }


async def counting(world: World) -> dict[int, list[tuple[int, Status]]]:
    rows = await world.connection.fetch(
        "SELECT message_id, connector, status FROM submission WHERE NOT replaced ORDER BY id"
    )
    found: dict[int, list[tuple[int, Status]]] = {}
    for row in rows:
        found.setdefault(row["message_id"], []).append((row["connector"], Status(row["status"])))
    return found


async def told_to_webhooks(world: World) -> list[Status]:
    """Statuses of messages of one part, in the order in which they are told. Of a message that went
    another way it is what its rows say, told once.
    """
    found: list[Status] = []
    for change in await told_messages(world.connection):
        if change.status != LOOK:
            found.append(Status(change.status))
            continue
        for _, status in (await counting(world)).get(change.message, []):
            if status not in found:
                found.append(status)
    return found


async def test_what_one_carrier_could_not_deliver_goes_by_the_next(world: World) -> None:
    message, (row,) = await sent(world)
    await told(world, row)
    assert await ways(world) == {message.id: (OTHER, 1, [CONNECTOR])}
    ((kind, detail),) = await world.events(message.id)
    assert kind == "another_way"
    assert detail == {
        "from": CONNECTOR, "to": OTHER, "reason": "handset_unreachable", "carrier_code": OFF,
    }  # fmt: skip
    assert (await world.outbox())[message.id]["hold"] == Hold.RETRY
    assert await counting(world) == {}  # what the first one said is kept, and does not count
    assert await told_to_webhooks(world) == [Status.SENT]
    assert world.another_way is not None
    assert dict(world.another_way.begun) == {Reason.HANDSET_UNREACHABLE: 1}


async def test_each_connector_is_tried_once_and_the_last_one_s_word_is_told(world: World) -> None:
    message, (row,) = await sent(world)
    for way, connector in enumerate(ROUTE[1:], 1):
        await told(world, row)
        assert (await ways(world))[message.id] == (connector, way, list(ROUTE[:way]))
        _, (row,) = await sent(world, message=message, connector=connector, way=way)
        assert await counting(world) == {message.id: [(connector, Status.SENT)]}
    await told(world, row)
    assert await ways(world) == {}
    assert await counting(world) == {message.id: [(THIRD, Status.UNDELIVERED)]}
    assert (await told_to_webhooks(world))[-1] is Status.UNDELIVERED
    assert (await told_to_webhooks(world)).count(Status.UNDELIVERED) == 1


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (Status.UNDELIVERED, NOBODY),
        (Status.UNDELIVERED, "MK:0000"),  # ambiguous
        (Status.UNDELIVERED, "000"),
        (Status.REJECTED, "000"),
        (Status.EXPIRED, NOBODY),
        (Status.UNKNOWN, OFF),
        (Status.DELIVERED, "000"),
    ],
)
async def test_what_would_fail_everywhere_is_not_tried_again(
    world: World, status: Status, error: str
) -> None:
    message, (row,) = await sent(world)
    await told(world, row, status, error)
    assert await ways(world) == {}
    assert await counting(world) == {message.id: [(CONNECTOR, status)]}
    assert (await told_to_webhooks(world))[-1] is status


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE message SET expires_at = now() - interval '1 second'",
        "UPDATE message SET to_enc = ''",
        "UPDATE message SET text = ''",
        "UPDATE message SET connector = -1",
        "INSERT INTO event (id, message_id, kind) SELECT id, id, 'in_doubt' FROM message",
        "UPDATE submission SET status = 5, carrier_id = NULL WHERE part = 2",
        "UPDATE message SET batch_id = 5; INSERT INTO batch_control (id, account, until_id, state)"
        " VALUES (5, 1, 6, 2)",
    ],
    ids=["expired", "erased", "no text", "sandbox", "doubt", "part in doubt", "batch canceled"],
)
async def test_what_may_not_be_sent_any_more_stays_as_it_is(world: World, change: str) -> None:
    message, rows = await sent(world, parts=2)
    await world.connection.execute(change)
    for row in rows:
        await told(world, row, Status.EXPIRED, "000")
    assert message.id not in await ways(world)


async def test_a_category_that_is_not_configured_stays_as_it_is(world: World) -> None:
    _, (row,) = await sent(world, category=Category.OTP)
    await told(world, row)
    assert await ways(world) == {}


async def test_a_connector_that_refused_the_message_counts_as_tried(world: World) -> None:
    message, (row,) = await sent(world)
    await world.connection.execute(
        "INSERT INTO event (id, message_id, kind, detail) VALUES ($1, $2, 'retry', $3)",
        world.ids.next(), message.id, {"connector": OTHER},
    )  # fmt: skip
    await told(world, row)
    assert await ways(world) == {message.id: (THIRD, 1, [CONNECTOR, OTHER])}


async def test_a_message_of_several_parts_waits_until_all_have_failed(world: World) -> None:
    message, (first, second) = await sent(world, parts=2)
    await told(world, first)
    assert await ways(world) == {}
    changes = await world.count("webhook_change")
    await told(world, second)
    assert (await ways(world))[message.id] == (OTHER, 1, [CONNECTOR])
    assert await world.count("webhook_change") == changes  # neither failure was told


async def test_a_part_that_failed_before_the_others_were_answered_is_not_told_yet(
    world: World,
) -> None:
    """Its message is still at its first connector, so its row in the outbox is no further way."""
    message = world.message(Category.MARKETING, parts=2)
    await world.store([message])
    first, second = (submit(world, message, part) for part in (1, 2))
    await world.recorder.commits.submit([PartResult(first)])
    changes = await world.count("webhook_change")
    await told(world, first)
    assert await world.count("webhook_change") == changes
    await world.recorder.commits.submit([MessageDone(message.id, None, rows=(second,))])
    assert await ways(world) == {}
    changes = await world.count("webhook_change")
    await told(world, second)
    assert (await ways(world))[message.id] == (OTHER, 1, [CONNECTOR])
    assert await world.count("webhook_change") == changes


async def test_one_receipt_for_all_parts_may_come_before_the_last_answer(world: World) -> None:
    world.recorder.groups = ConnectorGroups(receipts_per_message=frozenset({CONNECTOR}))
    message = world.message(Category.MARKETING, parts=2)
    await world.store([message])
    first, second = (submit(world, message, part) for part in (1, 2))
    await world.recorder.commits.submit([PartResult(first)])
    await told(world, first)
    changes = await world.count("webhook_change")
    await world.recorder.commits.submit([MessageDone(message.id, None, rows=(second,))])
    assert (await ways(world))[message.id] == (OTHER, 1, [CONNECTOR])
    assert await world.count("webhook_change") == changes


@pytest.mark.parametrize("said", [Status.DELIVERED, Status.REJECTED])
async def test_a_part_that_was_delivered_or_failed_for_good_keeps_the_message(
    world: World, said: Status
) -> None:
    message, (first, second) = await sent(world, parts=2)
    await told(world, first)
    await told(world, second, said, "000")
    assert await ways(world) == {}
    assert len((await counting(world))[message.id]) == 2


async def test_a_receipt_that_was_quicker_than_its_answer_counts_too(world: World) -> None:
    message = world.message(Category.MARKETING)
    await world.store([message])
    done, receipt = quicker_than_its_answer(world, message)
    await world.recorder.commits.submit([receipt, done])
    assert await ways(world) == {message.id: (OTHER, 1, [CONNECTOR])}


@pytest.mark.parametrize("claimed", [False, True])
async def test_a_way_begun_in_a_commit_without_an_answer_stays(
    database_url: str, monkeypatch: pytest.MonkeyPatch, claimed: bool
) -> None:
    """The same flush ended the way before. When it is repeated, the new row is not that one; nor is
    it when this process has claimed it meanwhile.
    """
    monkeypatch.setattr(recorder_module, "RETRY_SECONDS", 0.01)
    async with (
        database_proxy(database_url) as proxy,
        running(database_url, through=proxy.url, untried=untried) as world,
    ):
        message, other = world.messages(2, Category.MARKETING)
        await world.store([message, other])
        owner = world.term.term if claimed else 0
        await world.connection.execute(
            "CREATE FUNCTION claim() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN NEW.owner := {owner}; RETURN NEW; END $$"
        )
        await world.connection.execute(
            "CREATE TRIGGER claim BEFORE INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION claim()"
        )
        done, receipt = quicker_than_its_answer(world, message)
        proxy.arm("record", asked=rb"COMMIT")
        await world.recorder.commits.submit([receipt, done, MessageDone(other.id, None)])
        assert world.recorder.commits.flush_failures == 1
        assert await ways(world) == {message.id: (OTHER, 1, [CONNECTOR])}
        assert [kind for kind, _ in await world.events(message.id)] == ["another_way"]


async def test_a_flush_that_never_was_ends_its_messages_when_it_is_repeated(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "RETRY_SECONDS", 0.01)
    async with (
        database_proxy(database_url) as proxy,
        running(database_url, through=proxy.url, untried=untried) as world,
    ):
        message = world.message(Category.MARKETING)
        await world.store([message])
        await world.connection.execute("UPDATE outbox SET way = 1")
        proxy.arm("record", asked=rb"COMMIT", before=True)
        await world.recorder.commits.submit([MessageDone(message.id, None, way=1)])
        assert world.recorder.commits.flush_failures == 1
        assert await world.outbox() == {}


async def test_g40_a_late_delivery_by_the_first_way_counts_once_and_ends_the_wait(
    world: World,
) -> None:
    message, (row,) = await sent(world)
    await told(world, row)
    await told(world, row, Status.DELIVERED)
    assert await ways(world) == {}
    assert await counting(world) == {message.id: [(CONNECTOR, Status.DELIVERED)]}
    assert [kind for kind, _ in await world.events(message.id)] == [
        "another_way", "another_way_ended",
    ]  # fmt: skip
    assert (await told_to_webhooks(world))[-1] is Status.DELIVERED


@pytest.mark.parametrize("first", [True, False], ids=["the first is quicker", "the second is"])
async def test_g40_both_ways_deliver_and_one_counts(world: World, first: bool) -> None:
    message, (row,) = await sent(world)
    await told(world, row)
    _, (again,) = await sent(world, message=message, connector=OTHER, way=1)
    for each in (row, again) if first else (again, row):
        await told(world, each, Status.DELIVERED)
    assert await counting(world) == {message.id: [(CONNECTOR, Status.DELIVERED)]}
    assert await world.connection.fetchval(
        "SELECT count(*) FROM submission WHERE status = $1", Status.DELIVERED
    ) == 2  # fmt: skip


async def test_a_late_delivery_counts_against_a_failure_of_the_next_way(world: World) -> None:
    message, (row,) = await sent(world)
    await told(world, row)
    _, (again,) = await sent(world, message=message, connector=OTHER, way=1)
    await told(world, row, Status.DELIVERED)
    await told(world, again)
    assert await ways(world) == {}
    assert await counting(world) == {message.id: [(CONNECTOR, Status.DELIVERED)]}
    assert Status.UNDELIVERED not in await told_to_webhooks(world)


async def test_a_receipt_that_is_repeated_begins_nothing(world: World) -> None:
    message, (row,) = await sent(world)
    await told(world, row)
    await told(world, row)
    await told(world, row, Status.UNDELIVERED, NOBODY)
    assert await ways(world) == {message.id: (OTHER, 1, [CONNECTOR])}
    assert len(await world.events(message.id)) == 1


async def test_a_failure_that_was_told_stays_one(world: World) -> None:
    """A carrier that says another reason afterwards does not make the message wait again."""
    message, (row,) = await sent(world)
    await told(world, row, Status.EXPIRED, NOBODY)
    await told(world, row, Status.UNDELIVERED, OFF)
    assert await ways(world) == {}
    assert await counting(world) == {message.id: [(CONNECTOR, Status.UNDELIVERED)]}


async def test_the_last_look_ends_a_way_that_is_needed_no_more(world: World) -> None:
    message, (row,) = await sent(world)
    fresh = world.message(Category.MARKETING)
    await told(world, row)
    await world.connection.execute("UPDATE outbox SET owner = $1", world.term.term)
    message.way = 1
    look = WayLook()
    assert not look.asks([fresh])
    assert look.asks([fresh, message])
    assert await look.decide(world.connection, [fresh, message]) == {}
    await told(world, row, Status.DELIVERED)
    assert await ways(world) != {}  # it is in memory
    verdicts = await look.decide(world.connection, [fresh, message])
    assert verdicts == {message.id: Ended(Status.DELIVERED, Reason.NONE, "another_way")}


def submits(*said: Mapping[str, Any]) -> Sequence[Submit]:
    usual = {
        "part": 1, "parts": 1, "connector": CONNECTOR, "status": Status.UNDELIVERED, "reason": 0,
        "error": OFF, "way": 0, "replaced": False, "told": True,
    }  # fmt: skip
    return [Submit(**{**usual, **each}) for each in said]


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ([{}], Fit.YES),
        ([{"status": Status.EXPIRED, "error": None}], Fit.YES),
        ([], Fit.NO),
        ([{"told": False}], Fit.NO),  # refused by the answer: that has its own attempts
        ([{"parts": 2}], Fit.NOT_YET),
        (
            [{"parts": 2}, {"parts": 2, "part": 2, "status": Status.SENT, "told": False}],
            Fit.NOT_YET,
        ),
        ([{"parts": 2}, {"parts": 2, "part": 2, "told": False}], Fit.YES),
        ([{"parts": 2}, {"parts": 2, "part": 2, "error": NOBODY}], Fit.NO),
        ([{"parts": 2}, {"parts": 2, "part": 2, "status": Status.UNKNOWN}], Fit.NO),
        ([{}, {"status": Status.UNCONFIRMED, "error": "resent"}], Fit.NO),
        ([{}, {"status": Status.DROPPED}], Fit.NO),
        ([{}, {"part": 0, "status": Status.CANCELED}], Fit.NO),
        ([{"replaced": True}, {"way": 1, "connector": OTHER}], Fit.YES),
        ([{"replaced": True, "status": Status.DELIVERED}, {"way": 1}], Fit.NO),
    ],
)
def test_which_messages_may_go_another_way(said: list[dict[str, Any]], wanted: Fit) -> None:
    assert fit(submits(*said), NONE_NAMED) is wanted
