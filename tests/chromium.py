"""A real Chromium without a screen, driven by its DevTools protocol over a WebSocket."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp

from tests.debian import needs

PROGRAM = "chromium"
START_SECONDS = 60.0
ANSWER_SECONDS = 30.0
ARGUMENTS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--remote-debugging-port=0", "about:blank",
)  # fmt: skip
LISTENING = b"DevTools listening on "
KEYS = {"Tab": ("Tab", 9, ""), "Enter": ("Enter", 13, "\r"), "Space": (" ", 32, " ")}


class Page:
    """One tab. What it is asked waits until the page has loaded."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = count(1)
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the protocol, and its result."""
        number = next(self._numbers)
        asked: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self._session is not None:
            asked["sessionId"] = self._session
        await self._socket.send_json(asked)
        while True:
            told = await self._told()
            if told.get("id") == number:
                assert "error" not in told, told
                result: dict[str, Any] = told["result"]
                return result

    async def open(self) -> None:
        """A new tab, of a telephone 320 pixels wide."""
        target = await self.call("Target.createTarget", url="about:blank")
        attached = await self.call(
            "Target.attachToTarget", targetId=target["targetId"], flatten=True
        )
        self._session = attached["sessionId"]
        for domain in ("Page", "DOM", "Network", "Log", "Accessibility"):
            await self.call(f"{domain}.enable")
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=320, height=640, deviceScaleFactor=2, mobile=True,
        )  # fmt: skip

    async def is_a_person(self, user_agent: str, accept_language: str) -> None:
        """What its requests say from now on."""
        await self.call(
            "Emulation.setUserAgentOverride", userAgent=user_agent, acceptLanguage=accept_language
        )

    async def go(self, url: str) -> None:
        """Open a page and wait until it has loaded."""
        await self.loading("Page.navigate", url=url)

    async def loading(self, method: str, **parameters: Any) -> None:
        """A command that loads another page; returns when that is there."""
        self.events.clear()
        await self.call(method, **parameters)
        await self.loaded()

    async def loaded(self) -> None:
        """Wait for the page that is being loaded."""
        while not any(each["method"] == "Page.loadEventFired" for each in self.events):
            await self._told()

    async def press(self, key: str) -> None:
        """A key of the keyboard."""
        name, code, text = KEYS[key]
        for kind in ("keyDown", "keyUp"):
            given = {"text": text} if kind == "keyDown" and text else {}
            await self.call(
                "Input.dispatchKeyEvent",
                type=kind, key=name, code=key, windowsVirtualKeyCode=code, **given,
            )  # fmt: skip

    async def click(self, selector: str) -> None:
        """A finger on the middle of the first element that fits, and the page that follows."""
        at = await self.value(
            f"(e => {{ e.scrollIntoView(); const b = e.getBoundingClientRect();"
            f" return [b.x + b.width / 2, b.y + b.height / 2] }})"
            f"(document.querySelector({selector!r}))"
        )
        self.events.clear()
        for kind in ("mousePressed", "mouseReleased"):
            await self.call(
                "Input.dispatchMouseEvent", type=kind, x=at[0], y=at[1], button="left", clickCount=1
            )
        await self.loaded()

    async def value(self, expression: str) -> Any:
        """What an expression of JavaScript is in this page."""
        found = await self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    async def heard(self) -> list[tuple[str, str]]:
        """(role, name) of what a screen reader reads out, in order."""
        tree = await self.call("Accessibility.getFullAXTree")
        return [
            (node["role"]["value"], node.get("name", {}).get("value", ""))
            for node in tree["nodes"]
            if not node["ignored"] and node["role"]["type"] != "internalRole"
        ]

    async def _told(self) -> dict[str, Any]:
        told: dict[str, Any] = await self._socket.receive_json(timeout=ANSWER_SECONDS)
        if "method" in told:
            self.events.append(told)
        return told


@asynccontextmanager
async def chromium() -> AsyncIterator[Page]:
    """A tab of a new Chromium. Where there is none: see tests/debian.py."""
    program = needs(PROGRAM, PROGRAM)
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            program, *ARGUMENTS, f"--user-data-dir={profile}",
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE, env={**os.environ, "HOME": str(Path(profile))},
        )  # fmt: skip
        draining: asyncio.Task[None] | None = None
        try:
            address = await _address(process)
            draining = asyncio.create_task(_drain(process))
            async with (
                aiohttp.ClientSession() as session,
                session.ws_connect(address, max_msg_size=0) as socket,
            ):
                page = Page(socket)
                await page.open()
                yield page
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
            if draining is not None:
                await draining


async def _address(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    async with asyncio.timeout(START_SECONDS):
        async for line in process.stderr:
            if line.startswith(LISTENING):
                return line.removeprefix(LISTENING).strip().decode()
    raise AssertionError("chromium ended before it listened")


async def _drain(process: asyncio.subprocess.Process) -> None:
    assert process.stderr is not None
    while await process.stderr.read(65_536):
        pass
