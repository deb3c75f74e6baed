"""Callbacks that a single message names: where, of what, and what is given back.

Owns their shape as it stands in `message.callback`, and the origin that stands for the place.
Pure. Must not judge the URL (addresses.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

from dlr.webhooks.events import FINAL

DATA_OCTETS_MAX = 4_000
URL_CHARACTERS_MAX = 2_048
EVENTS_USUAL = (FINAL,)


class Callback(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`events` as an endpoint's filter; `data` comes back in each event as `callback_data`."""

    url: str
    events: tuple[str, ...] = EVENTS_USUAL
    data: object = None

    @property
    def origin(self) -> str:
        """Scheme, host and port: what fails together."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}".lower()


def callback_of(stored: Mapping[str, object] | None) -> Callback | None:
    """As it was stored with its message."""
    return None if stored is None else msgspec.convert(stored, Callback)
