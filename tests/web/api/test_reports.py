"""Reports and connectors over HTTP: which question is asked, and how the answer names its rates."""

from __future__ import annotations

import csv
from datetime import timedelta

import pytest

from dlr.counting import SpanTooLarge
from dlr.report import GROUPS_MAX, TooManyRows
from tests.web.served import Api, created

DELIVERY = "/v1/reports/delivery"


async def test_a_report_without_parameters_is_about_the_last_24_hours(api: Api) -> None:
    response, body = await api.get(DELIVERY)
    assert response.status == 200
    # Ids may be ahead of a clock that was set back; what they say was created until now counts.
    reach = created() + timedelta(days=1)
    [asked] = api.memory.asked
    assert (asked.account, asked.since, asked.until, asked.group_by) == (
        1, created() - timedelta(hours=24), reach, (),
    )  # fmt: skip
    assert (body["since"], body["until"]) == ("2026-09-20T14:13:20Z", "2026-09-21T14:13:20Z")
    assert body["group_by"] == body["groups"] == []


async def test_a_rate_names_numerator_denominator_and_bounds(api: Api) -> None:
    _, body = await api.get(f"{DELIVERY}?group_by=category")
    total, groups = body["total"], body["groups"]
    assert isinstance(total, dict)
    assert isinstance(groups, list)
    assert total["counts"] == {"accepted": 4, "sent": 4, "delivered": 3}
    rate = total["rates"]["delivery_rate"]
    assert (rate["numerator"], rate["denominator"], rate["value"]) == (3, 4, 0.75)
    assert 0 < rate["low"] < 0.75 < rate["high"] < 1
    assert total.keys() == {"counts", "rates"}
    assert [group["key"] for group in groups] == [{"category": "x"}]


async def test_span_and_groups_are_passed_on_in_utc(api: Api) -> None:
    query = "since=2026-09-01T08:00:00%2B08:00&until=2026-09-02T00:00:00Z"
    response, _ = await api.get(f"{DELIVERY}?{query}&group_by=connector,category")
    assert response.status == 200
    [asked] = api.memory.asked
    assert str(asked.since) == "2026-09-01 00:00:00+00:00"
    assert str(asked.until) == "2026-09-02 00:00:00+00:00"
    assert asked.group_by == ("connector", "category")


BAD_QUERIES = [
    ("sinse=2026-09-01T00:00:00Z", "parameter_unknown", "sinse", "did you mean 'since'?"),
    ("since=yesterday", "parameter_invalid", "since", "RFC 3339"),
    ("since=2026-09-01T00:00:00", "parameter_invalid", "since", "RFC 3339"),
    ("since=2026-09-01T00:00:00+08:00", "parameter_invalid", "since", "%2B"),
    ("since=0001-01-01T00:00:00%2B08:00", "parameter_invalid", "since", "1970"),
    ("until=9999-12-31T23:59:59-08:00", "parameter_invalid", "until", "9999"),
    ("until=2026-09-01T00:00:00Z&until=", "parameter_invalid", "until", "twice"),
    ("since=2030-01-01T00:00:00Z", "bad_span", "since", "not before"),
    ("since=2020-01-01T00:00:00Z", "bad_span", "since", "400 days"),
    ("group_by=catgory", "unknown_group", "group_by", "did you mean 'category'?"),
    ("zone=Mars%2FOlympus", "unknown_zone", "zone", "Mars"),
    ("format=xml", "parameter_invalid", "format", "xml"),
    ("group_by=category,category", "parameter_invalid", "group_by", "different"),
    ("group_by=,", "unknown_group", "group_by", "no dimension ''"),
]  # fmt: skip


@pytest.mark.parametrize(("query", "code", "parameter", "words"), BAD_QUERIES)
@pytest.mark.parametrize("report", ["delivery", "funnel"])
async def test_a_bad_question_is_422_and_names_the_parameter(
    api: Api, report: str, query: str, code: str, parameter: str, words: str
) -> None:
    response, problem = await api.get(f"/v1/reports/{report}?{query}")
    assert (response.status, problem["code"]) == (422, code)
    errors = problem["errors"]
    assert isinstance(errors, list)
    assert errors[0]["parameter"] == parameter
    assert words in errors[0]["detail"]
    assert api.memory.asked == []


async def test_the_funnel_has_its_own_dimensions(api: Api) -> None:
    for dimension, status in (("variant", 200), ("connector", 422)):
        response, _ = await api.get(f"/v1/reports/funnel?group_by={dimension}")
        assert response.status == status
    assert (await api.get(f"{DELIVERY}?group_by=connector"))[0].status == 200


async def test_the_report_on_replies_has_its_own_dimensions(api: Api) -> None:
    response, body = await api.get("/v1/reports/replies?group_by=campaign,sender")
    assert (response.status, body["group_by"]) == (200, ["campaign", "sender"])
    assert (await api.get("/v1/reports/replies?group_by=reason"))[0].status == 422


async def test_failures_are_told_in_the_carriers_words(api: Api) -> None:
    response, body = await api.get("/v1/reports/failures?since=2026-09-01T00:00:00Z")
    assert response.status == 200
    assert body["failures"] == [
        {
            "connector": "carrier-a", "status": "undelivered", "reason": "number_unknown",
            "carrier_code": "MK:0001", "messages": 3, "parts": 3,
        }
    ]  # fmt: skip
    assert (body["since"], body["until"]) == ("2026-09-01T00:00:00Z", "2026-09-21T14:13:20Z")


async def test_latency_is_told_on_both_sides_of_the_carrier(api: Api) -> None:
    response, body = await api.get("/v1/reports/latency")
    assert response.status == 200
    assert api.memory.asked[0].since == created() - timedelta(hours=24)
    assert (
        body["answer"]
        == body["accepted_to_submit"]
        == [{"category": "otp", "messages": 7, "parts": 7, "p50": 0.01, "p95": 0.02, "p99": 0.03}]
    )
    assert body["receipt"] == body["submit_to_receipt"] == []


@pytest.mark.parametrize("report", ["failures", "latency"])
async def test_a_report_without_groups_refuses_group_by_and_bad_spans(
    api: Api, report: str
) -> None:
    for query in ("group_by=category", "since=2030-01-01T00:00:00Z", "until=tomorrow"):
        response, problem = await api.get(f"/v1/reports/{report}?{query}")
        assert response.status == 422
        errors = problem["errors"]
        assert isinstance(errors, list)
        assert errors[0]["parameter"] == query.partition("=")[0]
    assert api.memory.asked == []


async def test_connectors_say_why_they_are_down(api: Api) -> None:
    response, body = await api.get("/v1/connectors")
    assert response.status == 200
    data = body["data"]
    assert isinstance(data, list)
    assert (data[0]["name"], data[0]["up"], data[0]["reason"]) == (
        "carrier-a", False, "connection refused"
    )  # fmt: skip
    assert body["next_cursor"] is None


async def test_f1_a_page_says_where_to_go_on_and_pages_share_the_span(api: Api) -> None:
    api.memory.more_groups = ("0spring", "1")
    query = f"{DELIVERY}?group_by=campaign,connector&limit=1"
    response, first = await api.get(query)
    cursor = first["next_cursor"]
    assert f"cursor={cursor}" in response.headers["Link"]
    api.memory.later_ms += 5_000
    api.memory.more_groups = None
    response, second = await api.get(f"{query}&cursor={cursor}")
    assert (second["next_cursor"], "Link" in response.headers) == (None, False)
    assert (first["since"], first["until"]) == (second["since"], second["until"])
    assert [page.after for page in api.memory.pages_asked] == [(), ("0spring", "1")]
    assert {page.limit for page in api.memory.pages_asked} == {1}


async def test_f1_a_cursor_is_good_for_its_question_alone(api: Api) -> None:
    api.memory.more_groups = ("0" + "\U00020bb7" * 100,) * 2
    _, first = await api.get(f"{DELIVERY}?group_by=campaign,connector")
    cursor = first["next_cursor"]
    response, _ = await api.get(f"{DELIVERY}?group_by=campaign,connector&cursor={cursor}")
    assert response.status == 200
    response, problem = await api.get(f"{DELIVERY}?group_by=campaign&cursor={cursor}")
    assert (response.status, problem["code"]) == (422, "cursor_invalid")


async def test_f1_failures_say_whether_they_are_all(api: Api) -> None:
    _, body = await api.get("/v1/reports/failures")
    assert (body["messages"], body["parts"], body["complete"]) == (4, 4, False)


async def test_all_mistakes_of_a_question_are_told_at_once(api: Api) -> None:
    query = "group_by=catgory,reson&zone=Mars&since=2030-01-01T00:00:00Z&limit=0&formt=csv"
    response, problem = await api.get(f"{DELIVERY}?{query}")
    errors = problem["errors"]
    assert isinstance(errors, list)
    assert (response.status, [(each["parameter"], each["code"]) for each in errors]) == (
        422,
        [
            ("formt", "parameter_unknown"), ("limit", "parameter_invalid"), ("since", "bad_span"),
            ("group_by", "unknown_group"), ("group_by", "unknown_group"), ("zone", "unknown_zone"),
        ],
    )  # fmt: skip
    assert api.memory.asked == []


async def test_one_unit_of_time_at_a_time(api: Api) -> None:
    response, problem = await api.get(f"{DELIVERY}?group_by=hour,day")
    assert (response.status, problem["code"]) == (422, "parameter_invalid")
    assert (await api.get(f"{DELIVERY}?group_by=hour,operator&zone=Asia/Kolkata"))[0].status == 200
    assert api.memory.asked[0].zone.key == "Asia/Kolkata"


async def test_what_cannot_be_counted_is_said_with_what_would_work(api: Api) -> None:
    api.memory.refusal = SpanTooLarge(2_000_000, ["since=2026-09-20T00:00:00Z", "group_by=tag"])
    response, problem = await api.get(f"{DELIVERY}?group_by=tag,connector")
    assert (response.status, problem["code"]) == (422, "span_too_large")
    assert (problem["messages"], problem["limit"]) == (2_000_000, 1_000_000)
    assert problem["try"] == ["since=2026-09-20T00:00:00Z", "group_by=tag"]
    api.memory.refusal = TooManyRows()
    response, problem = await api.get(f"{DELIVERY}?group_by=tag")
    assert (response.status, problem["code"]) == (422, "too_many_rows")
    assert "messages" not in problem


async def test_an_answer_says_what_it_is_about_and_a_rate_what_it_shows(api: Api) -> None:
    _, body = await api.get(DELIVERY)
    assert (body["zone"], body["basis"], body["provisional"]) == ("UTC", "rollup", True)
    assert body["as_of"] == body["until"]
    total, thresholds = body["total"], body["thresholds"]
    assert isinstance(total, dict)
    assert isinstance(thresholds, dict)
    assert total["rates"]["delivery_rate"]["verdict"] == "too_few"
    assert "verdict" not in total["rates"]["failure_rate"]
    assert thresholds["delivery_rate"] == {"limit": 0.95, "samples_min": 200, "ceiling": False}
    assert "unsubscribe_rate_sent" not in thresholds


@pytest.mark.parametrize(
    ("query", "accept", "as_csv"),
    [
        ("?format=csv", "application/json", True),
        ("?format=json", "text/csv", False),
        ("", "text/csv", True),
        ("", "text/csv, application/json", True),
        ("", "application/json;q=1, text/csv;q=0.5", False),
        ("", "*/*", False),
    ],
)
@pytest.mark.parametrize("report", ["delivery", "funnel", "failures", "latency"])
async def test_a_report_is_csv_where_that_is_asked(
    api: Api, report: str, query: str, accept: str, as_csv: bool
) -> None:
    response, body = await api.get(f"/v1/reports/{report}{query}", {"Accept": accept})
    assert (response.status, response.content_type == "text/csv") == (200, as_csv)
    if as_csv:
        assert response.charset == "utf-8"
        assert response.headers["Report-Provisional"] == "true"
        assert body == {}


async def test_csv_has_a_line_of_heads_and_a_line_for_each_group(api: Api) -> None:
    response, _ = await api.get(f"{DELIVERY}?group_by=campaign&format=csv")
    heads, group, *more = csv.reader((await response.text()).splitlines())
    told = dict(zip(heads, group, strict=True))
    assert more == []
    assert (told["campaign"], told["accepted"], told["delivered"]) == ("x", "4", "3")
    assert (told["delivery_rate"], told["delivery_rate_verdict"]) == ("0.75", "too_few")
    assert told["unconfirmed_rate_numerator"] == "0"
    assert api.memory.pages_asked[0].limit == GROUPS_MAX


async def test_a_cell_of_csv_is_no_formula(api: Api) -> None:
    api.memory.group_name = '=HYPERLINK("http://evil.example")'
    response, _ = await api.get(f"{DELIVERY}?group_by=campaign&format=csv&limit=5")
    assert "\"'=HYPERLINK" in await response.text()
    assert api.memory.pages_asked[0].limit == 5
