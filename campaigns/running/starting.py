"""Whether what is around a campaign is ready for it: approvals, links, and a way out that works.

Owns these questions, for how long an answer counts and how long one may take. Must not decide what
follows from an answer (checks.py), nor look at a campaign's state.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Protocol

import asyncpg
import msgspec

from campaigns.running.checks import ArmFacts
from campaigns.running.plan_warnings import PlanWarning
from campaigns.running.spec import Spec
from campaigns.running.texts import facts_of, told_of, unapproved, versions_of
from campaigns.templates.content import Content, Version
from campaigns.templates.lengths import Measure
from campaigns.templates.rendering import render_longest
from campaigns.templates.rules_form import opt_out_word
from shortlinks.rewrite import TooManyLinksError, find_links, targets_of
from storage import sql
from storage.categories import Category
from storage.reading import reading

_SQL = sql.load("campaigns")
LINKS_SECONDS_MAX = 10.0  # for all links of a campaign together
LINK_FRESH_SECONDS = 300.0  # so long a link that answered is not asked again
LINKS_KEPT_MAX = 10_000

Ask = Callable[[Mapping[str, str], float], Awaitable[Mapping[str, str | None]]]
"""Of each link by its name what is wrong with it, within so many seconds; None: nothing."""


class Trial(Protocol):
    """Tries what a reply leads to."""

    async def fault(self, account: int, sender: str, category: int, word: str) -> str | None:
        """Why whoever replies with this word still gets such messages; None: they get none."""


class LiveLinks:
    """Links that answered lately, of this process. A link that did not is asked again each time."""

    def __init__(self, ask: Ask, monotonic: Callable[[], float]) -> None:
        self._ask = ask
        self._monotonic = monotonic
        self._answered: OrderedDict[str, float] = OrderedDict()

    async def dead(self, urls: Iterable[str], *, anew: bool = False) -> dict[str, str]:
        """Which do not answer, and what is wrong. `anew`: what is remembered does not count."""
        before = self._monotonic() - LINK_FRESH_SECONDS
        asked = {url: url for url in urls if anew or self._answered.get(url, before) <= before}
        found = await self._ask(asked, LINKS_SECONDS_MAX) if asked else {}
        for url, fault in found.items():
            self._answered.pop(url, None)
            if fault is None:
                self._answered[url] = self._monotonic()
        while len(self._answered) > LINKS_KEPT_MAX:
            self._answered.popitem(last=False)
        return {url: fault for url, fault in found.items() if fault is not None}


class Surroundings:
    """Answers for campaigns. `checks_links`: whether links of an account are asked at all.

    `receives`: whether replies come in from the carrier of a connector.
    """

    def __init__(
        self,
        pool: asyncpg.Pool[asyncpg.Record],
        *,
        links: LiveLinks,
        trial: Trial,
        measures: Callable[[int], Measure],
        checks_links: Callable[[int], bool],
        receives: Callable[[int], bool],
    ) -> None:
        self._pool = pool
        self._links = links
        self._trial = trial
        self._measures = measures
        self._checks_links = checks_links
        self._receives = receives

    async def seen(self, account: int, spec: Spec, sender: str, test: int | None) -> list[ArmFacts]:
        """What is the case of each arm, and around it. `test`: the batch of its test.

        Raises StorageDown.
        """
        async with reading(self._pool) as connection:
            versions = await told_of(connection, account, spec)
            rows = [] if test is None else await connection.fetch(_SQL["tests_routed"], test)
        routed = {row["variant"]: row["connectors"] for row in rows}
        dead = await self.dead_links(account, {name: v.version for name, v in versions.items()})
        seen = []
        arms = facts_of(spec, versions)
        for place, (arm, facts) in enumerate(zip(spec.arms, arms, strict=True)):
            stored = versions.get(arm.template)
            if stored is None or not facts.there:
                seen.append(facts)
                continue
            via = routed.get(str(place), [])
            seen.append(
                msgspec.structs.replace(
                    facts,
                    unapproved=unapproved(stored),
                    dead=dead.get(arm.template, {}),
                    opt_out=await self._opt_out(account, spec, sender, stored.version, via),
                )
            )
        return seen

    async def warnings(self, account: int, spec: Spec) -> list[PlanWarning]:
        """What the linter warns of and nobody has waived, and what is not approved, by arm.

        Raises StorageDown.
        """
        async with reading(self._pool) as connection:
            versions = await told_of(connection, account, spec)
        found = []
        for place, arm in enumerate(spec.arms):
            stored, where = versions.get(arm.template), f"/arms/{place}/template"
            if stored is None:
                continue
            waived = {each.rule for each in stored.waivers}
            found += [
                PlanWarning(each.rule, each.detail, where)
                for each in stored.lint
                if each.level == "warning" and each.rule not in waived
            ]
            found += [
                PlanWarning("not_approved", f"{each} has not approved it", where)
                for each in unapproved(stored)
            ]
        return found

    async def dead_links(
        self, account: int, versions: Mapping[str, Version], *, anew: bool = False
    ) -> dict[str, dict[str, str]]:
        """By template: its links that do not answer, and what is wrong with each."""
        if not self._checks_links(account):
            return {}
        links = {
            (name, link): url
            for name, version in versions.items()
            for link, url in links_of(version.content).items()
        }
        wrong = await self._links.dead(links.values(), anew=anew)
        dead: dict[str, dict[str, str]] = {}
        for (name, link), url in links.items():
            if url in wrong:
                dead.setdefault(name, {})[link] = wrong[url]
        return dead

    async def dead_of(self, account: int, spec: Spec) -> dict[str, dict[str, str]]:
        """As `dead_links`, of a campaign, asked anew. Raises StorageDown."""
        async with reading(self._pool) as connection:
            versions = await versions_of(connection, account, spec)
        texts = {name: stored.version for name, stored in versions.items()}
        return await self.dead_links(account, texts, anew=True)

    async def _opt_out(
        self, account: int, spec: Spec, sender: str, version: Version, via: Sequence[int]
    ) -> str | None:
        """Why the way to opt out that the text tells does not work; None: it does."""
        if spec.category != Category.MARKETING.label:
            return None
        measured = self._measures(account)(render_longest(version), spec.category)
        if measured.opt_out_link:
            return None
        word = opt_out_word(measured.text)
        if word is None:
            return "the text does not end with a way to opt out"
        if any(each.isalpha() for each in sender):
            return f"nobody can reply to {sender}: name a number, or end with the opt-out link"
        if via and not any(map(self._receives, via)):
            return "no connector of its route takes replies"
        return await self._trial.fault(account, sender, Category.of(spec.category), word)


def links_of(content: Content) -> dict[str, str]:
    """Where a text leads, by the name of the link, or by its place in the text."""
    try:
        plain = targets_of(find_links(content.body))
    except TooManyLinksError:  # no message is made of it
        plain = []
    return {**{f"#{n}": url for n, url in enumerate(plain, 1)}, **content.links}
