"""Request quotas: 429 with what is left, the fields of the draft, no cost where there are none."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.accept.shedding import SheddingAccepter
from messages.models import Prepared, Refused, Verdict
from ratelimit.spec import parse_rate, rate
from ratelimit.timetable import Timetable
from ratelimit.token_bucket import TokenBucket
from tests.web.served import Api, Memory, running_api
from web.edge.request_limits import RequestLimits

SECOND = 1_000_000_000
MESSAGE = {"to": "+8613812345678", "text": "hello"}


class Clock:
    """Nanoseconds that a test moves."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now


def limits(clock: Clock) -> RequestLimits:
    """Account 1: 2 requests a second, 2 at once. Account 2: 100 parts a second."""
    return RequestLimits(
        {1: parse_rate("2/s,burst=2")},
        {2: parse_rate("100/s")},
        parts_quota=Memory().quota,
        monotonic_ns=clock,
    )


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def limited(clock: Clock) -> AsyncIterator[Api]:
    async with running_api(limits=limits(clock)) as api:
        yield api


async def test_requests_above_the_rate_are_429_and_say_when(limited: Api, clock: Clock) -> None:
    left = []
    for _ in range(2):
        response, _ = await limited.post("/v1/messages", MESSAGE)
        assert response.status == 202
        assert response.headers["RateLimit-Policy"] == '"requests";q=2;w=1'
        left.append(response.headers["RateLimit"])
    assert left == ['"requests";r=1;t=1', '"requests";r=0;t=1']
    response, problem = await limited.post("/v1/messages/batch", {"messages": [MESSAGE]})
    assert (response.status, problem["code"]) == (429, "quota_exceeded")
    assert problem["type"] == "https://iana.org/assignments/http-problem-types#quota-exceeded"
    assert problem["violated-policies"] == ["requests"]
    assert response.headers["Retry-After"] == "1"
    assert response.headers["RateLimit"] == '"requests";r=0;t=1'
    clock.now += SECOND // 2
    response, _ = await limited.post("/v1/messages/preview", MESSAGE)
    assert response.status == 200


async def test_parts_are_described_and_not_refused(limited: Api) -> None:
    shop = limited.new_key(2, "messages:send")
    answers = [
        (await limited.post("/v1/messages", {**MESSAGE, "category": "otp"}, shop))[0]
        for _ in range(5)
    ]
    assert [each.status for each in answers] == [202] * 5
    response = answers[-1]
    assert response.headers["RateLimit-Policy"] == '"parts";q=100;w=1;qu="parts"'
    assert response.headers["RateLimit"] == '"parts";r=7;t=3'


async def test_what_does_not_send_is_not_counted(limited: Api) -> None:
    for _ in range(4):
        response, _ = await limited.get("/v1/connectors")
        assert response.status == 200
        assert "RateLimit" not in response.headers


async def test_without_limits_no_answer_names_any(api: Api) -> None:
    response, _ = await api.post("/v1/messages", MESSAGE)
    assert response.status == 202
    assert "RateLimit-Policy" not in response.headers


class Crowd(Memory):
    """An accepter whose lane has `waiting` messages."""

    waiting = 0


async def test_a_crowd_sheds_marketing_first_and_says_so() -> None:
    crowd = Crowd()
    accepter = SheddingAccepter(crowd, lambda: crowd.waiting, waiting_max=1000, above_percent=70)
    async with running_api(accepter=accepter) as api:
        crowd.waiting = 700
        response, problem = await api.post("/v1/messages", {**MESSAGE, "category": "marketing"})
        assert (response.status, problem["code"]) == (503, "overloaded")
        assert str(problem["type"]).endswith("#temporary-reduced-capacity")
        assert problem["violated-policies"] == ["waiting-marketing"]
        assert response.headers["RateLimit-Policy"] == '"waiting-marketing";q=700;qu="messages"'
        assert int(response.headers["Retry-After"]) >= 1
        messages = [{**MESSAGE, "category": each} for each in ("marketing", "otp", "marketing")]
        response, answer = await api.post("/v1/messages/batch", {"messages": messages})
        assert response.status == 202
        assert (answer["accepted"], answer["rejected"]) == (1, 2)
        items: Any = answer["items"]
        assert [item.get("error", {}).get("code") for item in items] == [
            "overloaded", None, "overloaded"
        ]  # fmt: skip
        assert len(crowd.stored) == 1
        assert {each.label: count for each, count in accepter.shed.items()} == {
            "marketing": 3, "service": 0, "transactional": 0
        }  # fmt: skip


@pytest.mark.parametrize(
    ("waiting", "refused"),
    [
        (699, []),
        (700, ["marketing"]),
        (799, ["marketing"]),
        (800, ["marketing", "service"]),
        (900, ["marketing", "service", "transactional"]),
        (1000, ["marketing", "service", "transactional"]),
    ],
)
async def test_the_fuller_the_lane_the_more_is_refused_and_never_otp(
    waiting: int, refused: Sequence[str]
) -> None:
    crowd = Crowd()
    crowd.waiting = waiting
    accepter = SheddingAccepter(crowd, lambda: crowd.waiting, waiting_max=1000, above_percent=70)
    labels = ["otp", "transactional", "service", "marketing"]
    items = [
        Prepared(1, category, 1, "+8613812345678", "", "x", (), (), 0, 1) for category in range(4)
    ]
    verdicts: list[Verdict | Refused] = await accepter.accept(items, batch_id=None)
    found = [
        label
        for label, verdict in zip(labels, verdicts, strict=True)
        if isinstance(verdict, Refused)
    ]
    assert sorted(found) == sorted(refused)


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, SECOND)), max_size=30))
def test_a_quota_is_whole_again_when_it_says(steps: list[tuple[int, int]]) -> None:
    spec = rate(7, 3, burst=5)
    bucket, timetable, now = TokenBucket(spec), Timetable(spec), 0
    for parts, pause in steps:
        now += pause
        bucket.take(parts, now)
        timetable.book(parts, timetable.earliest(parts, now), now)
    assert bucket.available(now + bucket.full_in(now)) == spec.burst
    left, whole_in = timetable.quota(now)
    assert 0 <= left <= spec.burst
    assert timetable.quota(now + whole_in)[0] == spec.burst
    if left:
        assert timetable.earliest(left, now) == now
