"""What the demo sends: GSM 03.38 and Chinese, one part and several, with and without a link.

Owns the texts, their three categories, and the numbers. Must not text anybody real: the numbers end
as the demo's simulator profile scripts them.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

SEED = 20260101

_TEXTS: tuple[tuple[str, str], ...] = (
    ("otp", "Your code is {n:06d}. It is valid for 5 minutes."),
    ("otp", "验证码{n:06d}，5分钟内有效，请勿告诉他人。"),
    ("transactional", "Order {n} has been shipped. Track it: https://shop.example/track/{n}"),
    ("transactional", "您的订单{n}已发货，点击查看物流：https://shop.example/track/{n}"),
    (
        "transactional",
        "Dear customer, your parcel {n} could not be delivered today as nobody was at home. "
        "We will try again tomorrow between 9 and 12; to choose another day or a pickup point, "
        "call us or visit your account. Thank you for your patience.",
    ),
    (
        "marketing",
        "【示例商城】会员日开始了：全场满300减50，积分双倍，会员专享礼品先到先得，"
        "活动仅限三天，点击查看您的专属优惠券：https://shop.example/sale 数量有限，赶快行动吧！",
    ),
    ("marketing", "Members' day: 20% off everything until Sunday. https://shop.example/sale"),
)


def requests(count: int, campaign: str) -> Iterator[dict[str, object]]:
    """`count` bodies as POST /v1/messages/batch takes them, the same ones for the same count."""
    chance = random.Random(SEED)
    for number in range(count):
        category, text = _TEXTS[number % len(_TEXTS)]
        yield {
            "to": _number(chance),
            "from": "SHOP",
            "text": text.format(n=chance.randrange(1_000_000)),
            "category": category,
            "campaign_id": campaign,
        }


def _number(chance: random.Random) -> str:
    """A Chinese mobile number; the last four digits decide its outcome in the simulator."""
    return f"+86138{chance.randrange(100_000_000):08d}"
