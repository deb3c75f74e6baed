"""Owns the binds of one connector as a group. Must not share out work: the dispatcher does."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from smpp.bind_settings import BindSettings
from smpp.client import Bind, BindListener, BindState

# What a connector may ask for, and the binds that one of its ``binds`` is made of.
BIND_PAIR = "transmitter+receiver"
RECEIVER = "receiver"


class BindPool:
    """``binds`` sessions to the same carrier (with ``transmitter+receiver``, that many of each)."""

    def __init__(
        self,
        name: str,
        settings: BindSettings,
        binds: int,
        listener: BindListener,
        *,
        receiver: tuple[str, int] | None = None,
    ) -> None:
        """``receiver``: host and port of receivers, where they are not those of ``settings``."""
        if binds < 1:
            raise ValueError(f"a connector needs at least one bind, not {binds}")
        kinds = settings.bind.split("+") if settings.bind == BIND_PAIR else [settings.bind]
        host, port = receiver or (settings.host, settings.port)
        of_kind = {kind: replace(settings, bind=kind) for kind in kinds}
        if RECEIVER in of_kind:
            of_kind[RECEIVER] = replace(of_kind[RECEIVER], host=host, port=port)
        self.name = name
        self.binds: list[Bind] = [
            Bind(f"{name}/{kind}-{number}", of_kind[kind], listener)
            for number in range(1, binds + 1)
            for kind in kinds
        ]

    @property
    def free_slots(self) -> int:
        """Sum over the binds."""
        return sum(bind.free_slots for bind in self.binds)

    @property
    def up(self) -> bool:
        """At least one bind can submit; of receivers alone, at least one is bound."""
        return any(
            bind.state is BindState.BOUND and (bind.settings.bind != RECEIVER or self.receives_only)
            for bind in self.binds
        )

    @property
    def receives_only(self) -> bool:
        """Whether it will never submit."""
        return all(bind.settings.bind == RECEIVER for bind in self.binds)

    @property
    def reason(self) -> str | None:
        """Why a bind is not up: the first that has something to say; None when all are well."""
        for bind in self.binds:
            if bind.state is not BindState.BOUND and bind.last_error is not None:
                return f"{bind.name}: {bind.last_error}"
        return None

    def start(self) -> None:
        """Start every bind; returns at once."""
        for bind in self.binds:
            bind.start()

    async def stop(self, drain_seconds: float) -> None:
        """Stop all binds at the same time, each within ``drain_seconds`` and its unbind timeout."""
        await asyncio.gather(*(bind.stop(drain_seconds) for bind in self.binds))
