"""Links that belong to no message, over real sockets: found, ended, changed, and kept in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlinks.clicks import ClickLoader
from shortlinks.code import CodePermutation
from shortlinks.journal import ClickJournal
from shortlinks.lookup import FRESH_SECONDS, NamedLinks
from shortlinks.miss_limit import MissLimit
from shortlinks.public_lookup import Domains, PublicLinks
from shortlinks.ranges import TargetCache
from shortlinks.redirect import Redirector
from storage.ids import IdSource
from storage.partitions import ensure_partitions
from storage.pool import Connection, Database, Dedicated
from tests.shortlinks.conftest import Client, Clock, Links, serving
from tests.shortlinks.journal_files import recorded

HOST, OTHER = "s.example", "go.shop.example:8443"
TARGET, FALLBACK = "https://shop.example/sale", "https://shop.example/over"


@pytest.fixture
async def named(database: Database, clock: Clock) -> AsyncIterator[NamedLinks]:
    links = NamedLinks(PublicLinks(database.dedicated("public links")).fetch, clock)
    yield links
    await links.close()


@pytest.fixture
def redirector(
    codes: CodePermutation,
    targets: TargetCache,
    journal: ClickJournal,
    ids: IdSource,
    clock: Clock,
    named: NamedLinks,
) -> Redirector:
    return Redirector(
        codes,
        targets,
        journal,
        ids,
        clock,
        misses=MissLimit(burst=5),
        named=named,
        domains=Domains(HOST, [OTHER]),
    )


@pytest.fixture
async def client(redirector: Redirector) -> AsyncIterator[Client]:
    async with serving(redirector) as client:
        yield client


async def store(
    connection: Connection,
    code: str,
    number: int,
    *,
    domain: str = HOST,
    fallback: str | None = None,
    expires_at: datetime | None = None,
    target: str = TARGET,
) -> None:
    await connection.execute(
        "INSERT INTO link (id, account, domain, code, target, fallback, tags, expires_at)"
        " VALUES ($1, 1, $2, $3, $4, $5, '{}', $6)",
        number, domain, code, target, fallback, expires_at,
    )  # fmt: skip


async def asked(client: Client, path: str, host: str = HOST, method: str = "GET") -> object:
    answer = await client.request(method, path, allow_redirects=False, headers={"Host": host})
    return answer.headers.get("Location") if answer.status == 302 else answer.status


async def test_a_link_leads_on_under_its_own_domain_only(
    client: Client, connection: Connection, journal: ClickJournal
) -> None:
    await store(connection, "aB3dE9", 1)
    await store(connection, "sale-2026", 2, domain=OTHER, target="https://other.example/")
    await store(connection, "sale-2026", 3)
    assert await asked(client, "/aB3dE9") == TARGET
    assert await asked(client, "/aB3dE9", "S.example:443") == TARGET
    assert await asked(client, "/aB3dE9", "10.0.0.7:8081") == TARGET  # a proxy that names itself
    assert await asked(client, "/aB3dE9", OTHER) == 404
    assert await asked(client, "/Sale-2026", OTHER) == "https://other.example/"
    assert await asked(client, "/SALE-2026?x=1") == TARGET
    assert await asked(client, "/ab3de9") == 404  # of ours, each letter counts
    assert await asked(client, "/aB3dE9查看") == TARGET
    assert await asked(client, "/aB3dE9", method="POST") == 405
    ids = [click.link_id for click in recorded(journal.folder)]
    assert ids == [1, 1, 1, 2, 3, 1]


async def test_its_click_is_loaded_with_its_link_and_no_message(
    client: Client, connection: Connection, journal: ClickJournal, loads: Dedicated
) -> None:
    await ensure_partitions(connection, datetime.now(UTC).date())
    await store(connection, "aB3dE9", 77)
    assert await asked(client, "/aB3dE9") == TARGET
    journal.close()
    assert await ClickLoader(journal, loads).load() == 1
    rows = await connection.fetch("SELECT message_id, link_seq, link_id FROM click")
    assert [tuple(row) for row in rows] == [(0, 0, 77)]


async def test_what_has_ended_is_410_or_leads_to_its_fallback_without_a_click(
    client: Client, connection: Connection, journal: ClickJournal, clock: Clock
) -> None:
    soon = datetime.fromtimestamp(clock.now, UTC) + timedelta(seconds=5)
    await store(connection, "spring", 1, expires_at=soon)
    await store(connection, "summer", 2, expires_at=soon, fallback=FALLBACK)
    assert [await asked(client, path) for path in ("/spring", "/summer")] == [TARGET, TARGET]
    clock.now += 6.0
    assert [await asked(client, path) for path in ("/spring", "/summer")] == [410, FALLBACK]
    assert await asked(client, "/spring+") == 410
    assert len(recorded(journal.folder)) == 2


async def test_the_page_before_a_link_says_where_it_leads(
    client: Client, connection: Connection, journal: ClickJournal
) -> None:
    await store(connection, "sale-2026", 1)
    answer = await client.get("/sale-2026+", headers={"Host": HOST})
    page = await answer.text()
    assert answer.status == 200
    assert "shop.example" in page
    assert 'href="/sale-2026"' in page
    assert recorded(journal.folder) == []


async def test_a_change_or_an_end_is_in_force_once_what_is_known_is_no_longer_fresh(
    client: Client, connection: Connection, clock: Clock
) -> None:
    for number, code in enumerate(("spring", "summer", "autumn")):
        await store(connection, code, number)
        assert await asked(client, f"/{code}") == TARGET
    await connection.execute("UPDATE link SET target = $1 WHERE id = 0", FALLBACK)
    await connection.execute("UPDATE link SET deleted_at = 'tomorrow' WHERE id = 1")
    clock.now += FRESH_SECONDS
    answers = [await asked(client, f"/{code}") for code in ("spring", "summer", "autumn")]
    assert answers == [FALLBACK, 410, TARGET]


async def test_links_in_memory_lead_on_without_a_database(
    client: Client, connection: Connection, clock: Clock, database: Database
) -> None:
    await store(connection, "spring", 1)
    assert await asked(client, "/spring") == TARGET
    await database.close()
    clock.now += FRESH_SECONDS
    assert await asked(client, "/spring") == TARGET
    assert await asked(client, "/summer") == 503


async def test_who_walks_through_names_is_refused_and_links_in_use_stay_open(
    client: Client, connection: Connection
) -> None:
    await store(connection, "spring", 1)
    assert await asked(client, "/spring") == TARGET
    answers = [await asked(client, f"/guess{number}") for number in range(8)]
    assert answers == [404] * 5 + [429] * 3
    assert await asked(client, "/spring") == TARGET


async def test_a_link_in_memory_stays_open_to_neighbours_of_a_walker_also_when_it_is_not_fresh(
    client: Client, connection: Connection, clock: Clock
) -> None:
    await store(connection, "spring", 1)
    assert await asked(client, "/spring") == TARGET
    clock.now += FRESH_SECONDS
    answers = [await asked(client, f"/guess{number}") for number in range(8)]
    assert answers[-1] == 429
    assert await asked(client, "/spring") == TARGET
    await connection.execute("UPDATE link SET deleted_at = 'yesterday' WHERE id = 1")
    clock.now += FRESH_SECONDS
    assert await asked(client, "/spring") == 410  # it was looked at again


async def test_a_recipients_link_does_not_stand_under_the_domain_of_an_account(
    client: Client, links: Links, redirector: Redirector
) -> None:
    _, [code] = await links.store([(1, [TARGET])])
    assert await asked(client, f"/{code}") == TARGET
    assert await asked(client, f"/{code}", "10.0.0.7") == TARGET
    assert await asked(client, f"/{code}", OTHER) == 404
    assert await asked(client, f"/{code}+", OTHER) == 404
    assert redirector.quick(code, HOST) is not None
    assert redirector.quick(code, OTHER) is None


async def test_only_a_url_ever_reaches_a_location(client: Client, connection: Connection) -> None:
    await store(connection, "spring", 1, target="javascript:alert(1)")
    await store(connection, "summer", 2, target="", fallback="https://a.example/\r\nX: y")
    assert [await asked(client, path) for path in ("/spring", "/summer")] == [410, 410]


@pytest.mark.parametrize(
    ("host", "name", "place"),
    [
        (HOST, "summer", "s.example/summer"), ("S.Example:80", "Sale-1", "s.example/sale-1"),
        (OTHER, "aB3dE9", f"{OTHER}/aB3dE9"), ("", "SALE", "s.example/sale"),
        ("go.shop.example", "Summer", "s.example/Summer"), ("x" * 5_000, "abc", "s.example/abc"),
    ],
)  # fmt: skip
def test_a_request_means_one_place(host: str, name: str, place: str) -> None:
    assert Domains(HOST, [OTHER]).place(host, name) == place


@given(st.text(), st.text())
def test_any_host_means_a_domain_of_ours(host: str, name: str) -> None:
    assert Domains(HOST, [OTHER]).place(host, name).partition("/")[0] in (HOST, OTHER)
