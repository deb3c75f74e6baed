"""The words of the opt-out page, in English and Chinese.

Owns them, and which language a reader gets. Must not make HTML. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from shortlinks.opt_outs import EVERY, Language
from storage.categories import Category

LANGUAGE_CHARACTERS_MAX = 256  # of an Accept-Language that is read


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """One language. `{name}` is who texts, `{kind}` what."""

    tag: str
    title: str
    open: str
    out: str
    stop: str
    undo: str
    stopped: str
    undone: str
    chosen: str
    nothing_asked: str
    machine: str
    choose: str
    kept_elsewhere: str
    codes_stay: str
    month: str
    any_number: str
    days: str
    weekdays: tuple[str, ...]
    save: str
    stop_all: str
    other_language: str
    categories: Mapping[int, str]


ENGLISH: Final = Words(
    tag="en",
    title="Messages from {name}",
    open="{name} may send you {kind}.",
    out="{name} sends you no {kind}.",
    stop="Stop {kind}",
    undo="Undo",
    stopped="Done: {name} will send you no more {kind}.",
    undone="Undone: what this page had stopped may be sent to you again.",
    chosen="Saved: this is what may be sent to you.",
    nothing_asked="Nothing was changed: the request did not say what to do.",
    machine="Nothing was changed: this request came from a program, not from a person.",
    choose="Choose what you get",
    kept_elsewhere="stopped in another way; this page cannot undo it",
    codes_stay="Codes to sign in stay as they are.",
    month="Most offers and news in 30 days",
    any_number="Any number",
    days="Offers and news only on these days; tick none for any day",
    weekdays=("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    save="Save",
    stop_all="Stop everything, also codes to sign in",
    other_language="中文",
    categories=MappingProxyType(
        {
            EVERY: "messages",
            Category.MARKETING: "offers and news",
            Category.SERVICE: "service messages",
            Category.TRANSACTIONAL: "messages about orders and accounts",
            Category.OTP: "codes to sign in",
        }
    ),
)
CHINESE: Final = Words(
    tag="zh-CN",
    title="{name}的短信",
    open="{name}会向您发送{kind}。",
    out="{name}不再向您发送{kind}。",
    stop="退订{kind}",
    undo="撤销",
    stopped="已退订：{name}不会再向您发送{kind}。",
    undone="已撤销：此页面退订的内容可再次发送给您。",
    chosen="已保存：以下内容可发送给您。",
    nothing_asked="未作更改：请求没有说明要做什么。",
    machine="未作更改：此请求来自程序，而非本人。",
    choose="选择您要接收的内容",
    kept_elsewhere="已通过其他方式退订，此页面无法撤销",
    codes_stay="登录验证码不受影响。",
    month="30 天内营销短信最多",
    any_number="不限",
    days="仅在以下日期接收营销短信；不选则不限",
    weekdays=("星期一", "星期二", "星期三", "星期四", "星期五", "星期六", "星期日"),
    save="保存",
    stop_all="退订全部，包括登录验证码",
    other_language="English",
    categories=MappingProxyType(
        {
            EVERY: "短信",
            Category.MARKETING: "营销短信",
            Category.SERVICE: "服务短信",
            Category.TRANSACTIONAL: "订单与账户通知",
            Category.OTP: "登录验证码",
        }
    ),
)
WORDS: Final[Mapping[Language, Words]] = MappingProxyType({"en": ENGLISH, "zh": CHINESE})


def language_of(accept_language: str, otherwise: Language) -> Language:
    """The language that an Accept-Language (RFC 9110 section 12.5.4) prefers of those here."""
    best, weight = otherwise, 0.0
    for choice in accept_language[:LANGUAGE_CHARACTERS_MAX].split(","):
        tag, _, parameter = choice.partition(";")
        named = tag.strip().lower().partition("-")[0]
        language: Language
        if named == "zh":
            language = "zh"
        elif named == "en":
            language = "en"
        else:
            continue
        quality = _quality(parameter)
        if quality > weight:
            best, weight = language, quality
    return best


def _quality(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        return min(1.0, max(0.0, float(value)))
    except ValueError:
        return 0.0
