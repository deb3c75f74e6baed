"""What one carrier wants of everything that is sent to it.

Owns the shape only: the encoder is given one, and validation counts parts by its texts. It is made
of a connector's settings by gateway/config/wire.py.
"""

from __future__ import annotations

import msgspec

from smpp.addresses import AddressSettings
from smpp.encoding import TextSettings
from smpp.tlv import Tlvs


class WireProfile(msgspec.Struct, frozen=True):
    """Alphabets and segmentation, TON and NPI, and TLVs that every message carries."""

    text: TextSettings = TextSettings()
    addresses: AddressSettings = AddressSettings()
    tlvs: Tlvs = ()
