"""Settings from the environment: SMSGATE_<SECTION>__<KEY>, laid over the decoded TOML document.

Owns the naming rule, the reading of `…_FILE` variables and the conversion of a variable's text.
Must not check ranges: shape.py does that for every source alike.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from msgspec import inspect

from gateway.config.shape import ConfigError, nearest

_PREFIX = "SMSGATE_"
_SEPARATOR = "__"
_FILE = "_file"
# Read elsewhere: by commands, by applications, and for the key that numbers are encrypted with.
OTHERS = frozenset(
    {
        "SMSGATE_CONFIG",
        "SMSGATE_API_KEY",
        "SMSGATE_URL",
        "SMSGATE_NUMBER_KEY",
        "SMSGATE_NUMBER_KEY_NEXT",
    }
)
_SERVICE_LINK = re.compile(
    r"SMSGATE_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_[0-9]+_(TCP|UDP)(_[A-Z]+)?)?)"
)
_SECRET_FILE_BYTES_MAX = 64 << 10

Document = dict[str, object]


def overlay(document: Document, root: inspect.StructType, environ: Mapping[str, str]) -> None:
    """Put every SMSGATE_…__… variable into the document. Raises ConfigError.

    It names each variable that is wrong. The others are put in all the same.

    `SMSGATE_HTTP__LISTEN` sets a key of a section. `SMSGATE_CONNECTORS__0__PORT` sets one of an
    existing entry of a list. So does `SMSGATE_CONNECTORS__CARRIER_A__PORT`: the entry's name in
    upper case, with _ for everything but letters and digits. `SMSGATE_ROUTES` replaces a whole
    list.

    `…_FILE` reads the value from a file, as container secrets come. Text settings take the variable
    as it is, all others take it as TOML.

    Any other variable that begins like ours is an error. Exceptions are OTHERS, and the links that
    a cluster sets for a service named smsgate.
    """
    lists = {
        field.name for field in root.fields if isinstance(_bare(field.type), inspect.VarTupleType)
    }
    faults: list[str] = []
    for variable in sorted(environ):
        if not variable.startswith(_PREFIX) or variable in OTHERS or is_service_link(variable):
            continue
        steps = variable.removeprefix(_PREFIX).lower().split(_SEPARATOR)
        try:
            if len(steps) == 1 and steps[0] not in lists:
                raise ConfigError(f"no setting is called so{_meant(steps[0], root)}")
            _set(document, root, steps, environ[variable])
        except ConfigError as error:
            faults.append(f"{variable}: {error}")
    if faults:
        raise ConfigError(*faults)


def is_service_link(variable: str) -> bool:
    """Whether a cluster sets this variable in every container, for a service that is named
    smsgate.
    """
    return _SERVICE_LINK.fullmatch(variable) is not None


def service_links(environ: Mapping[str, str]) -> list[str]:
    """Those links that are set. They are ignored, which should be said once."""
    return sorted(filter(is_service_link, environ))


def _meant(name: str, root: inspect.StructType) -> str:
    """The variable that a name without `__` may have been meant for."""
    known = {
        f"{section.encode_name}_{field.encode_name}": f"{section.encode_name}__{field.encode_name}"
        for section in root.fields
        if isinstance(kind := _bare(section.type), inspect.StructType)
        for field in kind.fields
    }
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"; did you mean {_PREFIX}{known[close[0]].upper()}?" if close else ""


def _set(table: Document, kind: inspect.StructType, steps: list[str], text: str) -> None:
    fields = {field.encode_name: _bare(field.type) for field in kind.fields}
    name, rest = steps[0], steps[1:]
    if not rest and name not in fields and name.removesuffix(_FILE) in fields:
        name, text = name.removesuffix(_FILE), read_secret(text)
    if name not in fields:
        raise ConfigError(f"unknown key {name!r}{nearest(name, fields)}")
    target = fields[name]
    if not rest:
        table[name] = _value(text, target)
    elif isinstance(target, inspect.StructType):
        _set(_table(table.setdefault(name, {})), target, rest, text)
    elif isinstance(target, inspect.VarTupleType) and len(rest) > 1:
        entry = _bare(target.item_type)
        if not isinstance(entry, inspect.StructType):
            raise ConfigError(f"{name} has no keys of its own")
        _set(_entry(table.get(name), name, rest[0]), entry, rest[1:], text)
    else:
        raise ConfigError(f"{name} has no key {rest[0]!r}")


def read_secret(path: str) -> str:
    """The content of a small text file without its last line break. Raises ConfigError."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(_SECRET_FILE_BYTES_MAX + 1)
        if len(content) > _SECRET_FILE_BYTES_MAX:
            raise ConfigError(f"{path} is larger than {_SECRET_FILE_BYTES_MAX >> 10} KiB")
        return content.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(f"cannot read {path}: {reason}") from None


def _entry(entries: object, name: str, step: str) -> Document:
    """The entry of a list that a variable means, by position or by name."""
    tables = [_table(entry) for entry in entries] if isinstance(entries, list) else []
    if step.isdecimal() and int(step) < len(tables):
        return tables[int(step)]
    spelled = {
        re.sub(r"[^a-z0-9]", "_", str(entry["name"]).lower()): entry
        for entry in tables
        if "name" in entry
    }
    if step in spelled:
        return spelled[step]
    raise ConfigError(f"{name} has no entry {step!r}{nearest(step, spelled)}")


def _table(value: object) -> Document:
    if not isinstance(value, dict):
        raise ConfigError("the file does not have a table there")
    return value


def _bare(kind: inspect.Type) -> inspect.Type:
    """The type without its documentation and without `| None`."""
    while isinstance(kind, (inspect.Metadata, inspect.UnionType)):
        if isinstance(kind, inspect.UnionType):
            kind = next(each for each in kind.types if not isinstance(each, inspect.NoneType))
        else:
            kind = kind.type
    return kind


def _value(text: str, kind: inspect.Type) -> object:
    if isinstance(kind, (inspect.StrType, inspect.LiteralType, inspect.CustomType)):
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        raise ConfigError("not a TOML value; write it as the file would, without its key") from None
