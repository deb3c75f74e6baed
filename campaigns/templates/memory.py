"""Versions in memory, so that a message by a template costs no round trip.

Owns what is kept, for how long, and what `tpl_…@3` names. Must not render.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Final

from campaigns.templates.content import Version
from campaigns.templates.store import NEWEST, Place, StoredVersion
from storage.ids import parse_id

PREFIX: Final = "tpl"
VERSIONS_MAX = 1_000  # in memory; of more, those read first are read again
FRESH_MS = 5_000  # after so long it is asked again which is the newest, and whether it has ended

_REFERENCE = re.compile(r"([^@]*)(?:@([1-9][0-9]{0,8}))?")

Read = Callable[[int, Sequence[Place]], Awaitable[Mapping[Place, StoredVersion]]]


def place_of(reference: str) -> Place | None:
    """The template and number that `tpl_…` or `tpl_…@3` names; None: it names nothing."""
    found = _REFERENCE.fullmatch(reference)
    if found is None:
        return None
    try:
        return parse_id(PREFIX, found[1]), NEWEST if found[2] is None else int(found[2])
    except ValueError:
        return None


class VersionMemory:
    """Of this process. `read` asks the database; `now_ms` never goes back."""

    def __init__(self, read: Read, now_ms: Callable[[], int]) -> None:
        self._read = read
        self._now_ms = now_ms
        self._kept: OrderedDict[tuple[int, str], tuple[int, Version]] = OrderedDict()

    def known(self, account: int, reference: str) -> Version | None:
        """As it was in the last FRESH_MS; None: it has to be read."""
        kept = self._kept.get((account, reference))
        if kept is None or self._now_ms() - kept[0] > FRESH_MS:
            return None
        return kept[1]

    async def read(self, account: int, references: Collection[str]) -> dict[str, Version]:
        """Those of them that there are and that have not ended. Raises StorageDown."""
        places = {
            reference: place
            for reference in references
            if (place := place_of(reference)) is not None
        }
        now = self._now_ms()  # before it is read: what changes meanwhile is asked for in time
        stored = await self._read(account, list(dict.fromkeys(places.values())))
        versions = {
            reference: stored[place].version
            for reference, place in places.items()
            if place in stored and stored[place].ended_at is None
        }
        for reference, version in versions.items():
            self._kept.pop((account, reference), None)
            self._kept[account, reference] = now, version
        while len(self._kept) > VERSIONS_MAX:
            self._kept.popitem(last=False)
        return versions

    def forget(self, template: int) -> None:
        """Ask anew: this process has changed it."""
        gone = [key for key, (_, version) in self._kept.items() if version.template == template]
        for key in gone:
            del self._kept[key]
