"""A receiver takes what is signed with its secret, and nothing else."""

from __future__ import annotations

import base64

import msgspec
import pytest
from aiohttp import ClientSession

from dlr.webhooks.signature import new_secret, signed_headers, signing_key
from gateway.rehearsal.client import Client
from gateway.rehearsal.processes import RehearsalError
from gateway.rehearsal.receiver import receiving

SECRET = new_secret()


class Subscribing(Client):
    """A client whose gateway is this test."""

    status = 201

    def __init__(self, session: ClientSession) -> None:
        super().__init__(session, "http://gateway", "sk_test")
        self.asked: dict[str, object] = {}

    async def call(self, method: str, path: str, body: object = None) -> tuple[int, object]:
        assert isinstance(body, dict)
        self.asked = body
        return self.status, {"id": "whe_1", "secret": SECRET}


async def told(client: Subscribing, body: bytes, secret: str = SECRET) -> int:
    headers = signed_headers([signing_key(secret)], "evt_1", 1_796_083_200, body)
    async with client.session.post(str(client.asked["url"]), data=body, headers=headers) as answer:
        return answer.status


async def test_what_is_signed_is_counted_once_by_its_id() -> None:
    event = {"type": "message.delivered", "data": {"id": "msg_1", "final": True}}
    batch = {"type": "events.batch", "data": {"events": [{**event, "id": "evt_1"}]}}
    async with ClientSession() as session:
        client = Subscribing(session)
        async with receiving(client) as counted:
            for body in (event, batch):
                assert await told(client, msgspec.json.encode(body)) == 204
    assert (counted.requests, counted.forged, counted.delivered) == (2, 0, 1)
    assert counted.final == {"msg_1"}


async def test_another_secret_is_401() -> None:
    other = "whsec_" + base64.b64encode(bytes(32)).decode()
    async with ClientSession() as session:
        client = Subscribing(session)
        async with receiving(client) as counted:
            assert await told(client, b'{"type":"x","data":{}}', other) == 401
    assert (counted.forged, counted.events) == (1, {})


async def test_a_gateway_that_refuses_the_endpoint_ends_the_demo() -> None:
    async with ClientSession() as session:
        client = Subscribing(session)
        client.status = 403
        with pytest.raises(RehearsalError, match="403"):
            async with receiving(client):
                pass
