"""Whether a decoded TOML document has the shape of the settings; if not, a line for each place.

Owns the walk over the document, and its messages. Must not know single settings. msgspec converts
the document afterwards. Its own errors neither show the value nor name the nearest key.
"""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping

from msgspec import NODEFAULT, inspect

from gateway.config.values import WrittenValue


class ConfigError(Exception):
    """The configuration cannot be used. `faults`: a line for each mistake, its place and remedy."""

    def __init__(self, *faults: str) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


class Expected(Exception):
    """The message is the end of the sentence "<value> is not …"."""


def nearest(name: str, known: Iterable[str]) -> str:
    """`"; did you mean 'x'?"` for a likely misspelling, else the list of what is known."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known: {', '.join(names)}" if names else ""


def check_shape(value: object, kind: inspect.Type, path: str = "") -> None:
    """Raise ConfigError with every place where the document differs from the settings' types."""
    faults = [f"{where}: {what}" for where, what in shape_faults(value, kind, path)]
    if faults:
        raise ConfigError(*faults)


def shape_faults(value: object, kind: inspect.Type, path: str = "") -> Iterator[tuple[str, str]]:
    """Every such place, and what is wrong there."""
    extra: dict[str, object] = {}
    kind = bare(value, kind, extra)
    if isinstance(kind, inspect.StructType):
        yield from _table_faults(value, kind, path)
    elif isinstance(kind, inspect.VarTupleType):
        yield from _list_faults(value, kind, path)
    elif isinstance(kind, inspect.DictType):
        yield from _map_faults(value, kind, path)
    else:
        try:
            _check_scalar(value, kind, extra)
        except Expected as expected:
            shown = "" if "secret" in extra else f"{shown_value(value)} "
            yield path, f"{shown}is not {expected}"


def shown_value(value: object) -> str:
    """A value as TOML would write it, shortened."""
    if isinstance(value, bool):
        return str(value).lower()
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)
    text = text if text.isprintable() else ascii(text)
    return text if len(text) <= 80 else f"{text[:77]}…"


def bare(value: object, kind: inspect.Type, extra: dict[str, object] | None = None) -> inspect.Type:
    """The one type that this value is checked against. What else is said of it goes to `extra`."""
    while isinstance(kind, (inspect.Metadata, inspect.UnionType)):
        if isinstance(kind, inspect.UnionType):
            kind = _chosen(value, kind)
        else:
            if extra is not None:
                extra |= {**(kind.extra or {}), **extra}
            kind = kind.type
    return kind


def _chosen(value: object, union: inspect.UnionType) -> inspect.Type:
    """The member of `T | None` or `str | table` that this value is checked against."""
    members = [kind for kind in union.types if not isinstance(kind, inspect.NoneType)]
    tables = [kind for kind in members if isinstance(kind, inspect.StructType)]
    if tables and isinstance(value, dict):
        return tables[0]
    return next((kind for kind in members if kind not in tables), members[0])


def _table_faults(value: object, kind: inspect.StructType, path: str) -> Iterator[tuple[str, str]]:
    if not isinstance(value, dict):
        yield path, f"{shown_value(value)} is not a table"
        return
    fields = {field.encode_name: field for field in kind.fields}
    prefix = f"{path}." if path else ""
    for key in value:
        if key not in fields:
            shown = key if key.isprintable() else ascii(key)
            yield prefix + shown, f"unknown key{nearest(key, fields)}"
    for name, field in fields.items():
        if name in value:
            yield from shape_faults(value[name], field.type, prefix + name)
        elif field.default is NODEFAULT and field.default_factory is NODEFAULT:
            yield prefix + name, "missing"


def _list_faults(value: object, kind: inspect.VarTupleType, path: str) -> Iterator[tuple[str, str]]:
    if not isinstance(value, list):
        yield path, f"{shown_value(value)} is not a list"
        return
    low, high = kind.min_length or 0, kind.max_length or math.inf
    if not low <= len(value) <= high:
        yield path, f"{len(value)} entries; {_range(low, high)} are allowed"
        return
    for index, item in enumerate(value):
        yield from shape_faults(item, kind.item_type, f"{path}[{index}]")


def _map_faults(value: object, kind: inspect.DictType, path: str) -> Iterator[tuple[str, str]]:
    """A table whose keys are not ours."""
    if not isinstance(value, dict):
        yield path, f"{shown_value(value)} is not a table"
        return
    if len(value) > (kind.max_length or math.inf):
        yield path, f"{len(value)} entries; {kind.max_length} are the most"
        return
    for key, item in value.items():
        yield from shape_faults(key, kind.key_type, f"{path}, a key")
        shown = key if key.isprintable() else ascii(key)
        yield from shape_faults(item, kind.value_type, f"{path}.{shown}")


def _check_scalar(value: object, kind: inspect.Type, extra: Mapping[str, object]) -> None:
    match kind:
        case inspect.BoolType():
            if not isinstance(value, bool):
                raise Expected("true or false")
        case inspect.IntType() | inspect.FloatType():
            _check_number(value, kind)
        case inspect.StrType():
            _check_text(value, kind, extra)
        case inspect.LiteralType():
            if value not in kind.values:
                raise Expected("one of " + ", ".join(f'"{each}"' for each in kind.values))
        case inspect.CustomType():
            _check_written(value, kind)
        case _:
            raise TypeError(f"a setting has a type the loader does not know: {kind}")


def _check_number(value: object, kind: inspect.IntType | inspect.FloatType) -> None:
    integral = isinstance(kind, inspect.IntType)
    if isinstance(value, bool) or not isinstance(value, int if integral else (int, float)):
        raise Expected("an integer" if integral else "a number")
    low = -math.inf if kind.ge is None else kind.ge
    high = math.inf if kind.le is None else kind.le
    if not low <= value <= high:
        raise Expected(_range(low, high))


def _check_text(value: object, kind: inspect.StrType, extra: Mapping[str, object]) -> None:
    if not isinstance(value, str):
        raise Expected("text in quotes")
    if kind.pattern is not None and not re.search(kind.pattern, value):
        raise Expected(str(extra.get("expected", f"text that matches {kind.pattern}")))
    low, high = kind.min_length or 0, kind.max_length or math.inf
    if not low <= len(value) <= high:
        raise Expected(f"text of {_range(low, high)} characters")


def _check_written(value: object, kind: inspect.CustomType) -> None:
    assert issubclass(kind.cls, WrittenValue)
    try:
        kind.cls.parse(value)
    except ValueError as error:
        raise Expected(str(error)) from None


def _range(low: float, high: float) -> str:
    if high == math.inf:
        return f"at least {low}"
    return f"between {low} and {high}"
