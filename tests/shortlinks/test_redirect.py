"""The redirect server over real sockets: status, headers, what is written, what cannot hurt."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shortlinks.addresses import parse_networks
from shortlinks.click_ids import ClickIds, MarkedTargets
from shortlinks.clicks import ClickLoader
from shortlinks.code import CodePermutation, link_value
from shortlinks.journal import ClickJournal
from shortlinks.miss_limit import MissLimit
from shortlinks.ranges import TargetCache
from shortlinks.redirect import Redirector
from storage.ids import IdSource
from storage.pool import Connection, Dedicated
from tests.shortlinks.conftest import Client, Clock, Links, serving
from tests.shortlinks.journal_files import recorded

TARGET = "https://shop.example/a?x=1&y=%E4%BD%A0#z"
BROWSER = {
    "User-Agent": "Mozilla/5.0 (Linux; Android 14; K) AppleWebKit/537.36 Chrome/126.0 Mobile",
    "Accept": "text/html",
    "Accept-Language": "zh-CN",
}


async def get(client: Client, path: str, **headers: str) -> tuple[int, dict[str, str], str]:
    answer = await client.get(path, allow_redirects=False, headers=headers)
    return answer.status, dict(answer.headers), await answer.text()


async def test_a_link_redirects_and_its_click_is_on_disk_before_the_answer(
    client: Client, links: Links, journal: ClickJournal
) -> None:
    first, (code, _) = await links.store([(42, [TARGET]), (43, [TARGET])])
    status, headers, body = await get(client, f"/{code}", **BROWSER)
    assert (status, headers["Location"], body) == (302, TARGET, "")
    assert headers["Cache-Control"] == "private, no-store, max-age=0"
    assert headers["Referrer-Policy"] == "no-referrer-when-downgrade"
    assert headers["X-Robots-Tag"] == "noindex"
    (click,) = recorded(journal.folder)
    assert (click.link_seq, click.slot, click.message_id) == (first, 0, 42)
    assert (click.method, click.user_agent) == ("GET", BROWSER["User-Agent"])
    assert (click.ip_prefix, click.facts.accept_language) == ("127.0.0.0/24", "zh-CN")


@pytest.mark.parametrize("origin", ["http://a.example", "HTTPS://b.example:8081"])
async def test_h11_a_proxy_may_ask_by_absolute_url(
    client: Client, links: Links, journal: ClickJournal, origin: str
) -> None:
    _, (code,) = await links.store([(42, [TARGET])])
    for target, status in (
        (f"{origin}/{code}", b"302"),
        (f"{origin}/{code}?http://x/", b"302"),
        (f"{origin}/healthz", b"200"),
        (f"{origin}/", b"404"),
        (origin, b"404"),
        (f"{origin}/http://{code}", b"404"),
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
        writer.write(f"GET {target} HTTP/1.1\r\nHost: c.example\r\n\r\n".encode())
        assert (await reader.readline()).split()[1] == status
        writer.close()
    assert len(recorded(journal.folder)) == 2


async def test_every_slot_of_a_message_has_its_own_code(
    client: Client, links: Links, codes: CodePermutation
) -> None:
    first, _ = await links.store([(1, [TARGET, "http://b.example/"])])
    code = codes.encode_many([link_value(first, 1)])[0]
    assert (await get(client, f"/{code}"))[1]["Location"] == "http://b.example/"


async def test_head_answers_alike_and_is_no_click(
    client: Client, links: Links, journal: ClickJournal, redirector: Redirector
) -> None:
    _, (code,) = await links.store([(1, [TARGET])])
    answer = await client.head(f"/{code}", allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (302, TARGET)
    assert recorded(journal.folder) == []
    assert (redirector.counters.head, redirector.counters.redirects) == (1, 0)


async def test_unknown_expired_and_malformed_codes(
    client: Client, links: Links, journal: ClickJournal, codes: CodePermutation
) -> None:
    _, (expired,) = await links.store([(1, [TARGET])], expires_in=-1.0)
    unknown = codes.encode_many([7])[0]
    for path, expected in (
        (f"/{expired}", 410),
        (f"/{expired}+", 410),
        (f"/{unknown}", 404),
        (f"/{unknown}+", 404),
        ("/", 404),
        ("/robots.txt", 404),
        (f"/{expired}x", 404),
        (f"/{expired}/", 404),
    ):
        status, headers, body = await get(client, path)
        assert (path, status) == (path, expected)
        assert headers["Content-Type"].startswith("text/html")
        assert "Location" not in headers
        assert "<h1>" in body
    assert recorded(journal.folder) == []


async def test_a_link_expires_while_it_is_in_memory(
    client: Client, links: Links, clock: Clock
) -> None:
    _, (code,) = await links.store([(1, [TARGET])], expires_in=10.0)
    assert (await get(client, f"/{code}"))[0] == 302
    clock.now += 11.0
    assert (await get(client, f"/{code}"))[0] == 410


@pytest.mark.parametrize("behind", ["?utm=1", "%E5%9B%9ET%E9%80%80", ".", ")", "，查看"])
async def test_what_a_telephone_takes_along_behind_a_code_is_ignored(
    client: Client, links: Links, behind: str
) -> None:
    _, (code,) = await links.store([(1, [TARGET])])
    assert (await get(client, f"/{code}{behind}"))[1]["Location"] == TARGET


async def test_the_information_page_shows_the_target_escaped_and_counts_no_click(
    client: Client, links: Links, journal: ClickJournal, redirector: Redirector
) -> None:
    _, (code, hostile) = await links.store(
        [(1, [TARGET]), (2, ["https://a.example&\"'/?q=<script>"])]
    )
    status, _, body = await get(client, f"/{code}+")
    assert status == 200
    assert "<strong>shop.example</strong>" in body and f'href="/{code}"' in body
    assert "https://shop.example/a?x=1&amp;y=%E4%BD%A0#z" in body
    # A row of the database that is no proper URL leads nowhere, not even onto the page.
    assert (await get(client, f"/{hostile}+"))[0] == 404
    assert recorded(journal.folder) == []
    assert redirector.counters.information == 1


async def test_other_methods_are_refused_and_health_is_told(client: Client, links: Links) -> None:
    _, (code,) = await links.store([(1, [TARGET])])
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
        answer = await client.request(method, f"/{code}", data=b"x" * 10_000)
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
    assert await get(client, "/healthz") == (200, (await get(client, "/healthz"))[1], "ok\n")


async def test_guessing_is_slowed_down_per_address_and_hurts_no_link_in_use(
    client: Client, links: Links, codes: CodePermutation, clock: Clock, targets: TargetCache
) -> None:
    _, (code,) = await links.store([(1, [TARGET])])
    _, (fresh,) = await links.store([(2, [TARGET])])
    assert (await get(client, f"/{code}"))[0] == 302
    guesses = codes.encode_many(range(10_000, 10_080, 8))
    statuses = [(await get(client, f"/{guess}"))[0] for guess in guesses]
    assert statuses == [404] * 5 + [429] * 5
    queries = targets.queries
    status, headers, _ = await get(client, f"/{fresh}")
    assert (status, targets.queries) == (429, queries)  # would have cost a query
    assert (await get(client, f"/{code}"))[0] == 302  # its range is in memory
    clock.now += float(headers["Retry-After"])
    assert (await get(client, f"/{fresh}"))[0] == 302


async def test_behind_a_trusted_proxy_the_client_is_who_it_says(
    links: Links,
    codes: CodePermutation,
    targets: TargetCache,
    journal: ClickJournal,
    ids: IdSource,
    clock: Clock,
) -> None:
    redirector = Redirector(
        codes, targets, journal, ids, clock,
        trusted_proxies=parse_networks(["127.0.0.0/8"]), misses=MissLimit(burst=1),
    )  # fmt: skip
    _, (code,) = await links.store([(1, [TARGET])])
    async with serving(redirector) as client:
        unknown = codes.encode_many([7, 15, 23])
        walker = {"X-Forwarded-For": "203.0.113.9, 198.51.100.7"}
        assert (await get(client, f"/{unknown[0]}", **walker))[0] == 404
        assert (await get(client, f"/{unknown[1]}", **walker))[0] == 429
        assert (await get(client, f"/{unknown[2]}", **{"X-Forwarded-For": "198.51.100.8"}))[
            0
        ] == 404
        await get(client, f"/{code}", **{"X-Forwarded-For": "2001:db8:1:2::3"})
    assert recorded(journal.folder)[0].ip_prefix == "2001:db8:1::/48"


async def test_a_journal_that_takes_nothing_more_stops_no_redirect(
    links: Links,
    codes: CodePermutation,
    targets: TargetCache,
    ids: IdSource,
    clock: Clock,
    tmp_path: Path,
) -> None:
    journal = ClickJournal(tmp_path / "full", node=1, folder_bytes_max=0)
    redirector = Redirector(codes, targets, journal, ids, clock)
    _, (code,) = await links.store([(1, [TARGET])])
    async with serving(redirector) as client:
        assert [(await get(client, f"/{code}"))[0] for _ in range(3)] == [302] * 3
    assert (redirector.counters.clicks_lost, journal.lost) == (3, 3)


async def test_while_the_database_is_away_known_links_work_and_others_ask_to_wait(
    client: Client, links: Links, codes: CodePermutation, lookups: Dedicated
) -> None:
    _, (code,) = await links.store([(1, [TARGET])])
    assert (await get(client, f"/{code}"))[0] == 302
    await lookups.close()
    status, headers, _ = await get(client, f"/{codes.encode_many([99])[0]}")
    assert (status, headers["Retry-After"]) == (503, "1")
    assert (await get(client, f"/{code}"))[0] == 302


OCTETS = st.binary(max_size=60).map(lambda raw: raw.translate(None, b"\r\n\x00"))


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    method=st.sampled_from([b"GET", b"HEAD", b"POST", b"BREW", b"CONNECT", b"OPTIONS"]),
    path=st.just(b"/CODE") | OCTETS.map(lambda raw: b"/CODE" + raw) | OCTETS,
    value=OCTETS,
    name=st.sampled_from([b"User-Agent", b"Accept", b"X-Forwarded-For", b"Sec-Purpose", b"X-Moz"]),
)
async def test_no_octets_raise_out_of_the_handler(
    client: Client, links: Links, method: bytes, path: bytes, value: bytes, name: bytes
) -> None:
    _, (code,) = await links.store([(1, [TARGET])])
    target = path.replace(b" ", b"%20").replace(b"CODE", code.encode())
    request = b"%s %s HTTP/1.1\r\nHost: s\r\nConnection: close\r\n%s: %s\r\n\r\n"
    assert client.server.port is not None
    reader, writer = await asyncio.open_connection("127.0.0.1", client.server.port)
    writer.write(request % (method, target, name, value))
    answer = await reader.read()
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    assert not answer or answer[9:12] != b"500"  # what aiohttp makes of an exception


async def test_a_user_agent_of_any_octets_is_stored_bounded(
    client: Client,
    links: Links,
    journal: ClickJournal,
    loads: Dedicated,
    connection: Connection,
) -> None:
    _, (code,) = await links.store([(1, [TARGET])])
    agents = [b"\xff\xfe\x80", "你好 \u200b".encode(), b"a" * 5_000, b"\x01\x7f\tx", b""]
    assert client.server.port is not None
    for agent in agents:
        reader, writer = await asyncio.open_connection("127.0.0.1", client.server.port)
        request = f"GET /{code} HTTP/1.1\r\nHost: s\r\nConnection: close\r\nUser-Agent: "
        writer.write(request.encode() + agent + b"\r\n\r\n")
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        # A control octet is refused by the parser; what it lets through must be stored.
        assert answer[9:12] in (b"302", b"400")
    journal.close()
    loader = ClickLoader(journal, loads)
    assert await loader.load() >= 4
    stored = await connection.fetch("SELECT user_agent FROM click ORDER BY id")
    assert stored[0][0] == "\ufffd" * 3
    assert stored[1][0] == "你好 \ufffd"
    assert stored[2][0] == "a" * 512
    assert stored[-1][0] == ""


async def test_a_host_that_may_know_is_told_the_click_that_was_written_down(
    codes: CodePermutation,
    targets: TargetCache,
    journal: ClickJournal,
    ids: IdSource,
    clock: Clock,
    links: Links,
) -> None:
    _, (told, untold) = await links.store([(42, [TARGET]), (43, ["https://other.example/"])])
    click_ids = ClickIds(bytes(32))
    marked = MarkedTargets(click_ids, ("shop.example",))
    redirector = Redirector(codes, targets, journal, ids, clock, marked=marked)
    async with serving(redirector) as client:
        location = (await get(client, f"/{told}", **BROWSER))[1]["Location"]
        assert (await get(client, f"/{untold}"))[1]["Location"] == "https://other.example/"
        first, _ = recorded(journal.folder)
        marked_target = TARGET.replace("#", f"&cid={click_ids.text(first.id)}#")
        assert location == marked_target
        journal.close()  # a click that is not kept is no click
        assert (await get(client, f"/{told}"))[1]["Location"] == TARGET
