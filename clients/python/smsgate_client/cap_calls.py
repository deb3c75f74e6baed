"""Owns which request each operation on caps is, and what its answer is read as.

Must not send one.
"""

from __future__ import annotations

from collections.abc import Mapping

from smsgate_client import calls
from smsgate_client import caps as c
from smsgate_client.calls import Call, new_key, post, under


def new(cap: object, key: str | None) -> Call[c.Cap]:
    return post(under("caps"), c.Cap, cap, key=key or new_key())


def change(cap_id: str, version: int, changes: Mapping[str, object]) -> Call[c.Cap]:
    return calls.change(under("caps", cap_id), c.Cap, version, changes)
