"""The field `callback` of a message: where its changes are told beside the account's endpoints.

Owns its form and its limits. Must not decide which URLs are allowed, nor who may name one: that is
handed in. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from dlr.webhooks.addresses import AddressPolicy, UrlRefused
from dlr.webhooks.callbacks import DATA_OCTETS_MAX, EVENTS_USUAL, Callback
from dlr.webhooks.events import FINAL, unknown_filters
from messages.models import AccountPolicy, FieldError
from messages.requests import CallbackRequest

CODE = "callback_invalid"
NOT_ALLOWED = "callback_not_allowed"
EVENTS_MAX = 20
MESSAGE_FAMILY = "message."


def _nobody(_account: int) -> bool:
    return False


class CallbackFields:
    """Reads this field of a message. One for the process."""

    def __init__(
        self,
        may_sign: Callable[[int], bool] = _nobody,
        policy: AddressPolicy = AddressPolicy(),  # noqa: B008  # frozen
    ) -> None:
        """`may_sign`: whether this account has a secret that signs its callbacks. `policy`: what
        URLs may be asked.
        """
        self._may_sign = may_sign
        self._policy = policy

    def read(
        self, request: CallbackRequest | None, account: AccountPolicy, faults: list[FieldError]
    ) -> Callback | None:
        """The callback. What is wrong is added to `faults`. Quick where a message has none."""
        if request is None:
            return None
        found: list[FieldError] = []
        if not self._may_sign(account.id):
            detail = "the account has no secret for callbacks: POST /v1/webhook-callbacks/rotate"
            found.append(FieldError(NOT_ALLOWED, detail, "/callback"))
        found += self._url_faults(request.url, account)
        events = EVENTS_USUAL if request.events is None else request.events
        found += _event_faults(events)
        if len(msgspec.json.encode(request.data)) > DATA_OCTETS_MAX:
            detail = f"data is at most {DATA_OCTETS_MAX} octets of JSON"
            found.append(FieldError(CODE, detail, "/callback/data"))
        elif _holds_nul(request.data):
            detail = "data holds U+0000, which cannot be stored"
            found.append(FieldError(CODE, detail, "/callback/data"))
        faults += found
        return None if found else Callback(request.url, events, request.data)

    def _url_faults(self, url: str, account: AccountPolicy) -> list[FieldError]:
        try:
            host = self._policy.target(url).host
        except UrlRefused as refused:
            return [FieldError(CODE, f"url: {refused}", "/callback/url")]
        if is_among(host, account.callback_hosts):
            return []
        detail = f"the account's callback_hosts do not hold {host}"
        return [FieldError(NOT_ALLOWED, detail, "/callback/url")]


def is_among(host: str, allowed: Sequence[str]) -> bool:
    """`*.shop.example` stands for every name below shop.example, and not for itself."""
    host = host.removesuffix(".").lower()
    return any(host.endswith(each[1:]) if each[0] == "*" else host == each for each in allowed)


def _holds_nul(data: object) -> bool:
    if isinstance(data, str):
        return "\0" in data
    if isinstance(data, dict):
        return any(map(_holds_nul, (*data, *data.values())))
    return isinstance(data, list) and any(map(_holds_nul, data))


def _event_faults(events: tuple[str, ...]) -> list[FieldError]:
    if not 1 <= len(events) <= EVENTS_MAX:
        detail = f"events are 1 to {EVENTS_MAX} names"
        return [FieldError(CODE, detail, "/callback/events")]
    unknown = set(unknown_filters(events))
    return [
        FieldError(
            CODE,
            f"expected `{FINAL}`, `message.*` or the name of a message's event",
            f"/callback/events/{position}",
        )
        for position, event in enumerate(events)
        if event in unknown or not (event == FINAL or event.startswith(MESSAGE_FAMILY))
    ]
