"""The field `callback` of a message: what it may say, who may, and that it is stored with it."""

from __future__ import annotations

import pytest

from dlr.webhooks.addresses import AddressPolicy, UrlRefused
from dlr.webhooks.callbacks import Callback
from messages.accept.callbacks import CallbackFields
from messages.models import FieldError
from messages.requests import CallbackRequest

URL = "https://shop.example/hooks?order=7"


def url_fault(url: str) -> str | None:
    try:
        AddressPolicy().target(url)
    except UrlRefused as error:
        return str(error)
    return None


FIELDS = CallbackFields(lambda account: account == 1, url_fault)


def read(account: int = 1, **given: object) -> Callback | list[str | None]:
    faults: list[FieldError] = []
    found = FIELDS.read(CallbackRequest(**{"url": URL, **given}), account, faults)
    assert (found is None) == bool(faults)
    return found or [fault.pointer for fault in faults]


def test_what_is_told_where() -> None:
    assert read() == Callback(URL, ("final",))
    given = {"events": ("message.sent", "message.*"), "data": {"order": 7}}
    assert read(**given) == Callback(URL, ("message.sent", "message.*"), {"order": 7})
    assert FIELDS.read(None, 2, []) is None


@pytest.mark.parametrize(
    ("account", "given", "pointers"),
    [
        (2, {}, ["/callback"]),
        (1, {"url": "https://10.0.0.1/"}, ["/callback/url"]),
        (1, {"url": "http://shop.example/"}, ["/callback/url"]),
        (1, {"events": ()}, ["/callback/events"]),
        (1, {"events": ("final", "message.gone")}, ["/callback/events/1"]),
        (1, {"events": ("link.clicked",)}, ["/callback/events/0"]),
        (1, {"data": "x" * 4_000}, ["/callback/data"]),
        (2, {"url": "x", "events": ("y",)}, ["/callback", "/callback/url", "/callback/events/0"]),
    ],
)
def test_everything_that_is_wrong_is_said_at_once(
    account: int, given: dict[str, object], pointers: list[str]
) -> None:
    assert read(account, **given) == pointers
