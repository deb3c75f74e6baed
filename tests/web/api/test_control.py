"""Verbs on messages and batches: what is answered, and when it is too late."""

from __future__ import annotations

from messages.control.batches import BatchView
from storage.ids import format_id, parse_id
from tests.web.api.test_messages import BATCH, GOOD, URL
from tests.web.served import Api

BATCHES = "/v1/batches"


async def sent(api: Api) -> str:
    _, body = await api.post(URL, GOOD)
    return str(body["id"])


async def test_a_waiting_message_is_canceled_and_canceled_again(api: Api) -> None:
    message = await sent(api)
    for _ in range(2):
        response, body = await api.post(f"{URL}/{message}/cancel", b"")
        assert response.status == 200
        assert body == {
            "id": message, "status": "canceled", "object": "message", "replaced_by": None,
        }  # fmt: skip


async def test_what_went_in_its_place_is_canceled_and_named(api: Api) -> None:
    """Also where that is too late."""
    old, new = await sent(api), await sent(api)
    api.memory.anew[parse_id("msg", old)] = parse_id("msg", new)
    response, body = await api.post(f"{URL}/{old}/cancel", b"")
    assert (response.status, body["id"], body["replaced_by"]) == (200, old, new)
    assert api.memory.canceled == {parse_id("msg", new)}
    api.memory.canceled.clear()
    api.memory.sending.update(api.memory.stored)
    response, problem = await api.post(f"{URL}/{old}/cancel", b"")
    assert (response.status, problem["code"]) == (409, "not_cancelable")
    assert f"sent anew as {new}, which is sending" in str(problem["detail"])


async def test_too_late_is_a_conflict_that_names_the_status(api: Api) -> None:
    message = await sent(api)
    api.memory.sending.update(api.memory.stored)
    response, problem = await api.post(f"{URL}/{message}/cancel", b"")
    assert (response.status, problem["code"]) == (409, "not_cancelable")
    assert "sending" in str(problem["detail"])


async def test_nobody_cancels_the_message_of_another_account(api: Api) -> None:
    message = await sent(api)
    stranger = api.new_key(2, "messages:send")
    for path in (message, format_id("msg", 1), "msg_nonsense", "1"):
        response, problem = await api.post(f"{URL}/{path}/cancel", b"", stranger)
        assert (response.status, problem["code"]) == (404, "not_found"), path
    reader = api.new_key(1, "messages:read")
    response, _ = await api.post(f"{URL}/{message}/cancel", b"", reader)
    assert response.status == 403
    assert not api.memory.canceled


async def batch_of(api: Api) -> str:
    _, body = await api.post(BATCH, {"messages": [GOOD] * 3})
    return f"{BATCHES}/{body['batch_id']}"


async def test_a_batch_is_paused_resumed_and_canceled_for_good(api: Api) -> None:
    path = await batch_of(api)
    for verb, state in (("pause", "paused"), ("resume", "active"), ("cancel", "canceled")):
        response, body = await api.post(f"{path}/{verb}", b"")
        assert (response.status, body["state"], body["in_flight"]) == (200, state, 3)
    _, body = await api.get(path)
    assert (body["state"], body["counts"]) == ("canceled", {"accepted": 3})
    response, problem = await api.post(f"{path}/resume", b"")
    assert (response.status, problem["code"]) == (409, "batch_canceled")


async def test_a_batch_of_a_campaign_names_the_campaign(api: Api) -> None:
    path = await batch_of(api)
    batch = parse_id("bat", path.rpartition("/")[2])
    api.memory.waves.add(batch)
    api.memory.batches[batch] = BatchView(
        id=batch, until_id=0, state="active", rate=None, in_flight=0, changed_at=None, campaign=1
    )
    _, body = await api.get(path)
    assert body["campaign"] == format_id("cmp", 1)
    for verb in ("pause", "resume", "cancel"):
        response, problem = await api.post(f"{path}/{verb}", b"")
        assert (response.status, problem["code"]) == (409, "batch_of_campaign")
        assert "cmp_1" in str(problem["detail"])


async def test_a_batch_is_given_a_rate_and_loses_it(api: Api) -> None:
    path = await batch_of(api)
    json = {"Content-Type": "application/json"}
    for text, rate in ((b'{"rate":"50/s,burst=5"}', "50/s,burst=5"), (b'{"rate":null}', None)):
        response, body = await api.call("PATCH", path, text, json)
        assert (response.status, body["rate"]) == (200, rate)
    for text, code in (
        (b'{"rate":"fast"}', "rate_invalid"),
        (b'{"rate":5}', "field_type"),
        (b'{"speed":"5/s"}', "field_unknown"),
        (b"{", "malformed_json"),
    ):
        _, problem = await api.call("PATCH", path, text, json)
        assert problem["code"] == code


async def test_nobody_controls_the_batch_of_another_account(api: Api) -> None:
    path = await batch_of(api)
    stranger = api.new_key(2, "messages:send", "messages:read")
    for verb in ("pause", "resume", "cancel"):
        response, _ = await api.post(f"{path}/{verb}", b"", stranger)
        assert response.status == 404
    assert (await api.get(path, stranger))[0].status == 404
    assert (await api.get(f"{BATCHES}/bat_nonsense"))[0].status == 404


async def test_what_waits_is_told_to_who_may_read_reports(api: Api) -> None:
    await sent(api)
    response, body = await api.get("/v1/queue")
    assert response.status == 200
    assert body["data"][0]["messages"] == 1
    assert body["held"] == {"paused": 2}
    sender = api.new_key(1, "messages:send")
    assert (await api.get("/v1/queue", sender))[0].status == 403
