"""The carrier and the client of the SMPP benchmarks, each a process of its own.

Owns starting them, talking to them over their standard streams, and their end. Must not measure.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator

import msgspec

from benchmarks.gateways import BenchmarkFailed
from benchmarks.smpp_bind import ClientRun
from benchmarks.smpp_carrier import CarrierCounters, CarrierOptions

RUN_SECONDS_MAX = 120.0
MESSAGES_PER_SECOND_MIN = 2_000  # a longer run has longer


class Carrier:
    """The other end of a benchmarks.smpp_carrier process."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self._process = process
        self.port = port

    async def counters(self) -> CarrierCounters:
        """Its totals up to now."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"\n")
        return msgspec.json.decode(await self._process.stdout.readline(), type=CarrierCounters)


@contextlib.asynccontextmanager
async def carrier_process(options: CarrierOptions) -> AsyncIterator[Carrier]:
    """A carrier, ended with the block."""
    process = await _start("benchmarks.smpp_carrier", options, subprocess.DEVNULL)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield Carrier(process, int(await process.stdout.readline()))
    finally:
        process.stdin.close()
        try:
            async with asyncio.timeout(RUN_SECONDS_MAX):
                await process.wait()
        except TimeoutError:
            process.kill()


async def client_figures(client_run: ClientRun) -> dict[str, float]:
    """The figures that one client process prints. BenchmarkFailed when it has none."""
    process = await _start("benchmarks.smpp_clients", client_run, subprocess.PIPE)
    seconds_max = RUN_SECONDS_MAX + client_run.messages / MESSAGES_PER_SECOND_MIN
    try:
        async with asyncio.timeout(seconds_max):
            out, complaint = await process.communicate()
    except TimeoutError:
        process.kill()
        raise BenchmarkFailed(f"{client_run.name} did not end in {seconds_max:g} s") from None
    if process.returncode:
        raise BenchmarkFailed(f"{client_run.name} has no figure:\n{complaint.decode()}")
    figures: dict[str, float] = json.loads(out.splitlines()[-1])
    return figures


async def _start(module: str, argument: msgspec.Struct, stderr: int) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, msgspec.json.encode(argument).decode(),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr,
    )  # fmt: skip
