"""A row of any table as it is handed to the person that it is about.

Owns how values are written: numbers in clear, ids and codes in the words of the API. Pure. Must not
hand out a keyed index, a fingerprint or a salt: they say nothing to a person.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from types import MappingProxyType

from dlr.reasons import Reason
from dlr.status import Status
from storage.categories import Category
from storage.crypto import NumberVault
from storage.ids import format_id

INTEGER_MAX = (1 << 53) - 1  # beyond it many readers of JSON lose digits
_IDS: Mapping[str, str] = MappingProxyType(
    {"message_id": "msg", "answers": "msg", "batch_id": "bat"}
)
_OF_TABLE: Mapping[str, str] = MappingProxyType(
    {"message": "msg", "inbound_message": "inb", "audit": "aud", "raw_delivery": "raw"}
)
_OCTETS = frozenset({"octets"})  # parts of a text, as the carrier gave them
_TEXTS = frozenset({"body"})


def line(table: str, row: Iterable[tuple[str, object]], vault: NumberVault) -> dict[str, object]:
    """The values of a row of this table that a person can read. NULL is left out."""
    values = dict(row)
    told: dict[str, object] = {"table": table}
    for name, value in values.items():
        if value is None:
            continue
        if isinstance(value, bytes):
            shown = _octets(name, value, values, vault)
            if shown is not None:
                told[shown[0]] = shown[1]
        elif isinstance(value, bool) or not isinstance(value, int):
            told[name] = value.isoformat() if isinstance(value, date) else value
        else:
            told[name] = _integer(table, name, value)
    return told


def _octets(
    name: str, value: bytes, values: Mapping[str, object], vault: NumberVault
) -> tuple[str, str] | None:
    if name == "body_enc":
        opened = vault.open_octets(value, _id_of(values))
        return None if opened is None else ("body", opened.hex())
    if name.endswith("_enc"):
        number = vault.open_or_none(value)
        return None if number is None else (name.removesuffix("_enc"), number)
    if name in _OCTETS:
        return name, value.hex()
    if name in _TEXTS:
        return name, value.decode("utf-8", "replace")
    return None


def _id_of(values: Mapping[str, object]) -> int:
    identifier = values["id"]
    assert isinstance(identifier, int)
    return identifier


def _integer(table: str, name: str, value: int) -> object:
    prefix = _OF_TABLE.get(table) if name == "id" else _IDS.get(name)
    if prefix is not None:
        return format_id(prefix, value)
    if name == "category":
        return "all" if value < 0 else Category(value).label
    if name == "status" and table == "submission":
        return Status(value).label
    if name == "reason":
        return Reason(value).label
    return value if abs(value) <= INTEGER_MAX else str(value)
