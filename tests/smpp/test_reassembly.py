"""Inbound parts to messages: any order, any clash, any loss (E77)."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smpp import reassembly
from smpp import vocabulary as v
from smpp.encoding import Segmentation, TextSettings, submit_parts
from smpp.pdu import DataSm, DeliverSm, decode, encode
from smpp.reassembly import (
    GAP_MARK,
    PART_OVERHEAD_OCTETS,
    Assembled,
    InboundPart,
    Outcome,
    Reassembly,
    inbound_part,
    sar_concatenation,
)
from smpp.segmentation import Concatenation

PLAIN = TextSettings()
SMS = "Part one of a text that is long enough for several parts. " * 6
CHINESE = "验证码是一串数字，请不要告诉任何人。" * 9


def parts_of(
    text: str,
    *,
    source: bytes = b"8613800000001",
    reference: int = 7,
    segmentation: Segmentation = "udh8",
    data_sm: bool = False,
) -> list[InboundPart]:
    """The parts as they come off the wire, each with its place in the list as context."""
    settings = TextSettings(segmentation=segmentation)
    found = []
    for number, part in enumerate(submit_parts(text, settings, reference, parts_max=255)):
        if data_sm:
            tlvs = part.tlvs or ((v.TLV_MESSAGE_PAYLOAD, part.short_message),)
            if segmentation == "sar":
                tlvs = (*part.tlvs, (v.TLV_MESSAGE_PAYLOAD, part.short_message))
            pdu: DataSm | DeliverSm = DataSm(
                1, b"", 1, 1, source, 3, 0, b"10690001", part.esm_class, 0, part.data_coding, tlvs
            )
        else:
            pdu = DeliverSm(
                1,
                source_addr=source,
                destination_addr=b"10690001",
                esm_class=part.esm_class,
                data_coding=part.data_coding,
                short_message=part.short_message,
                tlvs=part.tlvs,
            )
        read = decode(encode(pdu))
        assert isinstance(read, DataSm | DeliverSm)
        found.append(inbound_part(read, number))
    return found


def feed_all(joined: Reassembly, parts: list[InboundPart], now: float = 0.0) -> list[Assembled]:
    return [message for part in parts for message in joined.feed(part, now)]


@pytest.mark.parametrize("segmentation", ["udh8", "udh16", "sar"])
@pytest.mark.parametrize("data_sm", [False, True])
@pytest.mark.parametrize("text", [SMS, CHINESE])
def test_e77_every_order_of_the_parts_gives_the_text(
    text: str, data_sm: bool, segmentation: Segmentation
) -> None:
    parts = parts_of(text, segmentation=segmentation, data_sm=data_sm)
    assert len(parts) == 3
    for order in itertools.permutations(parts):
        joined = Reassembly()
        (message,) = feed_all(joined, list(order))
        assert message.outcome is Outcome.COMPLETE
        assert message.text(PLAIN) == text
        assert message.missing == ()
        assert (message.source, message.destination) == (b"8613800000001", b"10690001")
        assert message.contexts == tuple(part.context for part in order)
        assert (len(joined), joined.octets) == (0, 0)


@pytest.mark.parametrize("data_sm", [False, True])
def test_e77_a_message_payload_and_a_single_part_are_whole_at_once(data_sm: bool) -> None:
    for text in (SMS, CHINESE, "short", "验"):
        (part,) = parts_of(text, segmentation="payload", data_sm=data_sm)
        (message,) = Reassembly().feed(part, 0.0)
        assert (message.outcome, message.text(PLAIN)) == (Outcome.COMPLETE, text)
    lonely = InboundPart(b"a", b"b", Concatenation(1, 1, 1), 0, b"whole")
    (message,) = Reassembly().feed(lonely, 0.0)
    assert message.text(PLAIN) == "whole"


def test_e77_two_senders_with_one_reference_at_a_time() -> None:
    one = parts_of(SMS, source=b"one")
    two = parts_of(CHINESE, source=b"two")
    mixed = [part for pair in zip(one, two, strict=True) for part in pair]
    for seed in range(50):
        random.Random(seed).shuffle(mixed)
        messages = feed_all(Reassembly(), mixed)
        assert {(message.source, message.text(PLAIN)) for message in messages} == {
            (b"one", SMS),
            (b"two", CHINESE),
        }


@pytest.mark.parametrize("field", ["destination", "reference", "total"])
def test_e77_other_destinations_references_and_totals_are_other_messages(field: str) -> None:
    joined = Reassembly()
    first = InboundPart(b"s", b"d", Concatenation(1, 2, 1), 0, b"first ")
    other = {
        "destination": InboundPart(b"s", b"e", Concatenation(1, 2, 2), 0, b"other"),
        "reference": InboundPart(b"s", b"d", Concatenation(2, 2, 2), 0, b"other"),
        "total": InboundPart(b"s", b"d", Concatenation(1, 3, 2), 0, b"other"),
    }[field]
    assert feed_all(joined, [first, other]) == []
    (message,) = joined.feed(InboundPart(b"s", b"d", Concatenation(1, 2, 2), 0, b"second"), 0.0)
    assert message.text(PLAIN) == "first second"
    assert len(joined) == 1


def test_e77_a_key_that_comes_again_with_other_content_begins_a_new_message() -> None:
    joined = Reassembly()
    old = parts_of(SMS)
    new = parts_of(SMS.replace("one", "two"))
    messages = feed_all(joined, [old[0], old[1], new[0], new[1], new[2]])
    assert [message.outcome for message in messages] == [Outcome.SUPERSEDED, Outcome.COMPLETE]
    assert messages[0].missing == (3,)
    assert messages[0].contexts == (0, 1)
    assert messages[1].text(PLAIN) == SMS.replace("one", "two")
    assert joined.counters.superseded == 1


def test_e77_a_timeout_gives_what_came_with_its_gaps_marked() -> None:
    joined = Reassembly(timeout_seconds=60.0)
    parts = parts_of("a" * 153 + "b" * 153 + "c" * 153 + "d" * 100)
    assert joined.deadline() is None
    assert feed_all(joined, [parts[3]], now=10.0) == []
    assert feed_all(joined, [parts[1]], now=30.0) == []
    assert joined.deadline() == 70.0
    assert joined.expire(69.9) == []
    (message,) = joined.expire(70.0)
    assert message.outcome is Outcome.TIMED_OUT
    assert message.missing == (1, 3)
    assert message.text(PLAIN) == f"{GAP_MARK}{'b' * 153}{GAP_MARK}{'d' * 100}"
    assert message.text(PLAIN, gap="?") == f"?{'b' * 153}?{'d' * 100}"
    assert message.contexts == (3, 1)
    assert (len(joined), joined.octets, joined.deadline()) == (0, 0, None)
    # What comes after that is a message of its own again.
    assert joined.feed(parts[0], 80.0) == []
    assert joined.deadline() == 140.0


def test_e77_two_gaps_in_a_row_are_one_mark_and_a_mark_in_the_text_stays() -> None:
    parts = (None, None, (0, b"x"), None)
    assert Assembled(b"", b"", Outcome.TIMED_OUT, parts, ()).text(PLAIN) == "[…]x[…]"
    marked = ((8, GAP_MARK.encode("utf-16-be")),)
    assert Assembled(b"", b"", Outcome.COMPLETE, marked, ()).text(PLAIN) == GAP_MARK


def test_e73_a_surrogate_pair_that_a_phone_cut_and_parts_in_two_alphabets() -> None:
    joined = Reassembly()
    octets = "ab😀cd".encode("utf-16-be")
    pieces = [(8, octets[:6]), (8, octets[6:]), (0, b"\x00 home")]
    (message,) = feed_all(
        joined,
        [
            InboundPart(b"s", b"d", Concatenation(1, 3, number), coding, piece)
            for number, (coding, piece) in enumerate(pieces, start=1)
        ],
    )
    assert message.text(PLAIN) == "ab😀cd@ home"


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_e77_what_a_carrier_sends_again_is_no_second_message(order: tuple[int, ...]) -> None:
    joined = Reassembly(timeout_seconds=60.0)
    parts = parts_of(SMS)
    feed_all(joined, parts)
    # Wholly, and in part: reported for its answers, once.
    (again,) = feed_all(joined, [parts[n] for n in order], now=1.0)
    assert (again.outcome, again.contexts) == (Outcome.DUPLICATE, order)
    assert joined.feed(parts[order[0]], 2.0) == []
    assert [message.outcome for message in joined.expire(62.0)] == [Outcome.DUPLICATE]
    assert joined.counters.completed == 1
    # Long after it is a text that somebody sent twice, whether or not expire was called.
    for now in (200.0, 260.0):
        (later,) = feed_all(joined, parts, now=now)
        assert later.outcome is Outcome.COMPLETE


def test_e77_a_new_text_that_begins_as_the_last_one_did_is_not_lost() -> None:
    joined = Reassembly()
    feed_all(joined, parts_of("a" * 153 + "first"))
    (message,) = feed_all(joined, parts_of("a" * 153 + "second"), now=1.0)
    assert message.outcome is Outcome.COMPLETE
    assert message.text(PLAIN) == "a" * 153 + "second"


def test_e77_a_repeated_part_before_the_message_is_whole_gives_back_both_contexts() -> None:
    joined = Reassembly()
    parts = parts_of(SMS)
    (message,) = feed_all(joined, [parts[0], parts[0], parts[2], parts[1]])
    assert message.text(PLAIN) == SMS
    assert message.contexts == (0, 0, 2, 1)


def test_the_oldest_message_makes_room_and_is_reported() -> None:
    joined = Reassembly(messages_max=3)
    opened = [parts_of(SMS, source=b"%d" % n)[0] for n in range(5)]
    gone = feed_all(joined, opened)
    assert [(message.source, message.outcome) for message in gone] == [
        (b"0", Outcome.EVICTED),
        (b"1", Outcome.EVICTED),
    ]
    assert all(message.missing == (2, 3) for message in gone)
    assert (len(joined), joined.counters.evicted) == (3, 2)
    drained = joined.drain()
    assert [message.source for message in drained] == [b"2", b"3", b"4"]
    assert (len(joined), joined.octets) == (0, 0)


def test_the_octets_held_are_bounded_even_by_one_message_and_by_repeats() -> None:
    joined = Reassembly(octets_max=3 * (PART_OVERHEAD_OCTETS + 100))
    for n in range(50):
        joined.feed(InboundPart(b"%d" % n, b"d", Concatenation(1, 2, 1), 0, bytes(100)), 0.0)
        assert joined.octets <= 3 * (PART_OVERHEAD_OCTETS + 100)
    assert len(joined) == 3
    same = InboundPart(b"s", b"d", Concatenation(1, 2, 1), 0, b"same")
    evicted = [message for _ in range(50) for message in joined.feed(same, 0.0)]
    assert joined.octets <= 3 * (PART_OVERHEAD_OCTETS + 100)
    assert any(message.source == b"s" for message in evicted)
    (huge,) = Reassembly(octets_max=1000).feed(
        InboundPart(b"s", b"d", Concatenation(1, 2, 1), 0, bytes(60_000)), 0.0
    )
    assert (huge.outcome, huge.missing) == (Outcome.EVICTED, (2,))


def test_what_is_remembered_of_complete_messages_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reassembly, "PARTS_REMEMBERED_MAX", 6)
    joined = Reassembly()
    three = [parts_of(SMS, source=b"%d" % n) for n in range(3)]
    for parts in three:
        feed_all(joined, parts)
    outcomes = [feed_all(joined, parts)[0].outcome for parts in reversed(three)]
    assert outcomes == [Outcome.DUPLICATE, Outcome.DUPLICATE, Outcome.COMPLETE]


@pytest.mark.parametrize(
    ("tlvs", "found"),
    [
        (((0x020C, b"\x01\x02"), (0x020E, b"\x03"), (0x020F, b"\x01")), Concatenation(258, 3, 1)),
        # a reference of one octet, numbers of two: seen, and clear enough
        (((0x020C, b"\x02"), (0x020E, b"\0\x03"), (0x020F, b"\0\x03")), Concatenation(2, 3, 3)),
        (((0x020C, b"\0\x02"), (0x020E, b"\x03"), (0x020F, b"\x04")), None),
        (((0x020C, b"\0\x02"), (0x020E, b"\x03"), (0x020F, b"\0")), None),
        (((0x020C, b"\0\x02"), (0x020E, b"\x01\x00"), (0x020F, b"\x01")), None),
        (((0x020C, b""), (0x020E, b"\x03"), (0x020F, b"\x01")), None),
        (((0x020C, b"\0\x02"), (0x020E, b"\x03")), None),
        ((), None),
    ],
)
def test_e77_sar_tlvs_that_peers_send(
    tlvs: tuple[tuple[int, bytes], ...], found: Concatenation | None
) -> None:
    assert sar_concatenation(tlvs) == found


def test_e77_sar_beside_a_header_that_speaks_of_ports_only() -> None:
    ports = bytes.fromhex("060504158a0000")
    tlvs = ((0x020C, b"\0\x07"), (0x020E, b"\x02"), (0x020F, b"\x01"))
    part = inbound_part(DeliverSm(1, esm_class=0x40, short_message=ports + b"text", tlvs=tlvs))
    assert (part.concatenation, part.octets) == (Concatenation(7, 2, 1), b"text")


@given(
    st.lists(
        st.builds(
            InboundPart,
            st.sampled_from([b"a", b"b"]),
            st.just(b"d"),
            st.one_of(
                st.none(),
                st.builds(Concatenation, st.integers(0, 1), st.just(3), st.integers(1, 3)),
            ),
            st.sampled_from([0, 8]),
            st.sampled_from([b"x", b"y", b"\xd8\x3d"]),
        ),
        max_size=60,
    ),
    st.integers(1, 3),
)
@settings(max_examples=200)
def test_e77_every_context_comes_back_exactly_once(
    parts: list[InboundPart], messages_max: int
) -> None:
    joined = Reassembly(messages_max=messages_max, timeout_seconds=10.0)
    back: list[object] = []
    for number, part in enumerate(parts):
        part.context = number
        for message in [*joined.feed(part, float(number)), *joined.expire(float(number))]:
            back += message.contexts
            assert isinstance(message.text(PLAIN), str)
            assert (message.missing == ()) or message.outcome is not Outcome.COMPLETE
        assert len(joined) <= messages_max
    for message in joined.drain():
        back += message.contexts
    assert sorted(back, key=str) == sorted(range(len(parts)), key=str)
    assert joined.octets == 0
    counters = joined.counters
    assert counters.parts == len(parts)


def test_e77_an_open_message_can_be_withdrawn_whole_or_not_at_all() -> None:
    reassembly = Reassembly()
    first, second, third = (
        InboundPart(b"1", b"2", Concatenation(7, 3, number), 0, b"text", number)
        for number in (1, 2, 3)
    )
    reassembly.feed(first, 0.0)
    reassembly.feed(second, 0.0)
    assert not reassembly.withdraw(third, {1})
    assert len(reassembly) == 1
    assert reassembly.withdraw(third, {1, 2})
    assert (len(reassembly), reassembly.octets, reassembly.deadline()) == (0, 0, None)
    assert not reassembly.withdraw(third, {1, 2})
