"""What is kept octet for octet: in the transaction that stores it, encrypted, within a bound."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from dispatch.raw import rows
from dispatch.raw.kept import keeps
from dispatch.raw.reading import decoded, pdu_of
from dispatch.raw.rows import RawRow, listed
from dispatch.raw.unclear import Unclear
from smpp.encoding import TextSettings
from smpp.pdu import DataSm, DeliverSm, encode
from smpp.vocabulary import ESME_ROK, TLV_MESSAGE_PAYLOAD
from storage.ids import ID_MAX
from tests.dispatch.inbound.test_unclear import delivered
from tests.dispatch.inbound.world import HANDSET, Inbound, receiving, texted
from tests.dispatch.world import CONNECTOR, VAULT

PARKED = b"id:7 sub:001 dlvrd:001 submit date:2611290000 done date:2611290001 stat:DELIVRD err:000"
WORD = PARKED.replace(b"id:7", b"id:8").replace(b"DELIVRD", b"NOROUTE")


@pytest.fixture
async def inbound(database_url: str) -> AsyncIterator[Inbound]:
    async with receiving(database_url) as inbound:
        yield inbound


async def raw(inbound: Inbound) -> list[RawRow]:
    """Oldest first."""
    found = await listed(
        inbound.world.connection, VAULT, CONNECTOR, (0, ID_MAX), unclear=None, limit=100
    )
    return found[::-1]


def reasons(found: list[RawRow]) -> set[tuple[bool, str | None]]:
    return {(row.receipt, row.unclear) for row in found}


@pytest.mark.parametrize(
    ("policy", "unclear", "receipt", "kept"),
    [
        ("unclear", None, True, False),
        ("unclear", None, False, True),
        ("unclear", Unclear.GUESSED, True, True),
        ("all", None, True, True),
        ("all", None, False, True),
        ("none", Unclear.UNREADABLE, True, False),
        ("none", None, False, False),
    ],
)
def test_e94_what_a_connector_keeps(
    policy: Any, unclear: Unclear | None, receipt: bool, kept: bool
) -> None:
    assert keeps(policy, unclear, receipt=receipt) is kept


async def test_e94_what_is_unclear_is_kept_octet_for_octet_and_encrypted(inbound: Inbound) -> None:
    pdus = [
        delivered(0x04, b"no receipt at all"),
        delivered(0x04, PARKED),
        delivered(0x04, WORD),
        delivered(0x00, b"a text of a handset"),
    ]
    assert await inbound.answers(pdus) == [ESME_ROK] * 4
    await inbound.world.recorder.commits.drain()
    found = await raw(inbound)
    assert reasons(found) == {
        (True, "unreadable"), (True, "parked"), (True, "unknown_word"), (False, None),
    }  # fmt: skip
    bodies = {encode(pdu)[16:] for pdu in pdus}
    assert {row.frame[16:] for row in found if row.frame} == bodies
    stored = await inbound.world.connection.fetch("SELECT body_enc FROM raw_delivery")
    for row in stored:
        assert HANDSET[1:].encode() not in row["body_enc"]
        assert b"receipt" not in row["body_enc"]


async def test_e94_a_parked_receipt_and_its_octets_have_one_id(inbound: Inbound) -> None:
    for policy in ("unclear", "all"):
        inbound.dispatch.intake.keep_raw(policy)
        assert await inbound.answers([delivered(0x04, PARKED)]) == [ESME_ROK]
    await inbound.world.recorder.commits.drain()
    found = await raw(inbound)
    assert reasons(found) == {(True, "parked")}
    parked = await inbound.world.connection.fetch("SELECT id FROM unmatched_receipt")
    assert {row["id"] for row in parked} == {row.id for row in found}
    assert len(found) == 2


async def test_e94_each_part_of_a_message_is_kept_and_none_where_none_is_wanted(
    inbound: Inbound,
) -> None:
    parts = texted("x" * 400)
    assert await inbound.answers(parts) == [ESME_ROK] * len(parts)
    assert len(await raw(inbound)) == len(parts)
    inbound.dispatch.intake.keep_raw("none")
    others = [delivered(0x04, PARKED), delivered(0x04, b"?"), *texted("hello", reference=8)]
    assert await inbound.answers(others) == [ESME_ROK] * len(others)
    await inbound.world.recorder.commits.drain()
    assert len(await raw(inbound)) == len(parts)


async def test_e94_a_row_has_a_bound(inbound: Inbound, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "OCTETS_MAX", 60)
    assert await inbound.answers([delivered(0x00, b"x" * 100)]) == [ESME_ROK]
    [row] = await raw(inbound)
    assert row.frame is not None
    assert (row.cut, len(row.frame)) == (True, 60)
    assert row.octets > 100
    assert pdu_of(row.frame) is None


async def test_e94_octets_of_another_row_are_not_opened(inbound: Inbound) -> None:
    assert await inbound.answers([delivered(0x00, b"a"), delivered(0x00, b"b")]) == [ESME_ROK] * 2
    await inbound.world.connection.execute(
        "UPDATE raw_delivery SET body_enc = (SELECT body_enc FROM raw_delivery ORDER BY id LIMIT 1)"
    )
    assert [row.frame is None for row in await raw(inbound)] == [False, True]


def test_e94_a_kept_delivery_is_shown_as_it_is_read_today() -> None:
    pdu = DataSm(
        0,
        source_addr=b"4479",
        destination_addr=b"3383",
        esm_class=0x04,
        tlvs=((TLV_MESSAGE_PAYLOAD, b"hello"),),
    )
    read = pdu_of(encode(pdu))
    assert read is not None
    view = decoded(read, TextSettings())
    assert (view.command, view.source, view.destination) == ("data_sm", "4479", "3383")
    assert (view.text, view.tlvs[0].tag) == ("hello", "0x0424")
    assert pdu_of(encode(DeliverSm(0, short_message=b"x"))[:-1]) is None
