"""Owns which request each operation on caps is, and what its answer is read as.

Must not send one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from smsgate_client import caps as c
from smsgate_client.calls import Call, new_key, patch, post, under


def new(cap: object, key: str | None) -> Call[c.Cap]:
    return post(under("caps"), c.Cap, cap, key=key or new_key())


def change(cap_id: str, version: int, changes: Mapping[str, object]) -> Call[c.Cap]:
    """Asked for twice, the second one would find the next version."""
    changed = patch(under("caps", cap_id), c.Cap, changes)
    return replace(changed, version=version, repeatable=False)
