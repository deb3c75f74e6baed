"""Each figure that a report can have is explained."""

from __future__ import annotations

from campaigns import clicks
from campaigns.funnel import CLICK_COUNTS
from dlr.rates import FORMULAS
from dlr.report import COUNTS
from recipients.reply_report import CLASSES, REPLIES, REPLY_FORMULAS
from web.report_figures import COUNTED, RATED, lines


def test_every_figure_of_a_report_is_named_with_what_it_is_of() -> None:
    counts = {
        name
        for name in (*CLICK_COUNTS, *clicks.COUNTS, *REPLIES)
        if not name.endswith("_delivered")
    }
    counts -= {*CLASSES, "unsubscribed_sent"}  # shown by their rates
    assert set(COUNTED) == {*COUNTS, *counts}
    assert set(RATED) == {*FORMULAS, *REPLY_FORMULAS}
    page = "\n".join(lines())
    assert "| `delivery_rate` | 送达率 | `delivered` | `sent` |" in page
    assert "`accepted` - `suppressed` - `capped` - `canceled` |" in page
    rates = clicks.click_rates(dict.fromkeys(clicks.COUNTS, 0))
    assert all(f"| `{name}` |" in page for name in (*rates, "uv_share", "answer", "receipt"))
