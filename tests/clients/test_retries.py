"""When a request is sent again: never one that may be carried out twice, never without an end."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsgate_client import (
    ApiError,
    Callback,
    Conflict,
    Forbidden,
    InvalidRequest,
    NewConsent,
    NewMessage,
    NoAnswer,
    NotFound,
    RateLimited,
    RetryPolicy,
    Unauthorized,
    Unavailable,
    UnexpectedAnswer,
    calls,
)
from smsgate_client.exchange import Done, Exchange, Wait
from smsgate_client.retries import retry_after

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
SEND = calls.send(NewMessage("+8613812345678", "Hello"), None)
RECORD = calls.consent(NewConsent("+8613812345678", "granted", "form"), None)

chances = st.floats(0, 1)


def exchange(call: Any = SEND, **policy: Any) -> Exchange[Any]:
    return Exchange(call, RetryPolicy(**policy))


def answer(
    tried: Exchange[Any], status: int, code: str = "", *, after: str | None = None,
    chance: float = 1.0,
) -> Any:  # fmt: skip
    tried.headers()
    body = json.dumps({"code": code, "detail": "because"}).encode()
    given = {} if after is None else {"Retry-After": after}
    return tried.answered(status, given, body, now=NOW, chance=chance)


@given(st.integers(1, 12), chances, st.none() | st.floats(0, 60))
def test_waits_are_bounded_and_so_are_attempts(
    attempts: int, chance: float, asked: float | None
) -> None:
    policy = RetryPolicy(attempts=attempts)
    waits = [policy.wait(attempt, asked, chance) for attempt in range(1, attempts + 1)]
    assert waits.pop() is None
    for number, wait in enumerate(waits):
        assert wait is not None
        span = min(policy.longest_seconds, policy.base_seconds * 2**number)
        assert (asked or 0) <= wait <= (asked or 0) + span


def test_chance_spreads_the_waits_over_the_whole_span() -> None:
    policy = RetryPolicy()
    assert policy.wait(3, None, 0.0) == 0
    assert policy.wait(3, None, 0.5) == policy.base_seconds * 2
    assert policy.wait(3, 7.0, 0.5) == 7 + policy.base_seconds * 2


def test_a_retry_after_beyond_patience_ends_it() -> None:
    assert RetryPolicy().wait(1, 60.0, 0.0) == 60
    assert RetryPolicy().wait(1, 61.0, 0.0) is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0), ("17", 17), (" 5 ", 5), ("Sun, 29 Nov 2026 12:00:30 GMT", 30),
        ("Sun, 29 Nov 2026 11:00:00 GMT", 0), ("soon", None), ("-3", None), ("1.5", None),
        ("", None), (None, None), ("٣", None), ("9" * 400, float("inf")),
    ],
)  # fmt: skip
def test_a_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, NOW) == seconds


@pytest.mark.parametrize("call", [SEND, RECORD])
@pytest.mark.parametrize(
    ("status", "code"),
    [(429, "quota_exceeded"), (503, "overloaded"), (409, "idempotency_in_progress")],
)
def test_what_was_certainly_not_done_is_sent_again(call: Any, status: int, code: str) -> None:
    tried = exchange(call, attempts=3, base_seconds=1)
    assert [answer(tried, status, code, after="2"), answer(tried, status, code)] == [
        Wait(3.0), Wait(2.0),
    ]  # fmt: skip
    with pytest.raises(ApiError) as raised:
        answer(tried, status, code, after="9")
    assert (raised.value.status, raised.value.code) == (status, code)
    assert raised.value.retry_after == 9


def test_what_nobody_knows_is_sent_again_only_if_that_does_no_harm() -> None:
    for status in (502, 504):
        assert isinstance(answer(exchange(SEND), status), Wait)
        with pytest.raises(Unavailable):
            answer(exchange(RECORD), status)
    lost = ConnectionResetError("cut")
    for call, sent in ((SEND, True), (SEND, False), (RECORD, False)):
        assert isinstance(begun(call).broke(lost, sent=sent, chance=1.0), Wait)
    with pytest.raises(NoAnswer, match="POST /v1/consents: cut") as raised:
        begun(RECORD).broke(lost, sent=True, chance=1.0)
    assert raised.value.sent


def begun(call: Any) -> Exchange[Any]:
    tried = exchange(call)
    tried.headers()
    return tried


def test_the_last_attempt_that_breaks_says_so() -> None:
    tried = exchange(attempts=1)
    tried.headers()
    with pytest.raises(NoAnswer) as raised:
        tried.broke(ConnectionRefusedError("refused"), sent=False, chance=0.0)
    assert not raised.value.sent


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "malformed_json", InvalidRequest), (401, "key_unknown", Unauthorized),
        (403, "scope_missing", Forbidden), (404, "not_found", NotFound),
        (409, "not_cancelable", Conflict), (413, "body_too_large", InvalidRequest),
        (422, "number_invalid", InvalidRequest), (429, "quota_exceeded", RateLimited),
        (500, "internal", Unavailable), (503, "report_too_slow", Unavailable),
    ],
)  # fmt: skip
def test_a_refusal_that_stands_is_raised_at_once(
    status: int, code: str, kind: type[ApiError]
) -> None:
    with pytest.raises(kind, match=f"{status} {code}: because") as raised:
        answer(exchange(attempts=1 if status == 429 else 5), status, code)
    assert type(raised.value) is kind


def test_each_mistake_is_named_with_its_place() -> None:
    tried = exchange()
    tried.headers()
    body = {
        "type": "/docs/problems#field_type", "title": "Wrong type", "status": 422,
        "detail": "2 faults", "instance": "/v1/messages", "code": "field_type",
        "request_id": "req-1", "errors_omitted": 4,
        "errors": [{"code": "field_type", "detail": "a text belongs there", "pointer": "/text"},
                   {"code": "parameter_invalid", "detail": "is no time", "parameter": "since"}],
    }  # fmt: skip
    with pytest.raises(InvalidRequest) as raised:
        tried.answered(422, {}, json.dumps(body).encode(), now=NOW, chance=0.0)
    error = raised.value
    assert [(each.pointer, each.parameter) for each in error.errors] == [
        ("/text", None), (None, "since"),
    ]  # fmt: skip
    assert (error.request_id, error.errors_omitted) == ("req-1", 4)
    assert str(error) == ("422 field_type: 2 faults; /text a text belongs there; since is no time")


@given(st.integers(100, 599), st.binary(max_size=60) | st.sampled_from([
    b"[]", b'{"errors":[1]}', b'{"code":7,"errors":{"a":1}}', b'{"id":1}', b"<html>",
]))  # fmt: skip
def test_any_answer_at_all_is_a_value_a_wait_or_an_error_of_ours(status: int, body: bytes) -> None:
    tried = begun(SEND)
    try:
        outcome = tried.answered(status, {}, body, now=NOW, chance=0.5)
    except (ApiError, UnexpectedAnswer):
        return
    assert isinstance(outcome, Wait | Done)


def test_every_attempt_is_the_same_request() -> None:
    tried = exchange()
    first, second = tried.headers(), tried.headers()
    assert first == second
    assert first["Idempotency-Key"] == SEND.idempotency_key
    again = calls.send(NewMessage("+8613812345678", "Hello"), None)
    assert SEND.idempotency_key != again.idempotency_key
    assert calls.send(NewMessage("+86138", "x"), "mine").idempotency_key == "mine"


@pytest.mark.parametrize("wrong", [{"attempts": 0}, {"base_seconds": -1}, {"longest_seconds": 0}])
def test_a_policy_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"attempts|base_seconds"):
        RetryPolicy(**wrong)


def test_what_is_not_given_is_not_sent_but_what_is_inside_data_is() -> None:
    callback = Callback(url="https://app.example/hooks", data={"order": None, "tags": ("a", "b")})
    call = calls.send(NewMessage("+8613812345678", "Hello", callback=callback), "k")
    assert json.loads(call.body or b"") == {
        "to": "+8613812345678", "text": "Hello",
        "callback": {
            "url": "https://app.example/hooks", "data": {"order": None, "tags": ["a", "b"]},
        },
    }  # fmt: skip
