"""What reports count, for docs/metrics.md: each figure with its names and when it is final.

Owns the words. The formulas stand beside what computes them; must not repeat one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

import msgspec

from dlr.rates import FORMULAS, Formula
from recipients.reply_report import REPLY_FORMULAS


class Figure(msgspec.Struct, frozen=True):
    """`chinese`: its name there. `counts`: what is counted; empty where a formula says it.
    `final`: when it does not move any more.
    """

    chinese: str
    counts: str
    final: str


_AT_ONCE = "at once"
_WIRE = "when no part waits"
_RECEIPTS = "when the day is final"
_OPEN = "never: replies and clicks have no end"

COUNTED: Mapping[str, Figure] = MappingProxyType(
    {
        "accepted": Figure("提交数", "messages stored in the span", _AT_ONCE),
        "sent": Figure("发送数", "messages of which a part was, or may have been, sent", _WIRE),
        "delivered": Figure("送达数", "messages of which each part is delivered", _RECEIPTS),
        "undelivered": Figure("未送达数", "messages that the carrier could not deliver", _RECEIPTS),
        "expired": Figure("过期数", "messages whose validity ended before", _RECEIPTS),
        "rejected": Figure("拒绝数", "messages that the carrier refused", _RECEIPTS),
        "unknown": Figure("未知数", "messages without a final receipt in time", _RECEIPTS),
        "failed": Figure("失败数", "messages that ended by our fault or given up", _RECEIPTS),
        "suppressed": Figure("屏蔽数", "messages to numbers that must not get them", _AT_ONCE),
        "capped": Figure("频控数", "messages to numbers that had enough", _WIRE),
        "canceled": Figure("取消数", "messages taken back before they were sent", _WIRE),
        "unconfirmed": Figure("待确认数", "messages in doubt", "when somebody decides"),
        "pending": Figure("在途数", "`accepted` less all of these but `sent`", _RECEIPTS),
        "late": Figure("迟到回执数", "messages whose last receipt came after their end", _RECEIPTS),
        "clicks": Figure("点击数", "requests for a short link, by anybody", _OPEN),
        "human_clicks": Figure("真人点击数", "those by people", _OPEN),
        "clicked_recipients": Figure("点击人数", "numbers with a click by a person", _OPEN),
        "conversions": Figure("转化数", "conversions with a click that counts", _OPEN),
        "conversions_without_click": Figure("无点击转化数", "conversions without one", _OPEN),
        "converted_recipients": Figure("转化人数", "numbers with a click and a conversion", _OPEN),
        "messages": Figure(
            "短信数", "messages stored in the span that have what is asked", _AT_ONCE
        ),
        "uv": Figure("短信 UV", "as `clicked_recipients`, in reports of clicks", _OPEN),
        "landed_clicks": Figure("到达数", "clicks of people of which the page told a visit", _OPEN),
        "visitors": Figure("访问人数", "numbers with such a click", _OPEN),
        "converted_visitors": Figure("访问转化人数", "those of them with a conversion", _OPEN),
        "replies": Figure("回复数", "messages from handsets that answer one", _OPEN),
        "opt_outs_by_page": Figure(
            "页面退订数", "messages on whose opt-out page something was ended", _OPEN
        ),
        "complaints": Figure("投诉数", "complaints about a message", _OPEN),
    }
)
RATED: Mapping[str, Figure] = MappingProxyType(
    {
        "delivery_rate": Figure("送达率", "", _RECEIPTS),
        "confirmed_rate": Figure("回执送达率", "", _RECEIPTS),
        "failure_rate": Figure("失败率", "", _RECEIPTS),
        "unknown_rate": Figure("未知率", "", _RECEIPTS),
        "unconfirmed_rate": Figure("待确认率", "", "when somebody decides"),
        "suppressed_rate": Figure("屏蔽率", "", _AT_ONCE),
        "reply_rate": Figure("回复率", "", _OPEN),
        **{
            name: Figure(f"{chinese}回复率", "", _OPEN)
            for name, chinese in (
                ("reply_rate_opt_out", "退订"),
                ("reply_rate_opt_in", "订阅"),
                ("reply_rate_help", "求助"),
                ("reply_rate_keyword", "关键词"),
                ("reply_rate_rating", "评分"),
                ("reply_rate_other", "其他"),
            )
        },
        "unsubscribe_rate_sent": Figure("退订率（按发送）", "", _OPEN),
        "unsubscribe_rate_delivered": Figure("退订率（按送达）", "", _OPEN),
        "complaint_rate": Figure("投诉率", "", _OPEN),
    }
)
_CLICK_RATES = (
    ("ctr_delivered", "点击率", "human_clicks_delivered", "delivered"),
    ("uctr_delivered", "独立点击率", "clicked_recipients_delivered", "delivered"),
    ("landing_rate", "到达率", "landed_clicks", "human_clicks"),
    ("uv_share", "短信 UV 占比", "uv", "site_uv"),
    ("cvr_click", "点击转化率", "converted_recipients", "clicked_recipients"),
    ("cvr_visit", "访问转化率", "converted_visitors", "visitors"),
    ("cvr_delivered", "送达转化率", "converted_recipients_delivered", "delivered"),
)
_OF_CLICKS = (
    (
        "first_click",
        "首次点击时延",
        "seconds from delivery to a person's first click, at 50, 95, 99 %",
    ),
    ("half_life_hours", "点击半衰期", "hours in which half of the clicks of 72 hours came"),
    ("revenue", "转化金额", "values of conversions with a click, by currency"),
    ("steps", "转化漏斗", "people who did each step after all before it, of those who clicked"),
)
_TIMES = (
    ("answer", "响应时延", "acceptance to the carrier's last answer"),
    ("receipt", "回执时延", "last submit to last receipt"),
)
INTRODUCTION = """\
## Figures of reports

What `/v1/reports` tells. A message counts in the moment it was accepted, whatever becomes of it
later. `…_delivered` counts on delivered messages. A day is final when no message of it can change
in the usual way: five days later at the earliest. Until then a report is `provisional`.

| Figure | Chinese | Numerator, or what is counted | Denominator | Final |
| --- | --- | --- | --- | --- |"""


def lines() -> Iterator[str]:
    """The section of the page, line by line."""
    yield INTRODUCTION
    for name, figure in COUNTED.items():
        yield _line(name, figure.chinese, figure.counts, "", figure.final)
    for name, formula in {**FORMULAS, **REPLY_FORMULAS}.items():
        figure = RATED[name]
        yield _line(name, figure.chinese, *_sides(formula), figure.final)
    for name, chinese, numerator, denominator in _CLICK_RATES:
        yield _line(name, chinese, f"`{numerator}`", f"`{denominator}`", _OPEN)
    for name, chinese, what in _OF_CLICKS:
        yield _line(name, chinese, what, "", _OPEN)
    for name, chinese, what in _TIMES:
        yield _line(name, chinese, f"seconds from {what}, at 50, 95 and 99 %", "", _RECEIPTS)


def _line(name: str, *cells: str) -> str:
    return f"| `{name}` | {' | '.join(cells)} |"


def _sides(formula: Formula) -> tuple[str, str]:
    less = "".join(f" - `{name}`" for name in formula.less)
    return _sum(formula.numerator), _sum(formula.denominator) + less


def _sum(names: tuple[str, ...]) -> str:
    return " + ".join(f"`{name}`" for name in names)
