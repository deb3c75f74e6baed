"""What leaves is what Standard Webhooks 1.0.0 says, as its own verifier reads it."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from dlr.webhooks.signature import (
    SecretInvalid,
    new_private_key,
    new_secret,
    public_key,
    signed_headers,
    signing_key,
)

FIRST = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
OLD = "whsec_" + base64.b64encode(bytes(range(0x20, 0x40))).decode()
EVENT = "evt_0aq3zk5m80000"
AT = 1796083200
TEST = b'{"type":"webhook.test","timestamp":"2026-12-01T00:00:00.000000Z","data":{}}'
CHINESE = (
    '{"type":"message.received","timestamp":"2026-12-01T00:00:00.000000Z","data":{"text":"退订😀"}}'
).encode()
SEED = bytes(range(32))
KEYS = st.binary(min_size=24, max_size=64).map(
    lambda key: "whsec_" + base64.b64encode(key).decode()
)


@pytest.mark.parametrize(
    ("secret", "at", "body", "expected"),
    [
        (FIRST, AT, TEST, "v1,twcMeYEMF7AYz1QPh/HU+EP1uL9vHjZ/5uWrVxowrYs="),
        (FIRST, AT + 5, TEST, "v1,RZY2hzZ+ffWmxFvrQPxtnn2ydQkgV8YzDYiN4lObDqs="),
        (OLD, AT, TEST, "v1,V+eH/oIHTCTYdqXpijmWmt1xM4ezm+s9QhjgamH9PSM="),
        (FIRST, AT, CHINESE, "v1,0wBYsQ9Xlvr7ipM4F2ebodPSQB+14tGvAHbwzrsYWgg="),
    ],
)
def test_the_vectors(secret: str, at: int, body: bytes, expected: str) -> None:
    headers = signed_headers([signing_key(secret)], EVENT, at, body)
    assert headers == {
        "webhook-id": EVENT,
        "webhook-timestamp": str(at),
        "webhook-signature": expected,
    }


def ed25519() -> str:
    public = Ed25519PrivateKey.from_private_bytes(SEED).public_key().public_bytes_raw()
    return "whsk_" + base64.b64encode(SEED + public).decode()


def test_the_vector_of_ed25519() -> None:
    headers = signed_headers([signing_key(ed25519())], EVENT, AT, TEST)
    assert headers["webhook-signature"] == (
        "v1a,5ejPC81UC3EA+BXR93RGPuPgQ9BquZBDZwgrUPWDT+wxOkzkWzzp1ExzD+yHqKyeP9kXnxXAvbi7Jdncj2BoCw=="
    )


def test_the_public_half_verifies_and_another_does_not() -> None:
    private = new_private_key()
    entry = signed_headers([signing_key(private)], EVENT, AT, TEST)["webhook-signature"]
    signature = base64.b64decode(entry.removeprefix("v1a,"))
    signed = f"{EVENT}.{AT}.".encode() + TEST
    shown = public_key(private)
    assert shown.startswith("whpk_")
    verifier = Ed25519PublicKey.from_public_bytes(base64.b64decode(shown[5:]))
    verifier.verify(signature, signed)
    with pytest.raises(InvalidSignature):
        verifier.verify(signature, signed + b" ")


@given(
    secret=KEYS,
    body=st.text().map(str.encode),
    event=st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True),
)
def test_the_package_makes_the_same_signature(secret: str, body: bytes, event: str) -> None:
    ours = signed_headers([signing_key(secret)], event, AT, body)["webhook-signature"]
    assert ours == Webhook(secret).sign(event, datetime.fromtimestamp(AT, UTC), body.decode())


def test_w3_an_attempt_two_hours_later_verifies() -> None:
    """The event is of two hours ago: what counts is when this attempt was signed."""
    now = int(datetime.now(UTC).timestamp())
    verifier, keys = Webhook(FIRST), [signing_key(FIRST)]
    with pytest.raises(WebhookVerificationError):
        verifier.verify(TEST, signed_headers(keys, EVENT, now - 7200, TEST))
    event = verifier.verify(TEST, signed_headers(keys, EVENT, now, TEST))
    assert event["type"] == "webhook.test"


def test_w5_both_secrets_verify_while_one_replaces_the_other() -> None:
    now = int(datetime.now(UTC).timestamp())
    new, old = new_secret(), OLD
    both = signed_headers([signing_key(new), signing_key(old)], EVENT, now, TEST)
    entries = both["webhook-signature"].split(" ")
    assert [entry.partition(",")[0] for entry in entries] == ["v1", "v1"]
    for secret in (new, old):
        assert Webhook(secret).verify(TEST, both)["type"] == "webhook.test"
    one = signed_headers([signing_key(new)], EVENT, now, TEST)
    assert one["webhook-signature"] == entries[0]  # the newest stands first
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(TEST, one)


def test_the_verifier_reads_past_an_ed25519_signature() -> None:
    now = int(datetime.now(UTC).timestamp())
    keys = [signing_key(ed25519()), signing_key(new_secret()), signing_key(FIRST)]
    headers = signed_headers(keys, EVENT, now, TEST)
    assert re.fullmatch(r"v1a,\S+ v1,\S+ v1,\S+", headers["webhook-signature"])
    assert Webhook(FIRST).verify(TEST, headers)["data"] == {}


def test_secrets_made_here_are_long_and_different() -> None:
    made = {new_secret() for _ in range(50)}
    assert len(made) == 50
    assert {len(base64.b64decode(secret.removeprefix("whsec_"))) for secret in made} == {32}
    assert len({new_private_key() for _ in range(50)}) == 50


@pytest.mark.parametrize("octets", [24, 64])
def test_secrets_of_24_to_64_octets_are_taken(octets: int) -> None:
    signing_key("whsec_" + base64.b64encode(bytes(octets)).decode())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("whsec_" + base64.b64encode(bytes(23)).decode(), "23 octets: expected 24 to 64"),
        ("whsec_" + base64.b64encode(bytes(65)).decode(), "65 octets: expected 24 to 64"),
        ("whsec_!!!!", "no base64"),
        ("whsec_", "0 octets"),
        ("", "expected whsec_"),
        ("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "expected whsec_"),
        ("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "no base64"),
        ("whsk_" + base64.b64encode(bytes(32)).decode(), "a seed and a public key"),
        ("whsk_" + base64.b64encode(bytes(64)).decode(), "does not belong to the seed"),
    ],
)
def test_what_is_no_key_is_refused_and_not_shown(text: str, said: str) -> None:
    with pytest.raises(SecretInvalid, match=said) as caught:
        signing_key(text)
    assert len(text) < 10 or text not in str(caught.value)


@pytest.mark.parametrize("event", ["", "a.b", "a b", "é", "x" * 65, "a\n"])
def test_an_id_that_could_be_read_otherwise_is_not_signed(event: str) -> None:
    with pytest.raises(ValueError, match="webhook-id"):
        signed_headers([signing_key(FIRST)], event, AT, TEST)


@pytest.mark.parametrize("count", [0, 4])
def test_no_attempt_leaves_without_a_signature_or_with_four(count: int) -> None:
    with pytest.raises(ValueError, match="expected 1 to 3"):
        signed_headers([signing_key(FIRST)] * count, EVENT, AT, TEST)
