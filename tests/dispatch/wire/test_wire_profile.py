"""What a carrier wants of texts, addresses and TLVs, on the wire and in the books."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.message import MessageOptions, ReadyMessage
from dispatch.wire.encoder import BegunDifferently, encode_message
from dispatch.wire.wire_profile import WireProfile
from dlr.status import Status
from ratelimit.spec import parse_rate
from smpp.addresses import AddressSettings
from smpp.encoding import Segmentation, TextSettings, read_text
from smpp.message_pdu import message_octets
from smpp.pdu import SubmitSm
from smpp.segmentation import split_header
from smpp.tlv import tlv_value
from smpp.vocabulary import (
    ESME_RTHROTTLED,
    TLV_SAR_MSG_REF_NUM,
    TLV_SAR_SEGMENT_SEQNUM,
    TLV_SAR_TOTAL_SEGMENTS,
)
from tests.dispatch.on_the_wire import Carrier, push, sending
from tests.dispatch.world import CLOCK, CONNECTOR, World, running

NOW_MS = 1_790_000_000_000
LONG = "0123456789" * 40  # 400 septets: three parts
PAYLOAD = WireProfile(text=TextSettings(segmentation="payload"))
segmentations = st.sampled_from(["udh8", "udh16", "sar", "payload"])


def message(text: str = "hello", **fields: object) -> ReadyMessage:
    defaults: dict[str, object] = {
        "id": 77, "category": 1, "account": 1, "parts": 1, "cost": 1, "to": "+8613812345678",
        "to_idx": b"", "sender": "SHOP",
    }  # fmt: skip
    return ReadyMessage(text=text, **(defaults | fields))  # type: ignore[arg-type]  # the fields' names are checked by the constructor


def one(profile: WireProfile, text: str = "hello", **fields: object) -> SubmitSm:
    [(_, submit_sm)] = encode_message(message(text, **fields), profile, NOW_MS).unsent
    return submit_sm


def test_e76_the_alphabet_and_its_number_are_the_carriers() -> None:
    latin = WireProfile(
        text=TextSettings(default_alphabet="latin1", data_codings={"latin1": 0, "ucs2": 0x18})
    )
    assert (one(latin, "smørrebrød").data_coding, one(latin, "smørrebrød").short_message) == (
        0,
        "smørrebrød".encode("latin-1"),
    )
    assert one(latin, "ž").data_coding == 0x18
    plain = WireProfile(text=TextSettings(smart_replacement=True))
    assert one(plain, "it’s").short_message == b"it's"


def test_sar_and_sixteen_bits_join_by_one_reference() -> None:
    sar = encode_message(message(LONG), WireProfile(text=TextSettings(segmentation="sar")), NOW_MS)
    tlvs = [dict(submit_sm.tlvs) for _, submit_sm in reversed(sar.unsent)]
    assert {each[TLV_SAR_MSG_REF_NUM] for each in tlvs} == {(77).to_bytes(2, "big")}
    assert [each[TLV_SAR_SEGMENT_SEQNUM] for each in tlvs] == [b"\1", b"\2", b"\3"]
    assert {each[TLV_SAR_TOTAL_SEGMENTS] for each in tlvs} == {b"\3"}
    wide = WireProfile(text=TextSettings(segmentation="udh16"))
    headers = [
        split_header(submit_sm.short_message)[0]
        for _, submit_sm in encode_message(message(LONG, id=0x1234), wide, NOW_MS).unsent
    ]
    assert {header.reference for header in headers if header} == {0x1234}
    assert all(headers)


def test_a_payload_is_one_submit_sm_of_several_parts() -> None:
    encoded = encode_message(message(LONG, parts=3, cost=3), PAYLOAD, NOW_MS)
    [(number, submit_sm)] = encoded.unsent
    assert (number, submit_sm.short_message, message_octets(submit_sm)) == (1, b"", LONG.encode())
    assert (encoded.total, encoded.segments, encoded.parts, encoded.cost) == (1, 3, 3, 3)


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=600), segmentations, st.data())
def test_e79_missing_parts_are_the_same_octets_in_every_segmentation(
    text: str, segmentation: Segmentation, data: st.DataObject
) -> None:
    profile = WireProfile(text=TextSettings(segmentation=segmentation))
    first = encode_message(message(text), profile, NOW_MS)
    done = data.draw(st.sets(st.sampled_from([number for number, _ in first.unsent])))
    again = encode_message(
        message(text, parts=first.parts, parts_done=frozenset(done), attempt=1), profile, NOW_MS
    )
    assert again.unsent == [pair for pair in first.unsent if pair[0] not in done]
    assert again.cost == first.cost - len(done) * first.segments


def test_a_message_begun_in_other_parts_is_not_finished_here() -> None:
    """Its other parts would not join on a phone."""
    begun = message(LONG, parts=3, cost=2, parts_done=frozenset({1}))
    with pytest.raises(BegunDifferently):
        encode_message(begun, WireProfile(text=TextSettings(default_alphabet="ucs2")), NOW_MS)


def test_e83_the_carriers_ton_and_npi_go_out() -> None:
    profile = WireProfile(
        addresses=AddressSettings(source={"alphanumeric": (5, 9)}, destination={"any": (0, 1)})
    )
    pdu = one(profile)
    assert (pdu.source_addr_ton, pdu.source_addr_npi, pdu.source_addr) == (5, 9, b"SHOP")
    assert (pdu.dest_addr_ton, pdu.dest_addr_npi) == (0, 1)
    assert pdu.destination_addr == b"8613812345678"


def test_e82_tlvs_of_the_connector_and_of_the_message_are_on_every_part() -> None:
    profile = WireProfile(tlvs=((0x1400, b"entity"), (0x1401, b"template")))
    own = MessageOptions(tlvs=((0x1401, b"mine"), (0x1402, b"\0")))
    encoded = encode_message(message(LONG, options=own), profile, NOW_MS)
    assert {submit_sm.tlvs for _, submit_sm in encoded.unsent} == {
        ((0x1400, b"entity"), (0x1401, b"mine"), (0x1402, b"\0"))
    }
    assert one(profile).tlvs == profile.tlvs


# Without U+FFFE, which is no character: in front it is the mark of the other byte order (E71).
@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\ufffe"), min_size=1, max_size=400),
    segmentations,
)
def test_the_carrier_reads_what_was_written(text: str, segmentation: Segmentation) -> None:
    settings = TextSettings(segmentation=segmentation)
    encoded = encode_message(message(text), WireProfile(text=settings), NOW_MS)
    read = [
        read_text(
            split_header(message_octets(pdu))[1] if pdu.esm_class & 0x40 else message_octets(pdu),
            pdu.data_coding,
            settings,
        )
        for _, pdu in reversed(encoded.unsent)
    ]
    assert "".join(read) == text.removeprefix("\ufeff")
    for _, pdu in encoded.unsent:
        assert (tlv_value(pdu.tlvs, TLV_SAR_TOTAL_SEGMENTS) is None) == (
            segmentation != "sar" or encoded.total == 1
        )


# -- through a connector ---------------------------------------------------------------------------


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with running(database_url) as world:
        yield world


async def test_e39_a_payload_costs_its_parts_and_ends_with_its_one_answer(world: World) -> None:
    """Of three parts each, at a burst of four: one goes, the next waits for its three parts."""
    messages = [world.message(text=LONG, parts=3) for _ in range(4)]
    refused = iter([0, ESME_RTHROTTLED])
    carrier = Carrier(lambda _pdu: next(refused, 0))
    rate = parse_rate("200/s,burst=4")
    async with sending(world, carrier, rate=rate, profile=PAYLOAD) as dispatch:
        began = CLOCK.monotonic_ns()
        await world.store(messages)
        push(dispatch, messages)
        await carrier.came(5)  # the throttled one a second time
        took = (CLOCK.monotonic_ns() - began) / 1e9
        await world.until("SELECT count(*) FROM submit_intent", 0)
        await world.recorder.commits.drain()
        assert took >= (5 * 3 - 4) / 200  # what the carrier saw in that time, in parts
        assert (dispatch.parts_written, dispatch.parts_in_flight) == (5, 0)
        assert dispatch.ready.reserved == 0
    assert await world.results() == {(message.id, 1): Status.SENT for message in messages}
    rows = await world.connection.fetch("SELECT parts, segments FROM submission")
    assert {tuple(row) for row in rows} == {(1, 3)}
    assert await world.outbox() == {}


async def test_a_payload_larger_than_the_burst_goes_when_the_bucket_is_full(world: World) -> None:
    messages = [world.message(text=LONG, parts=3) for _ in range(2)]
    carrier = Carrier()
    async with sending(
        world, carrier, rate=parse_rate("100/s,burst=1"), profile=PAYLOAD
    ) as dispatch:
        await world.store(messages)
        push(dispatch, messages)
        await carrier.came(2)
        await world.until("SELECT count(*) FROM submit_intent", 0)
    assert len(await world.results()) == 2


async def test_parts_are_counted_anew_by_the_connector_that_sends(world: World) -> None:
    """Counted at accept for Latin-1 (one part), sent by a carrier that has none: two of UCS-2."""
    text = "ž" * 80
    messages = [world.message(text=text, parts=1), world.message(text=LONG, parts=1)]
    carrier = Carrier(lambda _pdu: None)
    async with sending(world, carrier, window=2) as dispatch:
        await world.store(messages)
        push(dispatch, messages)
        await carrier.came(2)
        carrier.answer_oldest(1)
        carrier.answer_oldest(1, ESME_RTHROTTLED)  # part 2 of the first comes again alone
        carrier.react = lambda _pdu: 0
        await carrier.came(2 + 1 + 3)
        await world.until("SELECT count(*) FROM submit_intent", 0)
        await world.recorder.commits.drain()
        await asyncio.sleep(0)
        assert dispatch.parts_in_flight == 0
        assert not len(dispatch.ready)
    assert await world.results() == {
        **{(messages[0].id, part): Status.SENT for part in (1, 2)},
        **{(messages[1].id, part): Status.SENT for part in (1, 2, 3)},
    }
    assert dispatch.connector == CONNECTOR
    counted = await world.connection.fetch(
        "SELECT message_id, max(parts) AS parts, sum(segments) AS segments FROM submission"
        " GROUP BY message_id ORDER BY message_id"
    )
    assert [(row["parts"], row["segments"]) for row in counted] == [(2, 2), (3, 3)]
