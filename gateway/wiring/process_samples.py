"""What every process of smsgate says of itself, whatever its role.

Owns these samples. Must not know what the process is for.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.vitals import Lease, free_bytes
from storage.periodic import failed_in_a_row
from web.samples import Sample

if TYPE_CHECKING:
    from gateway.rooms import Rooms


def vitals(rooms: Rooms, lease: Lease) -> Iterator[Sample]:
    """Of its loop, its lease, its background work and its disk."""
    yield Sample("sms_build_info", 1, (version("smsgate"), str(rooms.term.node)))
    yield Sample("sms_loop_lag_seconds", rooms.loop_lag.seconds())
    yield Sample("sms_database_up", float(lease.database_up))
    yield Sample("sms_term_seconds_left", lease.seconds_left())
    yield Sample("sms_clock_skew_seconds", lease.clock_skew)
    for task, steps in failed_in_a_row().items():
        yield Sample("sms_background_failed_steps", steps, (task,))
    folder = rooms.config.database.data_dir
    if (free := free_bytes(Path(folder))) is not None:
        yield Sample("sms_disk_free_bytes", free, (str(folder),))
