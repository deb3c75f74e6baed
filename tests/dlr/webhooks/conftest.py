"""The world of these tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.dlr.webhooks.world import Hooks, hooks_on


@pytest.fixture
async def hooks(database_url: str) -> AsyncIterator[Hooks]:
    async with hooks_on(database_url) as hooks:
        yield hooks
