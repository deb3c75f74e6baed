"""The plan of an open loop: every message once, at its moment, in the share of batches asked."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.load.arrivals import requests


@given(st.floats(0.5, 5_000), st.floats(0.1, 20), st.floats(0, 1), st.integers(1, 1_000))
def test_every_message_is_planned_once_and_is_never_due_early(
    rate: float, seconds: float, share: float, size: int
) -> None:
    planned = list(requests(rate, seconds, batch_share=share, batch_size=size))
    at = 0
    for request in planned:
        assert request.first == at
        assert request.due == at / rate
        assert request.due <= seconds
        assert 1 <= request.size <= (size if request.batch else 1)
        at += request.size
    assert at == int(rate * seconds)
    in_batches = sum(request.size for request in planned if request.batch)
    assert in_batches <= share * max(at, size) + 1e-6
    assert in_batches >= share * at - size - 1e-6
