"""What the demo of a campaign prints: whole on a terminal of 80 columns, and faults in sight."""

from __future__ import annotations

import io

from rich.console import Console

from gateway.cli import DEMO_PEOPLE_MAX
from gateway.demo.campaign.cast import Cast
from gateway.demo.campaign.judge import compared
from gateway.demo.campaign.printing import compared_table, power_line, step_lines
from gateway.demo.campaign.truth import Truth, figures
from gateway.demo.campaign.win_back import WIN_BACK

COLUMNS = 80


def table(truth: dict[str, int | str], report: dict[str, int | str]) -> list[str]:
    output = io.StringIO()
    Console(file=output, width=COLUMNS).print(compared_table(compared(truth, report)))
    return output.getvalue().splitlines()


def test_every_figure_has_a_line_of_its_own() -> None:
    wanted = figures(Truth(revenue=DEMO_PEOPLE_MAX * 150), Cast(people=DEMO_PEOPLE_MAX))
    lines = table(wanted, wanted)
    assert max(map(len, lines)) <= COLUMNS
    assert "…" not in "\n".join(lines)
    assert sum(" ok " in line for line in lines) == len(wanted)


def test_what_differs_and_what_is_not_told_is_said() -> None:
    wanted = figures(Truth(), WIN_BACK)
    report = {**wanted, "planned": 29}
    del report["conversions"]
    lines = [line for line in table(wanted, report) if "DIFFERS" in line]
    assert [line.split("│")[1].strip() for line in lines] == ["planned", "conversions"]
    assert "29" in lines[0] and "not told" in lines[1]


def test_a_rate_has_its_bounds() -> None:
    truth = Truth()
    truth.arms[0].sent = truth.arms[0].delivered = 30
    truth.arms[0].steps[0] = 3
    lines = step_lines(figures(truth, WIN_BACK))
    assert "login           3 / 30 = 10.00%   (95 %: 3.46% to 25.62%)" in lines


def test_c56_it_is_said_before_that_few_people_show_little() -> None:
    """C56."""
    power = {"base": 0.06, "other": 0.08, "per_arm": 2554, "size": {"per_arm": 15, "enough": False}}
    assert power_line(power).endswith("15 an arm, 2554 needed: too few to name a winner")
