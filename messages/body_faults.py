"""All mistakes of a JSON body at once, in the words of the API.

Owns the walk over a body that msgspec refused. Must not know a single field, nor decide what a
value means. Costs nothing while bodies are right.

msgspec stops at the first mistake and speaks of its own types. What is right of the body is kept,
so that its values can be checked too.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import islice
from types import MappingProxyType
from typing import Generic, TypeVar

import msgspec
from msgspec import inspect

from messages.json_text import (
    JsonObject,
    NotJson,
    is_utf8,
    parsed,
    pointer_step,
    repeated_members,
)
from messages.models import FieldError

FAULTS_MAX = 20  # of one body or item; more are hardly worth reading
BYTES_MAX = 256 << 10  # of a body that is walked: 5 ms
UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

Body = TypeVar("Body", bound=msgspec.Struct)
Codes = Mapping[str, str]  # the code of a malformed text, by the outermost field's name
_NONE: Codes = MappingProxyType({})

_TIME = "an RFC 3339 time with an offset, such as 2026-11-22T10:00:00Z"
_GOT = {
    bool: "true or false", int: "an integer", float: "a number", str: "a string",
    list: "a list", type(None): "null",
}  # fmt: skip
_UNREADABLE = FieldError("field_type", "this cannot be read", "")
_LISTS = (inspect.ListType, inspect.VarTupleType)
_TEXTS = (inspect.StrType, inspect.LiteralType, inspect.DateTimeType)
_PLAIN: Mapping[type, tuple[type, ...]] = {
    inspect.BoolType: (bool,), inspect.IntType: (int,), inspect.FloatType: (int, float),
}  # fmt: skip
_BROKEN = re.compile("[\ud800-\udfff]")
_WANTED = {
    inspect.BoolType: "true or false", inspect.IntType: "an integer",
    inspect.FloatType: "a number",
    inspect.StrType: "a string", inspect.DateTimeType: "a time",
    inspect.LiteralType: "a string", inspect.ListType: "a list", inspect.VarTupleType: "a list",
    inspect.StructType: "an object", inspect.DictType: "an object",
}  # fmt: skip


class Faults(list[FieldError]):
    """The faults of one body.

    Nothing more is taken about the outermost fields in `spoiled`. So a wrong value is complained of
    once.
    """

    def __init__(self, found: Sequence[FieldError] = (), spoiled: frozenset[str] = frozenset()):
        super().__init__(found)
        self.spoiled = spoiled

    def append(self, fault: FieldError) -> None:
        """Add a fault, unless its field is spoiled already."""
        if _outermost(fault.pointer) not in self.spoiled:
            super().append(fault)


class Mended(msgspec.Struct, Generic[Body]):
    """What is right of a body. Other fields have their default, or "". None: nothing is right."""

    body: Body | None
    faults: Faults


def mended(raw: bytes | msgspec.Raw, kind: type[Body], codes: Codes = _NONE) -> Mended[Body]:
    """All faults of a body that msgspec could not decode, and the rest of it."""
    raw = bytes(raw)
    if len(raw) > BYTES_MAX:
        found = list(islice(_outer_faults(raw, kind), FAULTS_MAX))
        return Mended(None, Faults(found or [_UNREADABLE]))
    try:
        value = parsed(raw)
    except NotJson as error:
        if raw.lstrip(b" \t\n\r")[:1] in (b"[", b'"'):  # perhaps nested too deeply, but no object
            return Mended(None, Faults([FieldError("field_type", "this is not an object", "")]))
        return Mended(None, Faults([not_json(error.position)]))
    walk = _Walk(codes, utf8=is_utf8(raw))
    faults = list(islice(walk.faults(value, _type_info(kind), ""), FAULTS_MAX))
    if not isinstance(value, JsonObject):
        return Mended(None, Faults(faults))
    spoiled = {_outermost(fault.pointer) for fault in faults}
    given: dict[str, object] = {}
    for field in msgspec.structs.fields(kind):
        name = field.encode_name
        if name in value and name not in spoiled:
            try:
                given[field.name] = msgspec.convert(value[name], field.type)
                continue
            except (msgspec.ValidationError, UnicodeEncodeError, RecursionError):
                faults.append(FieldError("field_type", f"{name} cannot be read", f"/{name}"))
                spoiled.add(name)
        if field.required:
            given[field.name] = ""
    if not faults:  # msgspec found one
        faults.append(_UNREADABLE)
    return Mended(kind(**given), Faults(faults, frozenset(spoiled)))


def repeated(raw: bytes | msgspec.Raw) -> Faults:
    """The members that a body which msgspec has decoded names more than once."""
    try:
        pointers = repeated_members(bytes(raw))
    except NotJson as error:  # the two of them read a number differently
        return Faults([not_json(error.position)])
    faults = [_repeated(pointer) for pointer in pointers[:FAULTS_MAX]]
    return Faults(faults, frozenset(_outermost(pointer) for pointer in pointers))


def not_json(position: int | None) -> FieldError:
    """The fault of a body that is no JSON from this character on. None: it is nested too deeply."""
    if position is None:
        return FieldError("malformed_json", "the JSON is nested too deeply", "")
    return FieldError("malformed_json", f"this is not JSON, from character {position} on", "")


@lru_cache(maxsize=1024)  # who misspells a field does so in every item
def nearest(name: str, known: tuple[str, ...]) -> str:
    """The end of the sentence: what was probably meant, or everything there is."""
    close = difflib.get_close_matches(name[:100], known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(known)}"


def _outer_faults(raw: bytes, kind: type[msgspec.Struct]) -> Iterator[FieldError]:
    """What is wrong with the outermost fields of a body too long to be walked."""
    try:
        members = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    except msgspec.ValidationError:
        yield FieldError("field_type", "this is not an object", "")
        return
    except UNDECODABLE:
        yield FieldError("malformed_json", "this is not JSON", "")
        return
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    for name, member in members.items():
        if name not in fields:
            yield _unknown(name, tuple(fields), pointer_step(name))
            continue
        try:
            msgspec.json.decode(member, type=fields[name].type)
        except UNDECODABLE:
            yield FieldError("field_type", f"{name} cannot be read", f"/{name}")
    for name, field in fields.items():
        if field.required and name not in members:
            yield FieldError("field_missing", f"{name} is missing", f"/{name}")


@lru_cache(maxsize=64)
def _type_info(kind: type[msgspec.Struct]) -> inspect.Type:
    return inspect.type_info(kind)


def _outermost(pointer: str | None) -> str:
    return (pointer or "").partition("/")[2].partition("/")[0]


def in_list(faults: Iterable[FieldError], name: str, index: int) -> tuple[FieldError, ...]:
    """What is wrong with an item of the list `name`, as pointers into the whole body."""
    return tuple(
        msgspec.structs.replace(each, pointer=f"/{name}/{index}{each.pointer or ''}")
        for each in faults
    )


class _Walk:
    """A walk through one body. `utf8`: broken text in it was written with escapes."""

    def __init__(self, codes: Codes, *, utf8: bool) -> None:
        self._codes = codes
        self._utf8 = utf8

    def faults(self, value: object, kind: inspect.Type, pointer: str) -> Iterator[FieldError]:
        """The faults where the value is not of this kind."""
        kind = _meant(value, kind)
        if isinstance(kind, (inspect.RawType, inspect.NoneType)):
            return
        if isinstance(kind, inspect.AnyType):
            yield from self._in_any(value, pointer)
            return
        if isinstance(kind, inspect.StructType) and isinstance(value, JsonObject):
            yield from self._of_object(value, kind, pointer)
        elif isinstance(kind, inspect.DictType) and isinstance(value, JsonObject):
            yield from self._of_members(value, kind.value_type, pointer)
        elif isinstance(kind, _LISTS) and isinstance(value, list):
            yield from self._of_list(value, kind, pointer)
        elif isinstance(kind, _TEXTS) and isinstance(value, str):
            yield from self._of_text(value, kind, pointer)
        elif type(value) not in _PLAIN.get(type(kind), ()):
            got = _GOT.get(type(value), "an object")
            wanted = _WANTED.get(type(kind), "of another kind")
            yield FieldError("field_type", f"{_name(pointer)} is {got}, not {wanted}", pointer)

    def _of_object(
        self, value: JsonObject, kind: inspect.StructType, pointer: str
    ) -> Iterator[FieldError]:
        fields = {field.encode_name: field for field in kind.fields}
        for name in value.repeated:
            yield _repeated(pointer + pointer_step(name))
        for name, member in value.items():
            step = pointer + pointer_step(name)
            if name in fields:
                yield from self.faults(member, fields[name].type, step)
            elif kind.forbid_unknown_fields:
                yield _unknown(name, tuple(fields), step)
        for name, field in fields.items():
            if field.required and name not in value:
                step = f"{pointer}/{name}"
                yield FieldError("field_missing", f"{_name(step)} is missing", step)

    def _of_members(
        self, value: JsonObject, kind: inspect.Type, pointer: str
    ) -> Iterator[FieldError]:
        for name in value.repeated:
            yield _repeated(pointer + pointer_step(name))
        for name, member in value.items():
            step = pointer + pointer_step(name)
            if (broken := self._broken(name, step)) is not None:
                yield broken
            yield from self.faults(member, kind, step)

    def _of_list(
        self, value: list[object], kind: inspect.ListType | inspect.VarTupleType, pointer: str
    ) -> Iterator[FieldError]:
        fault = _length_fault(len(value), kind.min_length, kind.max_length, "entries")
        if fault is not None:
            yield FieldError("field_type", f"{_name(pointer)} {fault}", pointer)
            return
        for index, item in enumerate(value):
            yield from self.faults(item, kind.item_type, f"{pointer}/{index}")

    def _of_text(self, text: str, kind: inspect.Type, pointer: str) -> Iterator[FieldError]:
        broken = self._broken(text, pointer)
        if broken is not None:
            yield broken
        elif (fault := _text_fault(text, kind)) is not None:
            yield FieldError(self._code(pointer), f"{_name(pointer)} {fault}", pointer)

    def _in_any(self, value: object, pointer: str) -> Iterator[FieldError]:
        """In what may be anything: texts that nothing takes, and members given twice."""
        waiting = [(value, pointer)]
        while waiting:  # it may be nested deeper than calls can be
            each, at = waiting.pop()
            if isinstance(each, JsonObject):
                members = [(name, at + pointer_step(name)) for name in each]
                broken = [self._broken(name, step) for name, step in members]
                yield from (fault for fault in broken if fault is not None)
                yield from (_repeated(at + pointer_step(name)) for name in each.repeated)
                waiting += reversed([(each[name], step) for name, step in members])
            elif isinstance(each, list):
                waiting += reversed([(v, f"{at}/{n}") for n, v in enumerate(each)])
            elif isinstance(each, str) and (fault := self._broken(each, at)) is not None:
                yield fault

    def _broken(self, text: str, pointer: str) -> FieldError | None:
        broken = _BROKEN.search(text)
        if broken is None:
            return None
        if self._utf8 or not "\udc80" <= broken[0] <= "\udcff":
            said = f"{_name(pointer)} holds U+{ord(broken[0]):04X}, half of a character"
            return FieldError(self._code(pointer), said, pointer)
        return FieldError("malformed_json", f"{_name(pointer)} is not UTF-8", pointer)

    def _code(self, pointer: str) -> str:
        return self._codes.get(_outermost(pointer), "field_type")


def _text_fault(text: str, kind: inspect.Type) -> str | None:
    """The rest of the sentence that begins with the field's name."""
    if isinstance(kind, inspect.LiteralType):
        if text in kind.values:
            return None
        return f"is one of {', '.join(str(each) for each in kind.values)}"
    if isinstance(kind, inspect.DateTimeType):
        return None if _is_time(text) else f"is not {_TIME}"
    assert isinstance(kind, inspect.StrType)
    if kind.pattern is not None and re.search(kind.pattern, text) is None:
        return "is empty" if not text else "holds characters that it may not have"
    return _length_fault(len(text), kind.min_length, kind.max_length, "characters")


def _length_fault(length: int, low: int | None, high: int | None, of_what: str) -> str | None:
    if (low or 0) <= length and (high is None or length <= high):
        return None
    allowed = f"{low} or more" if high is None else f"{low or 0} to {high}"
    return f"has {length} {of_what}; {allowed} are allowed"


def _is_time(text: str) -> bool:
    try:
        return msgspec.convert(text, datetime).tzinfo is not None
    except (msgspec.ValidationError, UnicodeEncodeError):
        return False


def _unknown(name: str, known: tuple[str, ...], pointer: str) -> FieldError:
    detail = f"there is no field {name[:100]!r}{nearest(name, known)}"
    return FieldError("field_unknown", detail, pointer)


def _repeated(pointer: str) -> FieldError:
    return FieldError("field_repeated", f"{_name(pointer)} is given twice", pointer)


def _meant(value: object, kind: inspect.Type) -> inspect.Type:
    """The kind without what is said of it; of several the one that the value seems to be of."""
    while isinstance(kind, (inspect.Metadata, inspect.UnionType)):
        if isinstance(kind, inspect.Metadata):
            kind = kind.type
            continue
        empty = [each for each in kind.types if isinstance(each, inspect.NoneType)]
        if value is None and empty:
            return empty[0]
        kinds = [each for each in kind.types if not isinstance(each, inspect.NoneType)]
        is_object = isinstance(value, JsonObject)
        fits = [each for each in kinds if isinstance(each, inspect.StructType) == is_object]
        kind = (fits or kinds)[0]
    return kind


def _name(pointer: str) -> str:
    return pointer[1:] or "this"
