"""A sentence of a document says one fact in 25 words at most: whoever reads it reads it once."""

from __future__ import annotations

from tests.docs.pages import every_page
from tests.docs.sentences import Sentence, sentences
from tests.docs.shell import ROOT

WORDS_MAX = 25


def test_o5_a_sentence_can_be_read_once() -> None:
    long = [
        f"{page}:{each.line}: {each.words} words: {each.text}"
        for page in every_page(ROOT)
        for each in sentences((ROOT / page).read_text(encoding="utf-8"))
        if each.words > WORDS_MAX
    ]
    assert long == []


def test_o5_a_page_is_taken_apart_into_sentences() -> None:
    page = """# A heading

One fact. Another
one, with `some code in it` and [a link](https://example.org/a/b)!
- An item
  over two lines.
- **What**: bold. More.

| a | b |
| --- | --- |
| first `x | y`? No. | second |

<!-- not run: nothing -->
```text
Code is no prose. At all.
```
The end"""
    assert list(sentences(page)) == [
        Sentence(1, "A heading"),
        Sentence(3, "One fact."),
        Sentence(3, "Another one, with code and [a link]!"),
        Sentence(5, "An item over two lines."),
        Sentence(7, "**What**: bold."),
        Sentence(7, "More."),
        Sentence(9, "a"),
        Sentence(9, "b"),
        Sentence(10, "---"),
        Sentence(10, "---"),
        Sentence(11, "first code?"),
        Sentence(11, "No."),
        Sentence(11, "second"),
        Sentence(17, "The end"),
    ]


def test_o5_a_list_of_code_is_one_word() -> None:
    assert Sentence(1, "It is code: code, code<br>code or code").words == 5
