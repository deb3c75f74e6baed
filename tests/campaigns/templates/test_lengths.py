"""Tests of campaigns/templates/lengths.py."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from campaigns.templates.lengths import PartsSpread, longest, spread
from campaigns.templates.rendering import Rendered, render
from campaigns.templates.variables import Variable
from tests.campaigns.templates.counting import checked, measure

VARIABLES = {
    "name": Variable(type="text", max=40, fallback="会员"),
    "points": Variable(type="int", max=6, fallback="若干"),
    "until": Variable(type="date", max=10, fallback="soon"),
}


@given(
    st.integers(0, 140),
    st.sampled_from(["国", "a", "€", "😀"]),
    st.text(st.sampled_from("国a€😀"), max_size=40),
    st.integers(-9, 10**7) | st.none(),
)
@example(fixed=117, filler="国", name="😀" * 8, points=None)
def test_no_text_needs_more_parts_than_the_longest(
    fixed: int, filler: str, name: str, points: int | None
) -> None:
    body = "{{name}}{{points}}" + filler * fixed + "{{until}}"
    version = checked(body, variables=VARIABLES, signature="", suffix="", max_parts=10)
    found = render(version, {"name": name, "points": points})
    assert isinstance(found, Rendered)
    assert measure(found, "").parts <= longest(version, measure).parts


def test_the_longest_holds_signature_suffix_link_and_every_value_at_its_most() -> None:
    version = checked("{{name}}满100减20元 {{link:main}} ")
    most = longest(version, measure)
    assert (
        most.text
        == "【某某商城】国国国国国国国国满100减20元 https://s.example/aB3dE6gH 拒收请回复R"
    )
    assert (most.units, most.parts, most.encoding) == (len(most.text), 1, "ucs2")


def test_a_text_without_values_is_counted_as_it_is() -> None:
    version = checked("国" * 64, signature="", suffix="", max_parts=1)
    assert longest(version, measure).parts == 1
    assert longest(checked("国" * 71, signature="", suffix=""), measure).parts == 2


def test_the_spread_over_many_people() -> None:
    assert spread({}) is None
    assert spread({1: 0}) is None
    assert spread({1: 700_000, 2: 300_000}) == PartsSpread(
        least=1, median=1, most=2, total=1_300_000
    )
    assert spread({3: 1, 1: 1, 2: 2}) == PartsSpread(least=1, median=2, most=3, total=8)


@given(st.lists(st.integers(1, 10), min_size=1))
def test_half_need_no_more_than_the_median(parts: list[int]) -> None:
    found = spread({each: parts.count(each) for each in parts})
    assert found is not None
    assert found.median == sorted(parts)[(len(parts) - 1) // 2]
    assert found.total == sum(parts)
