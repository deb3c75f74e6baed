"""The fields of submit_sm that carriers have wishes about, and what becomes of messages while a
wish is not known.
"""

from __future__ import annotations

from datetime import UTC, datetime

import aiosmpplib
import pytest
from aiosmpplib.protocol import MESSAGE_TYPE_MAP
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from dispatch.answers.error_policy import ATTEMPTS_MAX, Kind, decide
from dispatch.answers.unfit_settings import KEYS, UnfitSettings
from dispatch.wire.encoder import encode_message
from dispatch.wire.wire_profile import SubmitFields, WireProfile
from dlr.reasons import Reason
from dlr.status import Status
from smpp.pdu import SubmitSm, decode, encode
from smpp.vocabulary import ESME_RINVEXPIRY, status_name
from storage.categories import Category
from tests.dispatch.on_the_wire import Carrier, push, sending
from tests.dispatch.wire.test_wire_profile import NOW_MS, message, one
from tests.dispatch.world import running, wall_ms

MODES = [0x00, 0x03]
fields = st.builds(
    SubmitFields,
    service_type=st.sampled_from([b"", b"CMT", b"OTP12"]),
    esm_class=st.sampled_from(MODES),
    protocol_id=st.integers(0, 255),
    priority_flags=st.tuples(*[st.integers(0, 3)] * len(Category)),
    registered_delivery=st.integers(0, 31),
    validity=st.sampled_from(["relative", "absolute", "none"]),
)


def in_seconds(seconds: int) -> int:
    return NOW_MS + 1000 * seconds


@given(fields, st.sampled_from(Category), st.integers(1, 30 * 86_400 - 1))
def test_e99_aiosmpplib_reads_what_each_carrier_wants_and_writes_the_same_octets(
    wanted: SubmitFields, category: Category, seconds: int
) -> None:
    profile = WireProfile(fields=wanted)
    submit_sm = one(profile, category=int(category), expires_at=in_seconds(seconds))
    submit_sm.sequence_number = 7
    octets = encode(submit_sm)
    header = aiosmpplib.SmppMessage.parse_header(octets)
    theirs = MESSAGE_TYPE_MAP[header.smpp_command].from_pdu(octets, header, "gsm0338")
    assert theirs.pdu() == octets
    assert decode(octets) == submit_sm
    assert theirs.service_type == wanted.service_type.decode()
    assert theirs.esm_class == wanted.esm_class
    assert theirs.protocol_id == wanted.protocol_id
    assert theirs.priority_flag == wanted.priority_flags[category]
    assert theirs.registered_delivery == wanted.registered_delivery
    assert (theirs.validity_period is None) == (wanted.validity == "none")


def test_e99_by_default_all_is_as_it_was() -> None:
    submit_sm = one(WireProfile(), expires_at=in_seconds(90))
    assert submit_sm == SubmitSm(
        0,
        source_addr_ton=5,
        source_addr=b"SHOP",
        dest_addr_ton=1,
        dest_addr_npi=1,
        destination_addr=b"8613812345678",
        validity_period=b"000000000130000R",
        registered_delivery=1,
        short_message=b"hello",
    )


def test_e99_the_end_of_validity_is_a_span_a_moment_or_not_told() -> None:
    expires_at = int(datetime(2026, 11, 29, 23, 59, 58, 900_000, UTC).timestamp() * 1000)
    told = {
        validity: encode_message(
            message(expires_at=expires_at),
            WireProfile(fields=SubmitFields(validity=validity)),
            expires_at - 61_500,
        )
        .unsent[0][1]
        .validity_period
        for validity in ("relative", "absolute", "none")
    }
    assert told == {
        "relative": b"000000000101000R",
        "absolute": b"261129235958000+",
        "none": b"",
    }
    for validity in ("relative", "absolute", "none"):
        fields = SubmitFields(validity=validity)
        assert one(WireProfile(fields=fields), expires_at=None).validity_period == b""


def test_e99_a_mode_keeps_the_header_bit_of_parts() -> None:
    profile = WireProfile(fields=SubmitFields(esm_class=0x03))
    encoded = encode_message(message("x" * 200), profile, NOW_MS)
    assert {submit_sm.esm_class for _, submit_sm in encoded.unsent} == {0x43}


# --- a carrier that refuses a field ---------------------------------------------------------------


@pytest.mark.parametrize("status", [0x06, 0x07, 0x15, ESME_RINVEXPIRY])
def test_e99_what_refuses_every_message_of_a_connector_is_tried_elsewhere_and_again(
    status: int,
) -> None:
    first = decide(status, 1)
    assert (first.kind, first.elsewhere) == (Kind.RETRY, True)
    last = decide(status, ATTEMPTS_MAX)
    assert (last.kind, last.status, last.reason) == (Kind.FINAL, Status.REJECTED, Reason.INTERNAL)


@pytest.mark.parametrize("status", KEYS)
def test_e99_a_refused_setting_is_told_once_with_its_name(status: int) -> None:
    unfit = UnfitSettings("carrier-a")
    with capture_logs() as logs:
        for _ in range(3):
            unfit.refused(status)
            unfit.refused(0x0B)  # the message's own fault
    (line,) = logs
    assert line["connector"] == "carrier-a"
    assert line["command_status"] == status_name(status)
    assert line["setting"] == KEYS[status]
    (hint,) = unfit.hints
    assert status_name(status) in hint
    assert KEYS[status] in hint
    unfit.forget()
    assert unfit.hints == ()
    with capture_logs() as logs:
        unfit.refused(status)
    assert len(logs) == 1


async def test_e99_a_carrier_that_takes_no_validity_period_gets_the_message_without_it(
    database_url: str,
) -> None:
    """Not rejected at once; the setting is named, and what it says by then counts."""

    def react(submit_sm: SubmitSm) -> int:
        return ESME_RINVEXPIRY if submit_sm.validity_period else 0

    expires_at = wall_ms() + 600_000
    async with running(database_url) as world:
        carrier = Carrier(react)
        first, second = (world.message(expires_at=expires_at) for _ in range(2))
        await world.store([first, second])
        async with sending(world, carrier, profile=WireProfile()) as dispatch:
            push(dispatch, [first])
            await world.until("SELECT count(*) FROM event WHERE kind = 'retry'", 1)
            assert await world.results() == {}
            assert first.id in await world.outbox()
            [(_, detail)] = await world.events(first.id)
            assert detail["command_status"] == "ESME_RINVEXPIRY"
            (hint,) = dispatch.outcomes.unfit.hints
            assert hint == "ESME_RINVEXPIRY: the carrier wants another validity_period"
            dispatch.profile.fields = SubmitFields(validity="none")  # as a reload does
            push(dispatch, [second])
            await world.until("SELECT count(*) FROM submission", 1)
        assert await world.results() == {(second.id, 1): Status.SENT}
    assert [bool(submit_sm.validity_period) for submit_sm in carrier.submitted] == [True, False]
