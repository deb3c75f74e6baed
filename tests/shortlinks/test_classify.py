"""Who clicked: the corpus of user agents, the header signals, no machine taken for a person."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlinks.classify import ClickClass, RequestFacts, classify
from tests.shortlinks.agents import CORPUS, HUMAN

BROWSER = RequestFacts(accept="text/html,application/xhtml+xml,*/*;q=0.8", accept_language="zh-CN")

TEXT = st.text(max_size=60)
FACTS = st.builds(
    RequestFacts,
    accept=st.sampled_from(["", "*/*", "text/html"]) | TEXT,
    accept_language=st.sampled_from(["", "zh-CN"]) | TEXT,
    sec_purpose=st.sampled_from(["", "prefetch;prerender"]) | TEXT,
    purpose=st.sampled_from(["", "prefetch"]) | TEXT,
    x_moz=st.sampled_from(["", "prefetch"]) | TEXT,
)
AGENT = st.sampled_from([agent for agent, _ in CORPUS]) | TEXT


@pytest.mark.parametrize(("agent", "expected"), CORPUS)
def test_corpus(agent: str, expected: ClickClass) -> None:
    click_class, reasons = classify("GET", BROWSER, agent)
    assert click_class is expected
    assert bool(reasons) == (expected is not ClickClass.HUMAN)


@pytest.mark.parametrize(
    "facts",
    [
        RequestFacts("text/html", "en", sec_purpose="prefetch;prerender"),
        RequestFacts("text/html", "en", sec_purpose="prefetch;anonymous-client-ip"),
        RequestFacts("text/html", "en", purpose="prefetch"),
        RequestFacts("text/html", "en", x_moz="prefetch"),
    ],
)
def test_a_browser_that_loads_in_advance_is_a_prefetch(facts: RequestFacts) -> None:
    assert classify("GET", facts, HUMAN[0]) == (ClickClass.PREFETCH, ["prefetch_header"])


def test_browser_agent_without_browser_headers_is_unknown() -> None:
    for accept in ("", "*/*"):
        verdict = classify("GET", RequestFacts(accept=accept), HUMAN[0])
        assert verdict == (ClickClass.UNKNOWN, ["headers_not_a_browser"])
    # One of the two alone is not enough: privacy browsers drop Accept-Language.
    assert classify("GET", RequestFacts(accept="text/html"), HUMAN[0])[0] is ClickClass.HUMAN
    facts = RequestFacts(accept="*/*", accept_language="en")
    assert classify("GET", facts, HUMAN[0])[0] is ClickClass.HUMAN


def test_a_machine_that_names_itself_keeps_its_class_and_all_reasons() -> None:
    verdict = classify("HEAD", RequestFacts(accept="*/*", purpose="prefetch"), "GoogleMessages")
    assert verdict == (
        ClickClass.PREVIEW,
        ["ua_preview", "prefetch_header", "method_head", "headers_not_a_browser"],
    )


@given(FACTS, AGENT)
def test_head_is_never_a_person(facts: RequestFacts, agent: str) -> None:
    assert classify("HEAD", facts, agent)[0] is not ClickClass.HUMAN


@given(st.sampled_from(["GET", "HEAD"]), FACTS, AGENT)
def test_a_further_machine_signal_never_makes_a_person(
    method: str, facts: RequestFacts, agent: str
) -> None:
    before = set(classify(method, facts, agent)[1])
    stronger = RequestFacts(accept="*/*", sec_purpose="prefetch")
    click_class, reasons = classify("HEAD", stronger, agent)
    assert click_class is not ClickClass.HUMAN
    assert before <= set(reasons)
    assert (classify(method, facts, agent)[0] is ClickClass.HUMAN) == (not before)
