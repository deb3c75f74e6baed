"""`smsgate simulate`: the SMSC simulator as a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import signal
from pathlib import Path

import uvloop

from gateway.commands import CommandFailed
from gateway.logs import configure_logs
from smpp.simulator import Simulator
from smpp.simulator.profile import ProfileError, load_profile


def run(arguments: argparse.Namespace) -> int:
    """Until SIGTERM or SIGINT."""
    configure_logs()
    try:
        profile = load_profile(arguments.profile)
        ledger = None if arguments.ledger is None else Path(arguments.ledger)
        uvloop.run(
            _simulate(
                arguments, Simulator(profile, arguments.host, arguments.port, ledger_path=ledger)
            )
        )
    except (ProfileError, OSError) as error:
        raise CommandFailed(str(error)) from error
    return 0


async def _simulate(arguments: argparse.Namespace, simulator: Simulator) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await simulator.start()
    print(f"simulator ready: {arguments.host}:{simulator.port}", flush=True)
    await stop.wait()
    await simulator.stop()
