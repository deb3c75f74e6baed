"""Taking a receipt's text apart: missing keys, words behind colons, words nobody knows."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlr.receipt import Likeness, likeness
from dlr.receipt_text import ID_CHARACTERS_MAX, receipt_words
from dlr.status import Status
from smpp.user_data import plain_text
from tests.dlr.test_receipt import STANDARD, parse, parsed

DONE = datetime(2018, 9, 3, 12, 8, 16, tzinfo=UTC)
ID = "ce5bc5a9-4f7d-4282-9244-2e1022a9335c"
BARE = (
    f"id:{ID} sub:000 dlvrd:000 submit date:180903120815 done date:180903120816 DELIVRD err:000"
    " Text:"
)


@pytest.mark.parametrize(
    "text",
    [
        BARE,
        # the same field without its key, wherever it stands
        BARE.replace(" DELIVRD", "").replace(" sub:", " DELIVRD sub:"),
        BARE.replace(" DELIVRD err:000", " err:000 DELIVRD"),
        BARE.replace("DELIVRD", "stat: DELIVRD"),
        # the id without its own, in front
        BARE.removeprefix("id:"),
        BARE.replace("id:", "id "),
        BARE.replace("id:", "receipt for "),
        # both dates in one field, in words with blanks
        BARE.replace("180903120816", "2018-09-03 12:08:16"),
        BARE.replace("id:", "Message ID: ").replace(" ", "\n"),
        BARE.replace("id:", "msgid=").replace("err:", "error code:"),
    ],
)
def test_e95_a_value_counts_where_its_key_is_missing(text: str) -> None:
    receipt = parsed(text.encode())
    assert (receipt.carrier_id, receipt.status) == (ID, Status.DELIVERED)
    assert (receipt.error, receipt.done_at) == ("000", DONE)
    assert receipt.unknown_state is None


def test_e95_what_was_read_without_a_key_is_said() -> None:
    assert parsed(BARE.encode()).guessed
    assert parsed(BARE.removeprefix("id:").encode()).guessed
    assert not parsed(STANDARD).guessed


def test_e95_an_error_without_its_key() -> None:
    assert parsed(b"id:1 stat:UNDELIV 027 text:hello").error == "027"
    assert parsed(b"id:1 stat:UNDELIV hello you").error is None
    assert parsed(b"id:1 stat:UNDELIV err: text:hello").error is None


def test_e95_no_state_at_all_is_parked_by_its_id() -> None:
    receipt = parsed(b"id:77 sub:001 dlvrd:001 submit date:2401011200 done date:2401011203 err:000")
    assert (receipt.carrier_id, receipt.status, receipt.state) == ("77", Status.SENT, "")
    assert receipt.unknown_state == ""


def test_e95_the_customers_words_are_no_values() -> None:
    """Behind `text:` they never count, and without that key only where a state is missing."""
    receipt = parsed(b"id:1 dlvrd:000 done date:2401011203 err:000 text:DELIVRD")
    assert (receipt.status, receipt.state) == (Status.SENT, "")
    receipt = parsed(f"{BARE.removeprefix('id:')}id:5 stat:EXPIRED".encode())
    assert (receipt.carrier_id, receipt.status) == (ID, Status.DELIVERED)
    receipt = parsed(b"id:1 stat:EXPIRED err:000 DELIVRD id:2")
    assert (receipt.carrier_id, receipt.status) == ("1", Status.EXPIRED)


def test_e95_an_id_behind_the_customers_words_is_found() -> None:
    receipt = parsed(b"text:your id:5 is here sub:001 dlvrd:001 id:77 stat:DELIVRD err:000")
    assert (receipt.carrier_id, receipt.status) == ("77", Status.DELIVERED)


@pytest.mark.parametrize(
    ("text", "state", "error", "status"),
    [
        (b"id:1 stat:ID:0076 err:ID:0076", "ID:0076", "ID:0076", Status.UNDELIVERED),
        (b"id:1 stat: ID:0076 err: ID:0076", "ID:0076", "ID:0076", Status.UNDELIVERED),
        (b"stat: ID:0076 id:1", "ID:0076", "ID:0076", Status.UNDELIVERED),
        (b"id:1 stat:UNDELIV err:ID:0076", "UNDELIV", "ID:0076", Status.UNDELIVERED),
        (b"id:1 stat:UNDELIV err:stat:3", "UNDELIV", "stat:3", Status.UNDELIVERED),
        (b"id:1,stat:MI:0022,err:000,text:", "MI:0022", "MI:0022", Status.UNDELIVERED),
        (b"id:1 stat:MI00022 err:", "MI00022", "MI00022", Status.UNDELIVERED),  # in the tables
        (b"id:1 stat:2:100 err:2:100", "2:100", "2:100", Status.SENT),
        (b"id:1 stat:EXPIRED. err:005", "EXPIRED", "005", Status.EXPIRED),
        (b"id:1 stat:HD:29 err:000", "HD:29", "000", Status.SENT),
    ],
)
def test_e96_a_code_keeps_its_colon_and_what_stands_before_it(
    text: bytes, state: str, error: str, status: Status
) -> None:
    receipt = parsed(text)
    assert (receipt.carrier_id, receipt.state, receipt.error) == ("1", state, error)
    assert receipt.status is status


@given(
    st.sampled_from(["ID", "SUB", "ERR", "STAT", "TEXT", "DLVRD", "DONE DATE", "id", "text"]),
    st.from_regex(r"[0-9A-Z]{1,6}", fullmatch=True),
)
def test_e96_no_key_begins_inside_a_value(key: str, rest: str) -> None:
    """Whatever stands before a colon in a code, the id stays the carrier's."""
    code = f"{key}:{rest}".split()[-1]
    receipt = parsed(f"id:1 stat:{code} err:{code} text:id:2".encode())
    assert (receipt.carrier_id, receipt.state, receipt.error) == ("1", code, code)


@pytest.mark.parametrize("word", ["MK00013", "NOROUTE", "REJECT", "BLACK", "2:100", "HD:29"])
def test_e96_a_word_nobody_knows_is_no_outcome_unless_the_carrier_explains_it(word: str) -> None:
    text = f"id:1 sub:001 dlvrd:001 stat:{word} err:000 text:x".encode()
    receipt = parsed(text)
    assert (receipt.status, receipt.unknown_state) == (Status.SENT, word)
    explained = parsed(text, states={word: Status.UNDELIVERED})
    assert (explained.status, explained.unknown_state) == (Status.UNDELIVERED, None)
    assert explained.error == word
    assert parsed(text.lower(), states={word: Status.UNDELIVERED}).status is Status.UNDELIVERED


def test_e96_a_carriers_own_meaning_goes_before_the_usual_one() -> None:
    states = {"ACCEPTD": Status.DELIVERED, "STATE-77": Status.EXPIRED, "PENDING": Status.SENT}
    assert parsed(b"id:1 stat:ACCEPTD", states=states).status is Status.DELIVERED
    assert parsed(b"", tlv_id=b"1", state=77, states=states).status is Status.EXPIRED
    assert parsed(b"", tlv_id=b"1", state=78, states=states).unknown_state == "STATE-78"
    pending = parsed(b"id:1 stat:PENDING dlvrd:000 done date:2401011203 err:5", states=states)
    assert (pending.status, pending.unknown_state) == (Status.SENT, None)


UNKNOWN = b"id:1 sub:001 dlvrd:000 submit date:2401011200 done date:2401011203 stat:NOROUTE err:45"


@pytest.mark.parametrize(
    ("text", "inferred"),
    [
        (UNKNOWN, True),
        (UNKNOWN.replace(b" sub", b"  sub"), True),  # the tolerant way
        (UNKNOWN.replace(b"stat:NOROUTE ", b""), True),
        (UNKNOWN.replace(b"dlvrd:000", b"dlvrd:001"), False),
        (UNKNOWN.replace(b"dlvrd:000 ", b""), False),
        (UNKNOWN.replace(b"err:45", b"err:000"), False),
        (UNKNOWN.replace(b" err:45", b""), False),
        (UNKNOWN.replace(b"done date:2401011203", b"done date:0000000000"), False),
        (UNKNOWN.replace(b"NOROUTE", b"ENROUTE"), False),  # known: it goes on
    ],
)
def test_e96_none_delivered_a_date_and_a_code_say_undelivered(text: bytes, inferred: bool) -> None:
    receipt = parsed(text)
    assert receipt.inferred == inferred
    assert receipt.status is (Status.UNDELIVERED if inferred else Status.SENT)


def test_e96_a_known_state_in_the_tlv_explains_a_word_nobody_knows() -> None:
    receipt = parsed(b"id:1 stat:NOROUTE err:000", state=5)
    assert (receipt.status, receipt.unknown_state) == (Status.UNDELIVERED, None)
    assert receipt.error == "NOROUTE"
    assert parsed(b"id:1 stat:NOROUTE", state=1).unknown_state == "NOROUTE"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (STANDARD.decode(), Likeness.CERTAIN),
        ("id:7 stat:DELIVRD", Likeness.CERTAIN),
        (UNKNOWN.decode(), Likeness.CERTAIN),  # an unknown word among all the other fields
        ("id:7 stat:HELLO", Likeness.NAMED),
        ("stat:DELIVRD", Likeness.STATED),
        ("7 stat:DELIVRD", Likeness.STATED),  # an id only where it is known to be a receipt
        ("stat:HELLO", Likeness.NONE),
        ("my id: 7 is in a bad state", Likeness.NONE),
        ("id: 7 DELIVRD", Likeness.NONE),
        ("STOP", Likeness.NONE),
    ],
)
def test_e93_how_much_of_a_receipt_a_text_is(text: str, found: Likeness) -> None:
    assert likeness(text) is found


PIECES = """
    id: ID : stat: err: text: sub: dlvrd: msgid= DELIVRD ID:0076 NOROUTE 12 2401011203 ; , | :
"""
pieces = st.sampled_from([*PIECES.split(), "submit date:", "done date:", " ", "\0"])
noise = st.lists(pieces | st.text(max_size=6), max_size=20).map("".join)


@given(st.binary(max_size=400) | noise.map(lambda text: text.encode("utf-8", "replace")))
def test_e95_no_octets_raise_and_all_that_is_read_has_its_bound(octets: bytes) -> None:
    text = plain_text(octets)
    words = receipt_words(text, lambda word: len(word) % 2 == 0)
    assert len(words.identifier) <= ID_CHARACTERS_MAX
    assert len(words.state or "") <= 32 >= len(words.error)
    likeness(text)
    parse(octets)


identifiers = st.text("0123456789abcdefABCDEF-", min_size=1, max_size=ID_CHARACTERS_MAX)
fields = st.permutations(
    ["sub:001", "dlvrd:001", "submit date:2401011200", "done date:2401011203", "err:000"]
)
states = st.sampled_from(["stat:DELIVRD", "DELIVRD", "stat:NOROUTE", "stat: ID:0076", "stat:", ""])
separators = st.sampled_from([" ", ", ", "; ", "\r\n", "|", "  ", "\t", "\0"])


@given(identifiers, fields, states, st.integers(0, 5), separators, noise)
def test_e95_an_id_that_stands_there_is_never_lost(
    identifier: str, others: list[str], state: str, place: int, separator: str, tail: str
) -> None:
    """Whatever the order, the separators, the state, and what the customer wrote."""
    parts = [*others[:place], f"id:{identifier}", *others[place:]]
    parts.insert(place // 2, state)
    text = separator.join([part for part in parts if part] + [f"text:{tail}"])
    assert parsed(text.encode("utf-8", "replace")).carrier_id == identifier
