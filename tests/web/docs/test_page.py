"""The pages for people: complete, whole without a network, and safe whatever the document says."""

from __future__ import annotations

import re

from tests.web.served import Api
from web.docs.page import docs_page


async def page_of(api: Api, path: str) -> str:
    async with api.session.get(api.url + path) as response:
        assert (response.status, response.content_type) == (200, "text/html")
        return await response.text()


async def test_every_operation_and_type_can_be_linked_to(api: Api) -> None:
    page = await page_of(api, "/docs")
    _, document = await api.get("/openapi.json")
    paths, components = document["paths"], document["components"]
    assert isinstance(paths, dict)
    assert isinstance(components, dict)
    for methods in paths.values():
        for operation in methods.values():
            assert f'id="{operation["operationId"]}"' in page
    for name in components["schemas"]:
        assert f'id="type-{name}"' in page
    anchors = set(re.findall(r'id="([^"]+)"', page))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= anchors


async def test_every_problem_named_has_its_line(api: Api) -> None:
    anchors = set(re.findall(r'id="([^"]+)"', await page_of(api, "/docs/problems")))
    named = set(re.findall(r'href="/docs/problems#([^"]+)"', await page_of(api, "/docs")))
    assert "number_invalid" in named
    assert named <= anchors


async def test_every_type_of_event_is_on_the_page(api: Api) -> None:
    page = await page_of(api, "/docs")
    _, document = await api.get("/openapi.json")
    told = document["webhooks"]
    assert isinstance(told, dict)
    assert "message.delivered" in told
    for name in told:
        assert f"<td><code>{name}</code></td>" in page


async def test_the_pages_fetch_nothing(api: Api) -> None:
    for path in ("/docs", "/docs/problems"):
        page = await page_of(api, path)
        page = re.sub(r"<pre>.*?</pre>", "", page, flags=re.DOTALL)  # examples are text
        assert not re.search(r"<(script|link|img|iframe)|@import|url\(|https?://(?!127)", page), (
            path
        )
        assert 'name="viewport"' in page


async def test_examples_are_calls_as_they_are_typed(api: Api) -> None:
    page = await page_of(api, "/docs")
    assert "curl -X POST &quot;$SMSGATE/v1/messages&quot;" in page
    assert "&quot;to&quot;: &quot;+8613812345678&quot;" in page


async def test_what_the_document_says_is_text_not_html(api: Api) -> None:
    _, document = await api.get("/openapi.json")
    paths = document["paths"]
    assert isinstance(paths, dict)
    paths["/healthz"]["get"]["summary"] = "<script>alert(1)</script>"
    assert "<script>" not in docs_page(document)
