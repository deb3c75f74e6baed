"""The page docs/configuration.md, from the types of the settings.

    python -m gateway.config.reference > docs/configuration.md

Owns the page's form. Must not document a setting: the words are those of the settings' types.
"""

from __future__ import annotations

import inspect as introspection
import sys
from collections.abc import Iterator

import msgspec
from msgspec import NODEFAULT, inspect

from gateway.config.settings import Config
from gateway.config.shape import shown_value
from gateway.config.values import WrittenValue

_INTRODUCTION = """\
# Configuration

smsgate reads one TOML file (`smsgate serve --config smsgate.toml`) and the environment. Everything
has a default: without a file the gateway starts with none of the connectors below.

- A variable `SMSGATE_<SECTION>__<KEY>` overrides the file: `SMSGATE_HTTP__LISTEN=0.0.0.0:8080`.
- An entry of a list is meant by its position or its name:
  `SMSGATE_CONNECTORS__0__PASSWORD`, `SMSGATE_CONNECTORS__CARRIER_A__PASSWORD`.
- `_FILE` at the end reads the value from a file:
  `SMSGATE_DATABASE__URL_FILE=/run/secrets/database_url`.
- Text is taken as it is; numbers, lists and tables as TOML:
  `SMSGATE_ACCOUNTS__SHOP__SENDERS='["SHOP"]'`;
  `SMSGATE_CONNECTORS`, `SMSGATE_ROUTES` and `SMSGATE_ACCOUNTS` replace a whole list.
- An unknown key, a wrong type or a value out of range stops the start. All of them are told
  at once, each in a line that says where and what would be right. `smsgate config check` does the
  same without starting; `smsgate config show` prints what is in effect, without the secrets.

Made from the types of the settings by `python -m gateway.config.reference`; a test holds the two
together.
"""


def render() -> str:
    """The whole page, Markdown."""
    root = inspect.type_info(Config)
    assert isinstance(root, inspect.StructType)
    return "\n".join([_INTRODUCTION, *_sections(root)])


def _sections(root: inspect.StructType) -> Iterator[str]:
    for field in root.fields:
        kind = field.type
        if isinstance(kind, inspect.VarTupleType):
            heading, table = f"[[{field.name}]]", kind.item_type
        else:
            heading, table = f"[{field.name}]", kind
        assert isinstance(table, inspect.StructType)
        yield from _section(heading, table)


def _section(heading: str, table: inspect.StructType) -> Iterator[str]:
    yield f"## `{heading}`\n"
    yield f"{introspection.getdoc(table.cls)}\n"
    yield "| key | type | default | meaning |\n| --- | --- | --- | --- |"
    nested: list[tuple[str, inspect.StructType]] = []
    for field in table.fields:
        kind, words = _described(field.type)
        if isinstance(kind, inspect.UnionType):  # a table or none
            kind = next((each for each in kind.types if _is_table(each)), kind)
        if isinstance(kind, inspect.StructType) and kind.cls not in {t.cls for _, t in nested}:
            nested.append((f"{heading} {field.name}", kind))
        elif isinstance(kind, inspect.VarTupleType) and isinstance(
            kind.item_type, inspect.StructType
        ):
            nested.append((f"{heading} [[{field.name}]]", kind.item_type))
        yield f"| `{field.name}` | {_type_words(kind)} | {_default(field)} | {words} |"
    yield ""
    for inner_heading, inner in nested:
        yield from _section(inner_heading, inner)


def _is_table(kind: inspect.Type) -> bool:
    return isinstance(kind, inspect.StructType)


def _described(kind: inspect.Type) -> tuple[inspect.Type, str]:
    words = ""
    while isinstance(kind, inspect.Metadata):
        words = str((kind.extra_json_schema or {}).get("description", words))
        kind = kind.type
    return kind, words


def _type_words(kind: inspect.Type) -> str:
    match kind:
        case inspect.Metadata():
            return _type_words(kind.type)
        case inspect.UnionType():
            members = [each for each in kind.types if not isinstance(each, inspect.NoneType)]
            return " or ".join(_type_words(each) for each in members)
        case inspect.VarTupleType():
            return f"list of {_type_words(kind.item_type)}"
        case inspect.IntType() | inspect.FloatType():
            name = "integer" if isinstance(kind, inspect.IntType) else "number"
            return f"{name}, {kind.ge} to {kind.le}"
        case inspect.StrType() | inspect.BoolType():
            return "text" if isinstance(kind, inspect.StrType) else "true or false"
        case inspect.LiteralType():
            return ", ".join(f"`{value}`" for value in kind.values)
        case inspect.CustomType() if issubclass(kind.cls, WrittenValue):
            return kind.cls.syntax
        case inspect.StructType():
            return "table"
        case inspect.DictType():
            return f"table, each value {_type_words(kind.value_type)}"
        case _:
            raise TypeError(f"a setting has a type the page has no words for: {kind}")


def _default(field: inspect.Field) -> str:
    value = field.default
    if field.default_factory is dict:
        return "`{}`"
    if value is NODEFAULT:
        return "required"
    if value is None or value == ():
        return "none"
    if isinstance(value, msgspec.Struct):
        return "`{}`"
    if isinstance(value, int) and not isinstance(value, bool):
        value = value if type(value) is int else str(value)  # a Size says its unit
    return f"`{shown_value(value)}`"


if __name__ == "__main__":
    sys.stdout.write(render())
