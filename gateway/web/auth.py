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


class _Known(msgspec.Struct, frozen=True):
    key: StoredKey
    expires: float


class Authenticator:
    """Verifies bearer keys through two bounded caches: headers that are good, hashes that are not.

    Two, so that a flood of wrong keys cannot push the good ones out. Good ones are kept by the
    header as it came: parsing and hashing it again took 8 us of a request of 80.
    """

    def __init__(self, store: KeyStore, monotonic: Callable[[], float]) -> None:
        self._store = store
        self._monotonic = monotonic
        self._known: dict[str, _Known] = {}
        self._unknown: dict[bytes, float] = {}  # until when
        self._lookups: dict[bytes, asyncio.Future[StoredKey | None]] = {}

    def known(self, authorization: str | None, scope: str) -> StoredKey | None:
        """The key of this header if it was verified lately and has the scope."""
        known = self._known.get(authorization or "")
        if known is None or known.expires <= self._monotonic() or scope not in known.key.scopes:
            return None
        return known.key

    async def principal(self, authorization: str | None, scope: str) -> StoredKey:
        """The key of an Authorization header, if it has this scope.

        Raises ProblemError 401 or 403, Overloaded, StorageDown.
        """
        known = self.known(authorization, scope)
        if known is not None:
            return known
        if not authorization or not authorization[: len(_SCHEME)].lower() == _SCHEME:
            raise ProblemError(
                "key_missing", "the request has no bearer key in Authorization", headers=_CHALLENGE
            )
        key_hash = hash_of(authorization[len(_SCHEME) :].strip())
        key = None if key_hash is None else await self._find(key_hash)
        if key is None:
            self._known.pop(authorization, None)
            raise ProblemError(
                "key_unknown", "no such key, or it is revoked", headers=_CHALLENGE_INVALID
            )
        if scope not in key.scopes and ADMIN not in key.scopes:
            raise ProblemError(
                "scope_missing",
                f"the key lacks the scope {scope}",
                headers={
                    "WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{scope}"'
                },
            )
        self._remember(authorization, key)
        return key
