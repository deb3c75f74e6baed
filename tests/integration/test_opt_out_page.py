"""A Chromium follows a link of a text that was sent, opts out, and undoes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gateway.rehearsal.running import Running
from tests.chromium import Page, chromium
from tests.dispatch.inbound.pages import PERSON
from tests.integration.running import create_key, gateway, simulator, write_config

RECIPIENT = "+8613812341000"
ACCOUNT = """
[[accounts]]
name = "default"
signature = "【长城商店】"
opt_out_suffix = "拒收 {{optout}}"
opt_out_page_frequency = true
"""
MARKETING: dict[str, object] = {
    "to": RECIPIENT, "text": "An offer https://shop.example/", "category": "marketing",
}  # fmt: skip
BUTTON_RED = "rgb(164, 22, 26)"
FINGER_PIXELS = 44


async def test_a_person_opts_out_and_undoes_it_in_a_browser(
    folder: Path, database_url: str
) -> None:
    async with simulator(folder) as carrier, chromium() as page:
        config = write_config(folder, database_url, carrier.port, rest=ACCOUNT)
        async with gateway(config) as running:
            key = await create_key(config, "desk", "--scopes", "suppressions:read")
            link = await sent_link(running)
            await page.is_a_person(PERSON["User-Agent"], "en-GB,en")
            await page.call("Emulation.setScriptExecutionDisabled", value=True)
            await page.go(link)
            await looked_at(page)
            assert await listed(running, key) == []
            await by_keyboard(page)
            assert await listed(running, key) == [("marketing", "page")]
            [refused] = await running.send([MARKETING])
            assert refused["status"] == "suppressed"
            await page.click("button[value=undo]")
            assert "Undone" in await page.value("document.querySelector('[role=status]').innerText")
            assert await listed(running, key) == []
            await page.call(
                "Runtime.evaluate", expression="document.querySelector('[value=marketing]').click()"
            )
            await page.click("button[value=choose]")
            assert await listed(running, key) == [("marketing", "page")]
            await in_chinese(page, link)
            assert (await page.call("Network.getCookies"))["cookies"] == []


async def sent_link(running: Running) -> str:
    """The opt-out link of a marketing text, as the recipient's phone has it."""
    [sent] = await running.send([MARKETING])
    text: str = (await running.message(sent["id"]))["text"]
    before, _, link = text.partition("拒收 ")
    assert before.startswith("【长城商店】An offer http://")
    return f"{running.links}/{link.rpartition('/')[2]}"


async def looked_at(page: Page) -> None:
    """As a person sees it, and as a screen reader reads it."""
    assert await page.value("document.documentElement.scrollWidth") <= 320
    assert await page.value(
        "getComputedStyle(document.querySelector('.main')).backgroundColor"
    ) == (BUTTON_RED)  # the style is let in by its hash
    heights = await page.value(
        "[...document.querySelectorAll('button,select,label')]"
        ".map(e => e.getBoundingClientRect().height)"
    )
    assert min(heights) >= FINGER_PIXELS
    heard = await page.heard()
    for expected in (
        ("main", ""),
        ("heading", "Messages from 长城商店"),
        ("status", ""),
        ("button", "Stop offers and news"),
        ("heading", "Choose what you get"),
        ("group", "Choose what you get"),
        ("checkbox", "offers and news"),
        ("checkbox", "service messages"),
        ("combobox", "Most offers and news in 30 days"),
        ("button", "Save"),
        ("link", "中文"),
    ):
        assert expected in heard, heard
    assert [each for each in page.events if each["method"] == "Log.entryAdded"] == []


async def by_keyboard(page: Page) -> None:
    """The first stop of the Tab key is the button that most people come for."""
    await page.press("Tab")
    assert await page.value("document.activeElement.value") == "stop"
    assert await page.value("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.events.clear()
    await page.press("Enter")
    await page.loaded()
    told = await page.value("document.querySelector('[role=status]').innerText")
    assert told == "Done: 长城商店 will send you no more offers and news."


async def in_chinese(page: Page, link: str) -> None:
    await page.is_a_person(PERSON["User-Agent"], "zh-CN,zh")
    await page.go(link)
    assert await page.value("document.documentElement.lang") == "zh-CN"
    assert ("heading", "长城商店的短信") in await page.heard()
    assert await page.value("document.documentElement.scrollWidth") <= 320


async def listed(running: Running, key: str) -> list[tuple[str, str]]:
    """Category and source of each suppression."""
    url = f"{running.api}/v1/suppressions"
    async with running.session.get(url, headers={"Authorization": f"Bearer {key}"}) as answer:
        entries: list[dict[str, Any]] = (await answer.json())["data"]
    return [(each["category"], each["source"]) for each in entries]
