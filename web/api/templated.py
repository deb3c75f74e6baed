"""Messages whose templates are not in memory: read them, then check those messages again.

Owns that second look. Must not check a message itself.
"""

from __future__ import annotations

import asyncio

from messages.accept.templated import TemplateUnread
from messages.models import AccountPolicy, Prepared, Refused
from web.edge.list_bodies import SLICE_ITEMS, Items
from web.services import Services


async def checked_after_reading(
    services: Services, raw: bytes, account: AccountPolicy, unread: TemplateUnread
) -> Prepared | Refused:
    """One message, checked with its template. Raises StorageDown."""
    found = await services.templates.messages.read(account.id, {unread.reference})
    return services.validator.check(raw, account, now_ms=services.wall_ms(), templates=found)


async def check_unread(
    services: Services,
    messages: Items,
    account: AccountPolicy,
    checked: list[Prepared | Refused],
) -> None:
    """Put what becomes of those messages into `checked`. One read for all. Raises StorageDown."""
    unread = {
        index: each.reference
        for index, each in enumerate(checked)
        if isinstance(each, TemplateUnread)
    }
    if not unread:
        return
    found = await services.templates.messages.read(account.id, set(unread.values()))
    now_ms = services.wall_ms()
    for count, index in enumerate(unread, 1):
        if count % SLICE_ITEMS == 0:
            await asyncio.sleep(0)  # others get their turn
        checked[index] = services.validator.check(
            messages[index], account, now_ms=now_ms, index=index, templates=found
        )
