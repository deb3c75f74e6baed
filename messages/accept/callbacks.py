"""The field `callback` of a message: where its changes are told beside the account's endpoints.

Owns its form and its limits. Must not decide which URLs are allowed, nor who may name one: that is
handed in. Pure.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from dlr.webhooks.callbacks import DATA_OCTETS_MAX, EVENTS_USUAL, Callback
from dlr.webhooks.events import FINAL, unknown_filters
from messages.models import FieldError
from messages.requests import CallbackRequest

CODE = "callback_invalid"
EVENTS_MAX = 20
MESSAGE_FAMILY = "message."


def _nobody(_account: int) -> bool:
    return False


def _any_url(_url: str) -> str | None:
    return None


class CallbackFields:
    """Reads this field of a message. One for the process."""

    def __init__(
        self,
        allowed: Callable[[int], bool] = _nobody,
        url_fault: Callable[[str], str | None] = _any_url,
    ) -> None:
        """`allowed`: whether this account has a secret that signs its callbacks. `url_fault`: why
        nothing may be sent to this URL.
        """
        self._allowed = allowed
        self._url_fault = url_fault

    def read(
        self, request: CallbackRequest | None, account: int, faults: list[FieldError]
    ) -> Callback | None:
        """The callback. What is wrong is added to `faults`. Quick where a message has none."""
        if request is None:
            return None
        found: list[FieldError] = []
        if not self._allowed(account):
            detail = "this account has no callback secret yet, which signs what is told"
            found.append(FieldError(CODE, detail, "/callback"))
        fault = self._url_fault(request.url)
        if fault is not None:
            found.append(FieldError(CODE, f"url: {fault}", "/callback/url"))
        events = EVENTS_USUAL if request.events is None else request.events
        found += _event_faults(events)
        if len(msgspec.json.encode(request.data)) > DATA_OCTETS_MAX:
            detail = f"data is at most {DATA_OCTETS_MAX} octets of JSON"
            found.append(FieldError(CODE, detail, "/callback/data"))
        faults += found
        return None if found else Callback(request.url, events, request.data)


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
