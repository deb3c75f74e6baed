"""What a breaker's opening rests on, as a bundle that an operator can hand to the carrier.

Owns its shape, its octets and their digest. Must not read tables by itself (bundles.py). Pure.
Numbers are masked. What was stored is shown octet for octet, so a digest told once stays true.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from dispatch.breakers import machine
from dlr.reasons import Reason
from dlr.status import Status

CODES_MAX: Final = 10
SAMPLES_MAX: Final = 50
BOUNDS_SECONDS: Final = (1, 2, 5, 10, 30, 60, 300, 900, 3600)  # of the histograms; then the rest


class Submission(msgspec.Struct, frozen=True, gc=False):
    """One part that went to the wire. Times in seconds since the epoch; `number` masked."""

    message: str
    part: int
    status: int
    reason: int
    code: str | None
    submitted_at: str | None
    responded_at: str | None
    receipt_at: str | None
    answer_seconds: float | None
    receipt_seconds: float | None
    number: str | None


class CodeCount(msgspec.Struct, frozen=True):
    """How many parts failed with this code of the carrier's."""

    code: str | None
    status: str
    reason: str
    parts: int


class Histogram(msgspec.Struct, frozen=True):
    """`counts[i]` parts took up to `bounds_seconds[i]`; the last count is of those beyond."""

    bounds_seconds: Sequence[int]
    counts: Sequence[int]


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """What was sent in an hour. `complete`: false where only the latest parts were looked at."""

    since: str
    until: str
    parts: int
    complete: bool
    statuses: Mapping[str, int]
    codes: Sequence[CodeCount]
    answer: Histogram
    receipt: Histogram


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One part that failed, for the carrier to look up."""

    message: str
    part: int
    submitted_at: str | None
    responded_at: str | None
    receipt_at: str | None
    status: str
    reason: str
    code: str | None
    number: str | None


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """The constants and settings in force."""

    rounds: Sequence[int] = machine.ROUNDS
    tolerance: float = machine.TOLERANCE
    back_off_seconds_min: int = machine.BACK_OFF_MIN_MS // 1000
    back_off_seconds_max: int = machine.BACK_OFF_MAX_MS // 1000
    otp: bool
    opens_by_itself: bool


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """`test` is the alarm that opened it, as `GET /v1/anomalies` shows it; null: by hand."""

    scope: str
    subject: str
    state: str
    opened_at: str
    actor: str
    reason: str
    baseline: float
    test: Mapping[str, object] | None
    now: Stretch
    then: Stretch
    samples: Sequence[Sample]
    rules: Rules


def stretch(
    since: str, until: str, submissions: Sequence[Submission], *, complete: bool
) -> Stretch:
    """These parts counted."""
    codes = Counter((each.code, each.status, each.reason) for each in submissions if _failed(each))
    return Stretch(
        since=since,
        until=until,
        parts=len(submissions),
        complete=complete,
        statuses=dict(Counter(Status(each.status).label for each in submissions)),
        codes=[
            CodeCount(code, Status(status).label, Reason(reason).label, parts)
            for (code, status, reason), parts in codes.most_common(CODES_MAX)
        ],
        answer=_histogram(each.answer_seconds for each in submissions),
        receipt=_histogram(each.receipt_seconds for each in submissions),
    )


def samples(submissions: Iterable[Submission]) -> list[Sample]:
    """The first that failed, in the order given."""
    found: list[Sample] = []
    for each in submissions:
        if len(found) == SAMPLES_MAX:
            break
        if _failed(each):
            found.append(
                Sample(
                    message=each.message,
                    part=each.part,
                    submitted_at=each.submitted_at,
                    responded_at=each.responded_at,
                    receipt_at=each.receipt_at,
                    status=Status(each.status).label,
                    reason=Reason(each.reason).label,
                    code=each.code,
                    number=each.number,
                )
            )
    return found


def octets(bundle: Bundle) -> bytes:
    """As it is stored and shown."""
    return msgspec.json.encode(bundle)


def sample_rows(stored: bytes) -> list[Sequence[str | int | None]]:
    """The samples of stored octets as a table: a row each, below one row of names."""
    bundle = msgspec.json.decode(stored, type=Bundle)
    return [Sample.__struct_fields__, *map(msgspec.structs.astuple, bundle.samples)]


def _failed(submission: Submission) -> bool:
    return Status(submission.status).final and submission.status != Status.DELIVERED


def _histogram(seconds: Iterable[float | None]) -> Histogram:
    counts = [0] * (len(BOUNDS_SECONDS) + 1)
    for each in seconds:
        if each is not None:
            place = next(
                (at for at, bound in enumerate(BOUNDS_SECONDS) if each <= bound),
                len(BOUNDS_SECONDS),
            )
            counts[place] += 1
    return Histogram(BOUNDS_SECONDS, counts)
