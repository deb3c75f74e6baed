"""Owns the rules on any text file: unfinished marks, traces of one machine, dead references."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from tests.tidy.source import Source

UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def nothing_unfinished(source: Source) -> Iterator[str]:
    """What is left to do is an issue, not a comment."""
    for number, line in numbered(source.text):
        if found := UNFINISHED.search(line):
            yield source.at(number, f"{found.group(1)} left in")


# A home folder with something in it, or where checkouts and wheels lie on a build machine.
MACHINE_PATH = re.compile(
    r"(?<![\w.$}])(?:/root/[\w.]|/(?:home|Users)/\w+/\w|/work/(?:main|shared)\b|/opt/(?:pypi|wheels)\b)"
)


def no_machine_paths(source: Source) -> Iterator[str]:
    """A path that exists on one machine only is wrong on every other."""
    for number, line in numbered(source.text):
        if found := MACHINE_PATH.search(line):
            yield source.at(number, f"a path of one machine: {found.group()}")


FENCE = re.compile(r"^\s*(```|~~~)")
MARKDOWN_LINK = re.compile(r"\[[^\]]*\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)|^\[[^\]]+\]:\s+(\S+)")
HTML_LINK = re.compile(r"""\b(?:href|src)=["']([^"'{}$]+)["']""")
INLINE_CODE = re.compile(r"`[^`]*`")
ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:|//")
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$")


def links_lead_somewhere(source: Source, root: Path) -> Iterator[str]:
    """A relative link names a file that is there, and a heading that is in it."""
    for number, target in links(source):
        path, _, anchor = target.partition("#")
        if ELSEWHERE.match(target) or path.startswith("/"):
            continue
        file = root / source.path.parent / path if path else root / source.path
        if not file.exists():
            yield source.at(number, f"dead link: {target}")
        elif (
            anchor
            and file.suffix == ".md"
            and anchor not in anchors(file.read_text(encoding="utf-8"))
        ):
            yield source.at(number, f"no such heading: {target}")


def links(source: Source) -> Iterator[tuple[int, str]]:
    if source.path.suffix == ".html":
        for number, line in numbered(source.text):
            yield from ((number, target) for target in HTML_LINK.findall(line))
    else:
        for number, line in prose(source.text):
            for inline, reference in MARKDOWN_LINK.findall(INLINE_CODE.sub("", line)):
                yield number, inline or reference


def prose(text: str) -> Iterator[tuple[int, str]]:
    """The lines of a Markdown text that are not inside a fenced block."""
    fenced = False
    for number, line in numbered(text):
        if FENCE.match(line):
            fenced = not fenced
        elif not fenced:
            yield number, line


def anchors(text: str) -> set[str]:
    """The anchors that GitHub makes of a Markdown text's headings."""
    found: set[str] = set()
    for _, line in prose(text):
        if heading := HEADING.match(line):
            words = re.sub(r"[^\w\- ]", "", heading.group(1).lower())
            anchor = words.replace(" ", "-")
            again = 0
            while anchor + (f"-{again}" if again else "") in found:
                again += 1
            found.add(anchor + (f"-{again}" if again else ""))
    return found


MAKE_CALL = re.compile(r"\bmake ([a-z][a-z-]*)")
TARGET = re.compile(r"^([a-z][a-z-]*):(?!=)", re.M)


def make_targets_exist(source: Source, targets: Collection[str]) -> Iterator[str]:
    """A document tells the reader to `make` only what the Makefile makes."""
    for number, code in quoted_code(source.text):
        for target in MAKE_CALL.findall(code):
            if target not in targets:
                yield source.at(number, f"the Makefile has no target {target}")


PATH = re.compile(r"[A-Za-z_.][\w.-]*(?:/[\w.-]+)+/?")
# Words with a slash that are no paths here: media types, zones, built things, patterns.
NO_PATHS = re.compile(
    r"(?:application|text|image)/|(?:Africa|America|Asia|Australia|Europe|Pacific)/[A-Z]|"
    r"\.venv/|data/|v1/|storage/migrations/NNNN_"
)


def paths_exist(source: Source, root: Path) -> Iterator[str]:
    """A path in code style is there: from the top, beside the document, or under tests/."""
    for number, line in prose(source.text):
        for code in INLINE_CODE.findall(line):
            path = code.strip("`")
            if not PATH.fullmatch(path) or NO_PATHS.match(path):
                continue
            places = (root, root / source.path.parent, root / "tests")
            if not any((place / path).exists() for place in places):
                yield source.at(number, f"no such path: {path}")


def quoted_code(text: str) -> Iterator[tuple[int, str]]:
    """What a Markdown text shows as code: fenced lines less their comments, `inline` pieces."""
    outside = {number for number, _ in prose(text)}
    for number, line in numbered(text):
        if number not in outside:
            yield number, line.split("#")[0]
        else:
            yield from ((number, piece) for piece in INLINE_CODE.findall(line))


def numbered(text: str) -> Iterator[tuple[int, str]]:
    return iter(enumerate(text.split("\n"), start=1))
