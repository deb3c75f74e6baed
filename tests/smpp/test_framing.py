"""Cutting the stream into PDUs: any cut, any garbage (E61, E68)."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smpp.framing import FrameBuffer, FramingError
from smpp.pdu import DeliverSm, EnquireLink, Pdu, SubmitSm, SubmitSmResp, decode, encode

PDUS: list[Pdu] = [
    EnquireLink(1),
    SubmitSm(2, source_addr=b"SHOP", destination_addr=b"861", short_message=b"\0\0\0\x10" * 9),
    SubmitSmResp(2, 0, b"id"),
    SubmitSmResp(3, 0x58),
    DeliverSm(4, esm_class=4, tlvs=((0x0424, b"x" * 65_535),)),
    EnquireLink(5),
]
FRAMES = [encode(pdu) for pdu in PDUS]
STREAM = b"".join(FRAMES)


@given(st.lists(st.integers(0, len(STREAM)), max_size=30))
def test_e68_any_cut_gives_the_same_frames(cuts: list[int]) -> None:
    buffer = FrameBuffer()
    frames: list[bytes] = []
    edges = [0, *sorted(cuts), len(STREAM)]
    for start, end in pairwise(edges):
        frames += buffer.feed(STREAM[start:end])
    assert frames == FRAMES
    assert [decode(frame) for frame in frames] == PDUS
    assert buffer.pending == 0


def test_e68_one_octet_a_read() -> None:
    buffer = FrameBuffer()
    frames: list[bytes] = []
    for octet in STREAM:
        frames += buffer.feed(bytes((octet,)))
    assert frames == FRAMES


def test_e68_five_hundred_pdus_in_one_read_and_a_half() -> None:
    buffer = FrameBuffer()
    one = FRAMES[1]
    assert buffer.feed(one * 500 + one[:20]) == [one] * 500
    assert buffer.pending == 20
    assert buffer.feed(one[20:]) == [one]


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (b"GET / HTTP/1.1\r\nHost: sms\r\n\r\n", "no SMPP.*'GET '"),
        (b"HTTP/1.1 400 Bad Request\r\n", "no SMPP.*'HTTP'"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "TLS"),
        (b"\0\0\0\x0f" + bytes(12), "15"),
        (bytes(16), "0"),
        ((70_001).to_bytes(4, "big"), "70001"),
        (b"\xff" * 4, "4294967295"),
    ],
)
def test_e61_what_is_no_smpp_ends_this_connection_at_its_fourth_octet(
    octets: bytes, words: str
) -> None:
    buffer = FrameBuffer()
    assert buffer.feed(octets[:3]) == []
    with pytest.raises(FramingError, match=words):
        buffer.feed(octets[3:4])


def test_e61_pdus_before_the_garbage_are_handed_over_and_nothing_after_it() -> None:
    buffer = FrameBuffer()
    with pytest.raises(FramingError) as caught:
        buffer.feed(FRAMES[0] + FRAMES[1] + b"GET /" + FRAMES[2])
    assert caught.value.frames == FRAMES[:2]
    with pytest.raises(FramingError) as again:
        buffer.feed(FRAMES[0])
    assert again.value.frames == []
    assert again.value.reason == caught.value.reason


def test_the_largest_pdu_is_a_setting() -> None:
    assert FrameBuffer(pdu_bytes_max=16).feed(FRAMES[0]) == [FRAMES[0]]
    with pytest.raises(FramingError):
        FrameBuffer(pdu_bytes_max=16).feed(FRAMES[1])


@given(st.lists(st.binary(max_size=40), max_size=10))
def test_e68_no_octets_raise_anything_but_framing_error(reads: list[bytes]) -> None:
    buffer = FrameBuffer(pdu_bytes_max=100)
    taken = given_back = 0
    for read in reads:
        taken += len(read)
        try:
            given_back += sum(map(len, buffer.feed(read)))
        except FramingError:
            return
        assert given_back + buffer.pending == taken
        assert buffer.pending < 100
