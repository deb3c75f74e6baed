"""The running gateway keeps to its own OpenAPI document, whatever is asked of it.

Schemathesis makes requests from the document, right ones and wrong ones, and holds the answers
against it: status, content type, body, no 5xx. Few examples and a fixed seed, so that it takes
seconds; `schemathesis run URL/openapi.json` does the same at any length.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.integration.running import create_key, gateway, simulator, write_config
from web.edge.scopes import SCOPES

EXAMPLES = 4
SEED = 20_261_126
# Not positive_data_acceptance: no schema can say that a number has no plan or no route, or that
# `since` lies behind `until`. Such requests are 422 with a code that the document names.
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]


# Of these a bad item is told in the answer, and the good ones beside it are taken.
ITEM_BY_ITEM = {
    "POST /v1/messages/batch", "POST /v1/messages/preview", "POST /v1/suppressions",
    "POST /v1/links/bulk", "POST /v1/conversions/batch", "POST /v1/events",
}  # fmt: skip


def hold_to_it(api: str, authorization: str) -> list[str]:
    """Asks every operation; returns `METHOD path` of those that were asked."""
    schema: Any = schemathesis.openapi.from_url(f"{api}/openapi.json")
    asked: list[str] = []
    for result in schema.get_all_operations():
        operation = result.ok()
        ask(operation, GenerationMode.POSITIVE, authorization)
        with contextlib.suppress(Unsatisfiable):  # an operation that takes nothing has no wrong way
            ask(operation, GenerationMode.NEGATIVE, authorization)
        asked.append(operation.label)
    return asked


def ask(operation: Any, mode: GenerationMode, authorization: str) -> None:
    partly = operation.label in ITEM_BY_ITEM
    checks = [each for each in CHECKS if not partly or each is not negative_data_rejection]

    @seed(SEED)
    @settings(
        max_examples=EXAMPLES,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def one(case: Any) -> None:
        case.call_and_validate(headers={"Authorization": authorization}, checks=checks)

    one()


@pytest.mark.timeout(120)
async def test_every_answer_is_in_the_document(tmp_path: Path, database_url: str) -> None:
    async with (
        simulator(tmp_path) as carrier,
        gateway(write_config(tmp_path, database_url, carrier.port)) as running,
    ):
        key = await create_key(running.config, "contract", "--scopes", *SCOPES)
        asked = await asyncio.to_thread(hold_to_it, running.api, f"Bearer {key}")
        assert "POST /v1/messages" in asked
        assert set(asked) >= ITEM_BY_ITEM
        log = running.log()
        assert "request failed" not in log
