"""The simulated carrier as its user sees it: profiles, scripted numbers, receipts, the ledger."""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from smpp import vocabulary
from smpp.client import Bind
from smpp.events import SubmitResponse
from smpp.pdu import DeliverSm, SubmitSm, message_octets, tlv_value
from smpp.simulator import (
    READY_PROFILES,
    InboundMessage,
    LedgerError,
    Outcome,
    Profile,
    ProfileError,
    Simulator,
    load_profile,
    parse_profile,
    read_ledger,
)
from smpp.simulator.outcomes import SCRIPT, Chance, RateCeiling
from smpp.text import encode_text
from smpp.vocabulary import MessageState
from tests.smpp.recording import Listener, binding, eventually

QUICK = {"receipt_delay_ms": 0.0, "receipt_resend_seconds": 0.02}


@contextlib.asynccontextmanager
async def simulating(
    *, ledger_path: Path | None = None, credentials: dict[str, str] | None = None, **fields: Any
) -> AsyncIterator[Simulator]:
    profile = Profile(**(QUICK | fields))
    simulator = Simulator(profile, "127.0.0.1", 0, credentials=credentials, ledger_path=ledger_path)
    await simulator.start()
    try:
        yield simulator
    finally:
        simulator.server.abort_sessions("the test is over")
        await simulator.stop()


def messages(*destinations: str, registered: int = 1) -> list[tuple[SubmitSm, object]]:
    return [
        (
            SubmitSm(
                0,
                source_addr_ton=5,
                source_addr=b"SHOP",
                dest_addr_ton=1,
                dest_addr_npi=1,
                destination_addr=destination.encode(),
                registered_delivery=registered,
                short_message=b"Your code is 123456",
            ),
            destination,
        )
        for destination in destinations
    ]


def many(count: int) -> list[str]:
    return [f"8613{number:07d}9" for number in range(count)]


def receipt_fields(listener: Listener) -> dict[str, tuple[str, str]]:
    """Receipt id -> (stat, err), of every receipt that came."""
    found: dict[str, tuple[str, str]] = {}
    for delivery in listener.received:
        text = message_octets(delivery.pdu).decode("ascii")
        match = re.match(
            r"id:(\S+) sub:001 dlvrd:00[01] submit date:\d{10} done date:\d{10} ", text
        )
        assert match, text
        stat = re.search(r"stat:(\w{7}) err:(\w+) text:", text)
        assert stat, text
        found[match[1]] = (stat[1], stat[2])
    return found


# --- profiles ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", READY_PROFILES)
def test_every_ready_profile_loads(name: str) -> None:
    profile = load_profile(name)
    assert profile.name == name
    assert profile.outcomes


def test_a_profile_of_ones_own_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(
        'answer_latency_ms = [5, 10]\nmessage_id_style = "hex"\n'
        '[[outcomes]]\nstate = "UNDELIV"\nerror = "001"\n[submit_errors]\n0x00000480 = 0.5\n'
    )
    profile = load_profile(file)
    assert profile.name == "mine"
    assert profile.answer_latency_ms == (5.0, 10.0)
    assert list(profile.outcomes) == [Outcome("UNDELIV", "001")]
    assert profile.error_shares() == [(0x480, 0.5)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("answer_latency = 5", "unknown key 'answer_latency'; did you mean 'answer_latency_ms'?"),
        ("answer_latency_ms = [10, 5]", "answer_latency_ms: needs 0 <= lowest <= highest"),
        ("answer_latency_ms = -1", "answer_latency_ms: needs 0 <= lowest <= highest"),
        ("receipt_delay_ms = [1, 2, 3]", "receipt_delay_ms is one number, or"),
        ("receipt_delay_ms = 'soon'", "receipt_delay_ms"),
        ("outcomes = []", "outcomes is empty"),
        ("[[outcomes]]\nstate = 'LOST'", "LOST"),
        ("[[outcomes]]\nstate = 'DELIVRD'\nwieght = 3", "wieght"),
        ("[submit_errors]\nESME_RTHROTLED = 0.1", "did you mean 'ESME_RTHROTTLED'?"),
        ("[submit_errors]\nESME_RSYSERR = 0.6\nESME_RMSGQFUL = 0.6", "more than 1"),
        ("seed = ", "profile test: "),
    ],
)
def test_a_wrong_profile_says_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(ProfileError, match=re.escape(said)):
        parse_profile(text, "test")


def test_a_profile_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(ProfileError, match="ready profiles are smooth, carrier-cn"):
        load_profile("smoth")


# --- chance --------------------------------------------------------------------------------------


def test_the_same_seed_is_the_same_fate() -> None:
    profile = load_profile("flaky")
    one, two = Chance(profile), Chance(profile)
    destinations = [number.encode() for number in many(500)]
    assert [one.fate(d) for d in destinations] == [two.fate(d) for d in destinations]


def test_weights_and_shares_are_what_comes_out() -> None:
    profile = Profile(
        outcomes=(Outcome("DELIVRD", "000", 3), Outcome("UNDELIV", "001", 1)),
        submit_errors={"ESME_RSYSERR": 0.2},
        scripted_destinations=False,
    )
    chance = Chance(profile)
    fates = Counter((f.command_status, f.state) for f in (chance.fate(b"1") for _ in range(20_000)))
    assert fates[vocabulary.ESME_RSYSERR, b""] == pytest.approx(4000, rel=0.1)
    assert fates[0, b"DELIVRD"] == pytest.approx(12_000, rel=0.1)
    assert fates[0, b"UNDELIV"] == pytest.approx(4000, rel=0.1)


def test_the_rate_ceiling_never_lets_more_through_than_the_contract() -> None:
    ceiling = RateCeiling(100)
    passed = [now / 1000 for now in range(5000) if ceiling.allows(now / 1000)]
    for start in range(4):
        assert sum(start <= at < start + 1 for at in passed) <= 110  # and a burst of a tenth
    assert len(passed) == pytest.approx(500, abs=15)


# --- a message's way -----------------------------------------------------------------------------


async def test_submits_are_answered_and_reported() -> None:
    listener = Listener()
    async with simulating() as carrier, binding(carrier.port, listener) as bind:
        bind.submit(messages(*many(100)))
        await listener.until(lambda: len(listener.received) == 100)
        ids = {answer.message_id.decode() for answer in listener.answers}
        assert len(ids) == 100
        assert receipt_fields(listener) == dict.fromkeys(ids, ("DELIVRD", "000"))
        for delivery in listener.received:
            pdu = delivery.pdu
            assert isinstance(pdu, DeliverSm)
            assert pdu.esm_class == vocabulary.ESM_CLASS_DELIVERY_RECEIPT
            assert (pdu.source_addr_ton, pdu.destination_addr) == (1, b"SHOP")
            receipted = tlv_value(pdu.tlvs, vocabulary.TLV_RECEIPTED_MESSAGE_ID)
            assert receipted is not None
            assert receipted.rstrip(b"\0").decode() in ids
        await eventually(lambda: carrier.held == 0)
    assert carrier.counters.receipts_acknowledged == carrier.counters.accepted == 100


SCRIPTED = {
    "861300000001": ("UNDELIV", "001"),
    "861300000027": ("UNDELIV", "027"),
    "861300000003": ("EXPIRED", "027"),
    "861300000004": ("REJECTD", "013"),
}


async def test_the_last_digits_of_a_number_script_its_end() -> None:
    listener = Listener()
    async with simulating() as carrier, binding(carrier.port, listener) as bind:
        bind.submit(messages(*SCRIPTED, "861300000005", "861300000006"))
        await listener.until(lambda: len(listener.received) == 4)
        answers = {str(answer.context): answer for answer in listener.answers}
        ends = receipt_fields(listener)
        for number, end in SCRIPTED.items():
            assert ends[answers[number].message_id.decode()] == end
        assert answers["861300000005"].command_status == 0
        assert answers["861300000006"].command_status == vocabulary.ESME_RINVDSTADR
        assert answers["861300000006"].message_id == b""
        await eventually(lambda: carrier.held == 0)  # 0005 never hears
        assert carrier.counters.refused == {vocabulary.ESME_RINVDSTADR: 1}
    assert {key.decode() for key in SCRIPT} == {"0001", "0027", "0003", "0004", "0005", "0006"}


async def test_receipts_come_only_where_they_were_asked_for() -> None:
    listener = Listener()
    async with simulating() as carrier, binding(carrier.port, listener) as bind:
        bind.submit(messages("861300000009", registered=0))
        on_failure = vocabulary.REGISTERED_DELIVERY_ON_FAILURE
        bind.submit(messages("861300000009", "861300000001", registered=on_failure))
        await listener.until(lambda: len(listener.received) == 1)
        await eventually(lambda: carrier.held == 0)
        assert list(receipt_fields(listener).values()) == [("UNDELIV", "001")]


async def test_receipts_may_come_before_the_answer_and_twice() -> None:
    order: list[str] = []

    class Ordered(Listener):
        def responses(self, bind: Bind, responses: list[SubmitResponse]) -> None:
            order.extend("answer" for _ in responses)
            super().responses(bind, responses)

        def deliveries(self, bind: Bind, deliveries: list[Any]) -> None:
            order.extend("receipt" for _ in deliveries)
            super().deliveries(bind, deliveries)

    listener = Ordered()
    fields: dict[str, Any] = {
        "receipts_early_share": 1.0,
        "receipts_duplicated_share": 1.0,
        "answer_latency_ms": 30.0,
    }
    async with simulating(**fields) as carrier, binding(carrier.port, listener) as bind:
        bind.submit(messages(*many(10)))
        await listener.until(lambda: len(listener.received) == 20)
        await listener.until(lambda: len(listener.answers) == 10)
        assert order[:10] == ["receipt"] * 10
        ids = Counter(message_octets(d.pdu).split()[0][3:] for d in listener.received)
        assert set(ids) == {answer.message_id for answer in listener.answers}
        assert set(ids.values()) == {2}


async def test_a_receipt_that_is_not_early_comes_after_the_answer() -> None:
    listener = Listener()
    fields: dict[str, Any] = {"answer_latency_ms": (1.0, 20.0), "receipt_delay_ms": (0.0, 1.0)}
    async with simulating(**fields) as carrier, binding(carrier.port, listener) as bind:
        bind.submit(messages(*many(50)))
        await listener.until(lambda: len(listener.received) > 0)
        known = {answer.message_id for answer in listener.answers}
        assert message_octets(listener.received[0].pdu).split()[0][3:] in known
        await listener.until(lambda: len(listener.received) == 50)


@pytest.mark.parametrize(
    ("styles", "answered", "reported"),
    [
        ({"message_id_style": "decimal"}, r"\d+", None),
        ({"message_id_style": "hex"}, r"[0-9A-F]+", None),
        ({"message_id_style": "uuid"}, r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", None),
        ({"message_id_style": "hex", "receipt_id_style": "decimal"}, r"[0-9A-F]+", 10),
        ({"message_id_style": "decimal", "receipt_id_style": "hex"}, r"\d+", 16),
    ],
)
async def test_e1_ids_have_the_style_of_the_profile(
    styles: dict[str, Any], answered: str, reported: int | None
) -> None:
    listener = Listener()
    async with simulating(**styles) as carrier, binding(carrier.port, listener) as bind:
        bind.submit(messages("861300000009"))
        await listener.until(lambda: len(listener.received) == 1)
        message_id = listener.answers[0].message_id.decode()
        (receipt_id,) = receipt_fields(listener)
        assert re.fullmatch(answered, message_id)
        if reported is None:
            assert receipt_id == message_id
        else:
            assert receipt_id != message_id
            assert int(receipt_id, reported) == int(message_id, 26 - reported)


async def test_what_is_above_the_rate_is_throttled() -> None:
    listener = Listener()
    async with (
        simulating(rate_per_second=10.0) as carrier,
        binding(carrier.port, listener) as bind,
    ):
        bind.submit(messages(*many(60), registered=0))
        await listener.until(lambda: len(listener.answers) == 60)
        statuses = Counter(answer.command_status for answer in listener.answers)
        assert set(statuses) == {0, vocabulary.ESME_RTHROTTLED}
        assert statuses[vocabulary.ESME_RTHROTTLED] > 40
        assert carrier.counters.accepted == statuses[0]


async def test_credentials_are_checked() -> None:
    listener = Listener()
    credentials = {"shop": "right"}
    async with (
        simulating(credentials=credentials) as carrier,
        binding(carrier.port, listener, wait_bound=False) as bind,
    ):
        await eventually(lambda: "ESME_RINVPASWD: system_id or password" in str(bind.last_error))
        assert listener.bound_times == 0
    credentials["shop"] = "secret"
    async with simulating(credentials=credentials) as carrier, binding(carrier.port, listener):
        assert listener.bound_times == 1


# --- receipts that do not get through ------------------------------------------------------------


async def test_a_receipt_that_is_not_taken_is_sent_again() -> None:
    listener = Listener(acknowledge=vocabulary.ESME_RX_T_APPN)
    async with simulating() as carrier, binding(carrier.port, listener) as bind:
        bind.submit(messages(*many(20)))
        await listener.until(lambda: len(listener.received) == 40)
        listener.acknowledge_with = 0
        await eventually(lambda: carrier.held == 0)
        counters = carrier.counters
        assert counters.receipts_acknowledged == 20
        assert counters.receipts_resent >= 20
        assert counters.receipts_sent == counters.receipts_resent + 20
        assert len(receipt_fields(listener)) == 20


async def test_a_receipt_without_an_answer_is_sent_again() -> None:
    listener = Listener(acknowledge=None)
    async with (
        simulating(receipt_timeout_seconds=0.05) as carrier,
        binding(carrier.port, listener) as bind,
    ):
        bind.submit(messages("861300000009"))
        await listener.until(lambda: len(listener.received) == 2)
        listener.acknowledge_with = 0
        await eventually(lambda: carrier.held == 0)
        assert len(receipt_fields(listener)) == 1


async def test_sending_again_has_an_end() -> None:
    listener = Listener(acknowledge=vocabulary.ESME_RX_T_APPN)
    async with (
        simulating(receipt_resends_max=3) as carrier,
        binding(carrier.port, listener) as bind,
    ):
        bind.submit(messages("861300000009"))
        await listener.until(lambda: len(listener.received) == 4)
        await eventually(lambda: carrier.held == 0)
        assert carrier.counters.receipts_given_up == 1
        assert carrier.counters.receipts_sent == 4


async def test_a_receipt_that_is_refused_for_good_is_not() -> None:
    listener = Listener(acknowledge=vocabulary.ESME_RX_P_APPN)
    async with simulating() as carrier, binding(carrier.port, listener) as bind:
        bind.submit(messages("861300000009"))
        await listener.until(lambda: len(listener.received) == 1)
        await eventually(lambda: carrier.held == 0)
        assert carrier.counters.receipts_refused == carrier.counters.receipts_sent == 1


async def test_e13_receipts_wait_for_a_bind_that_can_receive() -> None:
    sender, receiver = Listener(), Listener()
    async with simulating() as carrier:
        async with binding(carrier.port, sender) as bind:
            sender.acknowledge_with = None
            bind.submit(messages(*many(50)))
            await sender.until(lambda: len(sender.received) == 50)
        assert carrier.held == 50  # they were delivered and never acknowledged
        async with binding(carrier.port, receiver):
            await receiver.until(lambda: len(receiver.received) == 50)
            await eventually(lambda: carrier.held == 0)
        assert receipt_fields(receiver) == receipt_fields(sender)


async def test_receipts_are_for_their_own_system_id_only() -> None:
    listener = Listener()
    async with simulating() as carrier, binding(carrier.port, listener):
        for system_id in ("shop", "other"):
            carrier.send_message(InboundMessage(system_id, b"8613800000001", b"1069", b"hello"))
        await listener.until(lambda: len(listener.received) == 1)
        await eventually(lambda: carrier.counters.receipts_acknowledged == 1)
        assert carrier.held == 1
        pdu = listener.received[0].pdu
        assert (pdu.esm_class, message_octets(pdu)) == (0, b"hello")


async def test_unacknowledged_receipts_are_bounded_by_the_window() -> None:
    listener = Listener(acknowledge=None)
    async with simulating(receipt_window=7) as carrier, binding(carrier.port, listener) as bind:
        bind.submit(messages(*many(20)))
        await listener.until(lambda: len(listener.received) == 7)
        await listener.until(lambda: len(listener.answers) == 20)
        assert carrier.counters.receipts_sent == 7
        bind.acknowledge(listener.received[:3])
        await listener.until(lambda: len(listener.received) == 10)
        assert carrier.counters.receipts_sent == 10


# --- the ledger ----------------------------------------------------------------------------------


async def test_a_line_is_in_the_ledger_before_its_answer_is_on_the_wire(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"

    class Auditor(Listener):
        def responses(self, bind: Bind, responses: list[SubmitResponse]) -> None:
            written = {line.message_id for line in read_ledger(path)}
            assert {answer.message_id.decode() for answer in responses} <= written
            super().responses(bind, responses)

    listener = Auditor()
    async with simulating(ledger_path=path) as carrier, binding(carrier.port, listener) as bind:
        for _ in range(10):
            bind.submit(messages(*many(10)))
            await listener.until(lambda: bind.in_flight == 0)
    lines = list(read_ledger(path))
    assert [line.n for line in lines] == list(range(1, 101))
    assert [line.message_id for line in lines] == [a.message_id.decode() for a in listener.answers]
    assert Counter(line.destination for line in lines) == Counter(many(10) * 10)


async def test_the_ledger_says_what_was_sent(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    long_text = "你好，世界 " * 20
    encoded = encode_text(long_text, reference=77)
    assert len(encoded.parts) > 1
    parts: list[tuple[SubmitSm, object]] = [
        (
            SubmitSm(
                0,
                source_addr=b"1069",
                destination_addr=b"8613800000009",
                esm_class=encoded.esm_class,
                data_coding=encoded.data_coding,
                short_message=part,
            ),
            None,
        )
        for part in encoded.parts
    ]
    listener = Listener()
    async with simulating(ledger_path=path) as carrier, binding(carrier.port, listener) as bind:
        bind.submit(messages("861300000006"))
        bind.submit(parts)
        await listener.until(lambda: len(listener.answers) == 1 + len(parts))
    refused, *lines = read_ledger(path)
    assert refused.status == vocabulary.ESME_RINVDSTADR
    assert (refused.message_id, refused.text) == ("", "Your code is 123456")
    assert (refused.source, refused.destination) == ("SHOP", "861300000006")
    assert refused.system_id == "shop"
    assert "".join(line.text for line in lines) == long_text
    assert {line.reference for line in lines} == {77}
    total = len(parts)
    assert [(line.part, line.parts) for line in lines] == [(n, total) for n in range(1, total + 1)]


async def test_a_ledger_goes_on_where_it_ended(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    for _ in range(2):
        listener = Listener()
        async with simulating(ledger_path=path) as carrier, binding(carrier.port, listener) as bind:
            bind.submit(messages(*many(3)))
            await eventually(lambda: bind.counters.answered == 3)  # awaited here
    lines = list(read_ledger(path))
    assert [line.n for line in lines] == [1, 2, 3, 4, 5, 6]
    assert len({line.message_id for line in lines}) == 6  # a restart gives no id twice (E8)


async def test_a_file_that_is_no_ledger_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("buy milk\n")
    with pytest.raises(LedgerError, match="notes"):
        list(read_ledger(path))
    simulator = Simulator(Profile(), "127.0.0.1", 0, ledger_path=path)
    with pytest.raises(LedgerError):
        await simulator.start()
    with pytest.raises(LedgerError, match="missing"):
        list(read_ledger(tmp_path / "missing"))


def test_message_states_are_those_of_the_receipt() -> None:
    assert SCRIPT[b"0001"].message_state == MessageState.UNDELIVERABLE
    assert SCRIPT[b"0004"].message_state == MessageState.REJECTED
