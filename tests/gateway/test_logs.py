"""The log: one shape, and nothing that fills it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from gateway.log_repeats import BURST, KINDS_MAX, STRETCH_SECONDS, Repeats

SCRIPT = """
import asyncio, logging
import structlog
from gateway.logs import configure_logs, set_level

configure_logs()
set_level("info")
log = structlog.get_logger("turning")
for turn in range(100):
    log.warning("waits", connector="a", turn=turn)
log.warning("waits", connector="b")
log.debug("too fine")
set_level("debug")
log.debug("fine")
set_level("warning")
log.info("too fine")
log.warning("told", error="no route to +8613812345678 for sk_live_0123456789")

async def main():
    asyncio.get_running_loop().call_exception_handler(
        {"message": "left behind", "exception": ValueError("lost")}
    )

asyncio.run(main())
for number in range(100):
    logging.getLogger("asyncpg").warning("row %d", number)
logging.getLogger("aiohttp").warning("to %s", "postgresql://me:hush@db/sms")
"""
REQUEST = """
import structlog
from gateway.logs import configure_logs
from web.edge.request_ids import SCOPE_FIELD, RequestScope

configure_logs(form="json")
log = structlog.get_logger("turning")
scope = RequestScope("req_1")
structlog.contextvars.bind_contextvars(**{SCOPE_FIELD: scope})
log.info("during")
scope.end()
log.info("after")
"""
WORDS = """
import structlog
from gateway.logs import configure_logs

configure_logs(form="text")
structlog.get_logger("turning").warning("waits", connector="a", to="+8613812345678")
"""


def test_o9_lines_are_objects_and_repeats_are_few() -> None:
    """Ours and libraries', tracebacks too."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, timeout=60
    )
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert Counter((line["event"].split()[0], line.get("connector")) for line in lines) == {
        ("waits", "a"): BURST,
        ("waits", "b"): 1,
        ("left", None): 1,
        ("row", None): BURST,
        ("fine", None): 1,
        ("told", None): 1,
        ("to", None): 1,
    }
    assert all(line["level"] and line["ts"] for line in lines)
    (left,) = [line for line in lines if line["event"] == "left behind"]
    assert "ValueError: lost" in left["exception"]
    assert left["logger"] == "asyncio"
    (told,) = [line for line in lines if line["event"] == "told"]
    assert told["error"] == "no route to +86138****5678 for sk_***"
    assert lines[-1]["event"] == "to postgresql://me:***@db/sms"


def test_a_line_has_the_id_of_its_request_as_long_as_that_is_answered() -> None:
    done = subprocess.run(
        [sys.executable, "-c", REQUEST], capture_output=True, text=True, check=True, timeout=60
    )
    during, after = map(json.loads, done.stderr.splitlines())
    assert during["request_id"] == "req_1"
    assert after.keys() == {"event", "level", "ts"}


def test_lines_for_people_have_the_same_fields_masked() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WORDS], capture_output=True, text=True, check=True, timeout=60
    )
    (line,) = done.stderr.splitlines()
    assert "[warning" in line
    assert "connector=a" in line
    assert "to=+86138****5678" in line
    assert "\033" not in line  # no terminal, no colours


def test_o9_a_loop_that_logs_each_turn_is_counted_and_goes_on_being_heard() -> None:
    repeats = Repeats()
    told = [repeats.held_back("turn", n / 48) for n in range(48 * 60)]  # 48 a second, a minute
    heard = [each for each in told if each is not None]
    assert len(heard) == 6 * BURST
    assert sum(heard) == len(told) - len(heard) - (48 * int(STRETCH_SECONDS) - BURST)


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 5)), max_size=200))
def test_o9_each_kind_has_its_own_bound_and_none_is_lost_count_of(
    lines: list[tuple[int, float]],
) -> None:
    repeats, now = Repeats(), 0.0
    spoken: dict[int, list[float]] = {}
    silent: Counter[int] = Counter()
    for kind, pause in lines:
        now += pause
        before = repeats.held_back(kind, now)
        if before is None:
            silent[kind] += 1
            continue
        assert before in (0, silent[kind])
        silent[kind] -= before
        spoken.setdefault(kind, []).append(now)
    for moments in spoken.values():
        for first, last in zip(moments, moments[2 * BURST :], strict=False):
            assert last - first >= STRETCH_SECONDS / 2


def test_o9_kinds_without_end_take_bounded_memory() -> None:
    repeats = Repeats()
    for kind in range(3 * KINDS_MAX):
        assert repeats.held_back(kind, 0.0) == 0
    assert repeats.held_back(3 * KINDS_MAX - 1, 0.0) == 0
    assert len(repeats) == KINDS_MAX
