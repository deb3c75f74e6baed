"""Our octets against smpp.pdu3 (the codec of Jasmin), in one batch through a Python of its own.

Covers what the libraries of test_oracles.py lack: data_sm, cancel_sm, outbind, alert_notification
and TLVs by their names. smpp.pdu3 cannot write replace_sm and submit_multi at all, and drops vendor
TLVs; test_query_pdu.py and test_custom_tlvs.py stand alone there.
"""

from __future__ import annotations

import json
import os
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from smpp import vocabulary as v
from smpp.encoding import TextSettings, submit_parts
from smpp.pdu import (
    AlertNotification,
    BindRequest,
    BindResp,
    CancelSm,
    CancelSmResp,
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Outbind,
    Pdu,
    QuerySm,
    QuerySmResp,
    ReplaceSmResp,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
    encode,
)
from smpp.times import relative

ROOT = Path(__file__).parents[2]
PYTHON = Path(os.environ.get("ORACLE_PYTHON", ROOT / ".venv-oracle" / "bin" / "python"))
SCRIPT = Path(__file__).with_name("pdu3_oracle.py")
TIMEOUT_SECONDS = 50
PDUS = 400

pytestmark = pytest.mark.skipif(
    not PYTHON.exists(), reason=f"smpp.pdu3 is not there: {PYTHON} is missing (make setup)"
)


def ascii_string(size_max: int, size_min: int = 0) -> st.SearchStrategy[bytes]:
    characters = st.characters(min_codepoint=0x21, max_codepoint=0x7E)
    return st.text(characters, min_size=size_min, max_size=size_max).map(str.encode)


sequences = st.integers(1, 0x7FFFFFFF)
statuses = st.sampled_from([v.ESME_ROK, v.ESME_RTHROTTLED, v.ESME_RSYSERR, v.ESME_RX_T_APPN])
tons = st.integers(0, 6)
npis = st.sampled_from([0, 1, 3, 4, 6, 8, 9, 10, 14, 18])
addresses = (tons, npis, ascii_string(20))
spans = st.one_of(
    st.just(b""),
    st.integers(1, 30 * 86400 - 1).map(lambda seconds: relative(timedelta(seconds=seconds))),
)
esm_classes = st.sampled_from([0x00, 0x01, 0x03, 0x04, 0x08, 0x20, 0x40, 0x43])
registered_deliveries = st.sampled_from([0x00, 0x01, 0x02, 0x10, 0x11])
data_codings = st.sampled_from([0, 1, 3, 4, 8, 0xF0])
# In the order in which smpp.pdu3 writes them, each at most once.
known_tlvs = st.tuples(
    st.sampled_from([(), ((v.TLV_USER_MESSAGE_REFERENCE, b"\x01\x02"),)]),
    st.sampled_from([(), ((0x020C, b"\0\x07"), (0x020E, b"\x02"), (0x020F, b"\x01"))]),
    st.one_of(
        st.just(()),
        st.binary(min_size=1, max_size=300).map(lambda octets: ((v.TLV_MESSAGE_PAYLOAD, octets),)),
    ),
).map(lambda groups: tuple(tlv for group in groups for tlv in group))


def short_messages(
    kind: type[SubmitSm] | type[DeliverSm], schedules: st.SearchStrategy[bytes]
) -> st.SearchStrategy[Pdu]:
    return st.builds(
        kind,
        sequences,
        ascii_string(5),
        *addresses,
        *addresses,
        esm_classes,
        st.integers(0, 255),
        st.integers(0, 3),
        schedules,
        spans,
        registered_deliveries,
        st.integers(0, 1),
        data_codings,
        st.integers(0, 254),
        st.binary(max_size=254),
        known_tlvs,
    )


def parts(segmentation: str, text: str) -> list[SubmitSm]:
    wanted = TextSettings(segmentation="sar" if segmentation == "sar" else "payload")
    return [
        SubmitSm(9, data_coding=part.data_coding, short_message=part.short_message, tlvs=part.tlvs)
        for part in submit_parts(text, wanted, 258)
    ]


pdus: st.SearchStrategy[Pdu] = st.one_of(
    short_messages(SubmitSm, spans),
    short_messages(DeliverSm, st.just(b"")),
    st.builds(
        DataSm,
        *(sequences, ascii_string(5), *addresses, *addresses),
        *(esm_classes, registered_deliveries, data_codings),
        known_tlvs.map(lambda tlvs: tuple(tlv for tlv in tlvs if tlv[0] != 0x0204)),
    ),
    st.builds(SubmitSmResp, sequences, st.just(0), ascii_string(64)),
    st.builds(SubmitSmResp, sequences, statuses.filter(bool)),
    st.builds(DeliverSmResp, sequences, statuses),
    st.builds(DataSmResp, sequences, statuses, ascii_string(64)),
    st.builds(
        BindRequest,
        st.sampled_from([v.BIND_TRANSMITTER, v.BIND_RECEIVER, v.BIND_TRANSCEIVER]),
        *(sequences, ascii_string(15), ascii_string(8), ascii_string(12)),
        *(st.just(0x34), tons, npis, ascii_string(40)),
    ),
    st.builds(
        BindResp,
        st.sampled_from([v.BIND_TRANSMITTER_RESP, v.BIND_RECEIVER_RESP, v.BIND_TRANSCEIVER_RESP]),
        *(sequences, st.just(0), ascii_string(15)),
        st.sampled_from([(), ((v.TLV_SC_INTERFACE_VERSION, b"\x34"),)]),
    ),
    st.builds(QuerySm, sequences, ascii_string(64), *addresses),
    st.builds(
        QuerySmResp,
        *(sequences, st.just(0), ascii_string(64), st.just(())),
        *(spans, st.integers(1, 8), st.integers(0, 255)),
    ),
    st.builds(CancelSm, sequences, ascii_string(5), ascii_string(64), *addresses, *addresses),
    st.builds(CancelSmResp, sequences, statuses),
    st.builds(ReplaceSmResp, sequences, statuses),
    st.builds(Outbind, sequences, ascii_string(15), ascii_string(8)),
    st.builds(
        AlertNotification,
        *(sequences, *addresses, *addresses),
        st.sampled_from([(), ((v.TLV_MS_AVAILABILITY_STATUS, b"\x01"),)]),
    ),
    st.builds(EnquireLink, sequences),
    st.builds(EnquireLinkResp, sequences, statuses),
    st.builds(Unbind, sequences),
    st.builds(UnbindResp, sequences, statuses),
    st.builds(GenericNack, sequences, statuses),
)


def batch() -> list[Pdu]:
    found: list[Pdu] = []

    @settings(max_examples=PDUS, phases=[Phase.generate], database=None)
    @given(pdus)
    def collect(pdu: Pdu) -> None:
        found.append(pdu)

    collect()
    for text in ("x" * 400, "验" * 200, "€" * 200):
        found += [*parts("sar", text), *parts("payload", text)]
    return found


def test_smpp_pdu3_reads_our_pdus_and_writes_the_same_octets() -> None:
    sent = batch()
    lines = "".join(encode(pdu).hex() + "\n" for pdu in sent)
    done = subprocess.run(
        [PYTHON, "-I", SCRIPT],
        input=lines,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=True,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(sent) >= PDUS
    for pdu, answer in zip(sent, answers, strict=True):
        assert answer.get("octets") == encode(pdu).hex(), (pdu, answer)
        fields = answer["fields"]
        assert fields["sequence_number"] == pdu.sequence_number
        assert fields["status"] == v.status_name(getattr(pdu, "command_status", 0))
        for name in pdu.__struct_fields__:
            value = getattr(pdu, name)
            if isinstance(value, bytes) and name in fields:
                assert fields[name] == value.hex(), name
        if isinstance(pdu, SubmitSm | DeliverSm | DataSm):
            named = dict(pdu.tlvs)
            assert fields.get("message_payload") == (
                named[0x0424].hex() if 0x0424 in named else None
            )
            assert fields.get("sar_msg_ref_num") == (
                int.from_bytes(named[0x020C], "big") if 0x020C in named else None
            )
    assert {type(pdu) for pdu in sent} >= {SubmitSm, DeliverSm, DataSm, QuerySm, CancelSm}
