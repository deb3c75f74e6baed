"""The page docs/endpoints.md: every endpoint and every problem code, for who has no gateway yet.

    curl -s localhost:8080/openapi.json | python -m web.docs.listing > docs/endpoints.md

Owns its Markdown. Must not say anything of an endpoint that the OpenAPI document does not say.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from web.edge.problems import KINDS

Operation = Mapping[str, Any]

_INTRODUCTION = """\
# Endpoints

Every call of the API, with the scope that its key needs and the parameters of its address.
Those in italics have to be given. Lists take `limit` and `cursor`, too ([how](api.md#lists)).

[api.md](api.md) shows the calls by example, and [keys.md](keys.md#scopes) explains the scopes.
`/docs` of a running gateway has every field.

This page is made from what a gateway says of itself:
`curl -s localhost:8080/openapi.json | python -m web.docs.listing > docs/endpoints.md`.
"""
_PROBLEMS = """\
## Problem codes

A problem (`application/problem+json`, RFC 9457) has one of these as its `code`.
`/docs` says of each call which of them it may be answered with.
"""
_HEADS = ("call", "what it does", "scope", "parameters")
_OF_LISTS = frozenset({"limit", "cursor"})


def render(document: Mapping[str, Any]) -> str:
    """The whole page, from the OpenAPI document."""
    parts = [_INTRODUCTION]
    for tag in document["tags"]:
        name = tag["name"]
        rows = [
            _call(method, path, operation)
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
            if operation["tags"] == [name]
        ]
        title = name.replace("-", " ").capitalize()
        parts.append(f"## {title}\n\n{_table(_HEADS, rows)}")
    problems = [
        (f"`{code}`", str(kind.status), kind.title, kind.remedy) for code, kind in KINDS.items()
    ]
    heads = ("code", "status", "what", "what to do")
    parts.append(f"{_PROBLEMS}\n{_table(heads, sorted(problems))}")
    return "\n".join(parts)


def _call(method: str, path: str, operation: Operation) -> tuple[str, ...]:
    scopes = ", ".join(f"`{scope}`" for scope in _scopes(operation)) or "no key"
    return f"`{method.upper()} {path}`", operation["summary"], scopes, _parameters(operation)


def _scopes(operation: Operation) -> Iterator[str]:
    for each in operation.get("security", ()):
        for scopes in each.values():
            yield from scopes


def _parameters(operation: Operation) -> str:
    """Those of the query and of headers. Those of the path are in the path."""
    given = [
        each
        for each in operation.get("parameters", ())
        if each["in"] != "path" and each["name"] not in _OF_LISTS
    ]
    return ", ".join(
        f"*`{each['name']}`*" if each["required"] else f"`{each['name']}`" for each in given
    )


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(_cell(cell) for cell in line)} |\n" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


if __name__ == "__main__":
    sys.stdout.write(render(json.load(sys.stdin)))
