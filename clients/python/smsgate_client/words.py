"""Owns the closed sets of words in requests and answers, as `/openapi.json` names them.

A word that a later gateway adds is a member, too: of that name, and equal to no other.
Must not say what a word means: the gateway does, in docs/meanings.md.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Word(StrEnum):
    """One word of a set that may grow."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        word = str.__new__(cls, value)
        word._name_ = value
        word._value_ = value
        return word

    @property
    def known(self) -> bool:
        """Whether this version of the client has heard of it."""
        return self._name_ in type(self).__members__


class Category(Word):
    """What a message is about; rules and priorities follow it."""

    OTP = "otp"
    TRANSACTIONAL = "transactional"
    SERVICE = "service"
    MARKETING = "marketing"


class NumberVerdict(Word):
    """What to think of a number before anything is sent to it."""

    INVALID_FORMAT = "invalid_format"
    NOT_MOBILE = "not_mobile"
    SUPPRESSED = "suppressed"
    DEAD = "dead"
    RISKY = "risky"
    UNKNOWN = "unknown"
    GOOD = "good"


class EvidenceKind(Word):
    """What a carrier's word says of a number."""

    DELIVERED = "delivered"
    TEMPORARY = "temporary"
    AMBIGUOUS = "ambiguous"
    PRUNE = "prune"


class EvidenceState(Word):
    """Whether evidence counts: by itself, or by the word of a person."""

    COUNTS = "counts"
    WAITS = "waits"
    UNDONE = "undone"
    CONFIRMED = "confirmed"


class Status(Word):
    """Where a message stands; `Message.final` says whether it may still move."""

    ACCEPTED = "accepted"
    SCHEDULED = "scheduled"
    HELD = "held"
    QUEUED = "queued"
    SENDING = "sending"
    UNCONFIRMED = "unconfirmed"
    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    REJECTED = "rejected"
    UNDELIVERED = "undelivered"
    DELIVERED = "delivered"
    SUPPRESSED = "suppressed"
    CAPPED = "capped"
    CANCELED = "canceled"


class Reason(Word):
    """Why a message was not delivered, or what holds it."""

    NUMBER_INVALID = "number_invalid"
    NUMBER_UNKNOWN = "number_unknown"
    NUMBER_SUSPENDED = "number_suspended"
    HANDSET_UNREACHABLE = "handset_unreachable"
    HANDSET_FULL = "handset_full"
    CARRIER_BLOCKED = "carrier_blocked"
    CONTENT_FILTERED = "content_filtered"
    RECIPIENT_BLOCKED = "recipient_blocked"
    OPTED_OUT = "opted_out"
    THROTTLED = "throttled"
    EXPIRED = "expired"
    ROUTE_UNAVAILABLE = "route_unavailable"
    INTERNAL = "internal"
    CARRIER_REJECTED = "carrier_rejected"
    UNKNOWN = "unknown"
    QUIET_HOURS = "quiet_hours"
    SEND_WINDOW = "send_window"
    FREQUENCY_CAP = "frequency_cap"
    NO_CONSENT = "no_consent"
    VELOCITY_NUMBER = "velocity_number"
    VELOCITY_PREFIX = "velocity_prefix"
    RESTORED = "restored"
    RETRY = "retry"
    ACCOUNT_RATE = "account_rate"
    SCHEDULED = "scheduled"
    FREQUENCY_GAP = "frequency_gap"
    PAUSED = "paused"
    RECIPIENT_RATE = "recipient_rate"
    SENDER_RATE = "sender_rate"
    ROUTE_RATE = "route_rate"
    RATE = "rate"
    BREAKER = "breaker"
    WISHED_DAY = "wished_day"


class BreakerScope(Word):
    """What a breaker is about."""

    CONNECTOR = "connector"
    OPERATOR = "operator"
    BATCH = "batch"
    CAMPAIGN = "campaign"
    SENDER = "sender"


class BreakerState(Word):
    """Whether a breaker holds messages back; `half_open` lets some through as probes."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"
    FORCED_OPEN = "forced_open"
    FORCED_CLOSED = "forced_closed"


class AnomalyScope(Word):
    """Where something is unlike other days."""

    CONNECTOR = "connector"
    OPERATOR = "operator"
    CAMPAIGN = "campaign"
    SENDER = "sender"


class Detector(Word):
    """What is unlike other days."""

    DROP = "drop"
    SILENCE = "silence"
    LATENCY = "latency"
    SURGE = "surge"
    REASON = "reason"
    COMPLAINTS = "complaints"


class AnomalyTest(Word):
    """By which test that is certain."""

    TWO_PROPORTIONS = "two_proportions"
    BINOMIAL = "binomial"
    NEGATIVE_BINOMIAL = "negative_binomial"
    POISSON = "poisson"


class Verdict(Word):
    """What a sample shows about a threshold."""

    TOO_FEW = "too_few"
    BELOW = "below"
    NOT_BELOW = "not_significantly_below"
    ABOVE = "above"
    NOT_ABOVE = "not_significantly_above"


class Basis(Word):
    """From what a report was counted."""

    ROLLUP = "rollup"
    SCAN = "scan"


class EventKind(Word):
    """What may stand on a message's timeline. Another end has the name of its status."""

    ACCEPTED = "accepted"
    HELD = "held"
    THROTTLED = "throttled"
    RETRY = "retry"
    REROUTED = "rerouted"
    ANOTHER_WAY = "another_way"
    ANOTHER_WAY_ENDED = "another_way_ended"
    IN_DOUBT = "in_doubt"
    RESOLVED = "resolved"
    SUBMITTED = "submitted"
    SENT = "sent"
    RECEIPT = "receipt"
    RECEIPT_UNKNOWN_STATE = "receipt_unknown_state"
    CLICK = "click"


class SuppressionReason(Word):
    """Why a number gets nothing."""

    NUMBER_INVALID = "number_invalid"
    NUMBER_SUSPENDED = "number_suspended"
    NUMBER_UNKNOWN = "number_unknown"
    OPTED_OUT = "opted_out"
    RECIPIENT_BLOCKED = "recipient_blocked"


class SuppressedCategory(Word):
    """What a suppression is about: one category, or each."""

    ALL = "all"
    MARKETING = "marketing"
    OTP = "otp"
    SERVICE = "service"
    TRANSACTIONAL = "transactional"


class SuppressionSource(Word):
    """Where a suppression came from."""

    API = "api"
    COMPLAINT = "complaint"
    KEYWORD = "keyword"
    PAGE = "page"
    RECEIPT = "receipt"


class ConsentChannel(Word):
    """Over what a person said it."""

    APP = "app"
    EMAIL = "email"
    IN_PERSON = "in_person"
    OTHER = "other"
    PAPER = "paper"
    SMS = "sms"
    VOICE = "voice"
    WEB = "web"


class Attribution(Word):
    """By which rule a click counts for a conversion."""

    FIRST_CLICK = "first_click"
    LAST_CLICK = "last_click"
    NONE = "none"


class LinkState(Word):
    """Whether a link leads on."""

    DELETED = "deleted"
    EXPIRED = "expired"
    LIVE = "live"


class Interval(Word):
    """How long a span of a link's clicks is."""

    DAY = "day"
    HOUR = "hour"


class ComplaintSource(Word):
    """Who told of a complaint."""

    APP = "app"
    CARRIER = "carrier"
    OTHER = "other"
    RECIPIENT = "recipient"
    REGULATOR = "regulator"


class ReplyClass(Word):
    """What a message from a handset is."""

    HELP = "help"
    KEYWORD = "keyword"
    OPT_IN = "opt_in"
    OPT_OUT = "opt_out"
    OTHER = "other"
    RATING = "rating"


class ConsentAction(Word):
    """What a person said."""

    GRANTED = "granted"
    WITHDRAWN = "withdrawn"


class QuietHours(Word):
    """What becomes of a message that falls into quiet hours."""

    HOLD = "hold"
    REJECT = "reject"
    IGNORE = "ignore"


class TextRetention(Word):
    """How long a text is kept, where no days are said."""

    KEEP = "keep"
    DISCARD = "discard"


class Weekday(Word):
    """A day of a send window."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


class Numbers(Word):
    """How a webhook shows numbers; `full` takes a key with the scope `numbers:reveal`."""

    MASKED = "masked"
    FULL = "full"


class Signing(Word):
    """What signs a webhook. This client verifies `hmac`; Ed25519 is verified by other libraries."""

    HMAC = "hmac"
    ED25519 = "ed25519"


class EndpointState(Word):
    """Whether a webhook endpoint is told of events."""

    ACTIVE = "active"
    FAILING = "failing"
    PAUSED = "paused"
    DISABLED = "disabled"


class DeliveryState(Word):
    """What became of a delivery, or of one attempt at it."""

    WAITING = "waiting"
    RETRYING = "retrying"
    DELIVERED = "delivered"
    FAILED = "failed"
    EXHAUSTED = "exhausted"
    SKIPPED = "skipped"


class EventType(Word):
    """What a webhook tells of; some are named and not told yet."""

    MESSAGE_UNCONFIRMED = "message.unconfirmed"
    MESSAGE_SENT = "message.sent"
    MESSAGE_FAILED = "message.failed"
    MESSAGE_UNKNOWN = "message.unknown"
    MESSAGE_EXPIRED = "message.expired"
    MESSAGE_REJECTED = "message.rejected"
    MESSAGE_UNDELIVERED = "message.undelivered"
    MESSAGE_DELIVERED = "message.delivered"
    MESSAGE_SUPPRESSED = "message.suppressed"
    MESSAGE_CAPPED = "message.capped"
    MESSAGE_CANCELED = "message.canceled"
    MESSAGE_RECEIVED = "message.received"
    RECIPIENT_OPTED_OUT = "recipient.opted_out"
    RECIPIENT_OPTED_IN = "recipient.opted_in"
    RECIPIENT_PRUNED = "recipient.pruned"
    BATCH_COMPLETED = "batch.completed"
    BATCH_PAUSED = "batch.paused"
    BREAKER_OPENED = "breaker.opened"
    BREAKER_CLOSED = "breaker.closed"
    ANOMALY_DETECTED = "anomaly.detected"
    CONNECTOR_DOWN = "connector.down"
    CONNECTOR_UP = "connector.up"
    ENDPOINT_FAILING = "endpoint.failing"
    ENDPOINT_DISABLED = "endpoint.disabled"
    LINK_CLICKED = "link.clicked"
    CONVERSION_RECORDED = "conversion.recorded"
    WEBHOOK_TEST = "webhook.test"
    EVENTS_BATCH = "events.batch"
