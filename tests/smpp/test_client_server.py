"""Our client against our server, and against raw sockets that misbehave, on the loopback."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import threading
import time

import pytest
from structlog.testing import capture_logs

from smpp import vocabulary
from smpp.bind_pool import BindPool
from smpp.bind_settings import BindSettings
from smpp.client import Bind, BindState
from smpp.events import SubmitResponse
from smpp.pdu import BindRequest, DeliverSm, SubmitSm, SubmitSmResp, encode
from smpp.server import ServerSettings
from smpp.session_protocol import WRITE_BUFFER_BYTES_HIGH
from smpp.session_timers import TimerSettings
from tests.smpp.recording import (
    LOOPS,
    WAIT_SECONDS,
    Handler,
    Listener,
    PduReader,
    RawCarrier,
    binding,
    eventually,
    run_on,
    serving,
    submits,
)


def said(bind: Bind) -> str:
    return bind.last_error or ""


on_both_loops = pytest.mark.parametrize("loop_name", LOOPS)


@on_both_loops
def test_messages_and_receipts_go_both_ways(loop_name: str) -> None:
    async def main() -> None:
        listener, handler = Listener(), Handler()
        async with serving(handler) as server, binding(server.port, listener) as bind:
            assert bind.free_slots == 100
            assert bind.submit(submits(150)) == 100
            await listener.until(lambda: len(listener.answers) == 100)
            assert [answer.context for answer in listener.answers] == list(range(100))
            assert bind.free_slots == 100
            assert listener.writable_times > 0
            session = handler.session
            assert session is not None
            receipts = [(DeliverSm(0, short_message=b"id:%d" % n), n) for n in range(50)]
            assert session.deliver(receipts) == 50
            await handler.until(lambda: len(handler.answers) == 50)
            assert {answer.command_status for answer in handler.answers} == {0}
            assert [answer.context for answer in handler.answers] == list(range(50))
        assert bind.counters.submitted == bind.counters.answered == 100
        assert bind.counters.deliveries == bind.counters.acknowledged == 50

    run_on(loop_name, main)


async def test_both_ends_send_without_delay() -> None:
    listener, handler = Listener(), Handler()
    async with serving(handler) as server, binding(server.port, listener) as bind:
        assert bind._session is not None
        assert handler.session is not None
        for protocol in (bind._session, handler.session.protocol):
            assert protocol._transport is not None
            sock = protocol._transport.get_extra_info("socket")
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_one_read_reaches_the_listener_in_slices() -> None:
    listener, handler = Listener(), Handler()
    settings = ServerSettings(window=3000)
    async with serving(handler, settings) as server, binding(server.port, listener):
        assert handler.session is not None
        assert handler.session.deliver([(DeliverSm(0), n) for n in range(3000)]) == 3000
        await handler.until(lambda: len(handler.answers) == 3000)
    assert max(listener.sizes) <= 200
    numbers = [delivery.pdu.sequence_number for delivery in listener.received]
    assert numbers == sorted(numbers)
    assert len(numbers) == 3000


# --- E31: an answer that has arrived is never taken for a missing one ----------------------------


@on_both_loops
def test_e31_a_stalled_loop_reads_before_it_expires(loop_name: str) -> None:
    """5000 answers come while our loop stands still for twice the response timeout: more than one
    read, and more than a socket buffer holds."""
    count = 5000
    timeout_seconds = 0.5
    # All is encoded beforehand: the carrier's thread must need next to no time of its own.
    octets_sent = count * len(encode(submits(1)[0][0]))
    answers = b"".join(encode(SubmitSmResp(n, 0, b"9" * 64)) for n in range(2, count + 2))

    def script(connection: socket.socket, reader: PduReader) -> None:
        octets_left = octets_sent
        while octets_left:
            octets_left -= len(connection.recv(octets_left))
        sending.set()
        connection.sendall(answers)
        reader.next()  # stays until the client hangs up

    async def main() -> None:
        listener = Listener()
        options = {"window": count, "response_timeout_seconds": timeout_seconds}
        async with binding(carrier.port, listener, options) as bind:
            assert bind.submit(submits(count)) == count
            await eventually(sending.is_set)
            time.sleep(2 * timeout_seconds)  # noqa: ASYNC251  # the stall is what is tested
            await listener.until(lambda: len(listener.answers) + len(listener.expirations) == count)
        assert listener.expirations == []

    sending = threading.Event()
    with RawCarrier(script) as carrier:
        run_on(loop_name, main)


async def test_e31_paused_reading_does_not_turn_answers_into_expiries() -> None:
    listener, handler = Listener(), Handler(answering=False)
    options = {"response_timeout_seconds": 0.05}
    async with serving(handler) as server, binding(server.port, listener, options) as bind:
        bind.submit(submits(3))
        await handler.until(lambda: len(handler.received) == 3)
        bind.pause_reading()
        assert handler.session is not None
        handler.answer(handler.session, handler.received)
        session = bind._session
        assert session is not None
        await eventually(lambda: session._expiry is not None)  # due, and waiting for the reader
        assert listener.expirations == []
        bind.resume_reading()
        await listener.until(lambda: len(listener.answers) == 3)
        assert listener.expirations == []


async def test_without_an_answer_requests_expire_and_their_slots_come_back() -> None:
    listener, handler = Listener(), Handler(answering=False)
    options = {"response_timeout_seconds": 0.05, "window": 3}
    async with serving(handler) as server, binding(server.port, listener, options) as bind:
        bind.submit(submits(3))
        assert bind.free_slots == 0
        await listener.until(lambda: listener.expirations == [0, 1, 2])
        assert bind.free_slots == 3
        assert bind.state is BindState.BOUND
        assert handler.session is not None
        handler.answer(handler.session, handler.received)  # E32: too late, counted, harmless
        handler.answering = True
        bind.submit(submits(1))
        await listener.until(lambda: len(listener.answers) == 1)
        assert bind.session_counters.responses_unmatched == 3


# --- the end of a session ------------------------------------------------------------------------


@on_both_loops
def test_e33_a_lost_link_hands_over_the_whole_window(loop_name: str) -> None:
    async def main() -> None:
        listener, handler = Listener(), Handler(answering=False)
        async with serving(handler) as server, binding(server.port, listener) as bind:
            bind.submit(submits(80))
            await handler.until(lambda: len(handler.received) == 80)
            assert handler.session is not None
            handler.answer(handler.session, handler.received[:30])
            await listener.until(lambda: len(listener.answers) == 30)
            server.abort_sessions("pulled")
            await listener.until(lambda: len(listener.unbounds) == 1)
            assert listener.unbounds[0][1] == list(range(30, 80))
            await listener.until(lambda: listener.bound_times == 2)
            assert bind.free_slots == 100

    run_on(loop_name, main)


async def test_e33_answers_that_were_read_count_although_the_link_is_gone() -> None:
    """The carrier answers 1000 submits and closes at once: slices are left when the end is seen."""

    def script(connection: socket.socket, reader: PduReader) -> None:
        numbers = [getattr(reader.next(), "sequence_number", 0) for _ in range(1000)]
        connection.sendall(b"".join(encode(SubmitSmResp(n, 0, b"id")) for n in numbers))

    listener = Listener()
    with RawCarrier(script) as carrier:
        async with binding(carrier.port, listener, {"window": 1000}) as bind:
            assert bind.submit(submits(1000)) == 1000
            await listener.until(lambda: len(listener.unbounds) == 1)
    assert len(listener.answers) == 1000
    assert listener.unbounds[0][1] == []


async def test_e33_cutting_a_link_between_two_slices_keeps_the_answers() -> None:
    class Cutter(Listener):
        def responses(self, bind: Bind, responses: list[SubmitResponse]) -> None:
            super().responses(bind, responses)
            assert bind._session is not None
            bind._session.abort("cut after the first slice")

    def script(connection: socket.socket, reader: PduReader) -> None:
        numbers = [getattr(reader.next(), "sequence_number", 0) for _ in range(1000)]
        connection.sendall(b"".join(encode(SubmitSmResp(n, 0, b"id")) for n in numbers))
        reader.next()

    listener = Cutter()
    with RawCarrier(script) as carrier:
        async with binding(carrier.port, listener, {"window": 1000}) as bind:
            assert bind.submit(submits(1000)) == 1000
            await listener.until(lambda: len(listener.unbounds) == 1)
    contexts = [answer.context for answer in listener.answers] + listener.unbounds[0][1]
    assert contexts == list(range(1000))
    assert len(listener.answers) > 200


async def test_e55_the_carrier_unbinds_with_a_full_window() -> None:
    listener, handler = Listener(), Handler(answering=False)
    async with serving(handler) as server, binding(server.port, listener) as bind:
        bind.submit(submits(50))
        await handler.until(lambda: len(handler.received) == 50)
        stopping = asyncio.ensure_future(server.stop(drain_seconds=5.0))
        await asyncio.sleep(0)
        assert handler.session is not None
        handler.answer(handler.session, handler.received)
        await stopping
        await listener.until(lambda: len(listener.unbounds) == 1)
        assert len(listener.answers) == 50
        assert listener.unbounds[0][1] == []
        async with serving(Handler(), port=server.port):
            await listener.until(lambda: listener.bound_times == 2)
            assert bind.state is BindState.BOUND


@on_both_loops
def test_stop_finishes_the_window_first(loop_name: str) -> None:
    async def main() -> None:
        listener, handler = Listener(), Handler(answering=False)
        async with serving(handler) as server, binding(server.port, listener) as bind:
            bind.submit(submits(20))
            await handler.until(lambda: len(handler.received) == 20)
            stopping = asyncio.ensure_future(bind.stop(drain_seconds=10.0))
            await asyncio.sleep(0)
            assert bind.state.name == "UNBINDING"
            assert bind.submit(submits(1)) == 0
            assert handler.session is not None
            handler.answer(handler.session, handler.received)
            await stopping
            assert bind.state is BindState.STOPPED
        assert len(listener.answers) == 20
        assert listener.unbounds == [("unbound", [])]
        assert handler.closings[0][0] == "unbound by the peer"

    run_on(loop_name, main)


async def test_stop_gives_up_on_a_carrier_that_does_not_answer() -> None:
    listener, handler = Listener(), Handler(answering=False)
    async with serving(handler) as server, binding(server.port, listener) as bind:
        bind.submit(submits(2))
        await bind.stop(drain_seconds=0.05)
        assert bind.state is BindState.STOPPED
    assert [contexts for _, contexts in listener.unbounds] == [[0, 1]]


async def test_acknowledging_what_a_dead_session_delivered_does_nothing() -> None:
    listener, handler = Listener(acknowledge=None), Handler()
    async with serving(handler) as server, binding(server.port, listener) as bind:
        assert handler.session is not None
        handler.session.deliver([(DeliverSm(0), "first")])
        await listener.until(lambda: len(listener.received) == 1)
        server.abort_sessions("pulled")
        await listener.until(lambda: listener.bound_times == 2)
        await handler.until(lambda: handler.session is not None)
        handler.session.deliver([(DeliverSm(0), "second")])
        await listener.until(lambda: len(listener.received) == 2)
        bind.acknowledge(listener.received)
        await handler.until(lambda: len(handler.answers) == 1)
        assert handler.answers[0].context == "second"
        assert bind.counters.acknowledged == 1


# --- reconnecting --------------------------------------------------------------------------------


async def test_e53_ralybnd_is_tried_again_until_the_carrier_lets_go() -> None:
    listener = Listener()
    handler = Handler(verdicts=iter([vocabulary.ESME_RALYBND] * 5))
    async with (
        serving(handler) as server,
        binding(server.port, listener, wait_bound=False) as bind,
    ):
        await handler.until(lambda: len(handler.binds) == 3)
        assert "ESME_RALYBND" in said(bind)
        await listener.until(lambda: listener.bound_times == 1)
        assert said(bind) == ""
        assert bind.counters.attempts == 6
    assert listener.unbounds == [("unbound", [])]


@pytest.mark.parametrize("status", [vocabulary.ESME_RINVPASWD, vocabulary.ESME_RINVSYSID])
async def test_wrong_credentials_wait_long_and_say_so(status: int) -> None:
    listener, handler = Listener(), Handler(verdicts=itertools.repeat(status))
    with capture_logs() as logs:
        async with (
            serving(handler) as server,
            binding(server.port, listener, wait_bound=False) as bind,
        ):
            await eventually(lambda: bind.state is BindState.WAITING)
            assert "system_id or password is wrong for 'shop'" in said(bind)
            assert "60 s" in said(bind)
            assert "secret" not in said(bind)
    waits = [entry["seconds"] for entry in logs if entry["event"] == "bind_waits"]
    assert waits == [60.0]


async def test_e54_a_carrier_that_hangs_up_is_not_stormed() -> None:
    listener, handler = Listener(), Handler(verdicts=itertools.repeat(vocabulary.ESME_RSYSERR))
    with capture_logs() as logs:
        async with serving(handler) as server:
            options = {"bind_attempts_per_minute_max": 4}
            async with binding(server.port, listener, options, wait_bound=False) as bind:
                await handler.until(lambda: len(handler.binds) == 4)
                await eventually(lambda: any(e.get("seconds", 0) > 50 for e in logs))
                assert bind.state is BindState.WAITING
    assert len(handler.binds) == 4


async def test_e54_a_closed_port_uses_up_no_attempt_to_bind() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    listener, handler = Listener(), Handler()
    options = {"bind_attempts_per_minute_max": 1}
    async with binding(port, listener, options, wait_bound=False) as bind:
        await eventually(lambda: bind.counters.attempts >= 5)
        async with serving(handler, port=port):
            await listener.until(lambda: listener.bound_times == 1)
    assert len(handler.binds) == 1


async def test_a_closed_port_is_named_in_the_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    async with binding(port, Listener(), wait_bound=False) as bind:
        await eventually(lambda: said(bind) != "")
        assert said(bind).startswith(f"cannot connect to 127.0.0.1:{port}: ")


async def test_a_carrier_that_never_answers_the_bind_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        options = {"bind_timeout_seconds": 0.05}
        async with binding(port, Listener(), options, wait_bound=False) as bind:
            await eventually(lambda: bind.counters.attempts >= 2)
            assert said(bind) == "not bound in 0.05 s"


async def test_stop_ends_a_bind_that_is_still_waiting_for_its_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        async with binding(port, Listener(), wait_bound=False) as bind:
            await eventually(lambda: bind._connection is not None)
            await bind.stop(5.0)
            assert bind.state is BindState.STOPPED
        connection, _ = silent.accept()
        with connection:
            connection.settimeout(WAIT_SECONDS)
            while connection.recv(1000):
                pass


async def test_a_dead_but_open_link_is_found_out() -> None:
    """The carrier's machine is gone, its socket is not: nothing answers enquire_link (E53)."""

    def script(connection: socket.socket, reader: PduReader) -> None:
        released.wait(WAIT_SECONDS)

    released = threading.Event()
    listener = Listener()
    options = {"enquire_link_seconds": 0.05, "response_timeout_seconds": 0.1}
    with RawCarrier(script) as carrier:
        async with binding(carrier.port, listener, options) as bind:
            bind.submit(submits(2))
            await listener.until(lambda: len(listener.unbounds) == 1)
            assert listener.unbounds[0][0].startswith("nothing heard for")
            assert sorted(map(str, listener.expirations + listener.unbounds[0][1])) == ["0", "1"]
        released.set()


# --- peers that do not read, or speak something else ---------------------------------------------


@on_both_loops
def test_e45_e51_a_carrier_that_does_not_read_blocks_its_own_bind_only(loop_name: str) -> None:
    reading = threading.Event()
    text = b"x" * 250
    window = 200_000

    def script(connection: socket.socket, reader: PduReader) -> None:
        reading.wait(WAIT_SECONDS)
        while connection.recv(1 << 20):
            pass

    async def main() -> None:
        stuck, free, handler = Listener(), Listener(), Handler()
        async with (
            serving(handler) as server,
            binding(carrier.port, stuck, {"window": window}) as blocked,
            binding(server.port, free) as other,
        ):
            for _ in range(1000):  # until the kernel and our buffer are full
                while blocked.free_slots:
                    blocked.submit(submits(200, text))
                await asyncio.sleep(0)
            assert blocked.free_slots == 0
            assert blocked.in_flight < window
            assert blocked.submit(submits(1)) == 0
            session = blocked._session
            assert session is not None
            assert session._transport is not None
            batch_bytes = 200 * (len(text) + 60)
            held = session._transport.get_write_buffer_size()
            assert held <= WRITE_BUFFER_BYTES_HIGH + batch_bytes
            assert other.submit(submits(10)) == 10
            await free.until(lambda: len(free.answers) == 10)
            before = stuck.writable_times
            reading.set()
            await stuck.until(lambda: stuck.writable_times > before)
            assert blocked.free_slots > 0

    with RawCarrier(script) as carrier:
        run_on(loop_name, main)


async def test_pause_reading_leaves_deliveries_in_the_socket() -> None:
    listener, handler = Listener(), Handler()
    async with serving(handler) as server, binding(server.port, listener) as bind:
        bind.pause_reading()
        assert handler.session is not None
        handler.session.deliver([(DeliverSm(0), n) for n in range(5)])
        for _ in range(50):
            await asyncio.sleep(0)
        assert listener.received == []
        bind.resume_reading()
        await listener.until(lambda: len(listener.received) == 5)


async def test_e61_http_on_the_port_closes_that_socket_and_no_other() -> None:
    listener, handler = Listener(), Handler()
    with capture_logs() as logs:
        async with serving(handler) as server, binding(server.port, listener) as bind:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"GET / HTTP/1.1\r\nHost: carrier\r\n\r\n")
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""
            writer.close()
            assert bind.submit(submits(1)) == 1
            await listener.until(lambda: len(listener.answers) == 1)
    reasons = [entry["reason"] for entry in logs if entry["event"] == "session_down"]
    assert "SMPP" in reasons[0]


async def test_a_connection_that_does_not_bind_is_closed() -> None:
    settings = ServerSettings(timers=TimerSettings(bind_seconds=0.05))
    async with serving(Handler(), settings) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.setblocking(False)
            loop = asyncio.get_running_loop()
            with contextlib.suppress(ConnectionResetError):
                assert await loop.sock_recv(connection, 10) == b""


async def test_sessions_are_bounded() -> None:
    listener, handler = Listener(), Handler()
    async with (
        serving(handler, ServerSettings(sessions_max=1)) as server,
        binding(server.port, listener) as bind,
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        assert await reader.read() == b""
        writer.close()
        assert server.connections_refused == 1
        assert bind.state is BindState.BOUND


async def test_e59_stopping_under_full_traffic_loses_no_context() -> None:
    class Sender(Listener):
        def bound(self, bind: Bind) -> None:
            self.put = 0
            super().bound(bind)
            self.writable(bind)

        def writable(self, bind: Bind) -> None:
            batch: list[tuple[SubmitSm, object]] = [
                (SubmitSm(0), self.put + number) for number in range(bind.free_slots)
            ]
            self.put += bind.submit(batch)
            super().writable(bind)

    listener, handler = Sender(), Handler()
    options = {"enquire_link_seconds": 0.001, "window": 500}
    async with serving(handler) as server, binding(server.port, listener, options) as bind:
        await listener.until(lambda: len(listener.answers) > 3000)
        await bind.stop(drain_seconds=10.0)
    contexts = [answer.context for answer in listener.answers]
    assert contexts == list(range(listener.put))
    assert listener.unbounds == [("unbound", [])]


# --- the pool ------------------------------------------------------------------------------------


async def test_a_pool_is_up_while_one_bind_can_submit() -> None:
    listener = Listener()
    handler = Handler(verdicts=iter([0, vocabulary.ESME_RINVPASWD]))
    async with serving(handler) as server:
        settings = BindSettings(
            host="127.0.0.1", port=server.port, system_id="u", password="p", window=7
        )
        pool = BindPool("carrier-a", settings, 2, listener)
        assert [bind.state for bind in pool.binds] == [BindState.STOPPED] * 2
        pool.start()
        await listener.until(lambda: listener.bound_times == 1)
        await eventually(lambda: pool.reason is not None)
        assert pool.up
        assert pool.free_slots == 7
        assert "ESME_RINVPASWD" in str(pool.reason)
        await pool.stop(1.0)
        assert [bind.state for bind in pool.binds] == [BindState.STOPPED] * 2


async def test_a_pair_is_a_transmitter_and_a_receiver() -> None:
    listener, handler = Listener(), Handler()
    async with serving(handler) as server:
        settings = BindSettings(
            host="127.0.0.1",
            port=server.port,
            system_id="u",
            password="p",
            bind="transmitter+receiver",
        )
        pool = BindPool("carrier-a", settings, 1, listener)
        pool.start()
        await listener.until(lambda: listener.bound_times == 2)
        commands = {bind.command_id for bind in handler.binds}
        assert commands == {vocabulary.BIND_TRANSMITTER, vocabulary.BIND_RECEIVER}
        assert [bind.free_slots for bind in pool.binds] == [100, 0]
        await pool.stop(1.0)


def test_settings_that_cannot_bind_are_refused_at_once() -> None:
    settings = BindSettings(host="h", port=1, system_id="u", password="p", bind="both")
    with pytest.raises(KeyError):
        Bind("carrier", settings, Listener())
    assert "p" not in repr(BindRequest(password=b"p")).split("system_id")[1]
