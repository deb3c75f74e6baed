"""Rewriting ids by a pattern: what it does, and which patterns are let in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlr.id_rewrite import IdRewrite


@pytest.mark.parametrize(
    ("pattern", "replacement", "raw", "written"),
    [
        ("^SAR-", "", "SAR-00ab12", "00ab12"),
        ("^SAR-", "", "00ab12", "00ab12"),
        (r"^SAR-([0-9a-f]+)-[0-9]+$", r"\1", "SAR-00ab12-3", "00ab12"),
        ("[.]", "", "1.2.3", "123"),
        (r"@.*$", "", "77@smsc-4", "77"),
        ("^whole$", "", "whole", "whole"),  # nothing would be left to compare
    ],
)
def test_e6_what_a_carrier_puts_around_ids_is_taken_off(
    pattern: str, replacement: str, raw: str, written: str
) -> None:
    assert IdRewrite(pattern, replacement)(raw) == written


@pytest.mark.parametrize(
    ("pattern", "replacement", "why"),
    [
        ("(a+)+$", "", "may not repeat a group"),
        ("(a|aa){1,50}$", "", "may not repeat a group"),
        ("a*b*c*", "", "may repeat 2 times at most"),
        (r"(a)\1", "", "may not refer back"),
        ("(?:a)", "", "may not hold (?…)"),
        ("[0-9", "", "cannot be used"),
        ("^x", r"\2", "cannot be used"),
        ("x*", "", "matches an empty id"),
        ("x" * 101, "", "at most 100 characters"),
    ],
)
def test_e6_a_pattern_that_must_not_be_used_says_why(
    pattern: str, replacement: str, why: str
) -> None:
    with pytest.raises(ValueError, match="pattern") as caught:
        IdRewrite(pattern, replacement)
    assert why in str(caught.value)


@given(
    st.text(st.sampled_from(r"ab01()[]{}*+?.|\^$-,"), min_size=1, max_size=12),
    st.text(max_size=80),
)
def test_whatever_is_let_in_never_raises(pattern: str, identifier: str) -> None:
    try:
        rewrite = IdRewrite(pattern, "")
    except ValueError:
        return
    assert len(rewrite(identifier)) <= max(65, len(identifier))
    assert bool(rewrite(identifier)) == bool(identifier)
