"""How many recipients an experiment needs, over HTTP."""

from __future__ import annotations

import pytest

from tests.web.served import Api

ASKED = "/v1/power?base=0.02&other=0.025"


async def test_c56_sizes_and_what_few_recipients_show_are_told_before(api: Api) -> None:
    response, found = await api.get(f"{ASKED}&size=15")
    assert response.status == 200
    size = found.pop("size")
    assert isinstance(size, dict)
    assert found == {
        "base": 0.02, "other": 0.025, "arms": 2, "alpha": 0.05, "power": 0.8,
        "alpha_each": 0.05, "per_arm": 13_809, "matured_min": 13_809, "total": 27_618,
        "looks": None,
    }  # fmt: skip
    assert (size["per_arm"], size["enough"]) == (15, False)
    assert size["power"] < 0.05
    assert size["smallest_shown"] > 0.3


async def test_more_arms_need_more_each_and_no_arm_less_than_a_thousand(api: Api) -> None:
    _, four = await api.get("/v1/power?base=0.02&other=0.03&arms=4")
    assert (four["per_arm"], four["matured_min"], four["total"]) == (5_103, 5_103, 4 * 5_103)
    _, plain = await api.get("/v1/power?base=0.06&other=0.12&size=1000")
    assert (plain["per_arm"], plain["matured_min"]) == (356, 1_000)
    assert plain["size"]["enough"] is True


async def test_planned_looks_need_a_few_people_more_and_each_is_told(api: Api) -> None:
    _, found = await api.get(f"{ASKED}&looks=5&size=14205")
    assert (found["per_arm"], found["matured_min"], found["total"]) == (14_205, 14_205, 28_410)
    assert [each["per_arm"] for each in found["looks"]] == [2_841, 5_682, 8_523, 11_364, 14_205]
    limits = [4.562, 3.226, 2.634, 2.281, 2.040]
    assert [each["bound"] for each in found["looks"]] == pytest.approx(limits, abs=5e-4)
    assert found["size"]["enough"] is True
    assert found["size"]["power"] == pytest.approx(0.8, abs=1e-4)
    _, single = await api.get(f"{ASKED}&looks=1")
    assert (single["per_arm"], len(single["looks"])) == (13_809, 1)
    _, four = await api.get(f"{ASKED}&looks=2&arms=4")
    assert four["looks"][0]["bound"] > 2.797  # a third of alpha each


@pytest.mark.parametrize(
    ("query", "parameters"),
    [
        ("", ["base", "other"]),
        ("base=2%25&other=1e-2", ["base", "other"]),
        ("base=0&other=1", ["base", "other"]),
        ("base=nan&other=0.1&arms=1&alpha=0&power=1&size=0",
         ["base", "arms", "alpha", "power", "size"]),
        ("base=0.1&other=0.1", ["other"]),
        ("base=0.1&other=0.10005", ["other"]),
        ("base=0.1&other=0.2&arms=21&size=1.5", ["arms", "size"]),
        ("base=0.1&other=0.2&sizes=5", ["sizes"]),
        ("base=0.1&other=0.2&looks=6", ["looks"]),
        ("base=0.1&other=0.2&looks=0", ["looks"]),
    ],
)  # fmt: skip
async def test_all_that_is_wrong_is_told_at_once(
    api: Api, query: str, parameters: list[str]
) -> None:
    response, problem = await api.get(f"/v1/power?{query}")
    assert response.status == 422
    assert response.content_type == "application/problem+json"
    assert [each["parameter"] for each in problem["errors"]] == parameters


async def test_it_asks_for_the_scope_of_reports(api: Api) -> None:
    for scope, status in (("messages:read", 403), ("reports:read", 200)):
        response, _ = await api.get(ASKED, api.new_key(1, scope))
        assert response.status == status


async def test_the_ends_of_every_range_have_an_answer(api: Api) -> None:
    for query in (
        "base=0.0001&other=0.0002&arms=20&alpha=0.001&power=0.999&size=1",
        "base=0.9999&other=0.9998&alpha=0.5&power=0.5&size=1000000000",
        "base=0.5&other=0.5001&power=0.999",
        "base=0.0001&other=0.0002&arms=20&alpha=0.001&power=0.999&size=1&looks=5",
        "base=0.9999&other=0.9998&alpha=0.5&power=0.5&looks=2",
    ):
        response, found = await api.get(f"/v1/power?{query}")
        assert response.status == 200, found
