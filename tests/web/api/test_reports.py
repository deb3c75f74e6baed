"""Reports and connectors over HTTP: which question is asked, and how the answer names its rates."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.web.served import Api, created

DELIVERY = "/v1/reports/delivery"


async def test_a_report_without_parameters_is_about_the_last_24_hours(api: Api) -> None:
    response, body = await api.get(DELIVERY)
    assert response.status == 200
    # Ids may be ahead of a clock that was set back; what they say was created until now counts.
    reach = created() + timedelta(days=1)
    assert api.memory.asked == [(1, created() - timedelta(hours=24), reach, ())]
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
    [(_, since, until, group_by)] = api.memory.asked
    assert str(since) == "2026-09-01 00:00:00+00:00"
    assert str(until) == "2026-09-02 00:00:00+00:00"
    assert group_by == ("connector", "category")


BAD_QUERIES = [
    ("sinse=2026-09-01T00:00:00Z", "parameter_unknown", "sinse", "did you mean 'since'?"),
    ("since=yesterday", "parameter_invalid", "since", "RFC 3339"),
    ("since=2026-09-01T00:00:00", "parameter_invalid", "since", "RFC 3339"),
    ("since=2026-09-01T00:00:00+08:00", "parameter_invalid", "since", "%2B"),
    ("since=0001-01-01T00:00:00%2B08:00", "parameter_invalid", "since", "1970"),
    ("until=9999-12-31T23:59:59-08:00", "parameter_invalid", "until", "9999"),
    ("until=2026-09-01T00:00:00Z&until=", "parameter_invalid", "until", "twice"),
    ("since=2030-01-01T00:00:00Z", "parameter_invalid", "since", "not before"),
    ("since=2020-01-01T00:00:00Z", "parameter_invalid", "since", "366 days"),
    ("group_by=catgory", "parameter_invalid", "group_by", "did you mean 'category'?"),
    ("group_by=category,category", "parameter_invalid", "group_by", "different"),
    ("group_by=,", "parameter_invalid", "group_by", "no dimension ''"),
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
            "carrier_code": "MK:0001", "parts": 3,
        }
    ]  # fmt: skip
    assert (body["since"], body["until"]) == ("2026-09-01T00:00:00Z", "2026-09-21T14:13:20Z")


async def test_latency_is_told_on_both_sides_of_the_carrier(api: Api) -> None:
    response, body = await api.get("/v1/reports/latency")
    assert response.status == 200
    assert api.memory.asked[0][1] == created() - timedelta(hours=24)
    assert body["accepted_to_submit"] == [
        {"category": "otp", "parts": 7, "p50": 0.01, "p95": 0.02, "p99": 0.03}
    ]
    assert body["submit_to_receipt"] == []


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
    assert (body["parts"], body["complete"]) == (4, False)
