"""A campaign for a million: plan, previews, feed, pauses, and one-time passwords beside it.

Owns the order of these, and what is asked of each. Must not give a figure of a run that lost or
repeated anything. Each text bears its campaign and its person, and the carrier's ledger is judged.

The feed is compared with as many messages in batches over the API, in the same run. That is done
with the carrier, and with its connector paused. Memory is that of the gateway's process.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import campaign_ledger, campaign_people, costs, gateways, load_shapes, otp
from benchmarks.campaign_pauses import pauses_ms
from benchmarks.costs import Watched
from benchmarks.gateways import BenchmarkFailed, Processors
from benchmarks.result import Figures, quantiles_ms
from benchmarks.running import run as run_to_end
from benchmarks.running import say
from benchmarks.verdicts import Verdict
from gateway.rehearsal.running import Running
from gateway.rehearsal.simulator import Simulator, simulator
from storage.crypto import NumberVault
from storage.ids import NODES_MAX, IdSource
from storage.keys import load_keys

CARRIER = "bench"
SCOPES = (
    "messages:send", "messages:read", "campaigns:read", "campaigns:write", "campaigns:send",
    "templates:write", "segments:read", "segments:write", "reports:read", "admin",
)  # fmt: skip
ARMS = 3
BATCH, CONCURRENCY = 500, 2
FIRST_OF_BATCHES = 50_000_000  # beyond the people
TESTED = "+8613700000000"
_CITIES = ", ".join(f'"{city}"' for city in campaign_people.CITIES)
EVERYBODY = f"level >= 0 and login < 2026-11-01 and city in ({_CITIES})"
PACE = 2_000  # parts a second, while it is paused and resumed
OTP_PACE = 1_000
EXPRESSIONS = (
    'city = "北京"', 'city != "北京"', 'city in ("上海", "广州", "深圳")', "level >= 5",
    "level between 2 and 4", "place < 100000", "place >= 900000", "has login", "not has login",
    "days_since(login) >= 60", "days_since(login) < 60", "login >= 2026-10-15", "member = true",
    "member = false and level > 7", 'city = "成都" and level >= 3 and days_since(login) >= 50',
    'city = "武汉" or city = "西安" or level = 9', 'not (city = "杭州" or member = true)',
    "level = 1 and member = true and place > 500000", 'city = "深圳" and not level in (1, 2, 3)',
    EVERYBODY,
)  # fmt: skip
PLAN_SECONDS, PEAK_MIB, FEED_SHARE, PAUSE_MS, PREVIEW_MS, OTP_MS = 60.0, 300.0, 0.9, 1e3, 2e3, 50.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many people, messages, pauses and passwords."""
    parser.add_argument("--people", type=int, default=1_000_000)
    parser.add_argument("--fed", type=int, default=100_000, help="to the carrier, by each way")
    parser.add_argument("--held", type=int, default=40_000, help="with the connector paused")
    parser.add_argument("--pauses", type=int, default=100)
    parser.add_argument("--otps", type=int, default=400)


def run(arguments: argparse.Namespace) -> dict[str, object]:
    """Every figure that is asked of campaigns."""
    return run_to_end(_run(arguments))


async def _run(arguments: argparse.Namespace) -> dict[str, object]:
    with gateways.folder() as folder:
        async with simulator(folder, gateways.INSTANT) as carrier:
            connector = gateways.connector(CARRIER, carrier.port)
            async with costs.watched(folder, [connector], scopes=SCOPES) as watched:
                bench = Bench(watched, carrier, folder)
                found = await bench.measured(arguments)
    return {
        "durable": "synchronous_commit=on, embedded PostgreSQL",
        "rounds": {name: [figures] for name, figures in found.items()},
        "verdicts": verdicts(found),
    }


def verdicts(found: Mapping[str, Figures]) -> list[Verdict]:
    """What is asked."""

    def at_most(what: str, way: str, figure: str, bound: float, unit: str) -> Verdict:
        return Verdict(what, found[way][figure], bound, at_most=True, unit=unit)

    def share(what: str, feed: str, batches: str) -> Verdict:
        part = found[feed]["per_second"] / found[batches]["per_second"]
        return Verdict(f"feed over batches, {what}", round(part, 3), FEED_SHARE)

    return [
        at_most("plan", "plan", "seconds", PLAN_SECONDS, "s"),
        at_most("peak memory", "pauses", "gateway_peak_mib", PEAK_MIB, "MiB"),
        share("to the last receipt", "fed, to the last receipt", "batches, to the last receipt"),
        share("accepted alone", "fed, accepted alone", "batches, accepted alone"),
        at_most("pause to the last submit, p99", "pauses", "p99_ms", PAUSE_MS, "ms"),
        at_most("preview, p95", "previews", "p95_ms", PREVIEW_MS, "ms"),
        at_most("OTP accepted -> wire beside it, p99", "OTP beside it", "p99_ms", OTP_MS, "ms"),
    ]


class Bench:
    """One run over one gateway."""

    def __init__(self, watched: Watched, carrier: Simulator, folder: Path) -> None:
        self._watched = watched
        self._running: Running = watched.running
        self._carrier = carrier
        self._folder = folder
        self._final = 0.0  # parts with a final status so far
        self._sent = 0  # in batches

    async def measured(self, arguments: argparse.Namespace) -> dict[str, Figures]:
        """Each figure, under its way."""
        vault = NumberVault(load_keys(self._folder / "data", os.environ))
        ids = IdSource(NODES_MAX - 1, lambda: time.time_ns() // 1_000_000)
        await campaign_people.make(self._watched.connection, vault, ids, arguments.people)
        found: dict[str, Figures] = {}
        whole, found["plan"] = await self._ready("A", EVERYBODY)
        found["previews"] = await self._previews()
        last, alone = "to the last receipt", "accepted alone"
        found[f"batches, {last}"] = await self._batches(arguments.fed, held=False)
        fed, _ = await self._ready("B", f"place < {arguments.fed}")
        found[f"fed, {last}"] = await self._fed(fed, held=False)
        held, _ = await self._ready("C", f"place < {arguments.held}")
        await self._connector(paused=True)
        found[f"batches, {alone}"] = await self._batches(arguments.held, held=True)
        found[f"fed, {alone}"] = await self._fed(held, held=True)
        await self._connector(paused=False)
        await self._all_final()
        found["pauses"] = await self._pauses(whole, arguments.pauses)
        found["OTP beside it"] = await self._otps(arguments.otps)
        await self._say("POST", f"{whole}/cancel")
        await self._connector(rate=None)
        await self._all_final()
        await campaign_ledger.must_add_up(
            self._carrier, self._watched.connection,
            {_id_of(whole): False, _id_of(fed): True, _id_of(held): True},
            tested=TESTED.removeprefix("+"), others=arguments.otps + self._sent,
        )  # fmt: skip
        return found

    async def _ready(self, name: str, segment: str) -> tuple[str, Figures]:
        """A campaign that can be started, and what its plan took."""
        path = await self._written(name, segment)
        figures = await self._planned(path)
        await self._test(path)
        return path, figures

    async def _written(self, name: str, segment: str) -> str:
        """A draft with three arms; its path."""
        arms = []
        for arm in range(ARMS):
            template = await self._say("POST", "templates", _template(name, arm))
            arms.append({"template": f"{template['id']}@1", "weight": 1})
        spec = {
            "name": name,
            "audience": {"segment": segment},
            "arms": arms,
            "category": "service",
            "canary": {"share": 0},
        }
        return f"campaigns/{(await self._say('POST', 'campaigns', spec))['id']}"

    async def _planned(self, path: str) -> Figures:
        began = time.perf_counter()
        plan = await self._say("POST", f"{path}/plan")
        seconds = round(time.perf_counter() - began, 2)
        say(f"{path}: {plan['planned']} planned, {plan['excluded']} in {seconds} s")
        return {
            "people": plan["segment"],
            "planned": plan["planned"],
            "seconds": seconds,
            "gateway_peak_mib": costs.peak_mib(self._running.pid),
        }

    async def _previews(self) -> Figures:
        seconds = []
        for source in EXPRESSIONS:
            began = time.perf_counter()
            await self._say("POST", "segments/preview", {"source": source})
            seconds.append(time.perf_counter() - began)
        ordered = sorted(seconds)
        return {
            "p50_ms": round(ordered[len(ordered) // 2] * 1000, 1),
            "p95_ms": round(ordered[int(0.95 * len(ordered)) - 1] * 1000, 1),
            "slowest_ms": round(ordered[-1] * 1000, 1),
        }

    async def _batches(self, count: int, *, held: bool) -> Figures:
        processors = self._processors()
        began = time.perf_counter()
        await load_shapes.batches(
            self._running, count, size=BATCH, concurrency=CONCURRENCY,
            first=FIRST_OF_BATCHES + self._sent,
        )  # fmt: skip
        ended = time.perf_counter()
        self._sent += count
        if not held:
            self._final += count
            ended = await gateways.until_final(self._running, int(self._final))
        return _rate(count, ended - began, processors)

    async def _fed(self, path: str, *, held: bool) -> Figures:
        """From its start until everybody has a message, or a receipt."""
        planned = (await self._say("GET", path))["planned"]
        before = await self._fed_so_far()
        processors = self._processors()
        began = time.perf_counter()
        await self._say("POST", f"{path}/start", {"confirm_recipients": planned})
        ended = await gateways.until_counted(self._fed_so_far, before + planned, "fed")
        if not held:
            self._final += planned
            ended = await gateways.until_final(self._running, int(self._final))
        return _rate(planned, ended - began, processors)

    async def _test(self, path: str) -> None:
        """Each arm's text to one number, until it is delivered."""
        await self._say("POST", f"{path}/test", {"to": [TESTED]})
        self._final += ARMS
        await gateways.until_final(self._running, int(self._final))

    async def _fed_so_far(self) -> float:
        return await self._running.metric('sms_campaign_recipients_total{outcome="message"}')

    async def _pauses(self, path: str, count: int) -> Figures:
        planned = (await self._say("GET", path))["planned"]
        await self._connector(rate=f"{PACE}/s")
        await self._say("POST", f"{path}/start", {"confirm_recipients": planned})

        async def move(verb: str) -> None:
            body = {"reason": "a look at it"} if verb == "pause" else None
            await self._say("POST", f"{path}/{verb}", body)

        found = await pauses_ms(self._carrier.ledger_file, move, count)
        return {
            **quantiles_ms([each / 1000 for each in found]),
            "gateway_peak_mib": costs.peak_mib(self._running.pid),
        }

    async def _otps(self, count: int) -> Figures:
        await self._connector(rate=f"{OTP_PACE}/s")
        _, answered = await otp.send_otps(self._running, count)
        at = await otp.until_written(self._carrier, count)
        return dict(quantiles_ms([at[n] - moment for n, moment in answered.items()]))

    async def _all_final(self) -> None:
        """Until nothing waits any more."""

        async def waiting() -> float:
            return -float(await self._watched.connection.fetchval("SELECT count(*) FROM outbox"))

        await gateways.until_counted(waiting, 0, "waiting")
        submits, self._final = await self._running.submitted()
        await gateways.until_final(self._running, int(submits))
        self._final = submits

    async def _connector(self, **patch: object) -> None:
        await self._say("PATCH", f"connectors/{CARRIER}", patch)

    def _processors(self) -> Processors:
        return Processors(gateways.processes_of(self._running))

    async def _say(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        status, answer = await self._running.call(method, f"/v1/{path}", body)
        if status not in (200, 201):
            raise BenchmarkFailed(f"{method} {path} was answered {status}: {str(answer)[:300]}")
        assert isinstance(answer, dict)
        return answer


def _id_of(path: str) -> str:
    return path.partition("/")[2]


def _template(name: str, arm: int) -> dict[str, object]:
    """Its text says whose it is: campaign, arm, and the person's place."""
    return {
        "name": f"{name}{arm}",
        "category": "service",
        "body": f"{name}{arm} {{{{place}}}}, your table is booked for today",
        "signature": "【Shop】",
        "variables": {"place": {"type": "int", "max": 8, "source": "attr.place", "fallback": "0"}},
    }


def _rate(count: int, seconds: float, processors: Processors) -> Figures:
    used = processors.microseconds(count)
    return {
        "messages": count,
        "per_second": round(count / seconds),
        "gateway_us": used["gateway_us"],
        "postgresql_us": used["postgresql_us"],
    }
