"""Signals outside the request: a message's way, and many messages opened alike at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from shortlinks.classify import ClickClass, RequestFacts, classify_user_agent
from shortlinks.judging import AT_DELIVERY_MS, MINUTE_MS, Delivery, Evidence, verdict
from tests.shortlinks.agents import HUMAN

BROWSER = RequestFacts("text/html", "zh-CN")
NOON = 1_800_000_000_000  # a full minute
SENT, DONE, TOLD = NOON + 1_000, NOON + 5_500, NOON + 7_000
PERSON = Evidence(
    NOON + 60_000,
    "GET",
    BROWSER,
    classify_user_agent(HUMAN[0]),
    agent_kept=True,
    reasons=frozenset(),
)
WAY = Delivery(SENT, DONE, TOLD)
MOMENTS = st.none() | st.integers(NOON - 100_000, NOON + 200_000)


@pytest.mark.parametrize(
    ("at", "way", "expected"),
    [
        (SENT - 1_500, WAY, (ClickClass.SCANNER, ["before_sent"])),
        (SENT - 500, WAY, (ClickClass.SCANNER, ["before_delivered"])),  # clocks may differ so far
        (DONE - 1_500, WAY, (ClickClass.SCANNER, ["before_delivered"])),
        (DONE + 1_900, WAY, (ClickClass.PREVIEW, ["at_delivery"])),
        (DONE + AT_DELIVERY_MS + 1, WAY, (ClickClass.HUMAN, [])),
        # The carrier says the minute alone: any second of it may be meant.
        (NOON + 3_000, Delivery(NOON - 9_000, NOON, NOON + 30_000), (ClickClass.HUMAN, [])),
        # Its clock is ahead by minutes: it was not later than its receipt.
        (TOLD + 4_000, Delivery(SENT, DONE + 3 * MINUTE_MS, TOLD), (ClickClass.HUMAN, [])),
        # Nothing is known of a delivery.
        (SENT + 500, Delivery(SENT), (ClickClass.HUMAN, [])),
        (SENT - 60_000, Delivery(), (ClickClass.HUMAN, [])),
    ],
)
def test_nobody_opens_what_they_do_not_have(
    at: int, way: Delivery, expected: tuple[ClickClass, list[str]]
) -> None:
    assert verdict(replace(PERSON, at=at, delivery=way)) == expected


def test_many_messages_opened_alike_at_once_are_a_scanners() -> None:
    assert verdict(replace(PERSON, burst=True)) == (ClickClass.SCANNER, ["burst"])


def test_a_machine_that_names_itself_keeps_its_class_whenever_it_comes() -> None:
    agent = classify_user_agent("GoogleMessages")
    assert verdict(replace(PERSON, at=SENT - 9_000, agent=agent, delivery=WAY)) == (
        ClickClass.PREVIEW,
        ["ua_preview", "before_sent"],
    )


def test_what_was_not_kept_is_believed_as_it_was_judged() -> None:
    old = replace(PERSON, facts=None, reasons=frozenset(["prefetch_header"]))
    assert verdict(old) == (ClickClass.PREFETCH, ["prefetch_header"])
    gone = replace(PERSON, agent_kept=False, reasons=frozenset(["burst"]))
    assert verdict(gone) == (ClickClass.SCANNER, ["burst"])
    # While the user agent is there, bursts are counted anew.
    assert verdict(replace(gone, agent_kept=True)) == (ClickClass.HUMAN, [])


@given(at=st.integers(NOON - 100_000, NOON + 200_000), ways=st.tuples(MOMENTS, MOMENTS, MOMENTS))
def test_what_is_known_of_a_way_never_makes_a_person_of_a_machine(
    at: int, ways: tuple[int | None, int | None, int | None]
) -> None:
    machine = replace(PERSON, at=at, agent=classify_user_agent("curl/8.5"))
    assert verdict(replace(machine, delivery=Delivery(*ways)))[0] is ClickClass.SCANNER
    click_class, reasons = verdict(replace(PERSON, at=at, delivery=Delivery(*ways)))
    assert (click_class is ClickClass.HUMAN) == (not reasons)
