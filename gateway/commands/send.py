"""`smsgate send TO TEXT`: one message through a running gateway's API."""

from __future__ import annotations

import argparse
import asyncio
import json
import os

import aiohttp

from gateway.commands import CommandFailed
from gateway.commands.setting_up import configuration

KEY_VARIABLE = "SMSGATE_API_KEY"
ANSWER_SECONDS_MAX = 30


def run(arguments: argparse.Namespace) -> int:
    """Prints the message's id, or the gateway's answer with --json."""
    key = arguments.key or os.environ.get(KEY_VARIABLE)
    if not key:
        raise CommandFailed(f"an API key is needed: --key, or {KEY_VARIABLE} in the environment")
    listen = configuration(arguments).http.listen
    body = {
        name: value
        for name, value in (
            ("to", arguments.to),
            ("text", arguments.text),
            ("from", arguments.sender),
            ("category", arguments.category),
        )
        if value is not None
    }
    try:
        answer = asyncio.run(_post(f"http://{listen}/v1/messages", key, body))
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise CommandFailed(f"no gateway answers at {listen}: {error}") from error
    print(json.dumps(answer, ensure_ascii=False) if arguments.json else answer["id"])
    return 0


async def _post(url: str, key: str, body: dict[str, str]) -> dict[str, object]:
    timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS_MAX)
    headers = {"Authorization": f"Bearer {key}"}
    async with (
        aiohttp.ClientSession(timeout=timeout, headers=headers) as session,
        session.post(url, json=body) as response,
    ):
        answer: object = await response.json(content_type=None)
        if not isinstance(answer, dict) or not ("id" in answer or "detail" in answer):
            raise ValueError(f"status {response.status}, and no answer of smsgate's")
        if response.status >= 400:
            raise CommandFailed(f"refused ({response.status}): {answer.get('detail')}")
        return answer
