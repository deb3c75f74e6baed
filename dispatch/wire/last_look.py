"""Checks of the database about messages, in the transaction that names them in an intent.

Owns the form of such a check, and the check of the suppression list. Must not open intents. It is
the last moment before the wire at which a message may be stopped or put off. Who was suppressed
while a message waited is not texted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from dispatch.message import Ended, ReadyMessage, StopVerdict
from dlr.reasons import Reason
from dlr.status import Status
from storage import suppression
from storage.pool import Connection
from storage.suppression import Covers


class LastLook(Protocol):
    """One rule about messages that an intent is about to name."""

    def asks(self, messages: Sequence[ReadyMessage]) -> bool:
        """Whether decide() has to be asked about these.

        It need not answer for stopped batches, canceled messages and suppressed recipients:
        open_intents looks for those.
        """

    async def decide(
        self, connection: Connection, messages: Sequence[ReadyMessage]
    ) -> Mapping[int, StopVerdict]:
        """message id -> verdict, for those that must not be sent now. What is not in it goes.

        Runs in the intent's transaction: what it writes is committed with the intent, or not at
        all.
        """


class SuppressionLook:
    """The rule against recipients who were suppressed while the message waited."""

    def __init__(self, covers: Covers | None = None) -> None:
        """`covers` None: a suppression of some senders is one of all."""
        self._covers = covers

    def asks(self, messages: Sequence[ReadyMessage]) -> bool:
        return any(message.options is not None and message.options.exempt for message in messages)

    async def decide(
        self, connection: Connection, messages: Sequence[ReadyMessage]
    ) -> Mapping[int, StopVerdict]:
        found = await suppression.look_up(connection, suppression.indexes_of(messages))
        if not found:
            return {}
        verdicts: dict[int, StopVerdict] = {}
        for message in messages:
            if message.options is not None and message.options.exempt:
                continue
            reason = found.reason(
                message.to_idx,
                message.account,
                message.category,
                message.old_idx,
                sender=message.sender,
                covers=self._covers,
            )
            if reason is not None:
                verdicts[message.id] = Ended(Status.SUPPRESSED, Reason(reason), "suppression")
        return verdicts
