"""What a segment selects, held against the oracle on a real PostgreSQL; and what its SQL is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from campaigns.experiments.assignment import bucket
from campaigns.segments.compiling import compiled, counting
from campaigns.segments.mistakes import SegmentRefused
from campaigns.segments.names import AttributeType, Moment, Names, SavedSegment
from storage import sql
from storage.pool import Connection, close_connection, connect
from tests.campaigns.segments import oracle
from tests.campaigns.segments.oracle import SEGMENTS, Said
from tests.campaigns.segments.people import ATTRIBUTES, MOMENT, names, people, store
from tests.conftest import LoopThread, PostgresTarget

PEOPLE = people(90, seed=18)


class Rows:
    """The people in a database, asked from code that is no coroutine."""

    def __init__(self, loop: LoopThread, connection: Connection) -> None:
        self._loop = loop
        self._connection = connection

    def inside(self, source: str, known: Names | None = None) -> set[int]:
        selection = compiled(source, known or names(), MOMENT)
        rows = self._loop.run(self._connection.fetch(selection.sql, *selection.parameters))
        return {row["id"] for row in rows}

    def counts(self, source: str) -> tuple[dict[str, object], tuple[str, ...]]:
        asked = counting(source, names(), MOMENT, sample=5)
        row = self._loop.run(self._connection.fetchrow(asked.sql, *asked.parameters))
        assert row is not None
        return dict(row), asked.lacking


@pytest.fixture
def rows(postgres_target: PostgresTarget, database_url: str) -> Iterator[Rows]:
    loop = postgres_target.loop
    connection = loop.run(connect(database_url, application_name="test"))
    loop.run(store(connection, PEOPLE))
    yield Rows(loop, connection)
    loop.run(close_connection(connection))


def meant(said: Said) -> set[int]:
    return {person.id for person in PEOPLE if said.holds(person)}


@settings(max_examples=250, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=SEGMENTS)
def test_c43_sql_and_oracle_agree_about_everybody(rows: Rows, said: Said) -> None:
    assert rows.inside(said.source) == meant(said)
    counts, _ = rows.counts(said.source)
    assert (counts["contacts"], counts["inside"]) == (len(PEOPLE), len(meant(said)))


def test_c43_a_predicate_about_a_missing_value_is_false(rows: Rows) -> None:
    lacking = {person.id for person in PEOPLE if "city" not in person.attributes}
    everybody = {person.id for person in PEOPLE}
    elsewhere = rows.inside('city != "北京"')
    assert lacking
    assert not elsewhere & lacking
    assert rows.inside('not (city = "北京")') == elsewhere | lacking
    assert rows.inside('city not in ("北京")') == elsewhere
    assert rows.inside('not has city or city = "" or city != ""') == everybody


def test_the_preview_says_who_lacks_what_and_shows_some_of_all_ages(rows: Rows) -> None:
    counts, lacking = rows.counts(
        'age > 3 or days_since(login) > 3 or city = "x" or not (level = 77)'
    )
    assert lacking == ("birthday", "days_since(login)", "city", "level")
    for place, name in enumerate(("birthday", None, "city", "level")):
        lacks = [person for person in PEOPLE if name not in person.attributes]
        if name is None:
            lacks = [each for each in PEOPLE if not oracle.counted(each, "login", None)]
        assert counts[f"lack_{place}"] == len(lacks)
    sample = counts["sample"]
    assert isinstance(sample, list)
    assert len(set(sample)) == 5
    assert max(sample) - min(sample) > len(PEOPLE) / 2
    nobody, _ = rows.counts('city = "nowhere"')
    assert (nobody["inside"], nobody["sample"]) == (0, [])


def test_a_value_of_another_type_than_the_attribute_is_missing(
    rows: Rows, postgres_target: PostgresTarget
) -> None:
    """A statement over a million contacts must not fail for one of them."""
    odd = names()
    kinds: dict[str, AttributeType] = {
        **dict.fromkeys(ATTRIBUTES, "number"), "level": "set", "balance": "bool",
    }  # fmt: skip
    for source in ("city > 0", "vip = 1", "likes > 0", 'level contains "x"', "balance = true"):
        assert rows.inside(source, Names(account=1, attributes=kinds)) == set()
    text = Names(account=1, attributes={**odd.attributes, "city": "date", "level": "instant"})
    assert rows.inside("days_until(city) < 7 and level > 2026-01-01", text) == set()


def test_c39_a_circle_is_refused_and_a_diamond_is_not(rows: Rows) -> None:
    left = SavedSegment(1, 'segment("base") and vip = true')
    right = SavedSegment(2, 'segment("base") and has city')
    diamond = names(base=SavedSegment(3, "level >= 1"), left=left, right=right)
    found = rows.inside('segment("left") or segment("right")', diamond)
    assert found == rows.inside("level >= 1 and (vip = true or has city)")
    assert found
    circle = names(a=SavedSegment(1, 'segment("b")'), b=SavedSegment(2, 'not segment("a")'))
    with pytest.raises(SegmentRefused, match="a -> b -> a"):
        compiled('vip = true or segment("a")', circle, MOMENT)


def test_c40_a_relative_date_moves_with_the_day_that_is_asked_about() -> None:
    later = Moment.at(MOMENT.now + timedelta(days=1), MOMENT.zone)
    for source in (
        "days_until(expires) = 0",
        "age >= 18",
        "days_until(birthday) < 3",
        "days_since(login) > 9",
    ):
        assert compiled(source, names(), MOMENT).sql == compiled(source, names(), later).sql
        was, moved = (compiled(source, names(), at).parameters for at in (MOMENT, later))
        assert was != moved
        assert was == compiled(source, names(), MOMENT).parameters


def test_today_is_the_accounts_own_day() -> None:
    assert MOMENT.today == date(2027, 2, 28)
    assert Moment.at(MOMENT.now, "America/New_York").today == date(2027, 2, 27)
    moment = Moment.at(datetime(2026, 3, 29, 12, tzinfo=UTC), "Europe/Berlin")
    compared = compiled("seen = 2026-03-29", names(), moment).parameters
    assert compared[-2:] == ("2026-03-28T23:00:00.000Z", "2026-03-29T22:00:00.000Z")


# Everything that a statement may be made of beside the pieces: places of parameters and names.
PLACES = re.compile(r"\$\d+|\btable_\d+|\black_\d+")
MARKED = "zqzq"
PIECES = " ".join(text for name, text in sql.load("campaigns").items() if name.startswith("piece_"))
WORD = re.compile(r"[^\s(),]+")
WORDS = set(WORD.findall(re.sub(r"\{\w+\}", " ", PIECES)))


@settings(max_examples=300)
@given(
    st.one_of(
        st.text(max_size=60),
        st.lists(
            st.sampled_from(
                [
                    "and", "or", "not", "(", ")", ",", "=", "city", "level", "in", '"zqzq', '"',
                    "'; DROP TABLE contact --", 'tag("VIP")', "count(", "zqzq", "30d", "2026-02-31",
                    "$1", "::text", "\\", "\0", "between", "1e9", "has", 'segment("picked")',
                    "source(", "）",
                ]
            ),
            max_size=14,
        ).map(" ".join),
    )
)  # fmt: skip
@example('city = "zqzq\' OR 1=1 --"')
def test_c38_a_source_is_compiled_or_refused_and_never_in_the_sql(source: str) -> None:
    try:
        selection = compiled(source, names(), MOMENT)
    except SegmentRefused as refused:
        assert refused.mistakes
        assert all(1 <= each.column <= len(source) + 1 for each in refused.mistakes)
        return
    assert MARKED not in selection.sql
    assert_fixed(selection.sql)


@settings(max_examples=150)
@given(said=SEGMENTS)
def test_c38_no_name_and_no_literal_stands_in_the_sql(said: Said) -> None:
    """All of it is pieces: without them and the places of parameters nothing is left."""
    selection = compiled(said.source, names(), MOMENT)
    for word in (
        "北京",
        "城市",
        "city",
        "balance",
        "login",
        "cmp_1",
        "VIP",
        "shop",
        "1957",
        "2027",
    ):
        assert word not in selection.sql
    assert_fixed(selection.sql)
    places = [int(place[1:]) for place in re.findall(r"\$\d+", selection.sql)]
    assert set(places) == set(range(1, len(selection.parameters) + 1))


def assert_fixed(statement: str) -> None:
    """Every word of it is a word of the pieces."""
    words = set(WORD.findall(PLACES.sub(" ", statement)))
    assert words <= WORDS, words - WORDS


def test_the_parameters_of_a_segment_go_behind_those_of_a_larger_statement(rows: Rows) -> None:
    first, later = (compiled('city = "x"', names(), MOMENT, after=after) for after in (0, 7))
    assert first.parameters == later.parameters
    assert "$8" in later.sql
    assert not re.search(r"\$[1-7]\b", later.sql)
    assert later.sql.replace("$8", "$1").replace("$9", "$2").replace("$10", "$3") == first.sql


def test_a_bucket_of_a_segment_is_that_of_experiments(rows: Rows) -> None:
    for limit in (500, 5_000, 9_500):
        chosen = {each.id for each in PEOPLE if bucket("cmp_1", each.id) < limit}
        assert rows.inside(f'bucket("cmp_1") < {limit}') == chosen
