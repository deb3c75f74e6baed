"""The table of this room whose numbers are sealed anew under another key.

Owns how its rows are read and written. Must not decide when (storage/key_rotation.py).
"""

from __future__ import annotations

from storage import sql
from storage.number_rewrite import ByIndex

_SQL = sql.load("campaigns")


def tables() -> tuple[ByIndex, ...]:
    """Numbers of contacts."""
    return (
        ByIndex(
            "contact_number",
            ("account",),
            _SQL["contact_number_sealed"],
            _SQL["contact_number_seal"],
        ),
    )
