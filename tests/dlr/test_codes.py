"""Carriers' codes: a number means something in its carrier's table only; few codes prune."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlr.codes import (
    EVERYWHERE,
    FOLDER,
    PRUNE_SURE_MIN,
    SHIPPED,
    WORDS_ONLY,
    Code,
    CodeClass,
    Codes,
    CodesOfConnectors,
    CodeTableName,
    canonical_code,
    row_of,
    rows,
)
from dlr.reasons import REASONS, Reason
from dlr.status import Status

NAMES: tuple[CodeTableName, ...] = get_args(CodeTableName)
EVERY_ROW = [(table, row) for table in SHIPPED for row in rows(table)]


@pytest.mark.parametrize("code", ["001", "1", "0001", " 01 ", "MK:0001", "mk:0001", "MK:0012"])
def test_a_vacant_number_is_recognised_in_every_spelling(code: str) -> None:
    codes = Codes("map")
    assert codes.reason(Status.UNDELIVERED, code) is Reason.NUMBER_UNKNOWN
    assert codes.proves_dead(Status.UNDELIVERED, code)


@pytest.mark.parametrize("status", [Status.UNDELIVERED, Status.REJECTED, Status.EXPIRED])
@given(number=st.integers(0, 10**10))
def test_e103_a_bare_number_means_nothing_without_its_table(status: Status, number: int) -> None:
    plain = WORDS_ONLY.reason(status, None)
    assert WORDS_ONLY.reason(status, str(number)) is plain
    assert not WORDS_ONLY.proves_dead(status, str(number))


def test_e103_one_number_means_what_its_carrier_means() -> None:
    said = {
        name: (Codes(name).reason(Status.UNDELIVERED, "1"), Codes(name).proves_dead(50, "1"))
        for name in NAMES
    }
    unreachable = (Reason.HANDSET_UNREACHABLE, False)
    assert said == {
        "none": (Reason.UNKNOWN, False),
        "map": (Reason.NUMBER_UNKNOWN, True),
        "infobip": (Reason.NUMBER_UNKNOWN, True),
        "smpp": unreachable,
        "8x8": unreachable,
        "unicom": (Reason.NUMBER_UNKNOWN, False),
        "telecom": (Reason.UNKNOWN, False),
        "twilio": (Reason.UNKNOWN, False),
    }


AMBIGUOUS = ["MI:0054", "MI:0059", "MN:0001", "MK:0000", "MK:0115", "MI:0073", "MI:0210", "MK:0013"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("code", [*AMBIGUOUS, "044", "21b", "999", ""])
def test_e103_an_ambiguous_code_does_not_prune(name: CodeTableName, code: str) -> None:
    assert not Codes(name).proves_dead(Status.UNDELIVERED, code)


@pytest.mark.parametrize("code", AMBIGUOUS)
def test_e103_what_may_be_a_living_number_is_no_filter(code: str) -> None:
    assert WORDS_ONLY.reason(Status.UNDELIVERED, code) not in (
        Reason.CARRIER_BLOCKED,
        Reason.CONTENT_FILTERED,
    )


def test_e103_a_colon_makes_another_code() -> None:
    assert WORDS_ONLY.reason(Status.UNDELIVERED, "MI00022") is Reason.HANDSET_FULL
    assert WORDS_ONLY.find("MI:0022") is None


@pytest.mark.parametrize("status", [status for status in Status if status > 0])
def test_only_a_verdict_of_the_carrier_prunes(status: Status) -> None:
    verdict = status in (Status.UNDELIVERED, Status.REJECTED)
    assert WORDS_ONLY.proves_dead(status, "MK:0001") is verdict
    assert (WORDS_ONLY.reason(status, "MK:0001") is Reason.NUMBER_UNKNOWN) is verdict


def test_an_error_code_of_a_delivered_message_means_nothing() -> None:
    codes = Codes("map")
    assert codes.reason(Status.DELIVERED, "000") is Reason.NONE
    assert codes.reason(Status.DELIVERED, "001") is Reason.NONE
    assert codes.reason(Status.SENT, "006") is Reason.NONE


def test_a_code_says_more_than_the_status() -> None:
    codes = Codes("map")
    assert codes.reason(Status.EXPIRED, None) is Reason.EXPIRED
    assert codes.reason(Status.EXPIRED, "006") is Reason.HANDSET_UNREACHABLE
    assert codes.reason(Status.REJECTED, "XA:0004") is Reason.CONTENT_FILTERED
    assert codes.reason(Status.REJECTED, "ESME_RINVDSTADR") is Reason.NUMBER_INVALID
    assert codes.reason(Status.REJECTED, None) is Reason.CARRIER_REJECTED
    assert codes.reason(Status.UNDELIVERED, "7777") is Reason.UNKNOWN


def test_a_connector_that_names_no_table_has_the_words() -> None:
    known = CodesOfConnectors([(1, Codes("map"))])
    assert known.of(1) == Codes("map")
    assert known.of(2) == WORDS_ONLY != known.of(1)


def test_e103_what_the_operator_says_of_a_code_goes_before_the_tables() -> None:
    own = {"1": Reason.HANDSET_FULL, "650": Reason.NUMBER_UNKNOWN, "mk:0001": Reason.UNKNOWN}
    codes = Codes("map", own)
    said = [codes.reason(Status.UNDELIVERED, code) for code in ("001", "0650", "MK:0001", "006")]
    assert said == [
        Reason.HANDSET_FULL, Reason.NUMBER_UNKNOWN, Reason.UNKNOWN, Reason.HANDSET_UNREACHABLE,
    ]  # fmt: skip
    proofs = [codes.proves_dead(Status.UNDELIVERED, code) for code in ("1", "650", "MK:0001")]
    assert proofs == [False, True, False]
    assert codes == Codes("map", own) != Codes("map")
    with pytest.raises(ValueError, match="means two things"):
        Codes("none", {"1": Reason.UNKNOWN, "001": Reason.HANDSET_FULL})


def test_every_file_is_a_table_and_every_table_a_file() -> None:
    assert sorted(SHIPPED) == sorted(file.stem for file in FOLDER.glob("*.csv"))


def test_shipped_codes_are_in_the_spelling_they_are_looked_up_by() -> None:
    for table in SHIPPED:
        codes = [row.code for row in rows(table)]
        assert [canonical_code(code) for code in codes] == codes
        assert len(set(codes)) == len(codes)


def test_the_tables_that_hold_everywhere_have_no_bare_numbers() -> None:
    assert [row.code for table in EVERYWHERE for row in rows(table) if row.code.isdigit()] == []


@pytest.mark.parametrize(("table", "row"), EVERY_ROW, ids=lambda each: str(each)[:40])
def test_nothing_prunes_that_one_list_alone_says(table: str, row: Code) -> None:
    assert 1 <= row.sure <= 3 and row.source, table
    if row.code_class is CodeClass.PRUNE:
        assert row.reason is Reason.NUMBER_UNKNOWN
        assert row.sure >= PRUNE_SURE_MIN


def test_a_row_that_would_prune_on_one_word_is_refused() -> None:
    columns = {"code": "9", "reason": "number_unknown", "source": "one list", "class": "X"}
    assert row_of({**columns, "sure": "2"}).code_class is CodeClass.PRUNE
    with pytest.raises(ValueError, match="on the word of one table"):
        row_of({**columns, "sure": "1"})


# code: reason, class and how sure, as the sources that were read have it.
READ = {
    "none": "ESME_RINVDSTADR number_invalid P3; ESME_RINVSRCADR carrier_blocked P1;"
    "ESME_RTHROTTLED ESME_RMSGQFUL throttled R3; ESME_RSYSERR ESME_RX_T_APPN route_unavailable R3;"
    "ESME_RSUBMITFAIL ESME_RX_P_APPN ESME_RX_R_APPN carrier_rejected P3;"
    "MK:0001 MK:0012 number_unknown X2; MK:0000 MK:0013 number_unknown A1;"
    "MI:0010 number_suspended A2; MK:0005 number_suspended A1;"
    "MI:0013 MI:0024 MI:0029 MK:0004 MK:0011 handset_unreachable A2;"
    "MI:0054 MI:0059 MI:0055 MC:0151 MN:0001 handset_unreachable A2;"
    "MK:0115 handset_unreachable A1;"
    "MK:0024 MK:0010 MK:0029 MK:0008 handset_unreachable R2; MK:0017 MI00022 handset_full R2;"
    "MB:1077 recipient_blocked P2; DB:0141 DB:0144 recipient_blocked P1;"
    "DB:0101 CB:0001 CB:0053 number_unknown A1; XA:0003 carrier_blocked P1;"
    "XA:0004 content_filtered P1",
    "map": "1 number_unknown X3; 44 number_unknown A1; 5 6 27 31 33 handset_unreachable R3;"
    "32 handset_full R3; 34 route_unavailable R3; 9 11 12 21 carrier_rejected P3;"
    "13 carrier_blocked P3",
    "telecom": "601 640 number_suspended A1",
    "unicom": "1 number_unknown A1; 5 number_suspended A1; 12 handset_unreachable A2;"
    "24 handset_unreachable A1; 54 handset_unreachable R1; 79 handset_full R1",
    "twilio": "30003 handset_unreachable R3; 30006 number_invalid P3",
    "smpp": "001 handset_unreachable R3; 005 number_unknown X3",
    "infobip": "1 number_unknown X3",
    "8x8": "1 handset_unreachable R3; 21 handset_full R3",
}


@pytest.mark.parametrize("name", READ)
def test_a_table_says_what_its_sources_say(name: CodeTableName) -> None:
    for line in READ[name].split(";"):
        *codes, reason, known = line.split()
        for code in codes:
            row = Codes(name).find(code)
            assert row is not None, code
            said = (row.reason.label, f"{row.code_class.value}{row.sure}")
            assert said == (reason, known), code


@given(st.sampled_from(NAMES), st.sampled_from(Status), st.none() | st.text(max_size=40))
def test_any_text_gives_a_reason(name: CodeTableName, status: Status, error: str | None) -> None:
    codes = Codes(name)
    assert codes.reason(status, error) in REASONS
    assert not codes.proves_dead(status, error) or (
        codes.reason(status, error) is Reason.NUMBER_UNKNOWN
    )
