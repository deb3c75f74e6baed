"""The registry: every rate names its definition, its numerator and its denominator."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from campaigns.reporting.cells import COUNTS
from campaigns.reporting.metrics import Maker, Measured, UnknownDefinition, chosen
from campaigns.reporting.registry import BY_NAME, GOALS, KPIS_ELSE, METRICS, RATES, kpis_of

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
COUNTED = {
    "accepted": 1_000, "suppressed": 20, "capped": 10, "canceled": 30, "sent": 940,
    "delivered": 900, "undelivered": 20, "expired": 5, "rejected": 5, "failed": 10,
    "human_clicks": 130, "human_clicks_delivered": 120, "clicked": 85, "clicked_delivered": 80,
    "landed_clicks": 65, "visitors": 60, "conversions": 21, "converted": 17,
    "converted_delivered": 16, "converted_visitors": 15, "opted_out": 9, "opted_out_delivered": 8,
    "replied_delivered": 12, "replied_other": 4, "ratings": 4, "rating_sum": 17, "recalled": 90,
    "retained_d1": 30, "retained_d7": 18, "retained_d30": 9, "site_uv": 500,
}  # fmt: skip


def maker(**changes: Any) -> Maker:
    asked = {
        "wanted": {}, "as_of": NOW, "last": NOW - timedelta(hours=1), "open_now": False,
        "linked": True, **changes,
    }  # fmt: skip
    return Maker(**asked)


def rate(name: str, **changes: Any) -> Measured:
    return maker(**changes).rates(COUNTED)[name]


@pytest.mark.parametrize(
    ("asked", "numerator", "denominator"),
    [
        ("delivery_rate:sent", 900, 940),
        ("confirmed_rate:verdicts", 900, 930),
        ("failure_rate:meant", 40, 940),
        ("failure_rate:sent", 30, 940),
        ("open_rate_est:clicks", 80, 900),
        ("open_rate_est:replies", 12, 900),
        ("open_rate_est:clicks_sent", 130, 940),
        ("open_rate_est:clicks_delivered", 120, 900),
        ("ctr_delivered:delivered", 120, 900),
        ("uctr_delivered:delivered", 80, 900),
        ("uctr_delivered:sent", 85, 940),
        ("landing_rate:clicks", 65, 130),
        ("cvr_click:people", 17, 85),
        ("cvr_click:clicks", 21, 130),
        ("cvr_delivered:delivered", 16, 900),
        ("cvr_visit:visitors", 15, 60),
        ("reply_rate:delivered", 12, 900),
        ("reply_rate_other:delivered", 4, 900),
        ("unsub_rate_sent:sent", 9, 940),
        ("unsub_rate_delivered:delivered", 8, 900),
        ("recall_rate:delivered", 90, 900),
        ("retained_d1:recalled", 30, 90),
        ("retained_d7:recalled", 18, 90),
        ("retained_d30:recalled", 9, 90),
        ("uv_share:site", 85, 500),
        ("survey_mean:ratings", 17, 4),
    ],
)
def test_each_definition_divides_what_it_says(asked: str, numerator: int, denominator: int) -> None:
    made = rate(asked.partition(":")[0], wanted=chosen(asked))
    assert (made.numerator, made.denominator) == (numerator, denominator)
    assert made.value == pytest.approx(numerator / denominator)
    assert made.definition == asked
    assert (made.as_of, made.provisional) == (NOW, True)


def test_a_share_has_bounds_and_what_may_exceed_one_has_none() -> None:
    share = rate("uctr_delivered")
    assert share.low is not None and share.high is not None
    assert share.low < 80 / 900 < share.high
    assert (rate("ctr_delivered").low, rate("ctr_delivered").high) == (None, None)
    assert rate("survey_mean").high is None


def test_a_rate_over_nothing_is_no_rate_and_a_few_say_little() -> None:
    nothing = maker().rates({})["delivery_rate"]
    assert (nothing.value, nothing.low, nothing.high, nothing.too_few) == (None, None, None, True)
    assert maker().rates({"sent": 199, "delivered": 180})["delivery_rate"].too_few
    assert not maker().rates({"sent": 200, "delivered": 180})["delivery_rate"].too_few


def test_who_opened_a_text_without_links_is_told_by_replies() -> None:
    assert rate("open_rate_est").definition == "open_rate_est:clicks"
    assert rate("open_rate_est", linked=False).definition == "open_rate_est:replies"


def test_a_rate_is_final_once_nothing_changes_it() -> None:
    def final(name: str, days: float) -> bool:
        made = maker(last=NOW - timedelta(days=days)).rates(COUNTED)[name]
        return not made.provisional

    assert final("delivery_rate", 3.01) and not final("delivery_rate", 2.9)
    assert final("uctr_delivered", 7.01) and not final("uctr_delivered", 6)
    assert final("recall_rate", 10.01) and not final("recall_rate", 9)
    assert final("retained_d30", 40.01) and not final("retained_d30", 39)
    assert rate("delivery_rate", last=NOW - timedelta(days=9), open_now=True).provisional


def test_every_count_of_a_definition_is_counted() -> None:
    known = {*COUNTS, "site_uv", "clicks_72h"}
    for metric in METRICS:
        for each in metric.definitions:
            assert known.issuperset((*each.numerator, *each.denominator, *each.less)), metric.name
        assert len({each.name for each in metric.definitions}) == len(metric.definitions)
    assert len(BY_NAME) == len(METRICS)


def test_money_is_in_no_list_before_there_is_any() -> None:
    assert not {"roi", "cac", "cost", "revenue"} & BY_NAME.keys()


def test_each_goal_has_rates_to_look_at_first() -> None:
    rates = {each.name for each in RATES}
    for names in (*GOALS.values(), KPIS_ELSE):
        assert rates.issuperset(names)
    assert kpis_of("recall")[0] == "recall_rate"
    assert kpis_of("something else") == kpis_of(None) == KPIS_ELSE


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("click_rate:sent", "no metric 'click_rate'"),
        ("failure_rate:delivered", "meant, sent"),
        ("failure_rate", "meant, sent"),
        ("failure_rate:sent,failure_rate:meant", "twice"),
        (",", "no metric ''"),
    ],
)
def test_what_is_not_defined_is_refused_with_what_is(asked: str, says: str) -> None:
    with pytest.raises(UnknownDefinition, match=says):
        chosen(asked)
