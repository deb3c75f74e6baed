"""Tests of campaigns/templates/content.py."""

from __future__ import annotations

from typing import Any

import pytest

from campaigns.templates.content import Content, faults, link_mode_of, version, whole_text
from campaigns.templates.profiles import profile, profile_names
from campaigns.templates.variables import Variable
from tests.campaigns.templates.counting import content


@pytest.mark.parametrize(
    ("fields", "code", "pointer"),
    [
        ({"body": " "}, "template_invalid", "/body"),
        ({"body": "x" * 1_001}, "template_invalid", "/body"),
        ({"body": "{{name"}, "template_invalid", "/body"),
        ({"body": "{{other}}"}, "variable_unknown", "/body"),
        ({"variables": {"n": Variable(type="int", max=3)}}, "variable_unused", "/variables/n"),
        ({"category": "news"}, "category_unknown", "/category"),
        ({"signature": "某某"}, "template_invalid", "/signature"),
        ({"signature": "【a】【b】"}, "template_invalid", "/signature"),
        ({"suffix": "回T{{x}}"}, "template_invalid", "/suffix"),
        ({"max_parts": 0}, "out_of_range", "/max_parts"),
        ({"providers": ("acme",)}, "provider_unknown", "/providers/0"),
        ({"providers": ("huawei",) * 21}, "out_of_range", "/providers"),
        ({"links": {"x": "https://a.example"}}, "link_unused", "/links/x"),
        ({"body": "{{link:a}}", "link_mode": "shared"}, "link_name_unknown", "/body"),
        ({"body": "{{link:a}}", "link_mode": "none"}, "link_mode_refused", "/body"),
        ({"body": "{{link:a}}", "links": {"a": "ftp://x"}}, "link_url_invalid", "/links/a"),
    ],
)
def test_each_fault_has_its_place(fields: dict[str, Any], code: str, pointer: str) -> None:
    told = fields | {"body": fields.get("body", "满100减20元")}
    assert [(each.code, each.pointer) for each in faults(content(**told))] == [(code, pointer)]


def test_all_faults_are_told_at_once() -> None:
    wrong = Content(
        category="news", body="{{a}}", variables={"b-c": Variable(type="date", max=3)},
        suffix="{", max_parts=11, providers=("acme",),
    )  # fmt: skip
    assert {each.pointer for each in faults(wrong)} == {
        "/category", "/suffix", "/max_parts", "/providers/0", "/body", "/variables/b-c",
        "/variables/b-c/max",
    }  # fmt: skip


def test_c45_providers_with_constant_links_take_shared_ones() -> None:
    for name in ("alibaba", "tencent", "huawei"):
        assert link_mode_of((name,)) == "shared"
        told = content("满100减20元 {{link:main}}", providers=(name,))
        assert [each.code for each in faults(told)] == ["link_mode_refused"]
        shared = content("满100减20元 {{link:main}}", providers=(name,), link_mode="shared")
        assert faults(shared) == []
    assert link_mode_of(("qiniu",)) == link_mode_of(()) == "personal"


def test_c45_no_value_goes_into_a_shared_link() -> None:
    told = content(
        "{{name}}满100减20元 {{link:main}}",
        link_mode="shared",
        links={"main": "https://a.example/{{name}}"},
    )
    assert [each.code for each in faults(told)] == ["link_url_invalid"]


def test_signature_and_suffix_stand_once() -> None:
    assert whole_text(content("满减")) == "【某某商城】满减拒收请回复R"
    assert whole_text(content("【某某商城】满减拒收请回复R")) == "【某某商城】满减拒收请回复R"
    assert whole_text(content("Sale", suffix="Reply STOP to opt out")).endswith(
        "Sale Reply STOP to opt out"
    )
    assert version(1, 2, content("满减")).pieces == ("【某某商城】满减拒收请回复R",)


def test_every_profile_is_read() -> None:
    assert set(profile_names()) >= {"alibaba", "tencent", "huawei", "volcengine", "qiniu", "getui"}
    for name in profile_names():
        told = profile(name)
        assert told.source
        assert told.hours is None or 0 <= told.hours[0] < told.hours[1] <= 24 * 60
    assert profile("huawei").hours == (8 * 60, 22 * 60)
