"""The field `callback` of a message: what it may say, who may, and that it is stored with it."""

from __future__ import annotations

from typing import Any

import pytest

from dlr.webhooks.addresses import AddressPolicy
from dlr.webhooks.callbacks import Callback
from messages.accept.callbacks import CallbackFields
from messages.models import AccountPolicy, FieldError
from messages.requests import CallbackRequest

URL = "https://shop.example/hooks?order=7"


ACCOUNTS = {
    1: AccountPolicy(id=1, name="shop", callback_hosts=("shop.example", "*.app.example")),
    2: AccountPolicy(id=2, name="other", callback_hosts=("shop.example", "10.0.0.1")),
}
FIELDS = CallbackFields(lambda account: account == 1, AddressPolicy())


def read(account: int = 1, **given: Any) -> Callback | list[str | None]:
    faults: list[FieldError] = []
    found = FIELDS.read(CallbackRequest(**{"url": URL, **given}), ACCOUNTS[account], faults)
    assert (found is None) == bool(faults)
    return found or [fault.pointer for fault in faults]


def test_what_is_told_where() -> None:
    assert read() == Callback(URL, ("final",))
    found = read(events=("message.sent", "message.*"), data={"order": 7})
    assert found == Callback(URL, ("message.sent", "message.*"), {"order": 7})
    assert FIELDS.read(None, ACCOUNTS[2], []) is None


@pytest.mark.parametrize(
    "host", ["shop.example", "SHOP.example.", "a.app.example", "a.b.app.example"]
)
def test_hosts_of_the_account_are_taken(host: str) -> None:
    assert isinstance(read(url=f"https://{host}/"), Callback)


def test_a_host_that_is_not_named_is_not_allowed() -> None:
    faults: list[FieldError] = []
    FIELDS.read(CallbackRequest(URL), AccountPolicy(id=1, name="none"), faults)
    assert [fault.code for fault in faults] == ["callback_not_allowed"]


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
        (1, {"data": [{"a": "b\0"}]}, ["/callback/data"]),
        (1, {"data": {"a\0": 1}}, ["/callback/data"]),
        (1, {"url": "https://other.example/"}, ["/callback/url"]),
        (1, {"url": "https://app.example/"}, ["/callback/url"]),
        (1, {"url": "https://evil-app.example/"}, ["/callback/url"]),
        (2, {"url": "x", "events": ("y",)}, ["/callback", "/callback/url", "/callback/events/0"]),
    ],
)
def test_everything_that_is_wrong_is_said_at_once(
    account: int, given: dict[str, object], pointers: list[str]
) -> None:
    assert read(account, **given) == pointers
