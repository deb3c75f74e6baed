"""The description is made once, when somebody asks, and not on the loop."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request

from web.docs import api
from web.docs.api import DocumentationApi
from web.docs.openapi import document


async def test_it_is_made_once_elsewhere_although_the_first_who_asks_hangs_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    makers: list[threading.Thread] = []

    def noting(*arguments: Any, **named: Any) -> dict[str, Any]:
        makers.append(threading.current_thread())
        return document(*arguments, **named)

    monkeypatch.setattr(api, "document", noting)
    documentation = DocumentationApi([])
    assert makers == []
    first = asyncio.create_task(documentation.openapi(make_mocked_request("GET", "/openapi.json")))
    await asyncio.sleep(0)
    first.cancel()
    asked = [documentation.docs(make_mocked_request("GET", "/docs")) for _ in range(2)]
    one, other = await asyncio.gather(*asked)
    assert first.cancelled()
    assert one.text == other.text
    assert len(makers) == 1
    assert makers[0] is not threading.main_thread()
