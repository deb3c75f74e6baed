"""A gateway under systemd: ready when it serves, reloading, alive, stopping."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.gateway.test_systemd import Listener
from tests.integration.running import gateway, write_config


async def test_a_gateway_tells_its_life(
    database_url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    systemd = Listener(f"@smsgate-life-{os.getpid()}")
    monkeypatch.setenv("NOTIFY_SOCKET", systemd.address)
    monkeypatch.setenv("WATCHDOG_USEC", "200000")
    try:
        async with gateway(write_config(folder, database_url, 1)) as running:
            said = await systemd.hears_until("READY=1")
            assert "STATUS=starting" in said
            assert any(line.startswith("EXTEND_TIMEOUT_USEC=") for line in said)
            assert "WATCHDOG=1" in await systemd.hears_until("WATCHDOG=1")
            running.signal(signal.SIGHUP)
            assert "READY=1" not in await systemd.hears_until("RELOADING=1")
            await systemd.hears_until("READY=1")
            running.signal(signal.SIGTERM)
            await systemd.hears_until("STOPPING=1")
            assert await running.exit() == 0
    finally:
        systemd.close()
