"""What a client or a carrier may say at any time must not stop a connector."""

from __future__ import annotations

from pathlib import Path

import pytest

from smpp.vocabulary import TLV_MESSAGE_STATE
from tests.integration.carrier import carrier, deliver_and_confirm
from tests.integration.running import gateway, message, simulator, write_config


async def test_a_message_without_a_sender_does_not_stop_the_connector(
    database_url: str, folder: Path
) -> None:
    bodies = [message(n) for n in range(11)]
    del bodies[5]["from"]
    async with (
        simulator(folder) as sim,
        gateway(write_config(folder, database_url, sim.port)) as running,
    ):
        items = await running.send(bodies)  # one batch, so that they meet in one write
        taken = sum("id" in item for item in items)
        assert taken >= 10
        counts = await running.until(accepted=taken)
        while counts["pending"]:
            counts = await running.counts()
    assert counts["delivered"] >= 10


async def test_as_many_parts_as_the_limit_allows_are_sent(database_url: str, folder: Path) -> None:
    text = "long " * 320  # 11 parts
    async with (
        simulator(folder) as sim,
        gateway(
            write_config(folder, database_url, sim.port, rest="[limits]\nmessage_parts_max = 12\n")
        ) as running,
    ):
        (item,) = await running.send([message(1, text=text)])
        counts = await running.until(accepted=1)
        while counts["pending"]:
            counts = await running.counts()
        view = await running.message(item["id"])
    assert (view["parts"], view["status"]) == (11, "delivered"), view


@pytest.mark.parametrize("octets", [0, 1, 4, 2_000, 60_000])
async def test_no_length_of_message_state_costs_the_session(
    database_url: str, folder: Path, octets: int
) -> None:
    state = (TLV_MESSAGE_STATE, b"\xff" * octets)
    async with (
        carrier() as smsc,
        gateway(write_config(folder, database_url, smsc.port)) as running,
    ):
        await running.send([message(n) for n in range(2)])
        await smsc.submitted(2)
        odd, plain = smsc.submits[:2]
        odd.answer()
        odd.receipt(tlvs=(state,))
        deliver_and_confirm(plain)
        await smsc.until(lambda: len(smsc.deliveries) == 2)
        await running.until(delivered=1)
        assert smsc.sessions == 1
