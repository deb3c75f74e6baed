"""Both clients can do the same: whoever changes from one to the other changes only the words."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from smsgate_client import (
    AsyncClient,
    Client,
    NewAttribute,
    NewCap,
    NewComplaint,
    NewConsent,
    NewContact,
    NewConversion,
    NewEndpoint,
    NewEvent,
    NewLink,
    NewMessage,
    NewSegment,
    NewSuppression,
    Replay,
    awaiting,
    awaiting_campaigns,
    awaiting_caps,
    awaiting_contacts,
    awaiting_links,
    awaiting_reports,
    awaiting_segments,
    awaiting_templates,
    blocking,
    blocking_campaigns,
    blocking_caps,
    blocking_contacts,
    blocking_links,
    blocking_reports,
    blocking_segments,
    blocking_templates,
    campaigns,
    templates,
)
from smsgate_client.calls import Call, send
from smsgate_client.connection import connection
from smsgate_client.exchange import Exchange
from smsgate_client.operating import BreakerChange
from smsgate_client.retries import RetryPolicy
from tests.clients.test_described import Recorder


def nouns(*modules: object) -> dict[str, type]:
    return {
        name: each
        for module in modules
        for name, each in vars(module).items()
        if inspect.isclass(each) and each.__module__ == module.__name__  # type: ignore[attr-defined]
        and name not in ("Noun", "Runner")
    }  # fmt: skip


BLOCKING = nouns(
    blocking,
    blocking_campaigns,
    blocking_caps,
    blocking_contacts,
    blocking_links,
    blocking_reports,
    blocking_segments,
    blocking_templates,
)
AWAITING = nouns(
    awaiting,
    awaiting_campaigns,
    awaiting_caps,
    awaiting_contacts,
    awaiting_links,
    awaiting_reports,
    awaiting_segments,
    awaiting_templates,
)
NOUNS = [name for name in BLOCKING if name in AWAITING]


def operations(noun: type) -> dict[str, str]:
    """Each public method with its parameters, whether iterated or awaited."""
    return {
        name: str(inspect.signature(method)).replace("AsyncIterator", "Iterator")
        for name, method in vars(noun).items()
        if inspect.isfunction(method) and not name.startswith("_")
    }


def test_there_are_nouns_to_compare() -> None:
    assert {"Messages", "Batches", "Suppressions", "Consents", "Reports"} <= set(NOUNS)


@pytest.mark.parametrize("noun", NOUNS)
def test_each_noun_can_do_the_same(noun: str) -> None:
    assert operations(BLOCKING[noun]) == operations(AWAITING[noun])
    assert [inspect.getdoc(each) for each in methods(BLOCKING[noun])] == [
        inspect.getdoc(each) for each in methods(AWAITING[noun])
    ]


def methods(noun: type) -> Iterator[object]:
    of_class = vars(noun)
    return (each for name, each in of_class.items() if not name.startswith("_"))


@pytest.mark.parametrize("noun", NOUNS)
async def test_each_noun_asks_the_same(noun: str) -> None:
    one, other = Recorder(), AwaitedRecorder()
    for name, method in vars(BLOCKING[noun]).items():
        if name.startswith("_"):
            continue
        given = [
            GIVEN.get((noun, each.name)) or GIVEN[each.name]
            for each in list(inspect.signature(method).parameters.values())[1:]
            if each.kind is each.POSITIONAL_OR_KEYWORD
        ]
        named = {
            each.name: GIVEN[each.name]
            for each in inspect.signature(method).parameters.values()
            if each.kind is each.KEYWORD_ONLY and each.default is each.empty
        }
        method(BLOCKING[noun](one), *given, **named)
        asked = getattr(AWAITING[noun](other), name)(*given, **named)
        if isinstance(asked, Awaitable):
            await asked
        assert replace(one.asked[-1], **ALIKE) == replace(other.asked[-1], **ALIKE), name
    assert len(one.asked) == len(other.asked) > 0


class AwaitedRecorder(Recorder):
    async def run(self, call: Call[Any]) -> Any:
        self.asked.append(call)


# What two calls of one operation differ in.
ALIKE: dict[str, Any] = {"idempotency_key": None, "read": None}
NEW = NewMessage("+8613812345678", "Hello")
GIVEN: dict[Any, Any] = {
    "message": NEW, "messages": [NEW], "message_id": "m", "batch_id": "b", "endpoint_id": "w",
    "delivery_id": "d", "number": "n", "name": "c", "rate": "5/s",
    "reason": "r", "erasure_id": "e",
    "numbers": ["n"], "import_id": "i",
    "wanted": Replay(datetime(2026, 11, 29, tzinfo=UTC)),
    ("Suppressions", "new"): [NewSuppression("n")],
    ("Consents", "new"): NewConsent("n", "granted", "form"),
    ("Complaints", "new"): NewComplaint("1", "carrier"),
    ("Conversions", "new"): NewConversion("1", "order"),
    ("WebhookEndpoints", "new"): NewEndpoint("u", ["final"]),
    "link": NewLink("https://shop.example/"), "links": [NewLink("https://shop.example/")],
    "link_id": "l", "contact": NewContact("crm-1"), "contact_id": "k", "contacts": ["k", "m"],
    "attribute": NewAttribute("text"), "events": [NewEvent("1", "login", to="n")],
    "segment": NewSegment("silent", "days_since(login) >= 90"), "segment_id": "s", "version": 3,
    "cap": NewCap(tag="vip", week=3), "cap_id": "v",
    "source": "has city", "campaign_id": "p", "revision": 3, "confirm_recipients": 1,
    "arm": 1,
    "spec": campaigns.CampaignSpec(
        "autumn", campaigns.Audience("has city"), (campaigns.Arm("tpl_0nx25tc8g2000@1"),)),
    "template": templates.NewTemplate(name="x", category="otp", body="y"), "template_id": "t",
    ("Templates", "version"): templates.NewVersion(category="otp", body="y"),
    "approval": templates.NewApproval(provider="huawei", state="approved"),
    "waiver": templates.NewWaiver(rule="R11", reason="r"),
    "lint": templates.Lint(template_id="t"),
    "render": templates.Render(template_id="t", params=[{}]),
    "scope": "connector", "subject": "c", "change": BreakerChange(reason="r"),
}  # fmt: skip


async def test_each_client_has_each_noun() -> None:
    with Client("http://x.example", "sk_x") as client:
        async with AsyncClient("http://x.example", "sk_x") as other:
            assert vars(client).keys() == vars(other).keys()
            assert len(NOUNS) == sum(
                isinstance(each, blocking.Noun) for each in vars(client).values()
            )


@pytest.mark.parametrize("kind", [Client, AsyncClient])
@pytest.mark.parametrize(
    ("url", "key", "said"),
    [
        ("gateway.example", "sk_x", "is no address"),
        ("https://gateway.example", "", "the key is empty"),
        ("https://gateway.example", "sk_x\r\nHost: y", "the key is empty, or has"),
    ],
)
def test_what_cannot_work_is_said_at_once(kind: type, url: str, key: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        kind(url, key)


def test_a_key_is_in_no_text_about_a_client() -> None:
    with Client("http://x.example", "sk_hidden") as client:
        told = repr(client) + repr(vars(client)) + str(client._connection)
        assert "sk_hidden" not in told


def test_each_attempt_has_the_time_that_was_given() -> None:
    call = send(NEW, None)
    given = connection("http://x.example/", "sk_x", None, 1.5)
    asked = given.request(call, Exchange(call, RetryPolicy()))
    assert (asked["timeout"], asked["url"]) == (1.5, "http://x.example/v1/messages")
