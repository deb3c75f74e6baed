"""Three carriers, one of which dies in the middle of a run."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

from gateway.rehearsal.configuration import Connector
from gateway.rehearsal.simulator import Simulator
from tests.integration.running import gateway, message, simulator, write_config

MESSAGES = 300
WINDOW = 10


@contextlib.asynccontextmanager
async def three(folder: Path) -> AsyncIterator[tuple[Simulator, Simulator, Simulator]]:
    async with (
        simulator(folder, name="sim") as a,
        simulator(folder, name="b") as b,
        simulator(folder, name="c") as c,
    ):
        yield a, b, c


async def test_e84_a_carrier_dies_and_each_message_is_sent_once_by_another(
    database_url: str, folder: Path
) -> None:
    """`sim` takes 40 a second and dies with hundreds waiting, in memory and in the outbox."""
    async with three(folder) as (first, *others):
        config = write_config(
            folder, database_url, first.port, connector=f'rate = "40/s"\nwindow = {WINDOW}',
            others=[
                Connector(name, carrier.port) for name, carrier in zip("bc", others, strict=True)
            ],
        )  # fmt: skip
        async with gateway(config) as running:
            items = await running.send(
                [message(number, category="marketing") for number in range(MESSAGES)]
            )
            await running.until(delivered=40)
            await first.kill()
            # What stood in the dead carrier's window may have been sent, so it is held; and a
            # receipt or two may have died with it.
            await running.until(delivered=MESSAGES - 2 * WINDOW)
            _, answer = await running.call("GET", f"/v1/messages/{items[-1]['id']}/events")
            taken = Counter(
                line.destination for carrier in (first, *others) for line in carrier.accepted()
            )
            missing = [
                item["id"]
                for number, item in enumerate(items)
                if str(message(number)["to"]).removeprefix("+") not in taken
            ]
            held = {(await running.message(each))["status"] for each in missing}
    assert set(taken.values()) == {1}
    assert len(missing) <= WINDOW
    assert held <= {"unconfirmed"}
    (moved,) = (event for event in answer["data"] if event["kind"] == "rerouted")
    assert (moved["detail"]["from"], moved["detail"]["to"]) == ("sim", "b")
    assert "down: sim" in moved["detail"]["reason"]
    assert [len(carrier.accepted()) > 0 for carrier in others] == [True, False]
