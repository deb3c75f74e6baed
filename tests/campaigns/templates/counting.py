"""Counts as the accepter does, for tests of templates: the real text rules, without an account."""

from __future__ import annotations

from typing import Any

from campaigns.templates.content import Content, Version, faults, version
from campaigns.templates.findings import Finding, Occasion
from campaigns.templates.lengths import Measured
from campaigns.templates.linter import lint
from campaigns.templates.rendering import Rendered
from campaigns.templates.variables import Variable
from smpp.text import estimate

SHORT_URL = "https://s.example/aB3dE6gH"
NAME = Variable(type="text", max=8, fallback="会员")


def measure(rendered: Rendered, _category: str) -> Measured:
    """With the real encoder; short links have their length."""
    text = rendered.text.replace("{{link:main}}", SHORT_URL)
    found = estimate(text)
    return Measured(
        text=text,
        encoding=found.encoding,
        parts=found.parts,
        units=found.units,
        units_left=found.units_left,
        forced_by=found.forced_by,
    )


def content(body: str, **fields: Any) -> Content:
    """A marketing version with signature, suffix and a variable `name`, where the body has one."""
    told: dict[str, Any] = {
        "category": "marketing",
        "signature": "【某某商城】",
        "suffix": "拒收请回复R",
        "variables": {"name": NAME} if "{{name}}" in body else {},
        "links": {"main": "https://shop.example/sale"} if "{{link:main}}" in body else {},
    }
    return Content(body=body, **told | fields)


def checked(body: str, **fields: Any) -> Version:
    """A version without a fault."""
    told = content(body, **fields)
    assert faults(told) == []
    return version(1, 1, told)


def found(body: str, rule: str, occasion: Occasion | None = None, **fields: Any) -> list[Finding]:
    """What this rule says of a version."""
    findings = lint(checked(body, **fields), measure, occasion or Occasion())
    return [finding for finding in findings if finding.rule == rule]
