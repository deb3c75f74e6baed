"""What is stored about one person put together: each table's step, in the order of an erasure.

Owns that order: what is found through messages goes before them, and the audit last. Must not know
a column.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import campaigns.caps.person_steps
import campaigns.contacts.person_steps
import campaigns.running.person_steps
import campaigns.segments.person_steps
import dispatch.person_steps
import dlr.person_steps
import messages.person_steps
import recipients.person_steps
import shortlinks.person_steps
import storage.person_steps
from recipients.erasing import Erasing
from recipients.persons import Persons
from storage.crypto import NumberVault
from storage.persons import PersonStep

if TYPE_CHECKING:
    from gateway.rooms import Rooms


def steps(vault: NumberVault) -> list[PersonStep]:
    """One for each table that holds something of a person."""
    return [
        *campaigns.running.person_steps.STEPS,
        *dlr.person_steps.STEPS,
        *shortlinks.person_steps.STEPS,
        *dispatch.person_steps.steps(vault),
        *campaigns.caps.person_steps.STEPS,
        *campaigns.segments.person_steps.STEPS,
        *campaigns.contacts.person_steps.STEPS,
        *recipients.person_steps.STEPS,
        *storage.person_steps.STEPS,
        *messages.person_steps.STEPS,
        storage.person_steps.AUDIT,
    ]


def build(rooms: Rooms) -> None:
    """Sets persons and erasing. Called when ids and the vault are there."""
    found = steps(rooms.vault)
    waits = messages.person_steps.waiting
    rooms.persons = Persons(
        rooms.database.read,
        rooms.database.dedicated("persons"),
        vault=rooms.vault,
        ids=rooms.ids,
        steps=found,
        waits=waits,
        monotonic=lambda: rooms.clock.monotonic_ns() / 1e9,
    )
    rooms.erasing = Erasing(rooms.vault, rooms.ids, found, waits)
