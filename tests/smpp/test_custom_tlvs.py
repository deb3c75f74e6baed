"""TLVs that people set on messages and connectors, and the names of tags (E82)."""

from __future__ import annotations

import msgspec
import pytest
from aiosmpplib import state
from hypothesis import given
from hypothesis import strategies as st

from smpp.custom_tlvs import CUSTOM_TLVS_MAX, CustomTlv, custom_tlvs, merged
from smpp.pdu import DataSm, DeliverSm, SubmitSm, SubmitSmResp, decode, encode
from smpp.tlv_tags import TLV_TAGS, tag_name, tag_number

octets = st.binary(max_size=300)
tlvs = st.lists(st.tuples(st.integers(0, 0xFFFF), octets), max_size=8).map(tuple)


@pytest.mark.parametrize(
    ("wanted", "value"),
    [
        # India's DLT: entity and template ids, by some carriers wanted with a NUL
        (CustomTlv("0x1400", text="1101123450000012345"), (0x1400, b"1101123450000012345")),
        (CustomTlv("0x1401", text="1107", terminated=True), (0x1401, b"1107\0")),
        (CustomTlv("5122", hex="00 ff 00"), (0x1402, b"\0\xff\0")),
        (CustomTlv("0x3FFF", text="商城"), (0x3FFF, "商城".encode())),
        (CustomTlv("0x1403", hex=""), (0x1403, b"")),
        (CustomTlv("user_message_reference", integer=513, octets=2), (0x0204, b"\x02\x01")),
        (CustomTlv("source_port", integer=0, octets=2), (0x020A, b"\0\0")),
        (CustomTlv("billing_identification", hex="80"), (0x060B, b"\x80")),
        (CustomTlv("dest_addr_np_country", integer=91), (0x0613, b"\0\0\0\x5b")),
        (CustomTlv("0x1404", integer=2**64 - 1, octets=8), (0x1404, b"\xff" * 8)),
    ],
)
def test_e82_vendor_tlvs_as_people_write_them(wanted: CustomTlv, value: tuple[int, bytes]) -> None:
    assert wanted.value() == value
    pdu = SubmitSm(1, short_message=b"x", tlvs=custom_tlvs([wanted]))
    back = decode(encode(pdu))
    assert isinstance(back, SubmitSm)
    assert back.tlvs == (value,)


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (CustomTlv("message_payload", text="x"), "message_payload is set by"),
        (CustomTlv("0x020C", text="x"), "sar_msg_ref_num is set by"),
        (CustomTlv("0x1400"), "one of text"),
        (CustomTlv("0x1400", text="x", hex="00"), "one of text"),
        (CustomTlv("0x1400", text="x" * 1025), "1025 octets"),
        (CustomTlv("0x1400", integer=1, octets=3), "1, 2, 4 or 8"),
        (CustomTlv("0x1400", integer=256, octets=1), "fit"),
        (CustomTlv("0x1400", integer=-1), "fit"),
        (CustomTlv("0x1400", hex="zz"), "hexadecimal"),
        (CustomTlv("0x0000", text="x"), "no TLV"),
        (CustomTlv("0", text="x"), "no TLV"),
        (CustomTlv("65536", text="x"), "no TLV"),
        (CustomTlv("0x10000", text="x"), "no TLV"),
        (CustomTlv("entity", text="x"), "'entity' is no TLV"),
        (CustomTlv("٥١٢٠", text="x"), "no TLV"),
        (CustomTlv("0x1400", text="\ud800"), "surrogates"),
    ],
)
def test_e82_what_is_no_tlv_is_refused_with_words(wanted: CustomTlv, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        wanted.value()


def test_e82_too_many_and_twice() -> None:
    many = [CustomTlv(str(0x1400 + n), text="x") for n in range(CUSTOM_TLVS_MAX + 1)]
    assert len(custom_tlvs(many[1:])) == CUSTOM_TLVS_MAX
    with pytest.raises(ValueError, match="most"):
        custom_tlvs(many)
    with pytest.raises(ValueError, match="0x1400 is given twice"):
        custom_tlvs([CustomTlv("0x1400", text="a"), CustomTlv("5120", text="b")])


def test_e82_a_message_replaces_and_adds_to_what_its_connector_sets() -> None:
    connector = ((0x1400, b"entity"), (0x1401, b"template"))
    assert merged(connector, ()) == connector
    assert merged((), connector) == connector
    assert merged(connector, ((0x1402, b"brand"), (0x1401, b"other"))) == (
        (0x1400, b"entity"),
        (0x1401, b"other"),
        (0x1402, b"brand"),
    )


def test_e82_a_config_file_states_them() -> None:
    table = [{"tag": "0x1400", "text": "1101"}, {"tag": "0x1401", "integer": 7, "octets": 1}]
    assert custom_tlvs(msgspec.convert(table, list[CustomTlv])) == (
        (0x1400, b"1101"),
        (0x1401, b"\x07"),
    )
    with pytest.raises(msgspec.ValidationError, match="nul"):
        msgspec.convert([{"tag": "0x1400", "nul": True}], list[CustomTlv])


@given(tlvs)
def test_e82_every_tlv_is_kept_byte_for_byte_by_every_pdu_that_has_some(
    some: tuple[tuple[int, bytes], ...],
) -> None:
    for pdu in (
        SubmitSm(1, short_message=b"x", tlvs=some),
        DeliverSm(1, short_message=b"x", tlvs=some),
        DataSm(1, tlvs=some),
        SubmitSmResp(1, 0, b"id", tlvs=some),
        SubmitSmResp(1, 0x58, b"", tlvs=((0x0428, b"\x50"), *some)),  # congestion_state, 5.0
    ):
        assert decode(encode(pdu)) == pdu


def test_e82_tags_by_name_are_those_of_an_independent_list() -> None:
    ours = {name.upper(): tag for name, tag in TLV_TAGS.items()}
    for name, tag in ours.items():
        if (tag < 0x0600 and name != "CONGESTION_STATE") or tag >= 0x1200:
            assert getattr(state, name) == tag, name
    assert len(set(ours.values())) == len(ours)
    for name, tag in TLV_TAGS.items():
        assert (tag_number(name), tag_name(tag)) == (tag, name)
        assert tag_number(f"0x{tag:04x}") == tag_number(str(tag)) == tag
    assert tag_name(0x1401) == "0x1401"
