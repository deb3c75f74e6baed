"""Client addresses: what is stored is a prefix, and only trusted proxies speak for others."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlinks.addresses import client_address, parse_networks, stored_prefix, subscriber
from shortlinks.miss_limit import MissLimit

PROXIES = parse_networks(["10.0.0.0/8", "::1"])


@given(st.ip_addresses())
def test_only_the_prefix_of_an_address_is_stored(address: object) -> None:
    parsed = ip_address(str(address))
    prefix = ip_network(stored_prefix(str(address)))
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    inner = parsed if mapped is None else mapped
    assert inner in prefix
    assert prefix.prefixlen == (24 if inner.version == 4 else 48)


@given(st.text(max_size=50), st.text(max_size=50))
def test_any_text_for_an_address_is_survived(remote: str, forwarded_for: str) -> None:
    address = client_address(remote, forwarded_for, PROXIES)
    assert address in ("", str(ip_address(address or "::")))
    assert isinstance(stored_prefix(remote), str)
    assert isinstance(subscriber(remote), str)


@pytest.mark.parametrize(
    ("remote", "forwarded_for", "client"),
    [
        ("203.0.113.1", "198.51.100.1", "203.0.113.1"),  # not a proxy: its claim is worth nothing
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "192.0.2.66, 198.51.100.1, 10.0.0.9", "198.51.100.1"),
        ("10.0.0.1", "nonsense, 10.0.0.9", "10.0.0.9"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
        (None, "198.51.100.1", "198.51.100.1"),  # a Unix socket: only a proxy can connect
        (None, "", ""),
        ("fe80::1%eth0", "", "fe80::1%eth0"),
    ],
)
def test_who_the_client_is(remote: str | None, forwarded_for: str, client: str) -> None:
    assert client_address(remote, forwarded_for, PROXIES) == client


def test_an_ipv6_client_is_counted_by_its_line() -> None:
    assert subscriber("2001:db8::1") == subscriber("2001:db8::ffff") == "2001:db8::/64"
    assert subscriber("fe80::1%eth0") == "fe80::/64"
    assert subscriber("192.0.2.1") == "192.0.2.1"


def test_a_burst_of_misses_then_one_at_a_time() -> None:
    limit = MissLimit(burst=3, seconds_per_miss=2.0)
    for _ in range(3):
        assert limit.seconds_to_wait("a", 100.0) == 0.0
        limit.count("a", 100.0)
    assert limit.seconds_to_wait("a", 100.0) == 2.0
    assert limit.seconds_to_wait("b", 100.0) == 0.0
    assert limit.seconds_to_wait("a", 102.0) == 0.0
    limit.count("a", 102.0)
    assert limit.seconds_to_wait("a", 102.5) == 1.5
    assert limit.seconds_to_wait("a", 1_000.0) == 0.0


@given(st.lists(st.tuples(st.integers(0, 30), st.floats(0, 5)), max_size=100))
def test_the_table_of_misses_is_bounded_and_a_client_never_beats_its_rate(
    misses: list[tuple[int, float]],
) -> None:
    limit = MissLimit(burst=2, seconds_per_miss=1.0, clients_max=10)
    now, allowed = 0.0, 0
    for client, pause in misses:
        now += pause
        if limit.seconds_to_wait("walker", now) == 0.0:
            limit.count("walker", now)
            allowed += 1
        limit.count(str(client % 5), now)
        assert len(limit) <= 10
    assert allowed <= 2 + now
