"""A campaign that is paused without a person: by the feed, by a bound, by its end, by a dead link.

Owns what such a pause leaves besides its row: a count, a log line, and word to the queues. Must
not decide that one is due.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from campaigns.running import stopping
from campaigns.running.causes import Cause
from campaigns.running.states import CampaignState
from storage.ids import IdSource
from storage.pool import Connection

_log = structlog.get_logger(__name__)


class Brake:
    """One process's. Counts since start: `paused`, campaigns that it paused."""

    def __init__(self, ids: IdSource, changed: Callable[[], None]) -> None:
        """`changed` is told when a campaign was paused, once it is committed."""
        self._ids = ids
        self._changed = changed
        self.paused = 0

    async def pause(
        self,
        connection: Connection,
        campaign: int,
        reason: str,
        *,
        cause: Cause | None = None,
        resumes_as: CampaignState | None = None,
    ) -> None:
        """Pause it, if it is being fed. `cause` and `resumes_as` as for stopping.pause.

        Raises ValueError inside a transaction: what is not committed must not be told.
        """
        if connection.is_in_transaction():
            raise ValueError("a pause has a transaction of its own")
        paused = await stopping.pause(
            connection, campaign, reason, ids=self._ids, resumes_as=resumes_as, cause=cause
        )
        if paused:
            self.paused += 1
            self._changed()
            _log.warning("campaign_paused", campaign=campaign, reason=reason)
