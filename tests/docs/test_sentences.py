"""A sentence of a document says one fact in 25 words at most: whoever reads it reads it once."""

from __future__ import annotations

from tests.docs.sentences import Sentence, sentences
from tests.docs.shell import ROOT
from tests.docs.test_documents import documents

WORDS_MAX = 25
BUT = frozenset({"cases.md", "smpp-cases.md"})  # lists of what others have met, and of tests


def test_o5_a_sentence_can_be_read_once() -> None:
    pages = [page for page in documents() if page.name not in BUT]
    assert len(pages) > len(BUT)
    long = [
        f"{page.relative_to(ROOT)}:{each.line}: {each.words} words: {each.text}"
        for page in pages
        for each in sentences(page.read_text(encoding="utf-8"))
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
