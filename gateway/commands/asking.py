"""Asking a running gateway over its API, for commands.

Owns the request, its key, and the words for what goes wrong. Must not know what is asked.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

import aiohttp

from gateway.commands import CommandFailed
from gateway.commands.own_gateway import connector, url_of
from gateway.config import Config

KEY_VARIABLE = "SMSGATE_API_KEY"
ANSWER_SECONDS_MAX = 30


def api_key(given: str | None) -> str:
    """The key from --key, else from the environment. Raises CommandFailed."""
    key = given or os.environ.get(KEY_VARIABLE)
    if not key:
        raise CommandFailed(f"an API key is needed: --key, or {KEY_VARIABLE} in the environment")
    return key


def get(config: Config, path: str, key: str, *, known_by: str) -> dict[str, Any]:
    """As `post`, of what is only looked at."""
    return _asked(config, "GET", path, key, None, known_by)


def post(
    config: Config, path: str, key: str, body: dict[str, object] | None, *, known_by: str
) -> dict[str, Any]:
    """The answer of this gateway. `known_by`: a member that every good answer has.

    Raises CommandFailed in the gateway's own words.
    """
    return _asked(config, "POST", path, key, body, known_by)


def patch(
    config: Config, path: str, key: str, body: dict[str, object], *, known_by: str
) -> dict[str, Any]:
    """As `post`, of what is changed."""
    return _asked(config, "PATCH", path, key, body, known_by)


def text(config: Config, path: str, key: str | None) -> str:
    """What this gateway answers that is no JSON. Raises CommandFailed."""
    listen = config.http.listen
    try:
        return asyncio.run(_text(config, path, key))
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise CommandFailed(f"no gateway answers at {listen}: {_why(error)}") from error


def _why(error: Exception) -> str:
    silent = f"nothing in {ANSWER_SECONDS_MAX} s"
    return silent if isinstance(error, TimeoutError) else str(error)


async def _text(config: Config, path: str, key: str | None) -> str:
    async with _session(config, key) as session, session.get(url_of(config, path)) as response:
        answer = await response.text()
        if response.status >= 400:
            raise CommandFailed(f"refused ({response.status}): {path}")
        return answer


def _session(config: Config, key: str | None) -> aiohttp.ClientSession:
    timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS_MAX)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return aiohttp.ClientSession(connector=connector(config), timeout=timeout, headers=headers)


def _asked(
    config: Config, method: str, path: str, key: str, body: object, known_by: str
) -> dict[str, Any]:
    listen = config.http.listen
    try:
        return asyncio.run(_ask(config, method, path, key, body, known_by))
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise CommandFailed(f"no gateway answers at {listen}: {_why(error)}") from error


async def _ask(
    config: Config, method: str, path: str, key: str, body: object, known_by: str
) -> dict[str, Any]:
    async with (
        _session(config, key) as session,
        session.request(method, url_of(config, path), json=body) as response,
    ):
        answer: object = await response.json(content_type=None)
        if not isinstance(answer, dict) or not (known_by in answer or "detail" in answer):
            raise ValueError(f"status {response.status}, and no answer of smsgate's")
        if response.status >= 400:
            raise CommandFailed(f"refused ({response.status}): {answer.get('detail')}")
        return answer
