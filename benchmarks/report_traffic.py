"""Messages of many days with their results, written by COPY, and rolled up by the merger.

Owns the mix. It is the same for the same number. Must not measure a report.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from random import Random

from benchmarks.running import say
from dlr.rollups.merger import Merger
from dlr.status import Status
from storage.crypto import NumberVault
from storage.ids import id_at
from storage.partitions import ensure_partitions
from storage.pool import Connection

DAYS = 20
NUMBERS = 100_000
ROWS_PER_CHUNK = 20_000
CONNECTORS, SENDERS, CAMPAIGNS, COUNTRIES = 3, 12, 40, 8
REST = timedelta(minutes=3)  # behind the newest message: the merger leaves two minutes alone
SEED = 20
ANALYZE_SECONDS_MAX = 600.0

_MESSAGE_COLUMNS = (
    "id", "account", "category", "connector", "data_coding", "parts", "sender", "to_enc", "to_idx",
    "text", "campaign_id", "variant", "tags", "expires_at", "country", "operator",
)  # fmt: skip
_RESULT_COLUMNS = (
    "id", "message_id", "part", "parts", "account", "category", "connector", "status", "reason",
    "error", "carrier_id", "submitted_at", "responded_at", "receipt_at", "segments",
)  # fmt: skip
# Status, reason, the carrier's code, and how often of a hundred.
_OUTCOMES = (
    (Status.DELIVERED, 0, "000", 93),
    (Status.UNDELIVERED, 4, "027", 3),
    (Status.UNDELIVERED, 2, "MK:0001", 1),
    (Status.EXPIRED, 11, "033", 1),
    (Status.REJECTED, 14, "069", 1),
    (Status.UNKNOWN, 0, "\\N", 1),
)


class Traffic:
    """`messages` spread evenly over DAYS that end REST before `now`."""

    def __init__(self, messages: int, account: int, now: datetime, vault: NumberVault) -> None:
        self.messages = messages
        self.until = now - REST
        self.since = self.until - timedelta(days=DAYS)
        self.numbers = [f"+86138{number:08}" for number in range(min(NUMBERS, messages))]
        self._account = account
        self._sealed = [octets.hex() for octets in vault.seal_many(self.numbers)]
        self._indexes = [octets.hex() for octets in vault.index_many(self.numbers)]
        self._outcomes = [
            (int(status), reason, code)
            for status, reason, code, often in _OUTCOMES
            for _ in range(often)
        ]

    async def write(self, connection: Connection) -> None:
        """All messages and their results, and what the planner knows of them."""
        for day in range(DAYS + 1):
            await ensure_partitions(connection, (self.since + timedelta(days=day)).date())
        for start in range(0, self.messages, ROWS_PER_CHUNK):
            numbers = range(start, min(start + ROWS_PER_CHUNK, self.messages))
            messages, results = self._rows(numbers)
            for table, columns, rows in (
                ("message", _MESSAGE_COLUMNS, messages), ("submission", _RESULT_COLUMNS, results),
            ):  # fmt: skip
                await connection.copy_to_table(
                    table, source=_octets(rows), columns=columns, format="text"
                )
            if start % (50 * ROWS_PER_CHUNK) == 0 and start:
                say(f"{start} messages written")
        await connection.execute("ANALYZE message, submission", timeout=ANALYZE_SECONDS_MAX)

    def _rows(self, numbers: range) -> tuple[list[str], list[str]]:
        random = Random(f"{SEED} {numbers.start}")
        step = timedelta(days=DAYS) / self.messages
        messages, results = [], []
        for number in numbers:
            accepted = self.since + step * number
            message = id_at(accepted) | (number & 0x1FFF) << 1
            connector, mix = random.randrange(CONNECTORS) + 1, random.random()
            recipient = random.randrange(len(self.numbers))
            status, reason, code = self._outcomes[random.randrange(len(self._outcomes))]
            category, campaign = int(mix * 4), int(mix * CAMPAIGNS)
            sent = _text(accepted + timedelta(milliseconds=50 + 400 * mix))
            answered = _text(accepted + timedelta(milliseconds=90 + 500 * mix))
            receipt = _text(accepted + timedelta(seconds=1 + 60 * mix * mix))
            tags = f"{{t{campaign % 10}}}" if number % 3 else "\\N"
            messages.append(
                f"{message}\t{self._account}\t{category}\t{connector}\t8\t1"
                f"\tS{campaign % SENDERS}\t\\\\x{self._sealed[recipient]}"
                f"\t\\\\x{self._indexes[recipient]}\tYour parcel is on its way\tc{campaign}"
                f"\t{'AB'[number & 1]}\t{tags}\t{_text(accepted + timedelta(hours=48))}"
                f"\t{1 + campaign % COUNTRIES}\t{1 + connector}"
            )
            told = "\\N" if status == Status.UNKNOWN else receipt
            results.append(
                f"{message | 1}\t{message}\t1\t1\t{self._account}\t{category}\t{connector}"
                f"\t{status}\t{reason}\t{code}\t{message:x}\t{sent}\t{answered}\t{told}\t1"
            )
        return messages, results


async def roll_up(connection: Connection) -> int:
    """Have the merger count all that there is; how many messages that were."""
    merger = Merger()
    merged = await merger.merge(connection)
    while merged.more:
        merged = await merger.merge(connection)
    for name in ("key", "cell", "day", "reason", "tag", "latency", "latency_day"):
        statement = f"VACUUM (ANALYZE) rollup_{name}"
        await connection.execute(statement, timeout=ANALYZE_SECONDS_MAX)
    return merger.messages_counted


async def _octets(rows: Sequence[str]) -> AsyncIterator[bytes]:
    yield ("\n".join(rows) + "\n").encode()


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()
