"""JSON as it was written: what msgspec does not tell of a body.

Owns the members that an object names twice, and the items of a list one by one where a body cannot
be decoded whole. Must not know what a body means.

The usual body is not read again: counting shows that nothing in it can stand twice.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import msgspec

INTEGER_DIGITS_MAX = 30  # a longer one is as good as infinite, and costs time to read

_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_SPACED = re.compile(rb'"[ \t\n\r]+:')
_SPACE = re.compile(r"[ \t\n\r]*")


class NotJson(ValueError):
    """`position`: the character at which it stops being JSON. None: it is nested too deeply."""

    def __init__(self, position: int | None) -> None:
        super().__init__(position)
        self.position = position


class JsonObject(dict[str, object]):
    """An object. `repeated`: the members that came again, each as often as it did."""

    repeated: tuple[str, ...] = ()


def may_repeat(raw: bytes, distinct: int) -> bool:
    """Whether an object somewhere in the body may name a member twice. False is certain.

    `distinct` members are known to differ. Each member has a quotation mark followed by a colon. If
    there are no more of those than that, none stands twice at any level. Texts may have them, too;
    then `repeated_members` tells. msgspec does not know of members that are null, and counts them
    by a second reading.
    """
    counted = raw.count(b'":')
    if counted != distinct and counted != len(_members(raw)):
        return True
    return raw.count(b":") != counted and _SPACED.search(raw) is not None


def may_hold_twice(raw: bytes, name: str) -> bool:
    """Whether the outermost object can hold this member twice, for one with a single long list.

    A name may be spelled with escapes.
    """
    return raw.count(f'"{name}"'.encode()) != 1 or b"\\u00" in raw


def repeated_members(raw: bytes) -> list[str]:
    """JSON pointers of members that their object names again. Raises NotJson."""
    found: list[str] = []
    try:
        _collect(parsed(raw), "", found)
    except RecursionError:  # the parser may go deeper than we do
        raise NotJson(None) from None
    return found


def parsed(raw: bytes) -> object:
    """The document with JsonObject for objects. Octets that are not UTF-8 stand as U+DC80 to
    U+DCFF.

    Raises NotJson.
    """
    try:
        return _STRICT.decode(raw.decode("utf-8", "surrogateescape"))
    except RecursionError:
        raise NotJson(None) from None
    except json.JSONDecodeError as error:
        raise NotJson(error.pos) from None
    except ValueError:
        raise NotJson(0) from None


def is_utf8(raw: bytes) -> bool:
    """Whether the octets are UTF-8."""
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def list_items(raw: bytes, name: str) -> Iterator[bytes]:
    """The items of the list that is the only member of the outermost object, as they were written.

    Strings may hold what JSON does not allow, so one bad item does not sink the others. Raises
    NotJson where the body is no such object, perhaps after giving some items. msgspec says what is
    wrong then.
    """
    text = raw.decode("utf-8", "surrogateescape")
    try:
        found, position = _LENIENT.raw_decode(text, _expect(text, 0, "{"))
        if found != name:
            raise NotJson(position)
        position = _expect(text, _expect(text, position, ":"), "[")
        if text[position : position + 1] == "]":
            position += 1
        else:
            more = True
            while more:
                _, end = _LENIENT.raw_decode(text, position)
                yield text[position:end].encode("utf-8", "surrogateescape")
                position = _skipped(text, end)
                more = text[position : position + 1] == ","
                position = _expect(text, position, "," if more else "]")
        position = _expect(text, position, "}")
    except RecursionError:
        raise NotJson(None) from None
    except json.JSONDecodeError as error:
        raise NotJson(error.pos) from None
    if position != len(text):
        raise NotJson(position)


def pointer_step(name: str) -> str:
    """A member's name as a step of a JSON pointer (RFC 6901), short and printable."""
    name = name[:100].encode("utf-8", "replace").decode()
    return "/" + name.replace("~", "~0").replace("/", "~1")


def _collect(value: object, pointer: str, found: list[str]) -> None:
    if isinstance(value, JsonObject):
        found += (pointer + pointer_step(name) for name in value.repeated)
        for name, member in value.items():
            _collect(member, pointer + pointer_step(name), found)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _collect(item, f"{pointer}/{index}", found)


def _object(pairs: list[tuple[str, object]]) -> JsonObject:
    made = JsonObject(pairs)
    if len(made) != len(pairs):
        left = set(made)
        again: list[str] = []
        for name, _ in pairs:
            if name not in left:
                again.append(name)
            left.discard(name)
        made.repeated = tuple(again)
    return made


def _integer(text: str) -> int | float:
    return int(text) if len(text) <= INTEGER_DIGITS_MAX else float(text)


def _no_number(text: str) -> object:
    raise ValueError(f"{text} is no JSON")


def _skipped(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    assert match is not None  # it may be empty
    return match.end()


def _expect(text: str, position: int, sign: str) -> int:
    """The position behind this sign and the white space around it."""
    position = _skipped(text, position)
    if text[position : position + 1] != sign:
        raise NotJson(position)
    return _skipped(text, position + 1)


_STRICT = json.JSONDecoder(object_pairs_hook=_object, parse_int=_integer, parse_constant=_no_number)
_LENIENT = json.JSONDecoder(parse_int=float, strict=False)
