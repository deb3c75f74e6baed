"""Owns the names of TLV tags, of SMPP 3.4 (5.3.2) and those of 5.0 that carriers send (4.8.1).

Must not know what a value means. A tag without a name here travels all the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

TLV_TAGS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "dest_addr_subunit": 0x0005,
        "dest_network_type": 0x0006,
        "dest_bearer_type": 0x0007,
        "dest_telematics_id": 0x0008,
        "source_addr_subunit": 0x000D,
        "source_network_type": 0x000E,
        "source_bearer_type": 0x000F,
        "source_telematics_id": 0x0010,
        "qos_time_to_live": 0x0017,
        "payload_type": 0x0019,
        "additional_status_info_text": 0x001D,
        "receipted_message_id": 0x001E,
        "ms_msg_wait_facilities": 0x0030,
        "privacy_indicator": 0x0201,
        "source_subaddress": 0x0202,
        "dest_subaddress": 0x0203,
        "user_message_reference": 0x0204,
        "user_response_code": 0x0205,
        "source_port": 0x020A,
        "destination_port": 0x020B,
        "sar_msg_ref_num": 0x020C,
        "language_indicator": 0x020D,
        "sar_total_segments": 0x020E,
        "sar_segment_seqnum": 0x020F,
        "sc_interface_version": 0x0210,
        "callback_num_pres_ind": 0x0302,
        "callback_num_atag": 0x0303,
        "number_of_messages": 0x0304,
        "callback_num": 0x0381,
        "dpf_result": 0x0420,
        "set_dpf": 0x0421,
        "ms_availability_status": 0x0422,
        "network_error_code": 0x0423,
        "message_payload": 0x0424,
        "delivery_failure_reason": 0x0425,
        "more_messages_to_send": 0x0426,
        "message_state": 0x0427,
        "congestion_state": 0x0428,  # 5.0, as are those from 0x0600 on
        "ussd_service_op": 0x0501,
        "billing_identification": 0x060B,
        "source_network_id": 0x060D,
        "dest_network_id": 0x060E,
        "source_node_id": 0x060F,
        "dest_node_id": 0x0610,
        "dest_addr_np_resolution": 0x0611,
        "dest_addr_np_information": 0x0612,
        "dest_addr_np_country": 0x0613,
        "display_time": 0x1201,
        "sms_signal": 0x1203,
        "ms_validity": 0x1204,
        "alert_on_message_delivery": 0x130C,
        "its_reply_type": 0x1380,
        "its_session_info": 0x1383,
    }
)
VENDOR_TAG_MIN: Final = 0x1400
VENDOR_TAG_MAX: Final = 0x3FFF

_NAMES: Final[Mapping[int, str]] = MappingProxyType({tag: name for name, tag in TLV_TAGS.items()})
_NUMBER: Final = re.compile(r"0x[0-9a-f]{1,4}|[0-9]{1,5}", re.ASCII | re.IGNORECASE)


def tag_name(tag: int) -> str:
    """``"message_payload"``, or ``"0x1401"`` for a tag without a name."""
    return _NAMES.get(tag) or f"0x{tag:04X}"


def tag_number(text: str) -> int:
    """The tag that people write: its name, ``"0x1401"`` or ``"5121"``. Raises ValueError."""
    named = TLV_TAGS.get(text)
    if named is not None:
        return named
    number = int(text, 0) if _NUMBER.fullmatch(text) and text.lstrip("0") else -1
    if not 0 < number <= 0xFFFF:
        raise ValueError(f"{text!r} is no TLV: a name of SMPP, or a number from 0x0001 to 0xFFFF")
    return number
