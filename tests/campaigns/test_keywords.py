"""Which replies are a word that opts out or in, and which only hold one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.keywords import OPT_IN_WORDS, OPT_OUT_WORDS, Keyword, KeywordSets, keyword_of

SETS = KeywordSets.of()
SIGNS = st.text(' \t\n.,!?。！？，、~-_*"“”()（）🙏', max_size=4)
WIDE = {code: code + 0xFEE0 for code in range(0x21, 0x7F)} | {0x20: 0x3000}


@pytest.mark.parametrize(
    "text",
    [
        *OPT_OUT_WORDS,
        "Stop. Thank you", "stop", "  STOP!! ", "Stop, please", "Please stop", "opt-out", "Opt Out",
        "stop all", "STOP STOP stop", "\"stop\"", "ＳＴＯＰ", "ＴＤ", "ｔｄ。", "td", "回复TD",
        "回TD退订", "回复ＴＤ退订", "回复：T", "回 T 退订", "退订。谢谢", "退订谢谢", "【退订】",
        "请回复TD", "UNSUBSCRIBE 🙏",
        "stop\u200b", "Cancel\r\n",
    ],
)  # fmt: skip
def test_e88_the_whole_message_is_a_word_to_opt_out(text: str) -> None:
    assert keyword_of(text, SETS) is Keyword.OPT_OUT


@pytest.mark.parametrize(
    "text",
    [
        "please don't stop", "don't", "Don’t stop", "no stop", "the end", "When does it end?",
        "I cannot cancel my order", "stop by tomorrow", "bus stop", "STOPPED", "tt", "TRN", "10",
        "", " ", "...", "谢谢", "thank you", "不要退订", "怎么退订", "取消订单", "我想退订吗", "回",
        "stop " * 20, "Y", "yes", "RN", "st\u0301op",
    ],
)  # fmt: skip
def test_e88_a_sentence_that_holds_a_word_is_a_sentence(text: str) -> None:
    assert keyword_of(text, SETS) is None


@pytest.mark.parametrize("text", [*OPT_IN_WORDS, "Start!", "un-stop", "start, please", "回复订阅"])
def test_e88_the_way_back(text: str) -> None:
    assert keyword_of(text, SETS) is Keyword.OPT_IN


@given(st.sampled_from(OPT_OUT_WORDS), SIGNS, SIGNS, st.booleans(), st.booleans())
def test_e88_width_case_and_signs_do_not_matter(
    word: str, before: str, after: str, wide: bool, small: bool
) -> None:
    written = word.swapcase() if small else word
    text = before + (written.translate(WIDE) if wide else written) + after
    assert keyword_of(text, SETS) is Keyword.OPT_OUT


@given(st.text())
def test_any_text_gets_an_answer(text: str) -> None:
    keyword_of(text, SETS)


def test_an_account_may_have_words_of_its_own() -> None:
    sets = KeywordSets.of(["Adios!", "NO MORE"], ["hola"])
    assert keyword_of("adios", sets) is Keyword.OPT_OUT
    assert keyword_of("no more, thanks", sets) is Keyword.OPT_OUT
    assert keyword_of("HOLA", sets) is Keyword.OPT_IN
    assert keyword_of("STOP", sets) is None


@pytest.mark.parametrize(
    ("opt_out", "opt_in", "words"),
    [(["!"], [], "no letter"), (["Go"], ["GO"], "opts out and in")],
)
def test_words_that_cannot_be_meant(opt_out: list[str], opt_in: list[str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        KeywordSets.of(opt_out, opt_in)
