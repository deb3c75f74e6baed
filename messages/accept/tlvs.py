"""The vendor TLVs that one message states.

Owns the check of field `tlvs`, and its error messages. Must not know which carrier wants which.
Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

from messages.models import FieldError
from smpp.custom_tlvs import CustomTlv, custom_tlvs
from smpp.tlv import Tlvs


def message_tlvs(wanted: Sequence[CustomTlv]) -> Tlvs | FieldError:
    """The TLVs as they go on the wire, in order. Or what is wrong, with the place of the first bad
    one.
    """
    for position, each in enumerate(wanted):
        try:
            each.value()
        except ValueError as error:
            return FieldError("tlv_invalid", str(error), f"/tlvs/{position}")
    try:
        return custom_tlvs(wanted)
    except ValueError as error:
        return FieldError("tlv_invalid", str(error), "/tlvs")
