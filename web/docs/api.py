"""The API's description of itself, without a key: the OpenAPI document and the pages for people.

Owns /openapi.json, /docs and /docs/problems. Must not describe an endpoint: each does so beside its
handler (endpoints.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import cached_property
from importlib.metadata import version
from typing import NamedTuple

import msgspec
from aiohttp import web

from web.docs.openapi import document
from web.docs.page import DOCS, docs_page, page_style, problems_page
from web.edge.answer_fields import of_page
from web.edge.endpoints import JSON, Answer, Endpoint
from web.edge.problems import DOCUMENT

HTML = "text/html"


class Description(NamedTuple):
    """The document as JSON, and as a page of HTML."""

    document: bytes
    page: str


class DocumentationApi:
    """Made once from the records of all endpoints, when somebody asks. Then it answers from
    memory.
    """

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        self._endpoints = [*endpoints, *self.routes()]
        self._making: asyncio.Future[Description] | None = None
        self._page_fields = of_page(page_style())

    def routes(self) -> list[Endpoint]:
        """The endpoints, for server.py to mount."""
        return [
            Endpoint(
                method="GET",
                path="/openapi.json",
                handler=self.openapi,
                summary="This document",
                answers={200: Answer(dict[str, object], "An OpenAPI 3.1 document")},
            ),
            Endpoint(
                method="GET",
                path=DOCS,
                handler=self.docs,
                summary="This document for people",
                answers={200: Answer(None, content_type=HTML)},
            ),
            Endpoint(
                method="GET",
                path=DOCUMENT,
                handler=self.problems,
                summary="What each problem code means and what to do about it",
                answers={200: Answer(None, content_type=HTML)},
            ),
        ]

    async def openapi(self, _request: web.Request) -> web.Response:
        """The OpenAPI document."""
        return web.Response(body=(await self._description()).document, content_type=JSON)

    async def docs(self, _request: web.Request) -> web.Response:
        """The document as a page."""
        page = (await self._description()).page
        return web.Response(text=page, content_type=HTML, headers=self._page_fields)

    @cached_property
    def _problems(self) -> str:
        return problems_page()

    async def problems(self, _request: web.Request) -> web.Response:
        """The page that the `type` of every problem leads to."""
        return web.Response(text=self._problems, content_type=HTML, headers=self._page_fields)

    async def _description(self) -> Description:
        """Shielded: the first who asks may hang up, and others wait for the same."""
        if self._making is None:
            self._making = asyncio.ensure_future(asyncio.to_thread(described, self._endpoints))
        return await asyncio.shield(self._making)


def described(endpoints: Sequence[Endpoint]) -> Description:
    """Takes a fifth of a second, in which messages go on elsewhere."""
    found = document(endpoints, version=version("smsgate"))
    return Description(msgspec.json.encode(found), docs_page(found))
