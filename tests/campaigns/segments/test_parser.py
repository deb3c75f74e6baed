"""The form of segments: what is read, and each mistake with its place and what was expected."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from campaigns.segments import limits
from campaigns.segments.checking import references
from campaigns.segments.mistakes import INVALID, TOO_COMPLEX, SegmentRefused
from campaigns.segments.parser import parsed
from campaigns.segments.tree import (
    Age,
    Bucket,
    DaysUntil,
    Events,
    Field,
    Joined,
    Named,
    Node,
    Not,
    Predicate,
    Said,
)


def mistakes(source: str) -> list[str]:
    with pytest.raises(SegmentRefused) as caught:
        parsed(source)
    return [str(mistake) for mistake in caught.value.mistakes]


def predicate(source: str) -> Predicate:
    node = parsed(source)
    assert isinstance(node, Predicate)
    return node


def test_and_binds_more_than_or_and_not_more_than_both() -> None:
    node = parsed('not has a or has b and source("x") and not (has c or has d)')
    assert isinstance(node, Joined)
    first, second = node.parts
    assert (node.word, type(first), type(second)) == ("or", Not, Joined)
    assert isinstance(second, Joined)
    assert second.word == "and"
    kinds: list[type[Node]] = [type(part) for part in second.parts]
    assert kinds == [Predicate, Named, Not]


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("count(cart_add, 3d) = 1", Events("count", "cart_add", 3, 1)),
        ('sum("下单", 90d) = 1', Events("sum", "下单", 90, 1)),
        ("days_since(any) = 1", Events("days_since", "any", None, 1)),
        ("days_until(birthday) = 1", DaysUntil(Field("birthday", 12), 1)),
        ("age = 1", Age(1)),
        ('bucket("cmp_1") = 1', Bucket("cmp_1", 1)),
        ("城市 = 1", Field("城市", 1)),
    ],
)
def test_every_value(source: str, value: object) -> None:
    assert predicate(source).value == value


@pytest.mark.parametrize(
    ("literal", "kind", "value"),
    [
        (r'"a \"b\" \\"', "text", 'a "b" \\'),
        ("-12.50", "number", Decimal("-12.50")),
        ("money 20.00", "money", Decimal("20.00")),
        ("2026-11-11", "date", date(2026, 11, 11)),
        ("date 2026-11-11", "date", date(2026, 11, 11)),
        ("false", "bool", False),
    ],
)
def test_every_literal(literal: str, kind: str, value: object) -> None:
    assert predicate(f"x = {literal}").literals == (Said(kind, value, 5),)  # type: ignore[arg-type]


def test_every_operator() -> None:
    for sign in ("=", "!=", "<", "<=", ">", ">="):
        assert predicate(f"x {sign} 1").operator == sign
    assert predicate("x not in (1, 2)").operator == "not in"
    assert [each.value for each in predicate("x in (1,2,3)").literals] == [1, 2, 3]
    assert [each.value for each in predicate("x between 1 and 2").literals] == [1, 2]
    assert predicate('x contains "a"').operator == "contains"
    assert predicate('x starts "a"').operator == "starts"
    assert predicate("has x").literals == ()


def test_every_mistake_is_told_at_once_with_its_place() -> None:
    source = (
        "a = and count(x, 3) > 1 and tag(x) and d > 2026-13-01 and e in (1 2) or 12x = 1 and x > y"
    )
    assert mistakes(source) == [
        "column 5: expected a text, a number, a date, true or false, found and",
        "column 18: expected days such as 30d, found 3",
        "column 33: expected a name in quotes, found x",
        "column 44: expected a day of the calendar, found 2026-13-01",
        "column 67: expected , or ), found 2",
        "column 73: expected a number, a date such as 2026-11-11 or days such as 30d, found 12x",
        "column 89: expected a text, a number, a date, true or false, found y",
    ]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("", "column 1: expected a field, a function, has, not or (, found the end"),
        ("not not a = 1", "column 5: expected a field, a function, has, not or (, found not"),
        ("(a = 1", "column 7: expected and, or or ), found the end"),
        ("a = 1)", "column 6: expected and, or or the end, found )"),
        ("a == 1", "column 4: expected a text, a number, a date, true or false, found ="),
        (
            'a = "x',
            'column 5: expected a text that ends with ", with a backslash before " and \\ alone',
        ),
        ("a = “北京”", 'column 5: expected a text between " and ", found “北京”'),
        ("a in （1)", "column 6: expected (, found （"),
        ("a ; 1", "column 3: ';' has no meaning here"),
        ("count(x, 0d) = 1", "column 10: expected 1d to 3650d, found 0d"),
        ("days_since(x, 3d) = 1", "column 13: expected ), found ,"),
        (
            "a like 1",
            "column 3: expected = != < <= > >= in, not in, between, contains or starts, found like",
        ),
        ('a = "\0"', "column 5: a text holds no NUL"),
    ],
)
def test_what_was_expected(source: str, said: str) -> None:
    assert mistakes(source)[0].startswith(said)


def test_a_name_with_a_nul_is_no_name_that_anybody_could_ask_for() -> None:
    said = 'segment("a\0b") and tag("\0") and x = "\0c"'
    assert mistakes(said) == [f"column {n}: a text holds no NUL" for n in (9, 24, 37)]
    assert references(said) == ("ab",)


def test_it_is_bounded_in_length_and_depth() -> None:
    deep = limits.DEPTH_MAX
    parsed("(" * deep + "has a" + ")" * deep)
    with pytest.raises(SegmentRefused) as caught:
        parsed("(" * (deep + 1) + "has a" + ")" * (deep + 1))
    [mistake] = caught.value.mistakes
    assert (mistake.code, mistake.column) == (TOO_COMPLEX, deep + 1)
    parsed("has a" + " " * (limits.SOURCE_CHARACTERS_MAX - 5))
    with pytest.raises(SegmentRefused) as caught:
        parsed(" " * limits.SOURCE_CHARACTERS_MAX + "x")
    assert caught.value.mistakes[0].code == TOO_COMPLEX
    assert mistakes("(" * 3_000)
    with pytest.raises(SegmentRefused) as caught:
        parsed(" and ".join(["x"] * 600))
    assert len(caught.value.mistakes) == limits.MISTAKES_MAX
    assert {each.code for each in caught.value.mistakes} == {INVALID}
