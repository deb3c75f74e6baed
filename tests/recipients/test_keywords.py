"""Which replies are a word that opts out or in, and which only hold one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipients.keywords import OPT_IN_WORDS, OPT_OUT_WORDS, Keyword, KeywordSets, heard

SETS = KeywordSets.of()
SIGNS = st.text(' \t\n.,!?。！？，、~-_*"“”()（）🙏', max_size=4)
WIDE = {code: code + 0xFEE0 for code in range(0x21, 0x7F)} | {0x20: 0x3000}


@pytest.mark.parametrize(
    "text",
    [
        *OPT_OUT_WORDS,
        "Stop. Thank you", "stop", "  STOP!! ", "Stop, please", "Please stop", "opt-out",
        "Opt Out", "stop all", "STOP STOP stop", "\"stop\"", "ＳＴＯＰ", "ＴＤ", "ｔｄ。", "td",
        "回复TD", "回TD退订", "回复ＴＤ退订", "回复：T", "回 T 退订", "退订。谢谢", "退订谢谢",
        "【退订】", "请回复TD", "UNSUBSCRIBE 🙏",
        "stop\u200b", "Cancel\r\n", "STOP" + " " * 156, "Hi, stop", "Reply STOP",
    ],
)  # fmt: skip
def test_e88_the_whole_message_is_a_word_to_opt_out(text: str) -> None:
    assert heard(text, SETS).keyword is Keyword.OPT_OUT


@pytest.mark.parametrize(
    "text",
    [
        "please don't stop", "don't", "Don’t stop", "no stop", "the end", "When does it end?",
        "I cannot cancel my order", "stop by tomorrow", "bus stop", "STOPPED", "tt", "TRN", "10",
        "", " ", "...", "谢谢", "thank you", "不要退订", "怎么退订", "取消订单", "我想退订吗",
        "回", "Y", "yes", "RN", "st\u0301op", "STOP 2 DAYS", "reply",
        "send text, please",
    ],
)  # fmt: skip
def test_e88_a_sentence_that_holds_a_word_is_a_sentence(text: str) -> None:
    assert heard(text, SETS).keyword is None


@pytest.mark.parametrize("text", [*OPT_IN_WORDS, "Start!", "un-stop", "start, please", "回复订阅"])
def test_e88_the_way_back(text: str) -> None:
    assert heard(text, SETS).keyword is Keyword.OPT_IN


@given(st.sampled_from(OPT_OUT_WORDS), SIGNS, SIGNS, st.booleans(), st.booleans())
def test_e88_width_case_and_signs_do_not_matter(
    word: str, before: str, after: str, wide: bool, small: bool
) -> None:
    written = word.swapcase() if small else word
    text = before + (written.translate(WIDE) if wide else written) + after
    assert heard(text, SETS).keyword is Keyword.OPT_OUT


PICTURES = [
    "⛔️", "❤️", "☎️", "™️", "™", "ℹ️", "㊗️", "Ⓜ️", "1️⃣", "#⃣", "👍🏽", "👩\u200d🚒", "🇫🇷",
    "✋\ufe0e", "\ufe0f",
    "\u20e3", "\u0301", "\u3164", "´",
]  # fmt: skip
SIGNED = st.lists(st.sampled_from([*PICTURES, " ", "\n", "!", "。"]), max_size=5).map(" ".join)
WORDS = st.sampled_from([(word, Keyword.OPT_OUT) for word in OPT_OUT_WORDS]) | st.sampled_from(
    [(word, Keyword.OPT_IN) for word in OPT_IN_WORDS]
)


@pytest.mark.parametrize(
    "text",
    ["STOP ⛔️", "stop ❤️", "❤️stop", "STOP\ufe0e", "S\ufe0fTOP", "STOP 1️⃣", "退\ufe00订"],
)
def test_k1_a_mark_belongs_to_the_sign_before_it(text: str) -> None:
    assert heard(text, SETS).keyword is Keyword.OPT_OUT


@given(WORDS, SIGNED, SIGNED)
def test_k1_signs_with_marks_do_not_hide_a_word(
    word: tuple[str, Keyword], before: str, after: str
) -> None:
    assert heard(f"{before} {word[0]} {after}", SETS).keyword is word[1]


def test_k1_marks_that_write_a_word_are_part_of_it() -> None:
    sets = KeywordSets.of(["रुको", "หยุด"], ["शुरू"])
    assert heard("रुको ❤️", sets).keyword is Keyword.OPT_OUT
    assert heard("⛔️หยุด", sets).keyword is Keyword.OPT_OUT
    assert heard("शुरू", sets).keyword is Keyword.OPT_IN
    assert heard("रको", sets).keyword is None


WEAK = ["END", "T", "R", "N"]
STRONG = [word for word in OPT_OUT_WORDS if word not in WEAK]
AROUND = [
    "请回复", "回复", "回", "请", "谢谢", "Reply", "reply with", "répondez", "Please",
    "thank you", "thx", "merci",
    "por favor", "bitte", "您好",
]  # fmt: skip
SEPARATORS = st.sampled_from([" ", ", ", "，", ". ", "\n", " ❤️ ", " / "])


@pytest.mark.parametrize(
    "text",
    [
        "退订TD", "TD退订", "STOP, CANCEL", "请回T", "ARRÊT", "arrêt", "Arre\u0302t!", "拒收",
        "Désabonner",
        "STOPP", "取消订阅", "回复R", "T", "n", "R。", "End.", "T T", "谢谢，退订",
        "请回复TD，谢谢", "请取消",
        "Unsubscribe / stop", "stop\ncancel", "回 N 退订", "s'il vous plaît STOP",
        "BAJA por favor", "订阅取消", "stop " * 20, "STOP!\n" * 200, "退订" * 40,
    ],
)  # fmt: skip
def test_k2_a_message_made_of_such_words_alone_opts_out(text: str) -> None:
    assert heard(text, SETS).keyword is Keyword.OPT_OUT


@pytest.mark.parametrize(
    "text",
    [
        "Thanks, T", "thank you. R", "The END", "End, please", "N, thanks", "R N", "START N",
        "回复", "谢谢",
        "T and N", "不要取消", "请不要退订", "订阅 T",
    ],
)  # fmt: skip
def test_k2_a_letter_beside_a_courtesy_is_a_signature(text: str) -> None:
    assert heard(text, SETS).keyword is None


@given(st.data())
def test_k2_words_prefixes_and_courtesies_in_any_order(data: st.DataObject) -> None:
    words = data.draw(st.lists(st.sampled_from(STRONG), min_size=1, max_size=2))
    words += data.draw(st.lists(st.sampled_from([*AROUND, *WEAK]), max_size=2))
    ordered = data.draw(st.permutations(words))
    text = data.draw(SEPARATORS).join(ordered)
    assert heard(text, SETS).keyword is Keyword.OPT_OUT
    other = data.draw(st.sampled_from(["don't", "when", "不", "my", "2", "Привет"]))
    place = data.draw(st.integers(0, len(ordered)))
    assert heard(" ".join([*ordered[:place], other, *ordered[place:]]), SETS).keyword is None


@given(st.lists(st.sampled_from(OPT_IN_WORDS), min_size=1, max_size=2), st.data())
def test_k2_the_way_back_is_written_the_same_ways(words: list[str], data: st.DataObject) -> None:
    around = data.draw(st.lists(st.sampled_from(AROUND), max_size=2))
    text = data.draw(SEPARATORS).join(data.draw(st.permutations([*words, *around])))
    assert heard(text, SETS).keyword is Keyword.OPT_IN
    stop = data.draw(st.sampled_from(OPT_OUT_WORDS))
    both = data.draw(st.permutations([*words, stop]))
    assert heard(" ".join(both), SETS).keyword is not Keyword.OPT_IN


@given(st.text())
def test_any_text_gets_an_answer(text: str) -> None:
    heard(text, SETS)


def test_an_account_may_have_words_of_its_own() -> None:
    sets = KeywordSets.of(["Adios!", "NO MORE"], ["hola"])
    assert heard("adios", sets).keyword is Keyword.OPT_OUT
    assert heard("no more, thanks", sets).keyword is Keyword.OPT_OUT
    assert heard("HOLA", sets).keyword is Keyword.OPT_IN
    assert heard("STOP", sets).keyword is None


@pytest.mark.parametrize(
    ("opt_out", "opt_in", "words"),
    [(["!"], [], "no letter"), (["Go"], ["GO"], "opts out and in")],
)
def test_words_that_cannot_be_meant(opt_out: list[str], opt_in: list[str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        KeywordSets.of(opt_out, opt_in)
