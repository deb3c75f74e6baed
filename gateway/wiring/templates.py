"""Templates, put together.

Owns that wiring. Must not decide anything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from campaigns.templates.desk import TemplateDesk
from campaigns.templates.memory import VersionMemory
from gateway.config import Config
from gateway.config.account_settings import AccountSettings, reply_words
from gateway.wiring.message_templates import AccountMeasure, MessageTemplates, TemplateRoom
from messages.models import AccountPolicy
from recipients.keywords import KeywordSets
from storage.names import DEFAULT_ACCOUNT

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
        keywords=_keywords(rooms),
        changed=lambda template: memory.forget(template),
    )
    memory = VersionMemory(desk.versions, lambda: rooms.clock.monotonic_ns() // NANOSECONDS_PER_MS)
    return TemplateRoom(desk, MessageTemplates(memory))


def _keywords(rooms: Rooms) -> Callable[[int], KeywordSets]:
    def of(account: int) -> KeywordSets:
        return reply_words(_settings(rooms.config, rooms.registry.account_name(account))).sets

    return of


def _settings(config: Config, name: str) -> AccountSettings:
    found = (each for each in config.accounts if each.name == name)
    return next(found, AccountSettings(name=name or DEFAULT_ACCOUNT))
