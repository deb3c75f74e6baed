"""From a request to its API key, and to the account that the key acts for.

Owns the join of key and configuration. Must not verify keys itself (auth.py).
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

import msgspec
from aiohttp import web

from messages.models import AccountPolicy
from shortlinks.addresses import Network, client_address, subscriber
from web.edge.auth import ADMIN, Authenticator
from web.edge.keys import StoredKey
from web.edge.problems import ProblemError
from web.edge.request_limits import LIMITED, RequestLimits

EXEMPTING = frozenset({"policy:ignore", ADMIN})
SEND = "messages:send"


class Access:
    """What handlers ask first. `accounts` by the id of table `account`."""

    def __init__(
        self,
        authenticator: Authenticator,
        accounts: Mapping[int, AccountPolicy],
        limits: RequestLimits,
        trusted_proxies: Sequence[Network] = (),
    ) -> None:
        self._authenticator = authenticator
        self._limits = limits
        self._trusted_proxies = trusted_proxies
        self._accounts = accounts

    async def key(self, request: web.Request, scope: str) -> StoredKey:
        """The request's key, if it has the scope. Raises ProblemError 401, 403 or 429."""
        authorization = request.headers.get("Authorization")
        known = self._authenticator.known(authorization, scope)
        return known or await self._verified(request, authorization, scope)

    async def account(self, request: web.Request, scope: str) -> AccountPolicy:
        """The configured account that the key sends for. Raises ProblemError 401, 403 or 429."""
        authorization = request.headers.get("Authorization")
        key = self._authenticator.known(authorization, scope)
        if key is None:
            key = await self._verified(request, authorization, scope)
        account = self._accounts.get(key.account)
        if account is None:
            raise ProblemError("account_unknown", "the key's account is not configured")
        return _as_the_key_may(account, key)

    def _verified(
        self, request: web.Request, authorization: str | None, scope: str
    ) -> Coroutine[Any, Any, StoredKey]:
        forwarded_for = ",".join(request.headers.getall("X-Forwarded-For", ()))
        address = client_address(request.remote, forwarded_for, self._trusted_proxies)
        return self._authenticator.principal(authorization, scope, subscriber(address))

    def known_sender(self, authorization: str | None) -> AccountPolicy | None:
        """The account of a request that would send, if its key was verified lately. Not counted
        yet.

        None: ask `sender`.
        """
        key = self._authenticator.known(authorization, SEND)
        account = None if key is None else self._accounts.get(key.account)
        return None if key is None or account is None else _as_the_key_may(account, key)

    def sender(self, request: web.Request) -> Coroutine[Any, Any, AccountPolicy]:
        """The account of a request that would send, counted against its limit if it has one.

        Raises ProblemError 401, 403 or 429.
        """
        return self._counted(request) if self._limits else self.account(request, SEND)

    async def _counted(self, request: web.Request) -> AccountPolicy:
        account = await self.account(request, SEND)
        request[LIMITED] = account.id
        self._limits.take(account.id)
        return account


def _as_the_key_may(account: AccountPolicy, key: StoredKey) -> AccountPolicy:
    if EXEMPTING.isdisjoint(key.scopes):
        return account
    return msgspec.structs.replace(account, may_ignore_quiet_hours=True)
