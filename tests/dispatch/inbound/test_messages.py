"""What handsets send: joined, stored once, and answered only when a crash could not lose it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from itertools import permutations

import pytest

from smpp.encoding import TextSettings
from smpp.pdu import DeliverSm
from smpp.reassembly import GAP_MARK, TIMEOUT_SECONDS
from smpp.vocabulary import ESME_ROK, ESME_RX_T_APPN
from storage.pool import Connection
from storage.terms import HostIdentity, OwnerTerm
from tests.dispatch.inbound.world import (
    ACCOUNT,
    HANDSET,
    SENDER,
    Inbound,
    receiving,
    service,
    texted,
)
from tests.dispatch.world import CONNECTOR, VAULT, SecondLook
from tests.smpp.recording import eventually

LONG = "".join(f"{number:03} " for number in range(100))  # three parts
OTHER = "+8613912345678"


@pytest.fixture
async def inbound(database_url: str) -> AsyncIterator[Inbound]:
    async with receiving(database_url) as inbound:
        yield inbound


async def test_e77_two_senders_with_one_reference_in_every_order(inbound: Inbound) -> None:
    for round_, order in enumerate(permutations(range(3))):
        parts = [texted(LONG, reference=round_), texted(LONG, reference=round_, source=OTHER)]
        mixed = [parts[sender][part] for part in order for sender in (0, 1)]
        assert await inbound.answers(mixed) == [ESME_ROK] * 6
    rows = await inbound.rows()
    assert [row["text"] for row in rows] == [LONG] * 12
    assert {VAULT.open(row["from_enc"]) for row in rows} == {HANDSET, OTHER}
    assert {row["from_idx"] for row in rows} == {VAULT.index(HANDSET), VAULT.index(OTHER)}
    assert {(row["parts"], row["parts_missing"]) for row in rows} == {(3, 0)}
    assert {(row["connector"], row["account"]) for row in rows} == {(CONNECTOR, ACCOUNT)}
    assert {row["destination"] for row in rows} == {SENDER}
    assert inbound.service.recorder.counters.messages == 12


async def test_what_is_new_is_named_once_with_its_account(inbound: Inbound) -> None:
    named: list[tuple[list[int], set[int]]] = []

    async def name(_: Connection, ids: Sequence[int], accounts: Collection[int]) -> None:
        named.append((list(ids), set(accounts)))

    inbound.service.recorder.named = name
    await inbound.answers([*texted("hello"), *texted("hello"), *texted("hi", destination="555")])
    assert named == [([row["id"] for row in await inbound.rows() if row["account"]], {ACCOUNT})]


@pytest.mark.parametrize("table", ["inbound_part", "inbound_message"])
async def test_an_answer_leaves_only_after_the_commit(
    inbound: Inbound, database_url: str, table: str
) -> None:
    """Of a part as of a whole message: what is answered is in the database."""
    look = SecondLook(database_url)
    pdus = texted(LONG)[:1] if table == "inbound_part" else texted("hello")
    async with inbound.world.connection.transaction():
        await inbound.world.connection.execute(f"LOCK TABLE {table}")
        assert inbound.carrier.session is not None
        inbound.carrier.session.deliver([(pdu, 0) for pdu in pdus])
        await eventually(lambda: inbound.service.recorder.commits.waiting == 1)
        assert not inbound.carrier.answers
    await inbound.carrier.until(lambda: bool(inbound.carrier.answers))
    assert look.value(f"SELECT count(*) FROM {table}") == 1
    look.close()


async def test_e77_parts_that_do_not_come_leave_a_gap(inbound: Inbound) -> None:
    first, _, last = texted(LONG)
    assert await inbound.answers([last, first]) == [ESME_ROK] * 2
    inbound.now.seconds += TIMEOUT_SECONDS + 1
    await inbound.service.expire()
    await inbound.service.recorder.commits.drain()
    (row,) = await inbound.rows()
    assert (row["parts"], row["parts_missing"]) == (3, 1)
    assert row["text"].count(GAP_MARK) == 1
    assert row["text"].startswith(LONG[:150])
    assert row["text"].endswith(LONG[-50:])
    assert inbound.service.recorder.counters.incomplete == 1


async def test_e77_a_part_that_is_sent_again_makes_no_second_message(inbound: Inbound) -> None:
    first, second, third = texted(LONG)
    assert await inbound.answers([first, second, second, third, third, first]) == [ESME_ROK] * 6
    inbound.now.seconds += TIMEOUT_SECONDS - 1
    assert await inbound.answers([first]) == [ESME_ROK]
    inbound.now.seconds += TIMEOUT_SECONDS + 1
    await inbound.service.expire()
    await inbound.service.recorder.commits.drain()
    assert await inbound.texts() == [LONG]


async def test_what_was_not_answered_is_known_when_it_is_sent_again(inbound: Inbound) -> None:
    """The session ends before the answer, and on the next the same message is the same message.

    What a person writes twice on a session that lives is two.
    """
    (hello,) = texted("hello")
    assert await inbound.answers([hello]) == [ESME_ROK]
    assert inbound.carrier.session is not None
    sessions = len(inbound.carrier.sessions)
    inbound.carrier.session.protocol.abort("the link is cut")
    await inbound.carrier.until(lambda: len(inbound.carrier.sessions) > sessions)
    assert await inbound.answers([hello]) == [ESME_ROK]
    assert await inbound.texts() == ["hello"]
    assert inbound.service.recorder.counters.repeated == 1
    assert await inbound.answers([hello]) == [ESME_ROK]
    assert await inbound.texts() == ["hello", "hello"]


async def test_parts_outlive_the_process_that_answered_them(database_url: str) -> None:
    """A process dies with two of three parts, and with a message of which the carrier did not
    hear the last answer.
    """
    async with receiving(database_url) as dead:
        assert await dead.answers([*texted(LONG)[:2], *texted(LONG, source=OTHER)]) == [0] * 5
        await dead.world.term.release(dead.world.connection)
        term = await OwnerTerm.acquire(dead.world.connection, HostIdentity.current())
        dead.world.term = term
        dead.world.database.use_term(term.term)
        next_life = service(dead.world, dead.now)
        await next_life.start(dead.world.connection)
        assert len(next_life.intakes[CONNECTOR].reassembly) == 1
        dead.dispatch.intake.messages = next_life.intakes[CONNECTOR]
        again = [texted(LONG)[2], texted(LONG, source=OTHER)[2]]
        assert await dead.answers(again) == [ESME_ROK] * 2
        dead.now.seconds += TIMEOUT_SECONDS + 1
        await next_life.expire()
        await next_life.stop()
        rows = await dead.rows()
        assert sorted(VAULT.open(row["from_enc"]) for row in rows) == [HANDSET, OTHER]
        assert [row["text"] for row in rows] == [LONG] * 2


async def test_parts_outlive_a_connector_that_is_made_anew(inbound: Inbound) -> None:
    """Removed by one reload and added by the next."""
    first, second, third = texted(LONG)
    assert await inbound.answers([third, first]) == [ESME_ROK] * 2
    inbound.dispatch.intake.messages = inbound.service.intake(CONNECTOR, "", TextSettings())
    assert await inbound.answers([second]) == [ESME_ROK]
    assert await inbound.texts() == [LONG]


async def test_without_room_the_carrier_keeps_the_rest_and_nothing_is_dropped(
    database_url: str,
) -> None:
    async with receiving(database_url, waiting_max=10) as inbound:
        pdus = [texted(f"hello {number}")[0] for number in range(15)]
        assert inbound.carrier.session is not None
        async with inbound.world.connection.transaction():
            await inbound.world.connection.execute("LOCK TABLE inbound_message")
            inbound.carrier.session.deliver([(pdu, n) for n, pdu in enumerate(pdus)])
            await inbound.carrier.until(lambda: len(inbound.carrier.answers) == 5)
            statuses = {answer.command_status for answer in inbound.carrier.answers}
            assert statuses == {ESME_RX_T_APPN}
            inbound.carrier.session.deliver([(pdus[14], 99)])  # stays in the socket
        await inbound.carrier.until(lambda: len(inbound.carrier.answers) == 16)
        assert await inbound.answers(pdus[10:14]) == [ESME_ROK] * 4
        assert sorted(await inbound.texts()) == sorted(f"hello {number}" for number in range(15))
        assert inbound.intake.counters.deferred == 5


async def test_a_value_that_postgresql_refuses_costs_only_its_own_message(
    inbound: Inbound, monkeypatch: pytest.MonkeyPatch
) -> None:
    nul = DeliverSm(0, source_addr=b"4411", short_message=b"a\0b", data_coding=3)
    (hello,) = texted("hello")
    assert await inbound.answers([nul, hello]) == [ESME_ROK] * 2
    assert sorted(await inbound.texts()) == ["a\ufffdb", "hello"]
