"""The metric registry (口径): each figure of a campaign's report, with what it is a figure of.

Owns the names and the definitions. Must not make a rate (metrics.py), nor count anything. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Literal

import msgspec

from campaigns.reporting.cells import REPLIES

FAILURES = ("undelivered", "expired", "rejected", "failed")
RECEIPTS = timedelta(hours=72)
RECALL_DAYS = 7
RECALL_EVENT = "login"
OPT_OUT_HOURS = 72


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """One way to compute a metric: sums of counts. `people` False: the numerator may exceed the
    denominator, and there are no bounds.
    """

    name: str
    text: str
    numerator: tuple[str, ...]
    denominator: tuple[str, ...] = ()
    less: tuple[str, ...] = ()
    people: bool = True


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """One figure. The first definition holds where none is asked for. `settles`: how long after
    the last message it may still change.
    """

    name: str
    label: str
    kind: Literal["count", "rate", "mean", "hours"]
    definitions: tuple[Definition, ...]
    settles: timedelta = RECEIPTS


def _count(name: str, label: str, text: str, *parts: str, days: float = 3) -> Metric:
    found = Definition(name="count", text=text, numerator=parts or (name,))
    return Metric(
        name=name, label=label, kind="count", definitions=(found,), settles=timedelta(days=days)
    )


def _rate(name: str, label: str, *definitions: Definition, days: float = 3) -> Metric:
    return Metric(
        name=name, label=label, kind="rate", definitions=definitions, settles=timedelta(days=days)
    )


def _by(
    name: str,
    text: str,
    numerator: str | tuple[str, ...],
    denominator: str | tuple[str, ...],
    *,
    less: tuple[str, ...] = (),
    people: bool = True,
) -> Definition:
    return Definition(
        name=name,
        text=text,
        numerator=(numerator,) if isinstance(numerator, str) else numerator,
        denominator=(denominator,) if isinstance(denominator, str) else denominator,
        less=less,
        people=people,
    )


_CLICK_DAYS = 7.0  # a click may come, and a conversion in the window after it
_REPLY_LABELS = MappingProxyType(
    {
        "opt_out": "退订", "opt_in": "订阅", "help": "咨询", "keyword": "感兴趣", "rating": "评分",
        "other": "其他",
    }
)  # fmt: skip
_OPEN = (
    _by(
        "clicks", "People who clicked, of those delivered: who clicks has read it.",
        "clicked_delivered", "delivered",
    ),
    _by(
        "replies", "People who answered, of those delivered: for texts without a link.",
        "replied_delivered", "delivered",
    ),
    _by(
        "clicks_sent", "Clicks of people a message sent (点击量/发送量).",
        "human_clicks", "sent", people=False,
    ),
    _by(
        "clicks_delivered", "Clicks of people a delivered message (打开次数/成功送达数).",
        "human_clicks_delivered", "delivered", people=False,
    ),
)  # fmt: skip
_RETAINED = tuple(
    _rate(
        f"retained_d{day}", f"{day} 日留存",
        _by(
            "recalled",
            f"People back on day {day} after the day they returned, of those who returned.",
            f"retained_d{day}", "recalled",
        ),
        days=3 + RECALL_DAYS + day,
    )
    for day in (1, 7, 30)
)  # fmt: skip

METRICS: tuple[Metric, ...] = (
    _count("accepted", "提交量", "Messages that were stored."),
    _count("sent", "发送量", "Messages that went, or may have gone, to a carrier."),
    _count("parts", "计费条数", "Parts of them, as a phone gets them."),
    _count("delivered", "成功量", "Messages with a delivery receipt for each part."),
    _count("failures", "失败量", "Messages that a carrier or the gateway gave up.", *FAILURES),
    _count(
        "uv_sms", "UV", "People who clicked; machines are none.", "clicked", days=_CLICK_DAYS
    ),
    _count("conversions", "转化量", "Conversions, each credited once.", days=_CLICK_DAYS),
    _count("opted_out", "退订人数", "People who opted out within 72 hours of their message."),
    _count("replied", "回复人数", "People who answered."),
    _count("complained", "投诉人数", "People about whose message somebody complained."),
    _count(
        "recalled", "召回人数", f"People with a {RECALL_EVENT} within 7 days of delivery.", days=10
    ),
    _rate("delivery_rate", "送达率", _by("sent", "Delivered of sent.", "delivered", "sent")),
    _rate(
        "confirmed_rate", "送达率(有回执)",
        _by(
            "verdicts", "Delivered of those with a verdict: receipts lag.",
            "delivered", ("delivered", "undelivered", "expired", "rejected"),
        ),
    ),
    _rate(
        "failure_rate", "失败率",
        _by(
            "meant", "Failed of what was meant to go out.", FAILURES, "accepted",
            less=("suppressed", "capped", "canceled"),
        ),
        _by(
            "sent", "Failed at a carrier, of sent (失败量/发送量).",
            ("undelivered", "expired", "rejected"), "sent",
        ),
    ),
    _rate("unknown_rate", "未知率", _by("sent", "Without a verdict, of sent.", "unknown", "sent")),
    _rate(
        "unconfirmed_rate", "存疑率",
        _by("accepted", "Of which nobody knows, of accepted.", "unconfirmed", "accepted"),
    ),
    _rate(
        "suppressed_rate", "屏蔽率",
        _by("accepted", "Stopped by a rule, of accepted.", "suppressed", "accepted"),
    ),
    _rate("open_rate_est", "打开率(估计)", *_OPEN, days=_CLICK_DAYS),
    _rate(
        "ctr_delivered", "点击率(次)",
        _by(
            "delivered", "Clicks of people a delivered message: it may exceed 1.",
            "human_clicks_delivered", "delivered", people=False,
        ),
        _by("sent", "Clicks of people a sent message.", "human_clicks", "sent", people=False),
        days=_CLICK_DAYS,
    ),
    _rate(
        "uctr_delivered", "点击率(人)",
        _by("delivered", "People who clicked, of delivered.", "clicked_delivered", "delivered"),
        _by("sent", "People who clicked, of sent.", "clicked", "sent"),
        days=_CLICK_DAYS,
    ),
    _rate(
        "landing_rate", "到达率(访问量/点击量)",
        _by(
            "clicks", "Clicks of people of which the landing page told.",
            "landed_clicks", "human_clicks",
        ),
        days=_CLICK_DAYS,
    ),
    _rate(
        "cvr_click", "点击转化率",
        _by("people", "People who converted, of those who clicked.", "converted", "clicked"),
        _by(
            "clicks", "Conversions a click of people (转化量/点击量).",
            "conversions", "human_clicks", people=False,
        ),
        days=_CLICK_DAYS,
    ),
    _rate(
        "cvr_delivered", "送达转化率",
        _by("delivered", "People who converted, of delivered.", "converted_delivered", "delivered"),
        days=_CLICK_DAYS,
    ),
    _rate(
        "cvr_visit", "访问转化率",
        _by("visitors", "People who converted, of those who landed.", "converted_visitors",
            "visitors"),
        days=_CLICK_DAYS,
    ),
    _rate(
        "reply_rate", "回复率",
        _by("delivered", "People who answered, of delivered.", "replied_delivered", "delivered"),
    ),
    *(
        _rate(
            f"reply_rate_{each}", f"回复率({_REPLY_LABELS[each]})",
            _by(
                "delivered", f"People who answered with {each}, of delivered.",
                f"replied_{each}", "delivered",
            ),
        )
        for each in REPLIES
    ),
    _rate(
        "unsub_rate_sent", "退订率(发送)",
        _by("sent", "People who opted out within 72 hours, of sent.", "opted_out", "sent"),
    ),
    _rate(
        "unsub_rate_delivered", "退订率(送达)",
        _by(
            "delivered", "People who opted out within 72 hours, of delivered.",
            "opted_out_delivered", "delivered",
        ),
    ),
    _rate(
        "recall_rate", "召回率",
        _by(
            "delivered", f"People with a {RECALL_EVENT} within 7 days, of delivered.",
            "recalled", "delivered",
        ),
        days=3 + RECALL_DAYS,
    ),
    *_RETAINED,
    _rate(
        "uv_share", "UV 占比",
        _by("site", "People who clicked, of the visitors the site counted.", "clicked", "site_uv"),
        days=_CLICK_DAYS,
    ),
    Metric(
        name="survey_mean", label="平均评分", kind="mean",
        definitions=(
            _by(
                "ratings", "The sum of ratings by how many came.", "rating_sum", "ratings",
                people=False,
            ),
        ),
    ),
    Metric(
        name="half_life", label="点击半衰期", kind="hours", settles=timedelta(days=_CLICK_DAYS),
        definitions=(
            Definition(
                name="clicks_72h",
                text="Hours in which half of the clicks of the first 72 hours came.",
                numerator=("clicks_72h",),
            ),
        ),
    ),
)  # fmt: skip
BY_NAME: Mapping[str, Metric] = MappingProxyType({each.name: each for each in METRICS})
RATES: tuple[Metric, ...] = tuple(each for each in METRICS if each.kind in ("rate", "mean"))

# What shows whether a campaign reached its goal: the metrics to look at first.
GOALS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "recall": ("recall_rate", "retained_d7", "unsub_rate_delivered"),
        "acquisition": ("cvr_delivered", "cvr_click", "uctr_delivered"),
        "activity": ("uctr_delivered", "cvr_click", "reply_rate"),
        "exposure": ("delivery_rate", "open_rate_est", "unsub_rate_delivered"),
        "traffic": ("uctr_delivered", "landing_rate", "ctr_delivered"),
        "conversion": ("cvr_delivered", "cvr_click", "uctr_delivered"),
        "stickiness": ("recall_rate", "retained_d30", "reply_rate"),
    }
)
KPIS_ELSE = ("delivery_rate", "uctr_delivered", "cvr_delivered", "unsub_rate_delivered")


def kpis_of(goal: str | None) -> tuple[str, ...]:
    """The metrics to look at first."""
    return KPIS_ELSE if goal is None else GOALS.get(goal, KPIS_ELSE)
