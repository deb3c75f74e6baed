"""Frequency caps over a real database: exact whoever counts, once per message, given back if not
sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from datetime import UTC, datetime
from typing import Any

import asyncpg
import msgspec
import pytest

from dispatch.holds import Hold
from dispatch.message import Ended, Later, ReadyMessage, StopVerdict
from dispatch.wire.intents import IntentWriter
from dispatch.wire.last_look import SuppressionLook
from dlr.in_doubt import GIVEN_UP
from dlr.ledger import SubmissionRow, insert_submissions
from dlr.reasons import Reason
from dlr.status import Status
from messages.models import Enough, GivenIds, IfCapped, Verdict
from messages.rules.cap_rules import NOBODY, CapRules, PersonCaps
from messages.rules.caps import CapsCheck, CapsLook
from recipients import frequency, preferences
from recipients.caps import DAY_MS, KEPT_MS, Caps, Rule, Ruled
from recipients.frequency import Number, Old
from recipients.preferences import Preference, Wish
from storage.categories import Category
from storage.pool import Connection
from tests.dispatch.world import CONNECTOR, World, running
from tests.messages.accept.world import ACCOUNT, accepting, prepared

NOW = 1_790_000_000_000
MARKETING = Category.MARKETING
CAPPED = Ended(Status.CAPPED, Reason.FREQUENCY_CAP, "frequency_cap", "as many as a day allows")


class Capping:
    """A gateway's intents with these caps, at a time of the test's own."""

    def __init__(
        self,
        world: World,
        caps: Caps,
        *,
        wishing: tuple[int, ...] = (),
        persons: PersonCaps = NOBODY,
    ) -> None:
        self.world = world
        self.now = NOW
        rules = CapRules({(1, MARKETING): caps}, wishing, persons)
        self.intents = IntentWriter(
            world.database.dedicated("caps"),
            term=world.term.term,
            looks=(SuppressionLook(), CapsLook(rules, lambda: self.now)),
        )

    async def verdicts(self, *messages: ReadyMessage) -> dict[int, StopVerdict]:
        [result] = await self.intents.commit(self.world.intent(messages))
        assert isinstance(result, dict), result
        return result

    def message(self, number: int = 1, **fields: Any) -> ReadyMessage:
        return self.world.message(MARKETING, to=f"+86138{number:08d}", **fields)


class InGroup:
    """A PersonCaps: these recipients are in a group with a cap."""

    def __init__(self, caps: Caps, members: Collection[bytes]) -> None:
        self.ruled = [Ruled(Rule.GROUP, caps, "vip")]
        self.members = members
        self.asked = 0

    def concerns(self, account: int) -> bool:
        return account == ACCOUNT

    async def of(
        self, connection: Connection, numbers: Collection[Number], old: Old
    ) -> Mapping[Number, list[Ruled]]:
        self.asked += 1
        assert all(category == MARKETING for _, category, _ in numbers)
        return {number: self.ruled for number in numbers if number[2] in self.members}


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with running(database_url) as world:
        yield world


async def test_two_gateways_that_send_at_once_never_both_send_the_last_one(
    world: World, database_url: str
) -> None:
    async with running(database_url) as other:
        gateways = [Capping(world, Caps(day=2)), Capping(other, Caps(day=2))]
        went: dict[bytes, int] = {}
        for _ in range(3):
            batches = [[each.message(number) for number in range(40)] for each in gateways]
            batches[1].reverse()
            answers = await asyncio.gather(
                *(each.verdicts(*batch) for each, batch in zip(gateways, batches, strict=True))
            )
            for batch, answer in zip(batches, answers, strict=True):
                for message in batch:
                    went[message.to_idx] = went.get(message.to_idx, 0) + (message.id not in answer)
                    assert answer.get(message.id, CAPPED) == CAPPED
        for each in gateways:
            await each.intents.close()
    assert set(went.values()) == {2}
    assert len(went) == 40


async def test_several_in_one_batch_count_in_order_and_other_categories_do_not(
    world: World,
) -> None:
    capping = Capping(world, Caps(day=1))
    first, second = capping.message(), capping.message()
    service = world.message(Category.SERVICE, to=first.to)
    assert await capping.verdicts(first, second, service) == {second.id: CAPPED}
    assert await world.count("frequency") == 1
    assert await world.intents_open() == [[first.id, service.id]]


async def test_a_message_sent_again_is_not_counted_again(world: World) -> None:
    capping = Capping(world, Caps(day=2))
    first, second, third = (capping.message() for _ in range(3))
    for _ in range(3):
        assert await capping.verdicts(first) == {}
    assert await capping.verdicts(second) == {}
    capping.now += 1000
    assert await capping.verdicts(first) == {}  # of another connector, after a crash, whenever
    assert await capping.verdicts(third) == {third.id: CAPPED}
    capping.now = NOW + DAY_MS
    assert await capping.verdicts(third) == {}  # the second one has left the day


async def test_a_count_whose_intent_was_not_committed_is_none(world: World) -> None:
    capping = Capping(world, Caps(day=1))
    first, second = capping.message(), capping.message()
    await world.connection.execute("ALTER TABLE submit_intent RENAME TO away")
    [failure] = await capping.intents.commit(world.intent([first]))
    assert isinstance(failure, asyncpg.UndefinedTableError)
    assert await world.count("frequency") == 0
    await world.connection.execute("ALTER TABLE away RENAME TO submit_intent")
    assert await capping.verdicts(second) == {}


async def test_within_the_gap_a_message_waits_unless_its_validity_ends(world: World) -> None:
    capping = Capping(world, Caps(gap_seconds=60))
    assert await capping.verdicts(capping.message()) == {}
    waits, ends = capping.message(), capping.message(expires_at=NOW + 60_000)
    verdicts = await capping.verdicts(waits, ends)
    assert verdicts[waits.id] == Later(NOW + 60_000, Hold.FREQUENCY_GAP)
    ended = verdicts[ends.id]
    assert isinstance(ended, Ended)
    assert (ended.status, ended.reason) == (Status.EXPIRED, Reason.FREQUENCY_CAP)
    capping.now = NOW + 60_000
    assert await capping.verdicts(waits) == {}


def result(message: ReadyMessage, world: World, **fields: Any) -> SubmissionRow:
    return SubmissionRow(
        **{
            "id": world.ids.next(),
            "message_id": message.id,
            "part": 1,
            "parts": 1,
            "account": 1,
            "category": message.category,
            "connector": CONNECTOR,
            **fields,
        }
    )


@pytest.mark.parametrize(
    ("fields", "given_back"),
    [
        ({"part": 0, "status": Status.SUPPRESSED}, True),
        ({"part": 0, "status": Status.EXPIRED}, True),
        ({"part": 0, "status": Status.CANCELED}, True),
        ({"part": 0, "status": Status.FAILED}, True),
        ({"part": 0, "status": Status.UNCONFIRMED}, False),  # stopped while it was in doubt
        ({"part": 0, "status": Status.DROPPED}, False),
        ({"status": Status.REJECTED, "error": "ESME_RINVDSTADR"}, True),
        ({"status": Status.SENT, "carrier_id": "a"}, False),
        ({"status": Status.UNDELIVERED, "carrier_id": "a"}, False),
        ({"status": Status.UNKNOWN}, False),  # taken without an id, and never heard of again
        ({"status": Status.UNCONFIRMED}, False),
        ({"status": Status.DROPPED, "error": "dropped"}, False),
        ({"status": Status.FAILED, "error": GIVEN_UP}, False),
        ({"status": Status.FAILED, "error": "cannot be packed"}, True),
        (None, False),  # waits, or is on the wire
    ],
)
async def test_what_was_never_sent_is_given_back(
    world: World, fields: dict[str, Any] | None, given_back: bool
) -> None:
    capping = Capping(world, Caps(day=1))
    first, second = capping.message(), capping.message()
    await world.store([first])
    assert await capping.verdicts(first) == {}
    if fields is not None:
        await insert_submissions(world.connection, [result(first, world, **fields)])
        await world.connection.execute("DELETE FROM outbox")
    assert await capping.verdicts(second) == ({} if given_back else {second.id: CAPPED})


async def test_a_message_of_which_one_part_went_was_sent(world: World) -> None:
    capping = Capping(world, Caps(day=1))
    first, second = capping.message(parts=2), capping.message()
    assert await capping.verdicts(first) == {}
    rows = [
        result(first, world, part=1, parts=2, status=Status.SENT, carrier_id="a"),
        result(first, world, part=2, parts=2, status=Status.REJECTED),
    ]
    await insert_submissions(world.connection, rows)
    assert await capping.verdicts(second) == {second.id: CAPPED}


async def test_what_no_cap_asks_for_is_forgotten(world: World) -> None:
    capping = Capping(world, Caps(month=1))
    await capping.verdicts(capping.message(1))
    capping.now += KEPT_MS // 2
    await capping.verdicts(capping.message(2))
    assert await frequency.purge(world.connection, NOW + KEPT_MS) == 0
    assert await frequency.purge(world.connection, NOW + KEPT_MS + 1) == 1
    assert await world.count("frequency") == 1


async def test_at_accept_who_has_enough_ends_at_once_and_the_gap_holds(
    database_url: str, world: World
) -> None:
    capping = Capping(world, Caps(day=1))
    gap = Category.SERVICE
    rules = CapRules({(ACCOUNT, MARKETING): Caps(day=1), (ACCOUNT, gap): Caps(gap_seconds=60)})
    checks = (CapsCheck(rules, lambda: NOW + 1000),)
    messages = [prepared(number, category) for number in (1, 2) for category in (MARKETING, gap)]
    await capping.verdicts(capping.message(1))
    async with accepting(database_url, checks=checks) as accept:
        index = capping.message(1).to_idx
        number = (ACCOUNT, int(gap), index)
        sends = await frequency.lock(accept.connection, [number])
        sends[number].count(1, NOW)
        await frequency.write(accept.connection, sends)
        verdicts = await accept.accepter.accept(messages, batch_id=None)
        assert [getattr(verdict, "status", None) for verdict in verdicts] == [
            "capped", "held", "accepted", "accepted"
        ]  # fmt: skip
        assert getattr(verdicts[0], "reason", None) == "frequency_cap"
        holds = [row["hold"] for row in (await accept.outbox()).values()]
        assert holds == [Hold.FREQUENCY_GAP, Hold.NONE, Hold.NONE]
        assert accept.accepter.decisions == {
            ("frequency_cap", "capped"): 1,
            ("frequency_gap", "held"): 1,
        }
        assert await accept.connection.fetchval("SELECT count(*) FROM frequency") == 2


async def test_a_person_who_wishes_for_fewer_gets_fewer_and_others_what_the_cap_allows(
    world: World, database_url: str
) -> None:
    """With a cap of the account's and without: the lower of both holds, for who said so."""
    number = (ACCOUNT, int(MARKETING), Capping(world, Caps()).message(1).to_idx)
    wish = Preference(
        number=number, to_enc=b"", wish=Wish(2), message_id=1, updated_at=datetime.now(UTC)
    )
    for caps, others in ((Caps(), 5), (Caps(month=3), 3), (Caps(month=1), 1)):
        await world.connection.execute("TRUNCATE frequency, preference")
        capping = Capping(world, caps, wishing=(ACCOUNT,))
        await preferences.put(world.connection, wish)
        went = {1: 0, 2: 0}
        for recipient in (1, 2) * 5:
            message = capping.message(recipient)
            stopped = (await capping.verdicts(message)).get(message.id)
            went[recipient] += stopped is None
            if recipient == 1 and others > 2 and stopped is not None:
                assert isinstance(stopped, Ended)
                assert stopped.error == "as many as the recipient wishes in a month"
        assert went == {1: min(2, others), 2: others}
        await capping.intents.close()
    checks = (CapsCheck(CapRules({}, (ACCOUNT,)), lambda: NOW + 1000),)
    capping = Capping(world, Caps(), wishing=(ACCOUNT,))
    await preferences.put(world.connection, msgspec.structs.replace(wish, wish=Wish(1)))
    await capping.verdicts(capping.message(1), capping.message(2))
    await capping.intents.close()
    async with accepting(database_url, checks=checks) as accept:
        messages = [prepared(number, MARKETING) for number in (1, 2)]
        verdicts = await accept.accepter.accept(messages, batch_id=None)
        assert [getattr(each, "status", None) for each in verdicts] == ["capped", "accepted"]


async def test_where_an_account_does_not_ask_a_wish_is_none(world: World) -> None:
    capping = Capping(world, Caps(month=3))
    number = (ACCOUNT, int(MARKETING), capping.message(1).to_idx)
    wish = Preference(
        number=number, to_enc=b"", wish=Wish(1), message_id=1, updated_at=datetime.now(UTC)
    )
    await preferences.put(world.connection, wish)
    batch = [capping.message(1) for _ in range(3)]
    assert await capping.verdicts(*batch) == {}
    await preferences.drop(world.connection, number)
    assert await preferences.wishes(world.connection, [number]) == {}
    await capping.intents.close()


async def test_a_groups_cap_is_exact_between_two_gateways_and_asked_once_a_batch(
    world: World, database_url: str
) -> None:
    """Who is in the group gets one, who is not gets all; other categories are not asked about."""
    async with running(database_url) as other:
        members = {Capping(world, Caps()).message(number).to_idx for number in range(20)}
        groups = [InGroup(Caps(day=1), members) for _ in range(2)]
        gateways = [
            Capping(each, Caps(), persons=group)
            for each, group in zip((world, other), groups, strict=True)
        ]
        batches = [[each.message(number) for number in range(40)] for each in gateways]
        batches[1].reverse()
        answers = await asyncio.gather(
            *(each.verdicts(*batch) for each, batch in zip(gateways, batches, strict=True))
        )
        service = world.message(Category.SERVICE, to="+8613800000001")
        assert await gateways[0].verdicts(service) == {}
        assert [group.asked for group in groups] == [1, 1]
        for each in gateways:
            await each.intents.close()
    stopped = [
        (message.to_idx, answer[message.id])
        for batch, answer in zip(batches, answers, strict=True)
        for message in batch
        if message.id in answer
    ]
    why = "as many as a day allows in the group vip"
    told = Ended(Status.CAPPED, Reason.FREQUENCY_CAP, "group_cap", why)
    assert sorted(to_idx for to_idx, _ in stopped) == sorted(members)
    assert all(verdict == told for _, verdict in stopped)


async def test_who_is_to_be_skipped_leaves_no_row_and_a_repeat_asks_about_nobody_it_has_stored(
    world: World, database_url: str
) -> None:
    capping = Capping(world, Caps(day=1))
    first, second, third = (prepared(number, MARKETING) for number in (1, 2, 3))
    await capping.verdicts(capping.message(1))
    checks = (CapsCheck(CapRules({(ACCOUNT, MARKETING): Caps(day=1)}), lambda: NOW + 1000),)
    async with accepting(database_url, checks=checks) as accept:
        ids = list(world.ids.take(3))
        given = GivenIds(ids, if_capped=IfCapped.SKIP)
        verdicts = await accept.accepter.accept([first, second, third], batch_id=None, ids=given)
        why = "as many as a day allows"
        assert verdicts[0] == Enough("capped", why, rule="frequency_cap")
        assert [each.status for each in verdicts[1:] if isinstance(each, Verdict)] == [
            "accepted"
        ] * 2
        assert list(await accept.messages()) == ids[1:]
        assert await accept.count("submission") == 0
        assert accept.accepter.decisions == {("frequency_cap", "capped"): 1}
        # By now the second one's own message is counted: it would refuse another.
        sends = await frequency.lock(accept.connection, [(ACCOUNT, 3, capping.message(2).to_idx)])
        for each in sends.values():
            each.count(ids[1], NOW)
        await frequency.write(accept.connection, sends)
        again = GivenIds(ids, again=True, if_capped=IfCapped.SKIP)
        repeated = await accept.accepter.accept([first, second, third], batch_id=None, ids=again)
        assert [getattr(each, "status", "skipped") for each in repeated] == [
            "skipped", "accepted", "accepted"
        ]  # fmt: skip
        assert len(await accept.messages()) == 2
