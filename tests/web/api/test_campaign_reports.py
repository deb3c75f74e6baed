"""What the API says of campaigns' figures: their registry, what cannot be asked, and the CSV."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from campaigns.reporting.cells import COUNTS
from campaigns.reporting.metrics import Maker
from campaigns.reporting.registry import BY_NAME
from campaigns.reporting.reports import CampaignFigures, CampaignReport, GroupReport
from messages.csv_text import BOM, csv_line
from tests.web.served import Api, running_api
from web.api.campaign_report_shapes import csv_answer, report_rows

ONE = "/v1/campaigns/cmp_0000000000001"
CONTACT = "/v1/contacts/con_0000000000001"
NOW = datetime(2026, 11, 30, tzinfo=UTC)


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with running_api() as api:
        yield api


async def test_the_registry_tells_each_figure_with_its_definitions(api: Api) -> None:
    response, body = await api.get("/v1/metrics-registry")
    assert response.status == 200
    found = {each["name"]: each for each in body["data"]}
    assert found.keys() == BY_NAME.keys()
    failure = found["failure_rate"]
    assert failure["label"] == "失败率"
    assert [each["definition"] for each in failure["definitions"]] == [
        "failure_rate:meant", "failure_rate:sent",
    ]  # fmt: skip
    assert failure["definitions"][0]["less"] == ["suppressed", "capped", "canceled"]
    assert body["goals"]["recall"][0] == "recall_rate"


@pytest.mark.parametrize(
    ("query", "code", "parameter"),
    [
        ("definition=click_rate:sent", "parameter_invalid", "definition"),
        ("definition=failure_rate:nothing", "parameter_invalid", "definition"),
        ("by=colour", "parameter_invalid", "by"),
        ("site_uv=0", "parameter_invalid", "site_uv"),
        ("steps=a,,b", "parameter_invalid", "steps"),
        ("compliance=perhaps", "parameter_invalid", "compliance"),
        ("group_by=arm", "parameter_unknown", "group_by"),
    ],
)
async def test_what_cannot_be_asked_names_its_parameter(
    api: Api, query: str, code: str, parameter: str
) -> None:
    response, body = await api.get(f"{ONE}/report?{query}")
    assert (response.status, body["code"]) == (422, code)
    assert body["errors"][0]["parameter"] == parameter


async def test_what_is_missing_is_missing(api: Api) -> None:
    for path in (f"{ONE}/report", f"{ONE}/excluded", f"{CONTACT}/why"):
        response, body = await api.get(path)
        assert (response.status, body["code"]) == (404, "not_found"), path
    response, body = await api.get(f"{CONTACT}/why?campaign=bat_1")
    assert (response.status, body["code"]) == (422, "parameter_invalid")


def figures() -> CampaignFigures:
    maker = Maker(wanted={}, as_of=NOW, last=None, open_now=False, linked=True)
    counts = dict.fromkeys(COUNTS, 0) | {"sent": 40, "delivered": 30}
    return CampaignFigures(
        counts=counts, funnel={}, rates=maker.rates(counts), click_hours=[], half_life_hours=None
    )


def report(*keys: str | None) -> CampaignReport:
    fields = {name: getattr(figures(), name) for name in CampaignFigures.__struct_fields__}
    return CampaignReport(
        as_of=NOW, provisional=False, planned=40, waiting=0, skipped={}, kpis=(), window_hours=72,
        by="segment", arms=[], groups=[GroupReport(key=key, **fields) for key in keys], merged=0,
        total=figures(),
    )  # fmt: skip


def test_c35_a_csv_begins_with_its_mark_and_holds_no_formula() -> None:
    """C35: a segment may be called what a spreadsheet would compute."""
    answer = csv_answer(report('=HYPERLINK("x")', "+1 deal", None))
    assert isinstance(answer.body, bytes)
    assert answer.body.startswith(BOM)
    heads, first, second, third, total = answer.body.decode("utf-8-sig").splitlines()
    assert heads.startswith("segment,planned,accepted,sent,")
    assert first.startswith('"\'=HYPERLINK(""x"")",')
    assert second.startswith("'+1 deal,")
    assert third.startswith(",")
    assert total.startswith("total,")


def test_each_line_of_a_csv_has_every_column() -> None:
    heads, *lines = report_rows(report("a", None))
    assert {len(line) for line in lines} == {len(heads)}
    place = list(heads).index("delivery_rate")
    assert [lines[0][place], lines[0][place + 1], lines[0][place + 2]] == [0.75, 30, 40]
    assert lines[0][place + 6] == "delivery_rate:sent"
    assert csv_line(lines[0])
