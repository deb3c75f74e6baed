"""/v1/inbound, /v1/suppressions and /v1/numbers over a real database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from dispatch.inbound.reading import InboundMessages
from dlr.reasons import Reason
from dlr.status import Status
from recipients import number_view
from recipients.just_stopped import JustStopped
from recipients.number_check import NumberCheck
from recipients.number_view import NumberDesk
from recipients.suppression_desk import SuppressionDesk
from storage.audit_check import verify
from storage.categories import Category
from storage.ids import format_id, id_at
from storage.names import Registry
from storage.suppression import Suppression, add
from tests.dispatch.world import CONNECTOR, VAULT, World, running, wall_ms
from tests.web.served import Api, running_api
from web.edge.reveal_log import AuditedReveals
from web.edge.reveals import REASON

NUMBER, OTHER = "+8613812345678", "+8613912345678"
FAR = datetime(2099, 12, 31, 23, 59, tzinfo=UTC)  # as a release before believed it
MASKED = "+86138****5678"
ACCOUNT = 1
SCOPES = (
    "inbound:read", "suppressions:read", "suppressions:write", "suppressions:end_opt_outs",
    "numbers:read",
)  # fmt: skip


@dataclass
class Desk:
    api: Api
    world: World
    stopped: JustStopped
    desk: SuppressionDesk

    async def get(self, path: str) -> Any:
        response, body = await self.api.get(path)
        assert response.status == 200, body
        return body

    async def post(self, *entries: object, status: int = 200) -> Any:
        response, body = await self.api.post(
            "/v1/suppressions", msgspec.json.encode({"suppressions": entries})
        )
        assert response.status == status, body
        return body

    async def validate(self, body: object) -> Any:
        response, answer = await self.api.post("/v1/numbers/validate", msgspec.json.encode(body))
        assert response.status == 200, answer
        return answer

    async def delete(self, query: str) -> Any:
        path = f"/v1/suppressions?{query}&reason=asked+by+letter"
        response, body = await self.api.call("DELETE", path, None, {})
        return body["removed"] if response.status == 200 else (response.status, body["code"])


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[Desk]:
    async with running(database_url) as world:
        stopped = JustStopped()
        suppressions = SuppressionDesk(
            world.database.read,
            world.database.dedicated("suppressions"),
            vault=VAULT,
            ids=world.ids,
            stopped=stopped,
            wall_ms=wall_ms,
        )
        reveals = AuditedReveals(world.database.dedicated("reveals"), world.ids, VAULT.index)
        async with running_api(
            suppressions=suppressions,
            numbers=NumberDesk(world.database.read, VAULT, wall_ms),
            number_check=NumberCheck(world.database.read, VAULT, wall_ms),
            inbound=InboundMessages(
                world.database.read, Registry({}, {"carrier-a": CONNECTOR}), VAULT
            ),
            reveals=reveals,
        ) as api:
            api.headers = api.new_key(ACCOUNT, *SCOPES)
            yield Desk(api, world, stopped, suppressions)
            await reveals.close()
            await suppressions.close()


async def test_each_entry_gets_its_verdict_and_one_bad_one_sinks_no_other(desk: Desk) -> None:
    await add(desk.world.connection, [Suppression(VAULT.index(OTHER), 2, "receipt", account=0)])
    answer = await desk.post(
        {"number": NUMBER},
        {"number": "13812345678"},
        {"number": NUMBER},
        {"number": OTHER, "category": "all", "reason": "recipient_blocked"},
        {"number": OTHER, "categori": "all"},
        {"number": OTHER, "expires_at": "2020-01-01T00:00:00Z"},
        7,
    )
    assert (answer["added"], answer["existing"], answer["rejected"]) == (2, 1, 4)
    said = [item.get("status") or item["error"]["code"] for item in answer["items"]]
    assert said == [
        "added", "number_invalid", "exists", "added", "field_unknown", "out_of_range", "field_type",
    ]  # fmt: skip
    pointers = [each["error"]["errors"][0]["pointer"] for each in answer["items"][4:6]]
    assert pointers == ["/suppressions/4/categori", "/suppressions/5/expires_at"]
    assert (
        desk.stopped.reason(VAULT.index(NUMBER), ACCOUNT, Category.MARKETING, wall_ms())
        == Reason.OPTED_OUT
    )  # at once
    assert desk.desk.opted_out == 1
    answer = await desk.post({"number": "nobody"}, status=422)
    assert answer["code"] == "batch_rejected"
    assert "nobody" not in str(answer)
    trail = await desk.world.connection.fetch("SELECT actor, action FROM audit ORDER BY id")
    assert [tuple(row) for row in trail] == [("key 1", "suppression.add")] * 2


async def test_the_list_is_masked_ends_where_it_should_and_belongs_to_the_account(
    desk: Desk,
) -> None:
    numbers = [f"+86138{n:08}" for n in range(7)]
    await desk.post(*({"number": number} for number in numbers))
    theirs = Suppression(VAULT.index(NUMBER), Reason.OPTED_OUT, "api", account=ACCOUNT + 1)
    everyones = Suppression(VAULT.index(NUMBER), Reason.NUMBER_UNKNOWN, "receipt")
    await add(desk.world.connection, [theirs, everyones])
    seen: list[dict[str, Any]] = []
    path = "/v1/suppressions?limit=3"
    while path:
        page = await desk.get(path)
        seen += page["data"]
        cursor = page["next_cursor"]
        path = f"/v1/suppressions?limit=3&cursor={cursor}" if cursor else ""
    assert len(seen) == 8
    assert (seen[0]["number"], seen[0]["every_account"]) == (None, True)
    assert {each["number"] for each in seen[1:]} == {f"+86138****{n:04}" for n in range(7)}
    assert (seen[1]["category"], seen[1]["source"]) == ("marketing", "api")
    page = await desk.get("/v1/suppressions?source=receipt&category=all")
    assert [each["reason"] for each in page["data"]] == ["number_unknown"]


async def test_a_number_is_allowed_again_but_not_what_stands_for_every_account(
    desk: Desk,
) -> None:
    everyones = Suppression(VAULT.index(NUMBER), Reason.NUMBER_UNKNOWN, "receipt")
    await add(desk.world.connection, [everyones])
    await desk.post({"number": NUMBER}, {"number": NUMBER, "category": "service"})
    quoted = NUMBER.replace("+", "%2B")
    assert await desk.delete(f"number={quoted}&category=service") == 1
    assert await desk.delete(f"number={quoted}") == 1
    assert await desk.delete(f"number={quoted}") == 0
    assert desk.stopped.reason(VAULT.index(NUMBER), ACCOUNT, Category.MARKETING, wall_ms()) is None
    assert await desk.delete("number=86") == (422, "parameter_invalid")
    assert await desk.delete("category=all") == (422, "parameter_invalid")
    desk.api.headers = desk.api.new_key(ACCOUNT, *SCOPES, "admin")
    assert await desk.delete(f"number={quoted}") == 1
    assert await desk.world.count("suppression") == 0


async def test_an_entry_that_has_expired_forbids_nothing_and_may_be_made_anew(desk: Desk) -> None:
    future = {"number": NUMBER, "expires_at": "2100-01-01T00:00:00Z"}
    assert (await desk.post(future))["added"] == 1
    assert (await desk.post(future))["existing"] == 1
    await desk.world.connection.execute("UPDATE suppression SET expires_at = now()")
    assert (await desk.post({"number": NUMBER}))["added"] == 1
    (entry,) = (await desk.get("/v1/suppressions"))["data"]
    assert entry["expires_at"] is None


async def test_how_a_number_fares(desk: Desk) -> None:
    world = desk.world
    now = datetime.now(UTC).replace(microsecond=0)
    messages = [world.message(to=NUMBER, account=ACCOUNT, parts=parts) for parts in (2, 2, 1, 1)]
    await world.store([*messages, world.message(to=NUMBER, account=ACCOUNT + 1)])
    results = [
        (0, 1, Status.DELIVERED, 0), (0, 2, Status.DELIVERED, 0),
        (1, 1, Status.DELIVERED, 0),  # its other part has no answer yet
        (2, 1, Status.UNDELIVERED, Reason.HANDSET_FULL),
    ]  # fmt: skip
    for message, part, status, reason in results:
        await world.connection.execute(
            "INSERT INTO submission (id, message_id, part, parts, account, category, connector,"
            " status, reason, submitted_at, receipt_at, done_at)"
            " VALUES ($1,$2,$3,$4,1,1,1,$5,$6,$7,$7,$8)",
            world.ids.next(), messages[message].id, part, messages[message].parts, status, reason,
            now, now if part == 1 else FAR,
        )  # fmt: skip
    await desk.post({"number": NUMBER})
    found = await desk.get(f"/v1/numbers/{NUMBER}")
    expected = {
        "number": MASKED, "valid": True, "fault": None, "country": "CN", "type": "mobile",
        "messages": 4, "delivered": 1, "failed": 1, "last_failure": "handset_full",
        "last_opted_out_at": None,
    }  # fmt: skip
    assert {name: found[name] for name in expected} == expected
    assert datetime.fromisoformat(found["last_delivered_at"]) == now
    assert [each["reason"] for each in found["suppressions"]] == ["opted_out"]
    bad = await desk.get("/v1/numbers/12")
    assert (bad["valid"], bad["messages"]) == (False, 0)
    assert "no +" in bad["fault"]


async def test_f1_a_number_says_whether_all_its_messages_are_counted(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(number_view, "NUMBER_MESSAGES_MAX", 2)
    for count, complete in ((1, True), (2, True), (2, False)):
        await desk.world.store([desk.world.message(to=NUMBER, account=ACCOUNT)])
        found = await desk.get(f"/v1/numbers/{NUMBER}")
        assert (found["messages"], found["complete"]) == (count, complete)


async def test_messages_from_handsets_newest_first_masked_and_filtered(desk: Desk) -> None:
    moments = [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3)]
    await desk.world.connection.execute(
        "CREATE TABLE inbound_message_test PARTITION OF inbound_message"
        f" FOR VALUES FROM ({id_at(moments[0])}) TO ({id_at(moments[2]) + 10})"
    )
    for moment in moments:
        for account in (ACCOUNT, ACCOUNT + 1, 0):
            await desk.world.connection.execute(
                "INSERT INTO inbound_message (id, connector, account, from_enc, from_idx,"
                " destination, text, parts, keyword, answers, fingerprint)"
                " VALUES ($1, $2, $3, $4, $5, '10690001', 'STOP', 1, 'opt_out', $1, '')",
                id_at(moment) + account, CONNECTOR, account, VAULT.seal(NUMBER),
                VAULT.index(NUMBER),
            )  # fmt: skip
    page = await desk.get("/v1/inbound?limit=2")
    assert [each["received_at"][:10] for each in page["data"]] == ["2026-01-03", "2026-01-02"]
    first = page["data"][0]
    assert (first["from"], first["to"], first["text"]) == (MASKED, "10690001", "STOP")
    assert (first["keyword"], first["connector"]) == ("opt_out", "carrier-a")
    assert first["answers"].startswith("msg_")
    rest = await desk.get(f"/v1/inbound?limit=2&cursor={page['next_cursor']}")
    assert [each["received_at"][:10] for each in rest["data"]] == ["2026-01-01"]
    assert rest["next_cursor"] is None
    between = "/v1/inbound?since=2026-01-02T00:00:00Z&until=2026-01-03T00:00:00Z"
    assert len((await desk.get(between))["data"]) == 1
    desk.api.headers = desk.api.new_key(ACCOUNT, *SCOPES, "admin")
    assert len((await desk.get("/v1/inbound"))["data"]) == 6


async def handset_wrote(desk: Desk, account: int, sealed: bytes) -> None:
    """A message from a handset, as it is stored."""
    await desk.world.connection.execute(
        "INSERT INTO inbound_message (id, connector, account, from_enc, from_idx,"
        " destination, text, parts, fingerprint)"
        " VALUES ($1, $2, $3, $4, $5, '10690001', 'hello', 1, $6)",
        desk.world.ids.next(), CONNECTOR, account, sealed, VAULT.index(NUMBER),
        desk.world.ids.next().to_bytes(8, "big"),
    )  # fmt: skip


async def test_k3_messages_are_shown_with_their_class_and_filtered_by_it(desk: Desk) -> None:
    """What a release before stored is known by its keyword, or by nothing."""
    stored = [
        (None, None, None, None), ("opt_out", None, None, None), (None, "other", None, None),
        (None, "keyword", "interested", None), (None, "rating", None, 4),
    ]  # fmt: skip
    for keyword, kind, name, rating in stored:
        await handset_wrote(desk, ACCOUNT, VAULT.seal(NUMBER))
        await desk.world.connection.execute(
            "UPDATE inbound_message SET keyword = $1, class = $2, keyword_name = $3, rating = $4"
            " WHERE id = (SELECT max(id) FROM inbound_message)",
            keyword, kind, name, rating,
        )  # fmt: skip
    data = (await desk.get("/v1/inbound"))["data"]
    assert [(each["class"], each["keyword_name"], each["rating"]) for each in data] == [
        ("rating", None, 4), ("keyword", "interested", None), ("other", None, None),
        ("opt_out", None, None), (None, None, None),
    ]  # fmt: skip
    for kind, count in (("opt_out", 1), ("rating", 1), ("help", 0)):
        assert len((await desk.get(f"/v1/inbound?class={kind}"))["data"]) == count
    response, body = await desk.api.get("/v1/inbound?class=stop")
    assert (response.status, body["code"]) == (422, "parameter_invalid")
    assert "class" in str(body["errors"])


async def test_e101_how_a_text_was_read_is_shown(desk: Desk) -> None:
    await handset_wrote(desk, ACCOUNT, VAULT.seal(NUMBER))
    await desk.world.connection.execute(
        "UPDATE inbound_message SET read_as = 'utf8', unclear = 'guessed'"
    )
    await handset_wrote(desk, ACCOUNT, VAULT.seal(NUMBER))
    data = (await desk.get("/v1/inbound"))["data"]
    assert [(each["unclear"], each["read_as"]) for each in data] == [
        (None, None),
        ("guessed", "utf8"),
    ]


async def audited(desk: Desk) -> list[tuple[str, Any]]:
    rows = await desk.world.connection.fetch(
        "SELECT actor, detail, subject, text FROM audit"
        " WHERE action = 'numbers.reveal' ORDER BY seq"
    )
    assert [row["text"] for row in rows] == ["complaint 4711"] * len(rows)
    assert [row["subject"] for row in rows] == [VAULT.index(NUMBER)] * len(rows)
    return [(row["actor"], row["detail"]) for row in rows]


async def test_h12_own_numbers_are_in_clear_with_the_scope_and_on_record(desk: Desk) -> None:
    await handset_wrote(desk, ACCOUNT, VAULT.seal(NUMBER))
    await desk.post({"number": NUMBER})
    for path in ("/v1/inbound", "/v1/suppressions"):
        for scopes in (SCOPES, ("admin",)):
            headers = desk.api.new_key(ACCOUNT, *scopes)
            response, body = await desk.api.get(f"{path}?reveal=true", headers)
            assert (response.status, body["code"]) == (403, "scope_missing"), (path, scopes)
            response, body = await desk.api.get(path, headers)
            assert NUMBER not in str(body)
    assert await audited(desk) == []
    desk.api.headers = desk.api.new_key(ACCOUNT, *SCOPES, "numbers:reveal")
    response, body = await desk.api.get("/v1/inbound?reveal=true")
    assert response.headers["Cache-Control"] == "no-store"
    inbound: Any = body["data"]
    assert [each["from"] for each in inbound] == [NUMBER]
    listed = (await desk.get("/v1/suppressions?reveal=true"))["data"]
    assert [each["number"] for each in listed] == [NUMBER]
    assert NUMBER not in str(await desk.get("/v1/inbound")), "only who asks is shown"
    trail = await audited(desk)
    assert [detail["list"] for _, detail in trail] == ["inbound", "suppressions"]
    assert trail[0][1] == {
        "list": "inbound", "rows": 1, "first": inbound[0]["id"], "last": inbound[0]["id"],
    }  # fmt: skip
    assert NUMBER not in str(trail)


async def test_of_a_page_with_several_numbers_each_is_on_record(desk: Desk) -> None:
    for number in (NUMBER, OTHER, NUMBER):
        await handset_wrote(desk, ACCOUNT, VAULT.seal(number))
    desk.api.headers = desk.api.new_key(ACCOUNT, *SCOPES, "numbers:reveal")
    await desk.get("/v1/inbound?reveal=true")
    first, *others = await desk.world.connection.fetch("SELECT * FROM audit ORDER BY seq")
    assert (first["action"], first["subject"], first["text"]) == (
        "numbers.reveal", None, "complaint 4711",
    )  # fmt: skip
    assert {row["subject"] for row in others} == {VAULT.index(NUMBER), VAULT.index(OTHER)}
    assert {(row["action"], row["text"]) for row in others} == {("numbers.shown", None)}
    assert {row["detail"]["reveal"] for row in others} == {format_id("aud", first["id"])}
    assert (await verify(desk.world.connection)).whole


@pytest.mark.parametrize(
    ("reason", "code"),
    [("", "reason_missing"), (" ", "reason_missing"), ("x" * 501, "reason_invalid")],
)
async def test_numbers_are_in_clear_only_for_a_reason(desk: Desk, reason: str, code: str) -> None:
    await handset_wrote(desk, ACCOUNT, VAULT.seal(NUMBER))
    desk.api.headers = desk.api.new_key(ACCOUNT, *SCOPES, "numbers:reveal")
    response, body = await desk.api.get("/v1/inbound?reveal=true", {REASON: reason})
    assert (response.status, body["code"]) == (422, code)
    response, body = await desk.api.get("/v1/inbound?reveal=false", {REASON: reason})
    assert response.status == 200, "who sees no number needs none"
    assert await desk.world.connection.fetchval("SELECT count(*) FROM audit") == 0


async def test_a_reason_may_be_in_any_language(desk: Desk) -> None:
    await handset_wrote(desk, ACCOUNT, VAULT.seal(NUMBER))
    desk.api.headers = desk.api.new_key(ACCOUNT, *SCOPES, "numbers:reveal")
    response, _ = await desk.api.get("/v1/inbound?reveal=true", {REASON: "投诉 4711"})
    assert response.status == 200
    assert await desk.world.connection.fetchval("SELECT text FROM audit") == "投诉 4711"


async def test_h12_what_stands_for_every_account_is_in_clear_for_admin_alone(desk: Desk) -> None:
    everyones = Suppression(
        VAULT.index(OTHER), Reason.OPTED_OUT, "keyword", to_enc=VAULT.seal(OTHER)
    )
    await add(desk.world.connection, [everyones])
    path = "/v1/suppressions?reveal=true"
    for scopes, number in (((), "+86139****5678"), (("admin",), OTHER)):
        desk.api.headers = desk.api.new_key(ACCOUNT, *SCOPES, "numbers:reveal", *scopes)
        (entry,) = (await desk.get(path))["data"]
        assert entry["number"] == number


async def test_h12_nothing_is_shown_that_could_not_be_put_on_record(desk: Desk) -> None:
    await handset_wrote(desk, ACCOUNT, VAULT.seal(NUMBER))
    desk.api.headers = desk.api.new_key(ACCOUNT, *SCOPES, "numbers:reveal")
    await desk.world.connection.execute("ALTER TABLE audit RENAME TO audit_elsewhere")
    response, body = await desk.api.get("/v1/inbound?reveal=true")
    assert response.status == 500
    assert NUMBER not in str(body)
    await desk.world.connection.execute("ALTER TABLE audit_elsewhere RENAME TO audit")


async def test_o13_a_number_that_cannot_be_opened_leaves_the_others_on_the_page(
    desk: Desk,
) -> None:
    damaged = bytes(30)
    before = VAULT.unreadable
    await handset_wrote(desk, ACCOUNT, VAULT.seal(NUMBER))
    await handset_wrote(desk, ACCOUNT, damaged)
    broken, whole = (await desk.get("/v1/inbound"))["data"]
    assert (broken["from"], broken["from_unreadable"], broken["text"]) == (None, True, "hello")
    assert whole["from"] == MASKED
    assert "from_unreadable" not in whole
    await desk.post({"number": NUMBER})
    await add(
        desk.world.connection,
        [Suppression(VAULT.index(OTHER), 2, "api", account=ACCOUNT, to_enc=damaged)],
    )
    entries = (await desk.get("/v1/suppressions"))["data"]
    assert {(each["number"], each.get("number_unreadable")) for each in entries} == {
        (None, True), (MASKED, None),
    }  # fmt: skip
    assert VAULT.unreadable == before + 2


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/inbound"), ("GET", "/v1/suppressions"), ("POST", "/v1/suppressions"),
        ("DELETE", "/v1/suppressions?number=1"), ("GET", "/v1/numbers/1"),
    ],
)  # fmt: skip
async def test_each_has_its_scope(api: Api, method: str, path: str) -> None:
    api.headers = api.new_key(1, "messages:send", "messages:read", "reports:read")
    response, body = await api.call(method, path, b"{}", {"Content-Type": "application/json"})
    assert (response.status, body["code"]) == (403, "scope_missing")


async def evidence_of(
    desk: Desk, number: str, kind: str, *, days_ago: int = 0, account: int = ACCOUNT, state: int = 0
) -> None:
    at = datetime.now(UTC) - timedelta(days=days_ago)
    await desk.world.connection.execute(
        "INSERT INTO number_evidence (to_idx, account, day, kind, state, reason, connector, error,"
        " message_id, at, to_enc) VALUES ($1, $2, $3, $4, $5, $6, $7, 'MK:0001', 1, $8, $9)",
        VAULT.index(number), account, at.date(), kind, state, int(Reason.NUMBER_UNKNOWN), CONNECTOR,
        at, VAULT.seal(number),
    )  # fmt: skip


async def delivered(desk: Desk, number: str, *, days_ago: int = 0) -> datetime:
    at = (datetime.now(UTC) - timedelta(days=days_ago)).replace(microsecond=0)
    message = desk.world.message(to=number, account=ACCOUNT)
    await desk.world.store([message])
    await desk.world.connection.execute(
        "INSERT INTO submission (id, message_id, part, parts, account, category, connector, status,"
        " submitted_at, receipt_at) VALUES ($1, $2, 1, 1, $3, 1, $4, $5, $6, $6)",
        desk.world.ids.next(), message.id, ACCOUNT, CONNECTOR, Status.DELIVERED, at,
    )  # fmt: skip
    return at


async def test_a_number_tells_its_evidence_by_day_and_its_score(desk: Desk) -> None:
    await evidence_of(desk, NUMBER, "p", days_ago=10)
    await evidence_of(desk, NUMBER, "t", days_ago=3, state=2)
    await evidence_of(desk, NUMBER, "p", account=ACCOUNT + 1)
    at = await delivered(desk, NUMBER)
    found = await desk.get(f"/v1/numbers/{NUMBER}")
    days = [(each["kind"], each["state"]) for each in found["evidence"]]
    assert days == [("delivered", "counts"), ("temporary", "undone"), ("prune", "counts")]
    newest, _, proof = found["evidence"]
    assert (newest["day"], newest["reason"]) == (at.date().isoformat(), None)
    assert (proof["reason"], proof["carrier_code"]) == ("number_unknown", "MK:0001")
    assert found["validity"] == pytest.approx(0.8, abs=0.01)  # less from midnight on
    assert (found["recycled"], found["delivered_days"]) == (True, 1)
    assert datetime.fromisoformat(found["last_delivered_at"]) == at


async def test_numbers_are_validated_by_the_first_verdict_that_fits(desk: Desk) -> None:
    dead, risky, good, landline, unknown, stopped = (
        "+8613800000001", "+8613800000002", "+8613800000003", "+861012345678", "+8613800000005",
        "+8613800000006",
    )  # fmt: skip
    for number in (dead, stopped):
        await evidence_of(desk, number, "p")
    for days_ago in range(3):
        await evidence_of(desk, risky, "t", days_ago=days_ago)
    await delivered(desk, good)
    await evidence_of(desk, unknown, "p", account=ACCOUNT + 1)  # not this account's history
    await evidence_of(desk, landline, "p")
    await desk.post({"number": stopped})
    asked = [dead, risky, good, landline, unknown, stopped, "13812345678", good]
    answer = await desk.validate({"numbers": asked})
    assert [each["verdict"] for each in answer["numbers"]] == [
        "dead", "risky", "good", "not_mobile", "unknown", "suppressed", "invalid_format", "good",
    ]  # fmt: skip
    assert [each["index"] for each in answer["numbers"]] == list(range(8))
    assert answer["verdicts"] == {
        "invalid_format": 1, "not_mobile": 1, "suppressed": 1, "dead": 1, "risky": 1, "unknown": 1,
        "good": 2,
    }  # fmt: skip
    first = answer["numbers"][0]
    assert (first["number"], first["country"], first["type"]) == ("+86138****0001", "CN", "mobile")
    assert first["operator"] == "china mobile"
    assert first["validity"] == pytest.approx(0.3, abs=0.01)  # more from midnight on
    assert answer["numbers"][5]["suppressed"] == "opted_out"
    assert answer["numbers"][6]["validity"] is None
    service = await desk.validate({"numbers": [stopped], "category": "service"})
    assert service["numbers"][0]["verdict"] == "dead"


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({"numbers": []}, ["/numbers"]),
        ({"numbers": [NUMBER] * 1001}, ["/numbers"]),
        ({"numbers": [NUMBER, 7], "category": "none"}, ["/numbers/1", "/category"]),
        ({}, ["/numbers"]),
        ({"numbers": [NUMBER], "number": 1}, ["/number"]),
    ],
)
async def test_what_cannot_be_validated_is_told_at_once(
    desk: Desk, body: dict[str, object], pointers: list[str]
) -> None:
    response, answer = await desk.api.post("/v1/numbers/validate", msgspec.json.encode(body))
    assert response.status == 422
    assert sorted(each["pointer"] for each in answer["errors"]) == sorted(pointers)


async def test_g39_a_number_that_cannot_be_read_sinks_no_page(desk: Desk) -> None:
    await evidence_of(desk, NUMBER, "p")
    await desk.world.connection.execute("UPDATE number_evidence SET to_enc = 'damaged'")
    found = await desk.get(f"/v1/numbers/{NUMBER}")
    assert [each["kind"] for each in found["evidence"]] == ["prune"]
    answer = await desk.validate({"numbers": [NUMBER]})
    assert answer["numbers"][0]["verdict"] == "dead"


async def test_an_opt_out_stays_unless_the_key_may_end_it(desk: Desk) -> None:
    await desk.post(
        {"number": NUMBER}, {"number": NUMBER, "category": "service", "reason": "number_unknown"}
    )
    quoted = NUMBER.replace("+", "%2B")
    desk.api.headers = desk.api.new_key(ACCOUNT, "suppressions:write")
    path = f"/v1/suppressions?number={quoted}"
    response, body = await desk.api.call("DELETE", path, None, {})
    assert (response.status, body["errors"][0]["parameter"]) == (422, "reason")
    response, body = await desk.api.call("DELETE", f"{path}&reason=wrong", None, {})
    assert (response.status, body) == (200, {"removed": 1, "opt_outs_kept": 1})
    desk.api.headers = desk.api.new_key(ACCOUNT, "suppressions:write", "suppressions:end_opt_outs")
    response, body = await desk.api.call("DELETE", f"{path}&reason=letter+4711", None, {})
    assert (response.status, body) == (200, {"removed": 1, "opt_outs_kept": 0})
    rows = await desk.world.connection.fetch(
        "SELECT text AS reason FROM audit WHERE action = 'suppression.remove' ORDER BY id"
    )
    assert [row["reason"] for row in rows] == ["wrong", "letter 4711"]


async def test_what_an_operator_undid_counts_no_more(desk: Desk) -> None:
    await evidence_of(desk, NUMBER, "p")
    entry = Suppression(to_idx=VAULT.index(NUMBER), reason=Reason.NUMBER_UNKNOWN, source="receipt")
    await add(desk.world.connection, [entry])
    desk.api.headers = desk.api.new_key(ACCOUNT, "admin")
    assert await desk.delete(f"number={NUMBER.replace('+', '%2B')}") == 1
    found = await desk.get(f"/v1/numbers/{NUMBER}")
    assert ([each["state"] for each in found["evidence"]], found["validity"]) == (["undone"], 0.75)
