"""The words of answers are listed where people and programs look for them."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from dlr.rates import FORMULAS
from dlr.status import STATUSES
from messages.words import CATEGORY_NAMES, REASON_NAMES, STATUS_NAMES
from storage.events import EventKind
from tests.web.served import Api
from web.meanings import EVENT_KINDS, render

PAGE = Path(__file__).parents[2] / "docs" / "meanings.md"


def test_o6_the_page_is_what_the_code_says() -> None:
    """python -m web.meanings > docs/meanings.md"""
    assert PAGE.read_text(encoding="utf-8") == render()


def test_o6_every_kind_of_event_that_is_stored_has_its_meaning() -> None:
    assert set(get_args(EventKind)) <= set(EVENT_KINDS)


def test_o6_a_rate_is_written_as_its_formula() -> None:
    page = render()
    assert "| `delivery_rate` | delivered / sent |" in page
    assert (
        "| `failure_rate` | (undelivered + expired + rejected + failed) /"
        " (accepted - suppressed - capped - canceled) |" in page
    )
    assert all(f"`{name}`" in page for name in FORMULAS)
    assert all(info.doc.endswith(".") for info in STATUSES.values())


async def test_o6_the_document_of_the_api_lists_the_words(api: Api) -> None:
    _, document = await api.get("/openapi.json")
    schemas = document["components"]["schemas"]
    message = schemas["MessageResource"]["properties"]
    assert message["status"]["enum"] == list(STATUS_NAMES)
    assert message["category"]["enum"] == list(CATEGORY_NAMES)
    [reason] = [each for each in message["reason"]["anyOf"] if each["type"] != "null"]
    assert reason["enum"] == list(REASON_NAMES)
