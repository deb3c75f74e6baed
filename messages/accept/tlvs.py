"""The vendor TLVs that one message states.

Owns the check of field `tlvs` and its words. Pure. Must not know which carrier wants which.
"""

from __future__ import annotations

from collections.abc import Sequence

from messages.models import FieldError
from smpp.custom_tlvs import CustomTlv, custom_tlvs
from smpp.tlv import Tlvs


def message_tlvs(wanted: Sequence[CustomTlv]) -> Tlvs | FieldError:
    """As they go on the wire, in order; or what is wrong, with the place of the first bad one."""
    for position, each in enumerate(wanted):
        try:
            each.value()
        except ValueError as error:
            return FieldError("tlv_invalid", str(error), f"/tlvs/{position}")
    try:
        return custom_tlvs(wanted)
    except ValueError as error:
        return FieldError("tlv_invalid", str(error), "/tlvs")
