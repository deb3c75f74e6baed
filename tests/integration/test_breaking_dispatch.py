"""Between the ready queue and the answers: half-sent messages, silence, throttling, a rate."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from smpp.vocabulary import ESME_RTHROTTLED
from tests.integration.carrier import Submit, carrier, deliver_and_confirm
from tests.integration.running import gateway, message, write_config

THREE_PARTS = "x" * 400


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
async def test_e79_a_throttled_part_is_the_only_one_sent_again_by_the_next_life(
    database_url: str, folder: Path, end: signal.Signals
) -> None:
    refused: list[Submit] = []

    def throttle_the_second(submit: Submit) -> None:
        if submit.part == 2 and not refused:
            refused.append(submit)
            submit.answer(ESME_RTHROTTLED)
        else:
            deliver_and_confirm(submit)

    async with carrier(throttle_the_second) as smsc:
        config = write_config(folder, database_url, smsc.port)
        async with gateway(config) as running:
            (item,) = await running.send([message(1, text=THREE_PARTS)])
            # Two parts are stored, the third waits in memory for the pause to end.
            while "throttled" not in await running.kinds(item["id"]):
                pass
            # This carrier sends no receipt twice: what is lost with the process would be missed.
            await smsc.until(lambda: len(smsc.deliveries) >= 2)
            running.signal(end)
            await running.exit()
        async with gateway(config) as running:
            await running.until(delivered=1)
    parts = [submit.part for submit in smsc.submits]
    assert parts[:3] == [1, 2, 3]
    assert set(parts[3:]) == {2}


async def test_e79_missing_parts_only_after_a_lost_session(database_url: str, folder: Path) -> None:
    def answer_all_but_the_first_third(submit: Submit) -> None:
        if submit.part != 3 or smsc.sessions > 1:
            deliver_and_confirm(submit)

    async with (
        carrier(answer_all_but_the_first_third) as smsc,
        gateway(write_config(folder, database_url, smsc.port)) as running,
    ):
        (item,) = await running.send([message(1, text=THREE_PARTS)])
        await smsc.until(lambda: len(smsc.deliveries) == 2)
        smsc.cut()
        await running.until(delivered=1)
        kinds = await running.kinds(item["id"])
    assert [submit.part for submit in smsc.submits] == [1, 2, 3, 3]
    references = {submit.pdu.short_message[3] for submit in smsc.submits}
    assert len(references) == 1  # else the telephone could not join them
    assert "in_doubt" in kinds


async def test_silence_holds_marketing_and_repeats_what_is_transactional(
    database_url: str, folder: Path
) -> None:
    connector = "response_timeout_seconds = 1"
    async with (
        carrier() as smsc,
        gateway(write_config(folder, database_url, smsc.port, connector=connector)) as running,
    ):
        held, sent = await running.send(
            [message(1, category="marketing"), message(2, category="transactional")]
        )
        await running.until(unconfirmed=1)
        smsc.react = deliver_and_confirm
        await running.until(unconfirmed=1, delivered=1)
        assert (await running.message(held["id"]))["status"] == "unconfirmed"
        assert "in_doubt" in await running.kinds(sent["id"])
        smsc.cut()  # it would wait for the answers that it owes, until its unbind timeout
    assert [len(smsc.submits_of(str(message(n)["to"]))) for n in (1, 2)] == [1, 2]


async def test_e38_throttled_then_cut_then_back_sends_each_once(
    database_url: str, folder: Path
) -> None:
    bodies = [message(n) for n in range(30)]
    connector = 'rate = "200/s"'
    async with (
        carrier(lambda submit: submit.answer(ESME_RTHROTTLED)) as smsc,
        gateway(write_config(folder, database_url, smsc.port, connector=connector)) as running,
    ):
        await running.send(bodies)
        await smsc.submitted(1)
        smsc.react = deliver_and_confirm
        smsc.cut()
        await running.until(delivered=len(bodies))
        counts = await running.counts()
    assert counts["accepted"] == counts["delivered"] == len(bodies)
    assert smsc.sessions == 2


@pytest.mark.parametrize("text", ["short", THREE_PARTS], ids=["messages", "parts"])
async def test_a_rate_goes_on_while_no_answer_comes(
    database_url: str, folder: Path, text: str
) -> None:
    connector = 'rate = "20/s,burst=1"'
    async with (
        carrier() as smsc,
        gateway(write_config(folder, database_url, smsc.port, connector=connector)) as running,
    ):
        await running.send([message(n, text=text) for n in range(3)])
        await smsc.submitted(3 if text == "short" else 9)
        for submit in smsc.submits:
            deliver_and_confirm(submit)
        await running.until(delivered=3)


async def test_a_stop_with_a_carrier_that_never_answers_ends_in_time_and_says_so(
    database_url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The carrier answers the unbinding soon, for all the answers that it owes.
    monkeypatch.setattr("smpp.session_machine.PEER_DRAIN_SECONDS", 0.2)
    rest = "[limits]\ndrain_seconds = 1\n"
    async with carrier() as smsc:
        config = write_config(folder, database_url, smsc.port, rest=rest)
        async with gateway(config) as running:
            await running.send([message(1, category="marketing"), message(2)])
            await smsc.submitted(2)
            running.signal(signal.SIGTERM)
            assert await running.exit() == 0
        smsc.react = deliver_and_confirm
        async with gateway(config) as running:
            await running.until(unconfirmed=1, delivered=1)
    assert [len(smsc.submits_of(str(message(n)["to"]))) for n in (1, 2)] == [1, 2]
