"""A clock that is a minute from another is told before signatures are refused for it."""

from __future__ import annotations

from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from dlr.webhooks.endpoints import Receiver
from gateway.cli import main
from gateway.commands import clocks
from gateway.config import Config
from gateway.config.webhook_settings import WebhookSettings
from storage.pool import Connection
from tests.dlr.webhooks import raw_receiver
from tests.dlr.webhooks.raw_receiver import Talk

CONFIG = Config(webhooks=WebhookSettings(allow_networks=("127.0.0.0/8",), allow_http=True))


def later(seconds: float) -> Callable[[], datetime]:
    return lambda: clocks.now() + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, None), (59, None), (-59, None), (61, "61 s ahead"), (-3600, "3600 s behind")],
)
def test_w4_a_minute_is_worth_a_word(seconds: int, told: str | None) -> None:
    theirs = datetime(2026, 12, 1, tzinfo=UTC)
    assert clocks.apart(theirs + timedelta(seconds=seconds), theirs) == told


async def test_w4_the_clock_is_compared_with_the_databases(connection: Connection) -> None:
    assert await clocks.of_database(connection) is None
    told = await clocks.of_database(connection, later(90))
    assert told is not None
    assert told.endswith(" s ahead")


@asynccontextmanager
async def dated(seconds: float | None) -> AsyncIterator[str]:
    """A receiver whose clock is so far ahead; None: it says no time."""

    def talk(receiver: raw_receiver.Receiver) -> Talk:
        async def spoken(reader: StreamReader, writer: StreamWriter) -> None:
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HEAD /hooks HTTP/1.1\r\n")
            date = b""
            if seconds is not None:
                said = format_datetime(clocks.now() + timedelta(seconds=seconds), usegmt=True)
                date = f"Date: {said}\r\n".encode()
            writer.write(b"HTTP/1.1 405 No\r\nContent-Length: 0\r\n" + date + b"\r\n")
            await writer.drain()

        return spoken

    async with raw_receiver.receiving(talk) as receiver:
        yield receiver.url


async def test_w4_the_clock_is_compared_with_receivers() -> None:
    async with dated(0) as good, dated(120) as ahead, dated(None) as silent:
        gone = "http://127.0.0.1:1/"
        receivers = [
            Receiver(number, url, None) for number, url in enumerate((good, ahead, silent, gone))
        ]
        found = await clocks.of_receivers(CONFIG, receivers)
    assert [number for number, _ in found] == [1]
    assert found[0][1].endswith(" s behind")


def test_w4_the_doctor_says_so(
    tmp_path: Path,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f'[database]\nurl = "{database_url}"\n[http]\nlisten = "127.0.0.1:1"\n')
    monkeypatch.setattr(clocks.of_database, "__defaults__", (later(75),))
    assert main(["doctor", "--config", str(file)]) == 1
    lines = capsys.readouterr().out.splitlines()
    [told] = [number for number, line in enumerate(lines) if " clock: " in line]
    assert lines[told].startswith("BAD clock: this machine's is 7")
    assert lines[told + 1] == "    -> set the clocks by NTP"
