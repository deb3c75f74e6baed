"""Query parameters as types: a msgspec Struct names them, bounds them and describes them.

Owns the step from a query string to that Struct, and the refusals on the way. Must not know an
endpoint. The OpenAPI document shows the same Struct.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from types import MappingProxyType
from typing import Generic, TypeAlias, TypeVar

import msgspec
from aiohttp import web

from messages.models import FieldError
from web.edge.problems import ProblemError

NAME_CHARACTERS_MAX = 100
TEXT_CHARACTERS_MAX = 4096  # of a value; what is looked up has closer bounds of its own
FAULTS_MAX = 20
# Between these, no moment is too early or too late for what is done with it.
YEAR_MIN, YEAR_MAX = 1970, 2100
MOMENTS = datetime(YEAR_MIN, 1, 1, tzinfo=UTC), datetime(YEAR_MAX + 1, 1, 1, tzinfo=UTC)

Query = TypeVar("Query", bound=msgspec.Struct)

_Fields: TypeAlias = Mapping[str, msgspec.structs.FieldInfo]
_Plain: TypeAlias = Mapping[str, type | None]

_INTEGER = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?", re.ASCII)
# What no text of a body may hold either: whatever can be stored can be asked for.
_NOT_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_TRUTH = {"true": True, "false": False}
_TIME = "an RFC 3339 time such as 2026-11-22T10:00:00Z; in a URL + is written %2B"
_WORDS = {
    "int": "an integer", "float": "a number", "bool": "true or false", "str": "a text",
    "datetime": _TIME,
}  # fmt: skip


class QueryReader(Generic[Query]):
    """Reads query strings of one endpoint into `kind`, a Struct of texts, numbers, booleans and
    times.
    """

    def __init__(self, kind: type[Query]) -> None:
        self._kind = kind
        self._fields, self._plain = _known(kind)

    def read(
        self,
        request: web.Request,
        further: Callable[[Mapping[str, object]], Iterable[FieldError]] | None = None,
    ) -> Query:
        """The request's parameters. Raises ProblemError 422 that names each one that is wrong.

        Parameters that the Struct does not have, or that come twice, are refused. A filter that is
        silently ignored would answer another question. `further` says what else is wrong with the
        values that are good so far.
        """
        faults: list[FieldError] = []
        given: dict[str, str] = {}
        for name, value in request.query.items():
            if name not in self._fields:
                what = f"unknown{nearest(name, self._fields)}"
                faults.append(fault("parameter_unknown", name, what))
            elif name in given:
                faults.append(fault("parameter_invalid", name, "given twice"))
            else:
                given[name] = value
        values: dict[str, object] = {}
        for name, field in self._fields.items():
            if name in given:
                try:
                    values[field.name] = self._value(field, given[name])
                except ValueError as error:
                    faults.append(fault("parameter_invalid", name, str(error)))
            elif field.required:
                faults.append(fault("parameter_invalid", name, "missing"))
        if further is not None:
            faults.extend(further(values))
        if faults:
            raise ProblemError(faults[0].code, faults[0].detail, tuple(faults[:FAULTS_MAX]))
        return self._kind(**values)

    def _value(self, field: msgspec.structs.FieldInfo, text: str) -> object:
        """The value of one parameter. Raises ValueError, worded for the client."""
        if len(text) > TEXT_CHARACTERS_MAX:
            raise ValueError(f"longer than {TEXT_CHARACTERS_MAX} characters")
        if _NOT_TEXT.search(text) is not None:
            raise ValueError("holds control characters")
        plain = self._plain[field.encode_name]
        value: object = text
        if plain is int and _INTEGER.fullmatch(text):
            value = int(text)
        elif plain is float and _NUMBER.fullmatch(text):
            value = float(text)
        elif plain is bool:
            value = _TRUTH.get(text, text)
        try:
            value = msgspec.convert(value, field.type)
        except msgspec.ValidationError as error:
            raise ValueError(_in_words(str(error))) from None
        if isinstance(value, datetime) and not MOMENTS[0] <= value < MOMENTS[1]:
            raise ValueError(f"{value.year} is not between {YEAR_MIN} and {YEAR_MAX}")
        return value


def held(
    **checks: Callable[[str], str | None],
) -> Callable[[Mapping[str, object]], Iterator[FieldError]]:
    """For `read`: of texts by their parameter what is wrong with each, worded for the client."""

    def faults(values: Mapping[str, object]) -> Iterator[FieldError]:
        for name, check in checks.items():
            value = values.get(name)
            if isinstance(value, str) and (what := check(value)) is not None:
                yield fault("parameter_invalid", name, what)

    return faults


def unknown_parameters(names: Sequence[str], instead: str = "") -> ProblemError:
    """The refusal of parameters by an endpoint that has none."""
    what = f"unknown; there are none{instead and '; '}{instead}"
    faults = [fault("parameter_unknown", name, what) for name in dict.fromkeys(names)]
    return ProblemError(faults[0].code, faults[0].detail, tuple(faults[:FAULTS_MAX]))


def fault(code: str, name: str, what: str) -> FieldError:
    """What is wrong with one parameter. Its name may be anything that a URL can hold."""
    name = name[:NAME_CHARACTERS_MAX].encode("utf-8", "replace").decode()
    return FieldError(code, f"{name}: {what}", parameter=name)


def invalid(code: str, name: str, what: str) -> ProblemError:
    """The refusal of one parameter."""
    found = fault(code, name, what)
    return ProblemError(code, found.detail, (found,))


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of the sentence: what was probably meant, or all possible names."""
    known = tuple(known)
    close = difflib.get_close_matches(name[:NAME_CHARACTERS_MAX], known, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; there are {', '.join(known)}" if known else "; there are none"


@cache
def _known(kind: type[msgspec.Struct]) -> tuple[_Fields, _Plain]:
    """The parameters by name, and which of them are no text."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    plain = {name: _plain(msgspec.inspect.type_info(field.type)) for name, field in fields.items()}
    return MappingProxyType(fields), MappingProxyType(plain)


def _plain(kind: msgspec.inspect.Type) -> type | None:
    """int, float or bool where a query string has to be converted; None for what stays text."""
    if isinstance(kind, msgspec.inspect.UnionType):
        found = [plain for each in kind.types if (plain := _plain(each)) is not None]
        return found[0] if found else None
    if isinstance(kind, msgspec.inspect.Metadata):
        return _plain(kind.type)
    if isinstance(kind, msgspec.inspect.IntType):
        return int
    if isinstance(kind, msgspec.inspect.FloatType):
        return float
    return bool if isinstance(kind, msgspec.inspect.BoolType) else None


def _in_words(what: str) -> str:
    """msgspec's sentence in the words of the API."""
    if "RFC3339" in what or "timezone" in what:
        return f"not {_TIME}"
    what = re.sub(r", got .*$", "", re.sub(r"^Expected ", "not ", what))
    what = re.sub(r"`([^`]*)`", _words, what)
    return what[:1].lower() + what[1:]


def _words(match: re.Match[str]) -> str:
    names = [name for name in match[1].split(" | ") if name != "null"]
    return " or ".join(_WORDS.get(name, name) for name in names)
