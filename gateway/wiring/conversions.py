"""Conversions put together: whose click counts by which rule, and who is told of them.

Owns that wiring. Must not decide anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from campaigns.events import naming
from dlr.webhooks.changes import happened, tell
from dlr.webhooks.events import moment
from gateway.config import Config
from shortlinks.conversion_desk import ConversionDesk, Told
from shortlinks.conversions import NO_MESSAGE, Attribution, Conversion, decimal
from storage.ids import format_id, time_of
from storage.names import Registry
from storage.pool import Connection

if TYPE_CHECKING:
    from gateway.rooms import Rooms


def told_of(rooms: Rooms) -> Told:
    """Writes `conversion.recorded` down, if anybody wants to hear, and what contacts did."""

    async def told(
        connection: Connection, account: int, rule: Attribution, new: Sequence[Conversion]
    ) -> None:
        by = "first_click" if rule.first else "last_click"
        happenings = [
            happened(
                "conversion.recorded",
                account,
                time_of(each.id),
                {
                    "id": each.reference,
                    "conversion_id": format_id("cnv", each.id),
                    "event": each.event,
                    "value": None if each.value_micros is None else decimal(each.value_micros),
                    "currency": each.currency,
                    "occurred_at": moment(each.occurred_at),
                    "message_id": format_id("msg", each.message_id)
                    if each.message_id != NO_MESSAGE
                    else None,
                    "link": each.slot,
                    "click": None
                    if each.click_id is None
                    else rooms.links.click_ids.text(each.click_id),
                    "attribution": "none" if each.click_id is None else by,
                },
                subject=each.message_id,
            )
            for each in new
        ]
        await tell(connection, happenings, rooms.ids)
        named: dict[bool, list[int]] = {True: [], False: []}
        for each in new:
            named[bool(rule.currency) or each.currency is None].append(each.id)
        await naming.conversions(connection, account, paid=named[True], others=named[False])

    return told


def build(rooms: Rooms) -> ConversionDesk:
    """What sites tell of their orders."""
    return ConversionDesk(
        rooms.database.dedicated("conversions"),
        rules=conversion_rules(rooms.config, rooms.registry),
        click_ids=rooms.links.click_ids,
        codes=rooms.links.codes,
        ids=rooms.ids,
        wall_ms=rooms.clock.wall_ms,
        told=told_of(rooms),
    )


def conversion_rules(config: Config, registry: Registry) -> dict[int, Attribution]:
    """Which click counts in every account that says so."""
    return {
        registry.accounts[each.name]: Attribution(
            each.conversion_window_hours,
            each.conversion_attribution == "first_click",
            each.currency or "",
        )
        for each in config.accounts
    }
