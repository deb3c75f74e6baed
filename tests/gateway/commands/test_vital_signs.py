"""What the doctor reads from metrics."""

from __future__ import annotations

import pytest

from gateway.commands.scrape import Scrape
from gateway.commands.vital_signs import vital_signs

WELL = """
# TYPE sms_term_seconds_left gauge
sms_term_seconds_left 9
# TYPE sms_partitions_missing gauge
sms_partitions_missing 0
# TYPE sms_loop_lag_seconds gauge
sms_loop_lag_seconds 0.01
# TYPE sms_webhook_endpoints gauge
sms_webhook_endpoints{state="active"} 3
sms_webhook_endpoints{state="disabled"} 0
# TYPE sms_receipts counter
sms_receipts_total{connector="a",status="delivered"} 990
sms_receipts_total{connector="a",status="undelivered"} 10
# TYPE sms_receipts_parked counter
sms_receipts_parked_total 40
# TYPE sms_receipts_joined counter
sms_receipts_joined_total 40
"""


def test_a_gateway_that_is_well_has_only_its_receipts_told() -> None:
    (found,) = vital_signs(Scrape(WELL, 0.0))
    assert (found.what, found.ok, found.remedy) == ("receipts", True, "")
    assert found.detail.startswith("1000 since its start, 0 of ")


@pytest.mark.parametrize(
    ("line", "instead", "what", "ok"),
    [
        ("sms_term_seconds_left 9", "sms_term_seconds_left 2", "term", False),
        ("sms_partitions_missing 0", "sms_partitions_missing 2", "partitions", False),
        ("sms_loop_lag_seconds 0.01", "sms_loop_lag_seconds 1.5", "event loop", True),
        ('{state="disabled"} 0', '{state="disabled"} 1', "webhooks", True),
        ("joined_total 40", "joined_total 10", "receipts", False),
    ],
)
def test_each_sign_that_is_wrong_has_a_remedy(line: str, instead: str, what: str, ok: bool) -> None:
    assert line in WELL
    found = {each.what: each for each in vital_signs(Scrape(WELL.replace(line, instead), 0.0))}
    assert found[what].ok is ok
    assert found[what].remedy
