"""The opt-out page over HTTP: GET shows, and nothing but POST changes.

Owns what of a request counts as a person's wish, and the status codes and headers of these pages.
Must not know what an opt-out does (opt_outs.OptOutBook).

Messaging apps, security gateways and browsers open links by themselves; some run what a page holds.
They get the page, and nothing happens. RFC 8058 names one body that asks by itself, for mail
programs; it is taken like a press of the button.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from email import message_from_bytes
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from aiohttp import hdrs, web

from shortlinks import opt_out_page, pages
from shortlinks.classify import ClickClass, RequestFacts, classify_user_agent, judge
from shortlinks.opt_out_words import WORDS, language_of
from shortlinks.opt_outs import (
    MONTH_CHOICES,
    OFFERED,
    Choose,
    How,
    Language,
    OptOutBook,
    Standing,
    Stop,
    Undo,
    Wish,
)
from storage.faults import RETRY_AFTER_SECONDS, Overloaded, StorageDown

if TYPE_CHECKING:
    from multidict import CIMultiDictProxy

BODY_OCTETS_MAX = 8 * 1024
BODY_SECONDS_MAX = 10.0
FIELDS_MAX = 32
ONE_CLICK = ("List-Unsubscribe", "One-Click")  # RFC 8058 section 3.1

Form = Mapping[str, list[str]]
_PAGES = pages.Pages()

HEADERS: Mapping[str, str] = MappingProxyType(
    {
        hdrs.CACHE_CONTROL: "private, no-store, max-age=0",
        hdrs.CONTENT_SECURITY_POLICY: opt_out_page.CONTENT_SECURITY_POLICY,
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "interest-cohort=()",
        "Referrer-Policy": "no-referrer",  # the address is the recipient's own
        hdrs.VARY: "Accept-Language",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "X-Robots-Tag": "noindex",
        hdrs.SERVER: "smsgate",
    }
)


class OptOutDoor:
    """Answers requests for opt-out links. `answered` counts since start, by what was done."""

    def __init__(self, book: OptOutBook) -> None:
        self._book = book
        self.answered: Counter[str] = Counter(
            dict.fromkeys(("shown", "stopped", "undone", "chosen", "machine", "refused"), 0)
        )

    async def answer(
        self, request: web.BaseRequest, message_id: int, network: str
    ) -> web.StreamResponse:
        """The answer to one request for the link of this message. `network`: truncated."""
        try:
            if request.method != hdrs.METH_POST:
                return await self._show(request, message_id)
            return await self._press(request, message_id, network)
        except (StorageDown, Overloaded):
            self.answered["refused"] += 1
            return _plain(503, _PAGES.unavailable, {"Retry-After": str(RETRY_AFTER_SECONDS)})

    async def _show(self, request: web.BaseRequest, message_id: int) -> web.Response:
        standing = await self._book.standing(message_id)
        self.answered["shown"] += 1
        return _answer(200, request, standing)

    async def _press(
        self, request: web.BaseRequest, message_id: int, network: str
    ) -> web.StreamResponse:
        form = await _form(request)
        if form is None:
            self.answered["refused"] += 1
            return _plain(413, _PAGES.unavailable, {hdrs.CONNECTION: "close"})
        wish, how = _wish(form)
        if wish is None:
            self.answered["refused"] += 1
            return await self._unchanged(request, message_id, 400, "nothing_asked")
        if how == "page" and is_machine(request.headers):
            self.answered["machine"] += 1
            return await self._unchanged(request, message_id, 403, "machine")
        done = {Stop: "stopped", Undo: "undone", Choose: "chosen"}[type(wish)]
        standing = await self._book.change(message_id, wish, how=how, network=network)
        self.answered[done] += 1
        return _answer(200, request, standing, done)

    async def _unchanged(
        self, request: web.BaseRequest, message_id: int, status: int, why: str
    ) -> web.Response:
        return _answer(status, request, await self._book.standing(message_id), why)


def _answer(
    status: int, request: web.BaseRequest, standing: Standing | None, said: str | None = None
) -> web.Response:
    if standing is None:
        return _plain(410, _PAGES.expired)
    language = _language(request, standing.language)
    told = None if said is None else str(getattr(WORDS[language], said))
    html = opt_out_page.page(standing, language, told)
    return _plain(status, html, {hdrs.CONTENT_LANGUAGE: WORDS[language].tag})


def _plain(status: int, html: str, headers: Mapping[str, str] | None = None) -> web.Response:
    sent = dict(HEADERS)
    if status not in (200, 400, 403):
        sent[hdrs.CONTENT_SECURITY_POLICY] = pages.CONTENT_SECURITY_POLICY
    sent.update(headers or {})
    return web.Response(status=status, text=html, content_type="text/html", headers=sent)


def _language(request: web.BaseRequest, of_account: Language) -> Language:
    try:
        asked = parse_qs(request.raw_path.partition("?")[2], max_num_fields=FIELDS_MAX).get("lang")
    except ValueError:  # more fields than any page has
        asked = None
    if asked == ["zh"]:
        return "zh"
    if asked == ["en"]:
        return "en"
    return language_of(request.headers.get(hdrs.ACCEPT_LANGUAGE, ""), of_account)


def is_machine(headers: CIMultiDictProxy[str]) -> bool:
    """Whether a press comes from what names itself as no person: a previewer, a scanner, a browser
    that loads in advance. Who says nothing of itself is believed: nobody must be kept from opting
    out.
    """
    facts = RequestFacts(
        sec_purpose=headers.get("Sec-Purpose", ""),
        purpose=headers.get("Purpose", ""),
        x_moz=headers.get("X-Moz", ""),
    )
    agent = classify_user_agent(headers.get(hdrs.USER_AGENT, "")[:512])
    click_class, reasons = judge(hdrs.METH_GET, facts, agent)
    if click_class is ClickClass.PREFETCH:
        return True
    return bool(_NAMED.intersection(reasons))


_NAMED = frozenset(("ua_preview", "ua_security", "ua_monitor", "ua_automation", "ua_crawler"))


def _wish(form: Form) -> tuple[Wish | None, How]:
    """What a form asks for; None: nothing that is known."""
    field, value = ONE_CLICK
    if form.get(field) == [value]:
        return Stop(), "one_click"
    match form.get("action"):
        case [opt_out_page.STOP]:
            return Stop(), "page"
        case [opt_out_page.STOP_ALL]:
            return Stop(everything=True), "page"
        case [opt_out_page.UNDO]:
            return Undo(), "page"
        case [opt_out_page.CHOOSE]:
            return _choice(form), "page"
    return None, "page"


def _choice(form: Form) -> Choose | None:
    labels = {category.label: int(category) for category in OFFERED}
    wanted = form.get(opt_out_page.WANTED, [])
    month = form.get(opt_out_page.MONTH, ["0"])
    months = {str(value): value for value in (0, *MONTH_CHOICES)}
    if len(month) != 1 or month[0] not in months or not labels.keys() >= set(wanted):
        return None
    named = set(form.get(opt_out_page.DAY, []))
    if not named <= set(opt_out_page.DAYS):
        return None
    days = sum(1 << place for place, day in enumerate(opt_out_page.DAYS) if day in named)
    return Choose(
        frozenset(labels[each] for each in wanted),
        months[month[0]] or None,
        days if 0 < len(named) < len(opt_out_page.DAYS) else None,
    )


async def _form(request: web.BaseRequest) -> Form | None:
    """The fields of a body in either form that HTML has; None: it is too long, or too slow."""
    octets = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS_MAX):
            while chunk := await request.content.readany():
                octets += chunk
                if len(octets) > BODY_OCTETS_MAX:
                    return None
    except TimeoutError:
        return None
    try:
        if request.content_type == "multipart/form-data":
            return _multipart(request.headers.get(hdrs.CONTENT_TYPE, ""), bytes(octets))
        return parse_qs(
            octets.decode(), keep_blank_values=True, max_num_fields=FIELDS_MAX, errors="strict"
        )
    # No UTF-8, more fields than any page has, or what the standard library stumbles over.
    except (ValueError, TypeError):
        return {}


def _multipart(content_type: str, octets: bytes) -> Form:
    head = f"Content-Type: {content_type}\r\n\r\n".encode("ascii", "replace")
    fields: dict[str, list[str]] = {}
    for part in message_from_bytes(head + octets).walk():
        name = part.get_param("name", header="content-disposition")
        value = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(value, bytes):
            fields.setdefault(name, []).append(value.decode("utf-8", "replace").strip("\r\n"))
    return fields
