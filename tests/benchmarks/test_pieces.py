"""Each benchmark's pieces in a tiny run: what is sent arrives, and what does not add up has no
figure.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import (
    costs,
    gateways,
    http_load,
    jasmin,
    judgement,
    kannel,
    latency_window,
    load_shapes,
    otp,
    single_post,
    stages,
    sustained,
)
from benchmarks.gateways import BenchmarkFailed, Processors
from benchmarks.peer_processes import PeerError
from benchmarks.receipt_sink import ReceiptSink
from benchmarks.smpp_carrier import CarrierOptions
from benchmarks.smpp_processes import carrier_process
from benchmarks.soak import memory
from benchmarks.stage_wire import Wire
from benchmarks.verdicts import Verdict
from benchmarks.waiting import Backlog, levels
from gateway.rehearsal.configuration import Route
from gateway.rehearsal.simulator import simulator
from tests.integration.conftest import folder as folder

PATIENCE_SECONDS = 90.0


@given(st.lists(st.integers(), min_size=1), st.floats(0.001, 1.0))
def test_a_quantile_is_the_least_value_that_its_share_does_not_exceed(
    values: list[int], share: float
) -> None:
    found = http_load.quantile(values, share)
    enough = share * len(values) - 1e-5
    assert sum(value <= found for value in values) >= enough
    assert sum(value < found for value in values) < max(enough + 1e-4, 1)


def test_a_verdict_says_what_is_met() -> None:
    ratio = Verdict("ratio", 6.0, 5.0, 10.0)
    assert ratio.line() == "ratio: 6 (required >= 5: met; aim >= 10: NOT met)"
    small = Verdict("p99", 20.0, 50.0, 15.0, at_most=True, unit="ms")
    assert small.line() == "p99: 20 ms (required <= 50 ms: met; aim <= 15 ms: NOT met)"
    assert Verdict("aimed", 1.0, aim=2.0).fields()["required_met"] is None


def test_levels_climb_by_tens() -> None:
    assert levels(1_000_000) == [1_000, 10_000, 100_000, 1_000_000]
    assert levels(500) == [500]


async def test_the_load_is_answered_one_by_one_and_counted_by_the_sink() -> None:
    sink = ReceiptSink()
    await sink.start()
    try:
        statuses: list[int] = []
        load = await http_load.drive(
            sink.address,
            (http_load.get(sink.address, f"/{n}/1{'?id=7' * (n % 2)}") for n in range(500)),
            connections=7,
            answered=lambda status, body: statuses.append(status),
        )
        assert statuses == [200] * 500 == [200] * len(load.answer_seconds)
        assert len(sink.reported) == 500
        assert await sink.until(500, 1.0)
        assert not await sink.until(501, 0.01)
    finally:
        await sink.stop()


async def test_the_load_stops_at_an_answer_that_is_refused() -> None:
    async with single_post.bare_handler() as (address, _):
        with pytest.raises(BenchmarkFailed, match="answered 405"):
            await http_load.drive(
                address,
                iter([http_load.post(address, "/elsewhere", b"{}")]),
                connections=2,
                answered=load_shapes.check_accepted,
            )


async def test_a_connection_that_closes_has_no_figure() -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()[:2]
        with pytest.raises(http_load.LoadError):
            await http_load.drive(
                f"{host}:{port}", iter([b"x"]), connections=1, answered=lambda *_: None
            )


async def test_kannel_carries_messages_or_is_said_to_be_missing(folder: Path) -> None:
    async with simulator(folder, gateways.INSTANT) as carrier:
        if not kannel.installed():
            with pytest.raises(PeerError, match="apt-get install kannel"):
                async with kannel.running(folder, carrier.port):
                    pass
            return
        async with load_shapes.kannel_calling_back(folder, carrier) as (peer, sink):
            await load_shapes.peer_gets(peer, sink, 50, 5)
            await load_shapes.until_called_back(sink, carrier, 50)
            pids = peer.pids
    assert not any(map(_runs, pids))


async def test_jasmin_is_set_up_or_is_said_to_be_missing(folder: Path) -> None:
    if not jasmin.installed():
        with pytest.raises(PeerError, match=r"jasmind\.py"):
            async with jasmin.running(folder, 1):
                pass
        return
    async with (
        asyncio.timeout(PATIENCE_SECONDS),
        simulator(folder, gateways.receipts_after(100)) as carrier,
        load_shapes.receipts_called_back() as sink,
        jasmin.running(folder, carrier.port) as peer,
    ):
        await load_shapes.peer_gets(peer, sink, 20, 5)
        await load_shapes.until_called_back(sink, carrier, 20)


async def test_an_answer_in_chunks_is_waited_for() -> None:
    closed = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(http_load.HEAD_END)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n")
        await writer.drain()
        writer.write(b"0\r\n\r\n")
        with contextlib.suppress(ConnectionError):  # the load ends by a reset
            await reader.read()
        writer.close()
        closed.set()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    bodies: list[bytes] = []
    async with server:
        address = "127.0.0.1:{1}".format(*server.sockets[0].getsockname())
        await http_load.drive(
            address,
            iter([http_load.get(address, "/")]),
            connections=1,
            answered=lambda _, body: bodies.append(body),
        )
        await closed.wait()
    assert bodies == [b"2\r\nok\r\n0\r\n\r\n"]


def _runs(pid: int) -> bool:
    """A process that ended and was not waited for yet does not run."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def test_one_gateway_is_measured_from_every_side(folder: Path) -> None:
    """Single POSTs, a carrier far away, a backlog with OTPs past it."""
    case = latency_window.Case(20, 5, 1, "+8613801")
    async with (
        asyncio.timeout(PATIENCE_SECONDS),
        simulator(folder, gateways.INSTANT) as near,
        carrier_process(
            CarrierOptions(answer_latency_ms=20, ledger=str(folder / "far.jsonl"))
        ) as far_carrier,
        gateways.running_with(
            folder,
            [
                gateways.connector(case.name, far_carrier.port, 1, case.window),
                gateways.connector("paced", near.port, 1, rate="200/s"),
            ],
            [case.route(), Route(["paced"])],
        ) as running,
    ):
        far = latency_window.Far(far_carrier, folder / "far.jsonl")
        latencies = await latency_window.measure(running, [case], {20: far}, 0.1)
        share = latency_window.share_of(case, far.ledger, latencies[0], 0.1)
        assert 0 < share["share_of_best_possible"] <= 1.05
        with pytest.raises(BenchmarkFailed):
            latency_window.share_of(case, far.ledger, latencies[0], 0.2)

        await load_shapes.single_posts(running, 20, 4, first=90_000_000)
        await gateways.until_final(running, 20 + case.messages(0.1))

        backlog = Backlog(running, written_before=20 + case.messages(0.1))
        await backlog.fill(300)
        processors = Processors(gateways.processes_of(running))
        cost = await backlog.keep(300, 0.5, processors)
        assert cost["gateway_us"] > 0
        began, answered = await otp.send_otps(running, 5)
        at = await otp.until_written(near, 5)
        assert all(began[n] < answered[n] and began[n] < at[n] for n in range(5))
        assert gateways.resident_mib(running) > 10
    assert near.judgement().repeats == 0


def test_o11_a_cost_that_grows_behind_a_bound_is_not_met() -> None:
    flat, growing = [50.0] * 20, [50.0 + 5 * n for n in range(20)]
    assert [verdict.required_met for verdict in sustained.verdicts(flat)] == [True]
    assert [verdict.required_met for verdict in sustained.verdicts(growing)] == [False]
    assert sustained.verdicts(flat[:7]) == []


async def test_o11_each_stretch_of_a_sustained_run_has_its_figures(folder: Path) -> None:
    async with (
        asyncio.timeout(PATIENCE_SECONDS),
        simulator(folder, gateways.INSTANT) as carrier,
        costs.watched(
            folder, [gateways.connector("bench", carrier.port)], more=sustained.GAP
        ) as watched,
    ):
        shape = sustained.Shape(messages=700, stretch=400, batch=100, concurrency=2)
        stretches = [stretch async for stretch in sustained.stretches(shape, watched)]
        accepted = list(map(judgement.bare, range(700)))
        await judgement.ours_adds_up(accepted, carrier, watched.connection)
        with pytest.raises(BenchmarkFailed, match="1 lost"):
            await judgement.ours_adds_up([*accepted, "1"], carrier, watched.connection)
    assert [stretch["messages"] for stretch in stretches] == [400, 700]
    for stretch in stretches:
        assert stretch["per_second"] > 0
        assert stretch["gateway_us"] > 0
        assert stretch["gateway_peak_mib"] >= stretch["gateway_mib"] > 10
        assert stretch["wal_octets"] > 100  # a message of some 150 octets, its row and its result
    assert 0 < watched.figures()["fsyncs"] < 1


async def test_every_stage_of_a_message_has_a_figure(folder: Path) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS), Wire.to_a_carrier(400) as wire:
        measured = await stages.measure(folder, wire, 400)
    names = [stage.name for stage in measured]
    assert names[0] == "decode and validate" and names[-1] == "recorder"
    assert len(set(names)) == len(names) == len(stages.table(measured)) - 2
    assert all(stage.gateway >= 0 and stage.wall >= 0 for stage in measured)


async def test_e47_every_message_of_the_soak_is_answered_or_timed_out() -> None:
    figures = await memory(4_000)
    assert (figures["answered"], figures["timed_out"]) == (3_600, 400)
