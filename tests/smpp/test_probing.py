"""One look at a carrier: which step fails, and what is left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from gateway.rehearsal.processes import free_port
from smpp import vocabulary
from smpp.bind_settings import BindSettings
from smpp.pdu import BindRequest, BindResp, DeliverSm, DeliverSmResp, Pdu, decode, encode
from smpp.probing import ProbeStep, probe, reached
from smpp.simulator import Simulator
from smpp.simulator.profile import load_profile

Answering = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def settings(port: int, **more: object) -> BindSettings:
    return BindSettings(
        host="127.0.0.1",
        port=port,
        system_id="test",
        password="pw",
        **more,  # type: ignore[arg-type]
    )


async def steps(asked: BindSettings) -> list[ProbeStep]:
    return [step async for step in probe(asked)]


async def test_each_step_has_its_time_and_the_session_is_unbound() -> None:
    simulator = Simulator(load_profile("smooth"), "127.0.0.1", 0)
    await simulator.start()
    try:
        found = await steps(settings(simulator.port))
    finally:
        await simulator.stop()
    assert [(step.name, step.ok) for step in found] == [
        ("dns", True), ("tcp", True), ("bind", True), ("enquire_link", True),
    ]  # fmt: skip
    assert found[0].said == "127.0.0.1"
    assert found[2].said.startswith("transmitter of ")
    assert all(step.milliseconds >= 0 for step in found)


async def test_a_port_that_is_closed_is_the_last_step() -> None:
    port = free_port()
    found = await steps(settings(port))
    assert [(step.name, step.ok) for step in found] == [("dns", True), ("tcp", False)]
    assert str(port) in found[-1].said or "refused" in found[-1].said.lower()
    assert [step.ok async for step in reached("127.0.0.1", port, 1)] == [True, False]


async def serving(answer: Answering, asked: BindSettings | None = None) -> list[ProbeStep]:
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        return await steps(asked or settings(port, bind_timeout_seconds=0.2))
    finally:
        server.close()


async def read(reader: asyncio.StreamReader) -> Pdu:
    length = await reader.readexactly(4)
    return decode(length + await reader.readexactly(int.from_bytes(length) - 4))


@pytest.mark.parametrize(
    ("status", "said"),
    [(vocabulary.ESME_RINVPASWD, "ESME_RINVPASWD"), (vocabulary.ESME_RALYBND, "ESME_RALYBND")],
)
async def test_a_refused_bind_says_the_carriers_word(status: int, said: str) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await read(reader)
        assert isinstance(asked, BindRequest)
        assert asked.command_id == vocabulary.BIND_TRANSMITTER
        command = vocabulary.BIND_TRANSMITTER | vocabulary.RESPONSE_BIT
        writer.write(encode(BindResp(command, asked.sequence_number, status)))
        writer.close()

    found = await serving(refuse)
    assert (found[-1].name, found[-1].ok, found[-1].said) == ("bind", False, said)


async def test_who_says_nothing_or_leaves_is_told_apart() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async def leaving(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    assert (await serving(silent))[-1].said == "no answer in 0.2 s"
    left = (await serving(leaving))[-1]
    assert (left.name, left.ok) == ("bind", False)


async def test_a_delivery_that_comes_is_left_to_the_carrier() -> None:
    answers: list[Pdu] = []

    async def deliver(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await read(reader)
        assert isinstance(asked, BindRequest)
        writer.write(encode(DeliverSm(sequence_number=77)))
        answers.append(await read(reader))
        command = vocabulary.BIND_TRANSMITTER | vocabulary.RESPONSE_BIT
        writer.write(encode(BindResp(command, asked.sequence_number, 0, b"SMSC")))
        await reader.read()
        writer.close()

    found = await serving(deliver)
    assert answers == [DeliverSmResp(77, vocabulary.ESME_RX_T_APPN)]
    assert found[2].said == "transmitter of SMSC"
