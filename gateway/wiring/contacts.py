"""Contacts put together: the desk, the imports and their worker, with what counts them.

Owns that wiring. Must not decide anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from campaigns.contacts.desk import ContactDesk
from campaigns.contacts.files.importing import ImportWorker
from campaigns.contacts.files.jobs import ContactImports
from campaigns.contacts.verdicts import Verdict
from campaigns.events.desk import EventDesk
from campaigns.events.folding import Folding
from campaigns.events.gathering import CLICK, KINDS, OPTED_OUT, OTHER, Gathering
from web.contact_services import ContactRooms
from web.samples import Sample

if TYPE_CHECKING:
    from gateway.rooms import Rooms


def build(rooms: Rooms) -> None:
    """Sets contacts, contact_worker, contact_events, gathering and engagement.

    Called when ids and the vault are there.
    """
    database = rooms.database
    desk = ContactDesk(
        database.read, database.dedicated("contacts"), vault=rooms.vault, ids=rooms.ids
    )
    rooms.contact_worker = ImportWorker(
        database.dedicated("contact imports"),
        term=rooms.term.term,
        vault=rooms.vault,
        ids=rooms.ids,
        wall_ms=rooms.clock.wall_ms,
        ended=rooms.task_ended,
    )
    files = ContactImports(
        database.read,
        database.dedicated("contact files"),
        term=rooms.term.term,
        vault=rooms.vault,
        ids=rooms.ids,
        wall_ms=rooms.clock.wall_ms,
        wake=rooms.contact_worker.wake,
    )
    rooms.contact_events = EventDesk(
        database.dedicated("contact events"),
        vault=rooms.vault,
        ids=rooms.ids,
        wall_ms=rooms.clock.wall_ms,
    )
    zone = str(rooms.config.quiet_hours.time_zone)
    rooms.gathering = Gathering(
        database.dedicated("contact happenings"),
        vault=rooms.vault,
        ids=rooms.ids,
        wall_ms=rooms.clock.wall_ms,
        zone=zone,
        ended=rooms.task_ended,
    )
    rooms.engagement = Folding(
        database.dedicated("engagement"),
        zone=zone,
        ended=rooms.task_ended,
    )
    rooms.contacts = ContactRooms(desk, files, rooms.contact_events)


def samples(rooms: Rooms) -> Iterator[Sample]:
    """What imports have done, and what became of events."""
    worker = rooms.contact_worker
    yield Sample("sms_contact_imports_running", worker.running)
    for verdict in Verdict:
        if verdict not in (Verdict.UNDONE, Verdict.KEPT):
            count = worker.rows[verdict.label]
            yield Sample("sms_contact_import_rows_total", count, (verdict.label,))
    for answer in ("recorded", "repeated", "conflict", "unknown"):
        count = rooms.contact_events.answered[answer]
        yield Sample("sms_contact_events_total", count, (answer,))
    gathering = rooms.gathering
    for kind in (*KINDS, OTHER):
        yield Sample("sms_contact_events_made_total", gathering.made[kind], (kind,))
    for kind in (CLICK, OPTED_OUT):
        yield Sample("sms_contact_events_undone_total", gathering.undone[kind], (kind,))
    yield Sample("sms_contact_events_due", gathering.waiting)
    yield Sample("sms_contact_events_late_seconds", gathering.late_seconds)
    yield Sample("sms_engagement_events_total", rooms.engagement.events)
    yield Sample("sms_engagement_events_waiting", rooms.engagement.waiting)
