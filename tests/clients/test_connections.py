"""Over real sockets: what is cut, refused, late or no answer at all, for both clients alike."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from smsgate_client import (
    AsyncClient,
    Client,
    NewConsent,
    NewMessage,
    NoAnswer,
    RetryPolicy,
    Status,
    Unavailable,
    UnexpectedAnswer,
)
from tests.clients.bad_server import CUT, SILENT, answer, bad_server

AT_ONCE = RetryPolicy(base_seconds=0)
ONCE = RetryPolicy(attempts=1)
SENT = {
    "id": "msg_1", "status": "accepted", "to": "+86138****5678", "from": "SHOP", "category": "otp",
    "parts": 1, "encoding": "gsm7", "text": "Hello", "colour": "of a later gateway",
}  # fmt: skip
BUSY = {"code": "overloaded", "detail": "try again", "status": 503}
SUPPRESSION = {
    "number": None, "number_unreadable": True, "category": "marketing", "every_account": False,
    "reason": "opted_out", "source": "api", "detail": None, "created_at": "2026-11-29T10:00:00Z",
    "expires_at": None,
}  # fmt: skip
HELLO = NewMessage("+8613812345678", "Hello 😀", category="otp", sender="SHOP")

Work = Callable[[Any], Any]
Do = Callable[..., Any]


def blocking(url: str, work: Work, **settings: Any) -> Any:
    with Client(url, "sk_1", **settings) as client:
        found = work(client)
        return found if hasattr(found, "__dataclass_fields__") else list(found)


def awaited(url: str, work: Work, **settings: Any) -> Any:
    async def run() -> Any:
        async with AsyncClient(url, "sk_1", **settings) as client:
            found = work(client)
            return await found if isinstance(found, Awaitable) else [each async for each in found]

    return asyncio.run(run())


@pytest.fixture(params=[blocking, awaited])
def do(request: pytest.FixtureRequest) -> Do:
    """Runs some work with one client and then with the other."""
    chosen: Do = request.param
    return chosen


def test_one_message_however_often_it_has_to_be_sent(do: Do) -> None:
    busy = answer(503, BUSY, "Retry-After: 0")
    with bad_server(busy, CUT, busy[:20], answer(202, SENT)) as server:
        sent = do(server.url, lambda client: client.messages.send(HELLO), retry=AT_ONCE)
    assert (sent.id, sent.status, sent.sender) == ("msg_1", Status.ACCEPTED, "SHOP")
    assert len(server.requests) == 4
    assert {each.line for each in server.requests} == {"POST /v1/messages HTTP/1.1"}
    assert len({each.fields["idempotency-key"] for each in server.requests}) == 1
    assert {each.body for each in server.requests} == {
        '{"to":"+8613812345678","text":"Hello 😀","from":"SHOP","category":"otp"}'.encode()
    }
    assert server.requests[0].fields["authorization"] == "Bearer sk_1"
    assert server.requests[0].fields["user-agent"].startswith("smsgate-client/")


def test_patience_ends_with_the_last_answer(do: Do) -> None:
    busy = answer(503, BUSY, "Retry-After: 0")
    with (
        bad_server(*[busy] * 5) as server,
        pytest.raises(Unavailable, match="503 overloaded: try again") as raised,
    ):
        do(server.url, lambda client: client.messages.send(HELLO), retry=AT_ONCE)
    assert (len(server.requests), raised.value.retry_after) == (5, 0)


def test_a_consent_whose_answer_is_lost_is_not_sent_again(do: Do) -> None:
    consent = NewConsent("+8613812345678", "granted", "form", at=datetime(2026, 11, 1, tzinfo=UTC))
    with bad_server(CUT, CUT) as server, pytest.raises(NoAnswer) as raised:
        do(server.url, lambda client: client.consents.record(consent), retry=AT_ONCE)
    assert raised.value.sent
    (request,) = server.requests
    assert b'"at":"2026-11-01T00:00:00Z"' in request.body


def test_where_nobody_listens_nothing_was_sent(do: Do) -> None:
    with bad_server() as server:
        pass
    with pytest.raises(NoAnswer, match=r"GET /v1/numbers/…") as raised:
        do(server.url, lambda client: client.numbers.get("+8613812345678"), retry=AT_ONCE)
    assert not raised.value.sent


def test_an_answer_that_does_not_come_ends_with_the_time_out(do: Do) -> None:
    with bad_server(SILENT) as server, pytest.raises(NoAnswer) as raised:
        do(server.url, lambda client: client.batches.get("bat_1"), retry=ONCE, timeout_seconds=0.1)
    assert raised.value.sent
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "strange",
    [
        answer(302, b"", "Location: http://127.0.0.1:1/"), answer(200, b"<html>"),
        answer(200, {"id": "msg_1"}), answer(200, [1]), answer(200, b""),
    ],
)  # fmt: skip
def test_what_is_no_answer_of_the_api_is_called_so(do: Do, strange: bytes) -> None:
    with bad_server(strange) as server, pytest.raises(UnexpectedAnswer):
        do(server.url, lambda client: client.messages.get("msg_1"), retry=AT_ONCE)


def test_a_list_is_asked_for_a_page_at_a_time(do: Do) -> None:
    first = {"data": [SUPPRESSION, SUPPRESSION], "next_cursor": "a+b/=="}
    last = {"data": [SUPPRESSION], "next_cursor": None}
    with bad_server(answer(200, first), CUT, answer(200, last)) as server:
        found = do(
            server.url,
            lambda client: client.suppressions.list(
                category="marketing", reveal=True, limit=2, reason="投诉 4711"
            ),
            retry=AT_ONCE,
        )
    assert [each.created_at for each in found] == [datetime(2026, 11, 29, 10, tzinfo=UTC)] * 3
    asked = [each.line.split()[1] for each in server.requests]
    start = "/v1/suppressions?category=marketing&reveal=true&limit=2"
    assert asked == [start, *[f"{start}&cursor=a%2Bb%2F%3D%3D"] * 2]
    reasons = [each.fields["x-reveal-reason"] for each in server.requests]
    assert reasons == ["投诉 4711"] * 3


def test_no_page_is_asked_for_before_it_is_needed() -> None:
    page = answer(200, {"data": [SUPPRESSION], "next_cursor": "next"})
    with bad_server(page, page) as server, Client(server.url, "sk_1", retry=ONCE) as client:
        found = client.suppressions.list()
        assert not server.requests
        next(found)
        assert len(server.requests) == 1
        next(found)
        assert len(server.requests) == 2


def test_an_id_cannot_lead_elsewhere(do: Do) -> None:
    gone = answer(404, {"code": "not_found", "detail": "no such message"})
    with bad_server(gone) as server, pytest.raises(Exception, match="not_found"):
        do(server.url, lambda client: client.messages.get("../admin?x=1#y"), retry=ONCE)
    assert server.requests[0].line == "GET /v1/messages/..%2Fadmin%3Fx%3D1%23y HTTP/1.1"


def test_a_time_without_a_zone_is_refused_before_anything_is_sent() -> None:
    message = NewMessage("+8613812345678", "Hello", send_at=datetime(2026, 11, 1))  # noqa: DTZ001
    with Client("http://127.0.0.1:1", "sk_1") as client, pytest.raises(ValueError, match="zone"):
        client.messages.send(message)


def test_a_word_that_a_later_gateway_adds_is_no_error() -> None:
    later = answer(202, {**SENT, "status": "parked", "category": "emergency"})
    with bad_server(later) as server, Client(server.url, "sk_1", retry=ONCE) as client:
        sent = client.messages.send(HELLO)
    assert (sent.status, sent.status.known) == ("parked", False)
    assert sent.status is not Status.HELD
    assert Status.HELD.known
    assert "parked" not in list(Status)


def test_what_an_earlier_gateway_does_not_say_is_none() -> None:
    earlier = {name: value for name, value in SUPPRESSION.items() if value is not None}
    page = answer(200, {"data": [earlier], "next_cursor": None})
    with bad_server(page) as server, Client(server.url, "sk_1", retry=ONCE) as client:
        (found,) = client.suppressions.list()
    assert (found.number, found.detail, found.expires_at) == (None, None, None)
