"""Segments put together: what keeps them, what counts them, and whose day it is.

Owns that wiring. Must not decide anything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from campaigns.segments.desk import SegmentDesk
from campaigns.segments.previews import Previews

if TYPE_CHECKING:
    from gateway.rooms import Rooms


def build(rooms: Rooms) -> None:
    """Sets segments and segment_counter. Called when ids and the vault are there."""
    read = rooms.database.read
    rooms.segments = SegmentDesk(read, rooms.database.dedicated("segments"), rooms.ids)
    rooms.segment_counter = Previews(
        read, rooms.vault, zone_of=zone_of(rooms), wall_ms=rooms.clock.wall_ms
    )


def zone_of(rooms: Rooms) -> Callable[[int], str]:
    """The IANA name of an account's time zone, as the configuration in force has it."""

    def name(account: int) -> str:
        config, called = rooms.config, rooms.accounts[account].name
        own = [each.time_zone for each in config.accounts if each.name == called]
        zone = own[0] if own and own[0] is not None else config.quiet_hours.time_zone
        return zone.zone.key

    return name
