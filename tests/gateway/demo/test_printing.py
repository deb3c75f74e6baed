"""What the demo prints: whole on a terminal of 80 columns, and true while it goes on."""

from __future__ import annotations

import io
import shlex
from datetime import UTC, datetime

import pytest
from rich.console import Console, RenderableType
from rich.progress import Progress

from dlr.report import OUTCOMES
from gateway.demo.application import Clicked, Sending, Waits
from gateway.demo.printing import (
    SHOWN_RATES,
    Progressing,
    curl_lines,
    latency_table,
    ledger_lines,
    outcome_table,
    rate_lines,
    reason_table,
    speed_lines,
    timeline_table,
    told_lines,
)
from gateway.rehearsal.client import Figures, Rate
from gateway.rehearsal.judge import Judgement
from gateway.rehearsal.receiver import Told

COLUMNS = 80
MOST = 10_000_000
CATEGORIES = ("marketing", "otp", "service", "transactional")
RATE = Rate(MOST, MOST, 1.0, low=0.99999, high=1.0)


def figures(**key: str | None) -> Figures:
    """As large as the demo can make them, every outcome met."""
    counts = dict.fromkeys(("accepted", "sent", *OUTCOMES), MOST)
    return Figures(counts, dict.fromkeys(SHOWN_RATES, RATE), dict(key))


def printed(what: RenderableType) -> list[str]:
    output = io.StringIO()
    Console(file=output, width=COLUMNS).print(what, highlight=False)
    return output.getvalue().splitlines()


def test_o5_outcomes_of_any_number_stand_whole_in_80_columns() -> None:
    groups = [figures(category=name) for name in CATEGORIES]
    lines = printed(outcome_table(groups, figures()))
    assert max(map(len, lines)) <= COLUMNS
    text = "\n".join(lines)
    assert "…" not in text
    assert all(f" {name} " in text for name in (*CATEGORIES, *OUTCOMES, "all"))
    rows = [line.split("│")[1:-1] for line in lines if str(MOST) in line]
    assert len(rows) == 2 + len(OUTCOMES)
    for _name, *cells in rows:
        assert all(cell.endswith(f"{MOST} ") for cell in cells), cells


def test_o5_an_outcome_that_nobody_met_is_left_out() -> None:
    total = figures()
    total.counts["expired"] = 0
    text = "\n".join(printed(outcome_table([], total)))
    assert "expired" not in text
    assert "undelivered" in text


def test_o5_what_else_is_printed_fits_too() -> None:
    sending = Sending("c", 0.0, ["msg_1"], parts=MOST, answer_seconds=[1.0, 99.0])
    sending.accept_seconds = sending.submit_seconds = sending.final_seconds = 0.001
    waits = Waits([120.0], [120.0])
    detail = {"part": 1, "connector": "simulator", "carrier_id": "1795975302894062", "x": "y" * 20}
    event = {"at": datetime.now(UTC).isoformat(), "kind": "submitted", "detail": detail}
    lines = [
        *rate_lines(figures().rates, SHOWN_RATES),
        *speed_lines(sending),
        *ledger_lines(Judgement(MOST, MOST - 9, 9, 0), Clicked(60)),
        *told_lines(Told(requests=MOST)),
        *printed(reason_table([figures(reason="handset_unreachable")])),
        *printed(latency_table(sending, waits)),
        *printed(timeline_table([event], "One message: msg_0apc9kejm0014")),
    ]
    assert [line for line in lines if len(line) > COLUMNS] == []
    assert "carrier_id=1795975302894062" in "\n".join(lines)


def test_o5_the_calls_to_try_can_be_pasted() -> None:
    report, metrics = curl_lines("http://127.0.0.1:8080", "sk_x")
    assert shlex.split(report.replace("\\\n", "")) == [
        "curl", "-s", "http://127.0.0.1:8080/v1/reports/delivery?group_by=category",
        "-H", "Authorization: Bearer sk_x",
    ]  # fmt: skip
    assert "?" not in shlex.split(report.split("'")[0])  # no shell looks for files of that name
    assert shlex.split(metrics) == ["curl", "-s", "http://127.0.0.1:8080/metrics"]


@pytest.mark.parametrize("name", ["accepted", "submitted", "final"])
def test_o5_a_bar_is_finished_when_all_is_done_and_not_before(name: str) -> None:
    progress = Progress(console=Console(file=io.StringIO()))
    show = Progressing(progress, 500)
    [bar] = [task for task in progress.tasks if task.description == name]
    for done in (0, 499):
        show.update(name, done)
        assert not bar.finished
    show.update(name, 642, 642)
    assert bar.finished
