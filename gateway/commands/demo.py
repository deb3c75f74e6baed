"""`smsgate demo`: the whole gateway on this machine, with real messages, in one command.

Owns the exit code and the signals. Must not run the demo itself (gateway/demo).
"""

from __future__ import annotations

import argparse
import asyncio
import signal
from pathlib import Path

from rich.console import Console

from gateway.commands import CommandFailed
from gateway.demo.campaign.cast import Cast
from gateway.demo.campaign.run import campaign_demo
from gateway.demo.campaign.win_back import WIN_BACK
from gateway.demo.run import demo
from gateway.logs import configure_logs
from gateway.rehearsal.processes import RehearsalError


def run(arguments: argparse.Namespace) -> int:
    """Exit code 1, with one line, when anything does not start or does not add up."""
    console = Console()
    data_dir = Path(arguments.data_dir)
    data_dir.mkdir(parents=True, exist_ok=True)
    try:
        asyncio.run(_demo(arguments, data_dir, console))
    except RehearsalError as error:
        raise CommandFailed(str(error)) from error
    except asyncio.CancelledError:
        raise CommandFailed("stopped before the end") from None
    return 0


async def _demo(arguments: argparse.Namespace, data_dir: Path, console: Console) -> None:
    """SIGTERM ends it like Ctrl-C: what it started is stopped first."""
    running = asyncio.current_task()
    assert running is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    if not arguments.campaign:
        await demo(arguments.messages, data_dir, once=arguments.once, console=console)
        return
    configure_logs("warning", "text")  # the carrier's sessions are in this process
    people, seed = arguments.people, arguments.seed
    cast = WIN_BACK if people is None else Cast(people=people, seed=seed)
    await campaign_demo(cast, data_dir, once=arguments.once, console=console)
