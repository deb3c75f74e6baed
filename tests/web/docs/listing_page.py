"""docs/endpoints.md, made from what the API says of itself:

    .venv/bin/python -m tests.web.docs.listing_page

Owns where it is asked and written. Must not say what stands on it (web/docs/listing.py).
"""

from __future__ import annotations

import asyncio

from tests.docs.shell import ROOT
from tests.web.served import running_api
from web.docs.listing import render

PAGE = ROOT / "docs" / "endpoints.md"


async def page() -> str:
    """As it has to be."""
    async with running_api() as api:
        _, document = await api.get("/openapi.json")
    return render(document)


if __name__ == "__main__":
    PAGE.write_text(asyncio.run(page()), encoding="utf-8")
