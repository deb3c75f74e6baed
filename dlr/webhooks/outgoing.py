"""One delivery as it goes out: its id, its octets, its headers.

Owns how a body is put together from the stored events, and what signs it. Pure. The same delivery
has the same id and octets at every attempt. Its events, and whether numbers are whole, stand fast
in its row; events never change. Must not send.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import asyncpg
import msgspec

from dlr.webhooks import events
from dlr.webhooks.deliveries import Delivery
from dlr.webhooks.endpoints import Endpoint
from dlr.webhooks.signature import signed_headers, signing_key
from storage.crypto import NumberVault, mask
from storage.ids import time_of


class Outgoing(msgspec.Struct):
    """A claimed delivery, ready to be sent."""

    delivery: Delivery
    name: str  # its webhook-id
    body: bytes


def outgoing(
    delivery: Delivery, read: Mapping[int, asyncpg.Record], *, batched: bool, vault: NumberVault
) -> Outgoing | None:
    """None: its events are not kept any more. `batched`: its endpoint takes batches, and then gets
    one also of a single event.
    """
    told = {
        event_id: _octets(read[event_id], delivery.full_numbers, vault)
        for event_id in delivery.event_ids
        if event_id in read
    }
    if not told:
        return None
    if batched or len(delivery.event_ids) > 1:
        body = events.batch_body(time_of(delivery.id), told)
        return Outgoing(delivery, events.batch_name(delivery.id), body)
    [(event_id, body)] = told.items()
    return Outgoing(delivery, events.event_name(event_id), body)


def headers(
    endpoint: Endpoint, keys: Sequence[str], name: str, timestamp: int, body: bytes
) -> dict[str, str]:
    """What goes with one attempt: the endpoint's own headers, and what signs it. `timestamp` is
    this attempt's.
    """
    signed = signed_headers([signing_key(key) for key in keys], name, timestamp, body)
    return {**endpoint.headers, **signed}


def _octets(row: asyncpg.Record, full_numbers: bool, vault: NumberVault) -> bytes:
    body: bytes = row["body"]
    if not full_numbers or row["number_enc"] is None:
        return body
    number = vault.open_or_none(row["number_enc"])
    return body if number is None else events.with_number(body, mask(number), number)
