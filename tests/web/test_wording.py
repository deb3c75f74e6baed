"""Details of refusals that are made of values which have a form of their own."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import make_mocked_request

from gateway.config.values import Size
from web.api.message_list import LABELS
from web.edge.bodies import BodyReader
from web.edge.problems import ProblemError


def test_each_status_is_named_once() -> None:
    names = LABELS.split(", ")
    assert len(names) == len(set(names))


async def test_a_body_that_is_too_large_is_told_the_bound_in_bytes() -> None:
    reader = BodyReader(body_bytes_max=Size.parse("2 MiB"), bytes_max=Size.parse("8 MiB"))
    head = {"Content-Type": "application/json", "Content-Length": str(3 << 20)}
    with pytest.raises(ProblemError) as refused:
        await reader.read(make_mocked_request("POST", "/v1/messages", headers=head))
    assert refused.value.detail == "the body has more than 2097152 bytes"
