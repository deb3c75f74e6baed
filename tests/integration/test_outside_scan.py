"""Somebody outside without a good key: slow headers, idle connections by the thousand, a list of
words as paths. Nothing is open, nothing breaks, and who has a key is served meanwhile.
"""

from __future__ import annotations

import asyncio
import resource
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from yarl import URL

from gateway.rehearsal.running import Running
from tests.integration.running import gateway, message, write_config
from web.edge.answer_fields import ALWAYS
from web.edge.keys import new_key

IDLE_MAX = 5_000
OWN_FILES = 500  # of this process, beside the connections
SLOW = 50
HEAD_SECONDS = 1.0
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE", "PROPFIND")
OPEN = {"/healthz", "/readyz", "/metrics", "/docs", "/docs/problems", "/openapi.json"}
WORDS = (
    "", "admin", "login", "console", "api", "v1", "v1/", "v2/messages", "v1/keys", "v1/accounts",
    "v1/users", "v1/config", "v1/debug", "v1/messages/../../etc/passwd", "../../etc/passwd",
    "..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/etc/passwd", ".git/config", ".env", "backup.sql",
    "smsgate.toml", "data/number.key", "server-status", "actuator/env", "metrics/", "docs/../v1",
    "phpinfo.php", "wp-login.php", "cgi-bin/test", "graphql", "swagger.json", "robots.txt",
    "v1/messages;a=b", "v1/messages%00", "V1/MESSAGES", "v1//messages", "%ff", "*",
)  # fmt: skip


def room() -> int:
    """How many connections this process may open."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = IDLE_MAX + OWN_FILES
    limit = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    return limit - OWN_FILES


async def opened(running: Running, count: int) -> list[asyncio.StreamWriter]:
    host, port = running.address.split(":")
    found: list[asyncio.StreamWriter] = []
    for start in range(0, count, 200):  # as many as a backlog takes
        some = range(min(200, count - start))
        found += [
            writer
            for _, writer in await asyncio.gather(
                *(asyncio.open_connection(host, int(port)) for _ in some)
            )
        ]
    return found


async def hold_slow_headers(running: Running) -> None:
    """Each gets 408, though an octet comes now and then, and is closed."""
    host, port = running.address.split(":")

    async def dripping() -> bytes:
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /v1/messages HTTP/1.1\r\nHost: x\r\nX-A: ")
        answer = asyncio.ensure_future(reader.read())
        while not answer.done():
            writer.write(b"a")
            await asyncio.wait([answer], timeout=HEAD_SECONDS / 4)
        writer.close()
        return answer.result()

    answers = await asyncio.gather(*(dripping() for _ in range(SLOW)))
    assert {answer.partition(b"\r\n")[0] for answer in answers} == {b"HTTP/1.1 408 Request Timeout"}


async def hold_idle_connections(running: Running) -> None:
    """Who has a key is served beside all that a machine may open, and the bound holds."""
    idle = await opened(running, room())
    [sent] = await running.send([message(1)])
    assert sent
    page = await (await running.session.get(f"{running.api}/metrics")).text()
    figures = dict(line.rsplit(" ", 1) for line in page.splitlines() if line[:1] != "#")
    now = float(figures['sms_http_connections{listener="api"}'])
    bound = float(figures['sms_http_connections_max{listener="api"}'])
    assert now <= bound
    for writer in idle:
        writer.close()


def asked(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Every path of the document under every method, and the words."""
    for path in document["paths"]:
        for method in METHODS:
            yield method, path.replace("{", "").replace("}", "")
    for word in WORDS:
        yield "GET", f"/{word}"
        yield "POST", f"/{word}"


async def hold_words(running: Running) -> None:
    """Nothing but the open pages is answered well, and no answer tells of our insides."""
    async with running.session.get(f"{running.api}/openapi.json") as response:
        document = await response.json()
    statuses: Counter[int] = Counter()
    for method, path in asked(document):
        headers = {"Authorization": f"Bearer {new_key()}"}
        url = URL(running.api + path, encoded=True)
        async with running.session.request(
            method, url, headers=headers, allow_redirects=False
        ) as response:
            text = await response.text()
            where = f"{method} {path}: {response.status} {text[:200]}"
            statuses[response.status] += 1
            assert response.status < 500 or path == "/readyz", where  # there is no carrier
            if response.status < 400:
                assert path in OPEN, where
                assert method in ("GET", "HEAD"), where
            assert set(ALWAYS) <= set(response.headers), where
            assert response.headers["Server"] == "smsgate", where
            for inside in ("Traceback", "asyncpg", "aiohttp", "site-packages", "root:x:"):
                assert inside not in text or path in OPEN, where
    assert statuses[401] > 0
    assert statuses[429] > statuses[401], "a list of bad keys is slowed down"


async def test_an_outside_scan_finds_nothing_open(tmp_path: Path, database_url: str) -> None:
    configuration = write_config(tmp_path, database_url, 1)
    async with gateway(
        configuration, {"web.edge.connection.HEAD_SECONDS": HEAD_SECONDS}
    ) as running:
        await hold_slow_headers(running)
        await hold_words(running)
        await hold_idle_connections(running)
        assert "request failed" not in running.log()
