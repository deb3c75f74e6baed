"""The pictures of ARCHITECTURE.md are those of today's packages."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from tests.docs.pictures import PACKAGES, PICTURES, ROOT, layers


@pytest.mark.parametrize("name", list(PICTURES))
def test_o5_a_picture_is_drawn_anew_when_its_words_change(name: str) -> None:
    """`python -m tests.docs.pictures` writes both."""
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == PICTURES[name]()


@pytest.mark.parametrize("name", list(PICTURES))
def test_o5_a_picture_is_whole_and_fetches_nothing(name: str) -> None:
    drawn = PICTURES[name]()
    assert ElementTree.fromstring(drawn).tag.endswith("svg")
    assert "url(" not in drawn
    assert "href" not in drawn


def test_o5_the_layers_show_every_package_and_rooms_that_are_there() -> None:
    shown = [name for row in layers() for name in row]
    assert sorted(shown) == sorted(PACKAGES)
    gone = [
        f"{package}/{room}"
        for package, (_, rooms) in PACKAGES.items()
        for room in rooms.split(", ")
        if not (ROOT / package / room).is_dir() and not (ROOT / package / f"{room}.py").is_file()
    ]
    assert gone == []
