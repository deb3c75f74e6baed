"""docs/endpoints.md lists what the API says of itself today."""

from __future__ import annotations

from tests.web.docs.listing_page import PAGE, page
from web.edge.problems import KINDS


async def test_the_page_lists_every_endpoint_and_every_problem() -> None:
    """`python -m tests.web.docs.listing_page` makes it anew."""
    made = await page()
    assert PAGE.read_text(encoding="utf-8") == made
    assert "| `POST /v1/messages` |" in made
    assert all(f"| `{code}` |" in made for code in KINDS)
