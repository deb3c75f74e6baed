"""Settings of a connector that its carrier refuses, logged once for each.

Owns the table from command_status to the keys to look at, and what was logged. Must not decide what
becomes of a message (error_policy.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import structlog

from smpp.vocabulary import status_name

_log = structlog.get_logger(__name__)

# SMPP 3.4 section 5.1.3: statuses about fields that are the connector's, not the message's.
KEYS: Mapping[int, str] = MappingProxyType(
    {
        0x06: "priority_flag",
        0x07: "registered_delivery",
        0x15: "service_type",
        0x43: "message_mode or segmentation",
        0x48: "source_ton_npi",
        0x49: "source_ton_npi",
        0x50: "destination_ton_npi",
        0x51: "destination_ton_npi",
        0x62: "validity_period",
        0xC0: "tlvs or segmentation",
        0xC1: "tlvs or segmentation",
        0xC2: "tlvs",
        0xC3: "tlvs",
        0xC4: "tlvs",
    }
)


class UnfitSettings:
    """The refused settings of one connector."""

    def __init__(self, connector: str) -> None:
        self._connector = connector
        self._told: dict[int, str] = {}  # at most one for each row of KEYS

    @property
    def hints(self) -> tuple[str, ...]:
        """What was refused since the settings changed, and where an operator has to look."""
        return tuple(self._told.values())

    def refused(self, command_status: int) -> None:
        """Take a command_status that is not ESME_ROK."""
        keys = KEYS.get(command_status)
        if keys is None or command_status in self._told:
            return
        name = status_name(command_status)
        self._told[command_status] = f"{name}: the carrier wants another {keys}"
        _log.warning(
            "setting_refused_by_carrier",
            connector=self._connector,
            command_status=name,
            setting=keys,
            hint="set it in the connector's section and reload",
        )

    def forget(self) -> None:
        """The settings changed: what is still refused is logged again."""
        self._told.clear()
