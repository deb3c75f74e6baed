"""One connector between ready queue and carrier, over real sockets and a real database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import pytest

from dispatch.answers import recorder
from dispatch.holds import Hold
from dispatch.message import Later, ReadyMessage, StopVerdict
from dispatch.wire import encoder, planner
from dispatch.wire.connector_dispatch import ConnectorDispatch
from dispatch.wire.encoder import Encoded, encode_message
from dispatch.wire.wire_profile import WireProfile
from dlr.reasons import Reason
from dlr.status import Status
from ratelimit.spec import parse_rate
from smpp.pdu import DeliverSm, SubmitSm
from smpp.vocabulary import ESME_RTHROTTLED
from storage import group_commit
from storage.categories import Category
from storage.pool import Connection
from storage.suppression import Suppression, add
from tests.dispatch.on_the_wire import (
    Carrier,
    carrier_id,
    part_of,
    push,
    say_nothing,
    sending,
    text_of,
)
from tests.dispatch.world import CONNECTOR, SecondLook, World, running, wall_ms
from tests.smpp.recording import Watched, eventually

TRANSACTIONAL, MARKETING, OTP = Category.TRANSACTIONAL, Category.MARKETING, Category.OTP
ESME_RINVDSTADR = 0x0B


@pytest.fixture
async def world(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(planner, "INTENT_RETRY_NS", 20_000_000)
    async with running(database_url) as world:
        yield world


def named(world: World, count: int, category: Category = TRANSACTIONAL) -> list[ReadyMessage]:
    """Messages whose texts are their numbers."""
    return [world.message(category, text=f"m{number}") for number in range(count)]


async def send(world: World, dispatch: ConnectorDispatch, messages: Sequence[ReadyMessage]) -> None:
    await world.store(messages)
    push(dispatch, messages)


async def settled(world: World) -> None:
    """Until nothing stands in an intent any more."""
    await world.until("SELECT count(*) FROM submit_intent", 0)
    await world.recorder.commits.drain()


def texts(messages: Sequence[ReadyMessage]) -> list[str]:
    return [message.text for message in messages]


class PutOff:
    """A last look that puts some messages off."""

    def __init__(self, verdicts: Mapping[int, StopVerdict]) -> None:
        self.verdicts = verdicts

    def asks(self, messages: Sequence[ReadyMessage]) -> bool:
        return bool(self.verdicts)

    async def decide(
        self, connection: Connection, messages: Sequence[ReadyMessage]
    ) -> Mapping[int, StopVerdict]:
        return {m.id: self.verdicts[m.id] for m in messages if m.id in self.verdicts}


async def test_what_may_not_go_yet_waits_in_the_outbox_for_its_moment(world: World) -> None:
    first, second, third = messages = named(world, 3)
    tomorrow = wall_ms() + 86_400_000
    world.intents.looks = (  # as the composition root gives them
        PutOff({first.id: Later(tomorrow, Hold.QUIET_HOURS), third.id: Later(None, Hold.PAUSED)}),
    )
    carrier = Carrier()
    async with sending(world, carrier) as dispatch:
        await send(world, dispatch, messages)
        await carrier.came(1)
        await settled(world)
    assert carrier.texts == ["m1"]
    outbox = await world.outbox()
    assert set(outbox) == {first.id, third.id}
    assert {(row["owner"], row["attempt"]) for row in outbox.values()} == {(0, 0)}
    assert outbox[first.id]["hold"] == Hold.QUIET_HOURS
    assert outbox[first.id]["not_before"].timestamp() * 1000 == pytest.approx(tomorrow)
    assert (outbox[third.id]["hold"], outbox[third.id]["not_before"].year) == (Hold.PAUSED, 9999)
    [(kind, detail)] = await world.events(first.id)
    assert (kind, detail["rule"]) == ("held", "quiet_hours")
    assert set(await world.results()) == {(second.id, 1)}


async def test_messages_go_and_their_results_come_back(world: World) -> None:
    messages = named(world, 50)
    carrier = Carrier(lambda pdu: ESME_RINVDSTADR if text_of(pdu) == "m7" else 0)
    async with sending(world, carrier) as dispatch:
        await send(world, dispatch, messages)
        await carrier.came(50)
        await settled(world)
        assert carrier.texts == texts(messages)
        assert (dispatch.parts_written, dispatch.parts_in_flight) == (50, 0)
        assert dispatch.outcomes.responses == {0: 49, ESME_RINVDSTADR: 1}
    assert await world.results() == {
        (message.id, 1): Status.REJECTED if message.text == "m7" else Status.SENT
        for message in messages
    }
    assert await world.outbox() == {}
    ids = await world.connection.fetch("SELECT carrier_id FROM submission WHERE status = 10")
    assert {row["carrier_id"] for row in ids} == {
        f"{message.to[1:]}-1" for message in messages if message.text != "m7"
    }


async def test_the_intent_is_committed_before_the_first_byte(
    world: World, database_url: str
) -> None:
    """Whenever something reaches the carrier, another session sees it named."""
    look = SecondLook(database_url)
    carrier = Carrier()
    seen: list[set[int]] = []

    def before() -> None:
        found = look.value("SELECT array_agg(ids) FROM submit_intent, unnest(message_ids) ids")
        seen.append(set(found or ()))

    carrier.before = before
    messages = named(world, 12)
    async with sending(world, carrier, window=3) as dispatch:
        await send(world, dispatch, messages)
        await carrier.came(12)
        await settled(world)
    look.close()
    by_text = {message.text: message.id for message in messages}
    first_of_each_read = iter(seen)
    named_so_far: set[int] = set()
    for _ in seen:
        named_so_far |= next(first_of_each_read)
    assert named_so_far == set(by_text.values())
    assert seen[0] >= {by_text[carrier.texts[0]]}


async def test_no_more_than_a_window_is_written_and_two_are_named(world: World) -> None:
    messages = named(world, 20)
    carrier = Carrier(say_nothing)
    async with sending(world, carrier, window=4) as dispatch:
        await send(world, dispatch, messages)
        named_now = "SELECT sum(cardinality(message_ids)) FROM submit_intent"
        await world.until(named_now, 8)
        await carrier.came(4)
        assert carrier.texts == texts(messages[:4])
        assert dispatch.parts_in_flight == 4
        carrier.answer_oldest()
        await carrier.came(5)
        assert carrier.texts[4] == "m4"
        await world.until(named_now, 9)  # the intent goes with its last message
        carrier.react = lambda _pdu: 0
        carrier.answer_oldest(4)
        await carrier.came(20)
        await settled(world)
    assert carrier.texts == texts(messages)
    assert len(await world.results()) == 20


@pytest.mark.parametrize("status", [0, ESME_RINVDSTADR])
async def test_a_full_window_is_filled_again_before_its_answers_are_looked_at(
    world: World, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """Unless one of them is a refusal: it may say that nothing should be written now."""
    written: list[int] = []
    carrier = Carrier(say_nothing)
    async with sending(world, carrier, window=4) as dispatch:
        await send(world, dispatch, named(world, 8))
        await world.until("SELECT sum(cardinality(message_ids)) FROM submit_intent", 8)
        await carrier.came(4)
        answered = dispatch.outcomes.answered

        def noted(*arguments: Any) -> None:
            written.append(dispatch.parts_written)
            answered(*arguments)

        monkeypatch.setattr(dispatch.outcomes, "answered", noted)
        carrier.answer_oldest(1, status)
        await carrier.came(5)
        assert written == [4 if status else 5]
        monkeypatch.undo()
        carrier.react = lambda _pdu: 0
        carrier.answer_oldest(4)
        await carrier.came(8)
        await settled(world)


@pytest.mark.parametrize(("kept_for_ms", "encoded"), [(60_000, 8), (0, 12)])
async def test_what_is_named_is_encoded_while_the_window_is_full(
    world: World, monkeypatch: pytest.MonkeyPatch, kept_for_ms: int, encoded: int
) -> None:
    """And once more if it then waited: its validity_period is relative."""
    monkeypatch.setattr(planner, "ENCODED_FOR_MS", kept_for_ms)
    seen = Watched()
    texts_encoded: list[str] = []

    def encode_message(message: ReadyMessage, profile: WireProfile, now_ms: int) -> Encoded:
        texts_encoded.append(message.text)
        seen.changed()
        return encoder.encode_message(message, profile, now_ms)

    monkeypatch.setattr(planner, "encode_message", encode_message)
    messages = named(world, 8)
    carrier = Carrier(say_nothing)
    async with sending(world, carrier, window=4) as dispatch:
        await send(world, dispatch, messages)
        await seen.until(lambda: len(texts_encoded) == 8)
        assert (texts_encoded, carrier.texts) == (texts(messages), texts(messages[:4]))
        carrier.react = lambda _pdu: 0
        carrier.answer_oldest(4)
        await carrier.came(8)
        await settled(world)
    assert carrier.texts == texts(messages)
    assert len(texts_encoded) == encoded


async def test_a_one_time_password_passes_what_is_prepared(world: World) -> None:
    bulk = named(world, 12, MARKETING)
    carrier = Carrier(say_nothing)
    async with sending(world, carrier, window=4) as dispatch:
        await send(world, dispatch, bulk)
        await world.until("SELECT sum(cardinality(message_ids)) FROM submit_intent", 8)
        await carrier.came(4)
        carrier.answer_oldest(2)
        await carrier.came(6)
        otp = world.message(OTP, text="otp")
        await send(world, dispatch, [otp])
        await world.until(
            f"SELECT count(*) FROM submit_intent WHERE message_ids = ARRAY[{otp.id}]", 1
        )  # alone in its intent
        carrier.answer_oldest()
        await carrier.came(7)
        assert carrier.texts[6] == "otp"
        carrier.react = lambda _pdu: 0
        carrier.answer_oldest(4)
        await carrier.came(13)
        await settled(world)


async def test_e33_a_lost_session_leaves_doubt_by_category_and_the_rest_in_order(
    world: World,
) -> None:
    resend, hold = named(world, 2), named(world, 2, MARKETING)
    carrier = Carrier(say_nothing)
    async with sending(world, carrier, window=4) as dispatch:
        await send(world, dispatch, [*resend, *hold])
        await carrier.came(4)
        carrier.react = lambda _pdu: 0
        assert carrier.session is not None
        carrier.session.protocol.abort("the link is cut")
        await settled(world)
        waiting = await world.outbox()
        assert list(waiting) == [message.id for message in resend]
        assert all((row["owner"], row["attempt"]) == (0, 1) for row in waiting.values())
        assert await world.results() == {(message.id, 1): Status.UNCONFIRMED for message in hold}
        assert [kind for kind, _ in await world.events(resend[0].id)] == ["in_doubt"]
        assert dispatch.parts_in_flight == 0
        assert dispatch.outcomes.in_doubt == 4
    assert len(carrier.submitted) == 4  # none of them twice


async def test_e36_what_was_named_and_not_written_goes_first_and_in_order(world: World) -> None:
    messages = named(world, 16)
    carrier = Carrier(say_nothing)
    async with sending(world, carrier, window=4) as dispatch:
        await send(world, dispatch, messages)
        await world.until("SELECT sum(cardinality(message_ids)) FROM submit_intent", 8)
        await carrier.came(4)
        carrier.react = lambda _pdu: 0
        assert carrier.session is not None
        carrier.session.protocol.abort("the link is cut")
        await carrier.came(16)
        await settled(world)
    assert carrier.texts[4:] == texts(messages[4:])
    assert list(await world.outbox()) == [message.id for message in messages[:4]]


async def refuse_oldest(carrier: Carrier, dispatch: ConnectorDispatch, times: int) -> None:
    """As too much, and see that it was noticed: so many times by now."""
    carrier.answer_oldest(status=ESME_RTHROTTLED)
    await eventually(lambda: dispatch.pace.throttled_total == times)


async def test_e36_what_was_throttled_keeps_its_order_over_several_answers(world: World) -> None:
    """The refusals of one burst come in many reads."""
    messages = named(world, 4)
    carrier = Carrier(say_nothing)
    async with sending(world, carrier, window=4) as dispatch:
        await send(world, dispatch, messages)
        await carrier.came(4)
        carrier.react = lambda _pdu: 0
        for times in range(1, 5):
            await refuse_oldest(carrier, dispatch, times)
        assert dispatch.pace.generation == 1
        await carrier.came(8)
        await settled(world)
    assert carrier.texts[4:] == texts(messages)
    assert set((await world.results()).values()) == {Status.SENT}
    assert [kind for kind, _ in await world.events(messages[0].id)] == ["throttled"]


async def test_e36_refusals_that_come_one_by_one_while_two_windows_stand_named(
    world: World,
) -> None:
    """Nothing can be planned before the recorder has stored them, so all of them wait together."""
    messages = named(world, 8)
    carrier = Carrier(say_nothing)
    async with sending(world, carrier, window=4) as dispatch:
        await send(world, dispatch, messages)
        await world.until("SELECT sum(cardinality(message_ids)) FROM submit_intent", 8)
        await carrier.came(4)
        carrier.react = lambda _pdu: 0
        async with world.connection.transaction():
            await world.connection.execute("LOCK TABLE event")
            for times in range(1, 5):
                await refuse_oldest(carrier, dispatch, times)
        await carrier.came(12)
        await settled(world)
    first = texts(messages[:4])
    assert [text for text in carrier.texts[4:] if text in first] == first


async def test_e80_the_parts_of_a_message_take_one_bind(world: World) -> None:
    messages = [world.message(parts=3, text=f"{number}" * 400) for number in range(6)]
    carrier = Carrier(say_nothing)
    async with sending(world, carrier, window=2, binds=2) as dispatch:
        await send(world, dispatch, messages)
        await carrier.came(4)
        carrier.react = lambda _pdu: 0
        carrier.answer_oldest(4)
        await carrier.came(18)
        await settled(world)
    sessions: dict[str, set[int]] = {}
    for pdu, session in zip(carrier.submitted, carrier.sessions_of, strict=True):
        sessions.setdefault(text_of(pdu)[0], set()).add(id(session))
    assert [len(used) for used in sessions.values()] == [1] * 6
    assert len({id(session) for session in carrier.sessions_of}) == 2
    assert len(await world.results()) == 18


async def test_e79_a_throttled_part_comes_again_alone(world: World) -> None:
    message = world.message(parts=3, text="x" * 400)
    refusals = iter([ESME_RTHROTTLED])
    carrier = Carrier(lambda pdu: next(refusals, 0) if part_of(pdu) == 2 else 0)
    async with sending(world, carrier, window=2) as dispatch:
        await send(world, dispatch, [message])
        await carrier.came(4)
        await settled(world)
    assert [part_of(pdu) for pdu in carrier.submitted] == [1, 2, 3, 2]
    assert len({pdu.short_message[3] for pdu in carrier.submitted}) == 1
    assert await world.results() == {(message.id, part): Status.SENT for part in (1, 2, 3)}
    assert await world.outbox() == {}


async def test_e79_a_link_lost_between_parts_leaves_only_what_was_not_written(
    world: World,
) -> None:
    """Two parts are in doubt and held; the third was certainly not sent, and goes."""
    message = world.message(MARKETING, parts=3, text="x" * 400)
    carrier = Carrier(say_nothing)
    async with sending(world, carrier, window=2) as dispatch:
        await send(world, dispatch, [message])
        await carrier.came(2)
        carrier.react = lambda _pdu: 0
        assert carrier.session is not None
        carrier.session.protocol.abort("the link is cut")
        await carrier.came(3)
        await settled(world)
        assert dispatch.parts_in_flight == 0
    assert [part_of(pdu) for pdu in carrier.submitted] == [1, 2, 3]
    assert await world.results() == {
        (message.id, 1): Status.UNCONFIRMED,
        (message.id, 2): Status.UNCONFIRMED,
        (message.id, 3): Status.SENT,
    }
    assert await world.outbox() == {}


async def test_what_was_suppressed_after_accept_never_reaches_the_wire(world: World) -> None:
    messages = named(world, 3)
    await add(world.connection, [Suppression(messages[1].to_idx, Reason.OPTED_OUT, "api")])
    carrier = Carrier()
    async with sending(world, carrier) as dispatch:
        await send(world, dispatch, messages)
        await carrier.came(2)
        await settled(world)
    assert carrier.texts == ["m0", "m2"]
    assert (await world.results())[messages[1].id, 0] is Status.SUPPRESSED
    assert await world.outbox() == {}


async def test_what_expired_in_our_queue_or_cannot_be_encoded_ends_without_the_wire(
    world: World,
) -> None:
    late = world.message(text="late", expires_at=wall_ms() - 1)
    endless = world.message(text="x" * 200_000)
    fine = world.message(text="fine")
    carrier = Carrier()
    async with sending(world, carrier) as dispatch:
        await send(world, dispatch, [late, endless, fine])
        await carrier.came(1)
        await settled(world)
    assert carrier.texts == ["fine"]
    assert await world.results() == {
        (late.id, 0): Status.EXPIRED,
        (endless.id, 0): Status.FAILED,
        (fine.id, 1): Status.SENT,
    }


async def test_a_message_without_a_sender_goes_and_holds_nobody_up(world: World) -> None:
    messages = named(world, 3)
    messages[1].sender = ""
    carrier = Carrier()
    async with sending(world, carrier) as dispatch:
        await send(world, dispatch, messages)
        async with asyncio.timeout(40):
            await carrier.came(3)
        await settled(world)
    assert carrier.texts == ["m0", "m1", "m2"]
    assert carrier.submitted[1].source_addr == b""


async def test_nothing_is_written_while_no_intent_can_be_committed(world: World) -> None:
    messages = named(world, 6)
    carrier = Carrier()
    async with sending(world, carrier) as dispatch:
        await world.connection.execute("ALTER TABLE submit_intent RENAME TO away")
        await send(world, dispatch, messages)
        await eventually(lambda: world.intents.commits.flush_failures >= 2)
        assert carrier.submitted == []
        await world.connection.execute("ALTER TABLE away RENAME TO submit_intent")
        await carrier.came(6)
        await settled(world)
    assert carrier.texts == texts(messages)
    assert len(await world.results()) == 6


async def test_a_rate_holds_and_its_burst_goes_at_once(world: World) -> None:
    """Between the first and the last part of `n` lie at least (n - burst) / rate seconds."""
    loop = asyncio.get_running_loop()
    arrivals: list[float] = []

    def note(_pdu: SubmitSm) -> int | None:
        arrivals.append(loop.time())
        return 0

    rate = parse_rate("100/s,burst=10")
    carrier = Carrier(note)
    async with sending(world, carrier, window=100, rate=rate) as dispatch:
        await send(world, dispatch, named(world, 40))
        await carrier.came(40)
        await settled(world)
    for first in range(len(arrivals) - 11):
        assert arrivals[first + 11] - arrivals[first] >= 0.5 / 100
    assert arrivals[-1] - arrivals[0] >= (40 - 10 - 1) / 100 * 0.9


async def test_a_slow_pace_does_not_make_small_intents(world: World) -> None:
    """Named are some tens at a time, though one part a time may go; an OTP is named at once."""
    carrier = Carrier()
    rate = parse_rate("100/s,burst=1")
    async with sending(world, carrier, window=20, rate=rate) as dispatch:
        await send(world, dispatch, named(world, 60))
        await carrier.came(25)
        otp = world.message(Category.OTP, text="otp")
        await send(world, dispatch, [otp])
        await carrier.came(61)
        await settled(world)
    assert world.intents.commits.items_flushed <= 12  # with one for each part, 60
    assert carrier.texts.index("otp") <= 40


async def test_a_stop_answers_for_what_is_in_flight_and_leaves_the_rest(world: World) -> None:
    messages = named(world, 12)
    carrier = Carrier(say_nothing)
    async with sending(world, carrier, window=4) as dispatch:
        await send(world, dispatch, messages)
        await world.until("SELECT sum(cardinality(message_ids)) FROM submit_intent", 8)
        await carrier.came(4)
        stopping = asyncio.create_task(dispatch.stop(5.0))
        await asyncio.sleep(0)
        carrier.answer_oldest(4)
        await stopping
        await settled(world)
    assert carrier.texts == texts(messages[:4])
    assert await world.results() == {(message.id, 1): Status.SENT for message in messages[:4]}
    waiting = await world.outbox()
    assert list(waiting) == [message.id for message in messages[4:]]
    assert all(row["attempt"] == 0 for row in waiting.values())


async def test_receipts_find_their_messages_by_the_answers_id(world: World) -> None:
    messages = named(world, 3)
    carrier = Carrier()
    async with sending(world, carrier) as dispatch:
        await send(world, dispatch, messages)
        await carrier.came(3)
        await settled(world)
        assert carrier.session is not None
        for pdu in carrier.submitted:
            text = f"id:{carrier_id(pdu)} sub:001 dlvrd:001 stat:DELIVRD err:000 text:"
            receipt = DeliverSm(0, esm_class=0x04, short_message=text.encode())
            carrier.session.deliver([(receipt, carrier_id(pdu))])
        await carrier.until(lambda: len(carrier.answers) == 3)
        assert dispatch.intake.counters.receipts == 3
    assert set((await world.results()).values()) == {Status.DELIVERED}
    assert world.recorder.counters.receipts == {(CONNECTOR, Status.DELIVERED): 3}
    assert world.recorder.counters.receipts_parked == 0


async def test_a_connector_without_a_bind_is_down_and_keeps_what_it_is_given(
    world: World,
) -> None:
    carrier = Carrier()
    async with sending(world, carrier) as dispatch:
        assert dispatch.up
        assert carrier.session is not None
        carrier.session.protocol.abort("the link is cut")
        await eventually(lambda: not dispatch.up)
        await send(world, dispatch, named(world, 2))
        await carrier.came(2)  # once it is bound again
        await settled(world)
        assert dispatch.up


async def test_a_submit_sm_that_cannot_be_packed_costs_only_itself(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages = named(world, 3)

    def too_long_for_the_second(
        message: ReadyMessage, profile: WireProfile, now_ms: int
    ) -> Encoded:
        encoded = encode_message(message, profile, now_ms)
        if message.id == messages[1].id:
            encoded.unsent[0][1].short_message = b"x" * 300
        return encoded

    monkeypatch.setattr(planner, "encode_message", too_long_for_the_second)
    carrier = Carrier()
    async with sending(world, carrier) as dispatch:
        await send(world, dispatch, messages)
        await carrier.came(2)
        await settled(world)
    results = await world.results()
    assert results[messages[1].id, 1] is Status.FAILED
    assert {results[messages[0].id, 1], results[messages[2].id, 1]} == {Status.SENT}
    assert await world.outbox() == {}


async def test_a_doubt_that_is_full_ends_the_recorders_rest(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A window of 2 has 4 messages in doubt at most: 30 go only if each few are stored at once."""
    monkeypatch.setattr(group_commit, "REST_SECONDS_PER_ITEM", 600.0)
    monkeypatch.setattr(recorder, "REST_SECONDS_MAX", 600.0)
    async with running(database_url) as world:
        messages = named(world, 30)
        carrier = Carrier()
        async with sending(world, carrier, window=2) as dispatch:
            await world.store(messages)
            push(dispatch, messages)
            await carrier.came(30)
    assert carrier.texts == texts(messages)
