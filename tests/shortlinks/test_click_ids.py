"""Click ids on targets: which hosts get one, where it stands, and that none can be made up."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlinks.click_ids import ClickIds, MarkedTargets
from storage.ids import ID_MAX

IDS = ClickIds(bytes(32))
TEXT = IDS.text(7)
MARKED = MarkedTargets(IDS, ("shop.example", "*.below.example"))


@given(st.integers(0, ID_MAX))
def test_an_id_is_read_back(click_id: int) -> None:
    assert IDS.read(IDS.text(click_id)) == click_id


@given(st.text(max_size=80))
def test_nothing_else_is_read(text: str) -> None:
    assert IDS.read(text) is None


def test_an_id_with_a_mark_of_another_key_or_of_another_click_is_none_of_ours() -> None:
    assert ClickIds(bytes(31) + b"\1").read(TEXT) is None
    assert IDS.read(IDS.text(8).rpartition("_")[0] + "_" + TEXT.rpartition("_")[2]) is None
    assert IDS.read(TEXT.upper()) is None
    assert IDS.read(TEXT + "\n") is None


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("https://shop.example/", f"https://shop.example/?cid={TEXT}"),
        ("https://shop.example:8443/a?b=1", f"https://shop.example:8443/a?b=1&cid={TEXT}"),
        ("https://shop.example/a?#top", f"https://shop.example/a?cid={TEXT}#top"),
        ("https://a.below.example/#x?y", f"https://a.below.example/?cid={TEXT}#x?y"),
        ("https://shop.example/?cid=mine", "https://shop.example/?cid=mine"),
        ("https://below.example/", "https://below.example/"),
        ("https://xshop.example/", "https://xshop.example/"),
        ("https://shop.example.evil.example/", "https://shop.example.evil.example/"),
    ],
)
def test_only_hosts_that_may_know_are_told_and_the_rest_stays(target: str, location: str) -> None:
    for _ in range(2):  # remembered
        assert MARKED.location(target, 7) == location


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.text("xyz&=%", max_size=3)), max_size=3),
    st.sampled_from(["", "#f", "#f?g=1"]),
)
def test_the_other_parameters_stay_as_they_were(
    pairs: list[tuple[str, str]], fragment: str
) -> None:
    query = "&".join(f"{name}={value}" for name, value in pairs)
    target = f"https://shop.example/p?{query}{fragment}"
    location = urlsplit(MARKED.location(target, 7))
    kept = parse_qsl(location.query, keep_blank_values=True)
    assert kept == [*parse_qsl(query, keep_blank_values=True), ("cid", TEXT)]
    assert location.fragment == urlsplit(target).fragment
