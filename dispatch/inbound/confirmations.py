"""The one reply to who has just opted out.

Owns what is owed and its bound, and the way of a confirmation into the accepter. It goes in spite
of the suppression it confirms (`MessageOptions.exempt`), once, and is a message like any other from
there on. It is sent after the commit of the opt-out: a process that dies in between owes it no
more, which is better than to owe it twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

import msgspec
import structlog

from dispatch.inbound.opt_outs import Confirmation
from dispatch.message import MessageOptions
from messages.accept.validation import Validator
from messages.models import (
    Accepter,
    AccountPolicy,
    Overloaded,
    Prepared,
    Refused,
    StorageDown,
)
from storage.categories import Category

OWED_MAX = 10_000
SLICE_ITEMS = 100

_log = structlog.get_logger(__name__)


class Confirmations:
    """What is owed until `send` hands it to the accepter."""

    def __init__(self) -> None:
        self._owed: deque[Confirmation] = deque()
        self._accepter: Accepter | None = None
        self._validator: Validator | None = None
        self._accounts: Mapping[int, AccountPolicy] = {}
        self.sent = 0
        self.dropped = 0

    def connect(
        self, accepter: Accepter, validator: Validator, accounts: Mapping[int, AccountPolicy]
    ) -> None:
        """The way out, once it is built."""
        self._accepter, self._validator, self._accounts = accepter, validator, accounts

    def owe(self, confirmations: Sequence[Confirmation]) -> None:
        """Their opt-outs are committed."""
        room = OWED_MAX - len(self._owed)
        self._owed.extend(confirmations[:room])
        self.dropped += max(0, len(confirmations) - room)

    async def send(self, now_ms: int) -> None:
        """Hand over the next of what is owed."""
        if self._accepter is None or not self._owed:
            return
        batch = [self._owed.popleft() for _ in range(min(SLICE_ITEMS, len(self._owed)))]
        prepared = [
            message for each in batch if (message := self._prepare(each, now_ms)) is not None
        ]
        if not prepared:
            return
        try:
            verdicts = await self._accepter.accept(prepared, batch_id=None)
        except (Overloaded, StorageDown) as error:
            _log.warning("opt_out_replies_wait", error=str(error))
            self._owed.extendleft(reversed(batch))
            return
        refused = sum(isinstance(verdict, Refused) for verdict in verdicts)
        self.sent += len(verdicts) - refused
        self.dropped += refused

    def _prepare(self, confirmation: Confirmation, now_ms: int) -> Prepared | None:
        account = self._accounts.get(confirmation.account)
        if account is None or self._validator is None:
            self.dropped += 1
            return None
        body = msgspec.json.encode(
            {
                "to": confirmation.to,
                "text": confirmation.text,
                "from": confirmation.sender,
                "category": Category.SERVICE.label,
            }
        )
        checked = self._validator.check(msgspec.Raw(body), account, now_ms=now_ms)
        if isinstance(checked, Refused):
            _log.warning("opt_out_reply_refused", account=account.name, detail=checked.detail)
            self.dropped += 1
            return None
        options = checked.options or MessageOptions()
        checked.options = msgspec.structs.replace(options, exempt=True)
        return checked
