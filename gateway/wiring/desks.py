"""What stands between the API and what is kept of recipients: each desk with its connections.

Owns that wiring alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from recipients.consent_desk import ConsentDesk
from recipients.suppression_desk import RecipientDesk
from web.edge.reveal_log import AuditedReveals

if TYPE_CHECKING:
    from gateway.app import Gateway


def build(gateway: Gateway) -> tuple[ConsentDesk, RecipientDesk, AuditedReveals]:
    """Called once, when the intake of messages from handsets stands."""
    database = gateway.database
    consents = ConsentDesk(database.read, database.dedicated("consents"), gateway.vault)
    recipients = RecipientDesk(
        database.read,
        database.dedicated("suppressions"),
        vault=gateway.vault,
        registry=gateway.registry,
        ids=gateway.ids,
        stopped=gateway.inbound.stopped,
        wall_ms=gateway.clock.wall_ms,
    )
    return consents, recipients, AuditedReveals(database.dedicated("reveals"), gateway.ids)
