"""Slugs: which names a link may have, and which are taken for one another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlinks.code import ALPHABET, CODE_LENGTH
from shortlinks.slugs import RESERVED, SlugRefused, check_slug, look_of


@pytest.mark.parametrize("slug", ["summer", "sale-2026", "a1b", "double_11", "x" * 64, "discount"])
def test_a_name_that_can_be_typed_is_taken(slug: str) -> None:
    check_slug(slug)


@pytest.mark.parametrize(
    "slug",
    [
        "",
        "ab",
        "x" * 65,
        "Sale",
        "sale!",
        "-sale",
        "sale_",
        "a b",
        "活动",
        "sale\n",
        "sa/le",
        "a.b",
    ],
)
def test_what_cannot_be_a_name_is_refused(slug: str) -> None:
    with pytest.raises(SlugRefused) as refused:
        check_slug(slug)
    assert refused.value.code == "slug_invalid"


@pytest.mark.parametrize(
    "slug", [*sorted(RESERVED), "hea1thz", "r0bots", "opt_out", "un-subscribe"]
)
def test_a_reserved_name_is_refused_and_what_looks_like_it(slug: str) -> None:
    with pytest.raises(SlugRefused) as refused:
        check_slug(slug)
    assert refused.value.code == "slug_reserved"


@given(st.text(ALPHABET.lower().replace("l", ""), min_size=CODE_LENGTH, max_size=CODE_LENGTH))
def test_no_slug_could_be_a_recipients_code(slug: str) -> None:
    if set(slug) <= set(ALPHABET):
        with pytest.raises(SlugRefused):
            check_slug(slug)


@pytest.mark.parametrize(
    ("one", "other"),
    [("sale", "sa1e"), ("sale", "saie"), ("foo", "f00"), ("a-b-c", "abc"), ("corner", "comer"),
     ("best", "be5t"), ("wow", "vvow")],
)  # fmt: skip
def test_what_is_read_alike_looks_alike(one: str, other: str) -> None:
    assert look_of(one) == look_of(other)


def test_what_is_read_apart_does_not() -> None:
    assert len({look_of(slug) for slug in ("sale", "sales", "tale", "bale", "salt")}) == 5
