"""Routing: which rule decides, in which order its connectors are tried, and how shares fall."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.routes.routing import Decision, Leg, Route, RouteTable, route
from gateway.config import load_config
from gateway.wiring.routes import routes_of
from storage.categories import Category
from storage.names import NO_CONNECTOR

A, B, C = Leg("a"), Leg("b"), Leg("c")
EVERYTHING = Route(via=(A, B))


def decide(
    *routes: Route,
    to: str = "+8613812345678",
    sender: str = "SHOP",
    category: int = Category.OTP,
    account: str = "shop",
    tags: tuple[str, ...] = (),
    down: frozenset[str] = frozenset(),
) -> Decision:
    """The decision for one message."""
    return route(to, sender, category, account, tags, routes=routes, down=down)


def test_a_route_without_criteria_takes_everything_in_order() -> None:
    decision = decide(EVERYTHING)
    assert decision.connectors == ("a", "b")
    assert decision.reason == "routes[0]"


@pytest.mark.parametrize(
    ("rule", "taken"),
    [
        (Route(prefixes=("+1", "+86"), via=(A,)), True),
        (Route(prefixes=("+861",), via=(A,)), True),
        (Route(prefixes=("+1", "+852"), via=(A,)), False),
        (Route(senders=frozenset({"SHOP"}), via=(A,)), True),
        (Route(senders=frozenset({"BANK"}), via=(A,)), False),
        (Route(categories=frozenset({0, 1}), via=(A,)), True),
        (Route(categories=frozenset({3}), via=(A,)), False),
        (Route(accounts=frozenset({"shop"}), via=(A,)), True),
        (Route(accounts=frozenset({"bank"}), via=(A,)), False),
        (Route(tags=frozenset({"vip", "new"}), via=(A,)), True),
        (Route(tags=frozenset({"old"}), via=(A,)), False),
        (Route(prefixes=("+86",), senders=frozenset({"BANK"}), via=(A,)), False),
        (Route(prefixes=("+86",), categories=frozenset({0}), via=(A,)), True),
    ],
)
def test_every_criterion_must_match_each_by_any_of_its_values(rule: Route, taken: bool) -> None:
    assert (decide(rule, tags=("vip", "x")).route == 0) is taken


def test_the_first_route_that_matches_decides() -> None:
    special = Route(prefixes=("+86",), via=(C,))
    assert decide(special, EVERYTHING).connectors == ("c",)
    assert decide(EVERYTHING, special).connectors == ("a", "b")
    assert decide(special, EVERYTHING, to="+12025550123").route == 1


def test_without_a_match_there_is_no_connector_and_the_reason_says_so() -> None:
    decision = decide(Route(prefixes=("+1",), via=(A,)))
    assert decision == Decision((), None)
    assert decision.reason == "no route matches"


def test_a_connector_that_is_down_is_tried_last() -> None:
    decision = decide(EVERYTHING, down=frozenset({"a"}))
    assert decision.connectors == ("b", "a")
    assert decision.reason == "routes[0]; down: a"


def test_a_route_all_down_keeps_its_messages_rather_than_pass_them_on() -> None:
    decision = decide(EVERYTHING, Route(via=(C,)), down=frozenset({"a", "b"}))
    assert decision.connectors == ("a", "b")
    assert decision.reason == "routes[0]; down: a, b; waits for a"


SHARED = Route(via=(Leg("a", 70), Leg("b", 20), Leg("c", 10)))
NUMBERS = [f"+86138{n:08d}" for n in range(6000)]


def first_choices(down: frozenset[str] = frozenset()) -> list[str]:
    return [decide(SHARED, to=number, down=down).connectors[0] for number in NUMBERS]


def test_shares_follow_the_weights() -> None:
    shares = Counter(first_choices())
    # Five standard deviations of a binomial: chance has no seat, the hash is fixed.
    for name, weight in (("a", 0.7), ("b", 0.2), ("c", 0.1)):
        expected = weight * len(NUMBERS)
        assert abs(shares[name] - expected) < 5 * (expected * (1 - weight)) ** 0.5


def test_a_number_keeps_its_way_and_only_the_numbers_of_a_lost_connector_move() -> None:
    before, after = first_choices(), first_choices(frozenset({"a"}))
    assert before == first_choices()
    assert all(new == old for old, new in zip(before, after, strict=True) if old != "a")
    moved = Counter(new for old, new in zip(before, after, strict=True) if old == "a")
    assert moved.keys() == {"b", "c"}
    assert 1.5 < moved["b"] / moved["c"] < 2.7, "by the weights that are left, 20 to 10"


def test_a_share_says_so_in_its_reason() -> None:
    assert decide(SHARED).reason == "routes[0]; share of this number"
    assert decide(Route(via=(Leg("a", 5),))).reason == "routes[0]"


@given(
    st.text(max_size=16),
    st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 1000)), min_size=1, max_size=6,
             unique_by=lambda leg: leg[0]),
    st.frozensets(st.sampled_from("abcdefg")),
)  # fmt: skip
def test_every_connector_of_the_route_is_named_once_up_before_down(
    to: str, legs: list[tuple[str, int]], down: frozenset[str]
) -> None:
    weighted = all(weight for _, weight in legs)
    via = tuple(Leg(name, weight if weighted else 0) for name, weight in legs)
    decision = decide(Route(via=via), to=to, down=down)
    assert sorted(decision.connectors) == sorted(name for name, _ in legs)
    health = [name in down for name in decision.connectors]
    assert health == sorted(health)
    assert set(decision.down) == {name for name, _ in legs} & down


def test_a_table_answers_with_numbers_and_reads_health_at_each_decision() -> None:
    down: set[str] = set()
    table = RouteTable([Route(prefixes=("+86",), via=(A, B))], {"a": 7, "b": 8}, down)
    question = ("+8613812345678", "", 0, "shop", ())
    assert table.first(*question) == 7
    down.add("a")
    assert table.first(*question) == 8
    assert table.first("+12025550123", "", 0, "shop", ()) == NO_CONNECTOR


def test_the_shipped_example_routes_as_it_says() -> None:
    config = load_config(Path(__file__).parents[3] / "smsgate.example.toml", {})
    rules = routes_of(config.routes)
    assert decide(*rules, category=Category.MARKETING).route == 0
    assert decide(*rules, category=Category.MARKETING).shared
    assert decide(*rules, category=Category.OTP).connectors == ("carrier-b", "carrier-a")
    assert decide(*rules, category=Category.SERVICE).connectors == ("carrier-a", "carrier-b")
    assert decide(*rules, category=Category.MARKETING, to="+12025550123").route == 2
