"""The pages for people: /docs, rendered from the OpenAPI document, and the page of problems.

Owns their HTML. Must not say anything of an endpoint that the document does not say. Nothing is
fetched from elsewhere, so they work on a machine without a network.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from importlib.resources import files
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from web.edge.problems import DOCUMENT, KINDS

DOCS = "/docs"
Schema = Mapping[str, Any]

_BACKTICKS = re.compile(r"`([^`]+)`")
_LINK = re.compile(r"\[([^\]]+)\]\((/[^)\s]*)\)")
_PROBLEM = "application/problem+json"
_JSON = "application/json"
# What the examples need: a key that opens all of them, and a batch of one message that waits.
_BEFORE = """\
export SMSGATE=http://127.0.0.1:8080
export SMSGATE_API_KEY="$(smsgate keys create docs --scopes admin numbers:reveal \\
  persons:export persons:erase)"
curl -s "$SMSGATE/v1/messages/batch" \\
  -H "Authorization: Bearer $SMSGATE_API_KEY" \\
  -H 'Content-Type: application/json' \\
  -d '{"messages": [{"to": "+8613812345678", "text": "Hello", "sandbox": true,
       "send_at": "'$(date -u -d tomorrow +%FT%TZ)'"}]}' > batch.json
export BATCH="$(grep -o 'bat_[0-9a-z]*' batch.json)"
export MESSAGE="$(grep -o 'msg_[0-9a-z]*' batch.json)"
export ENDPOINT="$(curl -s "$SMSGATE/v1/webhook-endpoints" \\
  -H "Authorization: Bearer $SMSGATE_API_KEY" \\
  -H 'Content-Type: application/json' \\
  -d '{"url": "https://app.example/hooks", "events": ["final"]}' | grep -o 'whe_[0-9a-z]*')"
export IMPORT="$(curl -s "$SMSGATE/v1/suppressions/import" \\
  -H "Authorization: Bearer $SMSGATE_API_KEY" \\
  -H 'Content-Type: text/csv' \\
  --data-binary $'number\\n+8613900000000\\n' | grep -o 'imp_[0-9a-z]*')\""""
_MADE = MappingProxyType(  # by what an id begins with
    {"msg": "$MESSAGE", "bat": "$BATCH", "whe": "$ENDPOINT", "imp": "$IMPORT"}
)


def docs_page(document: Mapping[str, Any]) -> str:
    """The whole document on one page."""
    info, operations = document["info"], list(_operations(document))
    schemas = document["components"]["schemas"]
    body = [
        f"<h1>{escape(info['title'])} <span class=version>{escape(info['version'])}</span></h1>",
        f"<p class=soft>{escape(info['summary'])}</p><p>{_prose(info['description'])}</p>",
        f'<p><a href="/openapi.json">openapi.json</a> · <a href="{DOCUMENT}">problem codes</a></p>',
        f"<h4>Before these examples</h4><pre>{escape(_BEFORE)}</pre>",
    ]
    for tag in document["tags"]:
        body.append(f'<h2 id="{escape(tag["name"])}">{_title(tag["name"])}</h2>')
        body += [
            _endpoint(method, path, operation, schemas)
            for method, path, operation in operations
            if operation["tags"] == [tag["name"]]
        ]
    body.append('<h2 id="told">Webhooks</h2><p>What is told to webhook endpoints.</p>')
    body.append(_table(("Type", "Tells", "Body"), _told(document["webhooks"])))
    body.append('<h2 id="types">Types</h2>')
    body += [_type(name, schema) for name, schema in sorted(schemas.items())]
    tags = [tag["name"] for tag in document["tags"]]
    content = f"<div class=layout>{_nav(tags, operations)}<main>{''.join(body)}</main></div>"
    return _page("smsgate API", content)


def problems_page() -> str:
    """Every problem code, with the code as its anchor. The `type` of an answer leads there."""
    rows = [
        f'<tr id="{code}"><td><code>{code}</code></td><td>{kind.status}</td>'
        f"<td>{_prose(kind.title)}</td><td>{_prose(kind.remedy)}</td></tr>"
        for code, kind in KINDS.items()
    ]
    content = (
        f'<main class=wide><p><a href="{DOCS}">API</a></p><h1>Problems the API answers with</h1>'
        f"<p class=soft>RFC 9457, <code>{_PROBLEM}</code>; <code>code</code> is one of these.</p>"
        f"{_table(('Code', 'Status', 'Title', 'What to do'), rows)}</main>"
    )
    return _page("smsgate: problems", content)


def page_style() -> str:
    """The style sheet that each page contains."""
    return files(__package__).joinpath("docs.css").read_text(encoding="utf-8")


def _page(title: str, content: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{page_style()}</style></head><body>{content}</body></html>\n"
    )


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def _nav(tags: Sequence[str], operations: Sequence[tuple[str, str, Mapping[str, Any]]]) -> str:
    parts = ["<nav><details><summary>Contents</summary>"]
    for tag in tags:
        parts.append(f'<h5><a href="#{escape(tag)}">{_title(tag)}</a></h5><ul>')
        parts += [
            f'<li><a href="#{operation["operationId"]}">{_method(method)}'
            f"<span>{escape(path.removeprefix('/v1'))}</span></a></li>"
            for method, path, operation in operations
            if operation["tags"] == [tag]
        ]
        parts.append("</ul>")
    parts.append('<h5><a href="#told">Webhooks</a></h5><h5><a href="#types">Types</a></h5>')
    return "".join(parts) + "</details></nav>"


def _told(webhooks: Mapping[str, Any]) -> Iterable[str]:
    for name, methods in webhooks.items():
        told = methods["post"]
        [body] = told["requestBody"]["content"].values()
        yield (
            f"<tr><td><code>{escape(name)}</code></td><td>{_prose(told['summary'])}</td>"
            f"<td>{_kind(body['schema']['allOf'][0])}</td></tr>"
        )


def _endpoint(
    method: str, path: str, operation: Mapping[str, Any], schemas: Mapping[str, Schema]
) -> str:
    name = operation["operationId"]
    parts = [
        f'<section class=endpoint id="{name}"><h3>{_method(method)}'
        f'<a href="#{name}"><code>{escape(path)}</code></a></h3>',
        f"<p>{_prose(operation['summary'])}.",
        f" {_prose(operation['description'])}" if "description" in operation else "",
        "</p>",
        *(f"<p class=soft>Scope <code>{escape(scope)}</code></p>" for scope in _scopes(operation)),
    ]
    if parameters := operation.get("parameters"):
        rows = [
            _row(each["name"], each["schema"], each["required"], each.get("description", ""))
            for each in parameters
        ]
        parts.append(f"<h4>Parameters</h4>{_table(('Name', 'Type', 'Meaning'), rows)}")
    body = operation.get("requestBody", {"content": {}})
    if _JSON in body["content"]:
        schema = body["content"][_JSON]["schema"]
        parts.append(f"<h4>Body: {_kind(schema)}</h4>{_fields(_resolved(schema, schemas))}")
    elif body["content"]:
        media = " or ".join(body["content"])
        parts.append(f"<h4>Body: {escape(media)}</h4><p>{_prose(body['description'])}</p>")
    parts.append(f"<h4>Example</h4><pre>{escape(_curl(method, path, operation))}</pre>")
    parts.append(f"<h4>Answers</h4><dl class=answers>{_answers(operation)}</dl></section>")
    return "".join(parts)


def _scopes(operation: Mapping[str, Any]) -> list[str]:
    return [
        scope for each in operation.get("security", ()) for scopes in each.values()
        for scope in scopes
    ]  # fmt: skip


def _answers(operation: Mapping[str, Any]) -> str:
    parts = []
    for status, answer in sorted(operation["responses"].items()):
        content = answer.get("content", {})
        if _PROBLEM in content:
            _, narrowed = content[_PROBLEM]["schema"]["allOf"]
            codes = narrowed["properties"]["code"]["enum"]
            meaning = ", ".join(f'<a href="{DOCUMENT}#{code}">{code}</a>' for code in codes)
        else:
            kinds = [
                _kind(each["schema"]) if kind == _JSON else escape(kind)
                for kind, each in content.items()
            ]
            meaning = f"{_prose(answer['description'])}. {' '.join(kinds)}"
        parts.append(f"<dt>{status}</dt><dd>{meaning}</dd>")
    return "".join(parts)


def _curl(method: str, path: str, operation: Mapping[str, Any]) -> str:
    """A curl call that works once the lines above the examples were run."""
    query, headers = [], []
    for each in operation.get("parameters", ()):
        example = str((each["schema"].get("examples") or [each["name"].upper()])[0])
        if each["in"] == "path":
            made = _MADE.get(example.partition("_")[0], example)
            path = path.replace(f"{{{each['name']}}}", made)
        elif each["in"] == "query" and each["required"]:
            query.append(f"{each['name']}={quote(example)}")
        elif each["in"] == "header" and "examples" in each["schema"]:
            headers.append(f"-H '{each['name']}: {example}'")
    path += f"?{'&'.join(query)}" if query else ""
    verb = "" if method == "get" else f"-X {method.upper()} "
    lines = [f'curl {verb}"$SMSGATE{path}"']
    if "security" in operation:
        lines.append('-H "Authorization: Bearer $SMSGATE_API_KEY"')
    lines += headers
    if body := operation.get("requestBody"):
        [media, *_], [content, *_] = body["content"], body["content"].values()
        lines.append(f"-H 'Content-Type: {media}'")
        example = content.get("example", {})
        if media == _JSON:
            lines.append(f"-d {shlex.quote(json.dumps(example, ensure_ascii=False))}")
        else:
            lines.append(f"--data-binary $'{example}'".replace("\n", "\\n"))
    return " \\\n  ".join(lines)


def _type(name: str, schema: Schema) -> str:
    described = f"<p>{_prose(schema['description'])}</p>" if "description" in schema else ""
    fields = _fields(schema) if "properties" in schema else f"<p>{_kind(schema)}</p>"
    return (
        f'<section class=endpoint id="type-{name}"><h3><a href="#type-{name}"><code>{name}</code>'
        f"</a></h3>{described}{fields}</section>"
    )


def _fields(schema: Schema) -> str:
    needed = schema.get("required", ())
    rows = [
        _row(name, each, name in needed, each.get("description", ""))
        for name, each in schema.get("properties", {}).items()
    ]
    return _table(("Field", "Type", "Meaning"), rows)


def _row(name: str, schema: Schema, required: bool, description: str) -> str:
    mark = "<span class=needed>required</span>" if required else ""
    meaning = [_prose(description)] if description else []
    meaning += _bounds(schema)
    if schema.get("default") not in (None, "", [], {}):
        meaning.append(f"Default <code>{escape(json.dumps(schema['default']))}</code>.")
    return (
        f"<tr><td><code>{escape(name)}</code>{mark}</td><td class=soft>{_kind(schema)}</td>"
        f"<td>{' '.join(meaning)}</td></tr>"
    )


def _bounds(schema: Schema) -> list[str]:
    words = {
        "minimum": "at least", "maximum": "at most", "minLength": "characters at least",
        "maxLength": "characters at most", "minItems": "items at least",
        "maxItems": "items at most",
    }  # fmt: skip
    found = [f"{word} {schema[key]:,}".replace(",", " ") for key, word in words.items()
             if key in schema]  # fmt: skip
    if "enum" in schema:
        shown = ", ".join(f"<code>{escape(str(each))}</code>" for each in schema["enum"] if each)
        found.append(f"one of {shown}")
    return [f"{'; '.join(found).capitalize()}."] if found else []


def _kind(schema: Schema) -> str:
    """A schema in a few words, with links to the types it names."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f'<a href="#type-{name}">{name}</a>'
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return " or ".join(_kind(each) for each in schema[key])
    kind = schema.get("type")
    if kind == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    if kind == "object":
        values = schema.get("additionalProperties")
        return f"map of {_kind(values)}" if isinstance(values, Mapping) else "object"
    if "enum" in schema and kind is None:
        return "text"
    named = {"string": "text", "integer": "integer", "number": "number", "null": "null"}
    shown = named.get(str(kind), str(kind or "any"))
    return f"{shown} ({escape(schema['format'])})" if "format" in schema else shown


def _resolved(schema: Schema, schemas: Mapping[str, Schema]) -> Schema:
    first = schema["anyOf"][0] if "anyOf" in schema else schema
    return schemas[first["$ref"].rpartition("/")[2]] if "$ref" in first else first


def _table(heads: Sequence[str], rows: Iterable[str]) -> str:
    head = "".join(f"<th>{each}</th>" for each in heads)
    return (
        f"<div class=tables><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _method(method: str) -> str:
    return f'<span class="method {method}">{method.upper()}</span>'


def _title(tag: str) -> str:
    return escape(tag.replace("-", " ").capitalize())


def _prose(text: str) -> str:
    """Text with `code` and [links](/path) as HTML."""
    linked = _LINK.sub(r'<a href="\2">\1</a>', escape(text, quote=False))
    return _BACKTICKS.sub(r"<code>\1</code>", linked)
