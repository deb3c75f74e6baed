"""Keys: who is let in, who is told what, and how often the database is asked."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from storage.faults import Overloaded, StorageDown
from tests.web.api.test_messages import BATCH, GOOD, URL
from tests.web.served import Api
from web.edge import auth
from web.edge.auth import Authenticator
from web.edge.keys import StoredKey, hash_of, new_key
from web.edge.problems import ProblemError
from web.edge.wrong_keys import WrongKeys

HERE = "192.0.2.1"


@pytest.mark.parametrize("header", ["", "Basic dXNlcjpwYXNz", "Bearer", "sk_x"])
async def test_without_a_bearer_key_401_says_how_to_authenticate(api: Api, header: str) -> None:
    response, problem = await api.post(URL, GOOD, {"Authorization": header})
    assert (response.status, problem["code"]) == (401, "key_missing")
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("key", ["", "x", "sk_short", "sk_" + "A" * 43, "sk_" + "é" * 43])
async def test_an_unknown_key_is_401(api: Api, key: str) -> None:
    response, problem = await api.post(URL, GOOD, {"Authorization": f"Bearer {key}"})
    assert response.status == 401
    assert problem["code"] == ("key_unknown" if key else "key_missing")
    assert "invalid_token" in response.headers["WWW-Authenticate"] or not key
    assert api.memory.stored == {}


PROTECTED = [
    ("POST", URL, "messages:send"),
    ("POST", BATCH, "messages:send"),
    ("GET", "/v1/messages/msg_0000000000000", "messages:read"),
    ("GET", "/v1/messages/msg_0000000000000/events", "messages:read"),
    ("GET", "/v1/reports/delivery", "reports:read"),
    ("GET", "/v1/reports/funnel", "reports:read"),
    ("GET", "/v1/reports/failures", "reports:read"),
    ("GET", "/v1/reports/latency", "reports:read"),
    ("GET", "/v1/connectors", "reports:read"),
]


@pytest.mark.parametrize(("method", "path", "scope"), PROTECTED)
async def test_each_endpoint_asks_for_its_scope(
    api: Api, method: str, path: str, scope: str
) -> None:
    others = {"messages:send", "messages:read", "reports:read"} - {scope}
    response, problem = await api.call(method, path, None, api.new_key(1, *others))
    assert (response.status, problem["code"]) == (403, "scope_missing")
    assert scope in str(problem["detail"])
    for granted in (scope, "admin"):
        response, _ = await api.call(method, path, None, api.new_key(1, granted))
        assert response.status not in (401, 403)


async def test_a_key_of_an_account_that_is_not_configured_cannot_send(api: Api) -> None:
    response, problem = await api.post(URL, GOOD, api.new_key(9, "messages:send"))
    assert (response.status, problem["code"]) == (403, "account_unknown")


async def test_a_key_is_looked_up_once_and_again_when_the_cache_ends(api: Api) -> None:
    for _ in range(5):
        await api.post(URL, GOOD)
    assert api.memory.key_lookups == 1
    api.time[0] += auth.CACHE_SECONDS
    await api.post(URL, GOOD)
    assert api.memory.key_lookups == 2


async def test_a_revoked_key_ends_with_the_cache_and_a_new_one_begins(api: Api) -> None:
    await api.post(URL, GOOD)
    kept = dict(api.memory.keys)
    api.memory.keys.clear()
    api.time[0] += auth.CACHE_SECONDS
    assert (await api.post(URL, GOOD))[0].status == 401
    assert (await api.post(URL, GOOD))[0].status == 401
    assert api.memory.key_lookups == 2, "the unknown key is remembered, too"
    api.memory.keys.update(kept)
    api.time[0] += auth.CACHE_SECONDS
    assert (await api.post(URL, GOOD))[0].status == 202


@pytest.mark.parametrize("ended", ["revoked", "expired"])
async def test_o3_a_key_that_has_ended_is_told_how(api: Api, ended: str) -> None:
    await api.post(URL, GOOD)
    [key_hash] = (each for each, key in api.memory.keys.items() if key.account == 1)
    key = api.memory.keys[key_hash]
    api.memory.keys[key_hash] = msgspec.structs.replace(key, ended=ended)
    assert (await api.post(URL, GOOD))[0].status == 202, "the cache has not ended"
    api.time[0] += auth.CACHE_SECONDS
    for _ in range(2):
        response, problem = await api.post(URL, GOOD)
        assert (response.status, problem["code"]) == (401, f"key_{ended}")
        assert "invalid_token" in response.headers["WWW-Authenticate"]
    assert api.memory.key_lookups == 2, "that it has ended is remembered, too"


async def test_o3_a_key_is_not_remembered_longer_than_it_lasts(api: Api) -> None:
    [key_hash] = (each for each, key in api.memory.keys.items() if key.account == 1)
    key = api.memory.keys[key_hash]
    api.memory.keys[key_hash] = msgspec.structs.replace(key, lasts_seconds=1.5)
    await api.post(URL, GOOD)
    api.memory.keys[key_hash] = msgspec.structs.replace(key, lasts_seconds=-0.1, ended="expired")
    api.time[0] += 1.6
    assert (await api.post(URL, GOOD))[1]["code"] == "key_expired"


async def test_a_key_that_cannot_be_one_costs_no_lookup(api: Api) -> None:
    await api.post(URL, GOOD, {"Authorization": "Bearer sk_nonsense"})
    assert api.memory.key_lookups == 0


class SlowStore:
    """A key store that answers when it is told to."""

    def __init__(self) -> None:
        self.lookups = 0
        self.answer = asyncio.Event()
        self.failure: Exception | None = None
        self.lasts_seconds: float | None = None

    async def find(self, key_hash: bytes) -> StoredKey | None:
        self.lookups += 1
        await self.answer.wait()
        if self.failure is not None:
            raise self.failure
        return StoredKey(1, 1, frozenset({"messages:send"}), self.lasts_seconds)


async def test_simultaneous_requests_of_one_key_ask_once_between_them() -> None:
    store = SlowStore()
    authenticator = Authenticator(store, lambda: 0.0, WrongKeys())
    header = f"Bearer {new_key()}"
    asking = [
        asyncio.ensure_future(authenticator.principal(header, "messages:send", HERE))
        for _ in range(50)
    ]
    await asyncio.sleep(0)
    asking[0].cancel()
    store.answer.set()
    answers = await asyncio.gather(*asking, return_exceptions=True)
    assert store.lookups == 1
    assert isinstance(answers[0], asyncio.CancelledError)
    assert all(isinstance(answer, StoredKey) for answer in answers[1:])


async def test_a_failed_lookup_is_told_to_all_who_wait_and_tried_again() -> None:
    store = SlowStore()
    store.answer.set()
    store.failure = StorageDown(1)
    authenticator = Authenticator(store, lambda: 0.0, WrongKeys())
    header = f"Bearer {new_key()}"
    for _ in range(2):
        with pytest.raises(StorageDown):
            await authenticator.principal(header, "messages:send", HERE)
    store.failure = None
    assert (await authenticator.principal(header, "messages:send", HERE)).account == 1


@pytest.mark.parametrize("silent", [True, False], ids=["says nothing", "is away"])
async def test_o7_a_key_that_was_good_a_moment_ago_stays_good(
    monkeypatch: pytest.MonkeyPatch, silent: bool
) -> None:
    monkeypatch.setattr(auth, "LOOKUP_SECONDS_MAX", 0.05)
    store, now = SlowStore(), [0.0]
    authenticator = Authenticator(store, lambda: now[0], WrongKeys())
    header = f"Bearer {new_key()}"
    store.answer.set()
    await authenticator.principal(header, "messages:send", HERE)
    if silent:
        store.answer.clear()
    else:
        store.failure = StorageDown(1)
    now[0] = auth.CACHE_SECONDS
    for _ in range(3):  # all the second one asks nobody
        assert (await authenticator.principal(header, "messages:send", HERE)).account == 1
    assert store.lookups == 2
    with pytest.raises(StorageDown):
        await authenticator.principal(f"Bearer {new_key()}", "messages:send", HERE)
    now[0] = auth.BELIEVED_SECONDS
    with pytest.raises(StorageDown):
        await authenticator.principal(header, "messages:send", HERE)
    assert authenticator.known(header, "messages:send") is None


async def test_o7_a_key_is_not_believed_longer_than_it_lasts() -> None:
    store, now = SlowStore(), [0.0]
    store.lasts_seconds = 7.0
    authenticator = Authenticator(store, lambda: now[0], WrongKeys())
    header = f"Bearer {new_key()}"
    store.answer.set()
    await authenticator.principal(header, "messages:send", HERE)
    store.failure = StorageDown(1)
    now[0] = 6.0
    assert (await authenticator.principal(header, "messages:send", HERE)).account == 1
    now[0] = 7.0
    with pytest.raises(StorageDown):
        await authenticator.principal(header, "messages:send", HERE)


async def test_a_flood_of_guessed_keys_is_bounded() -> None:
    store = SlowStore()
    authenticator = Authenticator(store, lambda: 0.0, WrongKeys())
    asking = [
        asyncio.ensure_future(authenticator.principal(f"Bearer {new_key()}", "messages:send", HERE))
        for _ in range(auth.LOOKUPS_MAX + 20)
    ]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert store.lookups == auth.LOOKUPS_MAX
    store.answer.set()
    answers = await asyncio.gather(*asking, return_exceptions=True)
    assert sum(isinstance(answer, Overloaded) for answer in answers) == 20


async def test_unknown_keys_never_push_known_ones_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "UNKNOWN_KEYS_MAX", 10)
    known = new_key()

    class Store:
        lookups = 0

        async def find(self, key_hash: bytes) -> StoredKey | None:
            self.lookups += 1
            return StoredKey(1, 1, frozenset({"x"})) if key_hash == hash_of(known) else None

    store = Store()
    authenticator = Authenticator(store, lambda: 0.0, WrongKeys())
    await authenticator.principal(f"Bearer {known}", "x", HERE)
    for _ in range(30):
        with pytest.raises(ProblemError):
            await authenticator.principal(f"Bearer {new_key()}", "x", HERE)
    assert store.lookups == 31
    await authenticator.principal(f"Bearer {known}", "x", HERE)
    assert store.lookups == 31


def test_a_key_is_256_random_bits_and_only_whole_keys_have_a_hash() -> None:
    key = new_key()
    assert len(key) == 46
    assert len(hash_of(key) or b"") == 32
    assert new_key() != key
    assert hash_of(key + "x") is None
    assert hash_of(key[:-1]) is None
    assert hash_of(key + "\n") is None
