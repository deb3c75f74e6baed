"""What one carrier wants in everything that is sent to it.

Owns the shape only. Must not read settings: gateway/config/wire.py makes it of a connector's. The
encoder is given one, and validation counts parts by its texts.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from smpp.addresses import AddressSettings
from smpp.encoding import TextSettings
from smpp.tlv import Tlvs

# registered_delivery: receipt on success and failure (SMPP 3.4 section 5.2.17).
RECEIPT_REQUESTED = 1


class SubmitFields(msgspec.Struct, frozen=True):
    """Fields of submit_sm that no message states.

    `priority_flags` are by category. `esm_class` is the messaging mode, to which a part adds its
    own bits. `validity`: how the end of a message's validity is written.
    """

    service_type: bytes = b""
    esm_class: int = 0
    protocol_id: int = 0
    priority_flags: tuple[int, ...] = (0, 0, 0, 0)
    registered_delivery: int = RECEIPT_REQUESTED
    validity: Literal["relative", "absolute", "none"] = "relative"


class WireProfile(msgspec.Struct):
    """Alphabets and segmentation, TON and NPI, and TLVs that every message carries.

    `fields` may be exchanged while messages wait. The rest decides how many parts they have.
    """

    text: TextSettings = TextSettings()
    addresses: AddressSettings = AddressSettings()
    tlvs: Tlvs = ()
    fields: SubmitFields = SubmitFields()
