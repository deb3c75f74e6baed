"""The short-link side of this process: codes for new messages, and the redirect listener.

Owns the wiring of shortlinks/: key, number blocks, target cache, click journal and its loader. Must
not decide anything itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import msgspec
from aiohttp import web

from shortlinks.addresses import Networks, hidden, parse_networks, stored_prefix
from shortlinks.click_ids import KEY_BYTES, KEY_PURPOSE, PARAMETER, ClickIds, MarkedTargets
from shortlinks.clicks import ClickLoader, Told
from shortlinks.code import CodePermutation
from shortlinks.journal import ClickJournal
from shortlinks.lookup import NamedLinks
from shortlinks.opt_out_door import OptOutDoor
from shortlinks.opt_outs import OptOutBook
from shortlinks.public_lookup import Domains, PublicLinks
from shortlinks.ranges import RANGE_BYTES_CACHED_MAX, LinkSequence, TargetCache
from shortlinks.redirect import NO_DOMAINS, Redirector
from shortlinks.visit_door import VisitBook, VisitDoor
from storage.ids import IdSource
from storage.keys import NumberKeys
from storage.periodic import Ended, PeriodicTask
from storage.pool import Database

CODE_KEY_BYTES = 32
NETWORK_KEY_BYTES = 32
JOURNAL_FOLDER = "clicks"
GRACE_SECONDS = 5.0
FOLLOW_SECONDS = 1.0  # between looks for new ranges


class Listening(Protocol):
    """Takes connections, within its bounds, for a server of requests."""

    async def start(self, server: web.Server, host: str, port: int) -> tuple[str, int]:
        """Listen. Returns (host, port): the real port where 0 was asked. Raises OSError."""

    def stop(self) -> None:
        """Take no new connection."""


class LinkService:
    """Codes from the installation's own key; one redirect server."""

    def __init__(
        self,
        listener: Listening,
        database: Database,
        *,
        trusted_proxies: Sequence[str],
        data_dir: Path,
        keys: NumberKeys,
        ids: IdSource,
        node: int,
        told: Told | None = None,
        opt_outs: OptOutBook | None = None,
        click_id_hosts: Sequence[str] = (),
        click_id_parameter: str = PARAMETER,
        domains: Domains = NO_DOMAINS,
        fallback: str = "",
        brand: str = "",
        networks: Networks = "truncated",
        memory_bytes: int = RANGE_BYTES_CACHED_MAX,
        ended: Ended,
    ) -> None:
        """`told`: hears of clicks in the transaction that stores them. `opt_outs`: what presses on
        opt-out pages are told; None: there are no such pages. `click_id_hosts` are told the
        click's id, in the parameter of this name. `domains`, `fallback`, `brand`: as Redirector's.
        `networks`: what is kept of a client's address. `memory_bytes`: of recipients' links.
        `ended` is told when a task has ended by itself.
        """
        self._listener = listener
        self.sequence = LinkSequence()
        self.codes = CodePermutation(keys.derive("short-link codes", CODE_KEY_BYTES))
        self.click_ids = ClickIds(keys.derive(KEY_PURPOSE, KEY_BYTES))
        self.domains = domains
        public = PublicLinks(database.dedicated("public links"))
        self._named = NamedLinks(public.fetch, time.time)
        self._targets = TargetCache(database.dedicated("links"), time.time, bytes_max=memory_bytes)
        self._following = PeriodicTask(
            "recent links", self._targets.follow, lambda: FOLLOW_SECONDS, ended=ended
        )
        self._journal = ClickJournal(data_dir / JOURNAL_FOLDER, node)
        self._loader = ClickLoader(self._journal, database.dedicated("clicks"), told=told)
        self._opt_outs = None if opt_outs is None else OptOutDoor(opt_outs)
        self._redirector = Redirector(
            self.codes,
            self._targets,
            self._journal,
            ids,
            time.time,
            trusted_proxies=parse_networks(trusted_proxies),
            opt_outs=self._opt_outs,
            marked=MarkedTargets(self.click_ids, click_id_hosts, click_id_parameter)
            if click_id_hosts
            else None,
            named=self._named,
            domains=domains,
            fallback=fallback,
            brand=brand,
            network=_network(networks, keys),
        )
        self._runner: web.ServerRunner | None = None
        self._click_id_parameter = click_id_parameter

    def take_visits(self, book: VisitBook) -> None:
        """Answer the pixel and the script of landing pages, and tell `book` of visits."""
        self._redirector.visits = VisitDoor(book, self._click_id_parameter)

    async def start(self, host: str, port: int) -> tuple[str, int]:
        """Listen, and load what an earlier run left in the journal.

        Returns (host, port): the real port where 0 was asked. Raises OSError for a port in use.
        """
        runner = web.ServerRunner(self._redirector.server(), shutdown_timeout=GRACE_SECONDS)
        await runner.setup()
        self._runner = runner
        server = runner.server
        assert server is not None  # it is set up
        address = await self._listener.start(server, host, port)
        self._loader.start()
        self._following.start()
        return address

    async def stop(self) -> None:
        """Stop answering, then load the clicks that are written down."""
        self._listener.stop()
        await self._following.stop()
        if self._runner is not None:
            await self._runner.cleanup()
        self._journal.close()
        await self._loader.close()
        await self._targets.close()
        await self._named.close()

    @property
    def redirector(self) -> Redirector:
        """Answers requests for links."""
        return self._redirector

    def trouble(self) -> str | None:
        """Why clicks are not kept at present; None: they are."""
        gap = self._journal.gap
        return f"clicks are not kept: {gap.why}" if self._journal.losing and gap else None

    def counts(self) -> dict[str, int]:
        """Clicks since start: written to the journal, loaded from it, and lost because it
        was full.
        """
        return {
            "journalled": self._journal.appended,
            "loaded": self._loader.loaded,
            "lost": self._journal.lost,
        }

    def visits(self) -> dict[str, int]:
        """Answers to landing pages since start, by what was done."""
        door = self._redirector.visits
        return {} if door is None else dict(door.answered)

    def answers(self) -> dict[str, int]:
        """Answers of the redirect server since start, by what was answered."""
        return {
            name: count
            for name, count in msgspec.structs.asdict(self._redirector.counters).items()
            if name != "clicks_lost"
        }

    def lookups(self) -> dict[str, int]:
        """Links that were not in memory; those with a name that were led on while nobody could be
        asked.
        """
        named = self._named
        return {
            "recipients": self._targets.misses,
            "named": 0 if named is None else named.misses,
            "stale": 0 if named is None else named.stale,
        }

    @property
    def memory_bytes(self) -> int:
        """About the octets of recipients' links in memory."""
        return self._targets.bytes_held

    @property
    def journal_bytes(self) -> int:
        """Octets of journal files: what is not in the database yet, and what was just loaded."""
        return self._journal.bytes_held

    def opt_out_pages(self) -> dict[str, int]:
        """Answers of opt-out pages since start, by what was done."""
        return {} if self._opt_outs is None else dict(self._opt_outs.answered)


def _network(networks: Networks, keys: NumberKeys) -> Callable[[str], str]:
    if networks == "truncated":
        return stored_prefix
    if networks == "none":
        return lambda _address: ""
    key = keys.derive("click networks", NETWORK_KEY_BYTES)
    return lambda address: hidden(stored_prefix(address), key)
