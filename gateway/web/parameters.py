"""Query parameters as types: a msgspec Struct names them, bounds them and describes them.

Owns the step from a query string to that Struct and the refusals on the way. The same Struct is
what the OpenAPI document shows. Must not know an endpoint.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Generic, TypeVar

import msgspec
from aiohttp import web

from gateway.accept.models import FieldError
from gateway.web.problems import ProblemError

NAME_CHARACTERS_MAX = 100

Query = TypeVar("Query", bound=msgspec.Struct)

_INTEGER = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_TRUTH = {"true": True, "false": False}
_AT = re.compile(r"(?P<what>.*) - at `\$\.?(?P<name>[^`.\[]*)[^`]*`", re.DOTALL)
_TIME = "an RFC 3339 time such as 2026-11-22T10:00:00Z; in a URL + is written %2B"
_WORDS = {
    "int": "an integer", "float": "a number", "bool": "true or false", "str": "a text",
    "datetime": _TIME,
}  # fmt: skip


class QueryReader(Generic[Query]):
    """Reads the query strings of one endpoint into `kind`, a Struct of texts, integers, truths and
    times.
    """

    def __init__(self, kind: type[Query]) -> None:
        self._kind = kind
        self._known = kind.__struct_encode_fields__
        self._plain = {
            field.encode_name: _plain(msgspec.inspect.type_info(field.type))
            for field in msgspec.structs.fields(kind)
        }

    def read(self, request: web.Request) -> Query:
        """The request's parameters. Raises ProblemError 422 naming the one that is wrong.

        Parameters that the Struct does not have, or that come twice, are refused: a filter that is
        silently ignored would answer another question.
        """
        given: dict[str, object] = {}
        for name, value in request.query.items():
            if name not in self._known:
                raise invalid("parameter_unknown", name, f"unknown{nearest(name, self._known)}")
            if name in given:
                raise invalid("parameter_invalid", name, "given twice")
            given[name] = self._value(name, value)
        try:
            return msgspec.convert(given, self._kind)
        except msgspec.ValidationError as error:
            match = _AT.fullmatch(str(error))
            name, what = (match["name"], match["what"]) if match else ("query", str(error))
            raise invalid("parameter_invalid", name, _in_words(what)) from None

    def _value(self, name: str, text: str) -> object:
        plain = self._plain[name]
        if plain is int and _INTEGER.fullmatch(text):
            return int(text)
        return _TRUTH.get(text, text) if plain is bool else text


def invalid(code: str, name: str, fault: str) -> ProblemError:
    """The refusal of one parameter."""
    name = name[:NAME_CHARACTERS_MAX]
    detail = f"{name}: {fault}"
    return ProblemError(code, detail, (FieldError(code, detail, parameter=name),))


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of the sentence: what was probably meant, or everything there is."""
    known = tuple(known)
    close = difflib.get_close_matches(name[:NAME_CHARACTERS_MAX], known, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; there are {', '.join(known)}" if known else "; there are none"


def _plain(kind: msgspec.inspect.Type) -> type | None:
    """int or bool if a query string has to be turned into one; None for what stays text."""
    if isinstance(kind, msgspec.inspect.UnionType):
        found = [plain for each in kind.types if (plain := _plain(each)) is not None]
        return found[0] if found else None
    if isinstance(kind, msgspec.inspect.Metadata):
        return _plain(kind.type)
    if isinstance(kind, msgspec.inspect.IntType):
        return int
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
