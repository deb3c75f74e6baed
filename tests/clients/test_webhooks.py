"""A webhook is taken only as it was signed, now, with a secret that is known.

`standardwebhooks` is the specification's own verifier; the vectors were computed by neither.
"""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from smsgate_client import WebhookInvalid, Webhooks

SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
OLD = "whsec_" + base64.b64encode(bytes(range(0x20, 0x40))).decode()
ID = "evt_0aq3zk5m80000"
NOW = 1_796_083_200
TEST = b'{"type":"webhook.test","timestamp":"2026-12-01T00:00:00.000000Z","data":{}}'
RECEIVED = (
    '{"type":"message.received","timestamp":"2026-12-01T00:00:00.000000Z","data":{"text":"退订😀"}}'
).encode()
GOOD = "v1,twcMeYEMF7AYz1QPh/HU+EP1uL9vHjZ/5uWrVxowrYs="
LATER = "v1,RZY2hzZ+ffWmxFvrQPxtnn2ydQkgV8YzDYiN4lObDqs="
BY_OLD = "v1,V+eH/oIHTCTYdqXpijmWmt1xM4ezm+s9QhjgamH9PSM="
OF_RECEIVED = "v1,0wBYsQ9Xlvr7ipM4F2ebodPSQB+14tGvAHbwzrsYWgg="
OTHER_SCHEME = (
    "v1a,5ejPC81UC3EA+BXR93RGPuPgQ9BquZBDZwgrUPWDT+wxOkzkWzzp1ExzD+yHqKyeP9kXnxXAvbi7Jdncj2BoCw=="
)


def headers(signature: str, at: int | str = NOW, event_id: str = ID) -> dict[str, str]:
    return {"webhook-id": event_id, "webhook-timestamp": str(at), "webhook-signature": signature}


@pytest.mark.parametrize(
    ("secrets", "body", "at", "signature"),
    [
        ((SECRET,), TEST, NOW, GOOD),
        ((SECRET,), TEST, NOW + 5, LATER),
        ((OLD,), TEST, NOW, BY_OLD),
        ((SECRET,), RECEIVED, NOW, OF_RECEIVED),
        ((SECRET,), TEST, NOW, f"{BY_OLD} {GOOD}"),
        ((SECRET, OLD), TEST, NOW, BY_OLD),
        ((SECRET,), TEST, NOW, f"{OTHER_SCHEME} {GOOD}"),
    ],
)
def test_vectors_are_taken(secrets: tuple[str, ...], body: bytes, at: int, signature: str) -> None:
    event = Webhooks(*secrets).verify(body, headers(signature, at), now=NOW)
    assert event.id == ID
    assert event.type == json.loads(body)["type"]
    assert event.timestamp == datetime(2026, 12, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("body", "given", "said"),
    [
        (TEST + b" ", headers(GOOD), "no signature"),
        (TEST, headers(GOOD, event_id="evt_other"), "no signature"),
        (TEST, headers(GOOD, NOW + 1), "no signature"),
        (TEST, headers(BY_OLD), "no signature"),
        (TEST, headers(OTHER_SCHEME), "no signature"),
        (TEST, headers(GOOD.replace("v1,", "v2,")), "no signature"),
        (TEST, headers(GOOD.removeprefix("v1,")), "no signature"),
        (TEST, headers("v1,"), "no signature"),
        (TEST, headers(","), "no signature"),
        (TEST, headers("v1,é"), "no signature"),
        (TEST, headers(GOOD, NOW - 301), "301 s old"),
        (TEST, headers(GOOD, NOW + 301), "301 s ahead"),
        (TEST, headers(GOOD, "now"), "no number of seconds"),
        (TEST, headers(GOOD, "-5"), "no number of seconds"),
        (TEST, headers(GOOD, "9" * 5000), "no number of seconds"),
        (TEST, headers(""), "webhook-signature is missing"),
        (TEST, {}, "webhook-id is missing"),
    ],
)
def test_everything_else_is_refused(body: bytes, given: dict[str, str], said: str) -> None:
    with pytest.raises(WebhookInvalid, match=said):
        Webhooks(SECRET).verify(body, given, now=NOW)


@pytest.mark.parametrize("aside", [-300, 300])
def test_clocks_may_differ_by_five_minutes(aside: int) -> None:
    assert Webhooks(SECRET).verify(TEST, headers(GOOD), now=NOW + aside).type == "webhook.test"


def test_names_of_headers_have_no_case_and_the_time_is_now() -> None:
    now = datetime.now(UTC)
    signature = Webhook(SECRET).sign(ID, now, TEST.decode())
    given = headers(signature, int(now.timestamp()))
    titled = {name.title(): each for name, each in given.items()}
    assert Webhooks(SECRET).verify(TEST, titled).type == "webhook.test"


@given(
    key=st.binary(min_size=24, max_size=64),
    event_id=st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=40),
    data=st.dictionaries(st.text(max_size=8), st.text(max_size=40), max_size=5),
    at=st.integers(0, 4_000_000_000),
)
def test_what_the_reference_signs_is_taken(
    key: bytes, event_id: str, data: dict[str, str], at: int
) -> None:
    secret = "whsec_" + base64.b64encode(key).decode()
    document = {"type": "x", "timestamp": "2026-12-01T00:00:00Z", "data": data}
    body = json.dumps(document, ensure_ascii=False)
    signature = Webhook(secret).sign(event_id, datetime.fromtimestamp(at, UTC), body)
    event = Webhooks(secret).verify(body.encode(), headers(signature, at, event_id), now=at)
    assert (event.id, event.data) == (event_id, data)


@pytest.mark.parametrize("body", [b"{}", b"[1]", b"no JSON", b'{"type":"x","timestamp":1}'])
def test_what_is_signed_and_no_event_is_refused(body: bytes) -> None:
    signature = Webhook(SECRET).sign(ID, datetime.fromtimestamp(NOW, UTC), body.decode())
    with pytest.raises(WebhookInvalid, match="the body is signed, but no"):
        Webhooks(SECRET).verify(body, headers(signature), now=NOW)


def test_events_that_come_together_are_told_each_with_its_id() -> None:
    inner = [
        {"id": f"evt_{number}", "type": "message.sent", "timestamp": "2026-12-01T00:00:00Z",
         "data": {"sequence": number}}
        for number in range(3)
    ]  # fmt: skip
    body = json.dumps(
        {"type": "events.batch", "timestamp": "2026-12-01T00:00:00Z", "data": {"events": inner}}
    )
    signature = Webhook(SECRET).sign(ID, datetime.fromtimestamp(NOW, UTC), body)
    together = Webhooks(SECRET).verify(body.encode(), headers(signature), now=NOW)
    assert [(each.id, each.data["sequence"]) for each in together.events()] == [
        ("evt_0", 0), ("evt_1", 1), ("evt_2", 2),
    ]  # fmt: skip


@pytest.mark.parametrize("secret", ["whsec_%%%", "whsec_c2hvcnQ=", ""])
def test_a_secret_that_is_none_is_said_at_once(secret: str) -> None:
    with pytest.raises(ValueError, match="a secret"):
        Webhooks(secret)


def test_no_secret_at_all_is_no_open_door() -> None:
    with pytest.raises(ValueError, match="at least one secret"):
        Webhooks()
