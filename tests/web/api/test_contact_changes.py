"""Changes of contacts that are known: made to the version that was seen, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from storage.suppression import Suppression, add_new
from tests.dispatch.world import VAULT
from tests.web.api.contact_shop import MASKED, NUMBER, OTHER, PATH, Shop, contact_shop


@pytest.fixture
async def shop(database_url: str) -> AsyncIterator[Shop]:
    async with contact_shop(database_url) as shop:
        yield shop


async def test_a_change_says_what_is_to_be_different_and_nothing_else(shop: Shop) -> None:
    made = await shop.post(
        external_id="a", numbers=[NUMBER, OTHER], attrs={"city": "广州", "spent": "5"}, tags=["x"],
        source="web", time_zone="Asia/Tokyo",
    )  # fmt: skip
    stopped = Suppression(VAULT.index(NUMBER), 9, "keyword", 1, 3, to_enc=VAULT.seal(NUMBER))
    await add_new(shop.connection, [stopped])
    before = await shop.connection.fetch("SELECT * FROM suppression")
    path = f"{PATH}/{made['id']}"
    status, changed = await shop.say(
        "PATCH", path, '"1"', numbers=["+8613712345678", OTHER], attrs={"city": None},
        source=None, external_id="b",
    )  # fmt: skip
    assert (status, changed["revision"]) == (200, 2)
    assert changed["numbers"] == ["+86137****5678", "+86139****5678"]
    assert (changed["attrs"], changed["tags"]) == ({"spent": "5"}, ["x"])
    assert (changed["external_id"], changed["source"]) == ("b", None)
    assert changed["time_zone"] == "Asia/Tokyo"
    ranks = await shop.connection.fetch("SELECT to_enc FROM contact_number ORDER BY rank")
    assert [VAULT.open(row["to_enc"]) for row in ranks] == ["+8613712345678", OTHER]
    assert await shop.say("PATCH", path, '"2"', source=None) == (200, changed), "no change"
    assert await shop.connection.fetch("SELECT * FROM suppression") == before
    [noted] = await shop.connection.fetch(
        "SELECT detail FROM audit WHERE action = 'contacts.change'"
    )
    assert noted["detail"]["changed"] == ["attrs", "external_id", "numbers", "source"]
    again = await shop.post(numbers=[NUMBER])
    assert again["id"] != made["id"], "the number is nobody's"


async def test_another_version_than_the_one_that_was_seen_is_not_changed(shop: Shop) -> None:
    made = await shop.post(numbers=[NUMBER])
    other = await shop.post(numbers=[OTHER])
    path, merge = f"{PATH}/{made['id']}", [made["id"], other["id"]]
    response, _ = await shop.api.get(path)
    assert response.headers["ETag"] == '"1"'
    assert (await shop.say("PATCH", path, source="web"))[0] == 428
    for tag in ('"2"', "1", "*"):
        for method, where, fields in (
            ("PATCH", path, {"source": "web"}),
            ("DELETE", path, {}),
            ("POST", f"{PATH}/merge", {"contacts": merge}),
            ("POST", PATH, {"numbers": [NUMBER], "source": "web"}),
        ):
            status, problem = await shop.say(method, where, tag, **fields)
            assert (status, problem["code"]) == (412, "version_conflict"), (method, tag)
    status, problem = await shop.say("POST", PATH, '"1"', external_id="new")
    assert (status, problem["detail"]) == (412, "there is no such contact yet")
    assert (await shop.get())["data"] == [other, made]
    status, changed = await shop.say("POST", PATH, '"1"', numbers=[NUMBER], source="web")
    assert (status, changed["revision"]) == (200, 2)
    status, merged = await shop.say("POST", f"{PATH}/merge", '"2"', contacts=merge)
    assert (status, merged["revision"], len(merged["numbers"])) == (200, 3, 2)
    status, problem = await shop.say("PATCH", f"{PATH}/{other['id']}", '"1"', source="x")
    assert status == 412, "it is part of the other one"
    assert (await shop.say("DELETE", path, '"3"'))[0] == 204
    assert (await shop.say("DELETE", path, '"3"'))[0] == 404
    assert (await shop.say("PATCH", path, '"3"', source="x"))[0] == 404


async def test_of_two_changes_at_once_one_is_made(shop: Shop) -> None:
    made = await shop.post(external_id="a")
    answers = await asyncio.gather(
        *(shop.say("PATCH", f"{PATH}/{made['id']}", '"1"', source=f"s{n}") for n in range(5))
    )
    assert sorted(status for status, _ in answers) == [200, 412, 412, 412, 412]


async def test_what_another_contact_has_is_not_taken_away_from_it(shop: Shop) -> None:
    made = await shop.post(external_id="a", numbers=[NUMBER])
    await shop.post(external_id="b", numbers=[OTHER])
    path = f"{PATH}/{made['id']}"
    wrong: list[tuple[dict[str, object], int, str, str]] = [
        ({"external_id": "b"}, 409, "contact_conflict", "/external_id"),
        ({"numbers": [OTHER]}, 409, "contact_conflict", "/numbers"),
        ({"numbers": [], "external_id": None}, 422, "field_missing", "/external_id"),
        ({"numbers": ["1"]}, 422, "number_invalid", "/numbers/0"),
        ({"time_zone": "Mars/Olympus"}, 422, "unknown_zone", "/time_zone"),
        ({"attrs": {"town": "x"}}, 422, "attribute_unknown", "/attrs/town"),
        ({"tags": None}, 422, "field_type", "/tags"),
        ({"mode": "fill"}, 422, "field_unknown", "/mode"),
    ]
    for fields, status, code, pointer in wrong:
        found, problem = await shop.say("PATCH", path, '"1"', **fields)
        told = (found, problem["code"], problem["errors"][0]["pointer"])
        assert told == (status, code, pointer), fields
    assert await shop.get(path) == made


async def test_a_contact_takes_the_name_of_one_that_became_part_of_it(shop: Shop) -> None:
    """Else a name that leads to it could never be its own."""
    first = await shop.post(external_id="a", numbers=[NUMBER])
    second = await shop.post(external_id="b")
    await shop.post(f"{PATH}/merge", contacts=[first["id"], second["id"]])
    path = f"{PATH}/{first['id']}"
    status, changed = await shop.say("PATCH", path, '"2"', external_id="b")
    assert (status, changed["external_id"]) == (200, "b")
    assert (await shop.post(external_id="b"))["id"] == first["id"]
    assert changed["numbers"] == [MASKED]
