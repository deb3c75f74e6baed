"""The tables of this package whose numbers are sealed anew under another key.

Owns how their rows are read and written. Must not decide when (storage/key_rotation.py).
"""

from __future__ import annotations

from dlr.number_rewriting import park_both
from storage import sql
from storage.number_rewrite import ById

_SQL = sql.load("messages")


def tables() -> tuple[ById, ...]:
    """Messages, and answers that are kept under an Idempotency-Key."""
    return (
        ById("message", _SQL["message_sealed"], _SQL["message_seal"], moved=park_both),
        ById("idempotency", _SQL["idempotency_sealed"], _SQL["idempotency_seal"], octets=True),
    )
