"""What is right of a document whose shape is not, so that its other mistakes can be told as well.

Owns what stands in for a wrong value: the default, else any text. Must not tell a mistake. Nothing
stands in for a name, which other settings may mean.
"""

from __future__ import annotations

from msgspec import NODEFAULT, inspect

from gateway.config.shape import bare, shape_faults

_ANY_TEXT = "x"


class Unusable(Exception):
    """Nothing can stand in for what is wrong."""


def remainder(value: object, kind: inspect.Type) -> object:
    """The document without what is wrong in it. Raises Unusable."""
    kind = bare(value, kind)
    if isinstance(kind, inspect.StructType) and isinstance(value, dict):
        return {
            field.encode_name: kept
            for field in kind.fields
            if (kept := _field(value, field)) is not NODEFAULT
        }
    if isinstance(kind, inspect.VarTupleType) and isinstance(value, list):
        kept = [remainder(item, kind.item_type) for item in value]
        if not any(shape_faults(kept, kind)):
            return kept
    elif not any(shape_faults(value, kind)):
        return value
    raise Unusable


def _field(table: dict[str, object], field: inspect.Field) -> object:
    """The field's value, or what stands in for it. NODEFAULT: its default."""
    name = field.encode_name
    value = table.get(name, NODEFAULT)
    if value is not NODEFAULT:
        try:
            return remainder(value, field.type)
        except Unusable:
            kind = bare(value, field.type)
            if isinstance(kind, inspect.VarTupleType) and _holds_tables(kind):
                raise  # what others say of its entries would be wrong without them
    if not field.required:
        return NODEFAULT
    if name != "name" and isinstance(bare(_ANY_TEXT, field.type), inspect.StrType):
        return _ANY_TEXT
    raise Unusable


def _holds_tables(kind: inspect.VarTupleType) -> bool:
    return isinstance(bare({}, kind.item_type), inspect.StructType)
