"""Owns the protocol's names and numbers: command ids, statuses, TON/NPI, TLV tags, flag bits.

Must not parse or build anything. The values are those of SMPP 3.4 sections 5.1.2, 5.1.3, 5.2 and
5.3.2.

What aiosmpplib names is derived from its enumerations, once, at import, as plain ints. Comparing an
IntEnum member costs several times what an int does. And an unknown number from a carrier (vendor
statuses such as 0x480) must stay a number, and not raise ValueError.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from aiosmpplib import state

INTERFACE_VERSION_3_4: Final = 0x34
SEQUENCE_NUMBER_MIN: Final = 1
SEQUENCE_NUMBER_MAX: Final = 0x7FFFFFFF

# Command ids (5.1.2.1). A response is its request with RESPONSE_BIT set.
RESPONSE_BIT: Final = 0x80000000
GENERIC_NACK: Final = int(state.SmppCommand.GENERIC_NACK)
BIND_RECEIVER: Final = int(state.SmppCommand.BIND_RECEIVER)
BIND_RECEIVER_RESP: Final = int(state.SmppCommand.BIND_RECEIVER_RESP)
BIND_TRANSMITTER: Final = int(state.SmppCommand.BIND_TRANSMITTER)
BIND_TRANSMITTER_RESP: Final = int(state.SmppCommand.BIND_TRANSMITTER_RESP)
BIND_TRANSCEIVER: Final = int(state.SmppCommand.BIND_TRANSCEIVER)
BIND_TRANSCEIVER_RESP: Final = int(state.SmppCommand.BIND_TRANSCEIVER_RESP)
UNBIND: Final = int(state.SmppCommand.UNBIND)
UNBIND_RESP: Final = int(state.SmppCommand.UNBIND_RESP)
SUBMIT_SM: Final = int(state.SmppCommand.SUBMIT_SM)
SUBMIT_SM_RESP: Final = int(state.SmppCommand.SUBMIT_SM_RESP)
DELIVER_SM: Final = int(state.SmppCommand.DELIVER_SM)
DELIVER_SM_RESP: Final = int(state.SmppCommand.DELIVER_SM_RESP)
DATA_SM: Final = int(state.SmppCommand.DATA_SM)
DATA_SM_RESP: Final = int(state.SmppCommand.DATA_SM_RESP)
ENQUIRE_LINK: Final = int(state.SmppCommand.ENQUIRE_LINK)
ENQUIRE_LINK_RESP: Final = int(state.SmppCommand.ENQUIRE_LINK_RESP)
QUERY_SM: Final = int(state.SmppCommand.QUERY_SM)
QUERY_SM_RESP: Final = int(state.SmppCommand.QUERY_SM_RESP)
CANCEL_SM: Final = int(state.SmppCommand.CANCEL_SM)
CANCEL_SM_RESP: Final = int(state.SmppCommand.CANCEL_SM_RESP)
REPLACE_SM: Final = int(state.SmppCommand.REPLACE_SM)
REPLACE_SM_RESP: Final = int(state.SmppCommand.REPLACE_SM_RESP)
SUBMIT_MULTI: Final = int(state.SmppCommand.SUBMIT_MULTI)
SUBMIT_MULTI_RESP: Final = int(state.SmppCommand.SUBMIT_MULTI_RESP)
OUTBIND: Final = int(state.SmppCommand.OUTBIND)
ALERT_NOTIFICATION: Final = int(state.SmppCommand.ALERT_NOTIFICATION)

# Statuses that our own code sets or decides on (5.1.3); status_name() knows the others too.
ESME_ROK: Final = int(state.SmppCommandStatus.ESME_ROK)
ESME_RINVMSGLEN: Final = int(state.SmppCommandStatus.ESME_RINVMSGLEN)
ESME_RINVCMDLEN: Final = int(state.SmppCommandStatus.ESME_RINVCMDLEN)
ESME_RINVCMDID: Final = int(state.SmppCommandStatus.ESME_RINVCMDID)
ESME_RINVBNDSTS: Final = int(state.SmppCommandStatus.ESME_RINVBNDSTS)
ESME_RALYBND: Final = int(state.SmppCommandStatus.ESME_RALYBND)
ESME_RINVPRTFLG: Final = int(state.SmppCommandStatus.ESME_RINVPRTFLG)
ESME_RINVREGDLVFLG: Final = int(state.SmppCommandStatus.ESME_RINVREGDLVFLG)
ESME_RSYSERR: Final = int(state.SmppCommandStatus.ESME_RSYSERR)
ESME_RINVSRCADR: Final = int(state.SmppCommandStatus.ESME_RINVSRCADR)
ESME_RINVDSTADR: Final = int(state.SmppCommandStatus.ESME_RINVDSTADR)
ESME_RINVMSGID: Final = int(state.SmppCommandStatus.ESME_RINVMSGID)
ESME_RBINDFAIL: Final = int(state.SmppCommandStatus.ESME_RBINDFAIL)
ESME_RINVPASWD: Final = int(state.SmppCommandStatus.ESME_RINVPASWD)
ESME_RINVSYSID: Final = int(state.SmppCommandStatus.ESME_RINVSYSID)
ESME_RMSGQFUL: Final = int(state.SmppCommandStatus.ESME_RMSGQFUL)
ESME_RINVSERTYP: Final = int(state.SmppCommandStatus.ESME_RINVSERTYP)
ESME_RINVESMCLASS: Final = int(state.SmppCommandStatus.ESME_RINVESMCLASS)
ESME_RINVNUMDESTS: Final = int(state.SmppCommandStatus.ESME_RINVNUMDESTS)
ESME_RSUBMITFAIL: Final = int(state.SmppCommandStatus.ESME_RSUBMITFAIL)
ESME_RINVSRCTON: Final = int(state.SmppCommandStatus.ESME_RINVSRCTON)
ESME_RINVSRCNPI: Final = int(state.SmppCommandStatus.ESME_RINVSRCNPI)
ESME_RINVDSTTON: Final = int(state.SmppCommandStatus.ESME_RINVDSTTON)
ESME_RINVDSTNPI: Final = int(state.SmppCommandStatus.ESME_RINVDSTNPI)
ESME_RINVSYSTYP: Final = int(state.SmppCommandStatus.ESME_RINVSYSTYP)
ESME_RQUERYFAIL: Final = int(state.SmppCommandStatus.ESME_RQUERYFAIL)
ESME_RTHROTTLED: Final = int(state.SmppCommandStatus.ESME_RTHROTTLED)
ESME_RINVSCHED: Final = int(state.SmppCommandStatus.ESME_RINVSCHED)
ESME_RINVEXPIRY: Final = int(state.SmppCommandStatus.ESME_RINVEXPIRY)
ESME_RX_T_APPN: Final = int(state.SmppCommandStatus.ESME_RX_T_APPN)
ESME_RX_P_APPN: Final = int(state.SmppCommandStatus.ESME_RX_P_APPN)
ESME_RX_R_APPN: Final = int(state.SmppCommandStatus.ESME_RX_R_APPN)
ESME_RINVOPTPARSTREAM: Final = int(state.SmppCommandStatus.ESME_RINVOPTPARSTREAM)
ESME_RINVPARLEN: Final = int(state.SmppCommandStatus.ESME_RINVPARLEN)
ESME_RDELIVERYFAILURE: Final = int(state.SmppCommandStatus.ESME_RDELIVERYFAILURE)
ESME_RUNKNOWNERR: Final = int(state.SmppCommandStatus.ESME_RUNKNOWNERR)

# Type of number (5.2.5) and numbering plan (5.2.6) that we set ourselves.
TON_UNKNOWN: Final = int(state.TON.UNKNOWN)
TON_INTERNATIONAL: Final = int(state.TON.INTERNATIONAL)
TON_NATIONAL: Final = int(state.TON.NATIONAL)
TON_NETWORK_SPECIFIC: Final = int(state.TON.NETWORK_SPECIFIC)
TON_ALPHANUMERIC: Final = int(state.TON.ALPHANUMERIC)
NPI_UNKNOWN: Final = int(state.NPI.UNKNOWN)
NPI_ISDN: Final = int(state.NPI.ISDN)

# data_coding (5.2.19) that we produce or read.
DATA_CODING_DEFAULT: Final = int(state.SmppDataCoding.gsm0338)
DATA_CODING_ASCII: Final = int(state.SmppDataCoding.ascii)
DATA_CODING_BINARY: Final = int(state.SmppDataCoding.octet_unspecified_I)
DATA_CODING_LATIN_1: Final = int(state.SmppDataCoding.latin_1)
DATA_CODING_BINARY_2: Final = int(state.SmppDataCoding.octet_unspecified_II)
DATA_CODING_UCS2: Final = int(state.SmppDataCoding.ucs2)

# esm_class (5.2.12): bits 5-2 say what the message is, bit 6 that it begins with a UDH.
ESM_CLASS_MESSAGE_TYPE_MASK: Final = 0x3C
ESM_CLASS_DELIVERY_RECEIPT: Final = 0x04
ESM_CLASS_DELIVERY_ACKNOWLEDGEMENT: Final = 0x08
ESM_CLASS_MANUAL_ACKNOWLEDGEMENT: Final = 0x10
ESM_CLASS_INTERMEDIATE_NOTIFICATION: Final = 0x20
ESM_CLASS_UDHI: Final = 0x40

# registered_delivery (5.2.17)
REGISTERED_DELIVERY_NONE: Final = 0x00
REGISTERED_DELIVERY_FINAL: Final = 0x01
REGISTERED_DELIVERY_ON_FAILURE: Final = 0x02
REGISTERED_DELIVERY_INTERMEDIATE: Final = 0x10

# TLV tags (5.3.2) that some part of the system looks at; every other tag travels through untouched.
TLV_ADDITIONAL_STATUS_INFO_TEXT: Final = int(state.ADDITIONAL_STATUS_INFO_TEXT)
TLV_RECEIPTED_MESSAGE_ID: Final = int(state.RECEIPTED_MESSAGE_ID)
TLV_USER_MESSAGE_REFERENCE: Final = int(state.USER_MESSAGE_REFERENCE)
TLV_SAR_MSG_REF_NUM: Final = int(state.SAR_MSG_REF_NUM)
TLV_SAR_TOTAL_SEGMENTS: Final = int(state.SAR_TOTAL_SEGMENTS)
TLV_SAR_SEGMENT_SEQNUM: Final = int(state.SAR_SEGMENT_SEQNUM)
TLV_SC_INTERFACE_VERSION: Final = int(state.SC_INTERFACE_VERSION)
TLV_NETWORK_ERROR_CODE: Final = int(state.NETWORK_ERROR_CODE)
TLV_MESSAGE_PAYLOAD: Final = int(state.MESSAGE_PAYLOAD)
TLV_DELIVERY_FAILURE_REASON: Final = int(state.DELIVERY_FAILURE_REASON)
TLV_MORE_MESSAGES_TO_SEND: Final = int(state.MORE_MESSAGES_TO_SEND)
TLV_MS_AVAILABILITY_STATUS: Final = int(state.MS_AVAILABILITY_STATUS)
TLV_MESSAGE_STATE: Final = int(state.MESSAGE_STATE)


class MessageState(IntEnum):
    """What message_state (TLV 0x0427, query_sm_resp) says, 5.2.28; not in aiosmpplib."""

    ENROUTE = 1
    DELIVERED = 2
    EXPIRED = 3
    DELETED = 4
    UNDELIVERABLE = 5
    ACCEPTED = 6
    UNKNOWN = 7
    REJECTED = 8


_STATUS_NAMES: Final[dict[int, str]] = {
    int(status): str(status.name) for status in state.SmppCommandStatus
}
_COMMAND_NAMES: Final[dict[int, str]] = {
    int(command): str(command.name).lower() for command in state.SmppCommand
}


def status_name(command_status: int) -> str:
    """``"ESME_RTHROTTLED"``, or ``"0x00000480"`` for a number that SMPP 3.4 does not name."""
    return _STATUS_NAMES.get(command_status) or f"0x{command_status:08X}"


def command_name(command_id: int) -> str:
    """``"submit_sm_resp"``, or ``"0x00010203"`` for a command that SMPP 3.4 does not name."""
    return _COMMAND_NAMES.get(command_id) or f"0x{command_id:08X}"


def is_response(command_id: int) -> bool:
    """True for generic_nack and every *_resp."""
    return command_id & RESPONSE_BIT != 0
