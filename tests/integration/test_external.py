"""The whole road on a PostgreSQL of the operator's own, over TCP with a password."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.external_servers import DEBIAN, NOT_INSTALLED, debian_server, wheel_server
from tests.integration.running import gateway, message, simulator, write_config


async def whole_road(url: str, folder: Path) -> None:
    """Two lives of the gateway, the first one killed."""
    async with simulator(folder) as sim:
        config = write_config(folder, url, sim.port)
        async with gateway(config) as running:
            await running.send([message(n) for n in range(100)])
            await running.until(sent=1)
            running.kill()
            await running.child.process.wait()
        async with gateway(config) as running:
            await running.send([message(n) for n in range(100, 200)])
            counts = await running.until(delivered=200)
    assert counts["accepted"] == counts["delivered"] == 200
    assert len({line.destination for line in sim.accepted()}) == 200


async def test_the_wheels_postgresql_over_tcp(folder: Path) -> None:
    async with wheel_server(folder / "external") as url:
        await whole_road(url, folder)


@pytest.mark.parametrize("programs", DEBIAN, ids=lambda path: path.parent.name)
async def test_debians_postgresql(folder: Path, programs: Path) -> None:
    if programs == NOT_INSTALLED:
        pytest.skip("no PostgreSQL in /usr/lib/postgresql: install Debian's postgresql package")
    with debian_server(programs) as url:
        await whole_road(url, folder)
