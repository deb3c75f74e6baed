"""The objects that travel between outbox and wire.

Owns their shapes only. Must not decide anything. `ReadyMessage` is what waits in a ready queue.
What comes after that is in journey.py.
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
    """Hours in the form of recipients/hours.py. `zone` None: the recipient's own."""

    start: int
    end: int
    days: int = 127
    zone: str | None = None


class MessageOptions(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What few messages ask for. Column `message.options`; absent (None) for most."""

    # Goes although its recipient is suppressed: the one confirmation of an opt-out.
    exempt: bool = False
    sandbox: bool = False  # reaches nobody, so no cap counts it
    send_at: int | None = None  # ms since the epoch
    window: SendWindow | None = None
    quiet_hours: Literal["hold", "reject", "ignore"] | None = None
    tlvs: Tlvs = ()


class Ended(msgspec.Struct, frozen=True, gc=False):
    """A verdict before the wire: this message is not sent. `rule` names the check."""

    status: Status
    reason: Reason
    rule: str
    error: str | None = None


class Later(msgspec.Struct, frozen=True, gc=False):
    """A verdict before the wire: not before `until`, in ms since the epoch. None: until freed by
    hand. `about` says on the timeline what the rule's name does not.
    """

    until: int | None
    hold: Hold
    about: tuple[tuple[str, str], ...] = ()


class Move(msgspec.Struct, frozen=True, gc=False):
    """A verdict before the wire: by this connector, now. `reason` in words. No attempt is used."""

    connector: int
    reason: str


StopVerdict = Ended | Later | Move


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
    """A stored message that this process holds in memory. `expires_at` in ms since the epoch."""

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
    way: int = 0  # dlr/ways.py
    tried: tuple[int, ...] = ()  # connectors of its ways before
    in_doubt: bool = False  # of an earlier attempt no answer came: it stays with its connector
    let_go: bool = False  # by the rate of its batch
    old_idx: tuple[bytes, ...] = ()  # by which the release before may have indexed the recipient
