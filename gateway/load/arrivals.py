"""When each request of a load is due: the rate alone decides, never an answer.

Owns the plan of an open loop. Must not wait, nor read a clock. A generator that waited for answers
would send less just when the gateway is slow, and leave those waits out of its figures.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple


class Request(NamedTuple):
    """Due so many seconds after the start. It carries `size` messages from place `first` on."""

    due: float
    first: int
    size: int
    batch: bool


Requests = Iterator[Request]


def requests(rate: float, seconds: float, *, batch_share: float, batch_size: int) -> Requests:
    """All of them in order, evenly spread. `rate`: messages a second, above nought."""
    total = int(rate * seconds)
    sent = in_batches = 0
    while sent < total:
        batch = in_batches + batch_size <= batch_share * (sent + batch_size)
        size = min(batch_size if batch else 1, total - sent)
        yield Request(sent / rate, sent, size, batch)
        sent += size
        in_batches += size * batch
