"""What a client or a carrier may say at any time must not stop a connector."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.rehearsal.running import Running
from smpp.vocabulary import TLV_MESSAGE_STATE
from storage.pool import Connection
from tests.integration.carrier import Submit, carrier, deliver_and_confirm
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


async def test_statuses_of_a_carrier_s_own_do_not_grow_the_metrics_without_bound(
    database_url: str, folder: Path
) -> None:
    def answer_with_a_new_status(submit: Submit) -> None:
        submit.answer(0x10000 + len(smsc.submits))

    async with (
        carrier(answer_with_a_new_status) as smsc,
        gateway(write_config(folder, database_url, smsc.port)) as running,
    ):
        await running.send([message(n) for n in range(400)])
        await smsc.submitted(400)
        async with running.session.get(f"{running.api}/metrics") as response:
            lines = (await response.text()).splitlines()
    assert 0 < sum(line.startswith("sms_submit_responses_total{") for line in lines) <= 200


async def test_receipts_faster_than_they_can_be_stored_are_deferred_and_none_is_lost(
    database_url: str, connection: Connection, folder: Path
) -> None:
    profile = "answer_latency_ms = 1\nreceipt_delay_ms = 0\nreceipt_resend_seconds = 0.1\n"
    rest = "[limits]\nreceipts_waiting_max = 100\n"
    async with (
        simulator(folder, profile) as sim,
        gateway(
            write_config(folder, database_url, sim.port, connector="window = 400", rest=rest)
        ) as running,
    ):
        async with connection.transaction():
            await connection.execute("LOCK TABLE submission IN SHARE MODE")  # no result is stored
            await running.send([message(n) for n in range(600)])
            while not await deferred(running):
                pass
        counts = await running.until(delivered=600)
    assert counts["accepted"] == counts["delivered"] == 600


async def deferred(running: Running) -> float:
    """How many receipts the carrier was told to send later."""
    async with running.session.get(f"{running.api}/metrics") as response:
        lines = (await response.text()).splitlines()
    return sum(
        float(line.rpartition(" ")[2])
        for line in lines
        if line.startswith("sms_receipts_refused_total{")
    )
