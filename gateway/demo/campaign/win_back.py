"""The win-back case (流失召回): thirty people of eleven kinds of goods, and what each of them did.

Owns this cast, and what the file, the segment and the texts of every rehearsed campaign say. Must
not know how many people there are. Pure.

Three log in, two order, and one of them orders again.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from types import MappingProxyType

from gateway.demo.campaign.cast import Behaviour, Cast, Role

CATEGORIES = (
    "纸品", "洗护", "粮油", "零食", "乳品", "饮料", "生鲜", "母婴", "家清", "宠物", "小家电",
)  # fmt: skip
SURNAMES = ("王", "李", "张", "刘", "陈", "杨", "黄", "赵", "周", "吴")
TITLES = ("女士", "先生")
SENDER = "10690000"
STAFF_TAG = "员工"
PROVINCE, ANOTHER_PROVINCE = "广东", "福建"
SEGMENT = f'province = "{PROVINCE}" and days_until(last_order) between -90 and -30'
SECOND_SEGMENT = f"{SEGMENT} and count(login, 3d) = 0"
LOGGED_IN = "count(login, 3d) >= 1"
TEST_NUMBER = "+8613900009999"
# As a business calls them: name, label, type. A file's columns are found by the labels.
ATTRIBUTES = (
    ("name", "姓名", "text"),
    ("province", "省份", "text"),
    ("category", "常买品类", "text"),
    ("last_order", "上次下单", "date"),
)
COLUMNS = ("会员号", "手机号", "姓名", "省份", "常买品类", "上次下单", "标签")
# What tells the texts apart: both arms of the first touch, and the second touch.
MARKS = ("满100减20元", "立减20元", "再送10元")
SECOND_TOUCH = 2
# Of fewer people everybody is in the test, and it cannot show which text is better.
TEST_FROM, TEST_LEAST, TEST_SHARE = 15_000, 10_000, 0.2
TOO_FEW, BETTER = "too few to say", "arm 1 is better"
_BODIES = ("{{name}}满100减20元,{{category}}周日前领取 {{link:main}} ",
           "{{name}}立减20元,{{category}}周日前下单 {{link:main}} ",
           "{{name}}再送10元,{{category}}周日前领取 {{link:main}} ")  # fmt: skip

WIN_BACK = Cast(
    people=30,
    script=MappingProxyType(
        {
            2: Behaviour(preview=0, taps=2, done=4),  # orders, and buys again
            9: Behaviour(taps=1, done=3),
            14: Behaviour(preview=2, taps=1, done=1),  # logs in, and that is all
            17: Behaviour(taps=1),
            20: Behaviour(preview=1, taps=1, reply="R"),
            21: Behaviour(preview=3),  # a machine asked for the card, and nobody tapped
            22: Behaviour(preview=0),
            27: Behaviour(reply="退订"),
        }
    ),
)


def file_of(cast: Cast, today: date) -> Iterator[str]:
    """The file of contacts as CSV, in pieces."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    for place in range(cast.rows):
        writer.writerow(_row(cast, place, today))
        if buffer.tell() > 64_000:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def external_id(place: int) -> str:
    """As the business calls the person at this place."""
    return f"u-{place + 1}"


def category(place: int) -> str:
    """What they bought most."""
    return CATEGORIES[place % len(CATEGORIES)]


def template(text: int, link: str) -> Mapping[str, object]:
    """The request for one of the texts, by its place in MARKS. Its link leads to `link`."""
    return {
        "name": f"流失召回 {MARKS[text]}",
        "category": "marketing",
        "signature": "【某某商城】",
        "body": _BODIES[text],
        "suffix": "拒收请回复R",
        "variables": {
            "name": {"type": "text", "max": 4, "source": "attr.name", "fallback": "会员"},
            "category": {"type": "text", "max": 4, "source": "attr.category", "fallback": "好物"},
        },
        "links": {"main": {"url": link}},
    }


def test_share(people: int) -> float:
    """Who of the people is in the test: a fifth, and no less than can show it."""
    return 1 if people < TEST_FROM else round(max(TEST_SHARE, TEST_LEAST / people), 4)


def better(people: int) -> str:
    """What a report must say of the two texts: the other one brings more taps, by everybody's
    habits, and few people cannot show it.
    """
    return TOO_FEW if people < TEST_FROM else BETTER


def text_of(words: str) -> int | None:
    """Which of the texts it is that a handset shows, by its place in MARKS; None: none of them."""
    return next((place for place, mark in enumerate(MARKS) if mark in words), None)


def _row(cast: Cast, place: int, today: date) -> tuple[str, ...]:
    role = cast.role(place)
    number = cast.number(place)
    if role is Role.NO_NUMBER:
        number = ""
    elif role is Role.UNREADABLE:
        number = number[:9]
    days = 5 if role is Role.RECENT else 31 + place % 58
    return (
        external_id(place),
        number.removeprefix("+86"),
        SURNAMES[place % len(SURNAMES)] + TITLES[place % len(TITLES)],
        ANOTHER_PROVINCE if role is Role.ELSEWHERE else PROVINCE,
        category(place),
        (today - timedelta(days=days)).isoformat(),
        STAFF_TAG if role is Role.STAFF else "",
    )
