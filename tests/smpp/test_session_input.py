"""What a session makes of bytes: broken, foreign, hostile, cut anywhere, too many at once."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smpp import vocabulary
from smpp.events import MessageRequest, SubmitResponse
from smpp.pdu import DataSm, DeliverSm, EnquireLink, GenericNack, Pdu, SubmitSmResp, encode
from smpp.session_machine import PDUS_PER_SLICE, SessionMachine
from tests.smpp.machines import (
    bound_esme,
    bound_smsc,
    contexts,
    esme,
    pdus,
    sent,
    sequence_numbers,
    smsc,
    submits,
)


def test_e61_http_closes_with_a_reason_and_what_came_before_counts() -> None:
    machine = bound_esme()
    machine.submit(submits("a"), 1.0)
    (number,) = sequence_numbers(sent(machine))
    answer = encode(SubmitSmResp(number, 0, b"1"))
    batch = machine.receive(answer + b"GET / HTTP/1.1\r\n\r\n", 2.0)
    assert contexts(batch.responses) == ["a"]
    assert machine.closing is not None
    assert "SMPP" in machine.closing.reason
    assert not machine.closing.graceful


@pytest.mark.parametrize(
    ("command_id", "answer"),
    [
        (vocabulary.DELIVER_SM, vocabulary.DELIVER_SM_RESP),
        (vocabulary.SUBMIT_SM, vocabulary.SUBMIT_SM_RESP),
        (vocabulary.DATA_SM, vocabulary.DATA_SM_RESP),
        (vocabulary.BIND_RECEIVER, vocabulary.GENERIC_NACK),
        (0x00000999, vocabulary.GENERIC_NACK),
    ],
)
def test_e65_a_body_that_cannot_be_read_is_answered_once(command_id: int, answer: int) -> None:
    machine = bound_esme()
    broken = struct.pack(">IIII", 20, command_id, 0, 33) + b"\1\1\1\1"
    batch = machine.receive(broken + encode(DeliverSm(34)), 2.0)
    assert sequence_numbers(batch.requests) == [34]  # and the session goes on
    octets = machine.take_output()
    (length, command, status, sequence) = struct.unpack_from(">IIII", octets)
    assert length == len(octets)
    assert (command, sequence) == (answer, 33)
    assert status != 0
    assert machine.bound


RECEIPT = b"id:A1 sub:001 dlvrd:001 stat:DELIVRD err:000 text:"
DELIVERED = DeliverSm(33, source_addr=b"8613", destination_addr=b"1069", short_message=RECEIPT)
WHOLE_TLV = b"\x00\x1e\x00\x03A1\0"


def frame_of(pdu: Pdu, tail: bytes = b"", *, sm_length: int | None = None) -> bytes:
    """With octets behind it, and another sm_length."""
    octets = bytearray(encode(pdu) + tail)
    if sm_length is not None:
        octets[-len(RECEIPT) - 1] = sm_length
    octets[:4] = len(octets).to_bytes(4, "big")
    return bytes(octets)


@pytest.mark.parametrize(
    ("frame", "text", "tlvs"),
    [
        (frame_of(DELIVERED, sm_length=200), RECEIPT, ()),
        (frame_of(DELIVERED, b"\x04\x27\x00\x09\x02"), RECEIPT, ()),
        (frame_of(DELIVERED, WHOLE_TLV + b"\x04\x27"), RECEIPT, ((0x001E, b"A1\0"),)),
        (
            frame_of(DataSm(33, source_addr=b"8613"), WHOLE_TLV + b"\x04\x24\x00\x50id:"),
            None,
            ((0x001E, b"A1\0"),),
        ),
    ],
)
def test_e97_a_message_whose_end_is_broken_is_taken_as_far_as_it_goes(
    frame: bytes, text: bytes | None, tlvs: tuple[tuple[int, bytes], ...]
) -> None:
    machine = bound_esme()
    (taken,) = machine.receive(frame, 2.0).requests
    assert (taken.sequence_number, taken.source_addr, taken.tlvs) == (33, b"8613", tlvs)
    assert getattr(taken, "short_message", None) == text
    assert machine.take_output() == b""  # its user answers
    assert machine.counters.pdus_malformed == 1


@given(st.binary(max_size=120), st.sampled_from([vocabulary.DELIVER_SM, vocabulary.DATA_SM]))
def test_e97_any_body_is_taken_or_answered_once(body: bytes, command_id: int) -> None:
    machine = bound_esme()
    head = struct.pack(">IIII", 16 + len(body), command_id, 0, 33)
    batch = machine.receive(head + body, 2.0)
    answers = pdus(machine.take_output())
    assert sequence_numbers([*batch.requests, *answers]) == [33]
    assert machine.bound


def test_e97_an_smsc_stays_strict() -> None:
    machine = bound_smsc()
    broken = frame_of(DataSm(33, source_addr=b"8613"), b"\x04\x24\x00\x50id:")
    assert machine.receive(broken, 2.0).requests == []
    (answer,) = pdus(machine.take_output())
    assert answer.sequence_number == 33


def test_an_unreadable_answer_stays_in_doubt_until_it_expires() -> None:
    machine = bound_esme()
    machine.submit(submits("a"), 1.0)
    (number,) = sequence_numbers(sent(machine))
    body = b"9" * 400 + b"\0"
    head = struct.pack(">IIII", 16 + len(body), vocabulary.SUBMIT_SM_RESP, 0, number)
    assert machine.receive(head + body, 2.0).responses == []
    assert sent(machine) == []
    assert machine.counters.pdus_malformed == 1
    assert machine.expire(61.0) == ["a"]


def test_one_read_is_worked_in_slices() -> None:
    machine = bound_esme()
    count = 2 * PDUS_PER_SLICE + 100
    octets = b"".join(encode(DeliverSm(number)) for number in range(1, count + 1))
    slices = [machine.receive(octets, 2.0)]
    while machine.has_more:
        slices.append(machine.receive(b"", 2.0))
    assert [len(batch.requests) for batch in slices] == [PDUS_PER_SLICE, PDUS_PER_SLICE, 100]
    numbers = sequence_numbers([pdu for batch in slices for pdu in batch.requests])
    assert numbers == list(range(1, count + 1))


@pytest.mark.parametrize("machine", [esme(), smsc(), bound_esme(), bound_smsc()])
@pytest.mark.parametrize(
    ("command_id", "answer"),
    [
        (vocabulary.QUERY_SM, vocabulary.QUERY_SM | vocabulary.RESPONSE_BIT),
        (vocabulary.CANCEL_SM, vocabulary.CANCEL_SM | vocabulary.RESPONSE_BIT),
        (0x00000998, vocabulary.GENERIC_NACK),
        (vocabulary.OUTBIND, None),
        (vocabulary.ALERT_NOTIFICATION, None),
        (vocabulary.QUERY_SM | vocabulary.RESPONSE_BIT, None),
    ],
)
def test_commands_that_are_not_served_are_refused_in_their_own_words(
    machine: SessionMachine, command_id: int, answer: int | None
) -> None:
    body = b"\0" * {vocabulary.CANCEL_SM: 9, vocabulary.OUTBIND: 2}.get(command_id, 4)
    if command_id == vocabulary.ALERT_NOTIFICATION:
        body = b"\0" * 6
    head = struct.pack(">IIII", 16 + len(body), command_id, 0, 44)
    machine.receive(head + body, 2.0)
    octets = machine.take_output()
    if answer is None:
        assert octets == b""
    else:
        said = struct.unpack_from(">IIII", octets)
        assert said == (len(octets), answer, vocabulary.ESME_RINVCMDID, 44)


STREAM_PDUS: tuple[Pdu, ...] = (
    DeliverSm(1, short_message=b"one"),
    SubmitSmResp(2, 0, b"id"),
    EnquireLink(3),
    DataSm(4, tlvs=((vocabulary.TLV_MESSAGE_PAYLOAD, b"payload"),)),
    GenericNack(0, 3),
    SubmitSmResp(3, vocabulary.ESME_RTHROTTLED),
    DeliverSm(5, short_message=b"x" * 200),
)
STREAM = b"".join(encode(pdu) for pdu in STREAM_PDUS)


def outcome(chunks: Sequence[bytes]) -> tuple[list[SubmitResponse], list[MessageRequest], bytes]:
    machine = bound_esme()
    machine.submit(submits("a", "b"), 1.0)
    machine.take_output()
    batches = [machine.receive(chunk, 2.0) for chunk in chunks]
    return (
        [response for batch in batches for response in batch.responses],
        [request for batch in batches for request in batch.requests],
        bytes(machine.take_output()),
    )


@settings(max_examples=100, deadline=None)
@given(st.sets(st.integers(1, len(STREAM) - 1)))
def test_e68_any_chunking_says_the_same(cuts: set[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    chunks = [STREAM[start:end] for start, end in itertools.pairwise(edges)]
    assert outcome(chunks) == outcome([STREAM])
    assert contexts(outcome(chunks)[0]) == ["a", "b"]


def test_e68_one_octet_a_read() -> None:
    assert outcome([bytes((octet,)) for octet in STREAM]) == outcome([STREAM])


COMMANDS = st.sampled_from(
    [
        *range(0x10),
        *(vocabulary.RESPONSE_BIT | command for command in range(0x10)),
        vocabulary.ENQUIRE_LINK,
        vocabulary.ENQUIRE_LINK_RESP,
        vocabulary.DATA_SM,
        vocabulary.DATA_SM_RESP,
        0x7FFFFFFF,
    ]
)
HOSTILE = st.builds(
    lambda command, status, sequence, body: (
        struct.pack(">IIII", 16 + len(body), command, status, sequence) + body
    ),
    COMMANDS,
    st.sampled_from([0, 1, 0x58, 0xFFFFFFFF]),
    st.one_of(st.integers(0, 8), st.integers(0, 0xFFFFFFFF)),
    st.binary(max_size=80),
)
STARTS = (esme, smsc, bound_esme, bound_smsc)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(STARTS),
    st.lists(st.one_of(st.binary(max_size=40), HOSTILE), max_size=12),
    st.integers(1, 50),
)
def test_nothing_that_a_peer_sends_raises(
    start: Callable[[], SessionMachine], pieces: list[bytes], size: int
) -> None:
    machine = start()
    put = [*range(machine.submit(submits(*range(5)), 1.0))]
    octets = b"".join(pieces)
    out: list[object] = []
    now = 2.0
    for offset in range(0, len(octets), size):
        batch = machine.receive(octets[offset : offset + size], now)
        out += contexts(batch.responses)
        pdus(machine.take_output())  # and whatever it answers is well formed
        now += 5.0
        out += machine.expire(now)
    out += machine.connection_lost("end")
    assert sorted(map(str, out)) == sorted(map(str, put))
