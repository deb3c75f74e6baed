"""Idempotency-Key: the same request twice is answered twice and done once.

Owns the header (draft-ietf-httpapi-idempotency-key-header-07), which answers are kept, and their
replay octet for octet. Must not know what a request does: it gets the ids it needs through `Claim`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import Annotated, Protocol

from aiohttp import web
from msgspec import Meta

from messages.accept.idempotency import (
    Claimed,
    InProgress,
    KeptAnswer,
    OtherBody,
    RequestKey,
)
from storage.faults import RETRY_AFTER_SECONDS
from web.edge.problems import ProblemError

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
_CHARACTERS = "[A-Za-z0-9_:-]{1,255}"
PATTERN = f'^({_CHARACTERS}|"{_CHARACTERS}")$'
REQUEST_HEADERS: Mapping[str, object] = MappingProxyType(
    {
        HEADER: Annotated[
            str,
            Meta(
                pattern=PATTERN,
                description="The same key and body within 24 hours are answered as the first was,"
                " byte for byte and with `Idempotency-Replayed: true`, and nothing is done twice."
                " Quotes around the key are no part of it. Only a 2xx answer binds the key.",
            ),
        ]
    }
)
REPEAT_PROBLEMS = ("idempotency_key_invalid", "idempotency_in_progress", "idempotency_key_reused")
_KEY = re.compile(rf"(?P<quote>\"?)(?P<key>{_CHARACTERS})(?P=quote)", re.ASCII)

# Called once with a number of ids, before anything is done
Claim = Callable[[int], Awaitable[Claimed]]
# Without a claim nothing is bound to a key
Handler = Callable[[Claim | None], Awaitable[web.Response]]


class RequestMemory(Protocol):
    """The requests with an Idempotency-Key, and their answers."""

    def running(self, key: RequestKey) -> AbstractContextManager[None]:
        """A context in which the request is answered. Raises InProgress if it is already."""

    async def claim(self, key: RequestKey, fingerprint: bytes, count: int) -> Claimed | KeptAnswer:
        """Ids for the request, or its answer. Raises InProgress, OtherBody, StorageDown or
        Overloaded.
        """

    async def keep(self, key: RequestKey, answer: KeptAnswer) -> None:
        """Store the answer to what was claimed."""


class _Replay(Exception):
    def __init__(self, answer: KeptAnswer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class IdempotentRequests:
    """Wraps a handler, once the request's account and body are known."""

    def __init__(self, store: RequestMemory) -> None:
        self._store = store

    async def answer(
        self, request: web.Request, account: int, body: bytes, handle: Handler
    ) -> web.Response:
        """The answer of `handle`, or the one that this request had before under its key, if it has
        one.

        Raises ProblemError 400 for a malformed key, 409 while in progress, 422 for another body.
        Also raises what `handle` raises: after a refusal the key is free for the corrected request.
        """
        if HEADER not in request.headers:
            return await handle(None)
        values = request.headers.getall(HEADER)
        key = RequestKey(account, f"{request.method} {request.path}", idempotency_key(values))
        fingerprint = hashlib.sha256(body).digest()
        claimed = False

        async def claim(count: int) -> Claimed:
            nonlocal claimed
            told = await self._store.claim(key, fingerprint, count)
            if isinstance(told, KeptAnswer):
                raise _Replay(told)
            claimed = True
            return told

        try:
            with self._store.running(key):
                response = await handle(claim)
                if not claimed:
                    await claim(1)
                await self._store.keep(key, _kept(response))
                return response
        except _Replay as replay:
            return _replayed(replay.answer)
        except InProgress:
            raise ProblemError(
                "idempotency_in_progress",
                "a request with this key is being answered",
                headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
            ) from None
        except OtherBody:
            raise ProblemError(
                "idempotency_key_reused", "the key was used for a request with another body"
            ) from None


def idempotency_key(values: Sequence[str]) -> str:
    """The key in a request's fields of this name. There must be at least one field.

    The draft's form is a text in quotes, and most clients leave the quotes out. Both are the same
    key. Raises ProblemError 400: a request that means to be protected must not go unprotected.
    """
    found = _KEY.fullmatch(values[0]) if len(values) == 1 else None
    if found is None:
        raise ProblemError(
            "idempotency_key_invalid",
            f"{HEADER} is not one value of 1 to 255 of A-Z a-z 0-9 _ : -, in quotes or without",
        )
    return found["key"]


def _kept(response: web.Response) -> KeptAnswer:
    body = response.body
    assert isinstance(body, bytes)
    return KeptAnswer(
        response.status, response.content_type, response.headers.get("Location"), body
    )


def _replayed(answer: KeptAnswer) -> web.Response:
    headers = {REPLAYED: "true"}
    if answer.location is not None:
        headers["Location"] = answer.location
    return web.Response(
        body=answer.body, status=answer.status, content_type=answer.content_type, headers=headers
    )
