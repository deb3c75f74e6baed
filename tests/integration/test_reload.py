"""The configuration and the pace of connectors, changed under a running gateway."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.integration.carrier import Carrier, carrier, deliver_and_confirm
from tests.integration.running import (
    PATIENCE_SECONDS,
    POLL_SECONDS,
    Running,
    create_key,
    gateway,
    message,
    write_config,
)

OTHER = """
[[connectors]]
name = "other"
host = "127.0.0.1"
port = {port}
system_id = "test"
password = "secret"
"""


async def admin(running: Running, method: str, path: str, body: object = None) -> tuple[int, Any]:
    async with running.session.request(
        method, running.api + path, json=body, headers=await headers(running)
    ) as response:
        return response.status, await response.json(content_type=None)


async def reloaded(running: Running) -> Any:
    """Asked again for as long as an earlier reload is being carried out."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            status, done = await admin(running, "POST", "/v1/admin/reload")
            if status == 200:
                return done
            assert (status, done["code"]) == (409, "reload_running"), done
            await asyncio.sleep(POLL_SECONDS)


async def headers(running: Running) -> dict[str, str]:
    key = running.keys.get("admin") or await create_key(running.config, "ops", "--scopes", "admin")
    running.keys["admin"] = key
    return {"Authorization": f"Bearer {key}"}


async def view(running: Running, name: str) -> dict[str, Any]:
    _, answer = await admin(running, "GET", "/v1/connectors")
    found: dict[str, Any] = next(each for each in answer["data"] if each["name"] == name)
    return found


async def shows(running: Running, name: str, right: Callable[[dict[str, Any]], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not right(await view(running, name)):
            await asyncio.sleep(POLL_SECONDS)


async def logged(running: Running, words: str) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while words not in running.child.log.read_text():
            await asyncio.sleep(POLL_SECONDS)


def change(running: Running, old: str, new: str) -> None:
    text = running.config.read_text()
    assert old in text
    running.config.write_text(text.replace(old, new))


async def test_a_running_gateway_follows_its_operator(database_url: str, folder: Path) -> None:
    async with (
        carrier(deliver_and_confirm) as first,
        carrier(deliver_and_confirm) as second,
        gateway(write_config(folder, database_url, first.port)) as running,
    ):
        await pausing_and_rating(running, first)
        await a_wrong_file_changes_nothing(running, first)
        await a_connector_comes_and_another_goes(running, first, second)
        sent = Counter(submit.to for smsc in (first, second) for submit in smsc.submits)
        assert set(sent.values()) == {1}


async def pausing_and_rating(running: Running, first: Carrier) -> None:
    status, shown = await admin(running, "PATCH", "/v1/connectors/sim", {"paused": True})
    assert (status, shown["paused"], shown["withheld"]) == (200, True, ["paused"])
    await running.send([message(number) for number in range(5)])
    assert first.submits == []
    status, shown = await admin(
        running, "PATCH", "/v1/connectors/sim", {"paused": False, "rate": "100/s"}
    )
    assert (status, shown["paused"], shown["rate_max"]) == (200, False, "100/s")
    await running.until(delivered=5)
    status, shown = await admin(running, "PATCH", "/v1/connectors/sim", {"rate": "0/s"})
    assert shown["withheld"] == ["rate 0"]
    status, shown = await admin(running, "PATCH", "/v1/connectors/sim", {"rate": None})
    assert (shown["withheld"], shown["rate_max"]) == ([], None)
    for path, body, wanted in (
        ("sim", {"rate": "fast"}, 422), ("sim", {"pace": 1}, 422), ("none", {}, 404),
    ):  # fmt: skip
        status, _ = await admin(running, "PATCH", f"/v1/connectors/{path}", body)
        assert status == wanted
    status, _ = await running.call("PATCH", "/v1/connectors/sim", {"paused": True})
    assert status == 403


async def a_wrong_file_changes_nothing(running: Running, first: Carrier) -> None:
    change(running, 'via = ["sim"]', 'via = ["sum"]')
    status, answer = await admin(running, "POST", "/v1/admin/reload")
    assert (status, answer["code"]) == (422, "config_invalid")
    assert "routes[0].via[0]: no connector 'sum'" in answer["detail"]
    running.child.process.send_signal(signal.SIGHUP)
    await logged(running, "reload_refused")
    await running.send([message(10)])
    await running.until(delivered=6)
    change(running, 'via = ["sum"]', 'via = ["sim"]')


async def a_connector_comes_and_another_goes(
    running: Running, first: Carrier, second: Carrier
) -> None:
    change(running, "[[routes]]", OTHER.format(port=second.port) + "[[routes]]")
    change(running, 'name = "sim"', 'name = "sim"\nrate = "500/s"\nwindow = 7')
    change(running, "[links]", "batch_items_max = 100\n[links]")
    status, done = await admin(running, "POST", "/v1/admin/reload")
    assert (status, done) == (
        200,
        {
            "added": ["other"], "removed": [], "adjusted": ["sim"], "rebinding": [],
            "restart_needed": ["http.batch_items_max"],
        },
    )  # fmt: skip
    shown = await view(running, "sim")
    assert (shown["window"], shown["rate_max"]) == (7, "500/s")
    await shows(running, "other", lambda shown: bool(shown["up"]))
    assert first.sessions == 1  # its bind was left alone

    change(running, 'via = ["sim"]', 'via = ["other", "sim"]')
    change(running, 'name = "sim"\n', 'name = "sim"\nsystem_type = "x"\n')
    running.child.process.send_signal(signal.SIGHUP)
    await first.until(lambda: first.sessions == 2)  # rebound
    await running.send([message(number) for number in range(20, 25)])
    await second.submitted(5)
    assert second.sessions == 1

    # The connector goes while messages wait for it: they go by the one that is left.
    await admin(running, "PATCH", "/v1/connectors/other", {"rate": "1/s"})
    await running.send([message(number, category="marketing") for number in range(30, 60)])
    change(running, OTHER.format(port=second.port), "")
    change(running, 'via = ["other", "sim"]', 'via = ["sim"]')
    done = await reloaded(running)
    assert done["removed"] == ["other"]
    await running.until(delivered=41)
