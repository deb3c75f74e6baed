"""Guessing keys: who is slowed down, who is not, and that what is remembered has a bound."""

from __future__ import annotations

import asyncio

import pytest

from gateway.config.settings import HttpSettings
from tests.web.api.test_messages import GOOD, URL
from tests.web.served import Api, running_api
from web.edge import auth, wrong_keys
from web.edge.auth import Authenticator
from web.edge.keys import StoredKey, new_key
from web.edge.problems import ProblemError
from web.edge.wrong_keys import WRONG_PER_MINUTE, WrongKeys

HERE, THERE = "192.0.2.1", "192.0.2.2"


class Slow:
    """Knows no key, and says so when it is allowed to."""

    def __init__(self) -> None:
        self.answer, self.lookups = asyncio.Event(), 0

    async def find(self, key_hash: bytes) -> StoredKey | None:
        self.lookups += 1
        await self.answer.wait()
        return None


async def ask(api: Api, key: str) -> tuple[int, str, str]:
    response, problem = await api.post(URL, GOOD, {"Authorization": f"Bearer {key}"})
    return response.status, str(problem.get("code")), response.headers.get("Retry-After", "")


def refused(api: WrongKeys, reason: str) -> float:
    return sum(sample.value for sample in api.samples() if sample.labels == (reason,))


async def test_who_tries_many_keys_is_told_when_to_come_back() -> None:
    settings = HttpSettings(wrong_keys_per_minute=3)
    async with running_api(settings) as api:
        good = api.headers["Authorization"].removeprefix("Bearer ")
        assert (await ask(api, good))[0] == 202
        for _ in range(3):
            assert (await ask(api, new_key()))[:2] == (401, "key_unknown")
        assert await ask(api, new_key()) == (429, "wrong_keys_exceeded", "20")
        assert await ask(api, "nonsense") == (429, "wrong_keys_exceeded", "20")
        page = (await (await api.session.get(f"{api.url}/metrics")).text()).splitlines()
        assert 'sms_http_keys_refused_total{reason="unknown"} 3.0' in page
        assert 'sms_http_keys_refused_total{reason="address"} 2.0' in page
        api.time[0] += auth.CACHE_SECONDS
        assert (await ask(api, good))[0] == 202, "a key that was found goes on, looked up again"
        api.time[0] += 20.0
        assert (await ask(api, new_key()))[0] == 401


async def test_a_key_that_was_not_seen_yet_is_found_beside_those_who_guess() -> None:
    async with running_api(HttpSettings(wrong_keys_per_minute=1)) as api:
        good = api.headers["Authorization"].removeprefix("Bearer ")
        assert (await ask(api, new_key()))[0] == 401
        assert (await ask(api, new_key()))[0] == 429
        assert (await ask(api, good))[0] == 202


async def test_guesses_above_the_bound_are_looked_up_a_few_at_a_time() -> None:
    store, counted = Slow(), WrongKeys(1)
    authenticator = Authenticator(store, lambda: 0.0, counted)
    counted.note(HERE, new_key(), 0.0)
    asking = [
        asyncio.ensure_future(authenticator.principal(f"Bearer {new_key()}", "x", HERE))
        for _ in range(50)
    ]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert store.lookups == auth.SUSPECTS_MAX
    for each in asking[:3]:
        each.cancel()  # who goes away gives no room to others
    with pytest.raises(ProblemError, match="wrong_keys_exceeded"):
        await authenticator.principal(f"Bearer {new_key()}", "x", HERE)
    store.answer.set()
    answers = await asyncio.gather(*asking, return_exceptions=True)
    assert sum(isinstance(each, ProblemError) for each in answers) == 47
    assert refused(counted, "address") == 48
    assert counted.wait(HERE, "", 0.0) == 60.0, "what is refused makes the wait no longer"
    with pytest.raises(ProblemError, match="wrong_keys_exceeded"):
        await authenticator.principal(f"Bearer {new_key()}", "x", HERE)
    assert store.lookups == auth.SUSPECTS_MAX + 1


async def test_the_same_wrong_key_again_is_no_guess() -> None:
    async with running_api(HttpSettings(wrong_keys_per_minute=2)) as api:
        mistyped = new_key()
        for _ in range(20):
            assert (await ask(api, mistyped))[0] == 401
        assert (await ask(api, new_key()))[0] == 401


async def test_a_key_that_has_ended_is_no_guess_and_counted() -> None:
    class Ended:
        async def find(self, key_hash: bytes) -> StoredKey | None:
            return StoredKey(1, 1, frozenset({"x"}), None, "revoked")

    counted = WrongKeys(1)
    authenticator = Authenticator(Ended(), lambda: 0.0, counted)
    for _ in range(3):
        with pytest.raises(ProblemError, match="key_revoked"):
            await authenticator.principal(f"Bearer {new_key()}", "x", HERE)
    assert refused(counted, "ended") == 3


async def test_behind_a_trusted_proxy_each_client_answers_for_itself() -> None:
    settings = HttpSettings(wrong_keys_per_minute=1, trusted_proxies=("127.0.0.0/8",))
    async with running_api(settings) as api:
        for client, status in (
            (HERE, 401), (HERE, 429), (THERE, 401), (f"{THERE}, {HERE}", 429),
            ("2001:db8::1", 401), ("2001:db8::2", 429), ("2001:db8:0:1::1", 401),
        ):  # fmt: skip
            given = {"Authorization": f"Bearer {new_key()}", "X-Forwarded-For": client}
            assert (await api.post(URL, GOOD, given))[0].status == status, client


def test_many_addresses_that_try_one_beginning_of_a_key_share_its_bound() -> None:
    counted, key = WrongKeys(), new_key()
    for number in range(WRONG_PER_MINUTE):
        assert counted.wait(f"192.0.2.{number}", key, 0.0) == 0.0
        counted.note(f"192.0.2.{number}", key, 0.0)
    assert counted.wait("198.51.100.1", key, 0.0) > 0.0
    counted.note_refused("198.51.100.1", key, 0.0)
    assert counted.wait("198.51.100.1", new_key(), 0.0) == 0.0
    assert refused(counted, "prefix") == 1


def test_what_is_remembered_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wrong_keys, "NAMES_MAX", 10)
    counted = WrongKeys(1)
    for number in range(100):
        counted.note(f"192.0.2.{number}", new_key(), 0.0)
    assert len(counted._forgotten) == 10
    assert counted.wait("192.0.2.99", "", 0.0) > 0.0
    assert counted.wait("192.0.2.0", "", 0.0) == 0.0
