"""Templates, put together.

Owns that wiring. Must not decide anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from campaigns.templates.desk import TemplateDesk
from campaigns.templates.memory import VersionMemory
from gateway.config.account_settings import reply_words
from gateway.wiring.accounts import settings_of
from gateway.wiring.message_templates import AccountMeasure, MessageTemplates, TemplateRoom
from messages.models import AccountPolicy

if TYPE_CHECKING:
    from gateway.rooms import Rooms

NANOSECONDS_PER_MS = 1_000_000


def build(rooms: Rooms) -> TemplateRoom:
    """What the API asks of templates, and what the accepter makes messages by."""
    base_url = str(rooms.config.links.base_url)
    unknown = AccountPolicy(id=0, name="")
    desk = TemplateDesk(
        rooms.database.read,
        rooms.database.dedicated("templates"),
        ids=rooms.ids,
        measures=lambda account: AccountMeasure(
            base_url,
            rooms.accounts.get(account, unknown),
            rooms.config.limits.message_parts_max,
        ),
        keywords=lambda account: (
            reply_words(settings_of(rooms.config, rooms.registry, account)).sets
        ),
        changed=lambda template: memory.forget(template),
    )
    memory = VersionMemory(desk.versions, lambda: rooms.clock.monotonic_ns() // NANOSECONDS_PER_MS)
    return TemplateRoom(desk, MessageTemplates(memory))
