"""Who is asking: the bearer key of a request, to an account and what it may do (RFC 6750).

Owns the cache in front of the key store and its bounds. Must not know routes or SQL. A revoked key
stops working within CACHE_SECONDS in every process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from gateway.accept.models import Overloaded
from gateway.keys import hash_of
from gateway.web.problems import ProblemError
from gateway.web.services import KeyStore, StoredKey

CACHE_SECONDS = 5.0
CACHE_KEYS_MAX = 10_000
UNKNOWN_KEYS_MAX = 10_000
LOOKUPS_MAX = 64  # at a time: guessing keys must not crowd reports out of the read connections
RETRY_AFTER_SECONDS = 1
ADMIN = "admin"

_SCHEME = "bearer "
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="smsgate"'}
_CHALLENGE_INVALID = {"WWW-Authenticate": 'Bearer realm="smsgate", error="invalid_token"'}


class _Cached(msgspec.Struct, frozen=True):
    key: StoredKey | None
    expires: float


class Authenticator:
    """Verifies bearer keys through two bounded caches: keys that exist, and hashes that do not.

    Two, so that a flood of wrong keys cannot push the good ones out. Plain keys are never kept.
    """

    def __init__(self, store: KeyStore, monotonic: Callable[[], float]) -> None:
        self._store = store
        self._monotonic = monotonic
        self._known: dict[bytes, _Cached] = {}
        self._unknown: dict[bytes, _Cached] = {}
        self._lookups: dict[bytes, asyncio.Future[StoredKey | None]] = {}

    async def principal(self, authorization: str | None, scope: str) -> StoredKey:
        """The key of an Authorization header, if it has this scope.

        Raises ProblemError 401 or 403, Overloaded, StorageDown.
        """
        if not authorization or not authorization[: len(_SCHEME)].lower() == _SCHEME:
            raise ProblemError(
                "key_missing", "the request has no bearer key in Authorization", headers=_CHALLENGE
            )
        key_hash = hash_of(authorization[len(_SCHEME) :].strip())
        key = None if key_hash is None else self._cached(key_hash) or await self._find(key_hash)
        if key is None:
            raise ProblemError(
                "key_unknown", "no such key, or it is revoked", headers=_CHALLENGE_INVALID
            )
        if scope not in key.scopes and ADMIN not in key.scopes:
            raise ProblemError(
                "scope_missing",
                f"the key lacks the scope {scope}",
                headers={"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{scope}"'},
            )
        return key

    def _cached(self, key_hash: bytes) -> StoredKey | None:
        cached = self._known.get(key_hash)
        if cached is None or cached.expires <= self._monotonic():
            return None
        return cached.key

    async def _find(self, key_hash: bytes) -> StoredKey | None:
        unknown = self._unknown.get(key_hash)
        if unknown is not None and unknown.expires > self._monotonic():
            return None
        # When a busy key runs out of the cache, its next fifty requests ask once between them.
        lookup = self._lookups.get(key_hash)
        if lookup is None:
            if len(self._lookups) >= LOOKUPS_MAX:
                raise Overloaded(RETRY_AFTER_SECONDS)
            lookup = asyncio.ensure_future(self._look_up(key_hash))
            self._lookups[key_hash] = lookup
            lookup.add_done_callback(lambda _: self._lookups.pop(key_hash))
        return await asyncio.shield(lookup)

    async def _look_up(self, key_hash: bytes) -> StoredKey | None:
        key = await self._store.find(key_hash)
        entry = _Cached(key, self._monotonic() + CACHE_SECONDS)
        if key is None:
            self._known.pop(key_hash, None)
            _remember(self._unknown, key_hash, entry, UNKNOWN_KEYS_MAX)
        else:
            _remember(self._known, key_hash, entry, CACHE_KEYS_MAX)
        return key


def _remember(
    cache: dict[bytes, _Cached], key_hash: bytes, entry: _Cached, entries_max: int
) -> None:
    """Newest last; the oldest goes when the cache is full."""
    cache.pop(key_hash, None)
    if len(cache) >= entries_max:
        del cache[next(iter(cache))]
    cache[key_hash] = entry
