"""`smsgate serve`: the gateway, until SIGTERM or SIGINT.

Owns the signals. Must not know how the gateway is built. The first signal drains it, a second one
cuts that short. SIGHUP reads the configuration again.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import platform
import signal
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import structlog
import uvloop

from gateway import descriptors, garbage
from gateway.app import Gateway
from gateway.commands import CommandFailed
from gateway.commands.setting_up import (
    configuration,
    configuration_file,
    database_place,
    one_line,
)
from gateway.config import Config, load_config
from gateway.config.environment import service_links
from gateway.links_role import LinksGateway
from gateway.logs import configure_logs
from gateway.systemd import Systemd
from storage.crypto import KeyMismatch
from storage.keys import KeyUnusable

EX_CONFIG = 78  # of sysexits.h; the units do not try again then
_log = structlog.get_logger(__name__)


def run(arguments: argparse.Namespace) -> int:
    """Returns 0 after a drained stop. Raises CommandFailed when it cannot start or may not go
    on.
    """
    file = configuration_file(arguments)  # decided once: a reload reads the same one, or fails
    with unusable_as(EX_CONFIG):
        config = configuration(arguments)
    configure_logs(config.logs.level, config.logs.form)
    _say_what_starts(config, file)
    descriptors.prepare(config)
    with unusable_as(EX_CONFIG, KeyMismatch, KeyUnusable), one_line():
        uvloop.run(_serve(config, file, arguments))
    return 0


@contextlib.contextmanager
def unusable_as(code: int, *only: type[Exception]) -> Iterator[None]:
    """A context whose CommandFailed has this exit code: nobody need try again before the operator
    has acted. `only`: where one of these is its cause.
    """
    try:
        yield
    except CommandFailed as error:
        if not only or isinstance(error.__cause__, only):
            error.code = code
        raise


async def _serve(config: Config, file: Path | None, arguments: argparse.Namespace) -> None:
    stop = asyncio.Event()
    changed = asyncio.Event()  # the configuration, since it was read
    loop = asyncio.get_running_loop()
    systemd = Systemd.of(os.environ)
    gateway = _of_role(config, file, arguments)

    def asked_to_stop() -> None:
        if stop.is_set():
            gateway.stopping.hurry()
        stop.set()

    def asked_to_reload() -> None:
        systemd.reloading()
        gateway.reload(serving)

    def serving() -> None:
        if not stop.is_set():
            systemd.ready(gateway.where)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked_to_stop)
    loop.add_signal_handler(signal.SIGHUP, changed.set)  # else one that comes now kills us
    systemd.starting()
    try:
        await gateway.start()
        garbage.settle()
        loop.add_signal_handler(signal.SIGHUP, asked_to_reload)
        serving()
        if changed.is_set():
            asked_to_reload()
        print(f"smsgate ready: {gateway.where}", flush=True)
        gateway.lost.add_done_callback(lambda _lost: stop.set())
        await stop.wait()
        systemd.stopping()
        gateway.rooms.draining = True  # which /readyz says
        if not gateway.lost.done():  # else another process has our work already
            await gateway.stopping.patience(config.http.lame_duck_seconds)
    finally:
        await gateway.stop()
        systemd.close()
    if gateway.lost.done():
        raise CommandFailed(gateway.lost.result())


def _of_role(
    config: Config, file: Path | None, arguments: argparse.Namespace
) -> Gateway | LinksGateway:
    if arguments.role == "links":
        return LinksGateway(config)
    return Gateway(
        config,
        read=lambda: load_config(file, os.environ),
        accept_restored=arguments.accept_restored,
    )


def _say_what_starts(config: Config, file: Path | None) -> None:
    _log.info(
        "starting",
        version=version("smsgate"),
        python=platform.python_version(),
        config=None if file is None else str(file),
        database=database_place(config),
    )
    ignored = service_links(os.environ)
    if ignored:
        _log.info("environment_ignored", variables=ignored, reason="links of a service")
