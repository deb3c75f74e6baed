"""Segments that marketers ask for most, to begin with.

Owns these examples. Must not know any account: what one needs is named beside it.
"""

from __future__ import annotations

from typing import Final

import msgspec


class Preset(msgspec.Struct, frozen=True, kw_only=True):
    """An expression with the practice it stands for. `attributes`, `segments` and `events`: what
    the account must have for it, with the type of each attribute.
    """

    name: str
    label: str
    source: str
    attributes: dict[str, str]
    segments: tuple[str, ...] = ()
    events: tuple[str, ...] = ()


RECALLED_IN_VAIN: Final = (
    "count(recall_delivered, 90d) >= 3 and count(click, 90d) = 0 and count(login, 90d) = 0"
)
PRESETS: Final = (
    Preset(
        name="cart_not_paid",
        label="加购未付款",
        source="count(cart_add, 3d) >= 1 and count(order_paid, 3d) = 0",
        attributes={},
        events=("cart_add", "order_paid"),
    ),
    Preset(
        name="half_a_year_silent",
        label="半年无互动",
        source="days_since(any) >= 180",
        attributes={},
    ),
    Preset(
        name="guangdong_merchants_lost",
        label="广东且商家流失",
        source='province = "广东" and segment("商家流失")'
        " and days_since(order_paid) between 30 and 90",
        attributes={"province": "text"},
        segments=("商家流失",),
        events=("order_paid",),
    ),
    Preset(
        name="young_in_large_cities",
        label="25-35岁一二线",
        source="age between 25 and 35 and city_tier in (1, 2)",
        attributes={"birthday": "date", "city_tier": "number"},
    ),
    Preset(
        name="recalled_in_vain",
        label="多次召回无效",
        source=RECALLED_IN_VAIN,
        attributes={},
        events=("recall_delivered", "click", "login"),
    ),
)
