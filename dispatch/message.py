"""A message between outbox and wire, and what may be said about it before it is sent.

Owns these shapes only. `Released` leaves the outbox when its moment has come, `ReadyMessage` waits
in a ready queue; what becomes of it on the wire is journey.py's.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from dispatch.holds import Hold
from dlr.reasons import Reason
from dlr.status import Status
from smpp.tlv import Tlvs

PRIORITY_DEFAULT = 5  # 0 highest ..
PRIORITY_LOWEST = 9


class SendWindow(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Hours as recipients/hours.py has them; `zone` None is the recipient's."""

    start: int
    end: int
    days: int = 127
    zone: str | None = None


class MessageOptions(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What few messages ask for: column `message.options`, absent (None) for most."""

    # Goes although its recipient is suppressed: the one confirmation of an opt-out.
    exempt: bool = False
    sandbox: bool = False  # reaches nobody, so no cap counts it
    send_at: int | None = None  # ms since the epoch
    window: SendWindow | None = None
    quiet_hours: Literal["hold", "reject", "ignore"] | None = None
    tlvs: Tlvs = ()


class Ended(msgspec.Struct, frozen=True, gc=False):
    """A verdict before the wire: this message will not be sent. `rule` names the check."""

    status: Status
    reason: Reason
    rule: str
    error: str | None = None


class Later(msgspec.Struct, frozen=True, gc=False):
    """A verdict before the wire: not before `until` (ms since the epoch; None: until it is freed
    by hand).
    """

    until: int | None
    hold: Hold


StopVerdict = Ended | Later


class Released(msgspec.Struct, gc=False):
    """What rates and routes look at in a message whose moment has come."""

    id: int
    account: int
    category: int
    parts: int
    sender: str
    to: str
    to_idx: bytes
    tags: tuple[str, ...]
    hold: int


class ReadyMessage(msgspec.Struct, gc=False, eq=False):
    """A durable message that this process holds in memory. `expires_at` in ms since the epoch."""

    id: int
    category: int
    account: int
    parts: int
    cost: int  # parts still to be sent
    to: str
    to_idx: bytes
    sender: str
    text: str
    expires_at: int | None = None
    attempt: int = 0
    parts_done: frozenset[int] = frozenset()
    batch_id: int | None = None
    priority: int = PRIORITY_DEFAULT
    options: MessageOptions | None = None
    tags: tuple[str, ...] = ()
    in_doubt: bool = False  # of an earlier attempt no answer came: it stays with its connector
    let_go: bool = False  # by the rate of its batch
    old_idx: tuple[bytes, ...] = ()  # by which the release before may have indexed the recipient
