"""Errors of contacts, of files of them, and of what they did: those kinds of the table.

Owns their codes, statuses and titles. Must not decide when one is due.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from web.edge.problem_kind import ProblemKind

CONTACT_KINDS: Mapping[str, ProblemKind] = MappingProxyType(
    {
        "contact_conflict": ProblemKind(
            409, "Another contact", "Merge the two if they are one person."
        ),
        "event_conflict": ProblemKind(
            409, "Event told otherwise", "Give another event an id of its own."
        ),
        "contact_unknown": ProblemKind(422, "Contact unknown", "Name a contact of this account."),
        "contacts_full": ProblemKind(
            422, "No room", "Leave out what is not needed; the detail says of what."
        ),
        "import_not_done": ProblemKind(
            409, "Nothing to take back", "Wait until the import has ended; one is undone once."
        ),
        "attribute_name": ProblemKind(
            422, "No name for an attribute", "Take another; a letter first, then a-z, 0-9 and _."
        ),
        "attribute_conflict": ProblemKind(
            409, "Attribute of another type", "Take another name for the other type."
        ),
        "attribute_unknown": ProblemKind(
            422, "Attribute unknown", "Make it first: `PUT /v1/contacts/attributes/{name}`."
        ),
        "attribute_value": ProblemKind(
            422, "Value of another type", "Send what the attribute's type wants."
        ),
    }
)
