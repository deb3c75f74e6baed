"""Validation without HTTP: what is added to a text, how it is counted, who may send what."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from messages.accept.senders import sender_fault
from messages.accept.validation import Validator
from messages.models import AccountPolicy, Prepared, Refused
from messages.requests import MessageRequest
from messages.rules.quiet_hours import TimingRules
from recipients.numbers.origin_numbers import OriginNumbers, country_code, operator_names
from recipients.numbers.plan import NumberPlan
from shortlinks.code import SLOTS
from shortlinks.rewrite import PLACEHOLDER_CODE, fill_placeholders
from smpp.encoding import TextSettings
from smpp.text import encode_text
from storage.categories import Category
from storage.names import SANDBOX

TO = "+8613812345678"
BASE = "https://s.example"
PLAIN = AccountPolicy(id=1, name="default")
SHOP = AccountPolicy(
    id=2, name="shop", senders=("10690001",), signature="【商城】", opt_out_suffix="回T退订"
)
LATIN = AccountPolicy(id=3, name="acme", signature="ACME:", opt_out_suffix="Reply STOP")


@pytest.fixture(scope="module")
def validator() -> Validator:
    """One for all tests, as one serves a whole process."""
    return Validator(
        numbers=NumberPlan(),
        route=lambda _to, _sender, _category, _account, _tags: 1,
        link_base_url=BASE,
        parts_max=10,
        validity_seconds_max=259_200,
        timing=TimingRules(),
        validity_seconds=(600, 86_400, 172_800, 259_200),
        origin=OriginNumbers().of,
    )


def check(
    validator: Validator, account: AccountPolicy = PLAIN, **fields: object
) -> Prepared | Refused:
    """One message with these fields, sent at second 1."""
    raw = msgspec.json.encode({"to": TO, "text": "hello", **fields})
    return validator.check(raw, account, now_ms=1000)


def prepared(validator: Validator, account: AccountPolicy = PLAIN, **fields: object) -> Prepared:
    """The same, which must be good."""
    result = check(validator, account, **fields)
    assert isinstance(result, Prepared), result
    return result


def test_a_message_says_where_its_number_is_from(validator: Validator) -> None:
    message = prepared(validator)
    assert country_code(message.country) == "CN"
    assert operator_names()[message.operator] == "china mobile"


@pytest.mark.parametrize(
    ("account", "category", "text", "final"),
    [
        (PLAIN, "marketing", "五折", "五折"),
        (SHOP, "otp", "验证码1234", "【商城】验证码1234"),
        (SHOP, "marketing", "五折", "【商城】五折回T退订"),
        (SHOP, "marketing", "【商城】五折", "【商城】五折回T退订"),
        (SHOP, "marketing", "五折，回T退订", "【商城】五折，回T退订"),
        (SHOP, "service", "五折", "【商城】五折"),
        (SHOP, "marketing", "Sale today", "【商城】Sale today 回T退订"),
        (LATIN, "marketing", "Sale.", "ACME: Sale. Reply STOP"),
        (LATIN, "marketing", "ACME: Sale. ", "ACME: Sale. Reply STOP"),
        (LATIN, "marketing", "Café", "ACME: Café Reply STOP"),
    ],
)
def test_signature_comes_first_and_marketing_ends_with_the_way_out_neither_twice(
    validator: Validator, account: AccountPolicy, category: str, text: str, final: str
) -> None:
    assert prepared(validator, account, category=category, text=text).text == final


def test_what_is_added_counts_in_parts(validator: Validator) -> None:
    text = "好" * 60
    assert prepared(validator, PLAIN, text=text, category="marketing").parts == 1
    assert prepared(validator, SHOP, text=text, category="service").parts == 1
    assert prepared(validator, SHOP, text=text + "好" * 6, category="service").parts == 1
    assert prepared(validator, SHOP, text=text + "好" * 7, category="service").parts == 2
    assert prepared(validator, SHOP, text=text + "好" * 3, category="marketing").parts == 2


@pytest.mark.parametrize(
    ("text", "data_coding", "parts"),
    [
        ("x" * 160, 0, 1),
        ("x" * 161, 0, 2),
        ("€" * 80, 0, 1),
        ("€" * 81, 0, 2),
        ("好" * 70, 8, 1),
        ("好" * 71, 8, 2),
        ("x" * 1530, 0, 10),
        ("好" * 670, 8, 10),
        ("line one\r\nline two\ttab", 8, 1),
    ],
)
def test_encoding_and_parts(validator: Validator, text: str, data_coding: int, parts: int) -> None:
    message = prepared(validator, text=text)
    assert (message.data_coding, message.parts) == (data_coding, parts)


def test_a_link_becomes_a_placeholder_of_the_length_its_code_will_have(
    validator: Validator,
) -> None:
    message = prepared(validator, text="看https://shop.example/a?b=1，再看 http://x.example/ 吧")
    short = f"{BASE}/{PLACEHOLDER_CODE}"
    assert message.text == f"看{short}，再看 {short} 吧"
    assert message.links == ("https://shop.example/a?b=1", "http://x.example/")
    assert message.link_slots == (0, 1)


def test_a_text_too_long_for_its_links_is_judged_by_its_short_ones(validator: Validator) -> None:
    long_link = "https://shop.example/" + "a" * 1900
    assert prepared(validator, text=long_link).parts == 1
    refused = check(validator, text=long_link, shorten_urls=False)
    assert isinstance(refused, Refused)
    assert refused.code == "text_too_long"


def test_message_over_account_decides_whether_links_are_shortened(validator: Validator) -> None:
    text = "https://shop.example/a"
    off = msgspec.structs.replace(PLAIN, shorten_urls=False)
    assert prepared(validator, PLAIN, text=text).links
    assert not prepared(validator, PLAIN, text=text, shorten_urls=False).links
    assert not prepared(validator, off, text=text).links
    assert prepared(validator, off, text=text, shorten_urls=True).links


@pytest.mark.parametrize(
    "text",
    [
        f"{BASE}/{PLACEHOLDER_CODE} https://x.example/",
        f"x{BASE}/{PLACEHOLDER_CODE} https://x.example/",
        f"{BASE}/{PLACEHOLDER_CODE}abc https://x.example/ {BASE}/other",
        f"https://x.example/?{BASE}/{PLACEHOLDER_CODE}",
    ],
)
def test_a_placeholder_written_by_a_client_never_takes_the_place_of_a_code(
    validator: Validator, text: str
) -> None:
    """Else the accepter could not tell which to fill, and a whole flush would fail."""
    result = check(validator, text=text)
    if isinstance(result, Prepared):
        urls = [f"{BASE}/{n:08}" for n in range(len(result.link_slots))]
        filled = fill_placeholders(result.text, BASE, urls)
        assert PLACEHOLDER_CODE not in filled
    else:
        assert result.code == "text_invalid"


def test_a_suffix_never_runs_into_a_link(validator: Validator) -> None:
    message = prepared(validator, SHOP, text="看 https://shop.example/a", category="marketing")
    assert message.text.endswith(f"{BASE}/{PLACEHOLDER_CODE} 回T退订")


def test_as_many_links_as_there_are_slots(validator: Validator) -> None:
    text = " ".join(f"https://a.example/{n}" for n in range(SLOTS))
    assert len(prepared(validator, text=text).links) == SLOTS


def test_defaults_come_from_the_account(validator: Validator) -> None:
    account = msgspec.structs.replace(SHOP, default_category=Category.OTP)
    message = prepared(validator, account)
    assert (message.sender, message.category, message.account) == ("10690001", Category.OTP, 2)
    assert prepared(validator, PLAIN).sender == ""


def test_null_means_not_given(validator: Validator) -> None:
    names = ("from", "category", "client_ref", "campaign_id", "variant", "tags", "expires_in")
    raw = msgspec.json.encode({"to": TO, "text": "hello", **dict.fromkeys(names)})
    assert validator.check(raw, PLAIN, now_ms=1000) == prepared(validator)


def test_an_expiry_counts_from_now(validator: Validator) -> None:
    assert prepared(validator, expires_in=60).expires_at == 61_000


def test_a_message_that_does_not_say_is_tried_as_long_as_its_category_is(
    validator: Validator,
) -> None:
    seconds = [prepared(validator, category=category.label).expires_at for category in Category]
    assert seconds == [601_000, 86_401_000, 172_801_000, 259_201_000]


@pytest.mark.parametrize(
    ("sender", "good"),
    [
        ("SHOP", True), ("Shop & Co", True), ("10690001", True), ("+8613812345678", True),
        ("123456789012345", True), ("x" * 11, True), ("A1_@$", True),
        ("10690001234567890123", True), ("", False), (" ", False), ("x" * 12, False),
        ("123456789012345678901", False), ("+", False), ("+12 34", False), ("+0123", False),
        ("+1234567890123456", False), ("商城", False), ("Café", False), ("a\n", False),
        ("a\x00", False), ("[x]", False), ("１２３", False),
    ],
)  # fmt: skip
def test_a_sender_is_digits_or_a_short_name(sender: str, good: bool) -> None:
    assert (sender_fault(sender) is None) is good


def test_the_pointer_of_a_batch_item_names_its_place(validator: Validator) -> None:
    refused = validator.check(b'{"to":"1","text":""}', PLAIN, now_ms=0, index=3)
    assert isinstance(refused, Refused)
    assert [error.pointer for error in refused.errors] == ["/messages/3/to", "/messages/3/text"]


def test_an_unknown_field_names_the_nearest_known_one(validator: Validator) -> None:
    refused = check(validator, expire_in=60)
    assert isinstance(refused, Refused)
    assert "did you mean 'expires_in'?" in refused.detail
    refused = check(validator, xyz=1)
    assert isinstance(refused, Refused)
    assert "there are to, text, template_id, from" in refused.detail


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)


@settings(max_examples=150)
@given(
    st.dictionaries(
        st.sampled_from(MessageRequest.__struct_encode_fields__) | st.text(max_size=4),
        json_values,
    ),
    st.booleans(),
)
def test_no_json_raises(validator: Validator, body: dict[str, object], good_number: bool) -> None:
    if good_number:
        body["to"] = TO
    result = validator.check(msgspec.json.encode(body), SHOP, now_ms=0)
    assert isinstance(result, Prepared | Refused)


@settings(max_examples=150)
@given(st.binary(max_size=60))
def test_no_bytes_raise(validator: Validator, raw: bytes) -> None:
    assert isinstance(validator.check(raw, PLAIN, now_ms=0), Refused)


@settings(max_examples=150)
@given(st.text(min_size=1, max_size=400))
def test_what_is_prepared_can_be_encoded_as_counted_and_stored(
    validator: Validator, text: str
) -> None:
    result = validator.check(
        msgspec.json.encode({"to": TO, "text": text}), SHOP, now_ms=0
    )  # fmt: skip
    if isinstance(result, Prepared):
        encoded = encode_text(result.text)
        assert (encoded.data_coding, len(encoded.parts)) == (result.data_coding, result.parts)
        assert "\0" not in result.text
        result.text.encode()
    else:
        assert result.code in ("text_empty", "text_invalid", "text_too_long", "links_too_many")


def test_parts_are_counted_as_the_connector_of_the_route_takes_texts() -> None:
    texts = {
        1: TextSettings(alphabets=("gsm7", "latin1", "ucs2")),
        2: TextSettings(segmentation="payload", alphabets=("gsm7",)),
        3: TextSettings(segmentation="udh16", smart_replacement=True),
    }
    validator = Validator(
        numbers=NumberPlan(),
        route=lambda _to, sender, _category, _account, _tags: int(sender),
        link_base_url=BASE,
        parts_max=10,
        validity_seconds_max=259_200,
        timing=TimingRules(),
        texts=texts.__getitem__,
    )

    def counted(connector: int, text: str) -> tuple[int, int]:
        fields: dict[str, Any] = {"from": str(connector), "text": text}
        message = prepared(validator, **fields)
        return message.parts, message.data_coding

    assert counted(1, "ç" * 134) == (1, 3)
    assert counted(2, "x" * 400) == (3, 0)
    assert counted(3, "it’s " + "x" * 300) == (3, 0)
    from_two: dict[str, Any] = {"from": "2"}
    refused = check(validator, **from_two, text="五折")
    assert isinstance(refused, Refused)
    assert [(error.code, error.pointer) for error in refused.errors] == [("text_invalid", "/text")]
    assert "U+4E94" in refused.detail
    long = check(validator, **from_two, text="x" * 1531)
    assert isinstance(long, Refused)
    assert long.code == "text_too_long"


def test_e82_a_message_may_state_its_own_tlvs(validator: Validator) -> None:
    good = prepared(validator, tlvs=[{"tag": "0x1401", "text": "1107161234"}])
    assert good.options is not None
    assert good.options.tlvs == ((0x1401, b"1107161234"),)
    assert prepared(validator).options is None
    wrong = [
        ([{"tag": "0x1401"}], "tlv_invalid", "/tlvs/0"),
        ([{"tag": "0x1401", "hex": "0"}], "tlv_invalid", "/tlvs/0"),
        ([{"tag": "message_payload", "text": "x"}], "tlv_invalid", "/tlvs/0"),
        ([{"tag": "5121", "text": "x"}, {"tag": "0x1401", "text": "y"}], "tlv_invalid", "/tlvs"),
        ([{"tag": str(5000 + tag), "text": "x"} for tag in range(21)], "tlv_invalid", "/tlvs"),
        ([{"tag": "5121", "txt": "x"}], "field_unknown", "/tlvs/0/txt"),
        ([{"text": "x"}], "field_missing", "/tlvs/0/tag"),
        ([{"tag": 5121, "text": "x"}], "field_type", "/tlvs/0/tag"),
        ({}, "field_type", "/tlvs"),
    ]
    for tlvs, code, pointer in wrong:
        refused = check(validator, tlvs=tlvs)
        assert isinstance(refused, Refused), tlvs
        assert [(error.code, error.pointer) for error in refused.errors] == [(code, pointer)]


@pytest.mark.parametrize("asked", [None, False, True])
@pytest.mark.parametrize("of_account", [False, True])
def test_the_sandbox_takes_what_message_or_account_says_whatever_the_routes_say(
    validator: Validator, asked: bool | None, of_account: bool
) -> None:
    account = msgspec.structs.replace(PLAIN, sandbox=of_account)
    message = prepared(validator, account, sandbox=asked, policy={"quiet_hours": "reject"})
    assert message.options is not None
    sandboxed = of_account or asked is True
    assert (message.connector, message.options.sandbox) == (SANDBOX if sandboxed else 1, sandboxed)
    assert message.options.quiet_hours == "reject"


def test_priority_is_0_to_9_and_5_when_nothing_is_said(validator: Validator) -> None:
    assert prepared(validator).priority == 5
    assert [prepared(validator, priority=asked).priority for asked in (0, 9)] == [0, 9]
    for asked in (-1, 10):
        refused = check(validator, priority=asked)
        assert isinstance(refused, Refused)
        assert [error.pointer for error in refused.errors] == ["/priority"]
        assert refused.code == "out_of_range"


@given(
    st.fixed_dictionaries(
        {"to": st.sampled_from([TO, "+86", ""]), "text": st.text(min_size=1, max_size=200)},
        optional={
            "category": st.sampled_from(["otp", "marketing", "gift"]),
            "campaign_id": st.text(max_size=4),
            "priority": st.integers(-1, 11),
            "tags": st.lists(st.text(max_size=4), max_size=12),
            "send_window": st.sampled_from(
                [{"from": "10:00", "to": "12:00"}, {"from": "25:00", "to": "12:00", "tz": "x"}]
            ),
            "expires_in": st.integers(-1, 300_000),
        },
    )
)
def test_what_a_part_of_ours_asks_for_is_judged_as_its_json(
    validator: Validator, fields: dict[str, object]
) -> None:
    asked = msgspec.convert(fields, MessageRequest)
    by_json = validator.check(msgspec.json.encode(fields), SHOP, now_ms=1000)
    assert validator.request(asked, SHOP, now_ms=1000, templates=None) == by_json
