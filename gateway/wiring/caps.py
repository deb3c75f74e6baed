"""Caps put together: those of groups, beside what an account allows everybody.

Owns that wiring. Must not decide anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from campaigns.caps.accounts import CappedAccounts
from campaigns.caps.desk import CapDesk
from campaigns.caps.members import CapMembers
from campaigns.caps.people import ContactCaps
from campaigns.caps.room import CapRoom
from gateway.wiring.accounts import zone_names
from web.samples import Sample

if TYPE_CHECKING:
    from gateway.config import Config
    from gateway.rooms import Rooms

NANOSECONDS = 1e9


def build(rooms: Rooms) -> CapRoom:
    """Called when ids and the registry are there, before the rules are made."""
    database = rooms.database
    accounts = CappedAccounts(database.dedicated("caps"), rooms.task_ended)

    members = CapMembers(
        database.dedicated("cap-members"),
        zone_of=zone_names(rooms),
        wall_ms=rooms.clock.wall_ms,
        monotonic=lambda: rooms.clock.monotonic_ns() / NANOSECONDS,
        ended=rooms.task_ended,
    )

    def changed(account: int) -> None:
        accounts.add(account)
        members.wake()

    desk = CapDesk(database.read, database.dedicated("cap-changes"), rooms.ids, changed)
    return CapRoom(desk, accounts, members)


def samples(rooms: Rooms) -> Iterator[Sample]:
    """What this process has read of who is in capped segments."""
    members = rooms.caps.members
    yield Sample("sms_cap_readings_total", members.readings - members.failed, ("read",))
    yield Sample("sms_cap_readings_total", members.failed, ("failed",))


def persons(
    room: CapRoom, config: Config, accounts: Mapping[str, int], wall_ms: Callable[[], int]
) -> ContactCaps:
    """The caps of recipients, as the configuration has accounts."""
    engaged = {accounts[account.name] for account in config.accounts if account.engagement_caps}
    return ContactCaps(
        room.accounts, engaged, lambda: datetime.fromtimestamp(wall_ms() / 1000, UTC)
    )
