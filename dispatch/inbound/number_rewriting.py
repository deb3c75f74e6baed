"""The tables of handsets and carriers whose numbers are sealed anew under another key.

Owns how their rows are read and written. Must not decide when (storage/key_rotation.py).
"""

from __future__ import annotations

from storage import sql
from storage.number_rewrite import ById

_SQL = sql.load("dispatch")


def tables() -> tuple[ById, ...]:
    """Messages from handsets, parts of them, and what carriers delivered."""
    return (
        ById("inbound_message", _SQL["inbound_message_sealed"], _SQL["inbound_message_seal"]),
        ById("inbound_part", _SQL["inbound_part_sealed"], _SQL["inbound_part_seal"]),
        ById("raw_delivery", _SQL["raw_delivery_sealed"], _SQL["raw_delivery_seal"], octets=True),
    )
