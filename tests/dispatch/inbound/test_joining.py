"""Parts of one message that a carrier sent to two processes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from smpp.encoding import TextSettings
from smpp.pdu import DeliverSm
from smpp.reassembly import TIMEOUT_SECONDS
from smpp.vocabulary import ESME_ROK
from tests.dispatch.inbound.test_messages import LONG
from tests.dispatch.inbound.world import Inbound, receiving, service, texted


@pytest.fixture
async def both(database_url: str) -> AsyncIterator[tuple[Inbound, Inbound]]:
    async with two(database_url) as both:
        yield both


@asynccontextmanager
async def two(database_url: str) -> AsyncIterator[tuple[Inbound, Inbound]]:
    async with receiving(database_url) as one, receiving(database_url) as other:
        yield one, other


async def joined(*processes: Inbound) -> None:
    """Two rounds: what is given in one is got in the next."""
    for _ in range(2):
        for each in processes:
            await each.service.join()
    for each in processes:
        await each.service.recorder.commits.drain()


async def timed_out(*processes: Inbound) -> None:
    for each in processes:
        each.now.seconds += TIMEOUT_SECONDS + 1
        await each.service.expire()
        await each.service.recorder.commits.drain()


@pytest.mark.parametrize("first", [0, 1])
async def test_e77_parts_that_reached_two_processes_are_one_message(
    both: tuple[Inbound, Inbound], first: int
) -> None:
    """Whoever got the first one joins them; what the carrier repeats to the other is known."""
    home, other = both[first], both[1 - first]
    begin, middle, end = texted(LONG)
    assert await home.answers([end]) == [ESME_ROK]
    assert await other.answers([middle, begin, middle]) == [ESME_ROK] * 3
    await joined(*both)
    assert await home.texts() == [LONG]
    assert len(other.intake.reassembly) == 0
    assert await other.answers([begin]) == [ESME_ROK]
    await joined(*both)
    await timed_out(*both)
    assert await home.texts() == [LONG]
    assert home.intake.reassembly.octets == other.intake.reassembly.octets == 0
    assert await home.world.count("inbound_part") == 3  # of the message; the repeated ones are gone


async def test_e77_what_was_given_outlives_both(
    both: tuple[Inbound, Inbound], database_url: str
) -> None:
    """The home dies before it takes what it was given; the giver goes on with all of it."""
    home, other = both
    begin, middle, end = texted(LONG)
    assert await home.answers([begin]) == [ESME_ROK]
    assert await other.answers([middle]) == [ESME_ROK]
    await other.service.join()
    assert len(other.intake.reassembly) == 0
    await home.world.term.release(home.world.connection)
    next_life = service(other.world, other.now)
    await next_life.start(other.world.connection)
    other.dispatch.intake.messages = next_life.intakes[other.intake.connector]
    assert await other.answers([end]) == [ESME_ROK]
    assert await other.texts() == [LONG]
    await next_life.stop()


async def test_e77_a_hand_over_that_fails_leaves_the_parts_where_they_were(
    both: tuple[Inbound, Inbound], monkeypatch: pytest.MonkeyPatch
) -> None:
    home, other = both
    begin, middle, end = texted(LONG)
    assert await home.answers([begin]) == [ESME_ROK]
    assert await other.answers([middle, end]) == [ESME_ROK] * 2

    async def cut(*_arguments: object) -> None:
        assert len(other.intake.reassembly) == 0
        raise asyncpg.ConnectionDoesNotExistError("connection was closed")

    monkeypatch.setattr("dispatch.inbound.parts.keep", cut)
    with pytest.raises(asyncpg.ConnectionDoesNotExistError):
        await other.service.join()
    assert len(other.intake.reassembly) == 1
    monkeypatch.undo()
    await joined(other, home)
    assert await home.texts() == [LONG]


async def test_e77_what_is_completed_meanwhile_stays(both: tuple[Inbound, Inbound]) -> None:
    """Memory is asked last: what it no longer has open, or has more of, is not given."""
    home, other = both
    begin, middle, _ = texted(LONG)
    assert await home.answers([begin]) == [ESME_ROK]
    assert await other.answers([middle]) == [ESME_ROK]
    (held,) = other.intake.reassembly.drain()
    assert held.missing == (1, 3)
    await other.service.join()
    owners = await other.world.connection.fetch("SELECT owner, given FROM inbound_part ORDER BY id")
    assert [tuple(row) for row in owners] == [
        (home.world.term.term, False), (other.world.term.term, False)
    ]  # fmt: skip


async def test_e76_a_text_is_read_as_its_carrier_writes(database_url: str) -> None:
    latin = TextSettings(default_alphabet="latin1")
    async with receiving(database_url, text=latin) as inbound:
        pdu = DeliverSm(
            0, source_addr=b"8613812345678", short_message="caf\u00e9".encode("latin-1")
        )
        assert await inbound.answers([pdu]) == [ESME_ROK]
        assert await inbound.texts() == ["caf\u00e9"]


async def test_o13_a_part_of_a_damaged_number_is_kept_and_keeps_no_other(
    both: tuple[Inbound, Inbound],
) -> None:
    home, other = both
    damaged, whole = texted(LONG, reference=1), texted(LONG, reference=2)
    assert await home.answers([damaged[0], whole[0]]) == [ESME_ROK] * 2
    await home.world.connection.execute(
        "UPDATE inbound_part SET from_enc = $1 WHERE reference = 1", bytes(30)
    )
    await home.world.term.release(home.world.connection)
    next_life = service(other.world, other.now)
    await next_life.start(other.world.connection)
    other.dispatch.intake.messages = next_life.intakes[other.intake.connector]
    assert await other.answers(whole[1:]) == [ESME_ROK] * len(whole[1:])
    assert await other.texts() == [LONG]
    other.now.seconds += TIMEOUT_SECONDS + 1
    await next_life.expire()
    await next_life.recorder.commits.drain()
    assert len(await other.texts()) == 2, "its text is kept"
    await next_life.stop()
