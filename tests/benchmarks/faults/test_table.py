"""The table of a run, and when it fails."""

from __future__ import annotations

import pytest

from benchmarks.faults import result
from benchmarks.faults.judging import Findings
from benchmarks.faults.table import Round, table
from benchmarks.gateways import BenchmarkFailed
from benchmarks.result import verdicts_of

GOOD = Round("kill -9: gateway", carried=500, in_doubt=3, recovered_seconds=1.25)
SKIPPED = Round("slow fsync: PostgreSQL", skipped="no compiler")


def lines(*rounds: Round) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in table(rounds).split("\n")]


def test_the_same_faults_share_a_line_and_all_are_added_up() -> None:
    slower = Round(GOOD.fault, carried=100, in_doubt=1, recovered_seconds=2.5)
    head, _, gateway, every, skipped = lines(GOOD, SKIPPED, slower)
    row = dict(zip(head, gateway, strict=True))
    assert (row["fault"], row["times"], row["carried"], row["in doubt"]) == (
        "kill -9: gateway", "2", "600", "4",
    )  # fmt: skip
    assert row["seconds to recover"] == "2.5"
    assert every[1:] == gateway[1:]
    assert skipped[:2] == ["slow fsync: PostgreSQL", "skipped: no compiler"]


def test_a_run_without_a_broken_promise_is_kept() -> None:
    kept = result([GOOD, SKIPPED], 7, skips_fail=False)
    assert (kept["seed"], kept["skipped"]) == (7, {SKIPPED.fault: "no compiler"})
    rounds = kept["rounds"]
    assert isinstance(rounds, dict)
    assert [rounds[GOOD.fault][0][key] for key in ("carried", "lost", "in_doubt")] == [500, 0, 3]
    assert all(verdict.required_met is not False for verdict in verdicts_of(kept))


@pytest.mark.parametrize(
    "broken",
    [
        Round("cut: carrier", findings=Findings(lost=["msg_1"]), recovered_seconds=1.0),
        Round("cut: carrier", findings=Findings(clicks_missing=1), recovered_seconds=1.0),
        Round("cut: carrier", recovered_seconds=None),
        Round("cut: carrier", ended=["gateway ended with 1"], recovered_seconds=1.0),
        Round("cut: carrier", refused=["422"], recovered_seconds=1.0),
    ],
    ids=["lost", "click", "never recovered", "ended", "refused"],
)
def test_a_broken_promise_fails_the_run_and_names_the_seed(broken: Round) -> None:
    with pytest.raises(BenchmarkFailed, match=r"after cut: carrier.*--seed 7 --faults 2"):
        result([GOOD, broken], 7, skips_fail=False)


def test_a_skipped_fault_fails_where_nothing_may_be_skipped() -> None:
    with pytest.raises(BenchmarkFailed, match="skipped: slow fsync: PostgreSQL, no compiler"):
        result([GOOD, SKIPPED], 7, skips_fail=True)
