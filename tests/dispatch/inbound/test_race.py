"""Opt-outs against the wire: people opt out while messages to them are named, prepared and sent."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from dispatch.inbound.violations import ViolationAudit
from dlr.status import Status
from smpp.vocabulary import ESME_ROK
from storage.categories import Category
from tests.dispatch.inbound.world import ACCOUNT, Inbound, receiving, texted
from tests.dispatch.on_the_wire import accept_all, push, say_nothing

HANDSETS = [f"+8613800010{number:03}" for number in range(12)]
EACH = 6


def sent_to(inbound: Inbound) -> Counter[str]:
    """By handset. What was written before an answer is taken from the session before it."""
    return Counter(pdu.destination_addr.decode() for pdu in inbound.carrier.submitted)


@pytest.mark.parametrize("seed", range(3))
async def test_k10_nothing_goes_out_after_a_stop_is_answered(database_url: str, seed: int) -> None:
    chance = Random(seed)
    async with receiving(database_url, window=4) as inbound:
        inbound.carrier.react = say_nothing
        world = inbound.world
        messages = [
            world.message(Category.MARKETING, to=handset, account=ACCOUNT)
            for _ in range(EACH)
            for handset in HANDSETS
        ]
        chance.shuffle(messages)
        await world.store(messages)
        push(inbound.dispatch, messages)
        await inbound.carrier.came(4)
        at_answer: dict[str, int] = {}
        for handset in chance.sample(HANDSETS, 8):
            inbound.carrier.answer_oldest(chance.randrange(len(inbound.carrier.unanswered) + 1))
            for _ in range(chance.randrange(3)):
                await asyncio.sleep(0)
            assert await inbound.answers(texted("TD", source=handset)) == [ESME_ROK]
            number = handset.removeprefix("+")
            at_answer[number] = sent_to(inbound)[number]
        inbound.carrier.react = accept_all
        inbound.carrier.answer_oldest(len(inbound.carrier.unanswered))
        await world.until("SELECT count(*) FROM outbox", 0)
        sent = sent_to(inbound)
        assert {number: sent[number] for number in at_answer} == at_answer
        stays = {handset.removeprefix("+") for handset in HANDSETS} - set(at_answer)
        assert all(sent[number] == EACH for number in stays)
        results = Counter((await world.results()).values())
        assert results[Status.SUPPRESSED] == len(messages) - sent.total() > 0
        audit = ViolationAudit(datetime.now(UTC) - timedelta(minutes=5), timedelta())
        await audit.look(world.connection, datetime.now(UTC) + timedelta(seconds=1))
        assert audit.violations == 0
