"""Our octets against three independent SMPP libraries and two GSM 03.38 codecs, both ways.

Each comparison is over the PDUs that the other library can express; where it cannot (unknown
numbers, non-ASCII, arbitrary TLVs) test_pdu.py stands alone.
"""

from __future__ import annotations

from datetime import timedelta

import aiosmpplib
import gsm0338 as gsm0338_package
import pytest
import smpp34
from aiosmpplib import state as aiosmpplib_state
from aiosmpplib.codec import GSM7BitCodec
from aiosmpplib.protocol import MESSAGE_TYPE_MAP
from hypothesis import given, settings
from hypothesis import strategies as st
from smpplib import smpp as smpplib_codec

from smpp import gsm0338
from smpp import vocabulary as v
from smpp.bind_settings import BIND_COMMANDS, BindSettings
from smpp.pdu import (
    BindRequest,
    BindResp,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Pdu,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
    decode,
    encode,
)
from smpp.text import encode_text
from smpp.times import relative


class SmpplibSequence:
    """smpplib asks its client object for sequence numbers."""

    def __init__(self, sequence: int) -> None:
        self.sequence = sequence

    def next_sequence(self) -> int:
        return self.sequence


def ascii_string(size_max: int) -> st.SearchStrategy[bytes]:
    return st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=size_max).map(
        str.encode
    )


octet = st.integers(0, 255)
sequences = st.integers(1, 0x7FFFFFFF)
tons = st.sampled_from([int(ton) for ton in aiosmpplib.TON])
npis = st.sampled_from([int(npi) for npi in aiosmpplib.NPI])
statuses = st.sampled_from([int(status) for status in aiosmpplib.SmppCommandStatus])
# from 30 days on aiosmpplib writes a month, which is a different time to a carrier
span_seconds = st.integers(1, 30 * 86400 - 1).map(lambda seconds: timedelta(seconds=seconds))
spans = st.one_of(st.just(b""), span_seconds.map(relative))
vendor_tlvs = st.lists(
    st.tuples(st.integers(0x1400, 0x3FFF), st.binary(max_size=20)), max_size=3
).map(tuple)

# aiosmpplib knows types for the tags it names and takes vendor tags for ASCII strings.
aiosmpplib_tlvs = st.lists(
    st.one_of(
        st.tuples(st.just(v.TLV_USER_MESSAGE_REFERENCE), st.binary(min_size=2, max_size=2)),
        st.tuples(st.just(v.TLV_MESSAGE_STATE), st.binary(min_size=1, max_size=1)),
        st.tuples(st.just(v.TLV_RECEIPTED_MESSAGE_ID), ascii_string(64).map(lambda s: s + b"\0")),
        st.tuples(st.integers(0x1400, 0x3FFF), ascii_string(20)),
    ),
    max_size=3,
).map(tuple)

gsm_text = st.text(
    st.sampled_from(sorted(gsm0338.BASIC_CHARACTERS | gsm0338.EXTENSION_CHARACTERS)),
    min_size=1,
    max_size=70,
)
ucs2_text = st.text(min_size=1, max_size=60).map(lambda text: (text + "验").replace("\ufeff", "."))


def short_messages(
    kind: type[SubmitSm] | type[DeliverSm],
    tlvs: st.SearchStrategy[tuple[tuple[int, bytes], ...]],
    ton: st.SearchStrategy[int],
    npi: st.SearchStrategy[int],
) -> st.SearchStrategy[SubmitSm | DeliverSm]:
    def build(text: str, **fields: object) -> SubmitSm | DeliverSm:
        encoded = encode_text(text, parts_max=1)
        pdu = kind(sequence_number=1)  # then set one by one: the strategies give the right types
        for name, value in fields.items():
            setattr(pdu, name, value)
        pdu.data_coding = encoded.data_coding
        pdu.short_message = encoded.parts[0]
        return pdu

    return st.builds(
        build,
        text=st.one_of(gsm_text, st.text("验证码ab", min_size=1, max_size=35)),
        sequence_number=sequences,
        service_type=ascii_string(5),
        source_addr_ton=ton,
        source_addr_npi=npi,
        source_addr=ascii_string(20),
        dest_addr_ton=ton,
        dest_addr_npi=npi,
        destination_addr=ascii_string(20),
        # without the UDHI bit, behind which aiosmpplib reads a header of its own
        esm_class=octet.map(lambda bits: bits & 0xBF),
        protocol_id=octet,
        priority_flag=octet,
        schedule_delivery_time=spans,
        validity_period=spans,
        registered_delivery=octet,
        replace_if_present_flag=octet,
        sm_default_msg_id=octet,
        tlvs=tlvs,
    )


def aiosmpplib_reads_and_writes(octets: bytes) -> tuple[aiosmpplib.SmppMessage, bytes]:
    header = aiosmpplib.SmppMessage.parse_header(octets)
    message = MESSAGE_TYPE_MAP[header.smpp_command].from_pdu(octets, header, "gsm0338")
    return message, message.pdu()


@pytest.mark.parametrize("kind", [SubmitSm, DeliverSm])
@given(data=st.data())
def test_aiosmpplib_reads_our_messages_and_writes_the_same_octets(
    kind: type[SubmitSm] | type[DeliverSm], data: st.DataObject
) -> None:
    pdu = data.draw(short_messages(kind, aiosmpplib_tlvs, tons, npis))
    octets = encode(pdu)
    message, theirs = aiosmpplib_reads_and_writes(octets)
    assert theirs == octets
    assert message.sequence_num == pdu.sequence_number
    assert decode(theirs) == pdu


@given(
    text=st.one_of(gsm_text, ucs2_text),
    source=ascii_string(20),
    destination=ascii_string(20),
    sequence=sequences,
    validity=st.one_of(st.none(), span_seconds),
    message_id=ascii_string(30),
)
def test_we_read_what_aiosmpplib_writes(
    text: str,
    source: bytes,
    destination: bytes,
    sequence: int,
    validity: timedelta | None,
    message_id: bytes,
) -> None:
    theirs = aiosmpplib.SubmitSm(
        sequence_num=sequence,
        short_message=text,
        source=aiosmpplib.PhoneNumber(source.decode(), aiosmpplib.TON.ALPHANUMERIC),
        destination=aiosmpplib.PhoneNumber(destination.decode(), aiosmpplib.TON.INTERNATIONAL),
        validity_period=validity,
        optional_params=[
            aiosmpplib.OptionalParam(aiosmpplib_state.RECEIPTED_MESSAGE_ID, message_id.decode())
        ],
    )
    pdu = decode(theirs.pdu())
    assert isinstance(pdu, SubmitSm)
    encoded = encode_text(text, parts_max=2)
    assert pdu.data_coding == encoded.data_coding
    if len(encoded.parts) == 1:  # aiosmpplib puts up to 254 octets into one
        assert pdu.short_message == encoded.parts[0]
    assert (pdu.source_addr_ton, pdu.source_addr) == (5, source)
    assert (pdu.dest_addr_ton, pdu.destination_addr) == (1, destination)
    assert pdu.validity_period == (relative(validity) if validity else b"")
    assert pdu.tlvs == ((v.TLV_RECEIPTED_MESSAGE_ID, message_id + b"\0"),)
    assert encode(pdu) == theirs.pdu()


@given(
    st.one_of(
        # aiosmpplib sends an empty body where SMPP 3.4 asks for none, so refusals have an id here
        st.builds(SubmitSmResp, sequences, statuses, ascii_string(64).filter(bool)),
        st.builds(SubmitSmResp, sequences, st.just(0), ascii_string(64)),
        st.builds(DeliverSmResp, sequences, statuses, ascii_string(64)),
        st.builds(
            BindRequest,
            st.sampled_from([v.BIND_TRANSMITTER, v.BIND_RECEIVER, v.BIND_TRANSCEIVER]),
            sequences,
            ascii_string(15),
            ascii_string(8),
            ascii_string(12),
            octet,
            tons,
            npis,
            ascii_string(40),
        ),
        st.builds(
            BindResp,
            st.sampled_from(
                [v.BIND_TRANSMITTER_RESP, v.BIND_RECEIVER_RESP, v.BIND_TRANSCEIVER_RESP]
            ),
            sequences,
            statuses,
            ascii_string(15).filter(bool),
            st.sampled_from([(), ((v.TLV_SC_INTERFACE_VERSION, b"\x34"),)]),
        ),
        st.builds(EnquireLink, sequences),
        st.builds(EnquireLinkResp, sequences, statuses),
        st.builds(Unbind, sequences),
        st.builds(UnbindResp, sequences, statuses),
        st.builds(GenericNack, sequences, statuses),
    )
)
@settings(max_examples=200)
def test_aiosmpplib_reads_every_other_pdu_and_writes_the_same_octets(pdu: Pdu) -> None:
    octets = encode(pdu)
    message, theirs = aiosmpplib_reads_and_writes(octets)
    assert theirs == octets
    assert message.sequence_num == pdu.sequence_number
    assert decode(theirs) == pdu


@given(
    st.sampled_from(sorted(BIND_COMMANDS)),
    ascii_string(12),
    st.sampled_from([0x33, 0x34, 0x50]),
    tons,
    npis,
    ascii_string(40),
)
def test_e99_aiosmpplib_reads_the_bind_that_settings_ask_for(
    bind: str, system_type: bytes, version: int, ton: int, npi: int, address_range: bytes
) -> None:
    settings = BindSettings(
        host="h",
        port=1,
        system_id="shop",
        password="secret",
        system_type=system_type.decode(),
        bind=bind,
        interface_version=version,
        addr_ton=ton,
        addr_npi=npi,
        address_range=address_range.decode(),
    )
    request = settings.bind_request()
    octets = encode(request)
    message, theirs = aiosmpplib_reads_and_writes(octets)
    assert theirs == octets
    assert decode(theirs) == request
    assert isinstance(message, aiosmpplib.protocol.BindTransceiver)
    assert message.interface_version == version
    assert (message.addr_ton, message.addr_npi, message.address_range) == (
        ton,
        npi,
        address_range.decode(),
    )


@pytest.mark.parametrize(
    ("kind", "peer"), [(SubmitSm, smpp34.SubmitSm), (DeliverSm, smpp34.DeliverSm)]
)
@given(data=st.data())
def test_smpp34_writes_and_reads_the_same_octets(
    kind: type[SubmitSm] | type[DeliverSm],
    peer: type[smpp34.SubmitSm] | type[smpp34.DeliverSm],
    data: st.DataObject,
) -> None:
    pdu = data.draw(short_messages(kind, vendor_tlvs, octet, octet))
    theirs = peer(
        pdu.source_addr.decode(),
        pdu.destination_addr.decode(),
        pdu.short_message,
        service_type=pdu.service_type.decode(),
        source_addr_ton=pdu.source_addr_ton,
        source_addr_npi=pdu.source_addr_npi,
        dest_addr_ton=pdu.dest_addr_ton,
        dest_addr_npi=pdu.dest_addr_npi,
        esm_class=pdu.esm_class,
        protocol_id=pdu.protocol_id,
        priority_flag=pdu.priority_flag,
        schedule_delivery_time=pdu.schedule_delivery_time.decode(),
        validity_period=pdu.validity_period.decode(),
        registered_delivery=pdu.registered_delivery,
        replace_if_present_flag=pdu.replace_if_present_flag,
        data_coding=pdu.data_coding,
        sm_default_msg_id=pdu.sm_default_msg_id,
        tlvs=[smpp34.Tlv(tag, value) for tag, value in pdu.tlvs],
        sequence_number=pdu.sequence_number,
    ).encode()
    assert encode(pdu) == theirs
    assert decode(theirs) == pdu
    read = smpp34.decode(encode(pdu))
    assert isinstance(read, peer)
    assert read.encode() == theirs
    assert read.short_message == pdu.short_message
    assert tuple((tlv.tag, tlv.value) for tlv in read.tlvs) == pdu.tlvs


@pytest.mark.parametrize(("kind", "name"), [(SubmitSm, "submit_sm"), (DeliverSm, "deliver_sm")])
@given(data=st.data())
def test_smpplib_writes_and_reads_the_same_octets(
    kind: type[SubmitSm] | type[DeliverSm], name: str, data: st.DataObject
) -> None:
    tlvs = st.sampled_from([(), ((v.TLV_MESSAGE_PAYLOAD, b"payload"),)])
    pdu = data.draw(short_messages(kind, tlvs, octet, octet))
    fields = {
        field: getattr(pdu, field)
        for field in SubmitSm.__struct_fields__
        if field not in ("sequence_number", "tlvs")
    }
    if pdu.tlvs:  # smpplib forbids the payload beside a short_message
        pdu.short_message = fields["short_message"] = b""
        fields["message_payload"] = pdu.tlvs[0][1]
    strings = {"service_type", "source_addr", "destination_addr"}
    strings |= {"schedule_delivery_time", "validity_period"}
    theirs = smpplib_codec.make_pdu(
        name,
        client=SmpplibSequence(pdu.sequence_number),
        **{field: value.decode() if field in strings else value for field, value in fields.items()},
    ).generate()
    assert encode(pdu) == theirs
    assert decode(theirs) == pdu
    read = smpplib_codec.parse_pdu(encode(pdu), client=SmpplibSequence(1))
    assert read.sequence == pdu.sequence_number
    for field, value in fields.items():
        if field != "short_message" or value:
            assert getattr(read, field) == value, field


@given(sequences, statuses, ascii_string(64))
def test_smpplib_reads_our_responses(sequence: int, status: int, message_id: bytes) -> None:
    read = smpplib_codec.parse_pdu(
        encode(SubmitSmResp(sequence, status, message_id)), client=SmpplibSequence(1)
    )
    assert (read.command, read.sequence, read.status) == ("submit_sm_resp", sequence, status)
    assert (read.message_id or b"") == message_id


@given(st.one_of(gsm_text, st.text(max_size=80)))
@settings(max_examples=200)
def test_two_other_gsm_codecs_agree(text: str) -> None:
    septets = gsm0338.encode(text)
    for codec in (GSM7BitCodec(), gsm0338_package.Codec()):
        if septets is None or "\x1b" in text:
            with pytest.raises(UnicodeEncodeError):
                GSM7BitCodec().encode(text)
        else:
            assert codec.encode(text)[0] == septets
            assert codec.decode(septets)[0] == text
            assert gsm0338.decode(septets) == text


def test_two_other_gsm_codecs_agree_on_every_character_there_is() -> None:
    package = gsm0338_package.Codec()
    for point in range(0x1_0100):
        text = chr(point)
        ours = gsm0338.encode(text)
        try:
            theirs = GSM7BitCodec().encode(text)[0]
        except UnicodeEncodeError:
            theirs = None
        assert ours == theirs, hex(point)
        if ours is not None:
            assert package.encode(text)[0] == ours
        assert (gsm0338.characters_outside(text) == "") == (ours is not None)


@given(st.binary(max_size=60).map(lambda octets: bytes(octet & 0x7F for octet in octets)))
def test_the_gsm0338_package_reads_septets_as_we_do(septets: bytes) -> None:
    try:
        theirs = gsm0338_package.Codec().decode(septets)[0]
    except UnicodeDecodeError:
        return  # an ESC pair that no table has; ours shows the basic character
    if septets[-1:] != b"\x1b":
        assert gsm0338.decode(septets) == theirs
