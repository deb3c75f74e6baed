"""query_sm, cancel_sm, replace_sm, submit_multi, outbind, alert_notification: octets and back."""

from __future__ import annotations

import pytest
import smpplib.command
from hypothesis import given, settings
from hypothesis import strategies as st
from smpplib import smpp as smpplib_codec

from smpp import vocabulary as v
from smpp.pdu import (
    AlertNotification,
    CancelSm,
    CancelSmResp,
    MessageResponse,
    OperationRequest,
    Outbind,
    Pdu,
    PduError,
    QuerySm,
    QuerySmResp,
    ReplaceSm,
    ReplaceSmResp,
    SubmitMulti,
    SubmitMultiResp,
    decode,
    encode,
    refusal_of,
)

octet = st.integers(0, 255)
unsigned = st.integers(0, 0xFFFFFFFF)
string = st.binary(max_size=30).map(lambda octets: octets.replace(b"\0", b""))
tlvs = st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=40)), max_size=4).map(tuple)
source = (octet, octet, string)
requests: st.SearchStrategy[OperationRequest] = st.one_of(
    st.builds(QuerySm, unsigned, string, *source, tlvs),
    st.builds(CancelSm, unsigned, string, string, *source, *source, tlvs),
    st.builds(
        ReplaceSm,
        *(unsigned, string, *source, string, string, octet, octet),
        st.binary(max_size=254),
        tlvs,
    ),
    st.builds(SubmitMulti, unsigned, string, *source, octet, st.binary(max_size=60)),
)
filled_id = string.filter(bool)
pdus: st.SearchStrategy[Pdu] = st.one_of(
    requests,
    # A refusal has no body, so nothing of one can come back; success and a named refusal have one.
    st.builds(QuerySmResp, unsigned, unsigned, filled_id, tlvs, string, octet, octet),
    st.builds(QuerySmResp, unsigned, unsigned),
    st.builds(CancelSmResp, unsigned, unsigned),
    st.builds(ReplaceSmResp, unsigned, unsigned),
    st.builds(SubmitMultiResp, unsigned, st.just(0), string, st.just(()), st.binary(max_size=40)),
    st.builds(SubmitMultiResp, unsigned, unsigned),
    st.builds(Outbind, unsigned, string, string),
    st.builds(AlertNotification, unsigned, *source, *source, tlvs),
)
COMMAND_IDS = [
    v.QUERY_SM,
    v.QUERY_SM_RESP,
    v.CANCEL_SM,
    v.CANCEL_SM_RESP,
    v.REPLACE_SM,
    v.REPLACE_SM_RESP,
    v.SUBMIT_MULTI,
    v.SUBMIT_MULTI_RESP,
    v.OUTBIND,
    v.ALERT_NOTIFICATION,
]


def frame(command_id: int, body: bytes, status: int = 0, sequence: int = 7) -> bytes:
    numbers = (16 + len(body), command_id, status, sequence)
    return b"".join(number.to_bytes(4, "big") for number in numbers) + body


@given(pdus)
@settings(max_examples=200)
def test_every_pdu_survives_the_round_trip(pdu: Pdu) -> None:
    octets = encode(pdu)
    assert int.from_bytes(octets[:4], "big") == len(octets)
    assert decode(octets) == pdu


def test_golden_octets() -> None:
    query = QuerySm(1, b"A1", 5, 0, b"SHOP")
    assert encode(query)[16:].hex(" ") == "41 31 00 05 00 53 48 4f 50 00"
    cancel = CancelSm(2, b"WAP", b"A1", 5, 0, b"SHOP", 1, 1, b"8613")
    assert encode(cancel)[16:].hex(" ") == (
        "57 41 50 00 41 31 00 05 00 53 48 4f 50 00 01 01 38 36 31 33 00"
    )
    replace = ReplaceSm(3, b"A1", 5, 0, b"SHOP", b"", b"000000010000000R", 1, 0, b"Hi")
    assert encode(replace)[16:].hex(" ") == (
        "41 31 00 05 00 53 48 4f 50 00 00 "
        "30 30 30 30 30 30 30 31 30 30 30 30 30 30 30 52 00 01 00 02 48 69"
    )
    alert = AlertNotification(4, 1, 1, b"8613", 0, 0, b"esme", ((0x0422, b"\x01"),))
    assert encode(alert)[16:].hex(" ") == (
        "01 01 38 36 31 33 00 00 00 65 73 6d 65 00 04 22 00 01 01"
    )
    state = QuerySmResp(5, 0, b"A1", (), b"", v.MessageState.DELIVERED, 9)
    assert encode(state)[16:].hex(" ") == "41 31 00 00 02 09"
    assert encode(Outbind(6, b"smsc", b"pw"))[16:] == b"smsc\0pw\0"


@pytest.mark.parametrize(
    "pdu",
    [
        QuerySm(1, b"a\0b"),
        QuerySm(1, b"a", 256),
        CancelSm(1, source_addr=b"\0"),
        CancelSm(1, dest_addr_npi=-1),
        ReplaceSm(1, short_message=bytes(255)),
        ReplaceSm(1, registered_delivery=256),
        QuerySmResp(1, 0, b"a", message_state=256),
        SubmitMulti(1, number_of_dests=256),
        Outbind(1, b"\0"),
        Outbind(1 << 32),
        AlertNotification(1, tlvs=((0x10000, b""),)),
    ],
)
def test_what_a_field_cannot_hold_is_our_own_mistake(pdu: Pdu) -> None:
    with pytest.raises(ValueError):
        encode(pdu)


@given(requests, unsigned)
def test_e10_submit_multi_and_the_others_are_refused_by_their_own_response(
    request: OperationRequest, status: int
) -> None:
    refusal = refusal_of(request, status)
    assert isinstance(refusal, MessageResponse)  # what a session's window settles
    octets = encode(refusal)
    command_id = int.from_bytes(encode(request)[4:8], "big")
    assert octets[4:16] == b"".join(
        number.to_bytes(4, "big")
        for number in (command_id | v.RESPONSE_BIT, status, request.sequence_number)
    )
    assert len(octets) == 16 or status == 0


def test_e10_a_submit_multi_is_read_as_far_as_its_sender_and_count() -> None:
    destinations = b"\x01\x01\x018613\0" + b"\x02list\0"
    body = b"\0\x05\0SHOP\0\x02" + destinations + b"anything"
    pdu = decode(frame(v.SUBMIT_MULTI, body))
    assert pdu == SubmitMulti(7, b"", 5, 0, b"SHOP", 2, destinations + b"anything")
    with pytest.raises(PduError) as caught:
        decode(frame(v.SUBMIT_MULTI, b"\0\x05\0SHOP\0"))
    assert caught.value.command_status == v.ESME_RINVNUMDESTS


def test_e69_a_query_sm_resp_is_read_as_far_as_it_goes() -> None:
    whole = b"A1\x00261130235959900+\0\x02\x09"
    full = QuerySmResp(7, 0, b"A1", (), b"261130235959900+", 2, 9)
    for size in range(len(whole) + 1):
        pdu = decode(frame(v.QUERY_SM_RESP, whole[:size]))
        assert isinstance(pdu, QuerySmResp)
        assert b"A1".startswith(pdu.message_id)
    assert decode(frame(v.QUERY_SM_RESP, whole)) == full
    assert decode(frame(v.QUERY_SM_RESP, whole[:-1])) == QuerySmResp(
        7, 0, b"A1", (), full.final_date, 2
    )
    assert decode(frame(v.QUERY_SM_RESP, b"", 0x67)) == QuerySmResp(7, 0x67)


@pytest.mark.parametrize("command_id", [v.CANCEL_SM_RESP, v.REPLACE_SM_RESP])
def test_e58_a_body_where_none_belongs_is_passed_over(command_id: int) -> None:
    pdu = decode(frame(command_id, b"body\0", 0x11))
    assert isinstance(pdu, CancelSmResp | ReplaceSmResp)
    assert (pdu.sequence_number, pdu.command_status, pdu.message_id) == (7, 0x11, b"")


@pytest.mark.parametrize(
    ("command_id", "body", "status"),
    [
        (v.QUERY_SM, b"no-nul", v.ESME_RINVMSGID),
        (v.QUERY_SM, b"id\0\1", v.ESME_RINVSRCADR),
        (v.QUERY_SM, b"id\0\1\1src", v.ESME_RINVSRCADR),
        (v.CANCEL_SM, b"service", v.ESME_RINVSERTYP),
        (v.CANCEL_SM, b"\0id\0\1\1src\0\1", v.ESME_RINVDSTADR),
        (v.REPLACE_SM, b"id\0\1\1src\0when", v.ESME_RINVSCHED),
        (v.REPLACE_SM, b"id\0\1\1src\0\0until", v.ESME_RINVEXPIRY),
        (v.REPLACE_SM, b"id\0\1\1src\0\0\0\1\0", v.ESME_RINVMSGLEN),
        (v.REPLACE_SM, b"id\0\1\1src\0\0\0\1\0\x05four", v.ESME_RINVMSGLEN),
        (v.REPLACE_SM, b"id\0\1\1src\0\0\0\1\0\x04four\x04\x24\0\x09", v.ESME_RINVOPTPARSTREAM),
        (v.OUTBIND, b"smsc", v.ESME_RINVSYSID),
        (v.ALERT_NOTIFICATION, b"\1\1src\0\1", v.ESME_RINVDSTADR),
    ],
)
def test_e69_a_broken_body_names_its_field(command_id: int, body: bytes, status: int) -> None:
    with pytest.raises(PduError) as caught:
        decode(frame(command_id, body))
    error = caught.value
    assert (error.command_status, error.command_id, error.sequence_number) == (
        status,
        command_id,
        7,
    )


@given(st.sampled_from(COMMAND_IDS), st.binary(max_size=60), unsigned, unsigned)
@settings(max_examples=200)
def test_e65_no_body_raises_anything_but_pdu_error(
    command_id: int, body: bytes, status: int, sequence: int
) -> None:
    try:
        pdu = decode(frame(command_id, body, status, sequence))
    except PduError as error:
        assert (error.command_id, error.sequence_number) == (command_id, sequence)
        assert not v.is_response(command_id)  # no short response is ever unreadable
    else:
        assert pdu.sequence_number == sequence


def test_e82_tlvs_of_any_pdu_are_kept_byte_for_byte() -> None:
    odd = ((0x1400, b""), (0x3FFF, b"\0"), (0x1400, b"again\0\0"), (0x060B, b"\xff" * 3))
    for pdu in (
        QuerySm(7, tlvs=odd),
        CancelSm(7, tlvs=odd),
        ReplaceSm(7, tlvs=odd),
        AlertNotification(7, tlvs=odd),
        QuerySmResp(7, 0, tlvs=odd),
    ):
        assert decode(encode(pdu)) == pdu


def test_a_password_is_never_printed() -> None:
    assert "hunter2" not in repr(Outbind(1, b"me", b"hunter2"))


ascii_string = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=20
).map(str.encode)
positive = st.integers(1, 0x7FFFFFFF)


@given(positive, ascii_string, octet, octet, ascii_string, octet, octet)
def test_smpplib_reads_and_writes_the_same_octets(
    sequence: int, message_id: bytes, ton: int, npi: int, address: bytes, state: int, error: int
) -> None:
    class Client:
        def next_sequence(self) -> int:
            return sequence

    ours = encode(QuerySm(sequence, message_id, ton, npi, address))
    theirs = smpplib_codec.make_pdu(
        "query_sm",
        client=Client(),
        message_id=message_id.decode(),
        source_addr_ton=ton,
        source_addr_npi=npi,
        source_addr=address.decode(),
    )
    assert isinstance(theirs, smpplib.command.QuerySM)
    assert theirs.generate() == ours
    answer = encode(QuerySmResp(sequence, 0, message_id, (), b"", state, error))
    read = smpplib_codec.parse_pdu(answer, client=Client())
    assert (read.message_id, read.message_state, read.error_code) == (message_id, state, error)
