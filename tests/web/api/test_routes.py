"""What routes may carry, and how their connectors fared."""

from __future__ import annotations

import pytest

from dlr.report_desk import Asked, GroupPage, Report, ReportGroup
from tests.web.rooms.reports import Reports
from tests.web.served import Api, created, running_api
from web.api.routes import SPAN, capacity
from web.operator_services import RouteLeg, RouteMatch, RouteState

PAIR = ("connector", "country")
ANY = RouteMatch((), (), (), (), (), (), ())


@pytest.mark.parametrize(
    ("legs", "own", "wanted"),
    [
        ([("a", 0, True, 100.0), ("b", 0, True, 30.0)], None, 100.0),  # the first takes all
        ([("a", 0, False, 100.0), ("b", 0, True, 30.0)], None, 30.0),  # it is down
        ([("a", 3, True, 100.0), ("b", 1, True, 50.0)], None, 400 / 3),  # both share: a is full
        ([("a", 3, True, 100.0), ("b", 1, True, 30.0)], None, 120.0),  # b is full
        ([("a", 3, False, 100.0), ("b", 1, True, 30.0)], None, 30.0),
        ([("a", 3, True, None), ("b", 1, True, 30.0)], None, 120.0),  # one has no limit
        ([("a", 3, True, None), ("b", 1, True, None)], None, None),
        ([("a", 3, True, None), ("b", 1, True, 30.0)], 50.0, 50.0),  # the route's own
        ([("a", 0, True, 100.0)], 50.0, 50.0),
        ([("a", 0, True, 100.0)], 500.0, 100.0),
        ([("a", 0, False, 100.0)], 50.0, 0.0),  # nothing is up
    ],
)
def test_a_route_carries_what_its_connectors_may_carry_now(
    legs: list[tuple[str, int, bool, float | None]], own: float | None, wanted: float | None
) -> None:
    state = RouteState(ANY, None, own, [RouteLeg(*leg) for leg in legs])
    found = capacity(state)
    assert found == (None if wanted is None else pytest.approx(wanted))


class Fared(Reports):
    """Of two countries by one connector, and of one by another that is in no route."""

    async def delivery(self, asked: Asked, page: GroupPage) -> Report:
        report = await super().delivery(asked, page)
        report.groups = [
            ReportGroup(
                {"sent": sent, "delivered": sent - 1}, {}, {"connector": name, "country": country}
            )
            for sent, (name, country) in (
                (2, ("carrier-b", "CN")), (4, ("carrier-b", "IN")), (1, ("carrier-b", None)),
                (9, ("gone", "CN")), (1, (None, "CN")),
            )
        ]  # fmt: skip
        return report


async def test_each_route_tells_its_capacity_and_the_delivery_of_seven_days() -> None:
    reports = Fared()
    async with running_api(reports=reports) as api:
        response, answer = await api.get("/v1/routes")
    assert response.status == 200
    (asked,) = reports.asked
    assert (asked.account, asked.until, asked.group_by) == (1, created(), PAIR)
    assert asked.until - asked.since == SPAN
    (route,) = answer["data"]
    assert (route["route"], route["capacity"], route["rate"]) == (0, 80.0, None)
    away, near = route["connectors"]
    assert (away["name"], away["up"], away["capacity"]) == ("carrier-a", False, 500.0)
    assert (away["delivery"]["value"], away["countries"]) == (None, [])
    assert near["countries"] == ["IN", "CN"]
    delivery = near["delivery"]
    assert (delivery["numerator"], delivery["denominator"]) == (4, 7)
    assert 0 < delivery["low"] < delivery["value"] < delivery["high"] < 1


async def test_routes_are_told_to_who_may_see_connectors(api: Api) -> None:
    response, _ = await api.get("/v1/routes", api.new_key(1, "reports:read"))
    assert response.status == 403
