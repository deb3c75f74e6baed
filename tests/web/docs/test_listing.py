"""docs/endpoints.md lists what the API says of itself today."""

from __future__ import annotations

from pathlib import Path

from tests.web.served import running_api
from web.docs.listing import render
from web.edge.problems import KINDS

PAGE = Path(__file__).resolve().parents[3] / "docs" / "endpoints.md"


async def test_the_page_lists_every_endpoint_and_every_problem() -> None:
    async with running_api() as api:
        _, document = await api.get("/openapi.json")
    page = render(document)
    assert PAGE.read_text(encoding="utf-8") == page, "web/docs/listing.py says how to make it anew"
    for path, methods in document["paths"].items():  # type: ignore[attr-defined]
        for method in methods:
            assert f"| `{method.upper()} {path}` |" in page
    assert all(f"| `{code}` |" in page for code in KINDS)
