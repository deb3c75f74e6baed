"""Owns how a simulated carrier behaves: the profile's fields, their limits, and reading them from
TOML. Must not act on them.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

from smpp import vocabulary

READY_PROFILES: Final = ("smooth", "carrier-cn", "flaky", "throttling", "slow-100ms", "hostile")
NO_RECEIPT: Final = "none"

SPAN_MS_MAX: Final = 86_400_000  # a day
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
# One number of milliseconds, or [lowest, highest] with every value between equally likely. _check
# has the limits: msgspec 0.22 misreads those of a number where a fixed tuple is the other case.
Span = float | tuple[float, ...]
NumberStyle = Literal["decimal", "decimal_padded", "hex", "hex_lower", "hex_padded"]
Count = Annotated[int, msgspec.Meta(ge=0)]
# What a carrier may do to a receipt's text, see receipt_text. Dates have ten digits (YYMMDDhhmm)
# otherwise, keys are in lower case, states in upper case.
Oddity = Literal[
    "missing_fields",  # id and stat alone
    "other_order",
    "dates_with_seconds",  # twelve digits
    "lower_case",  # the state, too
    "upper_case_keys",
    "trailing_nul",
]


class ProfileError(Exception):
    """The profile cannot be used; one line for whoever wrote it."""


class Outcome(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What becomes of one message: the ``stat`` and ``err`` of its receipt, or no receipt."""

    state: Literal["DELIVRD", "UNDELIV", "EXPIRED", "REJECTD", "DELETED", "UNKNOWN", "none"]
    error: Annotated[str, msgspec.Meta(pattern="^[0-9A-Za-z]{1,4}$")] = "000"
    weight: Annotated[float, msgspec.Meta(gt=0)] = 1.0


class Profile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One carrier's manners. Shares are fractions of all messages, 0 to 1."""

    name: str = "custom"
    seed: int = 1  # the same submits in the same order meet the same fate
    answer_latency_ms: Span = 0.0
    receipt_delay_ms: Span = (100.0, 1000.0)
    outcomes: tuple[Outcome, ...] = (Outcome("DELIVRD"),)
    submit_errors: dict[str, Share] = {}  # status name -> share
    rate_per_second: Annotated[float, msgspec.Meta(ge=0)] = 0.0  # 0: no ceiling
    receipts_early_share: Share = 0.0  # sent before the submit_sm_resp
    receipts_duplicated_share: Share = 0.0
    answers_lost_share: Share = 0.0  # accepted, delivered, and never answered
    intermediate_states: tuple[Literal["ENROUTE", "ACCEPTD"], ...] = ()  # before the final one
    intermediate_share: Share = 1.0  # of the messages, where there are intermediate_states
    receipts_reordered_share: Share = 0.0  # the final receipt comes before the intermediate ones
    receipt_oddities: dict[Oddity, Share] = {}
    message_id_style: NumberStyle | Literal["uuid"] = "decimal"
    # Some carriers answer in one base and report in the other; uuid ids are always the same.
    receipt_id_style: NumberStyle | Literal["same"] = "same"
    receipt_text: bool = True  # false: the TLVs alone tell
    receipt_tlvs: bool = True  # receipted_message_id and message_state beside the text
    receipt_window: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 500  # deliver_sm unanswered
    receipt_timeout_seconds: Annotated[float, msgspec.Meta(gt=0)] = 30.0
    receipt_resend_seconds: Annotated[float, msgspec.Meta(gt=0)] = 5.0
    receipt_resends_max: Annotated[int, msgspec.Meta(ge=0)] = 20
    scripted_destinations: bool = True  # the last four digits may decide, see outcomes.SCRIPT
    directives: bool = True  # #sim{...} in a text decides, see directive
    # Binds and sessions. The four counts are of one session's submits, 0 for never; where several
    # are given, sessions have them in turn, see faults.
    binds_refused: Count = 0  # so many, then they are let in
    bind_refusal: str = "ESME_RALYBND"
    disconnect_after_submits: Count = 0
    unbind_after_submits: Count = 0  # with the window full
    half_open_after_submits: Count = 0  # the connection stays, nothing is answered any more
    stop_reading_after_submits: Count = 0
    stop_reading_seconds: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 5.0
    one_byte_writes: bool = False
    malformed_share: Share = 0.0  # of the writes, followed by one PDU that cannot be read
    # Messages from handsets, to the system_ids that are bound to receive.
    inbound_per_second: Annotated[float, msgspec.Meta(ge=0, le=10_000)] = 0.0
    inbound_texts: tuple[str, ...] = ("STOP", "TD", "退订", "yes", "你好", "Where is my parcel?")
    inbound_multipart_share: Share = 0.0  # of them, a long text in several parts instead
    inbound_destination: Annotated[str, msgspec.Meta(pattern="^[0-9]{1,20}$")] = "10690000"

    def error_shares(self) -> list[tuple[int, float]]:
        """(command_status, share) of each submit error. ProfileError for an unknown name."""
        return [(status_number(name), share) for name, share in self.submit_errors.items()]


def status_number(name: str) -> int:
    """The command_status called ``name``, or written 0x00000480. ProfileError otherwise."""
    number = getattr(vocabulary, name, None)
    if name.startswith("ESME_") and isinstance(number, int):
        return number
    try:
        return int(name, 16) if name.startswith("0x") else int(name)
    except ValueError:
        known = [status for status in dir(vocabulary) if status.startswith("ESME_")]
        raise ProfileError(f"no status is called {name!r}{_nearest(name, known)}") from None


def load_profile(name_or_path: str | Path) -> Profile:
    """A ready profile by name, or any TOML file by path. ProfileError says what is wrong where."""
    name = str(name_or_path)
    if name in READY_PROFILES:
        text = resources.files(__package__).joinpath("profiles", f"{name}.toml").read_text("utf-8")
        return parse_profile(text, name)
    path = Path(name_or_path)
    try:
        return parse_profile(path.read_text("utf-8"), path.stem)
    except OSError as error:
        ready = ", ".join(READY_PROFILES)
        raise ProfileError(
            f"{name}: {error.strerror or error}; the ready profiles are {ready}"
        ) from error
    except UnicodeDecodeError as error:
        raise ProfileError(f"{name}: not UTF-8 text") from error


def parse_profile(text: str, name: str) -> Profile:
    """A profile from TOML; ``name`` is what errors call it."""
    try:
        fields = tomllib.loads(text)
        _refuse_unknown_keys(fields)
        profile = msgspec.convert({"name": name, **fields}, Profile)
        _check(profile)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, ProfileError) as error:
        raise ProfileError(f"profile {name}: {error}") from error
    return profile


def _refuse_unknown_keys(fields: Mapping[str, object]) -> None:
    known = Profile.__struct_fields__
    for key in fields:
        if key not in known:
            raise ProfileError(f"unknown key {key!r}{_nearest(key, known)}")


def _check(profile: Profile) -> None:
    if not profile.outcomes:
        raise ProfileError("outcomes is empty")
    if sum(share for _, share in profile.error_shares()) > 1:
        raise ProfileError("the shares of submit_errors are more than 1 together")
    if sum(profile.receipt_oddities.values()) > 1:
        raise ProfileError("the shares of receipt_oddities are more than 1 together")
    if not (profile.receipt_text or profile.receipt_tlvs):
        raise ProfileError("a receipt without text and without TLVs says nothing")
    if not profile.inbound_texts:
        raise ProfileError("inbound_texts is empty")
    if status_number(profile.bind_refusal) == vocabulary.ESME_ROK:
        raise ProfileError("bind_refusal is no refusal")
    _check_spans(profile)


def _check_spans(profile: Profile) -> None:
    for key in ("answer_latency_ms", "receipt_delay_ms"):
        span: Span = getattr(profile, key)
        low, high = span if isinstance(span, tuple) and len(span) == 2 else (span, span)
        if isinstance(low, tuple) or isinstance(high, tuple):
            raise ProfileError(f"{key} is one number, or [lowest, highest]")
        if not 0 <= low <= high <= SPAN_MS_MAX:
            raise ProfileError(f"{key}: needs 0 <= lowest <= highest <= {SPAN_MS_MAX}")


def span_seconds(span: Span) -> tuple[float, float]:
    """(lowest, highest) in seconds."""
    low, high = (span[0], span[-1]) if isinstance(span, tuple) else (span, span)
    return low / 1000, high / 1000


def _nearest(word: str, known: Iterable[str]) -> str:
    matches = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {matches[0]!r}?" if matches else ""
