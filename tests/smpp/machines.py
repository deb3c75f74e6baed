"""Owns the session machines that tests begin with, and what they are fed and asked. No socket."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

from smpp import vocabulary
from smpp.events import Batch, MessageRequest, SubmitResponse
from smpp.pdu import BindRequest, BindResp, Pdu, SubmitSm, decode, encode
from smpp.session_machine import SessionMachine
from smpp.session_states import Role
from smpp.session_timers import TimerSettings

TIMERS = TimerSettings(bind_seconds=10, enquire_link_seconds=30, response_seconds=60)


def esme(window: int = 10, last_sequence: int = 0) -> SessionMachine:
    return SessionMachine(Role.ESME, TIMERS, window=window, now=0.0, last_sequence=last_sequence)


def smsc(answer: Callable[[BindRequest], int] = lambda request: 0) -> SessionMachine:
    return SessionMachine(Role.SMSC, TIMERS, window=10, now=0.0, authenticate=answer)


def pdus(octets: bytes | bytearray) -> list[Pdu]:
    frames: list[Pdu] = []
    while octets:
        (length,) = struct.unpack_from(">I", octets)
        frames.append(decode(bytes(octets[:length])))
        octets = octets[length:]
    return frames


def sent(machine: SessionMachine) -> list[Pdu]:
    return pdus(machine.take_output())


def feed(machine: SessionMachine, *messages: Pdu, now: float = 1.0) -> Batch:
    return machine.receive(b"".join(map(encode, messages)), now)


def bound_esme(command: int = vocabulary.BIND_TRANSCEIVER, **options: int) -> SessionMachine:
    machine = esme(**options)
    machine.start_bind(BindRequest(command_id=command, system_id=b"u", password=b"p"))
    (request,) = sent(machine)
    assert isinstance(request, BindRequest)
    response = BindResp(command | vocabulary.RESPONSE_BIT, request.sequence_number)
    assert feed(machine, response).bound
    return machine


def bound_smsc(command: int = vocabulary.BIND_TRANSCEIVER) -> SessionMachine:
    machine = smsc()
    assert feed(machine, BindRequest(command_id=command, sequence_number=1)).bound
    sent(machine)
    return machine


def submits(*contexts: object) -> list[tuple[MessageRequest, object]]:
    return [(SubmitSm(0, destination_addr=b"8613800000000"), context) for context in contexts]


def contexts(responses: Sequence[SubmitResponse]) -> list[object]:
    return [response.context for response in responses]


def sequence_numbers(messages: Sequence[Pdu]) -> list[int]:
    return [message.sequence_number for message in messages]
