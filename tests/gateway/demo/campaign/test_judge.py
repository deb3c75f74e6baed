"""The judges of a rehearsed campaign: they agree with what happened, and find what is planted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.experiments.power import per_arm
from gateway.demo.campaign import told, win_back
from gateway.demo.campaign.cast import STEP_NAMES, Cast, Habits, Handset, Role
from gateway.demo.campaign.judge import compared
from gateway.demo.campaign.letters import Letter, letters
from gateway.demo.campaign.truth import ARMS, Figures, Truth, figures, never, truth_of
from gateway.demo.campaign.visits import kept, visits
from gateway.demo.campaign.win_back import MARKS, SECOND_TOUCH, WIN_BACK, text_of
from gateway.rehearsal.phones import PERSON
from shortlinks.classify import ClickClass, RequestFacts, classify
from smpp.simulator.ledger import LedgerLine

BUSY = Habits(off=0.2, preview=0.5, taps=(0.4, 0.6), opts_out=0.2, complains=0.1)
CROWD = Cast(people=200, seed=5, habits=BUSY)


def line(cast: Cast, place: int, text: int, *, status: int = 0) -> LedgerLine:
    words = f"【某某商城】王女士{MARKS[text]},纸品 http://127.0.0.1:8081/{place:08d} 拒收请回复R"
    to = cast.number(place).removeprefix("+")
    octets = words.encode("utf-16-be").hex()
    return LedgerLine(place, 0.0, "simulator", win_back.SENDER, to, status, "1", 8, octets)


def ledger(cast: Cast) -> list[LedgerLine]:
    """The first touch as it should be, an arm each in turn."""
    return [line(cast, place, place % 2) for place in range(cast.people)]


def truth(cast: Cast, lines: Iterable[LedgerLine]) -> Truth:
    return truth_of(letters(lines, cast), cast)


def second(cast: Cast) -> Iterator[LedgerLine]:
    for place in range(cast.people):
        does = cast.behaviour(place, place % 2)
        if not does.out and not does.done:
            yield line(cast, place, SECOND_TOUCH)


def harm(cast: Cast, lines: list[LedgerLine]) -> dict[str, int | str]:
    """What differs of what must not happen."""
    found = truth(cast, lines)
    planned = figures(found, cast)["second touch: planned"]
    assert isinstance(planned, int)
    must, did = never(found, planned)
    return {each.what: did[each.what] for each in compared(must, did) if not each.ok}


@pytest.mark.parametrize("cast", [WIN_BACK, CROWD], ids=["thirty", "crowd"])
def test_what_went_well_is_found_well(cast: Cast) -> None:
    assert harm(cast, [*ledger(cast), *second(cast)]) == {}


def test_a_lost_message_is_found() -> None:
    lines = [*ledger(CROWD), *second(CROWD)]
    del lines[3]
    assert harm(CROWD, lines)["never texted"] == 1


def test_a_refused_message_is_no_message() -> None:
    lines = [*ledger(WIN_BACK), *second(WIN_BACK)]
    lines[3] = line(WIN_BACK, 3, 1, status=88)
    assert harm(WIN_BACK, lines)["never texted"] == 1


def test_who_is_texted_twice_is_found_and_counted_once() -> None:
    lines = [*ledger(CROWD), *second(CROWD)]
    assert harm(CROWD, [*lines, line(CROWD, 8, 0)]) == {"texted twice": 1}
    assert figures(truth(CROWD, [*lines, line(CROWD, 8, 1)]), CROWD) == figures(
        truth(CROWD, lines), CROWD
    )


def test_who_was_not_meant_is_found() -> None:
    lines = [*ledger(CROWD), *second(CROWD)]
    staff = next(n for n in range(CROWD.rows) if CROWD.role(n) is Role.STAFF)
    assert harm(CROWD, [*lines, line(CROWD, staff, 0)]) == {"texted, and not meant": 1}


def test_who_is_texted_after_an_opt_out_is_found() -> None:
    lines = [*ledger(WIN_BACK), *second(WIN_BACK), line(WIN_BACK, 27, SECOND_TOUCH)]
    assert harm(WIN_BACK, lines) == {"texted after an opt-out": 1, "second touch: texted": 26}


def test_tests_are_nobodys_letters() -> None:
    test = line(WIN_BACK, 0, 0)
    stranger = LedgerLine(
        1, 0.0, "simulator", "1069", win_back.TEST_NUMBER[1:], 0, "1", 8, test.short_message
    )
    assert list(letters([stranger, test], WIN_BACK)) == [
        Letter(0, 0, 0, "http://127.0.0.1:8081/00000000", test.destination, win_back.SENDER)
    ]


def answers(cast: Cast, happened: Truth) -> tuple[dict[str, object], list[dict[str, object]]]:
    """The report and the clicks as a gateway that is right tells them."""
    arms = [
        {"arm": n, "counts": {"sent": a.sent, "delivered": a.delivered, "clicked": a.clicked}}
        for n, a in enumerate(happened.arms)
    ]
    share = happened.requests, happened.taps, happened.conversions
    groups: list[dict[str, object]] = [
        {
            "key": {"campaign": "cmp_1", "variant": str(n)},
            "counts": dict(
                zip(
                    ("clicks", "human_clicks", "conversions"),
                    share if n == 0 else (0, 0, 0),
                    strict=True,
                )
            ),
            "steps": [{"event": "x", "people": people} for people in a.steps],
            "revenue": {"CNY": f"{happened.revenue}.00"} if n == 0 else {},
        }
        for n, a in enumerate(happened.arms)
    ]
    return {"arms": arms, "total": {}}, groups


def report_of(cast: Cast, happened: Truth) -> Figures:
    wanted = figures(happened, cast)
    report, groups = answers(cast, happened)
    read = told.of_report(report) | told.of_clicks(groups)
    return {**wanted, **read}


def test_what_the_gateway_tells_is_read_under_the_names_of_the_truth() -> None:
    happened = truth(CROWD, ledger(CROWD))
    wanted = figures(happened, CROWD)
    report, groups = answers(CROWD, happened)
    read = told.of_report(report) | told.of_clicks(groups)
    assert read.items() <= wanted.items() and len(read) == 3 * 2 + 4 * 2 + 4
    assert all(each.ok for each in compared(wanted, report_of(CROWD, happened)))


@given(st.data())
def test_whatever_figure_is_wrong_is_named(data: st.DataObject) -> None:
    happened = truth(CROWD, ledger(CROWD))
    wanted = figures(happened, CROWD)
    planted = data.draw(st.sampled_from(sorted(wanted)))
    report = {**wanted, planted: "another"}
    if data.draw(st.booleans()):
        del report[planted]
    assert [each.what for each in compared(wanted, report) if not each.ok] == [planted]


def test_a_doubled_click_is_named() -> None:
    happened = truth(WIN_BACK, ledger(WIN_BACK))
    _, groups = answers(WIN_BACK, happened)
    counts = groups[0]["counts"]
    assert isinstance(counts, dict)
    counts["human_clicks"] += 1
    counts["clicks"] += 1
    lines = compared(
        figures(happened, WIN_BACK), {**figures(happened, WIN_BACK), **told.of_clicks(groups)}
    )
    assert {each.what for each in lines if not each.ok} == {
        "requests for links", "of them by people",
    }  # fmt: skip


def test_the_truth_of_the_thirty() -> None:
    happened = truth(WIN_BACK, ledger(WIN_BACK))
    assert sum(arm.sent for arm in happened.arms) == 30
    steps = [sum(arm.steps[place] for arm in happened.arms) for place in range(len(STEP_NAMES))]
    assert steps == [3, 2, 2, 1]
    assert (happened.taps, happened.requests, happened.replied) == (6, 10, 2)
    assert happened.out_in_second == 2


@given(st.integers(0, 99_999), st.integers(0, 1))
def test_a_person_is_taken_for_one_and_a_machine_for_none(place: int, arm: int) -> None:
    does = CROWD.behaviour(place % CROWD.people, arm)
    made = visits("http://127.0.0.1/x", place, does)
    for visit in made:
        headers = visit.headers
        facts = RequestFacts(headers.get("Accept", ""), headers.get("Accept-Language", ""))
        judged, _ = classify(visit.method, facts, headers["User-Agent"])
        assert (judged is ClickClass.HUMAN) == (visit.who == PERSON)
    assert sum(visit.who == PERSON for visit in made) == does.taps
    assert kept(does) == sum(visit.method == "GET" for visit in made)


def test_a_text_is_known_by_its_words() -> None:
    bodies = [win_back.template(text, "https://shop.example/")["body"] for text in range(3)]
    assert [text_of(str(body)) for body in bodies] == [0, 1, 2]
    assert text_of("Your code is 1234") is None


def test_c56_a_report_that_praises_a_text_after_thirty_people_is_found() -> None:
    """C56."""
    happened = truth(WIN_BACK, ledger(WIN_BACK))
    wanted = figures(happened, WIN_BACK)
    right = told.of_experiment({"experiment": {"words": "too few to say"}})
    wrong = told.of_experiment({"experiment": {"words": "arm 1 is better"}})
    assert all(each.ok for each in compared(wanted, {**wanted, **right}))
    differing = [each.what for each in compared(wanted, {**wanted, **wrong}) if not each.ok]
    assert differing == ["the better text"]
    assert figures(happened, Cast(people=100_000))["the better text"] == "arm 1 is better"


@given(st.integers(2, 180_000))
def test_whoever_is_many_enough_has_a_test_that_shows_the_difference(people: int) -> None:
    share = win_back.test_share(people)
    assert 0 < share <= 1
    if people >= win_back.TEST_FROM:
        needed = per_arm(Habits().taps[0], Habits().taps[1])
        assert people * share / len(ARMS) > 3 * needed


def test_handsets_that_are_off_do_nothing() -> None:
    off = Cast(people=50, seed=1, habits=Habits(off=1.0))
    happened = truth(off, ledger(off))
    assert sum(arm.sent for arm in happened.arms) == 50
    assert sum(arm.delivered for arm in happened.arms) == happened.requests == 0
    assert {off.behaviour(place, 0).handset for place in range(50)} == {
        Handset.OFF, Handset.TOO_LONG_OFF,
    }  # fmt: skip
