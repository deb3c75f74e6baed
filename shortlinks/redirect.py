"""The redirect server: GET /{code} -> 302, with the click written down first.

Owns the paths, the status codes and the headers of the short-link host. Must not touch the
database: targets come through the cache, clicks leave through the journal. Nothing that a client
sends may raise out of the handler.

302 and never 301: a browser that remembers a redirect makes no further click. Each GET of an
existing link is written down; which of them were people is decided later. HEAD is answered alike
and is no click: no tap on a link makes one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec
from aiohttp import hdrs, web

from shortlinks import pages
from shortlinks.addresses import Network, client_address, stored_prefix, subscriber
from shortlinks.classify import RequestFacts
from shortlinks.click_ids import MarkedTargets
from shortlinks.code import CodePermutation, split_value
from shortlinks.journal import Click, ClickJournal
from shortlinks.lookup import Destination, LookupUnavailableError, NamedLinks
from shortlinks.miss_limit import MissLimit
from shortlinks.opt_out_door import OptOutDoor
from shortlinks.public_lookup import Domains
from shortlinks.ranges import TargetCache
from shortlinks.request_facts import Visit, facts_of, plain_agent
from shortlinks.rewrite import OPT_OUT_TARGET
from shortlinks.visit_door import PATHS as VISIT_PATHS
from shortlinks.visit_door import VisitDoor
from storage.faults import RETRY_AFTER_SECONDS

if TYPE_CHECKING:
    from storage.ids import IdSource

PREFIXES_REMEMBERED_MAX = 8_192
REFERRER_POLICY = "no-referrer-when-downgrade"
CACHE_CONTROL = "private, no-store, max-age=0"
HEALTH_PATH = "/healthz"
INFORMATION_MARK = "+"
NO_DOMAINS = Domains("")
METHODS = "GET, HEAD"
NAME_CHARACTERS_MAX = 64


class RedirectCounters(msgspec.Struct):
    """What was answered. `fallback`: expired or unknown, and led elsewhere. `clicks_lost`:
    redirected, but the journal could not take the click.
    """

    redirects: int = 0
    head: int = 0
    information: int = 0
    fallback: int = 0
    not_found: int = 0
    expired: int = 0
    rate_limited: int = 0
    method_refused: int = 0
    unavailable: int = 0
    clicks_lost: int = 0


class Redirector:
    """Answers requests for short links. Counters in `counters`."""

    def __init__(
        self,
        codes: CodePermutation,
        targets: TargetCache,
        journal: ClickJournal,
        ids: IdSource,
        clock: Callable[[], float],
        *,
        trusted_proxies: Sequence[Network] = (),
        referrer_policy: str = REFERRER_POLICY,
        misses: MissLimit | None = None,
        opt_outs: OptOutDoor | None = None,
        marked: MarkedTargets | None = None,
        named: NamedLinks | None = None,
        domains: Domains = NO_DOMAINS,
        fallback: str = "",
        brand: str = "",
        network: Callable[[str], str] = stored_prefix,
    ) -> None:
        """`clock` is Unix time in seconds. `ids` gives each click its id, and with it its time.

        `opt_outs` None: opt-out links lead nowhere. `marked`: which targets are told the click.
        `named`: links with a name of their own, each in its place of `domains`. `fallback`: where
        unknown and expired links lead; "": to a page that says so, under the name `brand`.
        `network`: what of an address is kept.
        """
        self.counters = RedirectCounters()
        self._codes = codes
        self._targets = targets
        self._journal = journal
        self._ids = ids
        self._clock = clock
        self._trusted_proxies = trusted_proxies
        self._misses = MissLimit() if misses is None else misses
        self._opt_outs = opt_outs
        self._marked = marked
        self._named = named
        self._domains = domains
        self._network = network
        self._fallback = fallback
        self._pages = pages.Pages(brand)
        self.visits: VisitDoor | None = None  # None: nobody tells of landing pages
        self._prefixes: dict[str, str] = {}
        self._headers = {
            hdrs.CACHE_CONTROL: CACHE_CONTROL,
            "Referrer-Policy": referrer_policy,
            "X-Robots-Tag": "noindex",
            "X-Content-Type-Options": "nosniff",
            hdrs.SERVER: "smsgate",
        }

    def server(self) -> web.Server:
        """The aiohttp server to run with `web.ServerRunner`. Without a router, which cost a
        seventh.
        """
        return web.Server(self.handle, access_log=None, auto_decompress=False)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request to the short-link host."""
        if request.method not in _METHODS:
            return self._method_refused()
        path = _path(request)
        if path == HEALTH_PATH and request.method != _POST:
            return web.Response(text="ok\n", headers=self._headers)
        if path in VISIT_PATHS and self.visits is not None and request.method != _POST:
            return await self.visits.answer(request, path)
        found = _NAME.match(path)
        if found is None:
            return self._not_found()
        name, behind = found[1], path[found.end() :]
        host = request.headers.get(hdrs.HOST, "")
        value = self._codes.decode(name) if self._domains.has_recipients(host) else None
        if value is None and (self._named is None or _FILE.match(behind)):
            return self._not_found()
        address = self._client(request)
        place = self._domains.place(host, name)
        destination = self._known(place, value)
        if destination is None:
            refusal = None if self._holds(place) else self._refusal(address)
            if refusal is not None:
                return refusal
            try:
                destination = await self._found(place, value)
            except LookupUnavailableError:
                return self._unavailable()
            if destination is None:
                self._misses.count(subscriber(address), self._clock())
                return self._not_found()
        return await self._lead(request, address, name, behind, destination)

    async def _lead(
        self,
        request: web.BaseRequest,
        address: str,
        name: str,
        behind: str,
        destination: Destination,
    ) -> web.StreamResponse:
        if destination.expires_at <= self._clock():
            return self._expired(destination)
        if behind == INFORMATION_MARK or request.method == _POST:
            return await self._without_redirect(request, address, name, destination)
        if destination.target == OPT_OUT_TARGET:
            return await self._opt_out(request, address, destination)
        return self._redirect(request, address, destination)

    def _redirect(
        self, request: web.BaseRequest, address: str, destination: Destination
    ) -> web.Response:
        if request.method == _HEAD:
            self.counters.head += 1
            return web.Response(status=302, headers=self._leading(destination.target, None))
        click_id = self._record(request, address, destination)
        self.counters.redirects += 1
        return web.Response(status=302, headers=self._leading(destination.target, click_id))

    def _known(self, place: str, value: int | None) -> Destination | None:
        """The link at this place, if it is in memory. `value`: what its name is as a code."""
        if value is not None:
            link_seq, slot = split_value(value)
            held = self._targets.cached(link_seq)
            if held is not None:
                return held.destination(link_seq, slot)
        return None if self._named is None else self._named.cached(place)

    def _holds(self, place: str) -> bool:
        """Whether a link is in memory there, fresh or not."""
        return self._named is not None and place in self._named

    async def _found(self, place: str, value: int | None) -> Destination | None:
        """The link at this place; None if there is none. Raises LookupUnavailableError."""
        if value is not None:
            link_seq, slot = split_value(value)
            held = await self._targets.find(link_seq)
            if held is not None:
                return held.destination(link_seq, slot)
        return None if self._named is None else await self._named.find(place)

    async def _without_redirect(
        self, request: web.BaseRequest, address: str, name: str, destination: Destination
    ) -> web.StreamResponse:
        """A press on an opt-out page, or where a link leads: neither is a click."""
        if destination.target == OPT_OUT_TARGET:
            return await self._opt_out(request, address, destination)
        if request.method == _POST:
            return self._method_refused()
        self.counters.information += 1
        return self._page(200, self._pages.information(destination.target, f"/{name}"))

    async def _opt_out(
        self, request: web.BaseRequest, address: str, destination: Destination
    ) -> web.StreamResponse:
        if self._opt_outs is None:
            return self._not_found()
        network = self._stored_prefix(address)
        return await self._opt_outs.answer(request, destination.message_id, network)

    def _method_refused(self) -> web.Response:
        self.counters.method_refused += 1
        return web.Response(status=405, headers={**self._headers, hdrs.ALLOW: METHODS})

    def _leading(self, target: str, click_id: int | None) -> dict[str, str]:
        if self._marked is not None and click_id is not None:
            target = self._marked.location(target, click_id)
        return {hdrs.LOCATION: target, **self._headers}

    def _record(
        self, request: web.BaseRequest, address: str, destination: Destination
    ) -> int | None:
        """The click's id, once it is written down."""
        headers = request.headers
        agent = plain_agent(headers.get(hdrs.USER_AGENT, ""))
        click = self._click(address, destination, agent, facts_of(headers))
        if self._journal.append(click):
            return click.id
        self.counters.clicks_lost += 1
        return None

    def _click(
        self, address: str, destination: Destination, agent: str, facts: RequestFacts
    ) -> Click:
        return Click(
            self._ids.next(),
            destination.link_seq,
            destination.slot,
            destination.message_id,
            hdrs.METH_GET,
            self._stored_prefix(address),
            agent,
            facts,
            destination.link_id,
        )

    def quick(self, code: str, host: str) -> Destination | None:
        """Where a GET of this code is led if nothing is unusual: it is a recipient's, in memory,
        and in time. `host`: its header. None: ask handle().
        """
        value = self._codes.decode(code) if self._domains.has_recipients(host) else None
        if value is None:
            return None
        link_seq, slot = split_value(value)
        held = self._targets.cached(link_seq)
        if held is None or held.expires_at <= self._clock():
            return None
        destination = held.destination(link_seq, slot)
        return None if destination is None or destination.target == OPT_OUT_TARGET else destination

    def lead_all(self, visits: Sequence[Visit]) -> list[str]:
        """Write their clicks down, all at once. Returns where each is led then."""
        clicks = [
            self._click(self._address(each), each.destination, each.agent, each.facts)
            for each in visits
        ]
        kept = self._journal.append_all(clicks)
        self.counters.redirects += len(visits)
        self.counters.clicks_lost += kept.count(False)
        if self._marked is None:
            return [each.destination.target for each in visits]
        return [
            self._marked.location(each.destination.target, click.id) if written
            else each.destination.target
            for each, click, written in zip(visits, clicks, kept, strict=True)
        ]  # fmt: skip

    @property
    def header_lines(self) -> str:
        """What stands in the head of every redirect, beside its Location."""
        return "".join(f"{name}: {value}\r\n" for name, value in self._headers.items())

    def _address(self, visit: Visit) -> str:
        if not self._trusted_proxies:
            return visit.remote
        return client_address(visit.remote, visit.forwarded_for, self._trusted_proxies)

    def _client(self, request: web.BaseRequest) -> str:
        remote = request.remote
        if not self._trusted_proxies:
            return remote or ""
        forwarded_for = ",".join(request.headers.getall(hdrs.X_FORWARDED_FOR, ()))
        return client_address(remote, forwarded_for, self._trusted_proxies)

    def _stored_prefix(self, address: str) -> str:
        prefix = self._prefixes.get(address)
        if prefix is None:
            if len(self._prefixes) >= PREFIXES_REMEMBERED_MAX:
                self._prefixes.clear()
            prefix = self._prefixes[address] = self._network(address)
        return prefix

    def _refusal(self, address: str) -> web.Response | None:
        """429 for a client that asked too often for what does not exist.

        Only for what is not in memory. One address of a mobile network has many people
        behind it, and their links in use stay open to them.
        """
        seconds = self._misses.seconds_to_wait(subscriber(address), self._clock())
        if seconds <= 0:
            return None
        self.counters.rate_limited += 1
        return self._page(429, self._pages.too_many, {"Retry-After": str(int(seconds) + 1)})

    def _not_found(self) -> web.Response:
        self.counters.not_found += 1
        return self._elsewhere(self._fallback) or self._page(404, self._pages.not_found)

    def _expired(self, destination: Destination) -> web.Response:
        self.counters.expired += 1
        fallback = destination.fallback or self._fallback
        return self._elsewhere(fallback) or self._page(410, self._pages.expired)

    def _elsewhere(self, fallback: str) -> web.Response | None:
        if not fallback:
            return None
        self.counters.fallback += 1
        return web.Response(status=302, headers={hdrs.LOCATION: fallback, **self._headers})

    def _unavailable(self) -> web.Response:
        self.counters.unavailable += 1
        return self._page(503, self._pages.unavailable, {"Retry-After": str(RETRY_AFTER_SECONDS)})

    def _page(self, status: int, html: str, headers: dict[str, str] | None = None) -> web.Response:
        return web.Response(
            status=status,
            text=html,
            content_type="text/html",
            headers={
                **self._headers,
                hdrs.CONTENT_SECURITY_POLICY: pages.CONTENT_SECURITY_POLICY,
                **(headers or {}),
            },
        )


_POST = hdrs.METH_POST
_HEAD = hdrs.METH_HEAD
_METHODS = frozenset((hdrs.METH_GET, _HEAD, _POST))
# What stands behind a name is ignored. A telephone that makes a link of a Chinese text often takes
# the words or the full stop behind it along. A code that is one character too long is another name.
_NAME = re.compile(rf"/([A-Za-z0-9_-]{{1,{NAME_CHARACTERS_MAX}}})(?![A-Za-z0-9_/-])")
_FILE = re.compile(r"\.[A-Za-z]")  # /favicon.ico and its like: nobody's link, and nobody's guess


def _path(request: web.BaseRequest) -> str:
    """The path of the target as it came. A proxy may send an absolute URL (RFC 9112 section
    3.2.2).
    """
    target = request.raw_path
    if not target.startswith("/"):
        target = "/" + target.partition("://")[2].partition("/")[2]
    return target.partition("?")[0]
