"""Tests of campaigns/templates/values.py."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.templates.values import ROUNDS_MAX, cleaned, links, units

SPITEFUL = st.text(
    st.sampled_from("{}【】王a1.:/ t。\n\r\u2028\u200b\u202ewhtpc:n\ufe3b\U0001f600")
)


@pytest.mark.parametrize(
    ("value", "left", "removed"),
    [
        ("王女士", "王女士", {}),
        ("{{link:main}}", "link:main", {"braces": 4}),
        ("王【某银行】", "王某银行", {"brackets": 2}),
        ("张三http://evil.example/x你好", "张三你好", {"links": 1}),
        ("t.cn/A6xyz", "", {"links": 1}),
        ("WWW.EVIL.COM", "", {"links": 1}),
        ("ｔ．ｃｎ／ａ", "", {"links": 1}),
        ("ht{tp://a.b/c", "", {"braces": 1, "links": 1}),
        ("例子.中国/x", "", {"links": 1}),
        ("1.2.3.4/a", "", {"links": 1}),
        ("王\r\n女士", "王 女士", {"line_breaks": 1}),
        ("t\u200b.cn", "", {"invisible": 1, "links": 1}),
        ("Dr.Li", "Dr.Li", {}),
        ("3.50", "3.50", {}),
    ],
)
def test_c48_a_value_is_data(value: str, left: str, removed: dict[str, int]) -> None:
    assert cleaned(value) == (left, removed)


@given(SPITEFUL | st.text())
def test_c48_whatever_a_value_is_nothing_of_ours_is_left_in_it(value: str) -> None:
    text, removed = cleaned(value)
    assert not set("{}【】\r\n\u2028\u200b\u202e") & set(text)
    assert not links().search(text)
    assert cleaned(text) == (text, {})
    assert all(count > 0 for count in removed.values())


def test_an_emoji_is_two_characters_of_a_phone() -> None:
    assert units("王😀") == 3


def test_whoever_nests_links_to_keep_us_busy_has_no_words() -> None:
    """Each look takes one of them out; there are few looks."""
    assert cleaned("a." * 300 + "中国" * 200) == ("", {"links": ROUNDS_MAX})
    assert cleaned("a.a.a.中国中国中国") == ("", {"links": 3})


@pytest.mark.parametrize("unit", ["a", "a.", "a-", "1.", "a+", "www", "国", "a国."])
def test_a_long_value_costs_as_much_as_it_is_long(unit: str) -> None:
    """32 times as long is 32 times the work, or 1 024 times where each start is tried to the end.

    The least of many looks is what it costs, whatever else runs here.
    """
    short, long = (unit * (characters // len(unit)) for characters in (1_000, 32_000))

    def cost(text: str) -> float:
        began = time.thread_time()
        links().search(text)
        return time.thread_time() - began

    costs = [(cost(short), cost(long)) for _ in range(15)]
    assert min(each for _, each in costs) < 200 * min(each for each, _ in costs)
