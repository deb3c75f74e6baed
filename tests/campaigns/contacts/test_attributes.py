"""Values by their type: of JSON strictly, of a file as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.contacts import attributes
from campaigns.contacts.attributes import (
    TEXT_CHARACTERS_MAX,
    TYPES,
    AttributeType,
    ValueRefused,
    name_fault,
    stored,
    zone_known,
)

DEEP: object = []  # lists in lists, as many as JSON may have
for _ in range(900):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("kind", "given", "wanted"),
    [
        ("text", " 广州 ", "广州"), ("text", 7, "7"), ("text", "a\nb", "a b"),
        ("number", "1,200.5", 1200.5), ("number", "12", 12), ("number", 3.5, 3.5),
        ("money", "¥129.90", 129_900_000), ("money", 5, 5_000_000), ("money", "-0.000001", -1),
        ("instant", "2026-11-11T10:00:00+08:00", "2026-11-11T02:00:00.000Z"),
        ("instant", "0999-01-01T00:00:00Z", "0999-01-01T00:00:00.000Z"),  # texts sort as times do
        ("bool", "是", True), ("bool", "No", False), ("bool", True, True),
        ("set", "b;a，b", ["a", "b"]), ("set", ["b", " a"], ["a", "b"]),
    ],
)  # fmt: skip
def test_each_type_has_one_form(kind: AttributeType, given: object, wanted: object) -> None:
    assert stored(kind, given) == wanted


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("2026-11-11", "2026-11-11"), ("2026/1/2", "2026-01-02"), ("2026.1.2", "2026-01-02"),
        ("2026年1月2日", "2026-01-02"), ("20260102", "2026-01-02"), ("31/12/2026", "2026-12-31"),
        ("12/31/2026", "2026-12-31"), ("5/5/2026", "2026-05-05"),
        ("2026-11-11 08:00", "2026-11-11"),
        ("46337", "2026-11-11"), (46337.0, "2026-11-11"), ("2024-02-29", "2024-02-29"),
    ],
)  # fmt: skip
def test_c30_dates_as_people_and_spreadsheets_write_them(given: object, wanted: str) -> None:
    assert stored("date", given) == wanted


def test_c30_days_are_counted_from_two_beginnings() -> None:
    assert stored("date", 44875, "1904") == stored("date", 46337, "1900") == "2026-11-11"


@pytest.mark.parametrize(
    ("kind", "given", "code"),
    [
        ("date", "03/04/2026", "date_ambiguous"), ("date", "2026-02-30", "attr_type"),
        ("date", "soon", "attr_type"), ("date", True, "attr_type"), ("date", 1e9, "attr_type"),
        ("number", "abc", "attr_type"), ("number", "NaN", "attr_type"),
        ("number", 1e300, "attr_type"),
        ("number", True, "attr_type"), ("money", "1.2345678", "attr_type"),
        ("bool", "7", "attr_type"),
        ("instant", "2026-11-11T10:00:00", "attr_type"), ("set", [1], "attr_type"),
        ("set", {}, "attr_type"), ("text", [], "attr_type"),
        ("text", "x" * (TEXT_CHARACTERS_MAX + 1), "too_long"),
        ("set", [str(item) for item in range(60)], "too_long"),
    ],
)  # fmt: skip
def test_what_is_of_another_type_is_refused(kind: AttributeType, given: object, code: str) -> None:
    with pytest.raises(ValueRefused) as refused:
        stored(kind, given)
    assert refused.value.code == code


@given(st.sampled_from(TYPES), st.one_of(st.text(), st.integers(), st.floats(), st.booleans()))
def test_what_is_stored_is_stored_again_as_it_is(kind: AttributeType, value: object) -> None:
    try:
        found = stored(kind, value)
    except ValueRefused:
        return
    if kind != "money":  # which is stored in millionths
        assert stored(kind, found) == found


def test_names_are_words_that_the_segment_language_does_not_have() -> None:
    assert name_fault("city_2") is None
    for name in ("between", "City", "2nd", "", "a" * 64, "城市"):
        assert name_fault(name) is not None


def test_a_zone_is_known_by_its_name() -> None:
    assert zone_known("Asia/Shanghai")
    assert not zone_known("Asia/Beijing")
    assert not zone_known("../etc/passwd")
    assert not zone_known("localtime")


def test_the_disk_is_asked_for_zones_once_and_not_for_each_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert zone_known("Asia/Shanghai")
    monkeypatch.setattr(attributes, "available_timezones", lambda: pytest.fail("asked again"))
    assert zone_known("Europe/Berlin")
    assert not zone_known("Asia/Beijing")


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("number", "1e999999999"), ("number", "0e999999999"), ("number", "sNaN"),
        ("number", "-Infinity"), pytest.param("date", 10**400, id="1"),
        pytest.param("text", 10**5000, id="2"), pytest.param("bool", 10**5000, id="3"),
        ("instant", "0001-01-01T00:00:00+14:00"), ("instant", "9999-12-31T23:59:59-14:00"),
        pytest.param("text", 10**600, id="4"), *((kind, DEEP) for kind in TYPES),
    ],
)  # fmt: skip
def test_what_no_type_can_hold_is_refused_at_once(kind: AttributeType, given: object) -> None:
    with pytest.raises(ValueRefused):
        stored(kind, given)
