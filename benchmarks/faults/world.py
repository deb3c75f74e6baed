"""Everything that a run of faults is about: gateway, link server, PostgreSQL, carrier, endpoint.

Owns their start, how they are joined, and their end. Must not hurt any of them (acts.py does).

The gateway reaches its carrier and its PostgreSQL through a proxy each. The link server reaches
PostgreSQL directly.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from pathlib import Path

import aiohttp
import msgspec

from benchmarks.faults.interposed import Control, compiled
from benchmarks.faults.postgres import Postgres
from benchmarks.faults.proxy import Proxy, proxy
from benchmarks.faults.receipts_heard import Receipts
from benchmarks.faults.services import Service
from benchmarks.faults.small_disk import SmallDisk
from gateway.rehearsal import processes, running
from gateway.rehearsal.client import Client
from gateway.rehearsal.configuration import Configuration, Connector
from gateway.rehearsal.processes import Child, RehearsalError, Start, free_port
from gateway.rehearsal.receiver import PATH
from gateway.rehearsal.receiving import LOCAL_WEBHOOKS
from web.edge.scopes import DEFAULT_SCOPES

Starts = Callable[[Mapping[str, str]], Start]
"""What starts a program of ours with more in its environment."""

SCOPES = (*DEFAULT_SCOPES, "webhooks:write")
ANSWER_SECONDS_MAX = 10.0
HOST = "shop.example"
SINK = "sink"
POSTGRESQL, LINK_SERVER_NAME = "PostgreSQL", "link server"
DATA_MIB = 64
CREATED = 201

# What is not acknowledged is sent again soon, and for as long as a run takes.
CARRIER = """\
answer_latency_ms = [1, 20]
receipt_delay_ms = [0, 300]
receipt_timeout_seconds = 2
receipt_resend_seconds = 0.5
receipt_resends_max = 100000
scripted_destinations = false
directives = false
outcomes = [{ state = "DELIVRD", weight = 19 }, { state = "UNDELIV", error = "001", weight = 1 }]
"""
CONNECTOR = """\
binds = 2
window = 50
rate = "400/s"
enquire_link_seconds = 1
response_timeout_seconds = 3
reconnect_seconds_min = 0.1
reconnect_seconds_max = 1.0
"""
MORE = """\
[doubt]
grace_seconds = 0.5
"""
LINK_SERVER = """\
[database]
url = "{database}"
data_dir = "{data_dir}"
[links]
listen = "127.0.0.1:0"
status_listen = "127.0.0.1:0"
click_id_hosts = ["{host}"]
{more}"""


class Shape(msgspec.Struct, frozen=True):
    """What differs between runs: how carrier and connector are set, and how webhooks are told.

    A storm of reloads changes the connector's rate between the two of `rates`. `recorded`: each
    receipt is kept as it passes, for who compares message by message. `postgresql_mib`: of a small
    disk, where a full one is to be met by it; 0: a long run needs more than that. `links`: more
    lines of the section of that name, of gateway and link server.
    """

    carrier: str = CARRIER
    connector: str = CONNECTOR
    rates: tuple[str, str] = ("400/s", "300/s")
    webhook: Mapping[str, object] = msgspec.field(default_factory=dict)
    recorded: bool = True
    postgresql_mib: int = 1_024
    links: str = ""


USUAL = Shape()


def with_interpreters(environment: Mapping[str, str]) -> Start:
    """A Starts: fresh ones, as an operator's."""
    return partial(processes.with_an_interpreter, environment=environment)


class World:
    """What runs, and the records that outlive it."""

    def __init__(self, folder: Path, library: Path | None, starts: Starts, shape: Shape) -> None:
        self.folder = folder
        self.shape = shape
        self.config = folder / "smsgate.toml"
        self.ledger = folder / "ledger.jsonl"
        self.heard = folder / "heard.jsonl"
        self.receipts = Receipts()
        self.disks: dict[str, SmallDisk] = {}  # by the target whose disk it is
        self.database_proxy: Proxy
        self.carrier_proxy: Proxy
        self.session: aiohttp.ClientSession
        self.key = ""
        self.postgres = Postgres(folder / "postgresql", self._control(library, "postgresql"))
        self._starts = starts
        self._carrier_port, self._sink_port = free_port(), free_port()
        gateway, links = self._control(library, "gateway"), self._control(library, "links")
        self.gateway = Service("gateway", partial(self._gateway, starts(_of(gateway))), gateway)
        self.links = Service(LINK_SERVER_NAME, partial(self._links, starts(_of(links))), links)
        self.carrier = Service("carrier", self._carrier, died=self._carrier_died)
        self.sink = Service("webhook endpoint", self._sink)

    @property
    def services(self) -> list[Service]:
        """The programs of ours, in the order in which they are stopped."""
        return [self.links, self.gateway, self.sink, self.carrier]

    @property
    def client(self) -> Client:
        """An application with a key, at the gateway's present address."""
        return Client(self.session, self.gateway.child.ready.split()[1], self.key)

    @property
    def links_url(self) -> str:
        """Where the link server listens now."""
        return self.links.child.ready.split()[1]

    @property
    def database_url(self) -> str:
        """PostgreSQL without a proxy, for who judges."""
        return self.postgres.url(self.postgres.port)

    def configure(self, rate: str) -> None:
        """Change the rate of the gateway's connector in its configuration."""
        text = self.config.read_text()
        self.config.write_text(re.sub('rate = ".*"', f'rate = "{rate}"', text))

    def write_configuration(self) -> None:
        """The gateway's first one. Its ports stay when it is changed."""
        Configuration(
            data_dir=self.folder / "data",
            connectors=[Connector("carrier", self.carrier_proxy.port, self.shape.connector)],
            database=self.postgres.url(self.database_proxy.port),
            links=f'click_id_hosts = ["{HOST}"]\n{self.shape.links}',
            more=MORE + LOCAL_WEBHOOKS,
        ).write(self.config)

    def mount(self) -> None:
        """Small disks for those that can have a full one, where that is allowed."""
        data = self.folder / "data"
        data.mkdir(mode=0o711)
        for target, folder, mib in (
            (POSTGRESQL, self.postgres.folder, self.shape.postgresql_mib),
            (LINK_SERVER_NAME, data, DATA_MIB),
        ):
            disk = SmallDisk.mounted(folder, mib) if mib else None
            if disk is not None:
                self.disks[target] = disk

    def unmount(self) -> None:
        """The end of them."""
        for disk in self.disks.values():
            disk.unmount()

    async def begin(self) -> None:
        """Start everything; the endpoint is subscribed before the first message."""
        await self.carrier.start()
        await self.gateway.start()
        self.key = await running.create_key(
            self.config, "faults", "--scopes", *SCOPES, start=self._starts({})
        )
        self.session.headers["Authorization"] = f"Bearer {self.key}"
        await self._subscribe()
        await self.sink.start()
        await self.links.start()

    async def _subscribe(self) -> None:
        url = f"http://127.0.0.1:{self._sink_port}{PATH}"
        asked = {"url": url, "events": ["final"], **self.shape.webhook}
        status, answer = await self.client.call("POST", "/v1/webhook-endpoints", asked)
        if status != CREATED:
            raise RehearsalError(f"no webhook endpoint: {status} {str(answer)[:300]}")
        (self.folder / "secret").write_text(answer["secret"])

    def _control(self, library: Path | None, name: str) -> Control | None:
        return None if library is None else Control(library, self.folder / f"{name}.control")

    async def _gateway(self, start: Start) -> Child:
        return await running.serve(self.config, start=start)

    async def _links(self, start: Start) -> Child:
        config = self.folder / "links.toml"
        config.write_text(
            LINK_SERVER.format(
                database=self.database_url,
                data_dir=self.folder / "data",
                host=HOST,
                more=self.shape.links,
            )
        )
        return await processes.started(
            "link server",
            ["serve", "--config", str(config), "--role", "links"],
            self.folder / "links.log",
            ready="smsgate ready:",
            start=start,
        )

    async def _carrier(self) -> Child:
        profile = self.folder / "carrier.toml"
        profile.write_text(self.shape.carrier)
        arguments = ["simulate", "--port", str(self._carrier_port), "--profile", str(profile)]
        child = await processes.started(
            "carrier",
            [*arguments, "--ledger", str(self.ledger)],
            self.folder / "carrier.log",
            ready="simulator ready:",
            start=self._starts({}),
        )
        await self.carrier_proxy.listen()
        return child

    def _carrier_died(self) -> None:
        """A closed port refuses. One that hung up on each bind would be asked twelve times a
        minute at most.
        """
        self.receipts.carrier_died()
        self.carrier_proxy.refuse()

    async def _sink(self) -> Child:
        return await processes.started(
            SINK,
            [str(self._sink_port), str(self.folder / "secret"), str(self.heard)],
            self.folder / "sink.log",
            ready="sink ready:",
            start=partial(processes.with_an_interpreter, module="benchmarks.faults.sink"),
        )

    @property
    def carrier_port(self) -> int:
        """Where the carrier listens, behind its proxy."""
        return self._carrier_port


def _of(control: Control | None) -> Mapping[str, str]:
    return {} if control is None else control.environment


@contextlib.asynccontextmanager
async def world(
    folder: Path,
    *,
    starts: Starts = with_interpreters,
    interposing: bool = True,
    shape: Shape = USUAL,
) -> AsyncIterator[World]:
    """All of it, running; gone with the block. Without `interposing` what needs the library
    between a program and libc cannot be done.
    """
    found = World(folder, compiled(folder) if interposing else None, starts, shape)
    async with contextlib.AsyncExitStack() as stack:
        found.postgres.folder.mkdir(mode=0o711)
        if interposing:
            stack.callback(found.unmount)
            found.mount()
        found.postgres.make()
        stack.push_async_callback(found.postgres.stop)
        await found.postgres.start()
        ears = (found.receipts.ear,) if shape.recorded else ()
        found.carrier_proxy = await stack.enter_async_context(proxy(found.carrier_port, *ears))
        found.database_proxy = await stack.enter_async_context(proxy(found.postgres.port))
        found.write_configuration()
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS_MAX)
        found.session = await stack.enter_async_context(aiohttp.ClientSession(timeout=timeout))
        for service in reversed(found.services):
            stack.push_async_callback(service.stop)
        await found.begin()
        yield found
