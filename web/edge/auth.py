"""Authentication: from the bearer key of a request to an account and its scopes (RFC 6750).

Owns the cache in front of the key store, and its bounds. Must not know routes or SQL.

A revoked key stops working within CACHE_SECONDS in every process, an expired one at its moment.
While the store cannot be asked, a key that was good a moment ago stays good.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from math import ceil

import msgspec

from storage.faults import RETRY_AFTER_SECONDS, Overloaded, StorageDown
from web.edge.keys import KeyStore, StoredKey, hash_of
from web.edge.problems import ProblemError
from web.edge.wrong_keys import WrongKeys

CACHE_SECONDS = 5.0
KNOWN_KEYS_MAX = 10_000
UNKNOWN_KEYS_MAX = 10_000
LOOKUPS_MAX = 64  # at a time: guessing keys must not crowd reports out of the read connections
SUSPECTS_MAX = 4  # of these, where too many wrong keys came from: a good one is found all the same
LOOKUP_SECONDS_MAX = 2.0  # a database that does not answer must not hold up who has a good key
BELIEVED_SECONDS = 60.0  # since the last look-up that was answered
ADMIN = "admin"

_SCHEME = "Bearer "
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="smsgate"'}
_CHALLENGE_INVALID = {"WWW-Authenticate": 'Bearer realm="smsgate", error="invalid_token"'}


class _Cached(msgspec.Struct, frozen=True):
    """A key. Until `believed_until` it is good even if the store cannot be asked."""

    key: StoredKey | None
    expires: float
    believed_until: float = 0.0


class Authenticator:
    """Verifies bearer keys through two bounded caches: keys that exist, and keys that do not.

    With two, a flood of wrong keys cannot push the good ones out. They hold keys as they came.
    Hashing each again took a tenth of a request's time, and every request brings its key anyway.
    """

    def __init__(
        self, store: KeyStore, monotonic: Callable[[], float], wrong_keys: WrongKeys
    ) -> None:
        self._store = store
        self._wrong_keys = wrong_keys
        self._monotonic = monotonic
        self._known: OrderedDict[str, _Cached] = OrderedDict()
        self._unknown: OrderedDict[str, _Cached] = OrderedDict()
        self._lookups: dict[str, asyncio.Future[StoredKey | None]] = {}
        self._suspects: set[str] = set()  # what is looked up above the bound of wrong keys

    def known(self, authorization: str | None, scope: str) -> StoredKey | None:
        """The key in this header, if it was verified lately and has the scope. None: ask
        principal().

        Nearly every request takes this way, without a coroutine.
        """
        if authorization is None or not authorization.startswith(_SCHEME):
            return None
        cached = self._known.get(authorization[len(_SCHEME) :])
        if cached is None or cached.key is None or cached.expires <= self._monotonic():
            return None
        return cached.key if scope in cached.key.scopes else None

    async def principal(self, authorization: str | None, scope: str, address: str) -> StoredKey:
        """The key in an Authorization header, if it has this scope. `address`: who sent it.

        Raises ProblemError 401, 403 or 429, Overloaded, StorageDown.
        """
        if authorization is None or authorization[: len(_SCHEME)].lower() != _SCHEME.lower():
            raise ProblemError(
                "key_missing", "the request has no bearer key in Authorization", headers=_CHALLENGE
            )
        key = await self._find(authorization[len(_SCHEME) :].strip(), address)
        if key is None:
            raise ProblemError("key_unknown", "there is no such key", headers=_CHALLENGE_INVALID)
        if key.ended is not None:
            self._wrong_keys.note_ended()
            detail = f"the key is {key.ended}; another has to be made"
            raise ProblemError(f"key_{key.ended}", detail, headers=_CHALLENGE_INVALID)
        if scope not in key.scopes and ADMIN not in key.scopes:
            raise scope_missing(scope)
        return key

    async def _find(self, text: str, address: str) -> StoredKey | None:
        cached = self._known.get(text) or self._unknown.get(text)
        now = self._monotonic()
        if cached is not None and cached.expires > now:
            return cached.key
        if cached is None or cached.key is None:  # else it is no guess, and worth a look
            seconds = ceil(self._wrong_keys.wait(address, text, now))
            if seconds:
                return await self._suspected(text, address, seconds)
        return await self._asked(text, address, suspect=False)

    async def _suspected(self, text: str, address: str, seconds: int) -> StoredKey:
        """The key, if it is good: who sent it may share one address with those who guess."""
        key = None
        if text in self._lookups or len(self._suspects) < SUSPECTS_MAX:
            key = await self._asked(text, address, suspect=True)
        if key is None:
            self._wrong_keys.note_refused(address, text, self._monotonic())
            raise ProblemError(
                "wrong_keys_exceeded",
                f"too many keys were tried that do not exist; try again in {seconds} s",
                headers={"Retry-After": str(seconds)},
            )
        return key

    async def _asked(self, text: str, address: str, *, suspect: bool) -> StoredKey | None:
        key_hash = hash_of(text)
        if key_hash is None:
            self._note_wrong(text, address)
            return None
        # When a busy key leaves the cache, its next fifty requests ask once between them.
        lookup = self._lookups.get(text)
        if lookup is None:
            if len(self._lookups) >= LOOKUPS_MAX:
                return self._believed(text, Overloaded())
            lookup = asyncio.ensure_future(self._look_up(text, key_hash, address))
            self._lookups[text] = lookup
            if suspect:
                self._suspects.add(text)
            lookup.add_done_callback(lambda _: self._looked_up(text))
        return await asyncio.shield(lookup)

    def _looked_up(self, text: str) -> None:
        self._lookups.pop(text)
        self._suspects.discard(text)

    def _note_wrong(self, text: str, address: str) -> None:
        """Above the bound it is refused instead: else the bound would never be left again."""
        now = self._monotonic()
        if not self._wrong_keys.wait(address, text, now):
            self._wrong_keys.note(address, text, now)

    async def _look_up(self, text: str, key_hash: bytes, address: str) -> StoredKey | None:
        try:
            async with asyncio.timeout(LOOKUP_SECONDS_MAX):
                key = await self._store.find(key_hash)
        except (StorageDown, TimeoutError):
            return self._believed(text, StorageDown())
        lasts, believed = CACHE_SECONDS, BELIEVED_SECONDS
        if key is not None and key.ended is None and key.lasts_seconds is not None:
            lasts, believed = min(lasts, key.lasts_seconds), min(believed, key.lasts_seconds)
        now = self._monotonic()
        cached = _Cached(key, now + lasts, now + believed)
        if key is None:
            self._note_wrong(text, address)
        if key is None or key.ended is not None:
            self._known.pop(text, None)
            _remember(self._unknown, text, cached, UNKNOWN_KEYS_MAX)
        else:
            self._unknown.pop(text, None)
            _remember(self._known, text, cached, KNOWN_KEYS_MAX)
        return key

    def _believed(self, text: str, otherwise: Exception) -> StoredKey:
        """The key, if it was good a moment ago. Requests do not all ask a store that cannot answer:
        the next look-up is a second later.
        """
        cached, now = self._known.get(text), self._monotonic()
        if cached is None or cached.key is None or cached.believed_until <= now:
            raise otherwise
        expires = min(now + RETRY_AFTER_SECONDS, cached.believed_until)
        entry = _Cached(cached.key, expires, cached.believed_until)
        _remember(self._known, text, entry, KNOWN_KEYS_MAX)
        return cached.key


def scope_missing(scope: str) -> ProblemError:
    """403 for a key without this scope."""
    challenge = f'Bearer error="insufficient_scope", scope="{scope}"'
    return ProblemError(
        "scope_missing",
        f"the key lacks the scope {scope}",
        headers={"WWW-Authenticate": challenge},
    )


def _remember(
    cache: OrderedDict[str, _Cached], text: str, entry: _Cached, entries_max: int
) -> None:
    """Newest last. The oldest is dropped when the cache is full."""
    cache.pop(text, None)
    if len(cache) >= entries_max:
        cache.popitem(last=False)
    cache[text] = entry
