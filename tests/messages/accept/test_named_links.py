"""Links that a message names: put in, with a recipient's values, or every mistake told."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.accept.validation import Validator
from messages.models import AccountPolicy, Prepared, Refused
from messages.rules.quiet_hours import TimingRules
from recipients.numbers.plan import NumberPlan
from shortlinks.host_list import HostList
from shortlinks.link_rules import AccountLinks, LinkRules
from shortlinks.rewrite import OPT_OUT_TARGET, is_location
from storage.categories import Category

BASE = "https://s.example"
SHORT = BASE + "/22222222"
SHOP = "https://shop.example/p?n={{name}}"
RULES = LinkRules(
    default=AccountLinks((BASE,)),
    accounts={},
    domains=frozenset({"s.example"}),
    denied=HostList(["evil.example"]),
)
ACCOUNT = AccountPolicy(id=1, name="shop")
VALIDATOR = Validator(
    numbers=NumberPlan(),
    route=lambda *_: 1,
    link_base_url=BASE,
    parts_max=10,
    validity_seconds_max=259_200,
    timing=TimingRules(),
    link_target=RULES.target,
)


def check(text: str, account: AccountPolicy = ACCOUNT, **fields: Any) -> Prepared | Refused:
    body = msgspec.json.encode({"to": "+8613812345678", "text": text, **fields})
    return VALIDATOR.check(body, account, now_ms=1_790_000_000_000)


def taken(text: str, account: AccountPolicy = ACCOUNT, **fields: Any) -> Prepared:
    checked = check(text, account, **fields)
    assert isinstance(checked, Prepared), checked
    return checked


def refused(text: str, **fields: Any) -> set[tuple[str, str | None]]:
    checked = check(text, **fields)
    assert isinstance(checked, Refused)
    return {(each.code, each.pointer) for each in checked.errors}


def test_a_named_link_leads_to_its_url_with_the_recipients_values() -> None:
    found = taken(
        "Hi {{link:main}}!", links={"main": {"url": SHOP}}, params={"name": "王 a&b=c/../@"}
    )
    assert found.text == f"Hi {SHORT}!"
    assert found.links == ("https://shop.example/p?n=%E7%8E%8B%20a%26b%3Dc%2F..%2F%40",)
    assert found.link_slots == (0,)


def test_parts_are_counted_with_the_code_and_not_with_the_name_or_the_url() -> None:
    text = "x" * (160 - len(SHORT)) + "{{link:a-name-that-is-long}}"
    links = {"a-name-that-is-long": {"url": "https://shop.example/" + "y" * 500}}
    assert (taken(text, links=links).parts, taken("x" + text, links=links).parts) == (1, 2)


def test_named_links_stand_beside_found_ones_and_the_opt_out() -> None:
    marketing = AccountPolicy(
        id=1, name="shop", default_category=Category.MARKETING, opt_out_suffix="T {{optout}}"
    )
    found = taken(
        "{{link:b}} https://shop.example/ {{link:a}} {{link:b}}",
        marketing,
        links={"a": {"url": "https://shop.example/a"}, "b": {"url": "https://shop.example"}},
    )
    assert found.text == f"{SHORT} {SHORT} {SHORT} {SHORT} T {SHORT}"
    assert [found.links[slot] for slot in found.link_slots] == [
        "https://shop.example/", "https://shop.example/", "https://shop.example/a",
        "https://shop.example/", OPT_OUT_TARGET,
    ]  # fmt: skip
    alone = taken(
        "{{link:a}} https://b.example/", links={"a": {"url": SHOP}}, params={"name": "x"},
        shorten_urls=False,
    )  # fmt: skip
    assert alone.text == f"{SHORT} https://b.example/"


@pytest.mark.parametrize(
    ("text", "links", "faults"),
    [
        ("{{link:main}}", None, {("link_name_unknown", "/text")}),
        ("{{link:main}}", {"other": {"url": SHOP}},
         {("link_name_unknown", "/text"), ("link_unused", "/links/other")}),
        ("{{link:}}", None, {("link_name_unknown", "/text")}),
        ("{{link:main", None, {("link_name_unknown", "/text")}),
        ("{{link:a}} {{link:%s}}" % ("a" * 33), {"a": {"url": SHOP}},
         {("link_name_unknown", "/text")}),
        ("hello", {"a/b": {"url": SHOP}}, {("link_unused", "/links/a~1b")}),
        ("{{link:a}}", {"a": {"url": "https://{{name}}/"}}, {("link_url_invalid", "/links/a/url")}),
        ("{{link:a}}", {"a": {"url": "https://x.{{name}}:1/"}},
         {("link_url_invalid", "/links/a/url")}),
        ("{{link:a}}", {"a": {"url": "{{name}}"}}, {("link_url_invalid", "/links/a/url")}),
        ("{{link:a}}", {"a": {"url": "javascript:{{name}}"}},
         {("link_url_invalid", "/links/a/url")}),
        ("{{link:a}}", {"a": {"url": "https://a.example/{{"}},
         {("link_url_invalid", "/links/a/url")}),
        ("{{link:a}}", {"a": {"url": "https://a.example/{{other}}"}},
         {("link_param_missing", "/links/a/url")}),
        ("{{link:a}}", {"a": {"url": "https://evil.example/"}},
         {("link_host_refused", "/links/a/url")}),
        ("{{link:a}}", {"a": {"url": "https://s.example/x"}}, {("link_loop", "/links/a/url")}),
        ("{{link:a}}", {"a": {}}, {("field_missing", "/links/a/url")}),
        ("x", {str(number): {"url": SHOP} for number in range(9)}, {("links_too_many", "/links")}),
    ],
)  # fmt: skip
def test_every_mistake_is_told_by_its_place(
    text: str, links: object, faults: set[tuple[str, str]]
) -> None:
    assert refused(text, links=links, params={"name": "x"}) >= faults


def test_a_repeat_under_one_client_ref_may_not_lead_elsewhere() -> None:
    asked = {
        taken("{{link:a}}", links={"a": {"url": SHOP}}, params={"name": name}, client_ref="r")
        .asked_text
        for name in ("x", "y", "x")
    }  # fmt: skip
    assert len(asked) == 2


@given(st.text(max_size=50))
def test_whatever_a_value_is_the_host_stays(value: str) -> None:
    found = check("{{link:a}}", links={"a": {"url": SHOP}}, params={"name": value})
    if isinstance(found, Prepared):
        assert is_location(found.links[0])
        assert found.links[0].startswith("https://shop.example/p?n=")
