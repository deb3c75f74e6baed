"""`smsgate load URL`: an open-loop load against any gateway, with a report and an exit code.

Owns the run's arguments, its progress and its end. Must not measure itself (gateway/load).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path

import uvloop

from gateway.commands import CommandFailed
from gateway.commands.asking import api_key
from gateway.load import arrivals, report
from gateway.load.driving import Driver, hearing, session
from gateway.load.figures import kept
from gateway.load.profile import Messages, Profile, ProfileError, rate_of, read, seconds_of
from gateway.rehearsal.client import Client
from gateway.rehearsal.processes import RehearsalError

PROGRESS_SECONDS = 1.0


def run(arguments: argparse.Namespace) -> int:
    """0: every threshold holds. 1: one does not, or it could not run."""
    key = api_key(arguments.key)
    try:
        profile = Profile() if arguments.profile is None else read(Path(arguments.profile))
        seconds, wait = seconds_of(arguments.span), seconds_of(arguments.wait)
        planned = arrivals.requests(
            rate_of(arguments.rate),
            seconds,
            batch_share=profile.batch_share,
            batch_size=profile.batch_size,
        )
        listen = None if arguments.listen is None else _host_and_port(arguments.listen)
        run_to_end = _run(arguments, key, profile, planned, listen, wait)
        return uvloop.run(run_to_end)
    except (ProfileError, RehearsalError, OSError) as error:
        raise CommandFailed(str(error)) from error


async def _run(
    arguments: argparse.Namespace,
    key: str,
    profile: Profile,
    planned: arrivals.Requests,
    listen: tuple[str, int] | None,
    wait: float,
) -> int:
    api = arguments.url.rstrip("/")
    async with session(key, arguments.connections) as opened:
        driver = Driver(opened, api, Messages(profile), retry=profile.retry)
        progress = asyncio.create_task(_progress(driver))
        try:
            if listen is None:
                await driver.send(planned)
            else:
                async with hearing(Client(opened, api, key), *listen, driver.heard):
                    await driver.send(planned)
                    await driver.all_told(wait)
        finally:
            progress.cancel()
    judged = list(kept(driver.outcome, profile.thresholds))
    told = (driver.outcome, len(driver.waiting), judged)
    if arguments.json:
        print(json.dumps(report.fields(*told, heard=listen is not None)))
    else:
        print("\n".join(report.lines(*told, heard=listen is not None)))
    return 0 if all(each.met for each in judged) else 1


async def _progress(driver: Driver) -> None:
    """A line a second for whoever watches."""
    while sys.stderr.isatty():
        await asyncio.sleep(PROGRESS_SECONDS)
        outcome, p99 = driver.outcome, driver.outcome.accept.quantile(0.99)
        shown = "-" if p99 is None else f"{p99 * 1000:.0f} ms"
        print(
            f"\r{outcome.accepted} accepted, {outcome.failed} refused,"
            f" {driver.in_flight} in flight, {len(driver.waiting)} open, p99 {shown}   ",
            end="",
            file=sys.stderr,
            flush=True,
        )


def _host_and_port(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise ProfileError(f"{text!r} is no HOST:PORT to listen on, such as 127.0.0.1:9000")
    return host, int(port)
