"""PDUs to octets and back, and what a peer may send instead of them (E62-E66, E69)."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from smpp import vocabulary as v
from smpp.pdu import (
    BindRequest,
    BindResp,
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Pdu,
    PduError,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
    Unknown,
    decode,
    encode,
    encode_many,
    message_octets,
    tlv_value,
)

octet = st.integers(0, 255)
unsigned = st.integers(0, 0xFFFFFFFF)
string = st.binary(max_size=30).map(lambda octets: octets.replace(b"\0", b""))
tlvs = st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=40)), max_size=4).map(tuple)
submit_fields = {
    "sequence_number": unsigned,
    "service_type": string,
    "source_addr_ton": octet,
    "source_addr_npi": octet,
    "source_addr": string,
    "dest_addr_ton": octet,
    "dest_addr_npi": octet,
    "destination_addr": string,
    "esm_class": octet,
    "protocol_id": octet,
    "priority_flag": octet,
    "schedule_delivery_time": string,
    "validity_period": string,
    "registered_delivery": octet,
    "replace_if_present_flag": octet,
    "data_coding": octet,
    "sm_default_msg_id": octet,
    "short_message": st.binary(max_size=254),
    "tlvs": tlvs,
}
response_fields = {
    "sequence_number": unsigned,
    "command_status": unsigned,
    "message_id": string,
    "tlvs": tlvs,
}
status_fields = {"sequence_number": unsigned, "command_status": unsigned}
bind_ids = st.sampled_from([v.BIND_TRANSMITTER, v.BIND_RECEIVER, v.BIND_TRANSCEIVER])
data_fields = {name: submit_fields[name] for name in DataSm.__struct_fields__}
pdus: st.SearchStrategy[Pdu] = st.one_of(
    st.builds(SubmitSm, **submit_fields),
    st.builds(DeliverSm, **submit_fields),
    st.builds(DataSm, **data_fields),
    st.builds(SubmitSmResp, **response_fields),
    st.builds(DeliverSmResp, **response_fields),
    st.builds(DataSmResp, **response_fields),
    st.builds(BindRequest, bind_ids, unsigned, string, string, string, octet, octet, octet, string),
    st.builds(
        BindResp, bind_ids.map(lambda i: i | v.RESPONSE_BIT), unsigned, unsigned, string, tlvs
    ),
    st.builds(Unbind, unsigned),
    st.builds(UnbindResp, **status_fields),
    st.builds(EnquireLink, unsigned),
    st.builds(EnquireLinkResp, **status_fields),
    st.builds(GenericNack, **status_fields),
    st.builds(Unknown, st.just(0x00010203), unsigned, unsigned, st.binary(max_size=50)),
)

COMMAND_IDS = [
    v.SUBMIT_SM,
    v.SUBMIT_SM_RESP,
    v.DELIVER_SM,
    v.DELIVER_SM_RESP,
    v.DATA_SM,
    v.DATA_SM_RESP,
    v.BIND_TRANSCEIVER,
    v.BIND_TRANSCEIVER_RESP,
    v.UNBIND,
    v.UNBIND_RESP,
    v.ENQUIRE_LINK,
    v.ENQUIRE_LINK_RESP,
    v.GENERIC_NACK,
    v.OUTBIND,
]


def frame(command_id: int, body: bytes, status: int = 0, sequence: int = 7) -> bytes:
    numbers = (16 + len(body), command_id, status, sequence)
    return b"".join(number.to_bytes(4, "big") for number in numbers) + body


@given(pdus)
def test_every_pdu_survives_the_round_trip(pdu: Pdu) -> None:
    octets = encode(pdu)
    assert int.from_bytes(octets[:4], "big") == len(octets)
    assert decode(octets) == pdu
    assert decode(memoryview(octets)) == pdu


@given(st.lists(pdus, max_size=6))
def test_many_are_the_same_octets_as_each(many: list[Pdu]) -> None:
    out = bytearray(b"before")
    encode_many(many, out)
    assert out == b"before" + b"".join(map(encode, many))


def test_a_batch_with_one_impossible_pdu_writes_nothing() -> None:
    out = bytearray()
    with pytest.raises(ValueError, match="NUL"):
        encode_many([EnquireLink(1), SubmitSm(2, source_addr=b"SH\0OP")], out)
    with pytest.raises(ValueError, match="batch"):
        encode_many([EnquireLink(1), EnquireLink(1 << 32)], out)
    assert out == b""


@pytest.mark.parametrize(
    "pdu",
    [
        SubmitSm(1, source_addr=b"\0"),
        SubmitSm(1, destination_addr=b"861\0"),
        SubmitSm(1, service_type=b"\0"),
        SubmitSm(1, schedule_delivery_time=b"\0"),
        SubmitSm(1, validity_period=b"\0"),
        SubmitSm(1, short_message=bytes(255)),
        SubmitSm(1, esm_class=256),
        SubmitSm(1, data_coding=-1),
        SubmitSm(1, tlvs=((0x1400, bytes(65536)),)),
        SubmitSm(1, tlvs=((0x10000, b""),)),
        DataSm(1, source_addr=b"\0"),
        SubmitSmResp(1, 0, b"a\0b"),
        BindRequest(password=b"\0"),
        Unbind(-1),
    ],
)
def test_what_a_field_cannot_hold_is_our_own_mistake(pdu: Pdu) -> None:
    with pytest.raises(ValueError):
        encode(pdu)


def test_golden_submit_sm() -> None:
    pdu = SubmitSm(
        1,
        source_addr_ton=5,
        source_addr=b"SHOP",
        dest_addr_ton=1,
        dest_addr_npi=1,
        destination_addr=b"8613812345678",
        registered_delivery=1,
        short_message=b"Hi",
    )
    assert encode(pdu).hex(" ") == (
        "00 00 00 34 00 00 00 04 00 00 00 00 00 00 00 01 00 05 00 53 48 4f 50 00 01 01 "
        "38 36 31 33 38 31 32 33 34 35 36 37 38 00 00 00 00 00 00 01 00 00 00 02 48 69"
    )


@pytest.mark.parametrize("status", [v.ESME_RTHROTTLED, 0x00000480, 0xFFFFFFFF])
@pytest.mark.parametrize(
    ("body", "message_id"),
    [(b"", b""), (b"\0", b""), (b"refused-1\0", b"refused-1"), (b"no-nul", b"no-nul")],
)
def test_e62_a_refusing_submit_sm_resp_with_and_without_body(
    status: int, body: bytes, message_id: bytes
) -> None:
    answer = decode(frame(v.SUBMIT_SM_RESP, body, status))
    assert answer == SubmitSmResp(7, status, message_id)
    assert type(answer.command_status) is int


def test_e62_we_send_both_forms() -> None:
    assert len(encode(SubmitSmResp(1, v.ESME_RMSGQFUL))) == 16
    assert encode(SubmitSmResp(1, v.ESME_RMSGQFUL, b"x"))[16:] == b"x\0"
    assert encode(SubmitSmResp(1))[16:] == b"\0"


@pytest.mark.parametrize("body", [b"", b"\0", b"4711\0"])
def test_e63_a_deliver_sm_resp_may_carry_a_message_id(body: bytes) -> None:
    expected = DeliverSmResp(7, 0, body.rstrip(b"\0"))
    assert decode(frame(v.DELIVER_SM_RESP, body)) == expected


@pytest.mark.parametrize(
    ("command_id", "expected"),
    [
        (v.ENQUIRE_LINK_RESP, EnquireLinkResp(7)),
        (v.ENQUIRE_LINK, EnquireLink(7)),
        (v.UNBIND_RESP, UnbindResp(7)),
        (v.UNBIND, Unbind(7)),
        (v.GENERIC_NACK, GenericNack(7)),
    ],
)
def test_e58_a_body_where_none_belongs_is_passed_over(command_id: int, expected: Pdu) -> None:
    assert decode(frame(command_id, b"body\0\x01")) == expected


def test_e62_a_refused_bind_without_body_and_an_accepted_one_with_vendor_tlvs() -> None:
    refused = decode(frame(v.BIND_TRANSCEIVER_RESP, b"", v.ESME_RALYBND))
    assert refused == BindResp(v.BIND_TRANSCEIVER_RESP, 7, v.ESME_RALYBND)
    body = b"smsc\0\x02\x10\x00\x01\x34\x14\x01\x00\x02\x00x"
    accepted = decode(frame(v.BIND_TRANSCEIVER_RESP, body))
    assert isinstance(accepted, BindResp)
    assert accepted.tlvs == ((v.TLV_SC_INTERFACE_VERSION, b"\x34"), (0x1401, b"\0x"))


def test_e69_a_broken_tail_does_not_cost_a_response() -> None:
    body = b"id-1\0\x14\x01\x00\x01z\x14\x02\x00\x09short"
    assert decode(frame(v.SUBMIT_SM_RESP, body)) == SubmitSmResp(7, 0, b"id-1", ((0x1401, b"z"),))


def test_e64_vendor_tlvs_are_kept_byte_for_byte_and_in_order() -> None:
    odd = (
        (0x1400, b""),
        (0x3FFF, b"\0"),
        (0x001E, b"id\0\0"),
        (0x1400, b"again"),
        (0, b"\xff" * 3),
    )
    pdu = DeliverSm(7, short_message=b"x", tlvs=odd)
    assert decode(encode(pdu)) == pdu
    assert tlv_value(odd, 0x1400) == b""
    assert tlv_value(odd, 0x0424) is None


@pytest.mark.parametrize("padding", [1, 2, 3])
def test_e64_nul_padding_behind_the_last_tlv_is_ignored(padding: int) -> None:
    body = encode(DeliverSm(7, short_message=b"x", tlvs=((0x1401, b"v"),)))[16:]
    pdu = decode(frame(v.DELIVER_SM, body + bytes(padding)))
    assert isinstance(pdu, DeliverSm)
    assert pdu.tlvs == ((0x1401, b"v"),)


@pytest.mark.parametrize("tail", [b"\x14", b"\x14\x01\x00", b"\x14\x01\x00\x02v", b"\0\0\0\1"])
@pytest.mark.parametrize("command_id", [v.SUBMIT_SM, v.DELIVER_SM, v.DATA_SM])
def test_e64_a_cut_tlv_in_a_request_is_refused_by_its_own_status(
    command_id: int, tail: bytes
) -> None:
    whole = encode(DataSm(7) if command_id == v.DATA_SM else SubmitSm(7, short_message=b"x"))
    with pytest.raises(PduError) as caught:
        decode(frame(command_id, whole[16:] + tail))
    error = caught.value
    assert (error.command_status, error.command_id, error.sequence_number) == (
        v.ESME_RINVOPTPARSTREAM,
        command_id,
        7,
    )


def test_e28_user_data_from_short_message_or_message_payload() -> None:
    payload = ((v.TLV_MESSAGE_PAYLOAD, b"long" * 100),)
    assert message_octets(DeliverSm(1, short_message=b"short", tlvs=payload)) == b"short"
    assert message_octets(DeliverSm(1, tlvs=payload)) == b"long" * 100
    assert message_octets(DataSm(1, tlvs=payload)) == b"long" * 100
    assert message_octets(DataSm(1)) == b""


def test_e69_over_long_and_non_ascii_strings_are_read() -> None:
    long_id = bytes(range(0x80, 0x100)) + b"x" * 100
    bind = BindRequest(v.BIND_RECEIVER, 7, system_id=long_id, password=b"longer than eight")
    assert decode(encode(bind)) == bind
    pdu = DeliverSm(7, source_addr="Café №1".encode(), destination_addr=b"9" * 60)
    assert decode(encode(pdu)) == pdu


@pytest.mark.parametrize(
    ("strings_before", "status"),
    [
        (b"", v.ESME_RINVSERTYP),
        (b"\0\1\1", v.ESME_RINVSRCADR),
        (b"\0\1\1src\0\1\1", v.ESME_RINVDSTADR),
        (b"\0\1\1src\0\1\1dst\0\0\0\0", v.ESME_RINVSCHED),
        (b"\0\1\1src\0\1\1dst\0\0\0\0\0", v.ESME_RINVEXPIRY),
    ],
)
@pytest.mark.parametrize("string_octets", [b"abc", b"a" * 256 + b"\0" * 9])
def test_e69_a_missing_nul_and_an_absurd_length_name_their_field(
    strings_before: bytes, status: int, string_octets: bytes
) -> None:
    with pytest.raises(PduError) as caught:
        decode(frame(v.DELIVER_SM, strings_before + string_octets))
    assert caught.value.command_status == status
    assert caught.value.sequence_number == 7
    assert b"aaa".decode() not in str(caught.value)


def test_e69_a_bind_without_the_last_nul_is_read_and_without_an_earlier_one_is_not() -> None:
    whole = encode(BindRequest(v.BIND_TRANSMITTER, 7, b"user", b"secret", b"", address_range=b"5"))
    assert decode(frame(v.BIND_TRANSMITTER, whole[16:-1])) == decode(whole)
    with pytest.raises(PduError) as caught:
        decode(frame(v.BIND_TRANSMITTER, b"user\0secret"))
    assert caught.value.command_status == v.ESME_RINVPASWD
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("sm_length", [4, 255])
def test_e69_sm_length_beyond_the_pdu(sm_length: int) -> None:
    body = encode(SubmitSm(7, short_message=b"abc"))[16:-4] + bytes((sm_length,)) + b"abc"
    with pytest.raises(PduError) as caught:
        decode(frame(v.SUBMIT_SM, body))
    assert caught.value.command_status == v.ESME_RINVMSGLEN


def test_e4_a_message_id_is_opaque_up_to_255_octets() -> None:
    for size in (1, 65, 255):
        assert decode(frame(v.SUBMIT_SM_RESP, b"\xe9" * size + b"\0")) == SubmitSmResp(
            7, 0, b"\xe9" * size
        )
    with pytest.raises(PduError) as caught:
        decode(frame(v.SUBMIT_SM_RESP, b"1" * 256 + b"\0"))
    assert caught.value.command_status == v.ESME_RINVMSGID


def test_unknown_commands_and_statuses_stay_what_they_are() -> None:
    assert decode(frame(0x00010203, b"\0body", 0x480)) == Unknown(0x00010203, 0x480, 7, b"\0body")
    assert decode(frame(v.GENERIC_NACK, b"", 0x480, 0)) == GenericNack(0, 0x480)
    assert v.status_name(v.ESME_RTHROTTLED) == "ESME_RTHROTTLED"
    assert v.status_name(0x480) == "0x00000480"
    assert v.command_name(v.SUBMIT_SM_RESP) == "submit_sm_resp"
    assert v.command_name(0x00010203) == "0x00010203"
    assert v.is_response(v.GENERIC_NACK)
    assert not v.is_response(v.SUBMIT_SM)


@pytest.mark.parametrize("octets", [b"", b"\0" * 15, frame(v.SUBMIT_SM, b"")[:-1]])
def test_less_than_a_header(octets: bytes) -> None:
    with pytest.raises(PduError) as caught:
        decode(octets)
    assert (caught.value.command_status, caught.value.sequence_number) == (v.ESME_RINVCMDLEN, 0)


def test_a_length_that_is_not_the_frames_length() -> None:
    with pytest.raises(PduError) as caught:
        decode(frame(v.ENQUIRE_LINK, b"")[:3] + b"\x11" + frame(v.ENQUIRE_LINK, b"")[4:])
    error = caught.value
    assert (error.command_status, error.command_id, error.sequence_number) == (
        v.ESME_RINVCMDLEN,
        v.ENQUIRE_LINK,
        7,
    )


@given(st.sampled_from(COMMAND_IDS), st.binary(max_size=80), unsigned, unsigned)
@example(v.DELIVER_SM, b"\0" * 17, 0, 1)
@settings(max_examples=200)
def test_e65_no_body_raises_anything_but_pdu_error(
    command_id: int, body: bytes, status: int, sequence: int
) -> None:
    try:
        pdu = decode(frame(command_id, body, status, sequence))
    except PduError as error:
        assert (error.command_id, error.sequence_number) == (command_id, sequence)
    else:
        assert pdu.sequence_number == sequence


@given(pdus, st.data())
@settings(max_examples=200)
def test_e65_no_damaged_pdu_raises_anything_but_pdu_error(pdu: Pdu, data: st.DataObject) -> None:
    octets = bytearray(encode(pdu))
    for _ in range(data.draw(st.integers(1, 4))):
        octets[data.draw(st.integers(16, len(octets) - 1)) if len(octets) > 16 else 4] = data.draw(
            octet
        )
    del octets[data.draw(st.integers(16, len(octets))) :]
    octets[:4] = len(octets).to_bytes(4, "big")
    try:
        decode(bytes(octets))
    except PduError as error:
        assert v.status_name(error.command_status).startswith("ESME_")


@given(st.binary(max_size=64))
def test_e65_no_octets_at_all_raise_anything_but_pdu_error(octets: bytes) -> None:
    try:
        decode(octets)
    except PduError as error:
        assert error.reason


def test_a_password_is_never_printed() -> None:
    assert "hunter2" not in repr(BindRequest(password=b"hunter2", system_id=b"me"))
