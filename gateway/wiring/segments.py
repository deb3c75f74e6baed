"""Segments put together: what keeps them, what counts them, and whose day it is.

Owns that wiring. Must not decide anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from campaigns.segments.desk import SegmentDesk
from campaigns.segments.previews import Previews
from gateway.wiring.accounts import zone_names

if TYPE_CHECKING:
    from gateway.rooms import Rooms


def build(rooms: Rooms) -> None:
    """Sets segments and segment_counter. Called when ids and the vault are there."""
    read = rooms.database.read
    rooms.segments = SegmentDesk(read, rooms.database.dedicated("segments"), rooms.ids)
    rooms.segment_counter = Previews(
        read, rooms.vault, zone_of=zone_names(rooms), wall_ms=rooms.clock.wall_ms
    )
