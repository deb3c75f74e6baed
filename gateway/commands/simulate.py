"""`smsgate simulate`: the SMSC simulator as a process of its own.

Owns that process and its signals. Must not know how a carrier behaves (smpp/simulator).
"""

from __future__ import annotations

import argparse
import asyncio
import signal
from pathlib import Path

import uvloop

from gateway.commands import CommandFailed
from gateway.logs import configure_logs
from smpp.simulator import LedgerError, Simulator
from smpp.simulator.capture import CaptureError
from smpp.simulator.profile import ProfileError, load_profile
from smpp.tls import TlsError, TlsServerSettings


def run(arguments: argparse.Namespace) -> int:
    """Until SIGTERM or SIGINT."""
    configure_logs()
    try:
        uvloop.run(_simulate(arguments))
    except (ProfileError, LedgerError, CaptureError, TlsError, OSError) as error:
        raise CommandFailed(str(error)) from error
    return 0


def _simulator(arguments: argparse.Namespace) -> Simulator:
    tls = None
    if arguments.tls_certificate is not None:
        tls = TlsServerSettings(
            certificate_file=arguments.tls_certificate, key_file=arguments.tls_key
        )
    return Simulator(
        load_profile(arguments.profile),
        arguments.host,
        arguments.port,
        ledger_path=None if arguments.ledger is None else Path(arguments.ledger),
        capture_path=None if arguments.capture is None else Path(arguments.capture),
        tls=tls,
    )


async def _simulate(arguments: argparse.Namespace) -> None:
    simulator = _simulator(arguments)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await simulator.start()
    print(f"simulator ready: {arguments.host}:{simulator.port}", flush=True)
    await stop.wait()
    await simulator.stop()
