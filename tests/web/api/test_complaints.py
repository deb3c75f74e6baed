"""/v1/complaints over a real database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from dispatch.message import ReadyMessage
from dlr.reasons import Reason
from recipients.complaint_desk import ComplaintDesk
from recipients.consent_desk import ConsentDesk, ConsentWord
from recipients.just_stopped import JustStopped
from recipients.proof import Proofs
from storage import suppression
from storage.categories import Category
from storage.ids import format_id
from storage.names import Registry
from storage.pool import Connection
from storage.suppression import EVERY_CATEGORY, Suppression
from tests.dispatch.world import CONNECTOR, VAULT, World, running, wall_ms
from tests.web.served import Api, running_api

PATH = "/v1/complaints"
NUMBER, OTHER, MASKED = "+8613812345678", "+8613912345678", "+86138****5678"
INDEX = VAULT.index(NUMBER)
ACCOUNT = 1
GOOD = {"id": "12321-1", "to": NUMBER, "source": "regulator", "source_name": "12321", "text": "No"}
MARKETING = int(Category.MARKETING)


@dataclass
class Book:
    api: Api
    world: World
    desk: ComplaintDesk
    stopped: JustStopped
    named: list[int]

    async def tell(self, status: int = 201, **fields: object) -> Any:
        body = {name: value for name, value in {**GOOD, **fields}.items() if value is not None}
        response, answer = await self.api.post(PATH, msgspec.json.encode(body))
        assert response.status == status, answer
        return answer

    async def sent(self, to: str = NUMBER, *, ago: int | None = 1, **more: Any) -> ReadyMessage:
        """A message that went out so many minutes ago (None: it waits)."""
        campaign = more.pop("campaign", None)
        message = self.world.message(Category.MARKETING, to=to, account=ACCOUNT, **more)
        await self.world.store([message])
        await self.world.connection.execute(
            "UPDATE message SET campaign_id = $1, connector = $2 WHERE id = $3",
            campaign, CONNECTOR, message.id,
        )  # fmt: skip
        if ago is not None:
            await self.world.connection.execute(
                "INSERT INTO submission (id, message_id, part, parts, account, category, connector,"
                " status, submitted_at) VALUES ($1, $2, 1, 1, $3, 3, $4, 60, $5)",
                self.world.ids.next(), message.id, ACCOUNT, CONNECTOR,
                datetime.now(UTC) - timedelta(minutes=ago),
            )  # fmt: skip
        return message

    async def entries(self) -> list[tuple[object, ...]]:
        rows = await self.world.connection.fetch(
            "SELECT to_idx, account, category, reason, source, expires_at FROM suppression"
        )
        return [tuple(row) for row in rows]


@pytest.fixture
async def book(database_url: str) -> AsyncIterator[Book]:
    async with running(database_url) as world:
        stopped = JustStopped()
        named: list[int] = []

        async def name(_: Connection, ids: Sequence[int], _accounts: Collection[int]) -> None:
            named.extend(ids)

        desk = ComplaintDesk(
            world.database.read,
            world.database.dedicated("complaints"),
            vault=VAULT,
            ids=world.ids,
            registry=Registry({}, {"carrier-a": CONNECTOR}),
            stopped=stopped,
            ends={},
            wall_ms=wall_ms,
            named=name,
        )
        async with running_api(complaints=desk) as api:
            api.headers = api.new_key(ACCOUNT, "complaints:read", "complaints:write")
            yield Book(api, world, desk, stopped, named)
            await desk.close()


async def test_k8_a_complaint_is_about_the_last_message_and_ends_marketing(book: Book) -> None:
    first = await book.sent(ago=2, sender="10690001", campaign="spring")
    await book.sent(ago=3)
    await book.sent(ago=None)
    await book.sent(OTHER, ago=0)
    told = await book.tell()
    assert (told["to"], told["message"]) == (MASKED, format_id("msg", first.id))
    assert (told["connector"], told["sender"], told["category"], told["campaign"]) == (
        "carrier-a", "10690001", "marketing", "spring",
    )  # fmt: skip
    assert told["suppressed"] == "marketing"
    expected = (INDEX, ACCOUNT, MARKETING, Reason.OPTED_OUT, "complaint", None)
    assert await book.entries() == [expected]
    assert book.stopped.reason(INDEX, ACCOUNT, MARKETING, wall_ms()) == Reason.OPTED_OUT
    assert book.desk.told == {("regulator", "carrier-a"): 1}
    trail = await book.world.connection.fetch("SELECT actor, action, subject FROM audit")
    assert [tuple(row) for row in trail] == [("key 1", "complaint.record", INDEX)]
    stored = await book.world.connection.fetchval("SELECT id FROM complaint")
    await book.tell(200)
    assert book.named == [stored], "told again it is not named"


async def test_k8_told_again_it_is_one_complaint_and_otherwise_it_is_refused(book: Book) -> None:
    first = await book.tell(text="Never asked")
    assert await book.tell(status=200, text="Never asked") == first
    assert (await book.tell(status=409, text="Other"))["code"] == "complaint_conflict"
    assert await book.world.count("complaint") == 1
    assert book.desk.told == {("regulator", ""): 1}
    await book.tell(id="12321-2")
    book.api.headers = book.api.new_key(ACCOUNT + 1, "complaints:write")
    await book.tell(text="Other")  # another account's ids are its own


async def test_k8_a_message_alone_names_the_number_and_what_does_not_fit_is_told(
    book: Book,
) -> None:
    message = await book.sent(campaign="spring")
    name = format_id("msg", message.id)
    told = await book.tell(to=None, message=name)
    assert (told["to"], told["campaign"]) == (MASKED, "spring")
    answer = await book.tell(status=422, id="2", to=OTHER, message=name, campaign="autumn")
    assert {each["pointer"] for each in answer["errors"]} == {"/to", "/campaign"}
    answer = await book.tell(status=422, id="2", message=format_id("msg", message.id + 1))
    assert answer["errors"][0]["pointer"] == "/message"
    assert await book.world.count("complaint") == 1
    assert await book.world.count("suppression") == 1


async def test_k8_the_account_says_what_a_complaint_ends(book: Book) -> None:
    book.desk.ends = {ACCOUNT: None}
    assert (await book.tell())["suppressed"] is None
    assert await book.entries() == []
    book.desk.ends = {ACCOUNT: EVERY_CATEGORY}
    assert (await book.tell(id="2"))["suppressed"] == "all"
    assert [entry[2] for entry in await book.entries()] == [EVERY_CATEGORY]


async def test_k8_start_does_not_undo_a_complaint_nor_time(book: Book) -> None:
    """The person opted out by a word before; the entry is the complaint's from now on."""
    connection = book.world.connection
    soon = datetime.now(UTC) + timedelta(hours=1)
    for number, source, expires_at in ((NUMBER, "keyword", None), (OTHER, "api", soon)):
        entry = Suppression(
            VAULT.index(number), Reason.OPTED_OUT, source, ACCOUNT, MARKETING, expires_at=expires_at
        )
        assert await suppression.add(connection, [entry]) == 1
    await book.tell()
    await book.tell(id="2", to=OTHER)
    wanted = [
        suppression.Undo(VAULT.index(number), ACCOUNT, "10690001") for number in (NUMBER, OTHER)
    ]
    assert await suppression.undo_keywords(connection, wanted) == {}
    assert {entry[4:] for entry in await book.entries()} == {("complaint", None)}


async def test_k7_the_proof_of_a_number_has_all_that_is_on_record(book: Book) -> None:
    """And nothing of another number or account."""
    world = book.world
    message = await book.sent(text="Sale. TD to end")
    consents = ConsentDesk(world.database.read, world.database.dedicated("consents"), VAULT)
    for account, number in ((ACCOUNT, NUMBER), (ACCOUNT, OTHER), (ACCOUNT + 1, NUMBER)):
        word = ConsentWord(
            number=number, category=MARKETING, granted=True, source="website", text_version="v1",
            evidence="form 7", at=datetime(2026, 1, 1, tzinfo=UTC), incentive="coupon",
            address="203.0.113.7",
        )  # fmt: skip
        await consents.record(account, word)
        for text, keyword in (("TD", "opt_out"), ("hello", None)):
            await world.connection.execute(
                "INSERT INTO inbound_message (id, connector, account, from_enc, from_idx,"
                " destination, text, parts, keyword, answers, fingerprint)"
                " VALUES ($1, $2, $3, '', $4, '10690001', $5, 1, $6, $7, '')",
                world.ids.next(), CONNECTOR, account, VAULT.index(number), text, keyword,
                message.id,
            )  # fmt: skip
    await consents.close()
    await book.tell()
    async with running_api(proofs=Proofs(world.database.read, VAULT)) as api:
        path = "/v1/consents/proof?to=%2B8613812345678"
        response, proof = await api.get(path, api.new_key(ACCOUNT, "consents:read"))
        assert response.status == 200, proof
        shown: Any = proof
        assert (shown["to"], shown["complete"]) == (MASKED, True)
        [granted] = shown["consents"]
        assert (granted["incentive"], granted["address"]) == ("coupon", "203.0.113.0/24")
        [reply] = shown["replies"]
        assert (reply["text"], reply["answered_text"]) == ("TD", "Sale. TD to end")
        assert [each["id"] for each in shown["complaints"]] == ["12321-1"]
        assert [each["source"] for each in shown["suppressions"]] == ["complaint"]
        assert [each["action"] for each in shown["changes"]] == ["complaint.record"]
        assert NUMBER not in str(shown)
        revealing = api.new_key(ACCOUNT, "consents:read", "numbers:reveal")
        _, clear = await api.get(f"{path}&reveal=true", revealing)
        assert clear["to"] == NUMBER
        assert len(api.memory.revealed) == 1
        response, _ = await api.get(f"{path}&reveal=true", api.new_key(ACCOUNT, "consents:read"))
        assert response.status == 403


async def test_k8_complaints_are_listed_masked_filtered_and_by_page(book: Book) -> None:
    await book.sent(campaign="spring")
    for number, source, to in (("1", "app", NUMBER), ("2", "carrier", OTHER), ("3", "app", NUMBER)):
        await book.tell(id=number, source=source, to=to)

    async def ids(query: str) -> list[str]:
        response, page = await book.api.get(f"{PATH}{query}")
        assert response.status == 200, page
        data: Any = page["data"]
        return [each["id"] for each in data]

    assert await ids("") == ["3", "2", "1"]
    assert await ids("?source=app") == ["3", "1"]
    assert await ids("?to=%2B8613912345678") == ["2"]
    assert await ids("?campaign=spring") == ["3", "1"]
    assert await ids("?since=2099-01-01T00:00:00Z") == []
    _, page = await book.api.get(f"{PATH}?limit=2")
    assert await ids(f"?limit=2&cursor={page['next_cursor']}") == ["1"]
    assert NUMBER not in str(page)
    response, _ = await book.api.get(PATH, book.api.new_key(ACCOUNT, "complaints:write"))
    assert response.status == 403
