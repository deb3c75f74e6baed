"""The session without its socket: two machines joined by nothing but bytes, time handed in."""

from __future__ import annotations

import struct

import pytest

from smpp import vocabulary
from smpp.events import MessageRequest, SubmitResponse
from smpp.inbox import PDUS_PER_REFILL, SILENCE_SECONDS
from smpp.pdu import (
    BindRequest,
    BindResp,
    DataSm,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
    Unknown,
    encode,
)
from smpp.session_machine import PDUS_PER_SLICE, SessionMachine
from smpp.session_states import EARLY_MAX, TRANSITIONS, Role, State, Step
from smpp.session_timers import TimerSettings
from tests.smpp.machines import (
    bound_esme,
    bound_smsc,
    contexts,
    esme,
    feed,
    sent,
    sequence_numbers,
    smsc,
    submits,
)

BINDS = {
    vocabulary.BIND_TRANSMITTER: State.BOUND_TX,
    vocabulary.BIND_RECEIVER: State.BOUND_RX,
    vocabulary.BIND_TRANSCEIVER: State.BOUND_TRX,
}


# --- binding -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("command", "state"), BINDS.items())
def test_two_machines_bind(command: int, state: State) -> None:
    client, server = esme(), smsc()
    client.start_bind(BindRequest(command_id=command, system_id=b"shop", password=b"secret"))
    assert server.receive(bytes(client.take_output()), 0.0).bound
    assert client.receive(bytes(server.take_output()), 0.0).bound
    assert client.state is server.state is state
    assert server.peer_bind is not None
    assert server.peer_bind.system_id == b"shop"
    assert (client.free_slots > 0) == (state is not State.BOUND_RX)
    assert (server.free_slots > 0) == (state is not State.BOUND_TX)


def test_a_refused_bind_closes_both_sides_with_the_status() -> None:
    client, server = esme(), smsc(lambda request: vocabulary.ESME_RINVPASWD)
    client.start_bind(BindRequest(system_id=b"shop"))
    server.receive(bytes(client.take_output()), 0.0)
    assert server.closing is not None
    client.receive(bytes(server.take_output()), 0.0)
    assert client.bind_status == vocabulary.ESME_RINVPASWD
    assert client.closing is not None
    assert client.closing.reason == "bind refused: ESME_RINVPASWD"


def test_a_generic_nack_refuses_a_bind() -> None:
    machine = esme()
    machine.start_bind(BindRequest())
    (request,) = sent(machine)
    feed(machine, GenericNack(request.sequence_number, vocabulary.ESME_RINVCMDID))
    assert machine.bind_status == vocabulary.ESME_RINVCMDID
    assert machine.state is State.CLOSED


def test_a_second_bind_is_answered_ralybnd_and_changes_nothing() -> None:
    machine = bound_smsc(vocabulary.BIND_TRANSMITTER)
    feed(machine, BindRequest(command_id=vocabulary.BIND_RECEIVER, sequence_number=9))
    (answer,) = sent(machine)
    assert isinstance(answer, BindResp)
    assert (answer.sequence_number, answer.command_status) == (9, vocabulary.ESME_RALYBND)
    assert machine.state is State.BOUND_TX


def test_e56_enquire_link_before_the_bind_is_answered() -> None:
    client, server = esme(), smsc()
    client.start_bind(BindRequest())
    sent(client)
    for machine in (client, server):
        feed(machine, EnquireLink(5))
        assert sent(machine) == [EnquireLinkResp(5)]
        assert machine.state is State.OPEN


@pytest.mark.parametrize("machine", [esme(), smsc()])
def test_nobody_bound_in_time_closes(machine: SessionMachine) -> None:
    assert machine.deadline() == 10.0
    machine.expire(9.9)
    assert machine.state is not State.CLOSED
    machine.expire(10.0)
    assert machine.closing is not None
    assert not machine.closing.graceful


# --- what each state allows ----------------------------------------------------------------------


def test_the_table_names_every_state_and_nothing_leaves_closed() -> None:
    assert set(TRANSITIONS) == set(State)
    assert not TRANSITIONS[State.CLOSED]
    for state, row in TRANSITIONS.items():
        assert state is State.CLOSED or row[Step.CLOSE] is State.CLOSED


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("command", [None, *BINDS])
@pytest.mark.parametrize("message", [SubmitSm(7), DeliverSm(7), DataSm(7)])
def test_an_smsc_takes_exactly_what_the_table_says_and_an_esme_all_that_is_for_it(
    role: Role, command: int | None, message: SubmitSm | DeliverSm | DataSm
) -> None:
    if command is None:
        machine = esme() if role is Role.ESME else smsc()
    else:
        machine = bound_esme(command) if role is Role.ESME else bound_smsc(command)
    if role is Role.ESME:
        refused = isinstance(message, SubmitSm)
        taken = not refused and machine.bound
    else:
        taken = Step.SUBMIT in TRANSITIONS[machine.state] and not isinstance(message, DeliverSm)
        refused = not taken
    batch = feed(machine, message)
    assert batch.requests == ([message] if taken else [])
    refusals = [getattr(answer, "command_status", None) for answer in sent(machine)]
    assert refusals == ([vocabulary.ESME_RINVBNDSTS] if refused else [])


@pytest.mark.parametrize("message", [DeliverSm(7), DataSm(7)])
def test_e97_a_message_on_a_transmitter_is_taken_and_counted(message: DeliverSm | DataSm) -> None:
    machine = bound_esme(vocabulary.BIND_TRANSMITTER)
    assert feed(machine, message, message).requests == [message, message]
    assert machine.unanswered == 2
    assert machine.counters.taken_on_transmitter == 2
    assert machine.counters.requests_refused == 0
    receiver = bound_esme(vocabulary.BIND_RECEIVER)
    assert feed(receiver, message).requests == [message]
    assert receiver.counters.taken_on_transmitter == 0


@pytest.mark.parametrize("command", BINDS)
def test_e97_what_comes_before_the_bind_resp_waits_for_it(command: int) -> None:
    machine = esme()
    machine.start_bind(BindRequest(command_id=command))
    (request,) = sent(machine)
    assert feed(machine, DeliverSm(1), DataSm(2)).requests == []
    response = BindResp(command | vocabulary.RESPONSE_BIT, request.sequence_number)
    batch = feed(machine, DeliverSm(3), response, DeliverSm(4))
    assert batch.bound
    assert sequence_numbers(batch.requests) == [1, 2, 3, 4]
    assert machine.unanswered == 4
    assert machine.counters.taken_before_bind == 3
    assert sent(machine) == []  # the user answers, once they are stored


def test_e97_what_comes_before_the_bind_resp_is_bounded_and_the_carrier_keeps_the_rest() -> None:
    machine = esme()
    machine.start_bind(BindRequest())
    (request,) = sent(machine)
    feed(machine, *(DeliverSm(number) for number in range(1, EARLY_MAX + 3)))
    late = [DeliverSmResp(EARLY_MAX + n, vocabulary.ESME_RX_T_APPN) for n in (1, 2)]
    assert sent(machine) == late
    batch = feed(machine, BindResp(sequence_number=request.sequence_number))
    assert sequence_numbers(batch.requests) == list(range(1, EARLY_MAX + 1))


def test_e97_a_refused_bind_leaves_what_came_before_it_with_the_carrier() -> None:
    machine = esme()
    machine.start_bind(BindRequest())
    (request,) = sent(machine)
    feed(machine, DeliverSm(1))
    refused = BindResp(sequence_number=request.sequence_number, command_status=0x0D)
    assert feed(machine, refused).requests == []
    assert sent(machine) == []


@pytest.mark.parametrize("command", BINDS)
@pytest.mark.parametrize("message", [DeliverSm(7), DataSm(7)])
def test_e97_while_unbinding_what_the_carrier_still_sends_is_taken(
    command: int, message: DeliverSm | DataSm
) -> None:
    """Ours sent and not yet answered, and the peer's, while answers of ours are outstanding."""
    ours = bound_esme(command)
    ours.start_unbind(2.0, 5.0)
    assert [type(pdu) for pdu in sent(ours)] == [Unbind]
    assert feed(ours, message, now=3.0).requests == [message]
    theirs = bound_esme(command)
    feed(theirs, DeliverSm(1), Unbind(2))
    assert feed(theirs, message, now=3.0).requests == [message]
    assert sent(theirs) == []
    theirs.answer([DeliverSmResp(1), DeliverSmResp(7)], 4.0)
    assert sent(theirs) == [DeliverSmResp(1), DeliverSmResp(7), UnbindResp(2)]


def test_nothing_is_submitted_unless_bound_to_send() -> None:
    for machine in (esme(), bound_esme(vocabulary.BIND_RECEIVER)):
        assert machine.submit(submits("a"), 0.0) == 0
        assert machine.connection_lost("gone") == []


def test_a_batch_is_one_piece_of_output() -> None:
    machine = bound_esme(window=3)
    assert machine.submit(submits("a", "b", "c", "d"), 1.0) == 3
    written = sent(machine)
    assert [type(pdu) for pdu in written] == [SubmitSm] * 3
    assert sequence_numbers(written) == [2, 3, 4]  # 1 was the bind
    assert machine.free_slots == 0


def test_a_pdu_that_cannot_be_encoded_takes_nothing() -> None:
    machine = bound_esme()
    bad: list[tuple[MessageRequest, object]] = [
        *submits("a"),
        (SubmitSm(0, short_message=b"x" * 255), "b"),
    ]
    with pytest.raises(ValueError, match="short_message"):
        machine.submit(bad, 1.0)
    assert machine.free_slots == 10
    assert machine.take_output() == b""


# --- answers -------------------------------------------------------------------------------------


def test_e32_duplicate_late_and_unknown_answers_are_counted_and_nothing_more() -> None:
    machine = bound_esme()
    machine.submit(submits("a", "b"), 1.0)
    first, second = sequence_numbers(sent(machine))
    batch = feed(
        machine,
        SubmitSmResp(first, 0, b"1"),
        SubmitSmResp(first, 0, b"1"),
        SubmitSmResp(777, 0, b"9"),
    )
    assert batch.responses == [SubmitResponse("a", 0, b"1")]
    assert machine.expire(61.0) == ["b"]
    late = feed(machine, SubmitSmResp(second, 0, b"2"), now=62.0)
    assert (late.responses, late.late) == ([], [SubmitResponse("b", 0, b"2")])
    again = feed(machine, SubmitSmResp(second, 0, b"2"), now=63.0)
    assert (again.responses, again.late) == ([], [])
    assert machine.counters.responses_unmatched == 4
    assert machine.state is not State.CLOSED


@pytest.mark.parametrize(
    "octets",
    [
        struct.pack(">IIII", 16, vocabulary.SUBMIT_SM_RESP, vocabulary.ESME_RTHROTTLED, 2),
        struct.pack(">IIII", 17, vocabulary.SUBMIT_SM_RESP, vocabulary.ESME_RTHROTTLED, 2) + b"\0",
    ],
)
def test_e62_an_error_answer_counts_with_and_without_a_body(octets: bytes) -> None:
    machine = bound_esme()
    machine.submit(submits("a"), 1.0)
    batch = machine.receive(octets, 2.0)
    assert batch.responses == [SubmitResponse("a", vocabulary.ESME_RTHROTTLED, b"")]


def test_e63_a_deliver_sm_resp_may_carry_a_message_id() -> None:
    machine = bound_smsc()
    machine.submit([(DeliverSm(0), "receipt")], 1.0)
    (request,) = sent(machine)
    batch = feed(machine, DeliverSmResp(request.sequence_number, 0, b"42"))
    assert batch.responses == [SubmitResponse("receipt", 0, b"42")]


def test_e66_a_generic_nack_fails_the_submit_that_it_names() -> None:
    machine = bound_esme()
    machine.submit(submits("a", "b"), 1.0)
    first, second = sequence_numbers(sent(machine))
    batch = feed(
        machine,
        GenericNack(0, vocabulary.ESME_RINVCMDLEN),
        GenericNack(first, vocabulary.ESME_RSYSERR),
        GenericNack(second, vocabulary.ESME_ROK),
    )
    assert batch.responses == [
        SubmitResponse("a", vocabulary.ESME_RSYSERR, b""),
        SubmitResponse("b", vocabulary.ESME_RUNKNOWNERR, b""),
    ]
    assert machine.counters.nacks_unmatched == 1
    assert machine.bound


def test_e67_answers_match_across_the_wrap_of_the_sequence_number() -> None:
    machine = bound_esme(last_sequence=vocabulary.SEQUENCE_NUMBER_MAX - 2)
    machine.submit(submits(*range(4)), 1.0)
    numbers = sequence_numbers(sent(machine))
    assert numbers == [vocabulary.SEQUENCE_NUMBER_MAX, 1, 2, 3]
    batch = feed(machine, *(SubmitSmResp(number, 0, b"%d" % number) for number in numbers))
    assert contexts(batch.responses) == [0, 1, 2, 3]


def test_e33_what_is_in_flight_when_the_link_dies_is_handed_over_whole() -> None:
    machine = bound_esme()
    machine.submit(submits(*range(6)), 1.0)
    numbers = sequence_numbers(sent(machine))
    feed(machine, SubmitSmResp(numbers[2], 0, b"x"))
    assert machine.connection_lost("reset") == [0, 1, 3, 4, 5]
    assert machine.state is State.CLOSED
    assert machine.submit(submits("late"), 2.0) == 0
    assert machine.connection_lost("again") == []


def test_the_first_answers_out_of_a_full_window_come_in_smaller_slices() -> None:
    machine = bound_esme(window=100)
    machine.submit(submits(*range(100)), 1.0)
    numbers = sequence_numbers(sent(machine))
    later = 1.0 + 2 * SILENCE_SECONDS
    first = feed(machine, *(SubmitSmResp(n, 0, b"x") for n in numbers), now=later)
    assert (len(first.responses), first.worked) == (PDUS_PER_REFILL, PDUS_PER_REFILL)
    machine.submit(submits(*range(PDUS_PER_REFILL)), 1.0)  # full again
    assert machine.receive(b"", later).worked == PDUS_PER_REFILL
    assert machine.receive(b"", later).worked == 100 - 2 * PDUS_PER_REFILL, (
        "it was not filled again"
    )
    assert not machine.has_more
    machine.submit(submits(*range(100)), later)
    numbers = sequence_numbers(sent(machine))[-100 + PDUS_PER_REFILL :]
    at_once = feed(machine, *(SubmitSmResp(n, 0, b"x") for n in numbers), now=later + 0.001)
    assert at_once.worked == 100 - PDUS_PER_REFILL, "near the carrier"


def test_e33_answers_that_were_read_before_the_end_are_answers() -> None:
    machine = bound_esme(window=501)
    machine.submit(submits(*range(500)), 1.0)
    numbers = sequence_numbers(sent(machine))
    answered = feed(machine, *(SubmitSmResp(n, 0, b"x") for n in numbers[:450]), Unbind(9))
    assert len(answered.responses) == PDUS_PER_SLICE
    machine.abandon("cut")
    while machine.has_more:
        answered.responses += machine.receive(b"", 2.0).responses
    assert contexts(answered.responses) == [*range(450)]
    assert machine.connection_lost("gone") == [*range(450, 500)]
    assert sent(machine) == []


# --- time ----------------------------------------------------------------------------------------


def test_requests_expire_batch_by_batch() -> None:
    machine = bound_esme()
    machine.submit(submits("a", "b"), 5.0)
    machine.submit(submits("c"), 6.0)
    machine.receive(encode(EnquireLinkResp(999)), 60.0)
    assert machine.deadline() == 65.0
    assert machine.expire(65.0) == ["a", "b"]
    assert machine.expire(66.0) == ["c"]
    assert machine.free_slots == 10


def test_e57_silence_is_asked_about_and_any_pdu_is_a_sign_of_life() -> None:
    machine = bound_esme()  # heard at 1.0
    assert machine.deadline() == 31.0
    machine.expire(31.0)
    assert [type(pdu) for pdu in sent(machine)] == [EnquireLink]
    feed(machine, DeliverSm(3), now=80.0)  # no enquire_link_resp, but alive
    assert machine.deadline() == 110.0
    machine.expire(110.0)
    assert [type(pdu) for pdu in sent(machine)] == [EnquireLink]
    machine.expire(169.9)
    assert machine.state is not State.CLOSED
    machine.expire(170.0)
    assert machine.closing is not None
    assert machine.closing.reason == "nothing heard for 90 s"
    assert not machine.closing.graceful


def test_e57_no_enquire_link_while_traffic_flows() -> None:
    machine = bound_esme()
    for second in range(2, 300):
        feed(machine, DeliverSm(second), now=float(second))
        machine.expire(float(second))
    assert machine.counters.enquire_links_sent == 0


def test_e58_an_enquire_link_resp_with_a_body_is_one() -> None:
    machine = bound_esme()
    machine.expire(31.0)
    (question,) = sent(machine)
    answer = Unknown(vocabulary.ENQUIRE_LINK_RESP, 0, question.sequence_number, b"\0surplus\0")
    feed(machine, answer, now=32.0)
    assert machine.deadline() == 62.0
    assert machine.state is not State.CLOSED
    assert sent(machine) == []


def test_an_unused_session_is_closed_by_the_smsc_that_wants_it() -> None:
    timers = TimerSettings(enquire_link_seconds=0, inactivity_seconds=100)
    machine = SessionMachine(Role.SMSC, timers, window=1, now=0.0, authenticate=lambda request: 0)
    feed(machine, BindRequest(), now=1.0)
    assert machine.deadline() == 101.0
    machine.expire(101.0)
    assert machine.closing is not None
    assert machine.closing.graceful


# --- unbinding -----------------------------------------------------------------------------------


def test_e55_an_unbind_from_the_peer_waits_for_the_window() -> None:
    machine = bound_esme()
    machine.submit(submits("a", "b"), 1.0)
    first, second = sequence_numbers(sent(machine))
    batch = feed(machine, SubmitSmResp(first, 0, b"1"), Unbind(50), DeliverSm(51), now=2.0)
    assert contexts(batch.responses) == ["a"]
    assert machine.state is State.UNBINDING
    assert machine.submit(submits("c"), 2.0) == 0
    assert sent(machine) == []
    assert contexts(feed(machine, SubmitSmResp(second, 0, b"2"), now=3.0).responses) == ["b"]
    assert sent(machine) == []  # the deliver_sm is still to be answered
    machine.answer([DeliverSmResp(51)], 3.0)
    assert sent(machine) == [DeliverSmResp(51), UnbindResp(50)]
    assert machine.closing is not None
    assert machine.closing.graceful
    assert machine.connection_lost("gone") == []


def test_e55_a_peer_that_never_answers_does_not_hold_the_unbind_up_for_ever() -> None:
    machine = bound_esme()
    machine.submit(submits("a"), 1.0)
    sent(machine)
    feed(machine, Unbind(50), now=2.0)
    assert machine.deadline() == 7.0
    assert machine.expire(7.0) == []
    assert sent(machine) == [UnbindResp(50)]
    assert machine.connection_lost("gone") == ["a"]


def test_our_unbind_drains_then_asks_then_closes() -> None:
    machine = bound_esme()
    machine.submit(submits("a"), 1.0)
    (number,) = sequence_numbers(sent(machine))
    machine.start_unbind(2.0, drain_seconds=20.0)
    assert machine.state is State.UNBINDING
    assert sent(machine) == []
    feed(machine, SubmitSmResp(number, 0, b"1"), now=3.0)
    (question,) = sent(machine)
    assert isinstance(question, Unbind)
    feed(machine, UnbindResp(question.sequence_number), now=4.0)
    assert machine.closing is not None
    assert machine.closing.reason == "unbound"


def test_unbinds_that_cross_close_both_sides() -> None:
    client, server = bound_esme(), bound_smsc()
    client.start_unbind(2.0, 1.0)
    server.start_unbind(2.0, 1.0)
    from_client, from_server = bytes(client.take_output()), bytes(server.take_output())
    client.receive(from_server, 3.0)
    server.receive(from_client, 3.0)
    assert client.state is server.state is State.CLOSED


def test_an_unbind_without_answer_ends_all_the_same() -> None:
    machine = bound_esme()
    machine.submit(submits("a"), 1.0)
    machine.start_unbind(2.0, drain_seconds=1.0)
    machine.expire(3.0)
    assert machine.deadline() == 8.0
    machine.expire(8.0)
    assert machine.closing is not None
    assert not machine.closing.graceful
    assert machine.connection_lost("gone") == ["a"]
