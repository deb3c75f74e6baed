"""The pixel and the script of a landing page: they tell that a link's target was opened.

Owns their paths, octets and headers. Must not know how a visit is stored (VisitBook).

A browser that loads the pixel has opened the page. Machines that name themselves are not counted.
A click is stored some moments after its redirect, so a visit waits for it a little. Neither sets a
cookie or keeps anything on the telephone. Values and orders are told by the site's server, with a
key: what a browser says of them is not believed.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, Protocol
from urllib.parse import parse_qs

from aiohttp import hdrs, web

from shortlinks.opt_out_door import is_machine
from storage.faults import Overloaded, StorageDown

PIXEL_PATH, SCRIPT_PATH = "/v.gif", "/v.js"
PATHS = frozenset((PIXEL_PATH, SCRIPT_PATH))
PAUSES_SECONDS = (0.2, 0.4, 0.8, 1.6)  # until the click is there
WAITING_MAX = 500  # visits that wait for their click
REMEMBERED_MAX = 10_000  # visits that are told already: a page that is loaded again asks nobody
SCRIPT_OCTETS_MAX = 1024
FIELDS_MAX = 16
PARAMETER = "cid"  # of the pixel

PIXEL = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\x00\x00\x00!\xf9\x04\x01\x00\x00\x00"
    b"\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)
SCRIPT = """\
// The click that led here: told once as a visit, and kept for the page's own form.
(function(s){
var c=new URLSearchParams(location.search).get(s.dataset.parameter||"%s");
window.smsgate={click:c};
if(c)new Image().src=new URL("v.gif?cid="+encodeURIComponent(c),s.src);
})(document.currentScript);
"""
HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Cross-Origin-Resource-Policy": "cross-origin",  # other sites embed both
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Robots-Tag": "noindex",
        hdrs.SERVER: "smsgate",
    }
)


Visited = Literal["recorded", "awaited", "unknown", "forged"]


class VisitBook(Protocol):
    """Where visits are stored. Raises StorageDown and Overloaded."""

    async def visited(self, text: str) -> Visited:
        """`recorded`: it is committed, now or before. `awaited`: its click is so young that it may
        be stored yet. `unknown`: there is none, or no more. `forged`: no click id of ours.
        """


class VisitDoor:
    """Answers requests for both. `answered` counts since start, by what was done."""

    def __init__(self, book: VisitBook, parameter: str) -> None:
        """`parameter`: in which the target of a link is told its click id."""
        self._book = book
        self._script = (SCRIPT % parameter).encode()
        self._waiting = 0
        self._told: OrderedDict[str, Visited] = OrderedDict()
        self.answered: Counter[str] = Counter(
            dict.fromkeys(("recorded", "machine", "unknown", "forged", "refused", "script"), 0)
        )

    async def answer(self, request: web.BaseRequest, path: str) -> web.Response:
        """What is at one of PATHS: the script; or the pixel, once the visit is committed."""
        if path == SCRIPT_PATH:
            self.answered["script"] += 1
            headers = {**HEADERS, hdrs.CACHE_CONTROL: "public, max-age=3600"}
            return web.Response(
                body=self._script, content_type="text/javascript", charset="utf-8", headers=headers
            )
        done = await self._visit(request)
        self.answered[done] += 1
        status = 503 if done == "refused" else 200
        headers = {**HEADERS, hdrs.CACHE_CONTROL: "private, no-store, max-age=0"}
        return web.Response(status=status, body=PIXEL, content_type="image/gif", headers=headers)

    async def _visit(self, request: web.BaseRequest) -> str:
        if request.method != hdrs.METH_GET or is_machine(request.headers):
            return "machine"
        text = _click(request)
        if text in self._told:
            return self._told[text]
        if self._waiting >= WAITING_MAX:
            return "refused"
        self._waiting += 1
        try:
            return await self._stored(text)
        except (StorageDown, Overloaded):
            return "refused"
        finally:
            self._waiting -= 1

    async def _stored(self, text: str) -> str:
        """What became of the visit, at the latest when the pauses are over."""
        for pause in (*PAUSES_SECONDS, 0.0):
            found = await self._book.visited(text)
            if found in ("recorded", "unknown"):
                self._remember(text, found)
            if found != "awaited":
                return found
            await asyncio.sleep(pause)
        return "unknown"

    def _remember(self, text: str, found: Visited) -> None:
        if len(self._told) >= REMEMBERED_MAX:
            self._told.popitem(last=False)
        self._told[text] = found


def _click(request: web.BaseRequest) -> str:
    query = request.raw_path.partition("?")[2]
    try:
        return parse_qs(query, max_num_fields=FIELDS_MAX).get(PARAMETER, [""])[0]
    except ValueError:  # more fields than the script sends
        return ""
