"""Owns the way between JSON and dataclasses, by their annotations.

Fields that a dataclass lacks are passed over: a later gateway may say more. One that may be null
may be missing as well: an earlier gateway says less. Must not know a particular one.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from enum import Enum
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")

NEEDED = object()

Reader = Callable[[Any], Any]


class ShapeError(ValueError):
    """A JSON document is not what was expected; the text says where."""


def named(name: str) -> dict[str, str]:
    """Metadata of a field whose name in JSON is no Python name, as `from`."""
    return {"name": name}


def json_name(field: dataclasses.Field[Any]) -> str:
    """What a field is called in JSON."""
    return str(field.metadata.get("name", field.name))


def read(shape: type[T], value: object) -> T:
    """The dataclass that a JSON object describes; raises ShapeError."""
    reader: Callable[[object], T] = _reader(shape)
    return reader(value)


def write(value: Any) -> Any:
    """What goes into JSON for a value. A field that is None is left out."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            json_name(field): write(inner)
            for field in dataclasses.fields(value)
            if (inner := getattr(value, field.name)) is not None
        }
    if isinstance(value, Mapping):
        return {str(key): write(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [write(inner) for inner in value]
    return write_time(value) if isinstance(value, datetime) else value


def write_time(moment: datetime) -> str:
    """In UTC; a naive time is refused, since nobody can say when it is."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone; give one, as datetime.now(UTC) does")
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _reader_of(shape: Any) -> Reader:
    origin, arguments = get_origin(shape), get_args(shape)
    if origin in (Union, types.UnionType):
        return _or_none(_first_of([_reader(each) for each in arguments if each is not type(None)]))
    if origin is tuple:
        return _each(_reader(arguments[0]))
    if origin is not None and issubclass(origin, Mapping):
        return _values(_reader(arguments[1]))
    if dataclasses.is_dataclass(shape):
        return _fields(shape)
    if shape is datetime:
        return _time
    if shape is date:
        return _day
    if isinstance(shape, type) and issubclass(shape, Enum):
        return _of(str, shape)
    if shape is float:
        return _of((int, float), float)
    return _same if shape in (Any, object) else _of(shape, shape)


# A reader of each dataclass is put together once; there are as many as dataclasses.
_reader: Callable[[Any], Reader] = cache(_reader_of)


def _same(value: Any) -> Any:
    return value


def _of(accepted: Any, make: Reader) -> Reader:
    def of(value: Any) -> Any:
        if not isinstance(value, accepted) or (isinstance(value, bool) and accepted is not bool):
            raise ShapeError(f"{value!r:.80} where {getattr(make, '__name__', make)} belongs")
        return make(value)

    return of


def _time(value: Any) -> datetime:
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise ShapeError(f"{value!r:.80} where a time belongs") from None


def _day(value: Any) -> date:
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise ShapeError(f"{value!r:.80} where a day belongs") from None


def _or_none(inner: Reader) -> Reader:
    return lambda value: None if value is None else inner(value)


def _first_of(forms: Sequence[Reader]) -> Reader:
    """The form that a value has; what has none is told as the last."""

    def first(value: Any) -> Any:
        for form in forms[:-1]:
            try:
                return form(value)
            except ShapeError:
                continue
        return forms[-1](value)

    return first if len(forms) > 1 else forms[0]


def _each(inner: Reader) -> Reader:
    def each(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise ShapeError(f"{value!r:.80} where an array belongs")
        return tuple(map(inner, value))

    return each


def _values(inner: Reader) -> Reader:
    def values(value: Any) -> dict[str, Any]:
        return {key: inner(each) for key, each in _object(value).items()}

    return values


def _object(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ShapeError(f"{value!r:.80} where an object belongs")
    return value


def _fields(shape: Any) -> Reader:
    hints = get_type_hints(shape)
    fields = [
        (each.name, json_name(each), _reader(hints[each.name]), _default(each, hints[each.name]))
        for each in dataclasses.fields(shape)
    ]

    def fill(value: Any) -> Any:
        given = _object(value)
        found = {}
        for name, key, inner, default in fields:
            if key not in given:
                if default is NEEDED:
                    raise ShapeError(f"{shape.__name__} without {key}")
                found[name] = default() if callable(default) else default
                continue
            try:
                found[name] = inner(given[key])
            except ShapeError as error:
                raise ShapeError(f"{key}: {error}") from None
        return shape(**found)

    return fill


def _default(field: dataclasses.Field[Any], hint: Any) -> Any:
    """What stands for a field that is missing, or makes it."""
    if field.default is not dataclasses.MISSING:
        return field.default
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory
    return None if type(None) in get_args(hint) else NEEDED
