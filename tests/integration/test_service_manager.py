"""A gateway under a service manager: ready when it serves, reloading, alive, stopping."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.gateway.test_service_manager import Manager
from tests.integration.running import gateway, write_config


async def test_a_gateway_tells_its_life(
    database_url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = Manager(f"@smsgate-life-{os.getpid()}")
    monkeypatch.setenv("NOTIFY_SOCKET", manager.address)
    monkeypatch.setenv("WATCHDOG_USEC", "200000")
    try:
        async with gateway(write_config(folder, database_url, 1)) as running:
            said = await manager.hears_until("READY=1")
            assert "STATUS=starting" in said
            assert any(line.startswith("EXTEND_TIMEOUT_USEC=") for line in said)
            assert "WATCHDOG=1" in await manager.hears_until("WATCHDOG=1")
            running.signal(signal.SIGHUP)
            assert "READY=1" not in await manager.hears_until("RELOADING=1")
            await manager.hears_until("READY=1")
            running.signal(signal.SIGTERM)
            await manager.hears_until("STOPPING=1")
            assert await running.exit() == 0
    finally:
        manager.close()
