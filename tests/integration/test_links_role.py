"""The role `links` alone: it redirects while the database is away, and loses no click that it told.

A click is told by its id on the target, so these tests know which 302 stands for which click.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import aiohttp

from gateway.rehearsal.client import PATIENCE_SECONDS, POLL_SECONDS
from storage.ids import parse_id
from storage.pool import Connection
from storage.terms import fence
from tests.integration.database_proxy import database_proxy
from tests.integration.links_role import (
    TARGET,
    LinksRole,
    links_role,
    store_links,
    write_config,
)

CLIENTS = 8
TOLD_MIN = 400  # before the kill
QUICK = {"gateway.links_role.RENEW_SECONDS": 0.2, "shortlinks.service.FOLLOW_SECONDS": 0.1}


def click_of(location: str) -> int:
    """The click that a target was told."""
    (text,) = parse_qs(urlsplit(location).query)["cid"]
    return parse_id("clk", text.rpartition("_")[0])


async def until_stored(connection: Connection, told: set[int]) -> list[int]:
    """Every click of the table, once those told are there."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            rows = [row[0] for row in await connection.fetch("SELECT id FROM click ORDER BY id")]
            if told <= set(rows):
                return rows
            await asyncio.sleep(POLL_SECONDS)


async def raw(url: str, request: str) -> bytes:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(request.encode())
    async with asyncio.timeout(PATIENCE_SECONDS):
        answer = await reader.read()
    writer.close()
    return answer


async def test_it_redirects_while_the_database_is_away_and_loads_each_click_once(
    folder: Path, database_url: str, connection: Connection
) -> None:
    seen, later = await store_links(connection, folder, [TARGET, TARGET])
    async with database_proxy(database_url) as proxy:
        config = write_config(folder, proxy.url)
        async with links_role(config, QUICK) as role:
            told = {click_of((await role.follow(seen))[1])}
            [fresh] = await store_links(connection, folder, [TARGET], first_message=50)
            held = await role.metric("sms_link_memory_bytes")
            await role.until("sms_link_memory_bytes", held + 1)  # nobody has opened it yet
            proxy.leave()
            for code in (seen, later, fresh) * 5:
                status, location = await role.follow(code)
                assert status == 302
                told.add(click_of(location))
            unknown = "2" * 8 if "2" * 8 not in (seen, later, fresh) else "3" * 8
            assert (await role.follow(unknown))[0] == 503
            await _said(role, '"name":"database","ok":false')
            proxy.away = False
            await _said(role, '"name":"database","ok":true')
            rows = await until_stored(connection, told)
            assert (len(told), set(rows), len(rows)) == (16, told, 16)
            # Others may fence it: what it then holds is a lease of its own again.
            term = await connection.fetchval("SELECT max(term) FROM owner_term")
            await fence(connection, term)
            async with asyncio.timeout(PATIENCE_SECONDS):
                while await connection.fetchval("SELECT max(term) FROM owner_term") == term:
                    await asyncio.sleep(POLL_SECONDS)
            told.add(click_of((await role.follow(seen))[1]))
            assert len(await until_stored(connection, told)) == 17
    assert await connection.fetchval("SELECT count(*) FROM click_journal") == 0


async def _said(role: LinksRole, text: str) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            async with role.session.get(f"{role.status_url}/readyz") as answer:
                assert answer.status == 200
                if text in await answer.text():
                    return
            await asyncio.sleep(POLL_SECONDS)


async def test_killed_under_load_no_click_that_was_told_is_lost_and_none_is_there_twice(
    folder: Path, database_url: str, connection: Connection
) -> None:
    codes = await store_links(connection, folder, [TARGET] * 50)
    config = write_config(folder, database_url)
    told: set[int] = set()
    asked = 0

    async def person(role: LinksRole, number: int) -> None:
        nonlocal asked
        while True:
            asked += 1
            status, location = await role.follow(codes[(number + asked) % len(codes)])
            assert status == 302
            told.add(click_of(location))
            if len(told) == TOLD_MIN:
                role.child.process.kill()

    async with links_role(config) as role:
        people = [asyncio.create_task(person(role, number)) for number in range(CLIENTS)]
        ended = await asyncio.gather(*people, return_exceptions=True)
        assert all(isinstance(error, (aiohttp.ClientError, OSError)) for error in ended), ended
    async with links_role(config) as role:  # its start finds the journal
        rows = await until_stored(connection, told)
        assert len(rows) == len(set(rows))
        assert len(rows) <= asked  # written down, and killed before the answer left
        await role.follow(codes[0])
    rows = await until_stored(connection, told)
    assert len(set(rows)) == len(rows) <= asked + 1


async def test_its_doors_over_ipv6_and_old_http(
    folder: Path, database_url: str, connection: Connection
) -> None:
    [code] = await store_links(connection, folder, [TARGET])
    async with links_role(write_config(folder, database_url, host="[::1]")) as role:
        old = await raw(role.url, f"GET /{code} HTTP/1.0\r\n\r\n")
        assert old.startswith((b"HTTP/1.0 302", b"HTTP/1.1 302"))
        assert f"Location: {TARGET}?cid=clk_".encode() in old
        head = await raw(role.url, f"HEAD /{code} HTTP/1.1\r\nHost: s\r\nConnection: close\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 302")
        assert head.endswith(b"\r\n\r\n")
        again = f"GET /{code}?a=1 HTTP/1.1\r\nHost: s\r\n\r\n"
        last = f"GET /{code} HTTP/1.1\r\nHost: s\r\nConnection: close\r\n\r\n"
        answers = (await raw(role.url, again * 3 + last)).split(b"HTTP/1.1 302 Found\r\n")[1:]
        assert len(answers) == 4  # in one go, the last by aiohttp
        assert len({click_of(_field(each, b"Location")) for each in answers}) == 4
        quick, usual = (set(_names(answers[number])) for number in (0, 3))
        assert usual - quick <= {b"connection", b"content-type"}
        async with role.session.get(f"{role.url}/{code}+") as page:
            assert (page.status, TARGET in await page.text()) == (200, True)
            for name in ("Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy"):
                assert name in page.headers
        async with role.session.get(f"{role.url}/metrics") as hidden:
            assert hidden.status == 404
            assert "SHOP" in await hidden.text()
        for path, method, status in (
            ("/healthz", "GET", 200),
            ("/readyz", "GET", 200),
            ("/metrics", "POST", 405),
            (f"/{code}", "GET", 404),
        ):
            async with role.session.request(method, f"{role.status_url}{path}") as answer:
                assert (path, answer.status) == (path, status)
        with contextlib.suppress(TimeoutError):
            await role.until('sms_clicks_total{stage="loaded"}', 5)
    rows = await connection.fetch("SELECT method, ip_prefix FROM click")
    assert [tuple(row) for row in rows] == [("GET", "::/48")] * 5


def _names(head: bytes) -> list[bytes]:
    return [line.partition(b":")[0].lower() for line in head.split(b"\r\n") if line]


def _field(head: bytes, name: bytes) -> str:
    found = re.search(rb"(?i)^" + name + rb": ([^\r]*)", head, re.MULTILINE)
    assert found is not None
    return found[1].decode()


async def test_many_of_them_redirect_over_one_database(
    folder: Path, database_url: str, connection: Connection
) -> None:
    [code] = await store_links(connection, folder, [TARGET])
    config = write_config(folder, database_url)
    async with links_role(config) as one, links_role(config) as other:
        told = {click_of((await role.follow(code))[1]) for role in (one, other) for _ in range(3)}
        assert set(await until_stored(connection, told)) == told
        assert len(told) == 6
