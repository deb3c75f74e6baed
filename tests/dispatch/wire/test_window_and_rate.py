"""Every window with every rate, in simulated time: neither wastes what the other allows (E43)."""

from __future__ import annotations

import heapq
from itertools import pairwise

import pytest

from dispatch.queue.pace import Pace
from ratelimit.spec import parse_rate
from ratelimit.token_bucket import NANOSECONDS
from smpp.pdu import SubmitSm
from smpp.window import Window

SECONDS = 20
RESPONSE_TIMEOUT_SECONDS = 60.0


@pytest.mark.parametrize("round_trip_ms", [1, 20, 100])
@pytest.mark.parametrize("rate", [1, 30, 500, 2_000])
@pytest.mark.parametrize("window", [1, 10, 100, 1_000])
def test_e43_each_window_with_each_rate(window: int, rate: int, round_trip_ms: int) -> None:
    """As connector_dispatch writes: whenever there is room, at an answer or when pace says so."""
    spec = parse_rate(f"{rate}/s")
    pace, slots = Pace(spec, 0), Window(window)
    now, end = 0, SECONDS * NANOSECONDS
    answers: list[tuple[int, int]] = []  # (when, sequence number)
    written: list[int] = []
    turns = 0
    while now < end:
        turns += 1
        while answers and answers[0][0] <= now:
            assert slots.settle(heapq.heappop(answers)[1]) is not None
        room = min(slots.free, pace.available(now))
        admitted = slots.admit(
            [(SubmitSm(0), None) for _ in range(room)],
            now / NANOSECONDS + RESPONSE_TIMEOUT_SECONDS,
        )
        pace.take(len(admitted), now)
        for request in admitted:
            written.append(now)
            heapq.heappush(answers, (now + round_trip_ms * 1_000_000, request.sequence_number))
        assert len(slots) <= window
        assert not slots.expire(now / NANOSECONDS)  # a large window is no reason to time out
        waits = [answers[0][0] - now] if answers else []
        if slots.free:
            waits.append(max(pace.wait_ns(now), 100_000))
        now += min(waits)
    fastest = min(rate, window * 1000 / round_trip_ms)
    assert len(written) >= 0.95 * fastest * SECONDS - 1
    for first, last in pairwise([*range(0, len(written), spec.burst + rate), len(written) - 1]):
        assert (
            last - first <= spec.burst + rate * (written[last] - written[first]) / NANOSECONDS + 1
        )
    # Nobody spins: at most a turn for each answer and one for each tick of the pace.
    assert turns <= len(written) + 250 * SECONDS + 10
