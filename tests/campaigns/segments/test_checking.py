"""The meaning of segments: types, names, references and the bounds of the whole."""

from __future__ import annotations

import pytest

from campaigns.segments import checking, limits
from campaigns.segments.checking import checked, references
from campaigns.segments.mistakes import TOO_COMPLEX, SegmentRefused
from campaigns.segments.names import Names, SavedSegment
from campaigns.segments.parser import parsed
from campaigns.segments.tree import Node
from campaigns.segments.typed import Condition, Member, Until
from tests.campaigns.segments.people import names


def refused(source: str, known: Names | None = None) -> SegmentRefused:
    with pytest.raises(SegmentRefused) as caught:
        checked(source, known or names())
    return caught.value


def told(source: str, known: Names | None = None) -> list[str]:
    return [str(mistake) for mistake in refused(source, known).mistakes]


def condition(source: str) -> Condition:
    found = checked(source, names())
    assert isinstance(found, Condition)
    return found


def test_every_mismatch_is_told_with_its_column() -> None:
    assert told(
        'city = 1 and level > "x" and vip < true and likes = "a" and citi = 3 and tag("VIB")'
        " and days_until(city) = 1 and seen = true and city < 2 and level between 3 and 1"
    ) == [
        "column 8: expected a text in quotes, found a number",
        "column 22: expected a number, found a text",
        "column 30: bool takes =, !=, found <",
        "column 45: set takes contains, found =",
        "column 61: expected an attribute of the account, found citi; is it city?",
        "column 74: expected a tag of the account, found VIB; is it VIP?",
        "column 100: expected a date or an instant, found text city",
        "column 121: expected a date such as 2026-11-11, found a bool",
        "column 130: text takes =, !=, in, not in, contains, starts, found <",
        "column 157: expected the lower end of `between` first",
    ]


def test_mistakes_of_form_and_of_meaning_are_told_together() -> None:
    assert told('citi = "x" and count(login, 3) = 1 or (level >= "2" and has') == [
        "column 1: expected an attribute of the account, found citi; is it city?",
        "column 29: expected days such as 30d, found 3",
        "column 49: expected a number, found a text",
        "column 60: expected the name of a field, found the end",
    ]


def test_money_is_counted_in_millionths_and_may_be_written_bare() -> None:
    for source in ("balance = 20", "balance = 20.00", "balance = money 20.000000"):
        assert condition(source).operands == (20_000_000,)
    assert "at most six decimals" in told("balance = 0.0000001")[0]
    assert told("level = money 20.00") == ["column 9: expected a number, found a money"]


def test_age_needs_a_birthday_and_only_a_birthday_comes_every_year() -> None:
    assert condition("age > 3").type == "number"
    assert "birthday" in told("age > 3", Names(account=1, attributes={"birthday": "text"}))[0]
    yearly = [
        condition(f"days_until({name}) = 1").value for name in ("birthday", "expires", "seen")
    ]
    assert [isinstance(each, Until) and each.yearly for each in yearly] == [True, False, False]


def test_c39_a_segment_leads_back_to_itself_neither_directly_nor_over_others() -> None:
    itself = Names(account=1, segments={"a": SavedSegment(1, "has x")}, itself="a")
    assert told('segment("a")', itself) == ["column 1: it would refer to itself: a -> a"]
    over = names(b=SavedSegment(2, 'vip = true or segment("c")'), c=SavedSegment(3, 'segment("b")'))
    assert told('has city or segment("c")', over) == [
        'column 13: in segment("b"), column 15: it would refer to itself: c -> b -> c'
    ]


def test_c39_references_are_five_deep_whichever_way_is_looked_at_first() -> None:
    chain = {f"s{n}": SavedSegment(n, f'segment("s{n + 1}")') for n in range(1, 6)}
    known = names(**chain, s6=SavedSegment(6, "has city"))
    checked('segment("s2")', known)
    for source in (
        'segment("s1")',
        'segment("s2") or segment("s1")',
        'segment("s1") or segment("s2")',
    ):
        assert {each.code for each in refused(source, known).mistakes} == {TOO_COMPLEX}
    assert checked('segment("picked")', known) == Member(77)


def test_c39_what_is_shared_is_looked_at_once_and_counts_wherever_it_stands() -> None:
    """Forty of forty of forty: 64 000 predicates, of which none is written out."""
    forty = {
        f"d{n}": SavedSegment(n, " or ".join([f'segment("d{n + 1}")'] * 40)) for n in range(1, 4)
    }
    known = names(**forty, d4=SavedSegment(4, "has city"))
    [mistake] = refused('segment("d1")', known).mistakes
    assert (mistake.code, "found 65641" in mistake.detail) == (TOO_COMPLEX, True)


def test_what_is_wrong_in_another_segment_is_told_at_the_reference() -> None:
    known = names(bad=SavedSegment(1, "zz = 1"), worse=SavedSegment(2, "has city and"))
    assert told('vip = true and segment("bad") or segment("worse") or segment("gone")', known) == [
        'column 16: in segment("bad"), column 1: expected an attribute of the account, found zz',
        'column 34: in segment("worse"), column 13: '
        "expected a field, a function, has, not or (, found the end",
        "column 54: expected a segment of the account, found gone",
    ]


def test_the_whole_is_bounded() -> None:
    def codes(source: str) -> set[str]:
        return {mistake.code for mistake in refused(source).mistakes}

    many = " or ".join(["vip = true"] * (limits.NODES_MAX - 1))
    checked(many, names())
    assert codes(f"{many} or has city") == {TOO_COMPLEX}
    values = ",".join(["1"] * limits.LIST_VALUES_MAX)
    checked(f"level in ({values})", names())
    assert codes(f"level in ({values},1)") == {TOO_COMPLEX}
    events = " or ".join(["count(login) = 1"] * limits.EVENT_PREDICATES_MAX)
    checked(events, names())
    assert codes(f"{events} or days_since(x) > 1") == {TOO_COMPLEX}


def test_what_is_referred_to_is_read_no_further_than_the_whole_may_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two hundred segments of a hundred predicates each: behind two it is too much."""
    hundred = " or ".join(["has city"] * 99)
    listing = f"level in ({','.join(['1'] * 600)})"
    looked_at: list[str] = []

    def counted(source: str) -> Node:
        looked_at.append(source)
        return parsed(source)

    monkeypatch.setattr(checking, "parsed", counted)
    for source, most in ((hundred, 2), (listing, 2)):
        known = names(**{f"s{n}": SavedSegment(n, source) for n in range(200)})
        asked = " or ".join(f'segment("s{n}")' for n in range(200))
        looked_at.clear()
        [mistake] = refused(asked, known).mistakes
        assert (mistake.code, len(looked_at)) == (TOO_COMPLEX, most)


def test_references_are_named_once() -> None:
    assert references('segment("b") or not (segment("a") and segment("b"))') == ("b", "a")


def test_only_a_few_names_are_compared_for_a_hint() -> None:
    likely = dict.fromkeys((f"t{each}" for each in range(300)), 1)
    known = Names(account=1, tags=likely, attributes={"city": "text"})
    assert "is it" not in told('tag("tt1")', known)[0]
    hints = [each for each in told(" or ".join(["has citi"] * 9), known) if "is it" in each]
    assert len(hints) == 5
