"""Owns what an account can do with contacts, for code that blocks.

Must not know a path or a shape of JSON: see calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from smsgate_client import calls
from smsgate_client import contacts as k
from smsgate_client.blocking import Noun
from smsgate_client.calls import under

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Unpack

    from smsgate_client import filters as f


class Contacts(Noun):
    """Whom this account may write to."""

    def put(self, contact: k.NewContact, *, version: int | None = None) -> k.Contact:
        """Make one, or change the one with its external id or a number of its; only as this
        version, if you give one.
        """
        return self._client.run(calls.put_contact(contact, version))

    def list(self, **which: Unpack[f.ContactFilter]) -> Iterator[k.Contact]:
        """Those that fit, the latest first."""
        return self._client.each(calls.listed(under("contacts"), k.Contact, **which))

    def get(self, contact_id: str) -> k.Contact:
        """One as it stands; raises NotFound."""
        return self._client.run(calls.get(under("contacts", contact_id), k.Contact))

    def change(
        self, contact_id: str, version: int, **changes: Unpack[k.ContactChanges]
    ) -> k.Contact:
        """Change what is given of the version that you have seen: its `revision`."""
        return self._client.run(calls.change_contact(contact_id, version, changes))

    def delete(self, contact_id: str, *, version: int | None = None) -> None:
        """Delete it with all that is known of it; only as this version, if you give one.

        Opt-outs and consents stay.
        """
        return self._client.run(calls.end(under("contacts", contact_id), version))

    def merge(self, contacts: Sequence[str], *, version: int | None = None) -> k.Contact:
        """Make one of several. The oldest stays; only if it is of this version, if you give one."""
        return self._client.run(calls.merge_contacts(contacts, version))

    def attributes(self) -> Iterator[k.Attribute]:
        """What contacts may have, by name."""
        return self._client.each(calls.listed(under("contacts", "attributes"), k.Attribute))

    def define(self, name: str, attribute: k.NewAttribute) -> k.Attribute:
        """Make an attribute, or change its label."""
        path = under("contacts", "attributes", name)
        return self._client.run(calls.put(path, k.Attribute, attribute))

    def tags(self) -> Iterator[k.Tag]:
        """What contacts are tagged with, by name."""
        return self._client.each(calls.listed(under("contacts", "tags"), k.Tag))

    def imports(self, **which: Unpack[f.Pages]) -> Iterator[k.ContactImport]:
        """Files that were sent, the latest first."""
        where = under("contacts", "import")
        return self._client.each(calls.listed(where, k.ContactImport, **which))

    def get_import(self, import_id: str) -> k.ContactImport:
        """How far one of them is."""
        where = under("contacts", "import", import_id)
        return self._client.run(calls.get(where, k.ContactImport))

    def import_rows(self, import_id: str, **which: Unpack[f.RowFilter]) -> Iterator[k.ImportedRow]:
        """What became of its rows, in order."""
        where = under("contacts", "import", import_id, "rows")
        return self._client.each(calls.listed(where, k.ImportedRow, **which))

    def undo_import(self, import_id: str) -> k.ContactImport:
        """Take it back, but for what was changed since."""
        where = under("contacts", "import", import_id, "undo")
        return self._client.run(calls.post(where, k.ContactImport, repeatable=False))


class Events(Noun):
    """What contacts did."""

    def record(self, events: Sequence[k.NewEvent]) -> k.EventBatch:
        """Tell of up to 1 000. A wrong one is an item's error and stops no other."""
        told = {"events": [*events]}
        return self._client.run(calls.post(under("events"), k.EventBatch, told))
