"""What a profile or a directive makes of receipts, ids and inbound messages, and the capture."""

from __future__ import annotations

import json
import math
import re
import stat
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from smpp import vocabulary
from smpp.decoding import decode_text
from smpp.events import Delivery
from smpp.pdu import BindRequest, SubmitSm, decode, message_octets, tlv_value
from smpp.segmentation import split_header
from smpp.simulator import (
    CaptureError,
    CaptureLine,
    Profile,
    ProfileError,
    Simulator,
    parse_profile,
)
from smpp.simulator.capture import Capture
from smpp.simulator.directive import WRONG, directive_in, read_directive
from smpp.simulator.fates import Fate
from smpp.simulator.receipt_text import ReceiptText, receipt_text
from smpp.text import encode_text
from smpp.vocabulary import MessageState
from tests.smpp.recording import Listener, binding, eventually
from tests.smpp.simulator.test_simulator import many, messages, receipt_fields, simulating


def states(deliveries: list[Delivery]) -> list[str]:
    """The stat of each receipt, in the order of arrival."""
    return [
        message_octets(delivery.pdu).decode("ascii").split("stat:")[1].split()[0]
        for delivery in deliveries
    ]


def text_message(text: str, destination: bytes = b"8613800000009") -> SubmitSm:
    encoded = encode_text(text)
    return SubmitSm(
        0,
        destination_addr=destination,
        registered_delivery=1,
        data_coding=encoded.data_coding,
        short_message=encoded.parts[0],
    )


# --- profiles ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("intermediate_states = ['DELIVRD']", "DELIVRD"),
        ("[receipt_oddities]\nodd = 0.1", "odd"),
        ("[receipt_oddities]\nother_order = 0.6\nlower_case = 0.6", "more than 1 together"),
        ("receipt_text = false\nreceipt_tlvs = false", "says nothing"),
        ("inbound_texts = []", "inbound_texts is empty"),
        ("bind_refusal = 'ESME_ROK'", "bind_refusal is no refusal"),
        ("bind_refusal = 'ESME_RALYBOUND'", "did you mean 'ESME_RALYBND'"),
        ("message_id_style = 'roman'", "roman"),
        ("disconnect_after_submits = -1", "disconnect_after_submits"),
        ("malformed_share = 2", "malformed_share"),
    ],
)
def test_a_wrong_manner_says_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(ProfileError, match=re.escape(said)):
        parse_profile(text, "test")


# --- receipts ------------------------------------------------------------------------------------


async def test_intermediate_states_come_before_the_final_one() -> None:
    listener = Listener()
    fields: dict[str, Any] = {
        "intermediate_states": ("ACCEPTD", "ENROUTE"),
        "receipt_delay_ms": 90.0,
    }
    async with simulating(**fields) as carrier, binding(carrier.port, listener) as bind:
        bind.submit(messages("861300000009", "861300000001"))
        await listener.until(lambda: len(listener.received) == 6)
        by_number: dict[bytes, list[Delivery]] = {}
        for delivery in listener.received:
            by_number.setdefault(delivery.pdu.source_addr, []).append(delivery)
        assert states(by_number[b"861300000009"]) == ["ACCEPTD", "ENROUTE", "DELIVRD"]
        assert states(by_number[b"861300000001"]) == ["ACCEPTD", "ENROUTE", "UNDELIV"]
        found = [tlv_value(d.pdu.tlvs, vocabulary.TLV_MESSAGE_STATE) for d in listener.received]
        assert Counter(found)[bytes((MessageState.ENROUTE,))] == 2
        assert {d.pdu.esm_class for d in listener.received} == {4}
        await eventually(lambda: carrier.held == 0)


async def test_intermediate_notifications_are_marked_where_they_were_asked_for() -> None:
    listener = Listener()
    fields: dict[str, Any] = {"intermediate_states": ("ENROUTE",)}
    async with simulating(**fields) as carrier, binding(carrier.port, listener) as bind:
        bind.submit(messages("861300000009", registered=0x11))
        bind.submit(messages("861300000009", registered=vocabulary.REGISTERED_DELIVERY_ON_FAILURE))
        await listener.until(lambda: len(listener.received) == 2)
        await eventually(lambda: carrier.held == 0)
        assert sorted(delivery.pdu.esm_class for delivery in listener.received) == [0x04, 0x20]


async def test_receipts_may_come_in_the_wrong_order() -> None:
    listener = Listener()
    fields: dict[str, Any] = {
        "intermediate_states": ("ACCEPTD", "ENROUTE"),
        "receipts_reordered_share": 1.0,
        "receipt_delay_ms": 90.0,
    }
    async with simulating(**fields) as carrier, binding(carrier.port, listener) as bind:
        bind.submit(messages("861300000009"))
        await listener.until(lambda: len(listener.received) == 3)
        assert states(listener.received) == ["DELIVRD", "ACCEPTD", "ENROUTE"]


async def test_a_receipt_may_be_tlvs_alone() -> None:
    listener = Listener()
    async with (
        simulating(receipt_text=False) as carrier,
        binding(carrier.port, listener) as bind,
    ):
        bind.submit(messages("861300000009"))
        await listener.until(lambda: len(listener.received) == 1)
        pdu = listener.received[0].pdu
        assert message_octets(pdu) == b""
        receipted = tlv_value(pdu.tlvs, vocabulary.TLV_RECEIPTED_MESSAGE_ID)
        assert receipted == listener.answers[0].message_id + b"\0"
        state = tlv_value(pdu.tlvs, vocabulary.TLV_MESSAGE_STATE)
        assert state == bytes((MessageState.DELIVERED,))


FIELDS = ReceiptText(b"7", True, b"2511212358", b"2511212359", b"DELIVRD", b"000", b"stat: hello")
USUAL = (
    b"id:7 sub:001 dlvrd:001 submit date:2511212358 done date:2511212359 stat:DELIVRD err:000 "
    b"text:stat: hello"
)


@pytest.mark.parametrize(
    ("oddity", "expected"),
    [
        (None, USUAL),
        ("missing_fields", b"id:7 stat:DELIVRD"),
        (
            "other_order",
            b"stat:DELIVRD err:000 done date:2511212359 submit date:2511212358 dlvrd:001 sub:001 "
            b"id:7 text:stat: hello",
        ),
        ("dates_with_seconds", USUAL.replace(b"2358", b"235800").replace(b"2359", b"235900")),
        ("lower_case", USUAL.replace(b"DELIVRD", b"delivrd")),
        (
            "upper_case_keys",
            b"ID:7 SUB:001 DLVRD:001 SUBMIT DATE:2511212358 DONE DATE:2511212359 STAT:DELIVRD "
            b"ERR:000 TEXT:stat: hello",
        ),
        ("trailing_nul", USUAL + b"\0"),
    ],
)
def test_e2_the_oddities_of_receipt_texts(oddity: str | None, expected: bytes) -> None:
    assert receipt_text(FIELDS, oddity) == expected


async def test_e2_oddities_come_in_their_shares_and_the_seed_decides() -> None:
    async def texts() -> list[bytes]:
        listener = Listener()
        oddities = {"missing_fields": 0.5, "trailing_nul": 0.25}
        async with (
            simulating(receipt_oddities=oddities, seed=5) as carrier,
            binding(carrier.port, listener) as bind,
        ):
            bind.submit(messages(*many(100)))
            await listener.until(lambda: len(listener.received) == 100)
        received = {d.pdu.source_addr: message_octets(d.pdu) for d in listener.received}
        return [
            (b" sub:" in text and text[-1:]) or b"short" for _, text in sorted(received.items())
        ]

    first = await texts()
    assert Counter(first)[b"short"] == pytest.approx(50, abs=20)
    assert Counter(first)[b"\0"] == pytest.approx(25, abs=15)
    assert first == await texts()


@pytest.mark.parametrize(
    ("styles", "answered", "reported"),
    [
        ({"message_id_style": "decimal_padded"}, r"0+[1-9]\d+", r"0+[1-9]\d+"),
        (
            {"message_id_style": "hex_padded", "receipt_id_style": "hex"},
            r"0[0-9A-F]{15}",
            r"[^0].+",
        ),
        ({"message_id_style": "hex_lower", "receipt_id_style": "decimal"}, r"[0-9a-f]+", r"\d+"),
        ({"receipt_id_style": "hex_padded"}, r"\d+", r"0[0-9A-F]{15}"),
    ],
)
async def test_e1_ids_may_be_padded_or_in_lower_case(
    styles: dict[str, Any], answered: str, reported: str
) -> None:
    listener = Listener()
    async with simulating(**styles) as carrier, binding(carrier.port, listener) as bind:
        bind.submit(messages("861300000009"))
        await listener.until(lambda: len(listener.received) == 1)
        (receipt_id,) = receipt_fields(listener)
        message_id = listener.answers[0].message_id.decode()
        assert re.fullmatch(answered, message_id)
        assert re.fullmatch(reported, receipt_id)
        own = 10 if "decimal" in styles.get("message_id_style", "decimal") else 16
        told = {"hex": 16, "decimal": 10, "hex_padded": 16}.get(
            styles.get("receipt_id_style", ""), own
        )
        assert int(message_id, own) == int(receipt_id, told)


# --- directives ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        ("status=ESME_RTHROTTLED", Fate(command_status=vocabulary.ESME_RTHROTTLED)),
        ("status=0x480;answer=5ms", Fate(command_status=0x480, answer_after=0.005)),
        (
            "state=UNDELIV;error=027;delay=250ms",
            Fate(
                state=b"UNDELIV",
                error=b"027",
                message_state=MessageState.UNDELIVERABLE,
                receipt_after=0.25,
                intermediate=(),
            ),
        ),
        ("state=none", Fate(intermediate=())),
        ("answer=2s;state=none", Fate(answer_after=2.0, intermediate=())),
        ("answer=never;state=none", Fate(answer_after=math.inf, intermediate=())),
        ("state=none;intermediate=ENROUTE", Fate(intermediate=("ENROUTE",))),
        ("status=ESME_ROK;state=none;", Fate(intermediate=())),
        ("word=NOROUTE;error=9", Fate(state=b"NOROUTE", error=b"9", intermediate=())),
        ("word=NOROUTE;state=DELIVRD", WRONG),
        ("word=DELIVRD", WRONG),
        ("word=ENROUTE", WRONG),
        ("word=none", WRONG),
        ("word=NO", WRONG),
        ("state", WRONG),
        ("state=LOST", WRONG),
        ("state=none;state=none", WRONG),
        ("stat=DELIVRD", WRONG),
        ("status=ESME_NONE", WRONG),
        ("status=-1", WRONG),
        ("status=0x100000000", WRONG),
        ("error=12345", WRONG),
        ("delay=soon", WRONG),
        ("delay=99999999s", WRONG),
        ("intermediate=DELIVRD", WRONG),
    ],
)
def test_a_directive_is_read_or_refused(inner: str, expected: Fate) -> None:
    assert read_directive(inner) == expected
    assert directive_in(text_message(f"hello #sim{{{inner}}} there")) == expected  # GSM 03.38
    assert directive_in(text_message(f"你好 #sim{{{inner}}}")) == expected  # UCS-2


def test_text_without_a_directive_is_left_to_chance() -> None:
    for text in ("hello", "#similar", "#sim{", "你好 #sim", "{state=none}"):
        assert directive_in(text_message(text)) is None


def test_a_directive_is_found_behind_a_user_data_header() -> None:
    pdu = text_message("")
    pdu.esm_class = vocabulary.ESM_CLASS_UDHI
    pdu.short_message = b"\x05\x00\x03\x07\x02\x01" + encode_text("#sim{state=none}").parts[0]
    assert directive_in(pdu) == Fate(intermediate=())


async def test_a_directive_goes_before_the_number_and_chance() -> None:
    listener = Listener()
    profile: dict[str, Any] = {"submit_errors": {"ESME_RSYSERR": 1.0}}
    quick = {"response_timeout_seconds": 0.2}
    script = {
        "#sim{status=ESME_RMSGQFUL}": vocabulary.ESME_RMSGQFUL,
        "#sim{state=EXPIRED;error=099;delay=1ms;answer=5ms}": 0,
        "#sim{what}": vocabulary.ESME_RSUBMITFAIL,
        "plain": vocabulary.ESME_RSYSERR,
    }
    async with simulating(**profile) as carrier, binding(carrier.port, listener, quick) as bind:
        number = b"8613800000001"
        bind.submit([(text_message(text, number), text) for text in script if text != "plain"])
        bind.submit([(text_message("plain"), "plain")])
        bind.submit([(text_message("#sim{answer=never;state=none}", number), "never")])
        await listener.until(lambda: len(listener.answers) == len(script))
        assert {str(a.context): a.command_status for a in listener.answers} == script
        await listener.until(lambda: listener.expirations == ["never"])
        await listener.until(lambda: len(listener.received) == 1)
        assert list(receipt_fields(listener).values()) == [("EXPIRED", "099")]
        assert carrier.counters.answers_lost == 1


async def test_a_word_of_the_carriers_own_stands_in_the_text_alone() -> None:
    listener = Listener()
    async with simulating() as carrier, binding(carrier.port, listener) as bind:
        bind.submit([(text_message("#sim{word=NOROUTE}"), None)])
        await listener.until(lambda: len(listener.received) == 1)
    assert list(receipt_fields(listener).values()) == [("NOROUTE", "000")]
    [delivery] = listener.received
    assert tlv_value(delivery.pdu.tlvs, vocabulary.TLV_RECEIPTED_MESSAGE_ID) is not None
    assert tlv_value(delivery.pdu.tlvs, vocabulary.TLV_MESSAGE_STATE) is None


async def test_directives_can_be_switched_off() -> None:
    listener = Listener()
    async with simulating(directives=False) as carrier, binding(carrier.port, listener) as bind:
        bind.submit([(text_message("#sim{status=ESME_RMSGQFUL}"), None)])
        await listener.until(lambda: len(listener.answers) == 1)
        assert listener.answers[0].command_status == 0


# --- inbound -------------------------------------------------------------------------------------


async def test_handsets_write_in_one_part_or_several_and_ask_to_be_left_alone() -> None:
    listener = Listener()
    fields: dict[str, Any] = {"inbound_per_second": 400.0, "inbound_multipart_share": 0.3}
    async with simulating(**fields) as carrier, binding(carrier.port, listener):
        await listener.until(lambda: len(listener.received) > 300)
        assert carrier.counters.receipts_sent >= 300
    texts: Counter[str] = Counter()
    parts: dict[tuple[bytes, int], set[int]] = {}
    for delivery in listener.received:
        pdu = delivery.pdu
        octets = message_octets(pdu)
        assert re.fullmatch(rb"86138\d{8}", pdu.source_addr)
        if pdu.esm_class & vocabulary.ESM_CLASS_UDHI:
            concatenation, _ = split_header(octets)
            assert concatenation is not None
            key = (pdu.source_addr, concatenation.reference)
            parts.setdefault(key, set()).add(concatenation.sequence)
        else:
            texts[decode_text(octets, pdu.data_coding)] += 1
    assert set(texts) == set(Profile().inbound_texts)
    assert {"STOP", "TD", "退订"} <= set(texts)
    assert max(len(numbers) for numbers in parts.values()) >= 2


async def test_nobody_bound_gets_no_message_later() -> None:
    async with simulating(inbound_per_second=10_000.0) as carrier:
        carrier._inbound._tick()
        assert carrier.held == 0
        assert carrier._inbound.messages_sent == 0


# --- the capture ---------------------------------------------------------------------------------


def captured(path: Path) -> list[CaptureLine]:
    return [msgspec.json.decode(line, type=CaptureLine) for line in path.read_bytes().splitlines()]


async def test_the_capture_has_every_pdu_both_ways_and_no_password(tmp_path: Path) -> None:
    path = tmp_path / "capture.jsonl"
    simulator = Simulator(Profile(receipt_delay_ms=0.0), "127.0.0.1", 0, capture_path=path)
    await simulator.start()
    listener = Listener()
    async with binding(simulator.port, listener) as bind:
        bind.submit(messages("861300000009", "861300000006"))
        await listener.until(lambda: len(listener.received) == 1)
        await eventually(lambda: simulator.held == 0)
        await bind.stop(5.0)
    await simulator.stop()
    lines = captured(path)
    assert [(line.direction, line.command, line.status) for line in lines] == [
        ("in", "bind_transceiver", "ESME_ROK"),
        ("out", "bind_transceiver_resp", "ESME_ROK"),
        ("in", "submit_sm", "ESME_ROK"),
        ("in", "submit_sm", "ESME_ROK"),
        ("out", "submit_sm_resp", "ESME_ROK"),
        ("out", "submit_sm_resp", "ESME_RINVDSTADR"),
        ("out", "deliver_sm", "ESME_ROK"),
        ("in", "deliver_sm_resp", "ESME_ROK"),
        ("in", "unbind", "ESME_ROK"),
        ("out", "unbind_resp", "ESME_ROK"),
    ]
    assert {line.session for line in lines} == {1}
    assert [line.at for line in lines] == sorted(line.at for line in lines)
    for line in lines:
        assert decode(bytes.fromhex(line.hex)).sequence_number == line.sequence
    bound = decode(bytes.fromhex(lines[0].hex))
    assert isinstance(bound, BindRequest)
    assert (bound.system_id, bound.password) == (b"shop", b"******")
    assert b"secret".hex() not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text().splitlines()[0])["direction"] == "in"


def test_the_capture_is_bounded_and_buffered(tmp_path: Path) -> None:
    path = tmp_path / "capture.jsonl"
    capture = Capture(path, lambda: 1.0, bytes_max=2000)
    session = capture.session()
    frame = bytes.fromhex("00000010000000150000000000000001")  # enquire_link
    for _ in range(100):
        session.received(frame[:7])
        session.received(frame[7:])
    assert path.stat().st_size == 0
    session.closed()
    assert 1800 < path.stat().st_size <= 2000
    assert len(captured(path)) + capture.pdus_dropped == 100
    capture.close()
    again = Capture(path, lambda: 1.0, bytes_max=2000)  # what is there counts
    again.session().received(frame * 100)
    assert again.pdus_dropped >= 99
    again.close()


def test_a_stream_that_is_no_smpp_is_noted_once(tmp_path: Path) -> None:
    path = tmp_path / "capture.jsonl"
    capture = Capture(path, lambda: 1.0)
    session = capture.session()
    for _ in range(3):
        session.received(b"GET / HTTP/1.1\r\n")
    session.sent(bytes.fromhex("00000010000000060000000000000001"))
    capture.close()
    fault, unbind = captured(path)
    assert "no SMPP" in fault.fault
    assert (unbind.direction, unbind.command) == ("out", "unbind")


def test_a_capture_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match=r"capture .*: Is a directory"):
        Capture(tmp_path, lambda: 1.0)
