"""Everything that is wrong with a body, at once: of exactly the bodies that msgspec refuses."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import UNSET, Meta, UnsetType

from messages import json_text
from messages.body_faults import BYTES_MAX, FAULTS_MAX, UNDECODABLE, mended
from messages.json_text import list_items, may_hold_twice, may_repeat, repeated_members
from messages.requests import MessageRequest


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    """A field that is an object."""

    start: str = msgspec.field(name="from")
    days: tuple[Literal["mon", "tue"], ...] | None = None


class Sample(msgspec.Struct, forbid_unknown_fields=True):
    """Every kind of field that a body has."""

    to: str
    action: Literal["resend", "drop"]
    number: int | None = None
    flag: bool | None = None
    label: Annotated[str, Meta(min_length=1, max_length=3, pattern=r"\A[a-z]+\Z")] | None = None
    at: Annotated[datetime, Meta(tz=True)] | None = None
    names: Annotated[list[str], Meta(min_length=1, max_length=2)] | None = None
    inner: Inner | None = None
    rate: str | UnsetType | None = UNSET


NAMES = [*Sample.__struct_encode_fields__, "from", "days", "x", "a/b~c"]
TEXTS = st.sampled_from(
    ["", "abc", "abcd", "a1", "drop", "mon", "2026-11-22T10:00:00Z", "2026-11-22T10:00:00", "1"]
)
PLAIN = st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-2, 2) | TEXTS
VALUES = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3)
    ),
    max_leaves=5,
)
BODIES = st.dictionaries(st.sampled_from(NAMES), VALUES)


def pointers(body: object, kind: type[msgspec.Struct] = Sample) -> list[str | None]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return [fault.pointer for fault in mended(raw, kind).faults]


@given(BODIES)
@example({"to": "", "action": "drop", "at": "2026-11-22T10:00:00"})
@example({"to": "", "action": "drop", "number": 1.0})
@example({"to": "", "action": "drop", "inner": {"from": "", "days": ["wed", "mon", 1]}})
def test_h6_there_is_a_fault_exactly_where_there_is_one(body: dict[str, object]) -> None:
    """What is right of a body is kept: with the faulty fields put right it can be decoded."""
    raw = json.dumps(body).encode()
    try:
        right = msgspec.json.decode(raw, type=Sample)
    except UNDECODABLE:
        pass
    else:
        found = mended(raw, Sample)
        assert [fault.detail for fault in found.faults] == ["this cannot be read"]  # as told
        assert found.body == right
        return
    found = mended(raw, Sample)
    spoiled = {fault.pointer.split("/")[1] for fault in found.faults if fault.pointer}
    assert spoiled
    assert spoiled == found.faults.spoiled
    kept = {name: value for name, value in body.items() if name not in spoiled and "/" not in name}
    whole = msgspec.json.decode(json.dumps({"to": "", "action": "drop"} | kept), type=Sample)
    for name in kept:
        field = "rate" if name == "rate" else name
        assert getattr(found.body, field) == getattr(whole, field)


def test_h6_every_mistake_is_told_with_its_place_and_in_our_words() -> None:
    body = {
        "action": "go", "number": "7", "flag": 1, "label": "ABC", "at": "tomorrow", "names": [],
        "inner": {"days": ["mon", "wed"], "from": 3, "to": "x"}, "rate": 5, "lable": "x",
    }  # fmt: skip
    faults = mended(json.dumps(body).encode(), Sample).faults
    told = {fault.pointer: (fault.code, fault.detail) for fault in faults}
    assert told == {
        "/to": ("field_missing", "to is missing"),
        "/action": ("field_type", "action is one of drop, resend"),
        "/number": ("field_type", "number is a string, not an integer"),
        "/flag": ("field_type", "flag is an integer, not true or false"),
        "/label": ("field_type", "label holds characters that it may not have"),
        "/at": (
            "field_type",
            "at is not an RFC 3339 time with an offset, such as 2026-11-22T10:00:00Z",
        ),
        "/names": ("field_type", "names has 0 entries; 1 to 2 are allowed"),
        "/inner/days/1": ("field_type", "inner/days/1 is one of mon, tue"),
        "/inner/from": ("field_type", "inner/from is an integer, not a string"),
        "/inner/to": ("field_unknown", "there is no field 'to'; there are from, days"),
        "/rate": ("field_type", "rate is an integer, not a string"),
        "/lable": ("field_unknown", "there is no field 'lable'; did you mean 'label'?"),
    }


@pytest.mark.parametrize(
    ("raw", "code", "detail"),
    [
        (b"{", "malformed_json", "this is not JSON, from character 1 on"),
        (b'{"to":"a"}x', "malformed_json", "this is not JSON, from character 10 on"),
        (b"{" * 3, "malformed_json", "this is not JSON, from character 1 on"),
        (b'{"to":' + b"[" * 100_000, "malformed_json", "the JSON is nested too deeply"),
        (b"[]", "field_type", "this is a list, not an object"),
        (b" " * BYTES_MAX + b"[]", "field_type", "this is not an object"),
        (b" " * BYTES_MAX + b"{", "malformed_json", "this is not JSON"),
    ],
)
def test_h6_no_words_of_the_codec_are_shown(raw: bytes, code: str, detail: str) -> None:
    [fault] = mended(raw, Sample).faults
    assert (fault.code, fault.pointer) == (code, "")
    assert detail in fault.detail


def test_h6_of_a_body_too_long_to_walk_the_outermost_fields_are_told() -> None:
    body = {"to": "x" * BYTES_MAX, "action": "go", "number": 5, "lable": 1}
    told = {fault.pointer: fault.code for fault in mended(json.dumps(body).encode(), Sample).faults}
    assert told == {"/action": "field_type", "/lable": "field_unknown"}
    assert pointers({"x": "x" * BYTES_MAX}) == ["/x", "/to", "/action"]


def test_the_faults_of_one_body_are_bounded() -> None:
    assert len(pointers({f"x{n}": n for n in range(9 * FAULTS_MAX)})) == FAULTS_MAX
    assert len(pointers({"names": ["\ud83d"] * 2, "action": 1})) == 4


class Listed(msgspec.Struct, forbid_unknown_fields=True):
    items: list[msgspec.Raw]


def test_h10_half_a_character_is_told_by_its_field() -> None:
    faults = mended(b'{"to":"\\ud83d","inner":{"from":"a\\udc80"},"action":"drop"}', Sample).faults
    assert [(fault.pointer, fault.detail) for fault in faults] == [
        ("/to", "to holds U+D83D, half of a character"),
        ("/inner/from", "inner/from holds U+DC80, half of a character"),
    ]
    [fault] = mended(b'{"to":"\xe9","action":"drop"}', Sample).faults
    assert (fault.code, fault.pointer, fault.detail) == ("malformed_json", "/to", "to is not UTF-8")
    faults = mended(b'{"\\ud83d":1,"to":"","action":"drop"}', Sample).faults
    assert msgspec.json.encode(faults)  # what is told can be sent


def test_h10_what_is_not_utf8_in_an_item_that_is_not_walked_is_told_by_its_list() -> None:
    faults = mended(b'{"items":["\xff"],"to":1}', Listed).faults
    assert [(fault.code, fault.pointer) for fault in faults] == [
        ("field_unknown", "/to"),
        ("field_type", "/items"),
    ]


def spelled(pairs: list[tuple[str, Any]], gap: str) -> bytes:
    members = (f"{json.dumps(name)}{gap}:{json.dumps(value)}" for name, value in pairs)
    return ("{" + ",".join(members) + "}").encode()


MEMBERS = ["to", "text", "category", "client_ref", "from", "tags"]
STRINGS = st.sampled_from(["a", 'say "x":', "1:2", '" :', "otp", "é"])


@given(
    st.lists(st.tuples(st.sampled_from(MEMBERS), STRINGS), max_size=6),
    st.sampled_from(["", " ", "\n", "\t \r\n"]),
)
def test_h3_what_is_given_twice_is_never_passed_over(
    pairs: list[tuple[str, str]], gap: str
) -> None:
    """Counting may ask for a closer look in vain, but never spares one that was due."""
    given = [(name, [value] if name == "tags" else value) for name, value in pairs]
    raw = spelled([("to", "x"), ("text", "y"), *given], gap)
    known = msgspec.json.decode(raw, type=MessageRequest)
    distinct = len(known.__struct_fields__) - msgspec.structs.astuple(known).count(None)
    names = ["to", "text", *(name for name, _ in pairs)]
    again = [name for position, name in enumerate(names) if name in names[:position]]
    assert repeated_members(raw) == [f"/{name}" for name in again]
    if again:
        assert may_repeat(raw, distinct)


def test_the_usual_message_is_not_read_twice() -> None:
    raw = msgspec.json.encode({"to": "+8613812345678", "text": "see https://x.example: 5:30"})
    assert not may_repeat(raw, 2)
    assert not may_repeat(json.dumps({"to": "+8613812345678", "text": "a"}, indent=2).encode(), 2)
    assert not may_repeat(b'{"to":"+8613812345678","text":"x","variant":null}', 2)
    assert not may_hold_twice(b'{"messages": [' + raw + b"]}", "messages")


def test_every_field_of_a_message_but_the_required_is_none_by_default() -> None:
    """What is counted as given is what is not None."""
    for field in msgspec.structs.fields(MessageRequest):
        assert field.default is None or field.name in ("to", "text"), field.name


@given(st.lists(VALUES, max_size=4), st.sampled_from([None, 1]))
def test_the_items_of_a_list_are_told_apart_as_they_were_written(
    items: list[object], indent: int | None
) -> None:
    raw = json.dumps({"messages": items}, indent=indent).encode()
    assert [json.loads(item) for item in list_items(raw, "messages")] == items


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"[]", b"{}", b'{"messages":{}}', b'{"message":[]}', b'{"messages":[1,]}',
        b'{"messages":[1 2]}', b'{"messages":[1]', b'{"messages":[1]}x', b'{"messages":[{"a":}]}',
        b'{"messages":[],"messages":[]}', b'{"messages":[' + b"[" * 100_000, b"7", b'{7:[]}',
    ],
)  # fmt: skip
def test_what_is_not_one_list_is_not_told_apart(raw: bytes) -> None:
    with pytest.raises(json_text.NotJson):
        list(list_items(raw, "messages"))


def test_no_words_are_borrowed() -> None:
    """A sentence of msgspec's begins with Expected, Object or Invalid."""
    raw = b'{"to":5,"text":[],"send_at":"x","policy":{"quiet_hours":"no"},"tags":"a"}'
    for fault in mended(raw, MessageRequest).faults:
        assert re.search("Expected|Object|Invalid|RFC3339", fault.detail) is None
