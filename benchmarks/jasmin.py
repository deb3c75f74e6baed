"""Jasmin as a peer: its daemons, with a RabbitMQ and a Redis of their own, receipts called back.

Owns its configuration, its processes and the form of its requests. Must not measure. It is as quick
as one Jasmin can be set up: logs of errors alone, and no limit of a connector. Receipts have two
daemons beside the gateway's, as its manual recommends.

Its release 0.11.1 matches no receipt over HTTP (jookies/jasmin#1236), so it is 0.11.0.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from benchmarks import http_load, peer_processes
from benchmarks.peer_processes import PeerError, free_ports, program

NOT_INSTALLED = (
    "Jasmin is not installed: jasmind.py, dlrd.py and dlrlookupd.py (pip install jasmin==0.11.0)"
    " have to be on the PATH, and redis-server and rabbitmq-server"
)
PROGRAMS = (
    "jasmind.py", "dlrd.py", "dlrlookupd.py", "redis-server", "rabbitmq-server", "rabbitmqctl",
    "epmd",
)  # fmt: skip
START_SECONDS_MAX = 120.0
ANSWER_SECONDS_MAX = 20.0
POLL_SECONDS = 0.2
PROMPTS = (b"jcli : ", b"> ")
OCTETS_MAX = 4096
CONSUMED = ("DLRLookup", "dlr_thrower")
BOUND = "BOUND_TRX"
# What of it logs each message.
LOGS = (
    "AMQP_BROKER", "REDIS_CLIENT", "HTTP_API", "JCLI", "ROUTER", "DLR_THROWER", "DLR",
    "CLIENT_MANAGEMENT", "SM_LISTENER", "SERVICE_SMPPCLIENT", "SMPP_SERVER", "SMPP_SERVER_PB",
)  # fmt: skip
# Typed into its console, whose each command ends with `ok`.
SETUP = """\
group -a
gid bench
ok
user -a
username bench
password bench
gid bench
uid bench
ok
smppccm -a
cid simulator
host 127.0.0.1
port {smpp_port}
username bench
password bench
bind transceiver
submit_throughput 0
ok
mtrouter -a
type DefaultRoute
connector smppc(simulator)
rate 0.0
ok
smppccm -1 simulator
"""


def installed() -> bool:
    """Whether all that it takes is there."""
    return peer_processes.installed(PROGRAMS)


def version() -> str:
    """Its distribution's; or that it is not installed."""
    if not installed():
        return NOT_INSTALLED
    asked = "from importlib.metadata import version; print(version('jasmin'))"
    return f"Jasmin {_asked_python(asked)}"


@dataclass
class Jasmin:
    """A running one, and its processes by name."""

    address: str
    pids: Mapping[str, Sequence[int]]
    taken = 200

    def request(self, number: int, destination: str, text: str, receipts: str) -> bytes:
        """One message over /send; its receipt is called back to `receipts`/NUMBER/1."""
        url = quote(f"http://{receipts}/{number}/1", safe="")
        return http_load.get(
            self.address,
            "/send?username=bench&password=bench&from=SHOP"
            f"&to={destination.removeprefix('+')}&content={quote(text, safe='')}"
            f"&dlr=yes&dlr-level=2&dlr-method=GET&dlr-url={url}",
        )


@contextlib.asynccontextmanager
async def running(folder: Path, smpp_port: int) -> AsyncIterator[Jasmin]:
    """All its processes, bound to the SMSC at this port, and gone at the end whatever happens."""
    if not installed():
        raise PeerError(NOT_INSTALLED)
    redis, amqp, distribution, epmd, http, jcli, router, clients, smpps, smpps_pb = free_ports(10)
    async with contextlib.AsyncExitStack() as stack:
        erlang = _broker_environment(folder, amqp, distribution, epmd)
        broker = await _broker(stack, folder, erlang)
        store = await peer_processes.start(
            stack, folder, "redis-server", ["--port", str(redis), "--bind", "127.0.0.1", "--dir",
                                            str(folder), "--save", ""]
        )  # fmt: skip
        ports = {
            "REDIS_CLIENT": redis, "AMQP_BROKER": amqp, "HTTP_API": http, "JCLI": jcli,
            "ROUTER": router, "CLIENT_MANAGEMENT": clients, "SMPP_SERVER": smpps,
            "SMPP_SERVER_PB": smpps_pb, "SMPP_SERVER_PB_CLIENT": smpps_pb,
        }  # fmt: skip
        environment = _environment(folder, ports)
        for port in (redis, amqp):
            await _until_it_listens(port)
        daemon = await peer_processes.start(stack, folder, "jasmind.py", [], environment)
        await _until_it_listens(jcli)
        receipts = [
            await peer_processes.start(stack, folder, name, [], environment)
            for name in ("dlrd.py", "dlrlookupd.py")
        ]
        await _set_up(jcli, smpp_port)
        await _until_consumed(erlang)
        yield Jasmin(
            f"127.0.0.1:{http}",
            {
                "jasmind": [daemon.pid],
                "receipts": [each.pid for each in receipts],
                "rabbitmq": [broker.pid],
                "redis": [store.pid],
            },
        )


def _environment(folder: Path, ports: Mapping[str, int]) -> dict[str, str]:
    """Jasmin takes each of its settings from a variable of its section and name."""
    for name in ("store", "logs"):
        (folder / name).mkdir()
    specification = (
        "import txamqp, pathlib; print(pathlib.Path(txamqp.__file__).parent"
        " / 'specs/standard/amqp0-9-1.stripped.xml')"
    )
    return {
        **{f"{section}_PORT": str(port) for section, port in ports.items()},
        **{f"{section}_LOG_LEVEL": "ERROR" for section in LOGS},
        "AMQP_BROKER_SPEC": _asked_python(specification),
        "JCLI_AUTHENTICATION": "no",
        "CONFIG_PATH": str(folder),
        "STORE_PATH": str(folder / "store"),
        "LOG_PATH": str(folder / "logs"),
    }


async def _broker(
    stack: contextlib.AsyncExitStack, folder: Path, environment: Mapping[str, str]
) -> asyncio.subprocess.Process:
    """RabbitMQ with its files in the folder. Its port mapper would otherwise stay behind."""
    epmd = environment["ERL_EPMD_PORT"]
    await peer_processes.start(stack, folder, "epmd", ["-port", epmd], environment)
    await _until_it_listens(int(epmd))
    return await peer_processes.start(stack, folder, "rabbitmq-server", [], environment)


def _broker_environment(folder: Path, port: int, distribution: int, epmd: int) -> dict[str, str]:
    return {
        "HOME": str(folder),
        "ERL_CRASH_DUMP": str(folder / "crash.dump"),
        "ERL_EPMD_PORT": str(epmd),
        "RABBITMQ_NODENAME": "bench@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "rabbitmq"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "no-plugins"),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "no-file"),
    }


async def _until_consumed(environment: Mapping[str, str]) -> None:
    """Until the two daemons hear of receipts: what is published before is lost to them."""
    path = program("rabbitmqctl")
    waiting: set[str] = set(CONSUMED)
    try:
        async with asyncio.timeout(START_SECONDS_MAX):
            while waiting:
                process = await asyncio.create_subprocess_exec(
                    path, "-q", "list_queues", "name", "consumers",
                    stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                    env={**os.environ, **environment},
                )  # fmt: skip
                said, _ = await process.communicate()
                waiting = {
                    name
                    for name in CONSUMED
                    if not re.search(rf"^{name}\S*\s+[1-9]", said.decode(), re.MULTILINE)
                }
    except TimeoutError:
        raise PeerError(f"nobody reads {', '.join(sorted(waiting))}") from None


async def _set_up(port: int, smpp_port: int) -> None:
    """A user, a connector and a route, over its console; until the connector is bound."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for line in SETUP.format(smpp_port=smpp_port).splitlines():
            await _typed(reader, writer, line)
        async with asyncio.timeout(START_SECONDS_MAX):
            while True:
                if BOUND in await _typed(reader, writer, "smppccm -l"):
                    return
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        raise PeerError("Jasmin's connector is not bound") from None
    finally:
        writer.close()


async def _typed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: str) -> str:
    """One line, and what is printed up to the next prompt."""
    writer.write(line.encode() + b"\r\n")
    return await _printed(reader)


async def _printed(reader: asyncio.StreamReader) -> str:
    """Up to the next prompt."""
    said = b""
    async with asyncio.timeout(ANSWER_SECONDS_MAX):
        while not said.endswith(PROMPTS):
            octets = await reader.read(OCTETS_MAX)
            if not octets:
                raise PeerError(f"Jasmin's console closed: {said[-200:]!r}")
            said += octets
    return said.decode("latin-1")


async def _until_it_listens(port: int) -> None:
    try:
        async with asyncio.timeout(START_SECONDS_MAX):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(POLL_SECONDS)
                else:
                    writer.close()
                    return
    except TimeoutError:
        raise PeerError("a process of Jasmin does not listen; see its logs") from None


def _asked_python(code: str) -> str:
    """What the interpreter that Jasmin is installed for prints."""
    interpreter = Path(program("jasmind.py")).read_text().partition("\n")[0].removeprefix("#!")
    ran = subprocess.run([interpreter, "-c", code], capture_output=True, text=True, check=True)
    return ran.stdout.strip()
