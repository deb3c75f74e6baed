"""What is looked at, as shapes: keys of the rollups, what they are called, and their windows.

Owns these shapes alone. Must not read or judge. Pure.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from dlr.anomalies.baselines import Window

KeyScope = Literal["connector", "operator", "campaign", "sender"]


class Key(msgspec.Struct, frozen=True, gc=False):
    """One series. `number`: of the operator as in `message`, else of rollup_name."""

    scope: KeyScope
    connector: int | None = None
    account: int | None = None
    number: int | None = None


class Place(msgspec.Struct, frozen=True, gc=False):
    """A key as people call it: scope and subject of a breaker. `account`: whose it is."""

    scope: str
    subject: str
    account: int | None = None


class Counted(msgspec.Struct, frozen=True, gc=False):
    """One window: with one-time passwords, and without them."""

    every: Window
    others: Window
