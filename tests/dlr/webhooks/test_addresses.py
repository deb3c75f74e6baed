"""No webhook reaches what is not public, however its address is written, unless it was opened."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlr.webhooks.addresses import AddressPolicy, AddressRefused, UrlRefused

STRICT = AddressPolicy.of()
LOCAL = AddressPolicy.of(["127.0.0.0/8"], allow_http=True)

# 40 addresses: what a name may lead to, and what it may not.
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "93.184.215.14",
    "172.15.255.255",  # beside the private ones
    "172.32.0.1",
    "192.0.1.1",
    "2606:4700:4700::1111",
    "2a00:1450:4001:810::200e",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
]
NOT_PUBLIC = [
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",  # shared by a provider's customers
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",  # a cloud's metadata
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.0.170",
    "192.0.2.1",
    "192.88.99.1",  # relays of 6to4
    "192.168.1.1",
    "198.18.0.1",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b:1::1",
    "2001::1",  # Teredo
    "2001:db8::1",
    "2002:7f00:1::1",  # 6to4
    "3fff::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]


def test_the_list_is_long_enough() -> None:
    assert len(PUBLIC) + len(NOT_PUBLIC) >= 40


@pytest.mark.parametrize("address", PUBLIC)
def test_w9_public_addresses_are_asked(address: str) -> None:
    STRICT.check_answers("app.example", 443, [address])


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_w9_other_addresses_are_not_asked(address: str) -> None:
    with pytest.raises(AddressRefused, match="not a public address"):
        STRICT.check_answers("app.example", 443, ["8.8.8.8", address])
    text = f"[{address}]" if ":" in address else address
    with pytest.raises(UrlRefused, match="not a public address"):
        STRICT.target(f"https://{text}/")


@given(st.integers(0, 2**32 - 1))
def test_an_ipv4_address_in_ipv6_form_is_judged_by_what_is_inside(number: int) -> None:
    plain = ipaddress.IPv4Address(number)
    for prefix in ("::ffff:", "64:ff9b::"):
        wrapped = ipaddress.ip_address(f"{prefix}{plain}")
        assert STRICT.fault(wrapped, 443) == STRICT.fault(plain, 443)
        assert LOCAL.fault(wrapped, 9000) == LOCAL.fault(plain, 9000)


@given(st.integers(0, 2**128 - 1))
def test_no_address_outside_2000_is_public_but_by_what_is_inside(number: int) -> None:
    address = ipaddress.IPv6Address(number)
    if STRICT.fault(address, 443) is None:
        assert address in ipaddress.ip_network("2000::/3")


# The ways to write 127.0.0.1 that one part of a client may take for it, and another for a name.
@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1.",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "１２７.0.0.1",
        "①②⑦.0.0.1",
        "127。0。0。1",
        "%31%32%37.0.0.1",
        "2130706433",
        "0177.0.0.1",
        "0x7f000001",
        "0x7f.0.0.1",
        "127.1",
        "127.0.0.0x1",
        "x.1",
        "[fe80::1%25eth0]",
    ],
)
def test_w8_a_literal_address_is_judged_before_anyone_resolves(host: str) -> None:
    with pytest.raises(UrlRefused):
        STRICT.target(f"https://{host}/hooks")


@pytest.mark.parametrize(
    "url",
    [
        "http://app.example/",
        "ftp://app.example/",
        "//app.example/",
        "app.example",
        "https:app.example",
        "https:///hooks",
        "https://user@app.example/",
        "https://:word@app.example/",
        "https://@app.example/",
        "https://app.example:80/",
        "https://app.example:25/",
        "https://app.example:0/",
        "https://app.example:99999/",
        "https://8.8.8.8:22/",
        "https://app.example/#there",
        "https://app.example\\@127.0.0.1/",
        "https://app.example/a b",
        "https://app.example/\r\nX: y",
        "https://127.0.0.1%2f.example/",
        "https://a..b/",
        "https://-/",
        "https://[::1",
        "https://app.example/" + "a" * 2048,
        "",
    ],
)
def test_what_is_no_url_to_ask_is_refused(url: str) -> None:
    with pytest.raises(UrlRefused):
        STRICT.target(url)


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("https://app.example/hooks?a=b", "app.example", 443),
        ("https://app.example:8443/", "app.example", 8443),
        ("https://APP.example./", "app.example.", 443),
        ("https://a_b.example", "a_b.example", 443),
        ("https://例え.テスト/", "xn--r8jz45g.xn--zckzah", 443),
        ("https://app.example/@me", "app.example", 443),
        ("https://8.8.8.8/", "8.8.8.8", 443),
        ("https://[2606:4700:4700::1111]:8443/", "2606:4700:4700::1111", 8443),
    ],
)
def test_what_may_be_asked(url: str, host: str, port: int) -> None:
    target = STRICT.target(url)
    assert (target.host, target.port) == (host, port)
    assert (target.address is None) == ("." in host and not host[0].isdigit())


def test_networks_are_opened_with_all_their_ports_and_nothing_else_is() -> None:
    assert LOCAL.target("http://127.0.0.1:9000/").port == 9000
    assert LOCAL.target("http://[::ffff:127.0.0.1]:9000/").address is not None
    LOCAL.check_answers("localhost", 9000, ["127.0.0.1"])
    with pytest.raises(AddressRefused, match="not a public address"):
        LOCAL.check_answers("localhost", 9000, ["127.0.0.1", "::1"])
    with pytest.raises(UrlRefused, match="not a public address"):
        LOCAL.target("http://10.0.0.1/")
    # A name's port can be judged only by where it leads.
    assert LOCAL.target("http://localhost:9000/").address is None
    with pytest.raises(AddressRefused, match="port 9000"):
        LOCAL.check_answers("app.example", 9000, ["8.8.8.8"])


def test_ports_and_plain_http_are_opened_by_themselves() -> None:
    policy = AddressPolicy.of(ports=[9443])
    assert policy.target("https://app.example:9443/").port == 9443
    with pytest.raises(UrlRefused, match="https://"):
        policy.target("http://app.example:9443/")
    assert AddressPolicy.of(allow_http=True).target("http://app.example/").port == 80


@given(st.text())
def test_any_text_is_taken_or_refused(text: str) -> None:
    for url in (text, f"https://{text}", f"https://app.example/{text}"):
        try:
            target = STRICT.target(url)
        except UrlRefused as refused:
            assert str(refused)
        else:
            assert target.port in (443, 8443)
