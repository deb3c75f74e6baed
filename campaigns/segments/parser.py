"""Reads the source of a segment into its tree, and tells every mistake of form at once.

Owns the grammar. Must not know which fields, tags or segments there are.

    expr  = and {"or" and};  and = not {"and" not};  not = ["not"] term
    term  = "(" expr ")" | value cmp lit | value ["not"] "in" "(" lit {"," lit} ")"
          | value "between" lit "and" lit | value ("contains" | "starts") text
          | "has" field | "tag" "(" text ")" | "segment" "(" text ")" | "source" "(" text ")"
    value = field | "count" "(" kind ["," 30d] ")" | "sum" "(" kind ["," 30d] ")"
          | "days_since" "(" kind ")" | "days_until" "(" field ")" | "age" | "bucket" "(" text ")"
    lit   = text | number | ["money"] 20.00 | ["date"] 2026-11-11 | "true" | "false"

A kind is a word or a text. Behind a mistake it goes on at the next `and`, `or` or parenthesis.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from typing import Final, Literal, NamedTuple, TypeVar

from campaigns.segments import limits
from campaigns.segments.lexer import Token, tokens
from campaigns.segments.mistakes import TOO_COMPLEX, Mistake, SegmentRefused
from campaigns.segments.tree import (
    Age,
    Aggregate,
    Bucket,
    DaysUntil,
    Events,
    Field,
    Joined,
    Named,
    Node,
    Not,
    Operator,
    Predicate,
    Said,
    Value,
    What,
)

Argument = TypeVar("Argument")
Word = TypeVar("Word", bound=str)

RESERVED: Final = frozenset(
    {"and", "or", "not", "in", "between", "contains", "starts", "has", "true", "false"}
)
_NAMED: Final[tuple[What, ...]] = ("tag", "segment", "source")
_AGGREGATES: Final[tuple[Aggregate, ...]] = ("count", "sum", "days_since")
_COMPARISONS: Final[tuple[Operator, ...]] = ("=", "!=", "<", "<=", ">", ">=")
_CONTAININGS: Final[tuple[Operator, ...]] = ("contains", "starts")
_LITERAL = "a text, a number, a date, true or false"
_NUMBER_CHARACTERS_MAX = 40


class Parsed(NamedTuple):
    """`whole` is None where there are mistakes of form. `terms` are the parts that are right."""

    whole: Node | None
    terms: tuple[Predicate | Named, ...]
    mistakes: tuple[Mistake, ...]


def parsed(source: str) -> Node:
    """The tree. Raises SegmentRefused with all mistakes of form."""
    whole, _, mistakes = read(source)
    if whole is None:
        raise SegmentRefused(mistakes)
    return whole


def read(source: str) -> Parsed:
    """The tree, or what is right of it. Raises SegmentRefused for a source that is too long."""
    if len(source) > limits.SOURCE_CHARACTERS_MAX:
        detail = f"a segment has at most {limits.SOURCE_CHARACTERS_MAX} characters"
        raise SegmentRefused([Mistake(limits.SOURCE_CHARACTERS_MAX + 1, detail, TOO_COMPLEX)])
    found, mistakes = tokens(source)
    reader = _Parser(found, mistakes)
    node = reader.whole()
    return Parsed(None if mistakes else node, tuple(reader.terms), tuple(mistakes))


class _Stopped(Exception):
    """A term is not to be understood; its mistake is noted."""


class _Parser:
    """Goes over the tokens once. `mistakes` is the caller's list; `terms` are those it has read."""

    def __init__(self, found: list[Token], mistakes: list[Mistake]) -> None:
        self._tokens = found
        self._place = 0
        self._depth = 0
        self._mistakes = mistakes
        self.terms: list[Predicate | Named] = []

    def whole(self) -> Node | None:
        """The expression and nothing behind it; None where there was a mistake."""
        node = self._expression()
        while self._token.kind != "end":
            self._note(self._token, "and, or or the end")
            node = None
            if self._is(")"):
                self._next()
            self._skip(self._place)
            if self._is("and", "or"):
                self._next()
                self._expression()
        return node

    @property
    def _token(self) -> Token:
        return self._tokens[self._place]

    def _next(self) -> Token:
        token = self._token
        if token.kind != "end":
            self._place += 1
        return token

    def _is(self, *values: str) -> bool:
        return self._token.kind in ("word", "sign") and self._token.value in values

    def _taken(self, values: Sequence[Word]) -> Word | None:
        """Which of these comes next, and has been read; None: another token does."""
        for value in values:
            if self._is(value):
                self._next()
                return value
        return None

    def _note(self, token: Token, expected: str) -> None:
        self._mistakes.append(Mistake(token.column, f"expected {expected}, found {token}"))

    def _stopped(self, token: Token, expected: str) -> _Stopped:
        self._note(token, expected)
        return _Stopped()

    def _want(self, sign: str) -> None:
        if not self._is(sign):
            raise self._stopped(self._token, sign)
        self._next()

    def _skip(self, since: int) -> None:
        """To where a term may end that began at this place, over whole parentheses."""
        inside = 0
        for token in self._tokens[since : self._place]:
            if token.kind == "sign":
                inside += (token.value == "(") - (token.value == ")")
        while self._token.kind != "end":
            if inside == 0 and self._is("and", "or", ")"):
                return
            inside += self._is("(") - self._is(")")
            self._next()

    def _expression(self) -> Node | None:
        return self._joined("or", self._all)

    def _all(self) -> Node | None:
        return self._joined("and", self._negation)

    def _joined(self, word: Literal["and", "or"], part: Callable[[], Node | None]) -> Node | None:
        column = self._token.column
        parts = [part()]
        while self._is(word):
            self._next()
            parts.append(part())
        good = tuple(each for each in parts if each is not None)
        if len(good) < len(parts):
            return None
        return good[0] if len(good) == 1 else Joined(word, good, column)

    def _negation(self) -> Node | None:
        since = self._place
        try:
            if not self._is("not"):
                return self._term()
            column = self._next().column
            part = self._deeper(self._term, column)
            return None if part is None else Not(part, column)
        except _Stopped:
            self._skip(since)
            return None

    def _deeper(self, read: Callable[[], Node | None], column: int) -> Node | None:
        if self._depth == limits.DEPTH_MAX:
            detail = f"at most {limits.DEPTH_MAX} parentheses and nots stand in each other"
            self._mistakes.append(Mistake(column, detail, TOO_COMPLEX))
            raise _Stopped
        self._depth += 1
        try:
            return read()
        finally:
            self._depth -= 1

    def _term(self) -> Node | None:
        token = self._token
        if self._is("("):
            return self._deeper(self._group, token.column)
        what = self._taken(_NAMED)
        term = self._predicate() if what is None else self._named(what, token.column)
        self.terms.append(term)
        return term

    def _predicate(self) -> Predicate:
        token = self._token
        if self._is("has"):
            self._next()
            return Predicate(self._field(), "has", (), token.column)
        value = self._value()
        operator, literals = self._operator()
        return Predicate(value, operator, literals, token.column)

    def _group(self) -> Node | None:
        self._next()
        node = self._expression()
        if not self._is(")"):
            self._note(self._token, "and, or or )")
            self._skip(self._place)
            node = None
        if self._is(")"):
            self._next()
        return node

    def _named(self, what: What, column: int) -> Named:
        return Named(what, self._argument(lambda: self._text("a name in quotes")), column)

    def _argument(self, read: Callable[[], Argument]) -> Argument:
        self._want("(")
        value = read()
        self._want(")")
        return value

    def _text(self, expected: str) -> str:
        if self._token.kind != "text":
            raise self._stopped(self._token, expected)
        return self._next().value

    def _field(self) -> Field:
        token = self._token
        if token.kind != "word" or token.value in RESERVED:
            raise self._stopped(token, "the name of a field")
        self._next()
        return Field(token.value, token.column)

    def _value(self) -> Value:
        token = self._token
        if token.kind != "word" or token.value in RESERVED:
            raise self._stopped(token, "a field, a function, has, not or (")
        if self._taken(("age",)):
            return Age(token.column)
        if self._taken(("bucket",)):
            return Bucket(self._argument(lambda: self._text("a salt in quotes")), token.column)
        if self._taken(("days_until",)):
            return DaysUntil(self._argument(self._field), token.column)
        aggregate = self._taken(_AGGREGATES)
        return self._field() if aggregate is None else self._events(aggregate, token.column)

    def _events(self, aggregate: Aggregate, column: int) -> Events:
        self._want("(")
        kind, days = self._next_kind(), None
        if aggregate != "days_since" and self._is(","):
            self._next()
            days = self._window()
        if not self._is(")"):
            raise self._stopped(self._token, ")" if aggregate == "days_since" or days else ", or )")
        self._next()
        return Events(aggregate, kind, days, column)

    def _next_kind(self) -> str:
        token = self._token
        if token.kind not in ("word", "text") or (token.kind == "word" and token.value in RESERVED):
            raise self._stopped(token, "a kind of event")
        return self._next().value

    def _window(self) -> int:
        token = self._token
        if token.kind != "duration":
            raise self._stopped(token, "days such as 30d")
        self._next()
        digits = token.value[:-1].lstrip("0")
        days = int(digits) if 0 < len(digits) <= len(str(limits.WINDOW_DAYS_MAX)) else 0
        if not 1 <= days <= limits.WINDOW_DAYS_MAX:
            self._note(token, f"1d to {limits.WINDOW_DAYS_MAX}d")
        return max(days, 1)

    def _operator(self) -> tuple[Operator, tuple[Said, ...]]:
        token = self._token
        if comparison := self._taken(_COMPARISONS):
            return comparison, (self._literal(),)
        if containing := self._taken(_CONTAININGS):
            column = self._token.column
            return containing, (Said("text", self._text("a text in quotes"), column),)
        if self._is("between"):
            self._next()
            low = self._literal()
            self._want("and")
            return "between", (low, self._literal())
        if self._is("not"):
            self._next()
            if not self._is("in"):
                raise self._stopped(self._token, "in")
            return "not in", self._list()
        if self._is("in"):
            return "in", self._list()
        raise self._stopped(token, "= != < <= > >= in, not in, between, contains or starts")

    def _list(self) -> tuple[Said, ...]:
        self._next()
        self._want("(")
        literals = [self._literal()]
        while self._is(","):
            self._next()
            literals.append(self._literal())
        if not self._is(")"):
            raise self._stopped(self._token, ", or )")
        self._next()
        return tuple(literals)

    def _literal(self) -> Said:
        token = self._next()
        if token.kind == "text":
            return Said("text", token.value, token.column)
        if token.kind == "number":
            return Said("number", self._number(token), token.column)
        if token.kind == "date":
            return Said("date", self._date(token), token.column)
        if token.kind == "word" and token.value in ("true", "false"):
            return Said("bool", token.value == "true", token.column)
        following = self._token
        if token.kind == "word" and token.value == "money" and following.kind == "number":
            return Said("money", self._number(self._next()), token.column)
        if token.kind == "word" and token.value == "date" and following.kind == "date":
            return Said("date", self._date(self._next()), token.column)
        if token.kind != "end":
            self._place -= 1
        raise self._stopped(token, _LITERAL)

    def _number(self, token: Token) -> Decimal:
        if len(token.value) > _NUMBER_CHARACTERS_MAX:
            self._note(token, f"a number of at most {_NUMBER_CHARACTERS_MAX} characters")
            return Decimal(0)
        return Decimal(token.value)

    def _date(self, token: Token) -> date:
        try:
            return date.fromisoformat(token.value)
        except ValueError:
            self._note(token, "a day of the calendar")
            return date.min
