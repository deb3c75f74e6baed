"""`smsgate demo`: the whole gateway on this machine, with real messages, in one command."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from rich.console import Console

from gateway.commands import CommandFailed
from gateway.demo.processes import DemoError
from gateway.demo.run import demo


def run(arguments: argparse.Namespace) -> int:
    """Exit code 1, with one line, when anything does not start or does not add up."""
    console = Console()
    data_dir = Path(arguments.data_dir)
    data_dir.mkdir(parents=True, exist_ok=True)
    try:
        asyncio.run(
            demo(
                arguments.messages,
                data_dir,
                once=arguments.once,
                console=console,
            )
        )
    except DemoError as error:
        raise CommandFailed(str(error)) from error
    return 0
