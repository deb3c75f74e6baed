"""The pixel and the script of a landing page, over a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import hdrs
from aiohttp.test_utils import RawTestServer, TestClient
from aiohttp.web import BaseRequest, Response

from shortlinks import visit_door
from shortlinks.visit_door import (
    PAUSES_SECONDS,
    PIXEL,
    PIXEL_PATH,
    SCRIPT_OCTETS_MAX,
    SCRIPT_PATH,
    VisitDoor,
    Visited,
)
from storage.faults import StorageDown
from tests.chromium import chromium
from tests.dispatch.inbound.pages import PERSON

LANDING_PAGE = '<!doctype html><title>Sale</title><script async src="/v.js"></script>'
PATIENCE_SECONDS = 40.0
Client = TestClient[BaseRequest, None]


class Book:
    """Implements VisitBook: what it answers, one after the other."""

    def __init__(self) -> None:
        self.answers: list[Visited | Exception] = ["recorded"]
        self.asked: list[str] = []
        self.heard = asyncio.Event()

    async def visited(self, text: str) -> Visited:
        self.asked.append(text)
        self.heard.set()
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
def door(book: Book, monkeypatch: pytest.MonkeyPatch) -> VisitDoor:
    monkeypatch.setattr(visit_door, "PAUSES_SECONDS", (0.0,) * len(PAUSES_SECONDS))
    return VisitDoor(book, "from_sms")


@pytest.fixture
async def client(door: VisitDoor) -> AsyncIterator[Client]:
    async def handle(request: BaseRequest) -> Response:
        if request.path == "/":
            return Response(text=LANDING_PAGE, content_type="text/html")
        return await door.answer(request, request.path)

    async with Client(RawTestServer(handle)) as client:
        yield client


async def test_a_browser_that_loads_the_pixel_has_visited(
    client: Client, book: Book, door: VisitDoor
) -> None:
    answer = await client.get(f"{PIXEL_PATH}?cid=clk_1_a", headers=PERSON)
    assert (answer.status, await answer.read()) == (200, PIXEL)
    assert answer.content_type == "image/gif"
    assert "no-store" in answer.headers[hdrs.CACHE_CONTROL]
    assert "Set-Cookie" not in answer.headers
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert (book.asked, door.answered["recorded"]) == (["clk_1_a"], 1)


@pytest.mark.parametrize(
    ("answers", "done"),
    [
        (["awaited", "awaited", "recorded"], "recorded"),  # its click is loaded meanwhile
        (["awaited"] * (len(PAUSES_SECONDS) + 1), "unknown"),
        (["unknown"], "unknown"),
        (["forged"], "forged"),
    ],
)
async def test_a_visit_waits_a_little_for_its_click(
    client: Client, book: Book, door: VisitDoor, answers: list[Visited | Exception], done: str
) -> None:
    book.answers = answers
    assert (await client.get(PIXEL_PATH, headers=PERSON)).status == 200
    assert (door.answered[done], book.answers) == (1, [])


async def test_without_a_database_the_pixel_says_so(
    client: Client, book: Book, door: VisitDoor
) -> None:
    book.answers = [StorageDown()]
    assert (await client.get(PIXEL_PATH, headers=PERSON)).status == 503
    assert door.answered["refused"] == 1


async def test_not_more_visits_wait_than_may(
    client: Client, book: Book, door: VisitDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visit_door, "WAITING_MAX", 0)
    assert (await client.get(PIXEL_PATH, headers=PERSON)).status == 503
    assert book.asked == []


@pytest.mark.parametrize(
    "headers",
    [
        {**PERSON, "User-Agent": "Barracuda Sentinel (EE)"},
        {**PERSON, "Sec-Purpose": "prefetch"},
        {**PERSON, "User-Agent": "GoogleMessages"},
    ],
)
async def test_a_machine_that_loads_the_pixel_is_no_visitor(
    client: Client, book: Book, door: VisitDoor, headers: dict[str, str]
) -> None:
    await client.get(PIXEL_PATH, headers=headers)
    await client.head(PIXEL_PATH, headers=PERSON)
    assert (book.asked, door.answered["machine"]) == ([], 2)


async def test_an_address_with_many_fields_is_of_no_click(client: Client, book: Book) -> None:
    book.answers = ["forged"]
    await client.get(f"{PIXEL_PATH}?{'&'.join(['cid=x'] * 100)}", headers=PERSON)
    assert book.asked == [""]


async def test_the_script_is_small_and_may_be_kept(client: Client, door: VisitDoor) -> None:
    answer = await client.get(SCRIPT_PATH, headers=PERSON)
    text = await answer.text()
    assert answer.content_type == "text/javascript"
    assert len(text.encode()) <= SCRIPT_OCTETS_MAX
    assert '"from_sms"' in text and "cookie" not in text and "Storage" not in text
    assert "public" in answer.headers[hdrs.CACHE_CONTROL]
    assert door.answered["script"] == 1


async def test_in_a_real_browser_the_script_tells_of_the_visit(client: Client, book: Book) -> None:
    async with chromium() as page:
        await page.is_a_person(PERSON["User-Agent"], "en-GB,en")
        await page.go(str(client.make_url("/?a=1&from_sms=clk_1%2Ba")))
        async with asyncio.timeout(PATIENCE_SECONDS):
            await book.heard.wait()
        assert book.asked == ["clk_1+a"]
        assert await page.value("window.smsgate.click") == "clk_1+a"
        assert (await page.call("Network.getCookies"))["cookies"] == []
        assert await page.value("localStorage.length + sessionStorage.length") == 0


async def test_a_page_that_is_loaded_again_asks_nobody(
    client: Client, book: Book, door: VisitDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visit_door, "REMEMBERED_MAX", 1)
    book.answers = ["recorded", "unknown", "recorded"]
    for text in ("a", "a", "b", "b", "a"):  # the third makes room by forgetting the first
        await client.get(f"{PIXEL_PATH}?cid={text}", headers=PERSON)
    assert book.asked == ["a", "b", "a"]
    assert (door.answered["recorded"], door.answered["unknown"]) == (3, 2)
