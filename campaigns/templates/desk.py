"""Templates behind the API: each change with its audit row, in one commit; and what is asked.

Owns these transactions, and who may still change what. Must not judge a text (linter.py), nor read
what a request holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import asyncpg
import msgspec

from campaigns.templates import store
from campaigns.templates.content import Content, Version, version
from campaigns.templates.findings import Finding, Occasion
from campaigns.templates.lengths import Measure
from campaigns.templates.linter import lint
from campaigns.templates.memory import PREFIX
from campaigns.templates.store import NEWEST, Approval, Place, StoredVersion, Waiver
from recipients.keywords import KeywordSets
from storage import audit
from storage.audit import AuditEntry
from storage.group_commit import GroupCommit
from storage.ids import IdSource, format_id
from storage.one_commit import committed
from storage.pool import Connection, Dedicated
from storage.reading import reading

CHANGES_PER_FLUSH_MAX = 20
CHANGES_WAITING_MAX = 200
UNSAVED = 0  # the number of a version that is not stored


class TemplateActor(msgspec.Struct, frozen=True):
    """Who asks, and for which account."""

    account: int
    name: str  # "key 7"


class TemplateEnded(Exception):
    """The template has ended for good: nothing of it can be changed."""


class NothingToWaive(Exception):
    """The version has no such warning. Errors cannot be waived."""


class NewTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """A template with its first version, checked. `ids`: of the two."""

    ids: tuple[int, int]
    name: str
    content: Content


class NewVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A further version, checked. `id`: of its row."""

    id: int
    template: int
    content: Content


class Said(msgspec.Struct, frozen=True):
    """What is said of a version; NEWEST is the newest."""

    place: Place
    word: Approval | Waiver


class End(msgspec.Struct, frozen=True):
    """That a template ends."""

    template: int


Change = NewTemplate | NewVersion | Said | End
_Refusal = TemplateEnded | NothingToWaive
_Outcome = Place | _Refusal | None


class TemplateDesk:
    """Implements TemplateBook. Counts changes since start by kind, in `counts`.

    `measures` and `keywords`: of an account, how texts are counted and which words opt out.
    `changed` is told of each template that is not as it was.
    """

    def __init__(
        self,
        pool: asyncpg.Pool[asyncpg.Record],
        dedicated: Dedicated,
        *,
        ids: IdSource,
        measures: Callable[[int], Measure],
        keywords: Callable[[int], KeywordSets],
        changed: Callable[[int], None],
    ) -> None:
        self.counts = {"made": 0, "version": 0, "approval": 0, "waiver": 0, "ended": 0}
        self._pool = pool
        self._dedicated = dedicated
        self._ids = ids
        self._measures = measures
        self._keywords = keywords
        self._changed = changed
        self.commits: GroupCommit[tuple[TemplateActor, Change], _Outcome] = GroupCommit(
            self._flush,
            name="templates",
            items_per_flush_max=CHANGES_PER_FLUSH_MAX,
            items_waiting_max=CHANGES_WAITING_MAX,
        )

    def new_ids(self, count: int) -> list[int]:
        """Ids for what is to be made."""
        return self._ids.take(count)

    async def change(self, actor: TemplateActor, asked: Change) -> StoredVersion | None:
        """The version that it concerns, once committed; None: there is none.

        Raises TemplateEnded, NothingToWaive, Overloaded, StorageDown.
        """
        outcome = await committed(self.commits, (actor, asked))
        if outcome is None:
            return None
        if isinstance(outcome, Exception):
            raise outcome
        return await self.one(actor.account, outcome)

    async def one(self, account: int, place: Place) -> StoredVersion | None:
        """One version, also of a template that has ended; None: there is none. Raises
        StorageDown.
        """
        async with reading(self._pool) as connection:
            found = (await store.found(connection, account, [place])).get(place)
            if found is None:
                return None
            return (await store.with_words(connection, [found]))[0]

    async def listed(
        self, account: int, *, before: int | None, ended: bool, limit: int
    ) -> list[StoredVersion]:
        """The newest version of each, the latest made first, below an id. Raises StorageDown."""
        async with reading(self._pool) as connection:
            return await store.listed(connection, account, before=before, ended=ended, limit=limit)

    async def versions(self, account: int, asked: Sequence[Place]) -> Mapping[Place, StoredVersion]:
        """Those that there are, without what was said about them. Raises StorageDown."""
        async with reading(self._pool) as connection:
            return await store.found(connection, account, asked)

    def measure(self, account: int) -> Measure:
        """How texts of this account are counted."""
        return self._measures(account)

    def lint(
        self, account: int, content: Content | Version, occasion: Occasion | None = None
    ) -> list[Finding]:
        """What the rules find, of a version or of what is to become one, as of now."""
        if isinstance(content, Content):
            content = version(0, UNSAVED, content)
        known = msgspec.structs.replace(occasion or Occasion(), keywords=self._keywords(account))
        return lint(content, self._measures(account), known)

    async def close(self) -> None:
        """Store what was asked for, then stop."""
        await self.commits.close()

    async def _flush(
        self, asked: list[tuple[TemplateActor, Change]], _attempt: int
    ) -> list[_Outcome]:
        async with self._dedicated.transaction() as connection:
            outcomes = [await self._apply(connection, *each) for each in asked]
        for (_, change), outcome in zip(asked, outcomes, strict=True):
            if isinstance(outcome, tuple):
                self.counts[_kind(change)] += 1
                self._changed(outcome[0])
        return outcomes

    async def _apply(
        self, connection: Connection, actor: TemplateActor, change: Change
    ) -> _Outcome:
        if isinstance(change, NewTemplate):
            template, version_id = change.ids
            await store.add_template(connection, template, actor.account, change.name)
            return await self._add(connection, actor, template, version_id, change.content)
        template = change.place[0] if isinstance(change, Said) else change.template
        ended = await store.locked(connection, actor.account, template)
        if ended is None:
            return None
        if isinstance(change, End):
            if not ended:
                await store.end(connection, template)
                await self._note(connection, actor, "template.end", _named(template))
            return template, NEWEST
        if ended:
            return TemplateEnded()
        if isinstance(change, NewVersion):
            return await self._add(connection, actor, template, change.id, change.content)
        return await self._say(connection, actor, change)

    async def _add(
        self,
        connection: Connection,
        actor: TemplateActor,
        template: int,
        version_id: int,
        content: Content,
    ) -> Place:
        found = self.lint(actor.account, content)
        number = await store.add_version(
            connection, template, version_id, actor.name, content, found
        )
        what = "template.create" if number == 1 else "template.version"
        await self._note(connection, actor, what, _named(template, number))
        return template, number

    async def _say(self, connection: Connection, actor: TemplateActor, said: Said) -> _Outcome:
        stored = (await store.found(connection, actor.account, [said.place])).get(said.place)
        if stored is None:
            return None
        place, word = (stored.version.template, stored.version.number), said.word
        detail = _named(*place)
        if isinstance(word, Approval):
            await store.approve(connection, place, word)
            detail |= {"provider": word.provider, "state": word.state}
            await self._note(connection, actor, "template.approval", detail, word.reason)
            return place
        levels = {each.level for each in stored.lint if each.rule == word.rule}
        if levels != {"warning"}:
            return NothingToWaive()
        await store.waive(connection, place, word)
        detail |= {"rule": word.rule}
        await self._note(connection, actor, "template.waive", detail, word.reason)
        return place

    async def _note(
        self,
        connection: Connection,
        actor: TemplateActor,
        action: str,
        detail: Mapping[str, object],
        reason: str | None = None,
    ) -> None:
        entry = AuditEntry(
            self._ids.next(), actor.account, actor.name, action, None, detail, reason
        )
        await audit.append(connection, [entry])


def _named(template: int, number: int | None = None) -> dict[str, object]:
    named: dict[str, object] = {"template": format_id(PREFIX, template)}
    return named if number is None else {**named, "version": number}


def _kind(change: Change) -> str:
    if isinstance(change, Said):
        return "approval" if isinstance(change.word, Approval) else "waiver"
    return {NewTemplate: "made", NewVersion: "version", End: "ended"}[type(change)]
