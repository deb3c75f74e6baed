"""The desks between the API and what is kept of recipients, each with its connections.

Owns that wiring. Must not decide anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from campaigns.events import naming
from gateway.wiring import contacts, persons, segments
from gateway.wiring.inbound import complaint_ends
from recipients.complaint_desk import ComplaintDesk
from recipients.consent_desk import ConsentDesk
from recipients.files.exporting import ExportDesk
from recipients.files.importing import ImportDesk
from recipients.partner_hash import PartnerKey
from recipients.suppression_desk import SuppressionDesk
from web.edge.reveal_log import AuditedReveals

if TYPE_CHECKING:
    from gateway.config import Config
    from gateway.rooms import Rooms


def build(rooms: Rooms) -> None:
    """Called once, when the intake of messages from handsets stands."""
    database = rooms.database
    rooms.consents = ConsentDesk(database.read, database.dedicated("consents"), rooms.vault)
    rooms.suppressions = SuppressionDesk(
        database.read,
        database.dedicated("suppressions"),
        vault=rooms.vault,
        ids=rooms.ids,
        stopped=rooms.inbound.stopped,
        wall_ms=rooms.clock.wall_ms,
        listed=naming.listed,
    )
    rooms.complaints = ComplaintDesk(
        database.read,
        database.dedicated("complaints"),
        vault=rooms.vault,
        ids=rooms.ids,
        registry=rooms.registry,
        stopped=rooms.inbound.stopped,
        ends=complaint_ends(rooms.config, rooms.registry),
        wall_ms=rooms.clock.wall_ms,
        named=naming.complaints,
    )
    rooms.imports = ImportDesk(
        database.read,
        database.dedicated("imports"),
        term=rooms.term.term,
        vault=rooms.vault,
        ids=rooms.ids,
        stopped=rooms.inbound.stopped,
        wall_ms=rooms.clock.wall_ms,
        listed=naming.listed,
    )
    rooms.exports = ExportDesk(
        database.read,
        database.dedicated("exports"),
        open_connection=database.open_connection,
        partners=partner_keys(rooms.config),
        vault=rooms.vault,
        ids=rooms.ids,
    )
    contacts.build(rooms)
    rooms.reveals = AuditedReveals(database.dedicated("reveals"), rooms.ids, rooms.vault.index)
    persons.build(rooms)
    segments.build(rooms)


def partner_keys(config: Config) -> dict[str, PartnerKey]:
    """The keys that are shared with partners, by name."""
    return {each.name: PartnerKey(bytes.fromhex(each.key)) for each in config.partners}
