"""`smsgate load URL`: an open-loop load against any gateway, with a report and an exit code.

Owns the run's arguments, its progress and its end. Must not measure itself (gateway/load).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import uvloop

from gateway.commands import CommandFailed
from gateway.commands.asking import api_key
from gateway.config.values import Address
from gateway.load import arrivals, report
from gateway.load.driving import Driver, hearing
from gateway.load.figures import kept
from gateway.load.profile import Messages, Profile, ProfileError, rate_of, read, seconds_of
from gateway.rehearsal.client import Client, session_of
from gateway.rehearsal.processes import RehearsalError

PROGRESS_SECONDS = 1.0


def run(arguments: argparse.Namespace) -> int:
    """0: every threshold holds. 1: one does not, nothing was accepted, or it could not run."""
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
        listen = None if arguments.listen is None else _address(arguments.listen)
        api = _api(arguments.url)
        return uvloop.run(_until_ended(_run(arguments, api, key, profile, planned, listen, wait)))
    except (ProfileError, RehearsalError, aiohttp.ClientError, TimeoutError, OSError) as error:
        raise CommandFailed(str(error) or "the gateway does not answer") from error


async def _until_ended(running: Coroutine[None, None, int]) -> int:
    """SIGTERM ends it as Ctrl-C does: the webhook endpoint of the run goes with it."""
    task = asyncio.ensure_future(running)
    ended = False

    def end() -> None:
        nonlocal ended
        ended = True
        task.cancel()

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end)
    try:
        return await task
    except asyncio.CancelledError:
        if ended:
            raise CommandFailed("ended by SIGTERM") from None
        raise


async def _run(
    arguments: argparse.Namespace,
    api: str,
    key: str,
    profile: Profile,
    planned: arrivals.Requests,
    listen: Address | None,
    wait: float,
) -> int:
    async with session_of(key, arguments.connections) as opened:
        driver = Driver(opened, api, Messages(profile), retry=profile.retry)
        progress = asyncio.create_task(_progress(driver))
        try:
            if listen is None:
                await driver.send(planned)
            else:
                async with hearing(Client(opened, api, key), listen, driver.heard):
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
    return 0 if driver.outcome.accepted and all(each.met for each in judged) else 1


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


def _api(text: str) -> str:
    try:
        parts = urlsplit(text)
        known = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        known = False
    if not known:
        raise ProfileError(f"{text!r} is no URL of a gateway, such as http://127.0.0.1:8080")
    return text.rstrip("/")


def _address(text: str) -> Address:
    try:
        return Address.parse(text)
    except ValueError as error:
        raise ProfileError(f"{text!r} is not {error}") from error
