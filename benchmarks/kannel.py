"""Kannel as a peer: Debian's bearerbox and smsbox, with or without a store, receipts called back.

Owns its configuration, its processes and the form of its requests. Must not measure. It is as quick
as Kannel can be set up: no access log, a window of 100. Without a store nothing is on disk, and
receipts are matched in memory. With one, messages and what receipts are matched by are in files.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import aiohttp

from benchmarks import http_load, peer_processes
from benchmarks.peer_processes import PeerError, free_ports, program

NOT_INSTALLED = "Kannel is not installed: apt-get install kannel"
PROGRAMS = ("bearerbox", "smsbox")
START_SECONDS_MAX = 30.0
POLL_SECONDS = 0.1
WINDOW = 100
RECEIPTS_WANTED = 3

_CONFIG = """\
group = core
admin-port = {admin_port}
admin-interface = 127.0.0.1
admin-password = bench
smsbox-port = {box_port}
smsbox-interface = 127.0.0.1
log-level = 3
{storage}
group = smsc
smsc = smpp
smsc-id = simulator
host = 127.0.0.1
port = {smpp_port}
transceiver-mode = true
smsc-username = bench
smsc-password = bench
system-type = ""
max-pending-submits = {window}

group = smsbox
bearerbox-host = 127.0.0.1
bearerbox-port = {box_port}
sendsms-port = {http_port}
sendsms-interface = 127.0.0.1
log-level = 3

group = sendsms-user
username = bench
password = bench
"""

_IN_MEMORY = "dlr-storage = internal\n"
_IN_FILES = """\
store-type = spool
store-location = {folder}/kannel-store
dlr-storage = spool
dlr-spool = {folder}/kannel-receipts
"""


def installed() -> bool:
    """Whether both programs are there."""
    return peer_processes.installed(PROGRAMS)


def version() -> str:
    """As it says itself, on its first line; or that it is not installed."""
    if not installed():
        return NOT_INSTALLED
    command = [program("bearerbox"), "--version"]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    return (said.stdout or said.stderr).partition("\n")[0].strip()


@dataclass
class Kannel:
    """A running one. `pids` are bearerbox and smsbox."""

    address: str
    pids: tuple[int, int]
    taken = 202

    def request(self, number: int, destination: str, text: str, receipts: str) -> bytes:
        """One message over sendsms; its receipt is called back to `receipts`/NUMBER/STATE."""
        url = quote(f"http://{receipts}/{number}/%d", safe="")
        return http_load.get(
            self.address,
            "/cgi-bin/sendsms?username=bench&password=bench&from=SHOP"
            f"&to={quote(destination, safe='')}&text={quote(text, safe='')}"
            f"&dlr-mask={RECEIPTS_WANTED}&dlr-url={url}",
        )


@contextlib.asynccontextmanager
async def running(folder: Path, smpp_port: int, stored: bool = False) -> AsyncIterator[Kannel]:
    """Both programs, bound to the SMSC at this port, and gone at the end whatever happens."""
    if not installed():
        raise PeerError(NOT_INSTALLED)
    for name in ("kannel-store", "kannel-receipts"):
        (folder / name).mkdir()
    admin_port, box_port, http_port = free_ports(3)
    config = folder / "kannel.conf"
    config.write_text(
        _CONFIG.format(
            admin_port=admin_port,
            box_port=box_port,
            http_port=http_port,
            smpp_port=smpp_port,
            window=WINDOW,
            storage=_IN_FILES.format(folder=folder) if stored else _IN_MEMORY,
        )
    )
    async with contextlib.AsyncExitStack() as stack:
        status_url = f"http://127.0.0.1:{admin_port}/status.txt?password=bench"
        arguments = ["-v", "3", str(config)]
        bearerbox = await peer_processes.start(stack, folder, "bearerbox", arguments)
        await _until_it_says(status_url, "(online", [bearerbox])
        smsbox = await peer_processes.start(stack, folder, "smsbox", arguments)
        await _until_it_says(status_url, "smsbox:", [bearerbox, smsbox])
        yield Kannel(f"127.0.0.1:{http_port}", (bearerbox.pid, smsbox.pid))


async def _until_it_says(
    status_url: str, word: str, processes: list[asyncio.subprocess.Process]
) -> None:
    said = "nothing"
    try:
        async with asyncio.timeout(START_SECONDS_MAX), aiohttp.ClientSession() as session:
            while word not in said:
                if any(process.returncode is not None for process in processes):
                    raise PeerError("Kannel ended while it was started; see its logs")
                with contextlib.suppress(aiohttp.ClientError):
                    async with session.get(status_url) as response:
                        said = await response.text()
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        raise PeerError(f"Kannel did not say {word!r} in {START_SECONDS_MAX:g} s") from None
