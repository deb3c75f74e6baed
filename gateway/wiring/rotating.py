"""Which tables a change of the number key goes through, and where the next key comes from.

Owns that list. Must not go through one (storage/number_rewrite.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import campaigns.contacts.number_rewriting as of_contacts
import dispatch.inbound.number_rewriting as of_handsets
import dlr.number_rewriting as of_receipts
import messages.control.number_rewriting as of_messages
import recipients.number_rewriting as of_recipients
from storage.key_rotation import KeyRotation
from storage.keys import load_next
from storage.number_rewrite import Rewriting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.rooms import Rooms


def tables() -> tuple[Rewriting, ...]:
    """Every table that holds a number sealed or indexed. Who is spared comes first."""
    return (
        *of_recipients.tables(),
        *of_contacts.tables(),
        *of_messages.tables(),
        *of_handsets.tables(),
        *of_receipts.tables(),
    )


def build(rooms: Rooms, environ: Mapping[str, str]) -> None:
    """Called when the term is ours. Sets rotation."""
    folder = Path(rooms.config.database.data_dir)
    rooms.rotation = KeyRotation(
        rooms.vault,
        tables(),
        term=rooms.term.term,
        load_next=lambda: load_next(folder, environ),
    )
