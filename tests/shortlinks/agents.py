"""Reads the corpus of user agents (`agents.tsv`): what each must be classified as."""

from __future__ import annotations

from pathlib import Path

from shortlinks.classify import ClickClass


def _read() -> tuple[tuple[str, ClickClass], ...]:
    lines = Path(__file__).with_name("agents.tsv").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    return tuple((agent, ClickClass[label.upper()]) for label, agent in rows)


CORPUS = _read()
HUMAN = tuple(agent for agent, click_class in CORPUS if click_class is ClickClass.HUMAN)
