"""Lists of hosts as settings name them."""

from __future__ import annotations

import pytest

from shortlinks.host_list import HostList

LIST = HostList(["shop.example", "*.cdn.example"])


@pytest.mark.parametrize("host", ["shop.example", "a.cdn.example", "a.b.cdn.example"])
def test_what_is_named_is_in_it(host: str) -> None:
    assert host in LIST


@pytest.mark.parametrize("host", ["", "a.shop.example", "cdn.example", "evilcdn.example", "shop"])
def test_nothing_else_is(host: str) -> None:
    assert host not in LIST


def test_an_empty_list_is_told_from_one_that_names_something() -> None:
    assert [bool(HostList(hosts)) for hosts in ([], ["a"], ["*.a"])] == [False, True, True]
    assert "a" not in HostList()
