"""What counts as the same when a page is run, and what does not."""

from __future__ import annotations

import pytest

from tests.docs.shapes import differences


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        (["msg_0akw0xgzm0000"], ["msg_0apc9kejm0014"]),
        (['{"id":"msg_1","parts":1}'], ['{"id": "msg_2", "parts": 3}']),
        (['{"a":1,…}'], ['{"a":2,"b":[1,2]}']),
        (['{"a":[1,…],', ' "b":{…}}'], ['{"a":[5,6,7],"b":{"c":null}}']),
        (['{"a":…,"rate":0.5}'], ['{"a":"x","rate":0.25}']),
        (['{"at":"2026-11-20T22:59:05.119000Z"}'], ['{"at":"2030-01-01T00:00:00Z"}']),
        (['{"today":"2026-11-20"}'], ['{"today":"2027-01-01"}']),
        (['{"detail":"no field …"}'], ['{"detail":"no field x; there is y"}']),
        (["HTTP/1.1 202 OK", "…", '{"a":1}'], ["HTTP/1.1 202 OK", "Date: x", '{"a":1}']),
        (["…"], ["a", "b"]),
        (["to the end", "…"], ["to the end"]),
        ([], []),
        (["text"], ["text   ", ""]),
    ],
)  # fmt: skip
def test_o5_what_varies_is_the_same(shown: list[str], printed: list[str]) -> None:
    assert differences(shown, printed) == []


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        (['{"status":"accepted"}'], ['{"status":"held"}']),
        (['{"a":1}'], ['{"a":"1"}']),
        (['{"a":1}'], ['{"a":true}']),
        (['{"a":1}'], ['{"a":null}']),
        (['{"a":1}'], ['{"a":1,"b":2}']),
        (['{"a":1,"b":2,…}'], ['{"a":1}']),
        (['{"birthday":"1990-04-02"}'], ['{"birthday":"1990-04-03"}']),
        (['{"today":"2026-11-20"}'], ['{"today":"today"}']),
        (['{"a":[1,2]}'], ['{"a":[1]}']),
        (['{"a":[1]}'], ['{"a":[1,2]}']),
        (['{"a":[{"b":1},…]}'], ['{"a":[]}']),
        (["decision: routes[0]"], ["decision: routes[1]"]),
        (["HTTP/1.1 202 Accepted", "…"], ["HTTP/1.1 409 Conflict"]),
        ([], ["smsgate: an error"]),
        (["msg_1"], []),
        (['{"a":1}'], ["no JSON"]),
    ],
)
def test_o5_what_a_reader_would_miss_is_told(shown: list[str], printed: list[str]) -> None:
    assert differences(shown, printed) != []
