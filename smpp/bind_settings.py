"""Owns what one bind is made of: where the carrier is, who asks, how, and for how long. Must not
connect.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from smpp import vocabulary
from smpp.pdu import BindRequest
from smpp.session_timers import TimerSettings
from smpp.tls import TlsSettings

BIND_COMMANDS: Final = MappingProxyType(
    {
        "transmitter": vocabulary.BIND_TRANSMITTER,
        "receiver": vocabulary.BIND_RECEIVER,
        "transceiver": vocabulary.BIND_TRANSCEIVER,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BindSettings:
    """How to reach one carrier. ``window`` counts submit_sm without an answer."""

    host: str
    port: int
    system_id: str
    password: str
    system_type: str = ""
    interface_version: int = vocabulary.INTERFACE_VERSION_3_4
    addr_ton: int = 0
    addr_npi: int = 0
    address_range: str = ""
    bind: str = "transceiver"  # transmitter, receiver or transceiver
    window: int = 100
    enquire_link_seconds: float = 30.0
    response_timeout_seconds: float = 60.0
    bind_timeout_seconds: float = 10.0
    unbind_timeout_seconds: float = 5.0
    reconnect_seconds_min: float = 1.0
    reconnect_seconds_max: float = 60.0
    bind_attempts_per_minute_max: int = 12
    tls: TlsSettings | None = None  # None: plain TCP

    def timers(self) -> TimerSettings:
        """The session's timers."""
        return TimerSettings(
            bind_seconds=self.bind_timeout_seconds,
            enquire_link_seconds=self.enquire_link_seconds,
            response_seconds=self.response_timeout_seconds,
            unbind_seconds=self.unbind_timeout_seconds,
        )

    def bind_request(self) -> BindRequest:
        """The bind PDU. KeyError for an unknown ``bind``, UnicodeEncodeError beyond ASCII."""
        return BindRequest(
            command_id=BIND_COMMANDS[self.bind],
            system_id=self.system_id.encode("ascii"),
            password=self.password.encode("ascii"),
            system_type=self.system_type.encode("ascii"),
            interface_version=self.interface_version,
            addr_ton=self.addr_ton,
            addr_npi=self.addr_npi,
            address_range=self.address_range.encode("ascii"),
        )
