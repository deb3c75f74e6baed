"""The arithmetic of the chain against fixed vectors, and against a second way to write J."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.audit_chain import MARK, START, Said, around_seq, commitment, linked, moment
from storage.ids import ID_MAX, id_at, time_of

SUBJECT = bytes.fromhex("00112233445566778899aabbccddeeff")
FIRST = Said(
    id=1000, at="2026-12-01T00:00:00.000Z", account=1, actor="key 7", action="numbers.reveal",
    detail={"message": "msg_0aq3zk5m80000"},
    subject_hash=commitment(b"s", bytes(range(16)), SUBJECT),
    text_hash=commitment(b"t", bytes(range(16)), b"complaint 4711"),
)  # fmt: skip
SECOND = Said(
    id=1001, at="2026-12-01T00:00:01.500Z", account=1, actor="keyword", action="suppression.add",
    detail={"source": "keyword", "category": "marketing"},
    subject_hash=commitment(b"s", bytes(range(16, 32)), SUBJECT), text_hash=None,
)  # fmt: skip
THIRD = Said(
    id=1002, at="2026-12-01T00:00:02.000Z", account=0, actor="job", action="key.rotate",
    detail={"to": 2}, subject_hash=None, text_hash=None,
)  # fmt: skip


def test_the_vectors_of_a_chain_of_three() -> None:
    one = linked(START, 1, FIRST)
    two = linked(one, 2, SECOND)
    three = linked(two, 3, THIRD)
    assert one.hex().startswith("479566e508469326")
    assert two.hex().startswith("eff8840618e8d172")
    assert three.hex() == "f83835bc8f19195503bd37190164e30ff9decc8bc2557666844299c9a2f0c162"


WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
VALUES = st.one_of(st.integers(-(2**53), 2**53), st.booleans(), st.none(), WORDS)
DETAILS = st.dictionaries(WORDS, VALUES | st.lists(VALUES, max_size=3), max_size=4)


@given(DETAILS, WORDS, st.integers(1, 2**62), st.integers(0, ID_MAX))
def test_j_is_json_with_sorted_keys_and_no_spaces(
    detail: dict[str, object], actor: str, seq: int, identifier: int
) -> None:
    said = Said(identifier, moment(identifier), 3, actor, "a.b", detail, SUBJECT * 2, None)
    fields = {
        "account": 3, "action": "a.b", "actor": actor, "at": said.at, "detail": detail,
        "id": str(identifier), "seq": seq, "subject": (SUBJECT * 2).hex(), "text": None,
    }  # fmt: skip
    j = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    head, tail = around_seq(said)
    assert f"{head}{seq}{tail}" == j
    assert linked(START, seq, said) == hashlib.sha256(MARK + START + j.encode()).digest()


@pytest.mark.parametrize("milliseconds", [0, 1, 4, 499, 500, 999])
def test_g32_a_moment_is_the_id_s_millisecond_and_is_never_rounded(milliseconds: int) -> None:
    at = datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
    identifier = id_at(at + timedelta(microseconds=999)) + (1 << 22) - 1  # the last id of it
    assert moment(identifier) == f"2026-12-31T23:59:59.{milliseconds:03d}Z"
    assert time_of(identifier) == at
