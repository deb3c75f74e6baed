"""`smsgate serve`: the gateway, until SIGTERM or SIGINT; then it drains, and a second one cuts that
short. SIGHUP reads the configuration again.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
from collections.abc import Callable

import structlog
import uvloop

from gateway import garbage
from gateway.app import Gateway
from gateway.commands import CommandFailed
from gateway.commands.setting_up import configuration, one_line, read_configuration
from gateway.config import Config
from gateway.logs import configure_logs

_log = structlog.get_logger(__name__)


def run(arguments: argparse.Namespace) -> int:
    """Returns 0 after a drained stop. CommandFailed when it cannot start or may not go on."""
    configure_logs()
    config = configuration(arguments)
    with one_line():
        uvloop.run(_serve(config, lambda: read_configuration(arguments)))
    return 0


async def _serve(config: Config, read: Callable[[], Config]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    gateway = Gateway(config, read=read)

    def asked_to_stop() -> None:
        if stop.is_set():
            gateway.stopping.hurry()
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked_to_stop)
    try:
        await gateway.start()
        garbage.settle()
        loop.add_signal_handler(signal.SIGHUP, gateway.reloader.soon)
        print(f"smsgate ready: API {gateway.api_url} links {gateway.links_url}", flush=True)
        gateway.lost.add_done_callback(lambda _lost: stop.set())
        await stop.wait()
    finally:
        await gateway.stop()
    if gateway.lost.done():
        raise CommandFailed(gateway.lost.result())
