"""Owns the way from octets to SMPP 3.4 PDUs and back: ``decode``, ``encode``, ``encode_many``.

Must not do I/O, read a clock, or decide what to answer. The PDU classes live in message_pdu,
cold_pdu, query_pdu and rare_pdu, and are exported here.

Field names, order and meaning are those of SMPP 3.4 section 4. Octet strings are bytes without
their NUL. Numbers are plain ints, so a vendor's status stays one.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from smpp.cold_pdu import (
    BindRequest,
    BindResp,
    ColdPdu,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Unbind,
    UnbindResp,
    Unknown,
    decode_bind_request,
    decode_bind_resp,
    decode_enquire_link,
    decode_enquire_link_resp,
    decode_generic_nack,
    decode_unbind,
    decode_unbind_resp,
    encode_bind_request,
    encode_bind_resp,
    encode_enquire_link,
    encode_enquire_link_resp,
    encode_generic_nack,
    encode_unbind,
    encode_unbind_resp,
    encode_unknown,
)
from smpp.message_pdu import (
    SHORT_MESSAGE_OCTETS_MAX,
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    MessageResponse,
    ShortMessage,
    SubmitSm,
    SubmitSmResp,
    decode_data_sm,
    decode_response,
    decode_short_message,
    encode_data_sm,
    encode_data_sm_resp,
    encode_deliver_sm,
    encode_deliver_sm_resp,
    encode_submit_sm,
    encode_submit_sm_resp,
    message_octets,
)
from smpp.query_pdu import (
    CancelSm,
    CancelSmResp,
    OperationRequest,
    QueryPdu,
    QuerySm,
    QuerySmResp,
    ReplaceSm,
    ReplaceSmResp,
    decode_bodyless_resp,
    decode_cancel_sm,
    decode_query_sm,
    decode_query_sm_resp,
    decode_replace_sm,
    encode_cancel_sm,
    encode_cancel_sm_resp,
    encode_query_sm,
    encode_query_sm_resp,
    encode_replace_sm,
    encode_replace_sm_resp,
    refusal_of,
)
from smpp.rare_pdu import (
    AlertNotification,
    Outbind,
    RarePdu,
    SubmitMulti,
    SubmitMultiResp,
    decode_alert_notification,
    decode_outbind,
    decode_submit_multi,
    decode_submit_multi_resp,
    encode_alert_notification,
    encode_outbind,
    encode_submit_multi,
    encode_submit_multi_resp,
)
from smpp.tlv import HEADER, HEADER_OCTETS, PduError, Tlvs, tlv_value
from smpp.vocabulary import (
    ALERT_NOTIFICATION,
    BIND_RECEIVER,
    BIND_RECEIVER_RESP,
    BIND_TRANSCEIVER,
    BIND_TRANSCEIVER_RESP,
    BIND_TRANSMITTER,
    BIND_TRANSMITTER_RESP,
    CANCEL_SM,
    CANCEL_SM_RESP,
    DATA_SM,
    DATA_SM_RESP,
    DELIVER_SM,
    DELIVER_SM_RESP,
    ENQUIRE_LINK,
    ENQUIRE_LINK_RESP,
    ESME_RINVCMDLEN,
    GENERIC_NACK,
    OUTBIND,
    QUERY_SM,
    QUERY_SM_RESP,
    REPLACE_SM,
    REPLACE_SM_RESP,
    SUBMIT_MULTI,
    SUBMIT_MULTI_RESP,
    SUBMIT_SM,
    SUBMIT_SM_RESP,
    UNBIND,
    UNBIND_RESP,
)

__all__ = [
    "HEADER_OCTETS",
    "SHORT_MESSAGE_OCTETS_MAX",
    "AlertNotification",
    "BindRequest",
    "BindResp",
    "CancelSm",
    "CancelSmResp",
    "DataSm",
    "DataSmResp",
    "DeliverSm",
    "DeliverSmResp",
    "EnquireLink",
    "EnquireLinkResp",
    "GenericNack",
    "MessageResponse",
    "OperationRequest",
    "Outbind",
    "Pdu",
    "PduError",
    "QuerySm",
    "QuerySmResp",
    "ReplaceSm",
    "ReplaceSmResp",
    "ShortMessage",
    "SubmitMulti",
    "SubmitMultiResp",
    "SubmitSm",
    "SubmitSmResp",
    "Tlvs",
    "Unbind",
    "UnbindResp",
    "Unknown",
    "decode",
    "encode",
    "encode_many",
    "message_octets",
    "refusal_of",
    "tlv_value",
]

Pdu = ShortMessage | DataSm | MessageResponse | ColdPdu | QueryPdu | RarePdu


def encode(pdu: Pdu) -> bytes:
    """One PDU on the wire. ValueError for a field that its place cannot hold (our own mistake)."""
    try:
        return _ENCODERS[type(pdu)](pdu)
    except (OverflowError, struct.error) as error:
        raise ValueError(f"{type(pdu).__name__}: {error}") from error


def encode_many(pdus: Iterable[Pdu], out: bytearray) -> None:
    """Append many PDUs to ``out``, for one write. All of them or, at a ValueError, none."""
    encoders = _ENCODERS
    try:
        out += b"".join([encoders[type(pdu)](pdu) for pdu in pdus])
    except (OverflowError, struct.error) as error:
        raise ValueError(f"a PDU of the batch: {error}") from error


def decode(frame: bytes | memoryview) -> Pdu:
    """The PDU in one whole frame (as FrameBuffer cuts them). Raises PduError and nothing else.

    Responses are read as far as they make sense: no body (E62), no NUL (E69), broken last TLV.
    """
    if type(frame) is not bytes:
        frame = bytes(frame)
    size = len(frame)
    if size < HEADER_OCTETS:
        raise PduError(ESME_RINVCMDLEN, f"{size} octets are less than a header")
    length, command_id, command_status, sequence_number = HEADER.unpack_from(frame)
    if length != size:
        raise PduError(
            ESME_RINVCMDLEN,
            f"command_length says {length}, the frame has {size} octets",
            command_id,
            sequence_number,
        )
    decoder = _DECODERS.get(command_id)
    if decoder is None:
        return Unknown(command_id, command_status, sequence_number, frame[HEADER_OCTETS:])
    try:
        return decoder(frame, command_id, command_status, sequence_number)
    except PduError as error:
        error.command_id = command_id
        error.sequence_number = sequence_number
        raise


# Any stands for "the PDU class that is the key", which a Mapping's type cannot say.
_ENCODERS: Final[Mapping[type, Callable[[Any], bytes]]] = {
    SubmitSm: encode_submit_sm,
    SubmitSmResp: encode_submit_sm_resp,
    DeliverSm: encode_deliver_sm,
    DeliverSmResp: encode_deliver_sm_resp,
    DataSm: encode_data_sm,
    DataSmResp: encode_data_sm_resp,
    BindRequest: encode_bind_request,
    BindResp: encode_bind_resp,
    Unbind: encode_unbind,
    UnbindResp: encode_unbind_resp,
    EnquireLink: encode_enquire_link,
    EnquireLinkResp: encode_enquire_link_resp,
    GenericNack: encode_generic_nack,
    QuerySm: encode_query_sm,
    QuerySmResp: encode_query_sm_resp,
    CancelSm: encode_cancel_sm,
    CancelSmResp: encode_cancel_sm_resp,
    ReplaceSm: encode_replace_sm,
    ReplaceSmResp: encode_replace_sm_resp,
    SubmitMulti: encode_submit_multi,
    SubmitMultiResp: encode_submit_multi_resp,
    Outbind: encode_outbind,
    AlertNotification: encode_alert_notification,
    Unknown: encode_unknown,
}

_DECODERS: Final[Mapping[int, Callable[[bytes, int, int, int], Pdu]]] = {
    SUBMIT_SM: decode_short_message,
    SUBMIT_SM_RESP: decode_response,
    DELIVER_SM: decode_short_message,
    DELIVER_SM_RESP: decode_response,
    DATA_SM: decode_data_sm,
    DATA_SM_RESP: decode_response,
    BIND_TRANSMITTER: decode_bind_request,
    BIND_RECEIVER: decode_bind_request,
    BIND_TRANSCEIVER: decode_bind_request,
    BIND_TRANSMITTER_RESP: decode_bind_resp,
    BIND_RECEIVER_RESP: decode_bind_resp,
    BIND_TRANSCEIVER_RESP: decode_bind_resp,
    UNBIND: decode_unbind,
    UNBIND_RESP: decode_unbind_resp,
    ENQUIRE_LINK: decode_enquire_link,
    ENQUIRE_LINK_RESP: decode_enquire_link_resp,
    GENERIC_NACK: decode_generic_nack,
    QUERY_SM: decode_query_sm,
    QUERY_SM_RESP: decode_query_sm_resp,
    CANCEL_SM: decode_cancel_sm,
    CANCEL_SM_RESP: decode_bodyless_resp,
    REPLACE_SM: decode_replace_sm,
    REPLACE_SM_RESP: decode_bodyless_resp,
    SUBMIT_MULTI: decode_submit_multi,
    SUBMIT_MULTI_RESP: decode_submit_multi_resp,
    OUTBIND: decode_outbind,
    ALERT_NOTIFICATION: decode_alert_notification,
}
