"""query_sm to one carrier: what it says about parts that no receipt came for.

Owns the reading of query_sm_resp, and whether this carrier is asked at all. Must not choose which
parts to ask about (querying.py), nor write to a bind. Pure, but for the recorder that it tells.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Final

import structlog

from dispatch.answers.recorder import Recorder
from dispatch.answers.records import StateLearned
from dlr.codes import WORDS_ONLY, Codes
from dlr.receipt import MESSAGE_STATES, STATES
from dlr.receipt_rows import ReceiptRow
from dlr.receipt_times import parse_date
from dlr.unreported import Unreported
from smpp.addresses import AddressError, AddressSettings
from smpp.client import Bind
from smpp.events import QueryResponse
from smpp.pdu import QuerySm
from smpp.vocabulary import (
    ESME_RINVCMDID,
    ESME_RMSGQFUL,
    ESME_RQUERYFAIL,
    ESME_RTHROTTLED,
    MessageState,
    status_name,
)

FINAL_STATES: Final = frozenset(
    {
        MessageState.DELIVERED,
        MessageState.EXPIRED,
        MessageState.DELETED,
        MessageState.UNDELIVERABLE,
        MessageState.REJECTED,
    }
)
NOT_SERVED: Final = frozenset({ESME_RINVCMDID, ESME_RQUERYFAIL})
THROTTLES: Final = frozenset({ESME_RTHROTTLED, ESME_RMSGQFUL})
IN_FLIGHT_MAX: Final = 50  # of all binds together

_log = structlog.get_logger(__name__)


class CarrierQueries:
    """Queries to one connector. `results` counts final, open, refused and unanswered ones."""

    def __init__(
        self,
        name: str,
        connector: int,
        recorder: Recorder,
        *,
        wait_seconds: float,
        addresses: AddressSettings,
        wall_ms: Callable[[], int],
        codes: Codes = WORDS_ONLY,
        zone: tzinfo = UTC,
    ) -> None:
        """`wait_seconds`: how old a part must be to be asked about. `zone`: of dates without an
        offset.
        """
        self.zone = zone
        self.wait_seconds = wait_seconds
        self.codes = codes
        self.stopped = False  # until the next start: the carrier does not serve query_sm
        self.results: Counter[str] = Counter()
        self._name = name
        self._connector = connector
        self._recorder = recorder
        self._addresses = addresses
        self._wall_ms = wall_ms
        self._in_flight: Counter[Bind] = Counter()

    @property
    def room(self) -> int:
        """How many more parts may be asked about now."""
        return 0 if self.stopped else max(0, IN_FLIGHT_MAX - self._in_flight.total())

    def query(self, part: Unreported) -> QuerySm | None:
        """A query_sm by the carrier's id and the source address as sent (SMPP 3.4 section 4.8.1).

        None when today's settings can no longer write one of the two.
        """
        try:
            message_id = part.carrier_id.encode("ascii")
            ton, npi, source = (
                self._addresses.source_address(part.sender) if part.sender else (0, 0, b"")
            )
        except (AddressError, UnicodeEncodeError):
            return None
        return QuerySm(0, message_id, ton, npi, source)

    def asked(self, bind: Bind, count: int) -> None:
        """This many queries were written."""
        self._in_flight[bind] += count

    def forget(self, bind: Bind) -> None:
        """The session is gone, and with it the answers."""
        self._in_flight.pop(bind, None)

    def answered(self, bind: Bind, responses: Sequence[QueryResponse]) -> bool:
        """Take answers. A final state is recorded as its receipt would be.

        Returns whether the carrier asks for a slower pace.
        """
        self._in_flight[bind] = max(0, self._in_flight[bind] - len(responses))
        now = datetime.fromtimestamp(self._wall_ms() / 1000, UTC)
        learned: list[StateLearned] = []
        for response in responses:
            if response.command_status is None:
                self.results["unanswered"] += 1
            elif response.command_status:
                self.results["refused"] += 1
                if response.nacked or response.command_status in NOT_SERVED:
                    self._stop(response.command_status)
            elif response.message_state in FINAL_STATES:
                self.results["final"] += 1
                learned.append(StateLearned(self._row(response, now)))
            else:
                self.results["open"] += 1
        if learned:
            self._recorder.record(learned)
        return any(response.command_status in THROTTLES for response in responses)

    def _stop(self, command_status: int) -> None:
        if not self.stopped:
            self.stopped = True
            _log.warning(
                "queries_not_served",
                connector=self._name,
                status=status_name(command_status),
                remedy="remove query_after_seconds; nothing is asked until the next start",
            )

    def _row(self, response: QueryResponse, now: datetime) -> ReceiptRow:
        part = response.context
        assert isinstance(part, Unreported)
        status = STATES[MESSAGE_STATES[response.message_state]]
        error = str(response.error_code) if response.error_code else None
        return ReceiptRow(
            connector=self._connector,
            carrier_id=part.carrier_id,
            submission_id=part.submission_id,
            status=status,
            reason=self.codes.reason(status, error),
            error=error,
            done_at=_moment(response.final_date, self.zone),
            received_at=now,
        )


def _moment(final_date: bytes, zone: tzinfo) -> datetime | None:
    """The date in ms since the epoch; None for one that is missing, relative or unreadable."""
    return parse_date(final_date.partition(b"\0")[0].decode("latin-1"), zone)
