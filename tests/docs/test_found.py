"""Whoever begins with the README finds everything: each page within two clicks, each command."""

from __future__ import annotations

import posixpath
import re
from pathlib import PurePosixPath

import pytest

from docker.prometheus.alerts import ALERTS, CRITICAL
from tests.docs.pages import every_page
from tests.docs.shell import ROOT
from tests.gateway.commands.test_completion import LEAVES
from tests.tidy.rules_text import links
from tests.tidy.source import Source

PAGES = frozenset(every_page(ROOT))


def led_to(page: str) -> set[str]:
    """The pages that a page has links to."""
    source = Source(PurePosixPath(page), (ROOT / page).read_text(encoding="utf-8"))
    targets = (target.partition("#")[0] for _, target in links(source))
    folder = posixpath.dirname(page)
    found = {posixpath.normpath(posixpath.join(folder, each)) for each in targets if each}
    return found & PAGES


def test_every_page_is_within_two_clicks_of_the_readme() -> None:
    first = led_to("README.md")
    second = {page for each in first for page in led_to(each)}
    assert PAGES - {"README.md"} - first - second == frozenset()


@pytest.mark.parametrize("name", LEAVES)
def test_every_command_stands_on_the_page_of_the_command_line(name: str) -> None:
    page = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
    assert f"`smsgate {name}" in page


def test_the_runbooks_begin_with_the_alerts_that_wake_somebody() -> None:
    page = (ROOT / "docs" / "runbooks.md").read_text(encoding="utf-8")
    [listed] = re.findall(r"^Critical are (.+?)\.$", page, re.MULTILINE | re.DOTALL)
    critical = [each.name for each in ALERTS if each.severity == CRITICAL]
    assert re.findall(r"\[(\w+)\]", listed) == critical
