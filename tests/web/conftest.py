"""The running API that every test of this folder asks."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.web.edge import Api, running_api


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    """A server of its own, with empty memory."""
    async with running_api() as running:
        yield running
