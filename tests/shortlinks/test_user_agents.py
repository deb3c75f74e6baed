"""What a user agent says, measured on what others met, and where a program's name may stand."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlinks.classify import ClickClass, RequestFacts, classify, classify_user_agent
from tests.shortlinks.agents import HUMAN

DATA = Path(__file__).with_name("data")
MACHINES = tuple((DATA / "machines.txt").read_text(encoding="utf-8").splitlines())
BROWSERS = tuple((DATA / "browsers.txt").read_text(encoding="utf-8").splitlines())
BROWSER = RequestFacts(accept="text/html,application/xhtml+xml,*/*;q=0.8", accept_language="en")

# By what tells them: names that say nothing of a machine, so that any app could bear them.
MISSED = (
    "Chrome/62.0.3202.75 Safari/537.36 DareBoost",
    "Mozilla/5.0 (Java) outbrain",
    "(X11; Datanyze; Linux x86_64)",
    "newsai/1.0",
    "Firefox/60.0 Collapsify",
    "CookieHubVerify/3.0",
    "Safari/537.36 Hardenize",
    "Manus-User/1.0",
    "Safari/537.36 Silktide",
    "Sindup/1.0.0",
    "TSM-turingos-1253296984",
    "Dlc/2.0.1",
    "Hotjar Version/11.0",
    "Safari/537.36 LinkTiger",
    "MarketGoo/2.1",
    "MonitoRSS/1.0",
    "Readable/1.1.4",
    "splash Version/10.0",
    "(X11; Linux x86_64; Rigor)",
    "TestLocally/1.0",
    "Firefox/103.0 abuse.xmco.fr",
    "YLT Chrome/85.0.4183.121",
)
# In that list, and yet browsers of people: two apps' own browsers and one for a single site.
PEOPLE_AFTER_ALL = (
    "Instagram 406.0.0.58.159 Android",
    "Chrome/146.0.7680.174 Mobile Safari/537.36 MetaIAB Facebook",
    "Fluid/0.9.6",
)
PROGRAM_WORDS = (
    "ruby", "PHP", "node", "curl", "bot", "Robot", "crawl", "spider", "scan", "monitor", "fetcher",
    "Agent", "python", "Java", "got", "axios", "colly", "Expanse", "nuclei", "Lighthouse",
)  # fmt: skip


def test_f2_machines_that_others_met_are_no_people() -> None:
    people = [agent for agent in MACHINES if classify("GET", BROWSER, agent)[0] is ClickClass.HUMAN]
    known = (*MISSED, *PEOPLE_AFTER_ALL)
    assert len(MACHINES) == 2118
    assert [agent for agent in people if not any(name in agent for name in known)] == []
    # What is found after all leaves the list.
    assert [name for name in known if not any(name in agent for agent in people)] == []


@pytest.mark.parametrize("agent", BROWSERS)
def test_f2_browsers_that_others_met_are_people(agent: str) -> None:
    assert classify("GET", BROWSER, agent) == (ClickClass.HUMAN, [])


@given(
    st.sampled_from(PROGRAM_WORDS),
    st.sampled_from(["{}", "{} 9", "SM-{}", "{} Build/TP1A.220624.014"]),
)
def test_f2_a_telephone_may_be_called_anything(word: str, form: str) -> None:
    model = form.format(word)
    phone = f"Mozilla/5.0 (Linux; Android 13; {model}) AppleWebKit/537.36 (KHTML, like Gecko)"
    app = (
        f"Instagram 271.0.0.21.84 Android (33/13; 440dpi; Xiaomi/Redmi; 22101316G; {model}; mt6877)"
    )
    for agent in (
        f"{phone} Chrome/120.0.0.0 Mobile Safari/537.36",
        f"Mozilla/5.0 (Linux; Android 13; wv) AppleWebKit/537.36 (KHTML, like Gecko) {app}",
        app,
        f"[FBAN/FB4A;FBAV/567.0.0.47.73;FBDV/{model};FBCR/{word}]",
        f"{phone} Chrome/120.0 Mobile Safari/537.36 [FB_IAB/FB4A;FBAV/567;FBDV/{model};]",
    ):
        assert classify("GET", BROWSER, agent) == (ClickClass.HUMAN, []), agent


@given(st.sampled_from(HUMAN), st.sampled_from(["bot", "spider", "Crawler", "Scanner", "monitor"]))
def test_f2_a_product_of_that_name_is_no_person(agent: str, word: str) -> None:
    expected = ClickClass.MONITOR if word == "monitor" else ClickClass.SCANNER
    for posing in (f"{agent} Site{word}/1.0", f"{agent} (compatible; Site{word}/1.0)"):
        assert classify_user_agent(posing)[0] is expected, posing


@given(
    st.sampled_from(HUMAN),
    st.sampled_from(
        [
            "+http://a.example/why", "(https://a.example)", "(compatible; Something)",
            "(Who; compatible)", "someone@a.example", "a-site.com/1.2", "www.a.example",
        ]
    ),
)  # fmt: skip
def test_f2_what_no_browser_says_is_a_machine_wherever_it_stands(agent: str, said: str) -> None:
    assert classify_user_agent(f"{agent} {said}")[0] is ClickClass.SCANNER


@pytest.mark.parametrize(
    "agent",
    [
        "Mozilla/5.0 (compatible; YandexMetrika/2.0; +http://yandex.com/bots)",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko; Google Web Preview)"
        " Chrome/27.0.1453 Safari/537.36",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36"
        " (KHTML, like Gecko, Foregenix) Chrome/91.0.4472.77 Safari/537.36",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5; Somebot/2.1) Mobile/15E148 Safari/604.1",
    ],
)
def test_f2_machines_with_the_headers_of_a_browser(agent: str) -> None:
    assert classify("GET", BROWSER, agent)[0] in (ClickClass.SCANNER, ClickClass.PREVIEW)
