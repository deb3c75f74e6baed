"""Links with a name of their own: fresh while the database answers, and known while it does not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

import pytest

from shortlinks.code import CodePermutation
from shortlinks.journal import ClickJournal
from shortlinks.lookup import FRESH_SECONDS, Destination, LookupUnavailableError, NamedLinks
from shortlinks.public_lookup import Domains
from shortlinks.ranges import TargetCache
from shortlinks.redirect import Redirector
from storage.faults import DatabaseDown
from storage.ids import IdSource
from tests.shortlinks.conftest import Clock, serving
from tests.shortlinks.journal_files import recorded
from tests.shortlinks.test_redirect import BROWSER, get

SALE = Destination("https://shop.example/sale", link_id=7)


class Table:
    """Stands where the table of such links is, and counts the questions."""

    def __init__(self) -> None:
        self.rows: dict[str, Destination] = {}
        self.down = False
        self.asked: list[list[str]] = []

    async def __call__(self, names: Sequence[str]) -> Mapping[str, Destination]:
        self.asked.append(list(names))
        if self.down:
            raise DatabaseDown("no answer")
        return {name: self.rows[name] for name in names if name in self.rows}


@pytest.fixture
def table() -> Table:
    return Table()


@pytest.fixture
async def named(table: Table, clock: Clock) -> AsyncIterator[NamedLinks]:
    links = NamedLinks(table, clock, names_max=3)
    yield links
    await links.close()


async def test_a_change_is_known_once_the_memory_is_no_longer_fresh(
    table: Table, named: NamedLinks, clock: Clock
) -> None:
    table.rows["sale"] = SALE
    assert await asyncio.gather(*(named.find("sale") for _ in range(5))) == [SALE] * 5
    assert table.asked == [["sale"]]
    changed = table.rows["sale"] = Destination("https://shop.example/new", link_id=7)
    assert named.cached("sale") is SALE
    clock.now += FRESH_SECONDS
    assert (named.cached("sale"), await named.find("sale")) == (None, changed)
    del table.rows["sale"]
    clock.now += FRESH_SECONDS
    assert [await named.find("sale"), await named.find("sale")] == [None, None]
    assert len(table.asked) == 3


async def test_known_links_lead_on_while_the_database_is_away(
    table: Table, named: NamedLinks, clock: Clock
) -> None:
    table.rows["sale"] = SALE
    await named.find("sale")
    table.down = True
    clock.now += 3_600
    assert [await named.find("sale") for _ in range(100)] == [SALE] * 100
    assert (len(table.asked), named.stale) == (2, 100)  # it is asked again after a pause
    with pytest.raises(LookupUnavailableError):
        await named.find("other")


async def test_guesses_push_no_link_out_and_the_least_used_goes(
    table: Table, named: NamedLinks
) -> None:
    for name in ("a", "b", "c"):
        table.rows[name] = Destination(f"https://shop.example/{name}")
        await named.find(name)
    for number in range(50):
        assert await named.find(f"guess{number}") is None
    assert named.cached("a") is not None
    table.rows["d"] = SALE
    await named.find("d")
    assert len(named) == 3
    assert [named.cached(name) is not None for name in "abcd"] == [True, False, True, True]


async def test_a_name_redirects_and_its_click_names_the_link(
    codes: CodePermutation,
    targets: TargetCache,
    journal: ClickJournal,
    ids: IdSource,
    clock: Clock,
    table: Table,
    named: NamedLinks,
) -> None:
    table.rows["s.example/sale-2026"] = SALE
    table.rows["s.example/old"] = Destination(
        "https://shop.example/", expires_at=clock.now, fallback="https://a.example/"
    )
    table.rows["s.example/gone"] = Destination("https://shop.example/", expires_at=clock.now)
    redirector = Redirector(
        codes,
        targets,
        journal,
        ids,
        clock,
        named=named,
        domains=Domains("s.example"),
        brand="Shop <&>",
    )
    async with serving(redirector) as client:
        status, headers, _ = await get(client, "/sale-2026。", **BROWSER)
        assert (status, headers["Location"]) == (302, SALE.target)
        (click,) = recorded(journal.folder)
        assert (click.link_id, click.message_id) == (7, 0)
        assert (await get(client, "/old"))[1]["Location"] == "https://a.example/"
        status, _, page = await get(client, "/gone")
        assert status == 410
        assert "Shop &lt;&amp;&gt;" in page
        assert (await get(client, "/sale-2026+"))[0] == 200
        asked = len(table.asked)
        assert (await get(client, "/favicon.ico"))[0] == 404
        assert len(table.asked) == asked
        assert (await get(client, "/nothing"))[0] == 404
    assert len(recorded(journal.folder)) == 1


async def test_unknown_links_lead_to_the_fallback_where_there_is_one(
    codes: CodePermutation, targets: TargetCache, journal: ClickJournal, ids: IdSource, clock: Clock
) -> None:
    redirector = Redirector(codes, targets, journal, ids, clock, fallback="https://home.example/")
    async with serving(redirector) as client:
        for path in ("/", f"/{codes.encode_many([9])[0]}"):
            status, headers, _ = await get(client, path)
            assert (status, headers["Location"]) == (302, "https://home.example/")
    assert redirector.counters.fallback == 2
    assert recorded(journal.folder) == []
