"""Redirects of short links: each click written to the journal before its 302.

Owns the comparison with a bare aiohttp handler that answers 302 at once. Must not give a figure of
a run that lost or repeated a click: what was redirected also has to be in the database, once.

The process under test is `smsgate serve --role links`. It is asked with few and with many links; a
request is one that a telephone's browser makes, for a link drawn at random.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import aiohttp

from benchmarks import gateways, http_load
from benchmarks.gateways import BenchmarkFailed, Processors
from benchmarks.http_load import HEAD_END, Load
from benchmarks.result import Figures, Rounds, medians, quantiles_ms
from benchmarks.running import run as run_to_end
from benchmarks.running import say
from benchmarks.single_post import bare_handler
from benchmarks.verdicts import Verdict
from gateway.rehearsal.processes import started, with_an_interpreter
from shortlinks.code import CodePermutation, link_value
from shortlinks.ranges import LinkSequence, insert_range, plan_range
from shortlinks.service import CODE_KEY_BYTES
from storage.key_rotation import open_vault
from storage.keys import load_keys
from storage.migrate import migrate
from storage.pool import Connection, Database

FEW, MANY, MOST = 1_000, 1_000_000, 10_000_000
LINKS_PER_RANGE = 500  # as an accept flush has
REQUIRED, AIM = 0.5, 0.8  # of the bare handler
FLAT = 2.0  # p99 with many links, at most so many times that with few
LOADED_SECONDS_MAX = 120.0
WARM = 2_000  # requests before those that are timed
BARE = "bare handler"
SEED = 1
FOUND = 302

CONFIG = """\
[database]
data_dir = "{folder}/data"
[links]
listen = "127.0.0.1:0"
status_listen = "127.0.0.1:0"
memory = "512MiB"
connections_max = 4_000
"""
FIELDS = (
    "User-Agent: Mozilla/5.0 (Linux; Android 14; K) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/126.0.0.0 Mobile Safari/537.36",
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language: zh-CN,zh;q=0.9",
    "Accept-Encoding: gzip, deflate, br",
    "Upgrade-Insecure-Requests: 1",
    "Sec-Fetch-Mode: navigate",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The load's shape."""
    parser.add_argument("--requests", type=int, default=30_000, help="of each, in each round")
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--many", type=int, default=MANY, help="links, beside the few")
    parser.add_argument("--most", action="store_true", help=f"also with {MOST:_} links")


def run(arguments: argparse.Namespace) -> dict[str, object]:
    """Redirects a second, and how long an answer took."""
    return run_to_end(_run(arguments))


async def _run(arguments: argparse.Namespace) -> dict[str, object]:
    sizes = [FEW, arguments.many, *([MOST] if arguments.most else [])]
    runs: Rounds = {BARE: []}
    with gateways.folder() as folder:
        database = await Database.open("embedded", folder / "data", application_name="benchmark")
        connection = await database.dedicated("links").connection()
        await migrate(connection)
        codes = await _codes(connection, folder)
        stored = 0
        for size in sizes:
            stored = await _store(connection, stored, size)
            say(f"{size} links are stored")
            asked = codes.encode_many(
                [link_value(random.Random(SEED + n).randrange(size), 0)
                 for n in range(arguments.requests + WARM)]
            )  # fmt: skip
            several = runs.setdefault(_with(size), [])
            async with _links_role(folder) as role:
                for number in range(arguments.rounds):
                    runs[BARE].append(await _bare(arguments, asked))
                    several.append(await _ours(arguments, asked, role, connection))
                    _tell(number, BARE, runs[BARE][-1])
                    _tell(number, _with(size), several[-1])
        await database.close()
    return _result(sizes, runs)


def _with(links: int) -> str:
    return f"{links} links"


def _tell(number: int, name: str, figures: Figures) -> None:
    say(
        f"round {number + 1}: {name} {figures['per_second']:.0f}/s,"
        f" p50 {figures['p50_ms']} ms, p99 {figures['p99_ms']} ms"
    )


def _result(sizes: Sequence[int], runs: Rounds) -> dict[str, object]:
    middle = medians(runs)
    bare, few, most = middle[BARE], middle[_with(FEW)], middle[_with(sizes[-1])]
    return {
        "durable": "each click in the journal by write(2) before its 302, and once in the table",
        "rounds": runs,
        "verdicts": [
            Verdict(
                "redirects over the bare aiohttp handler",
                round(few["per_second"] / bare["per_second"], 3),
                required=REQUIRED,
                aim=AIM,
            ),
            Verdict(
                f"p99 with {sizes[-1]} links over that with {FEW}",
                round(most["p99_ms"] / few["p99_ms"], 2),
                required=FLAT,
                at_most=True,
            ),
        ],
    }


class _Role(NamedTuple):
    """Where it is asked, the URL of its status, and its process."""

    address: str
    status: str
    pid: int


async def _codes(connection: Connection, folder: Path) -> CodePermutation:
    _, keys = await open_vault(connection, load_keys(folder / "data", {}), None)
    return CodePermutation(keys.derive("short-link codes", CODE_KEY_BYTES))


async def _store(connection: Connection, begin: int, end: int) -> int:
    """Links with the numbers from `begin` on; returns `end`. The sequence stands behind them."""
    expires_at = datetime.now(UTC) + timedelta(days=1)
    for first in range(begin, end, LINKS_PER_RANGE):
        messages = [
            (first + number + 1, [f"https://shop.example/sale/{first}"])
            for number in range(LINKS_PER_RANGE)
        ]
        await insert_range(connection, plan_range(first, messages, expires_at))
    await LinkSequence().reserve(connection, 1)
    return end


@contextlib.asynccontextmanager
async def _links_role(folder: Path) -> AsyncIterator[_Role]:
    config = folder / "links.toml"
    config.write_text(CONFIG.format(folder=folder))
    child = await started(
        "links",
        ["serve", "--config", str(config), "--role", "links"],
        folder / "links.log",
        ready="smsgate ready:",
        start=with_an_interpreter,
    )
    words = child.ready.split()
    try:
        yield _Role(words[1].removeprefix("http://"), words[3], child.process.pid)
    finally:
        await child.stop()


async def _ours(
    arguments: argparse.Namespace,
    asked: Sequence[str],
    role: _Role,
    connection: Connection,
) -> Figures:
    before = await connection.fetchval("SELECT count(*) FROM click")
    await _drive(arguments, role.address, asked[:WARM])
    await _loaded(role.status)
    processors = Processors({"links": [role.pid]})
    load = await _drive(arguments, role.address, asked[WARM:])
    await _loaded(role.status)
    used = processors.microseconds(arguments.requests)["links_us"]
    clicks = await connection.fetchval("SELECT count(*) FROM click") - before
    if clicks != len(asked):
        raise BenchmarkFailed(f"{len(asked)} redirects, but {clicks} clicks")
    return _figures(load, used)


async def _bare(arguments: argparse.Namespace, asked: Sequence[str]) -> Figures:
    async with bare_handler() as (address, pid):
        await _drive(arguments, address, asked[:WARM])
        processors = Processors({"handler": [pid]})
        load = await _drive(arguments, address, asked[WARM:])
        return _figures(load, processors.microseconds(arguments.requests)["handler_us"])


async def _drive(arguments: argparse.Namespace, address: str, asked: Sequence[str]) -> Load:
    tail = "\r\n".join((f" HTTP/1.1\r\nHost: {address}", *FIELDS)).encode() + HEAD_END

    def requests() -> Iterator[bytes]:
        for code in asked:
            yield b"GET /" + code.encode() + tail

    def check(status: int, _body: bytes) -> None:
        if status != FOUND:
            raise BenchmarkFailed(f"answered {status}")

    return await http_load.drive(
        address, requests(), connections=arguments.connections, answered=check
    )


async def _loaded(status: str) -> None:
    """Until the journal's clicks are in the database."""
    async with aiohttp.ClientSession() as session, asyncio.timeout(LOADED_SECONDS_MAX):
        while True:
            async with session.get(f"{status}/metrics") as answer:
                text = await answer.text()
            stages = dict(re.findall(r'^sms_clicks_total\{stage="(\w+)"\} (\S+)$', text, re.M))
            if float(stages["loaded"]) == float(stages["journalled"]):
                return
            await asyncio.sleep(0.05)


def _figures(load: Load, microseconds: float) -> Figures:
    """`microseconds` of the processor a request; of ours with the loading of its click."""
    return {
        "per_second": round(load.per_second),
        **quantiles_ms(load.answer_seconds),
        "server_us": microseconds,
    }
