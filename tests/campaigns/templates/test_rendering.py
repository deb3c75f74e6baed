"""Tests of campaigns/templates/rendering.py."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from campaigns.templates.rendering import Rendered, Skipped, render
from campaigns.templates.variables import Variable
from tests.campaigns.templates.counting import NAME, checked

GREETING = checked("{{name}}您好,满100减20元 {{link:main}}")
BARE = checked("您好,{{name}}", variables={"name": Variable(type="text", max=8)})


def test_a_value_goes_where_its_name_stands() -> None:
    found = render(GREETING, {"name": "王女士", "other": "x"})
    assert isinstance(found, Rendered)
    assert found.text == "【某某商城】王女士您好,满100减20元 {{link:main}} 拒收请回复R"
    assert found.links == {"main": "https://shop.example/sale"}
    assert (found.fallbacks, found.removed) == ({}, {})


def test_c44_who_has_no_name_gets_the_fallback_or_nothing() -> None:
    for value, why in (
        (None, "missing"), ("", "blank"), (" \n", "blank"), ("【】", "blank"),
        ("一二三四五六七八九", "too_long"), ([], "invalid"),
    ):  # fmt: skip
        found = render(GREETING, {"name": value})
        assert isinstance(found, Rendered)
        assert found.text.startswith("【某某商城】会员您好")
        assert found.fallbacks == {"name": why}
        assert render(BARE, {"name": value}) == Skipped(why, "name")
    assert "no fallback" in Skipped("missing", "name").in_words


def test_c48_values_are_not_read_as_places_and_what_is_removed_is_counted() -> None:
    found = render(GREETING, {"name": "{{link:x}}"})
    assert isinstance(found, Rendered)
    assert "link:x您好" in found.text
    found = render(GREETING, {"name": "{{name}}【王】"})
    assert isinstance(found, Rendered)
    assert found.values == {"name": "name王"}
    assert found.removed == {"braces": 4, "brackets": 2}


def test_c48_two_values_make_no_link_together() -> None:
    version = checked(
        "{{a}}{{name}} 满减", variables={"a": NAME, "name": Variable(type="text", max=8)}
    )
    assert render(version, {"a": "evil", "name": ".cn/x"}) == Skipped("invalid", "name")
    dotted = checked("www.{{name}}欢迎您")
    found = render(dotted, {"name": "evil.b"})
    assert isinstance(found, Rendered)
    assert found.values == {"name": "会员"}
    assert found.fallbacks == {"name": "invalid"}


def test_a_link_of_the_template_may_hold_a_value() -> None:
    version = checked(
        "满减 https://shop.example/c.php?c={{c}}", variables={"c": Variable(type="code", max=8)}
    )
    found = render(version, {"c": "A1"})
    assert isinstance(found, Rendered)
    assert found.text.endswith("c=A1 拒收请回复R") or "c=A1" in found.text


def test_c45_a_shared_link_is_the_same_for_everybody_and_not_shortened() -> None:
    version = checked("满100减20元 {{link:main}} ", link_mode="shared")
    found = render(version, {})
    assert isinstance(found, Rendered)
    assert "https://shop.example/sale" in found.text
    assert found.links == {}
    assert found.shorten is False


@given(st.dictionaries(st.sampled_from(["name", "x"]), st.text() | st.none() | st.integers()))
def test_c44_no_greeting_is_ever_empty(params: dict[str, object]) -> None:
    found = render(GREETING, params)
    assert isinstance(found, Rendered)
    greeted = found.text.removeprefix("【某某商城】").partition("您好")[0]
    assert greeted.strip()
    assert found.text.count("【") == found.text.count("】") == 1
    assert found.text.count("{{") == 1
