"""What is asked of the database about messages in the transaction that names them.

Owns the form of such a check and the check of the suppression list: who was suppressed while a
message waited is not texted. The last moment before the wire at which a message may be stopped or
put off. Must not open intents.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from dispatch.message import Ended, ReadyMessage, StopVerdict
from dlr.reasons import Reason
from dlr.status import Status
from storage import suppression
from storage.pool import Connection


class LastLook(Protocol):
    """One rule over messages that are about to be named by an intent."""

    def asks(self, messages: Sequence[ReadyMessage]) -> bool:
        """Whether `decide` has to be asked about these. Not for batches that are stopped, what was
        canceled and who is suppressed: open_intents has looked for them.
        """

    async def decide(
        self, connection: Connection, messages: Sequence[ReadyMessage]
    ) -> Mapping[int, StopVerdict]:
        """message id -> verdict, for those that must not be sent now; what is not in it goes.

        In the intent's transaction: what it writes is committed with the intent or not at all.
        """


class SuppressionLook:
    """Who was suppressed while the message waited."""

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
                message.to_idx, message.account, message.category, message.old_idx
            )
            if reason is not None:
                verdicts[message.id] = Ended(Status.SUPPRESSED, Reason(reason), "suppression")
        return verdicts
