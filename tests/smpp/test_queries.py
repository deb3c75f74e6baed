"""query_sm in a session's window: matched to its answer, told apart from messages, over and done
with when the session is.
"""

from __future__ import annotations

import pytest

from smpp.events import QueryResponse
from smpp.pdu import (
    GenericNack,
    QuerySm,
    QuerySmResp,
    SubmitSmResp,
    Unbind,
    UnbindResp,
    encode,
)
from smpp.queries import Asked, apart
from smpp.session_machine import SessionMachine
from smpp.session_states import State
from smpp.vocabulary import ESME_RINVCMDID, ESME_RUNKNOWNERR, MessageState
from tests.smpp.machines import TIMERS, bound_esme, contexts, feed, sent, submits
from tests.smpp.recording import LOOPS, Handler, Listener, binding, run_on, serving
from tests.smpp.recording import submits as submit_sms


def asking(machine: SessionMachine, *asked: object, now: float = 1.0) -> list[QuerySm]:
    """Ask, between two messages in flight; returns what was written of it."""
    queries = [(QuerySm(0, b"A1"), Asked(context)) for context in asked]
    machine.submit([*submits("before"), *queries, *submits("after")], now)
    return [pdu for pdu in sent(machine) if isinstance(pdu, QuerySm)]


def test_an_answer_goes_to_its_query_and_not_to_a_message() -> None:
    machine = bound_esme(window=4)
    first, second = asking(machine, "first", "second")
    assert (len(machine.window), machine.free_slots) == (4, 0)
    batch = feed(
        machine,
        QuerySmResp(second.sequence_number, 0, b"A1", (), b"x", MessageState.DELIVERED, 7),
        SubmitSmResp(first.sequence_number - 1, 0, b"B1"),
        QuerySmResp(first.sequence_number, ESME_RINVCMDID),
    )
    assert batch.queried == [
        QueryResponse("second", 0, MessageState.DELIVERED, 7, b"x"),
        QueryResponse("first", ESME_RINVCMDID),
    ]
    assert contexts(batch.responses) == ["before"]
    assert machine.free_slots == 3
    again = feed(machine, QuerySmResp(second.sequence_number, 0, b"A1"))
    assert not again.queried
    assert machine.counters.responses_unmatched == 1


def test_a_nack_and_an_answer_of_another_kind_say_no_state() -> None:
    machine = bound_esme()
    first, second = asking(machine, "first", "second")
    batch = feed(
        machine, GenericNack(first.sequence_number, 0), SubmitSmResp(second.sequence_number, 0)
    )
    assert batch.queried == [
        QueryResponse("first", ESME_RUNKNOWNERR, nacked=True),
        QueryResponse("second", 0),
    ]
    assert not batch.responses


@pytest.mark.parametrize("lost", [False, True])
def test_what_is_never_answered_is_no_message_in_doubt(lost: bool) -> None:
    machine = bound_esme()
    asking(machine, "asked", now=1.0)
    if lost:
        left = machine.connection_lost("gone")
    else:
        left = machine.expire(1.0 + TIMERS.response_seconds)
    assert apart(left) == (["before", "after"], [QueryResponse("asked", None)])
    assert not len(machine.window)


def test_an_unbind_waits_for_the_answer_to_a_query() -> None:
    machine = bound_esme()
    machine.submit([(QuerySm(0, b"A1"), Asked("asked"))], 1.0)
    (query,) = sent(machine)
    machine.start_unbind(2.0, drain_seconds=5.0)
    assert sent(machine) == []
    assert feed(machine, QuerySmResp(query.sequence_number, 0, b"A1")).queried
    (unbind,) = sent(machine)
    assert isinstance(unbind, Unbind)
    machine.receive(encode(UnbindResp(unbind.sequence_number)), 3.0)
    assert machine.state is State.CLOSED


def test_a_bind_tells_its_listener_and_counts_messages_alone() -> None:
    """The server refuses what it does not serve; a session that is cut loses queries silently."""

    async def main() -> None:
        listener, handler = Listener(), Handler(answering=False)
        async with serving(handler) as server, binding(server.port, listener) as bind:
            assert bind.query([(QuerySm(0, b"A1"), "asked")]) == 1
            assert bind.in_flight == 1
            await listener.until(lambda: bool(listener.query_answers))
            assert listener.query_answers == [QueryResponse("asked", ESME_RINVCMDID)]
            assert bind.in_flight == 0
            assert listener.writable_times == 1
            bind.submit(submit_sms(1))
            bind.query([(QuerySm(0, b"A1"), "lost")])
            server.abort_sessions("cut")
            await listener.until(lambda: bool(listener.unbounds))
        assert [in_flight for _, in_flight in listener.unbounds] == [[0]]
        counters = bind.counters
        assert (counters.submitted, counters.answered, counters.in_flight_lost) == (1, 0, 1)

    run_on(next(iter(LOOPS)), main)
