"""/v1/contacts over a real database."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest

from campaigns.contacts import store
from storage.ids import format_id, parse_id
from storage.pool import Connection
from storage.suppression import Suppression, add_new
from tests.dispatch.world import VAULT
from tests.web.api.contact_shop import MASKED, NUMBER, OTHER, PATH, Shop, contact_shop


@pytest.fixture
async def shop(database_url: str) -> AsyncIterator[Shop]:
    async with contact_shop(database_url) as shop:
        yield shop


async def test_a_contact_is_made_changed_shown_and_deleted(shop: Shop) -> None:
    made = await shop.post(
        external_id="crm-1", numbers=["138 1234 5678"], tags=["会员", "老客"], source="shop",
        attrs={"city": " 广州 ", "birthday": "1990/4/2", "spent": "129.9"},
        time_zone="Asia/Shanghai",
    )  # fmt: skip
    assert made["numbers"] == [MASKED]
    assert made["attrs"] == {"city": "广州", "birthday": "1990-04-02", "spent": "129.9"}
    assert (made["tags"], made["revision"]) == (["会员", "老客"], 1)
    changed = await shop.post(numbers=[NUMBER], attrs={"city": None}, tags=["老客"])
    assert (changed["id"], changed["revision"]) == (made["id"], 2)
    assert (changed["attrs"].keys(), changed["tags"]) == ({"birthday", "spent"}, ["老客"])
    again = await shop.post(numbers=[NUMBER], tags=["老客"])
    assert again == changed, "nothing new is no change"
    assert await shop.get(f"{PATH}/{made['id']}") == changed
    assert [each["name"] for each in (await shop.get(f"{PATH}/tags"))["data"]] == ["会员", "老客"]
    reader = shop.api.new_key(2, "contacts:read")
    assert (await shop.api.get(f"{PATH}/{made['id']}", reader))[0].status == 404
    response, _ = await shop.api.call("DELETE", f"{PATH}/{made['id']}", None, {})
    assert response.status == 204
    for table in ("contact", "contact_number"):
        assert await shop.connection.fetchval(f"SELECT count(*) FROM {table}") == 0
    actions = await shop.connection.fetch("SELECT action FROM audit ORDER BY id")
    told = [each["action"] for each in actions if each["action"] != "contacts.attribute"]
    assert told == ["contacts.create", "contacts.change", "contacts.delete"]


async def test_contacts_are_listed_by_page_and_by_what_they_have(shop: Shop) -> None:
    first = await shop.post(external_id="a", tags=["x"], source="web")
    second = await shop.post(numbers=[NUMBER], source="shop")
    third = await shop.post(numbers=[OTHER], tags=["x"])
    page = await shop.get(f"{PATH}?limit=2")
    assert page["data"] == [third, second]
    rest = await shop.get(f"{PATH}?limit=2&cursor={page['next_cursor']}")
    assert rest == {"data": [first], "next_cursor": None}
    for query, found in (
        ("external_id=a", [first]), ("to=%2B8613812345678", [second]), ("tag=x", [third, first]),
        ("tag=none", []), ("source=shop", [second]),
    ):  # fmt: skip
        assert (await shop.get(f"{PATH}?{query}"))["data"] == found, query
    shop.api.headers = shop.api.new_key(1, "contacts:read", "numbers:reveal")
    clear = await shop.get(f"{PATH}?reveal=true&source=shop")
    assert clear["data"][0]["numbers"] == [NUMBER]


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({}, "field_missing", "/external_id"),
    ({"numbers": ["1.38E+10"]}, "number_invalid", "/numbers/0"),
    ({"numbers": ["010-62345678"]}, "number_invalid", "/numbers/0"),
    ({"external_id": "a", "time_zone": "Mars/Olympus"}, "unknown_zone", "/time_zone"),
    ({"external_id": "a", "attrs": {"town": "x"}}, "attribute_unknown", "/attrs/town"),
    ({"external_id": "a", "attrs": {"birthday": "03/04/1990"}}, "attribute_value",
    "/attrs/birthday"),
    ({"external_id": "a", "attrs": {"spent": 1e300}}, "attribute_value", "/attrs/spent"),
    ({"external_id": ""}, "field_type", "/external_id"),
    ({"external_id": "a", "mode": "skip"}, "field_type", "/mode"),
]  # fmt: skip


async def test_what_cannot_be_a_contact_is_refused_with_its_place(shop: Shop) -> None:
    for fields, code, pointer in WRONG:
        found, errors = await shop.post(**fields)
        assert (found, errors[0]["pointer"]) == (code, pointer), fields
    assert await shop.connection.fetchval("SELECT count(*) FROM contact") == 0


async def test_an_attribute_never_changes_its_type(shop: Shop) -> None:
    headers = {"Content-Type": "application/json"}
    path = f"{PATH}/attributes/city"
    response, body = await shop.api.call("PUT", path, b'{"type":"number"}', headers)
    assert (response.status, body["code"]) == (409, "attribute_conflict")
    response, body = await shop.api.call(
        "PUT", path, '{"type":"text","label":"城市"}'.encode(), headers
    )
    assert (response.status, body["label"]) == (200, "城市")
    response, body = await shop.api.call(
        "PUT", f"{PATH}/attributes/between", b'{"type":"text"}', headers
    )
    assert (response.status, body["code"]) == (422, "attribute_name")
    response, body = await shop.api.call(
        "PUT", f"{PATH}/attributes/between", b'{"type":"x"}', headers
    )
    told = [(each.get("pointer"), each.get("parameter")) for each in body["errors"]]
    assert told == [("/type", None), (None, "name")]


async def test_a_number_of_another_contact_is_no_silent_merge(shop: Shop) -> None:
    await shop.post(external_id="a", numbers=[NUMBER])
    code, errors = await shop.post(external_id="b", numbers=[NUMBER])
    assert (code, errors[0]["pointer"]) == ("contact_conflict", "/numbers")
    named = await shop.post(numbers=[OTHER])
    assert (await shop.post(external_id="c", numbers=[OTHER]))["id"] == named["id"]


async def test_c34_of_merged_contacts_the_oldest_stays(shop: Shop) -> None:
    """And gets what the others have beyond it; what these were called leads on."""
    old = await shop.post(numbers=[NUMBER], attrs={"city": "广州"}, tags=["x"])
    new = await shop.post(
        external_id="crm-2", numbers=[OTHER], attrs={"city": "北京", "spent": "5"}, tags=["y"]
    )
    merged = await shop.post(f"{PATH}/merge", contacts=[new["id"], old["id"]])
    assert merged["id"] == old["id"]
    assert merged["attrs"] == {"city": "广州", "spent": "5"}
    assert (merged["external_id"], merged["tags"]) == ("crm-2", ["x", "y"])
    assert merged["numbers"] == [MASKED, "+86139****5678"]
    assert (await shop.get(f"{PATH}/{new['id']}"))["id"] == old["id"]
    assert (await shop.post(external_id="crm-2"))["id"] == old["id"]
    code, errors = await shop.post(f"{PATH}/merge", contacts=[old["id"], "con_0000000000001"])
    assert (code, errors[0]["pointer"]) == ("contact_unknown", "/contacts/1")


async def test_a_contact_has_ten_numbers_and_a_request_with_more_changes_nothing(
    shop: Shop,
) -> None:
    numbers = [f"+861381234{place:04d}" for place in range(12)]
    made = await shop.post(external_id="a", numbers=numbers[:9])
    code, errors = await shop.post(external_id="a", numbers=numbers[8:], source="web")
    assert (code, errors[0]["pointer"]) == ("contacts_full", "/numbers")
    assert await shop.get(f"{PATH}/{made['id']}") == made
    other = await shop.post(external_id="b", numbers=numbers[10:])
    code, errors = await shop.post(f"{PATH}/merge", contacts=[made["id"], other["id"]])
    assert (code, errors[0]["pointer"]) == ("contacts_full", "/contacts")
    assert len((await shop.get(f"{PATH}/{other['id']}"))["numbers"]) == 2
    assert len((await shop.post(external_id="a", numbers=numbers[9:10]))["numbers"]) == 10


async def test_tags_for_which_there_is_no_room_are_told_as_such(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "TAGS_MAX", 1)
    code, errors = await shop.post(external_id="a", tags=["x", "y"])
    assert (code, errors[0]["pointer"]) == ("contacts_full", "/tags")
    assert (await shop.get())["data"] == []


async def test_whatever_can_be_stored_can_be_asked_for(shop: Shop) -> None:
    """Blanks of other scripts, and signs that join others, are no control characters."""
    for name in ("金卡\u3000会员", "👨\u200d👩\u200d👧", "n\u00a0b"):
        made = await shop.post(external_id=name, tags=[name], source=name)
        for field in ("external_id", "tag", "source"):
            found = await shop.get(f"{PATH}?{field}={quote(name)}")
            assert [each["id"] for each in found["data"]] == [made["id"]], field


async def test_c33_a_merge_loses_no_history_and_no_opt_out(shop: Shop) -> None:
    first = parse_id("con", (await shop.post(numbers=[NUMBER]))["id"])
    second = parse_id("con", (await shop.post(numbers=[OTHER]))["id"])
    stopped = Suppression(VAULT.index(OTHER), 9, "keyword", 1, 3, to_enc=VAULT.seal(OTHER))
    await add_new(shop.connection, [stopped])
    for contact in (first, second, second):
        await shop.connection.execute(
            "INSERT INTO contact_event (id, account, contact, kind, at)"
            " VALUES ($1, 1, $2, 'login', now())",
            shop.world.ids.next(), contact,
        )  # fmt: skip
        await shop.connection.execute(
            "INSERT INTO engagement VALUES (1, $1, 'login', now(), now(), 1)"
            " ON CONFLICT (contact, kind) DO UPDATE SET n = engagement.n + 1",
            contact,
        )
        await shop.connection.execute(
            "INSERT INTO hour_profile VALUES ($1, 1, array_fill(1::smallint, ARRAY[48]))"
            " ON CONFLICT DO NOTHING",
            contact,
        )
    before = await shop.connection.fetch("SELECT * FROM suppression")
    await shop.post(f"{PATH}/merge", contacts=[format_id("con", each) for each in (first, second)])
    assert await shop.connection.fetch("SELECT * FROM suppression") == before
    for query, row in (
        ("SELECT DISTINCT contact FROM contact_event", (first,)),
        ("SELECT contact, n FROM engagement", (first, 3)),
        ("SELECT contact, hours[1] FROM hour_profile", (first, 2)),
    ):
        assert [tuple(each) for each in await shop.connection.fetch(query)] == [row]


async def test_c36_what_a_contact_did_goes_with_it_and_its_opt_out_stays(shop: Shop) -> None:
    made = await shop.post(numbers=[NUMBER])
    stopped = Suppression(VAULT.index(NUMBER), 9, "keyword", 1, 3, to_enc=VAULT.seal(NUMBER))
    await add_new(shop.connection, [stopped])
    await shop.connection.execute(
        "INSERT INTO engagement VALUES (1, $1, 'login', now(), now(), 1)",
        parse_id("con", made["id"]),
    )
    await shop.api.call("DELETE", f"{PATH}/{made['id']}", None, {})
    assert await shop.connection.fetchval("SELECT count(*) FROM engagement") == 0
    assert await shop.connection.fetchval("SELECT count(*) FROM suppression") == 1


async def test_c33_whatever_is_merged_in_whatever_order_nothing_is_lost(shop: Shop) -> None:
    """Sums, numbers, opt-outs and consents of six contacts are the same after any merges."""
    for seed in range(4):
        chance = random.Random(seed)
        await shop.connection.execute(
            "TRUNCATE contact, contact_number, engagement, suppression, consent, segment_member"
        )
        made = []
        for place in range(6):
            number = f"+86138{seed:04d}{place + 1:04d}"
            contact = await shop.post(external_id=f"crm-{place}", numbers=[number])
            made.append(contact["id"])
            index, sealed = VAULT.index(number), VAULT.seal(number)
            if chance.random() < 0.5:
                stopped = Suppression(index, 9, "keyword", 1, 3, to_enc=sealed)
                await add_new(shop.connection, [stopped])
            for kind in chance.sample(["login", "order_paid", "click"], 2):
                await shop.connection.execute(
                    "INSERT INTO engagement VALUES (1, $1, $2, now(), now(), $3)",
                    parse_id("con", contact["id"]), kind, chance.randrange(1, 9),
                )  # fmt: skip
        before = await kept(shop.connection)
        for _ in range(4):
            await shop.post(f"{PATH}/merge", contacts=chance.sample(made, 2))
        assert await kept(shop.connection) == before
        for place, contact in enumerate(made):
            stays = (await shop.get(f"{PATH}/{contact}"))["id"]
            assert stays <= contact, "the oldest stays"
            assert (await shop.post(external_id=f"crm-{place}"))["id"] == stays


async def kept(connection: Connection) -> list[list[object]]:
    """What no merge may change, whoever it belongs to now."""
    statements = (
        "SELECT kind, sum(n) FROM engagement GROUP BY kind ORDER BY kind",
        "SELECT to_idx, to_enc FROM contact_number ORDER BY to_idx",
        "SELECT to_idx, reason, created_at FROM suppression ORDER BY to_idx",
    )
    return [list(await connection.fetch(statement)) for statement in statements]


async def test_a_merged_contact_leaves_its_static_segments_to_the_one_that_stays(
    shop: Shop,
) -> None:
    ids = []
    for name in ("a", "b"):
        _, made = await shop.api.post("/v1/contacts", {"external_id": name})
        ids.append(str(made["id"]))
    stays, goes = (parse_id("con", each) for each in ids)
    await shop.connection.execute("INSERT INTO segment (id, account, name) VALUES (7, 1, 'x')")
    await shop.connection.execute("INSERT INTO segment_member VALUES (7, $1)", goes)
    response, _ = await shop.api.post("/v1/contacts/merge", {"contacts": ids})
    assert response.status == 200
    rows = await shop.connection.fetch("SELECT contact FROM segment_member")
    assert [row["contact"] for row in rows] == [stays]
