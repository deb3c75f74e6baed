"""What a long run says of its looks: a leak is found, calm noise is flat, faults are left out."""

from __future__ import annotations

import random

import msgspec
import pytest

from benchmarks.faults.looks import LIMITS, Look, by_minute, flat, judged

MINUTES = 30
EVERY = 5.0


def looks(leak: str = "", growth: float = 0.0) -> list[Look]:
    """Half an hour; `growth` is what the figure `leak` grows by in it, as a share of its level."""
    chance = random.Random(1)
    level = {
        "gateway_mib": 120.0, "links_mib": 60.0, "handles": 90.0, "queues_mib": 12.0,
        "stored_octets": 1_500.0, "dead_rows": 40_000.0, "p50_ms": 60.0, "p99_ms": 140.0,
    }  # fmt: skip
    found = []
    for n in range(int(MINUTES * 60 / EVERY)):
        at = EVERY * (n + 1)
        calm = n % 12 >= 5
        shaken = 1.0 if calm else 8.0
        values = {
            name: value
            * (1 + (growth if name == leak else 0.0) * at / (MINUTES * 60) + chance.gauss(0, 0.01))
            * (shaken if name.endswith("_ms") else 1.0)
            for name, value in level.items()
        }
        found.append(Look(at=at, calm=calm, sent_per_second=1_000.0, **values))
    return found


def met(found: list[Look]) -> dict[str, bool | None]:
    return {name: verdict.required_met for name, verdict in zip(LIMITS, flat(found), strict=True)}


def test_what_only_shakes_is_flat_whatever_faults_do_to_it() -> None:
    assert met(looks()) == dict.fromkeys(LIMITS, True)


@pytest.mark.parametrize(
    ("figure", "growth"),
    [
        ("gateway_mib", 0.3), ("links_mib", 0.3), ("handles", 0.3), ("queues_mib", 2.0),
        ("stored_octets", 0.3), ("dead_rows", 4.0), ("p50_ms", 1.5), ("p99_ms", 1.5),
    ],
)  # fmt: skip
def test_each_leak_is_found_and_blamed_alone(figure: str, growth: float) -> None:
    assert met(looks(figure, growth)) == dict.fromkeys(LIMITS, True) | {figure: False}


def test_the_first_third_and_what_faults_touch_are_not_judged() -> None:
    kept = judged(looks())
    assert kept
    assert all(look.calm and look.at >= MINUTES * 60 / 3 for look in kept)
    warming = [
        look if look.at > MINUTES * 60 / 3 else msgspec.structs.replace(look, gateway_mib=10.0)
        for look in looks()
    ]
    assert met(warming)["gateway_mib"]


def test_a_minute_is_the_median_of_its_looks() -> None:
    rows = by_minute(looks())
    assert list(rows) == [str(minute) for minute in range(1, MINUTES + 2)]
    assert rows["2"][0]["gateway_mib"] == pytest.approx(120, rel=0.05)


def test_of_a_short_run_nothing_is_said() -> None:
    assert flat(looks()[:5]) == []
    assert flat([]) == []
    assert judged([]) == []
