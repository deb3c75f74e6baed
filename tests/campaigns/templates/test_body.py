"""Tests of campaigns/templates/body.py."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.templates.body import BodyFault, Place, names, parse


def test_a_text_falls_into_fixed_texts_and_places() -> None:
    pieces = parse("您好{{name}},{{ 积分 }}{{link:main}} {{optout}}")
    assert pieces == (
        "您好", Place("variable", "name"), ",", Place("variable", "积分"), Place("link", "main"),
        " {{optout}}",
    )  # fmt: skip
    assert names(pieces, "link") == ("main",)


@pytest.mark.parametrize(
    ("body", "position"),
    [("a{{name", 1), ("ab}}", 2), ("{{}}", 0), ("x{{a b}}", 1), ("{{link:}}", 0), ("{{1}}", 0)],
)
def test_what_is_no_place_is_told_with_its_position(body: str, position: int) -> None:
    with pytest.raises(BodyFault) as refused:
        parse(body)
    assert refused.value.position == position


@given(st.text(st.sampled_from("{}ab:link1 国")))
def test_whatever_it_is_it_is_taken_whole_or_refused(body: str) -> None:
    try:
        pieces = parse(body)
    except BodyFault:
        return
    fixed = "".join(each for each in pieces if isinstance(each, str))
    assert "{{" not in fixed
    assert "}}" not in fixed
