"""Owns the shapes of the audit and of erasures.

Must not say how they are asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, kw_only=True)
class AuditRow:
    """Who did what, when and why. `erased`: the person and the reason are gone."""

    id: str
    seq: int | None
    at: datetime
    actor: str
    action: str
    detail: Mapping[str, Any]
    reason: str | None
    about_a_person: bool
    erased: bool
    hash: str | None
    object: str = "audit"


@dataclass(frozen=True, kw_only=True)
class Erasure:
    """How far an erasure is; `rows` are those erased so far, by table."""

    id: str
    state: str
    table: str | None
    rows: Mapping[str, int]
    requested_at: datetime
    finished_at: datetime | None
    object: str = "erasure"
