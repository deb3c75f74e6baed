"""What a link may be: hosts, domains, and nothing that is no address of the web."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlinks.host_list import HostList
from shortlinks.link_rules import AccountLinks, LinkRefused, LinkRules
from shortlinks.rewrite import is_location

SHOP = 2
RULES = LinkRules(
    default=AccountLinks(("https://s.example",)),
    accounts={
        SHOP: AccountLinks(
            ("go.shop.example", "https://x.example:8443"),
            HostList(["shop.example", "*.shop.example", "evil.example"]),
        )
    },
    domains=frozenset({"s.example", "go.shop.example", "x.example:8443"}),
    denied=HostList(["evil.example", "*.evil.example"]),
)


def refused(account: int, url: str) -> str:
    with pytest.raises(LinkRefused) as refusal:
        RULES.target(account, url, "url")
    assert str(refusal.value).startswith("url")
    return refusal.value.code


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "ftp://a.example/",
        "//a.example/", "a.example", "", "https://", "https://user:pass@a.example/",
        "https://user@a.example/", "https://a.example/\r\nX: y", "https://a.example/a b",
        "https://a.example/\x00", "https://a.example\\@b.example/", "https://a.example:99999/",
        "https://[::1/", "https://a..example/", "https://exa%6dple.com/", "https://-a.example/",
        "https://a.example/" + "x" * 8_192, "https://" + "活" * 64 + ".example/",
        "https://2130706433/", "https://0x7f.1/", "https://127.1/", "https://0177.0.0.1/",
        "https://１２７.1/",
    ],
)  # fmt: skip
def test_what_is_no_address_of_the_web_is_refused(url: str) -> None:
    assert refused(1, url) == "link_url_invalid"


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://Shop.Example", "https://shop.example/"),
        ("http://例子.中国/活动?来=短信#顶", None),
        ("https://a.example/%E6%B4%BB%0d%0a?x=%00", "https://a.example/%E6%B4%BB%0d%0a?x=%00"),
        ("https://127.0.0.1:8080/x", "https://127.0.0.1:8080/x"),
    ],
)
def test_a_target_is_stored_as_a_location_may_hold_it(url: str, target: str | None) -> None:
    found = RULES.target(1, url, "url")
    assert is_location(found)
    assert target in (None, found)


@pytest.mark.parametrize(
    "url",
    ["https://s.example/abc", "http://S.EXAMPLE/abc", "https://s.example.:443/abc",
     "https://x.example:8443/abc", "https://go.shop.example/abc"],
)  # fmt: skip
def test_a_link_to_a_short_link_is_refused(url: str) -> None:
    assert refused(1, url) == "link_loop"


def test_hosts_are_those_of_the_account_and_never_a_denied_one() -> None:
    assert RULES.target(SHOP, "https://www.shop.example/", "url")
    assert RULES.target(1, "https://other.example/", "url")
    assert refused(SHOP, "https://other.example/") == "link_host_refused"
    assert [refused(account, "https://evil.example/") for account in (1, SHOP)] == [
        "link_host_refused", "link_host_refused",
    ]  # fmt: skip
    assert refused(1, "https://www.evil.example/") == "link_host_refused"


def test_an_account_has_its_domains_and_no_other() -> None:
    assert RULES.base(SHOP, None) == "go.shop.example"
    assert RULES.base(SHOP, "x.example:8443") == "https://x.example:8443"
    with pytest.raises(LinkRefused, match=r"go\.shop\.example, x\.example:8443"):
        RULES.base(SHOP, "s.example")
    assert RULES.short_url(SHOP, "x.example:8443", "sale") == "https://x.example:8443/sale"
    assert RULES.short_url(SHOP, "lost.example", "sale") == "lost.example/sale"


@given(st.text(max_size=60), st.sampled_from(["", "https://", "http://a.example/", "HTTP://"]))
def test_whatever_is_taken_may_stand_in_a_location(text: str, before: str) -> None:
    try:
        target = RULES.target(1, before + text, "url")
    except LinkRefused:
        return
    assert is_location(target)
    assert "@" not in target.split("/")[2]
