"""Which class a reply has, and which word wins."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipients.keywords import OPT_OUT_WORDS, heard
from recipients.replies import (
    HELP_WORDS,
    OTHER,
    RATING_LIMIT,
    Reply,
    ReplyClass,
    ReplyWords,
    read,
)

EVERY = -1
NAMES = {"感兴趣": "interested", "YES": "interested", "咨询": "ask", "خبر": "news"}
WORDS = ReplyWords.of(
    names=NAMES, categories={"STOPALL": EVERY, "退订全部": EVERY, "STOP NEWS": 2}, rating_max=5
)


def kind(text: str, *, answers: bool = True) -> ReplyClass:
    return read(text, WORDS, answers=answers).kind


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("STOP", ReplyClass.OPT_OUT),
        ("help stop", ReplyClass.OPT_OUT),  # a doubt is no consent
        ("感兴趣，退订", ReplyClass.OPT_OUT),
        ("5 STOP", ReplyClass.OPT_OUT),
        ("START help", ReplyClass.OPT_IN),
        ("help", ReplyClass.HELP),
        ("Help, please!", ReplyClass.HELP),
        ("ＨＥＬＰ", ReplyClass.HELP),
        ("帮助，谢谢", ReplyClass.HELP),
        ("help 咨询", ReplyClass.HELP),
        ("感兴趣。", ReplyClass.KEYWORD),
        ("回复感兴趣", ReplyClass.KEYWORD),
        ("yes 5", ReplyClass.KEYWORD),
        ("خبر", ReplyClass.KEYWORD),
        ("5", ReplyClass.RATING),
        ("我不感兴趣", ReplyClass.OTHER),
        ("yes but later", ReplyClass.OTHER),
        ("please don't stop", ReplyClass.OTHER),
        ("", ReplyClass.OTHER),
    ],
)
def test_k3_the_first_class_that_fits_wins(text: str, expected: ReplyClass) -> None:
    assert kind(text) is expected


@pytest.mark.parametrize("word", [*NAMES])
def test_k3_a_keyword_in_any_language_has_the_accounts_name(word: str) -> None:
    assert read(f" {word}! ", WORDS, answers=False) == Reply(ReplyClass.KEYWORD, NAMES[word])


@pytest.mark.parametrize("text", ["INFO T", "yes R", "help, N"])
def test_k3_a_letter_beside_a_keyword_is_a_signature(text: str) -> None:
    words = ReplyWords.of(names={"INFO": "ask", "yes": "interested"})
    assert read(text, words, answers=True).kind in (ReplyClass.KEYWORD, ReplyClass.HELP)


@pytest.mark.parametrize(
    ("text", "rating"),
    [
        ("5", 5), ("５", 5), ("⑤", 5), ("五", 5), ("5分", 5), ("五星", 5), ("5 stars", 5),
        ("5️⃣", 5), ("回复5", 5), ("5，谢谢", 5), ("1.", 1), ("5 5", 5),
    ],
)  # fmt: skip
def test_k4_a_rating_however_its_digit_is_written(text: str, rating: int) -> None:
    assert read(text, WORDS, answers=True) == Reply(ReplyClass.RATING, rating=rating)
    assert read(text, WORDS, answers=False) == OTHER  # to nothing


@pytest.mark.parametrize(
    "text", ["6", "0", "10", "55", "4 5", "5 o'clock", "第五", "-", "5 yes but"]
)
def test_k4_what_is_no_rating(text: str) -> None:
    assert read(text, WORDS, answers=True) == OTHER


@given(st.integers(0, RATING_LIMIT), st.integers(0, 99))
def test_k4_a_rating_is_within_the_accounts_range(rating_max: int, number: int) -> None:
    words = ReplyWords.of(rating_max=rating_max)
    expected = ReplyClass.RATING if 1 <= number <= rating_max else ReplyClass.OTHER
    assert read(str(number), words, answers=True).kind is expected


@pytest.mark.parametrize(
    ("text", "categories", "usual"),
    [
        ("TD", (), True),
        ("STOPALL", (EVERY,), False),
        ("stop news, please", (2,), False),
        ("stopall stop news", (EVERY, 2), False),
        ("STOP, STOPALL", (EVERY,), True),
        ("退订全部", (EVERY,), False),
    ],
)
def test_k5_a_word_may_name_the_category_it_opts_out_of(
    text: str, categories: tuple[int, ...], usual: bool
) -> None:
    expected = Reply(ReplyClass.OPT_OUT, categories=categories, usual=usual)
    assert read(text, WORDS, answers=True) == expected


def test_k3_a_word_that_means_two_things_is_refused() -> None:
    for names, said in (
        ({"N": "no"}, "'n' is 'no' and opts out"),
        ({"start": "begin"}, "'start' is 'begin' and opts in"),
        ({HELP_WORDS[0]: "x"}, "'help' is 'x' and asks for help"),
        ({"Yes": "a", "ＹＥＳ": "b"}, "'ＹＥＳ' is given two meanings"),
        ({"!": "a"}, "'!' has no letter and no digit"),
    ):
        with pytest.raises(ValueError) as refused:
            ReplyWords.of(names=names)
        assert str(refused.value) == said
    with pytest.raises(ValueError, match="'stop' asks for help and opts out"):
        ReplyWords.of(help_words=["STOP"])


@given(
    st.lists(
        st.sampled_from([*OPT_OUT_WORDS, *HELP_WORDS, *NAMES, "5", "please", "not", "START"]),
        max_size=6,
    ).map(" ".join),
    st.booleans(),
)
def test_k3_words_of_the_account_hide_no_opt_out(text: str, answers: bool) -> None:
    """What opts out without them opts out with them, but for a letter beside another word."""
    if heard(text, ReplyWords.of().sets).keyword is None:
        return
    plain = read(text, ReplyWords.of(), answers=answers)
    assert read(text, WORDS, answers=answers).kind is plain.kind
