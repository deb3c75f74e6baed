"""Tests of campaigns/templates/linter.py and its rules: what each finds, and what it lets be."""

from __future__ import annotations

from typing import Any

import pytest

from campaigns.templates.findings import Occasion
from campaigns.templates.linter import RULES, lint
from campaigns.templates.profiles import profile_names
from campaigns.templates.variables import Variable
from campaigns.templates.words import FOLDER, words
from campaigns.templates.words import found as words_found
from recipients.keywords import KeywordSets
from tests.campaigns.templates.counting import NAME, checked, found, measure

GOOD = "{{name}}满100减20元券已到账,11月11日前领取 {{link:main}} "
ENGLISH: dict[str, Any] = {"signature": "", "suffix": "Reply STOP to opt out"}


def test_a_good_text_is_let_be() -> None:
    assert lint(checked(GOOD), measure, Occasion()) == []
    assert (
        lint(checked("$20 off this Sunday, shop at {{link:main}}", **ENGLISH), measure, Occasion())
        == []
    )


def test_the_rules_are_twenty() -> None:
    assert list(RULES) == [f"R{number}" for number in range(1, 21)]


@pytest.mark.parametrize(
    ("rule", "body", "fields"),
    [
        ("R1", GOOD + "国" * 40, {}),
        ("R2", "满100减20元", {"signature": ""}),
        ("R2", "满100减20元【促销】", {}),
        ("R2", "满100减20元", {"signature": "【某】"}),
        ("R2", "满100减20元", {"signature": "【某某某某某某某某某某某某某】"}),
        ("R3", "满100减20元", {"suffix": ""}),
        ("R3", "拒收请回复R,满100减20元", {"suffix": ""}),
        ("R3", "满100减20元", {"suffix": "拒收请回复ABC"}),
        ("R4", "满100减20元,回复N报名", {}),
        ("R4", "20% off, reply STOP for more", {**ENGLISH}),
        ("R5", "某某商城周年庆典活动正在火热进行中,满100减20元", {}),
        ("R6", "免费领取", {}),
        ("R7", "满100减20元", {}),
        ("R8", GOOD.replace("{{link:main}}", ""), {}),
        ("R10", "国家级品质,满100减20元", {}),
        ("R11", "史上最低价,满100减20元", {}),
        ("R12", "限时满100减20元", {}),
        ("R13", "新款上市,欢迎光临", {}),
        ("R14", "{{name}}满100减20元", {"variables": {"name": Variable(type="text", max=8)}}),
        ("R18", "Café “Rosé” 20% off, visit us", {**ENGLISH}),
    ],
)  # fmt: skip
def test_each_rule_finds_what_it_is_for(rule: str, body: str, fields: dict[str, Any]) -> None:
    assert found(body, rule, **fields)


@pytest.mark.parametrize(
    ("rule", "body", "fields"),
    [
        ("R1", GOOD + "国" * 40, {"max_parts": 2}),
        ("R2", "20% off", {**ENGLISH}),
        ("R3", "您的订单已发货", {"category": "service", "suffix": ""}),
        ("R3", "满100减20元", {"suffix": "回T退订"}),
        ("R3", "满100减20元", {"suffix": "退订回TD。"}),
        ("R4", "满100减20元,回复1报名", {}),
        ("R5", "您有500积分即将到账", {}),
        ("R6", "{{p}}元券", {"variables": {"p": Variable(type="money", max=5, fallback="20")}}),
        ("R8", "满减 https://shop.example/a", {}),
        ("R12", "限时满100减20元,明天截止", {}),
        ("R13", "{{name}},新款上市", {}),
        ("R14", "{{c}} is your code",
         {"category": "otp", "variables": {"c": Variable(type="code", max=6)}}),
        ("R18", "满100减20元", {}),
        ("R18", "20% off", {**ENGLISH}),
    ],
)  # fmt: skip
def test_each_rule_lets_be_what_is_right(rule: str, body: str, fields: dict[str, Any]) -> None:
    assert found(body, rule, **fields) == []


def test_r1_says_what_the_longest_text_needs() -> None:
    [finding] = found("国" * 70, "R1")
    assert finding.level == "error"
    assert "82 characters in 2 parts" in finding.detail


def test_c49_generic_words_are_told() -> None:
    """C49: 欢迎光临 is nobody's text."""
    [finding] = found("新品上市,欢迎光临", "R13")
    assert finding.level == "warning"
    assert found("{{name}},新品上市", "R13") == found("新品8折", "R13") == []


def test_c46_winning_back_and_surveys_are_what_providers_refuse() -> None:
    body = "老用户召回,填问卷调查抽奖,积分兑换 {{link:main}} "
    [alibaba, huawei, tencent] = found(
        body, "R16", link_mode="shared", providers=("alibaba", "huawei", "tencent")
    )
    assert (alibaba.provider, huawei.provider, tencent.provider) == ("alibaba", "huawei", "tencent")
    assert alibaba.words == ("老用户召回", "问卷调查", "抽奖", "积分兑换")
    assert alibaba.level == "warning"
    assert found(body, "R16") == found(body, "R16", providers=("qiniu",)) == []


def test_r15_places_of_variables_by_provider() -> None:
    two = {"name": NAME, "b": Variable(type="text", max=40, fallback="x")}
    said = found("{{name}}{{b}}满减", "R15", variables=two, providers=("alibaba",))
    assert [each.words for each in said] == [("name", "b"), ("b",)]
    said = found("{{name}}好,{{name}}", "R15", providers=("huawei",))
    assert {each.detail.partition(": ")[2] for each in said} == {
        "marketing may have no variables",
        "a variable stands twice",
    }
    assert found("{{name}}", "R15", providers=("tencent",), category="service", suffix="")
    assert found("{{name}}{{b}}满减", "R15", variables=two) == []


def test_r17_signs_emoji_and_traditional_characters() -> None:
    [said] = found("★满100减20元😀,購物", "R17", providers=("alibaba",))
    assert said.words == ("★", "😀", "購")
    assert found("★满100减20元", "R17") == []


def test_r11_a_word_that_the_law_forbids_is_told_once() -> None:
    assert found("最佳品质", "R11") == []
    assert found("最佳品质", "R10")[0].level == "error"
    assert found("全网最低,第一", "R11")[0].words == ("全网最低", "第一")


def test_r18_values_alone_may_change_the_alphabet() -> None:
    [said] = found("Hi {{name}}, 20% off", "R18", variables={
        "name": Variable(type="text", max=8, fallback="there")}, **ENGLISH)  # fmt: skip
    assert "value" in said.detail
    [said] = found("Café “Rosé”", "R18", **ENGLISH)
    assert said.words == ("“", "”")


def test_r4_and_r3_know_the_words_of_the_account() -> None:
    occasion = Occasion(keywords=KeywordSets.of(opt_out=["ABC"]))
    assert found("满100减20元", "R3", occasion)[0].words == ("R",)
    assert found("满100减20元", "R3", occasion, suffix="拒收请回复ABC") == []
    assert found("满100减20元,回复N报名", "R4", occasion) == []


def test_r9_r19_r20_judge_what_is_known_of_the_occasion() -> None:
    dead = Occasion(links={"main": "404", "other": None})
    assert found(GOOD, "R9", dead)[0].words == ("main",)
    assert found(GOOD, "R9") == []
    assert found(GOOD, "R19", Occasion(days_since_used=29.0))[0].level == "warning"
    assert found(GOOD, "R19", Occasion(days_since_used=30.0)) == []
    assert found(GOOD, "R19", Occasion(first_touch=1))[0].level == "error"
    assert found(GOOD, "R19", Occasion(first_touch=2)) == []
    late = Occasion(hours=(10 * 60, 21 * 60 + 30))
    said = found(GOOD, "R20", late, providers=("getui", "qiniu"))
    assert [each.provider for each in said] == ["getui", "qiniu"]
    assert found(GOOD, "R20", Occasion(hours=(10 * 60, 20 * 60)), providers=("qiniu",)) == []
    assert found(GOOD, "R20", Occasion(hours=(22 * 60, 9 * 60)), providers=("qiniu",))
    assert found(GOOD, "R20", late) == []


def test_every_list_of_words_is_read_and_profiles_name_lists() -> None:
    for path in FOLDER.glob("*.txt"):
        assert words(path.stem), path
    assert len(words("superlatives")) >= 120
    assert profile_names()


def test_a_word_within_a_longer_one_is_not_told_again() -> None:
    assert words_found("superlatives", "全网最低价") == ("全网最低",)
    assert words_found("actions", "SHOP now, Click") == ("shop", "click")
