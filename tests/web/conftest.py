"""The running API that every test of this folder asks."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.web.raw_http import GOOD, Watched
from tests.web.served import Api, running_api
from web.api.single_posts import SinglePosts
from web.edge import listener
from web.edge.connection import Connection
from web.edge.request_head import RequestHead


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    """A server of its own, with empty memory."""
    async with running_api() as running:
        yield running


@pytest.fixture
async def known() -> AsyncIterator[Api]:
    """With a key that is known already. Nothing may end up in the loop's exception handler."""
    errors: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: errors.append(context))
    async with running_api() as running:
        await running.post("/v1/messages", GOOD)
        running.memory.stored.clear()
        yield running
    gc.collect()  # tasks whose exception nobody has looked at
    gc.freeze()  # what is left is no garbage; it would take the next test longer
    assert errors == []


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The bodies that went the short way."""
    went: list[bytes] = []
    take = SinglePosts.take

    def noting(self: SinglePosts, owner: Connection, head: RequestHead, body: bytes) -> bool:
        if not take(self, owner, head, body):
            return False
        went.append(body)
        return True

    monkeypatch.setattr(SinglePosts, "take", noting)
    return went


@pytest.fixture
async def looked_at(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Api]:
    """With a key that is known, and connections that are looked at all the time; its clock is
    `time`.
    """
    monkeypatch.setattr(listener, "LOOK_SECONDS", 0.01)
    async with running_api() as running:
        await running.post("/v1/messages", GOOD)
        running.memory.stored.clear()
        watched.heard.clear()
        yield running


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    seen = Watched()
    received, pause = Connection.data_received, Connection.pause_writing
    lost, look = Connection.connection_lost, Connection.look

    def data_received(self: Connection, data: bytes) -> None:
        received(self, data)
        seen.held_most = max(seen.held_most, len(self._held))
        seen.heard.set()

    def pause_writing(self: Connection) -> None:
        pause(self)
        seen.choked.set()

    def connection_lost(self: Connection, exc: Exception | None) -> None:
        lost(self, exc)
        seen.lost.set()

    def looking(self: Connection, now: float) -> None:
        look(self, now)
        seen.looked_at.set()

    for function in (data_received, pause_writing, connection_lost):
        monkeypatch.setattr(Connection, function.__name__, function)
    monkeypatch.setattr(Connection, "look", looking)
    return seen
