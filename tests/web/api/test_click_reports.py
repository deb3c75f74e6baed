"""GET /v1/reports/clicks: what may be asked, and how it is told as JSON and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tests.web.served import Api, running_api

CLICKS = "/v1/reports/clicks"


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with running_api() as api:
        yield api


async def test_figures_are_told_with_what_was_asked(api: Api) -> None:
    response, body = await api.get(
        f"{CLICKS}?group_by=link,hour&within_hours=72&site_uv=1000&steps=login,order"
    )
    assert response.status == 200, body
    [wish] = api.memory.wishes
    assert (wish.within, wish.site_uv) == (timedelta(hours=72), 1000)
    assert wish.steps == ("login", "order")
    [group] = body["groups"]
    assert group["revenue"] == {"CNY": "129.9"}
    assert group["rates"]["uv_share"]["denominator"] == 1000
    assert [(each["event"], each["people"]) for each in group["steps"]] == [
        ("login", 2), ("order", 1)
    ]  # fmt: skip
    assert (group["half_life_hours"], group["first_click"]["p50"]) == (1, 10.0)
    assert body["provisional"] is True


@pytest.mark.parametrize("by", ["", "&group_by=campaign"])
async def test_as_csv_it_has_a_column_for_each_figure(api: Api, by: str) -> None:
    url = f"{api.url}{CLICKS}?format=csv&steps=login,order{by}"
    async with api.session.get(url, headers=api.headers) as answer:
        assert (answer.status, answer.content_type) == (200, "text/csv")
        heads, row = csv.reader(io.StringIO(await answer.text()))
    cells = dict(zip(heads, row, strict=True))
    assert (cells["uv"], cells["revenue_CNY"], cells["half_life_hours"]) == ("2", "129.9", "1")
    assert (cells["step_2"], cells["step_2_people"], cells["step_2_of_clicked"]) == (
        "order", "1", "0.5"
    )  # fmt: skip
    assert cells["uctr_delivered_denominator"] == "4"


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("within_hours=0", "within_hours"),
        ("site_uv=0", "site_uv"),
        ("steps=" + ",".join("x" * 9), "steps"),
        ("steps=login,,order", "steps"),
        ("steps=" + "x" * 101, "steps"),
        ("group_by=connector", "group_by"),
        ("limit=0", "limit"),
    ],
)
async def test_a_bad_question_names_the_parameter(api: Api, query: str, parameter: str) -> None:
    response, problem = await api.get(f"{CLICKS}?{query}")
    assert response.status == 422
    assert [each["parameter"] for each in problem["errors"]] == [parameter]
    assert api.memory.wishes == []


async def test_the_next_page_goes_on_behind_the_last_group(api: Api) -> None:
    api.memory.more_groups = ("0x",)
    _, body = await api.get(f"{CLICKS}?group_by=campaign&limit=1")
    await api.get(f"{CLICKS}?group_by=campaign&limit=1&cursor={body['next_cursor']}")
    assert [each.after for each in api.memory.pages_asked] == [(), ("0x",)]
