"""Owns the rules on what code says of itself, in docstrings and in the comments of Python and SQL.

Each rule takes one Source and yields its violations. Must not judge what is said: a reader does.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.tidy.source import Source

SENTENCE_WORDS_MAX = 25
SHOWN_WORDS = 8  # of a sentence that is too long: enough to find it

_DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
# A string, which is passed over, or a comment: tokenize says the same in thirty times the time.
_STRING_OR_COMMENT = re.compile(
    r'''"""[^"\\]*(?:(?:\\.|"(?!""))[^"\\]*)*"""'''
    r"|'''[^'\\]*(?:(?:\\.|'(?!''))[^'\\]*)*'''"
    r"""|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|(?P<comment>#[^\n]*)""",
    re.DOTALL,
)
_CODE_WORDS = re.compile(r"``[^`]*``|`[^`]*`")
_PARAGRAPH_END = re.compile(r"\n\s*\n|\n(?=- )")
_SENTENCE_END = re.compile(r"(?<=[.?!])[\"')]*\s+")


def short_sentences(source: Source) -> Iterator[str]:
    """No sentence of a docstring or comment has more than SENTENCE_WORDS_MAX words.

    What stands between backticks is one word, and an indented paragraph of a docstring is no prose.
    """
    if source.is_python:
        said = (*docstrings(source), *comments(source.text))
    else:
        said = tuple(sql_comments(source.text))
    for line, text in said:
        for sentence in sentences(text):
            if (count := len(words(sentence))) > SENTENCE_WORDS_MAX:
                begin = " ".join(words(sentence)[:SHOWN_WORDS])
                fault = f'a sentence of {count} words, at most {SENTENCE_WORDS_MAX}: "{begin} …"'
                yield source.at(line, fault)


def owns_and_must_not(source: Source) -> Iterator[str]:
    """A module's docstring says what it owns, and what it must not do."""
    text = ast.get_docstring(source.tree)
    if text is None:
        return  # module_docstring says so, unless it is an empty __init__.py
    flat = " ".join(text.split()).lower()
    for missing in ("owns", "must not"):
        if re.search(rf"\b{missing}\b", flat) is None:
            yield source.at(1, f'the docstring says nowhere what the module "{missing}"')


def docstrings(source: Source) -> Iterator[tuple[int, str]]:
    """(line, text) of each, without its indentation."""
    for node in source.nodes:
        if isinstance(node, _DOCUMENTED) and (text := ast.get_docstring(node)) is not None:
            yield node.body[0].lineno, text


def comments(text: str) -> Iterator[tuple[int, str]]:
    """(line, text) of each. Comments that have lines of their own, one below the other, are one."""
    begin, end, column, said = 0, 0, 0, ""
    line, counted = 1, 0
    for found in _STRING_OR_COMMENT.finditer(text):
        if found["comment"] is None:
            continue
        start = found.start()
        line, counted = line + text.count("\n", counted, start), start
        line_start = text.rfind("\n", 0, start) + 1
        at, alone = start - line_start, not text[line_start:start].strip()
        words_of_it = found["comment"].lstrip("#").strip()
        if alone and said and (line, at) == (end + 1, column):
            end, said = line, f"{said} {words_of_it}"
            continue
        if said:
            yield begin, said
        begin, end, column, said = line, line, at if alone else -1, words_of_it
    if said:
        yield begin, said


def sql_comments(text: str) -> Iterator[tuple[int, str]]:
    """(line, text) of each that has lines of its own; the line that names a statement is none."""
    begin, said = 0, ""
    for line, written in enumerate([*text.splitlines(), ""], start=1):
        comment = written.lstrip()
        if comment.startswith("--") and not comment.startswith("-- name:"):
            begin, said = (begin, said) if said else (line, "")
            said = f"{said} {comment.lstrip('- ')}"
        elif said:
            yield begin, said.strip()
            said = ""


def sentences(text: str) -> Iterator[str]:
    """A colon or semicolon ends none. Each item of a list has its own."""
    for paragraph in _PARAGRAPH_END.split(text):
        if not paragraph.startswith(" "):
            flat = " ".join(_CODE_WORDS.sub("code", paragraph).split())
            yield from _SENTENCE_END.split(flat)


def words(sentence: str) -> list[str]:
    """A sign that stands alone is none."""
    return [word for word in sentence.split() if any(character.isalnum() for character in word)]
