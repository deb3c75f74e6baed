"""Our client against the simulator's faults: one by one, and the ready profile with all of them."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections import Counter
from typing import Any

import pytest

from smpp.client import Bind, BindState
from smpp.events import MessageRequest, SubmitResponse
from smpp.pdu import SubmitSm
from smpp.server import ServerSession
from smpp.simulator import Profile, Simulator, load_profile
from smpp.simulator.faults import Fault
from tests.smpp.recording import LOOPS, Listener, binding, eventually, run_on, submits
from tests.smpp.simulator.test_simulator import simulating

MESSAGES = 2500  # more than the faults of the profile need together, one session each
MEMORY_BYTES_MAX = 64 * 1024 * 1024


class Accountant(Listener):
    """Keeps the window full, and counts how often each context came back, and how."""

    def __init__(self, total: int) -> None:
        super().__init__()
        self.total = total
        self.put = 0
        self.ends: Counter[object] = Counter()
        self.kinds: Counter[str] = Counter()

    @property
    def done(self) -> bool:
        return self.put == self.total and len(self.ends) == self.total

    def _fill(self, bind: Bind) -> None:
        count = min(bind.free_slots, self.total - self.put, 100)
        batch: list[tuple[SubmitSm, object]] = [
            (
                SubmitSm(
                    0,
                    destination_addr=b"86138%08d" % (10_000_000 + number * 10 + 9),
                    registered_delivery=1,
                    short_message=b"hello",
                ),
                number,
            )
            for number in range(self.put, self.put + count)
        ]
        self.put += bind.submit(batch)

    def _count(self, kind: str, contexts: list[object]) -> None:
        self.ends.update(contexts)
        self.kinds[kind] += len(contexts)

    def bound(self, bind: Bind) -> None:
        super().bound(bind)
        self._fill(bind)

    def writable(self, bind: Bind) -> None:
        super().writable(bind)
        self._fill(bind)

    def responses(self, bind: Bind, responses: list[SubmitResponse]) -> None:
        self._count("answered", [response.context for response in responses])
        super().responses(bind, responses)

    def expired(self, bind: Bind, contexts: list[object]) -> None:
        self._count("expired", contexts)
        super().expired(bind, contexts)

    def unbound(self, bind: Bind, reason: str, in_flight: list[object]) -> None:
        self._count("handed over", in_flight)
        super().unbound(bind, reason, in_flight)


QUICK_CLIENT: dict[str, object] = {
    "window": 50,
    "response_timeout_seconds": 0.4,
    "enquire_link_seconds": 0.2,
    "reconnect_seconds_max": 0.02,
}


@pytest.mark.parametrize("loop_name", LOOPS)
def test_a_hostile_carrier_loses_nothing_of_ours(loop_name: str) -> None:
    """Every submit ends exactly once: answered, expired, or handed over with its session."""

    async def main() -> None:
        problems: list[object] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: problems.append(context))
        listener = Accountant(MESSAGES)
        simulator = Simulator(load_profile("hostile"), "127.0.0.1", 0)
        await simulator.start()
        try:
            async with binding(simulator.port, listener, QUICK_CLIENT) as bind:
                await listener.until(lambda: listener.done)
                assert bind.in_flight == 0
        finally:
            simulator.server.abort_sessions("the test is over")
            await simulator.stop()
        assert listener.ends == Counter(range(MESSAGES))
        assert listener.kinds.total() == MESSAGES
        assert all(listener.kinds[kind] for kind in ("answered", "expired", "handed over"))
        assert all(simulator.faults.struck.values()), "a fault of the profile never came up"
        assert simulator.counters.binds_refused == 2
        assert bind.session_counters.pdus_malformed > 0
        assert any(delivery.pdu.esm_class == 0 for delivery in listener.received)
        assert problems == []

    tracemalloc.start()
    try:
        run_on(loop_name, main)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < MEMORY_BYTES_MAX


# --- one by one ----------------------------------------------------------------------------------


async def test_a_session_is_cut_after_so_many_submits() -> None:
    listener = Listener()
    async with (
        simulating(disconnect_after_submits=30) as carrier,
        binding(carrier.port, listener) as bind,
    ):
        bind.submit(submits(50))
        await listener.until(lambda: len(listener.unbounds) == 1)
        assert listener.unbounds[0][1] == list(range(50))
        await listener.until(lambda: listener.bound_times == 2)
        assert carrier.faults.struck[Fault.DISCONNECT] == 1


async def test_an_unbind_comes_with_the_window_full_and_answers_follow() -> None:
    listener = Listener()
    fields: dict[str, Any] = {"unbind_after_submits": 20, "answer_latency_ms": 20.0}
    async with simulating(**fields) as carrier, binding(carrier.port, listener) as bind:
        bind.submit(submits(20))
        await listener.until(lambda: len(listener.unbounds) == 1)
        assert listener.unbounds == [("unbound by the peer", [])]
        assert len(listener.answers) == 20


async def test_a_half_open_session_says_nothing_and_stays() -> None:
    listener = Listener()
    quick = {"enquire_link_seconds": 0.05, "response_timeout_seconds": 0.1}
    async with (
        simulating(half_open_after_submits=5) as carrier,
        binding(carrier.port, listener, quick) as bind,
    ):
        bind.submit(submits(5))
        await listener.until(lambda: len(listener.unbounds) == 1)
        assert listener.unbounds[0][0].startswith("nothing heard for")
        assert listener.answers == []
        assert len(listener.expirations) + len(listener.unbounds[0][1]) == 5


async def test_a_session_stops_reading_and_goes_on_later() -> None:
    listener = Listener()
    fields: dict[str, Any] = {"stop_reading_after_submits": 5, "stop_reading_seconds": 0.2}
    async with simulating(**fields) as carrier, binding(carrier.port, listener) as bind:
        bind.submit(submits(5))
        await listener.until(lambda: len(listener.answers) == 5)
        bind.submit(submits(7))
        (session,) = carrier.server.sessions
        assert session.protocol._reading_paused
        assert len(listener.answers) == 5
        await listener.until(lambda: len(listener.answers) == 12)


async def test_faults_take_turns() -> None:
    listener = Listener()
    fields: dict[str, Any] = {"disconnect_after_submits": 1, "unbind_after_submits": 1}
    async with simulating(**fields) as carrier, binding(carrier.port, listener) as bind:
        for ended in range(1, 5):
            await listener.until(lambda n=ended: listener.bound_times == n)  # type: ignore[misc]
            bind.submit(submits(1))
            await listener.until(lambda n=ended: len(listener.unbounds) == n)  # type: ignore[misc]
        reasons = [reason for reason, _ in listener.unbounds]
        assert reasons[1] == reasons[3] == "unbound by the peer"
        assert reasons[0] == reasons[2] != reasons[1]


@pytest.mark.parametrize("loop_name", LOOPS)
def test_one_byte_a_write_is_read_all_the_same(loop_name: str) -> None:
    async def main() -> None:
        listener = Listener()
        async with (
            simulating(one_byte_writes=True) as carrier,
            binding(carrier.port, listener) as bind,
        ):
            bind.submit(submits(100))
            await listener.until(lambda: len(listener.answers) == 100)

    run_on(loop_name, main)


async def test_malformed_pdus_end_no_session() -> None:
    listener = Listener()
    async with (
        simulating(malformed_share=1.0) as carrier,
        binding(carrier.port, listener) as bind,
    ):
        for _ in range(60):
            bind.submit(submits(1))
            await listener.until(lambda: bind.in_flight == 0)
        assert bind.state is BindState.BOUND
        assert len(listener.answers) == 60
        assert listener.unbounds == []
        assert bind.session_counters.pdus_malformed > 10


async def test_binds_are_refused_so_often_and_then_accepted() -> None:
    listener = Listener()
    async with (
        simulating(binds_refused=3) as carrier,
        binding(carrier.port, listener) as bind,
    ):
        assert bind.counters.attempts == 4
        assert carrier.counters.binds_refused == 3


async def test_lost_answers_expire() -> None:
    listener = Listener()
    quick = {"response_timeout_seconds": 0.1}
    async with (
        simulating(answers_lost_share=1.0) as carrier,
        binding(carrier.port, listener, quick) as bind,
    ):
        bind.submit(submits(10))
        await listener.until(lambda: len(listener.expirations) == 10)
        assert carrier.counters.answers_lost == 10


class Starver(Simulator):
    """Cuts every session at its first submit, for ever."""

    def submits(self, session: ServerSession, submits: list[MessageRequest]) -> None:
        session.protocol.abort("no")


async def test_a_carrier_that_answers_nothing_ever_hands_everything_over() -> None:
    listener = Accountant(300)
    simulator = Starver(Profile(), "127.0.0.1", 0)
    await simulator.start()
    try:
        async with binding(simulator.port, listener, QUICK_CLIENT):
            await listener.until(lambda: listener.done)
    finally:
        simulator.server.abort_sessions("the test is over")
        await simulator.stop()
    assert listener.kinds == {"handed over": 300}
    await eventually(lambda: simulator.held == 0)
