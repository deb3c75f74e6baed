"""The metrics page: only what the catalogue names, in the types and units it names."""

from __future__ import annotations

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.web.api.test_messages import GOOD, URL
from tests.web.served import Api
from web.catalogue import CATALOGUE
from web.metrics import HttpCounters, MetricsPage, SnapshotCollector, cumulative
from web.samples import HistogramSample, Sample


async def scrape(api: Api) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample of the page, by name and labels."""
    async with api.session.get(api.url + "/metrics") as response:
        assert response.status == 200
        assert response.content_type == "text/plain"
        text = await response.text()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_a_snapshot_is_read_at_each_scrape(api: Api) -> None:
    key = ("sms_messages_accepted_total", frozenset({("category", "otp")}))
    for value in (3, 5):
        api.memory.samples = [Sample("sms_messages_accepted_total", value, ("otp",))]
        assert (await scrape(api))[key] == value


def test_a_histogram_has_buckets_sum_and_count() -> None:
    buckets = cumulative((1.0, 60.0), (2, 1, 1))
    sample = HistogramSample("sms_http_request_duration_seconds", buckets, 70.5, ("GET", "a"))
    [family] = SnapshotCollector([lambda: [sample]]).collect()
    values = {(each.name, each.labels.get("le")): each.value for each in family.samples}
    name = "sms_http_request_duration_seconds"
    assert values == {
        (f"{name}_bucket", "1.0"): 2,
        (f"{name}_bucket", "60.0"): 3,
        (f"{name}_bucket", "+Inf"): 4,
        (f"{name}_sum", None): 70.5,
        (f"{name}_count", None): 4,
    }


def labels(method: str, endpoint: str, status: str) -> frozenset[tuple[str, str]]:
    return frozenset({("method", method), ("endpoint", endpoint), ("status", status)})


async def test_o6_requests_are_counted_by_method_route_and_status_never_by_path(api: Api) -> None:
    _, sent = await api.post(URL, GOOD)
    await api.post(URL, b"{")
    await api.get(f"/v1/messages/{sent['id']}")
    for path in ("/nothing", "/nothing/else"):
        await api.get(path)
    page = await scrape(api)
    counts = {
        told: value for (name, told), value in page.items() if name == "sms_http_requests_total"
    }
    assert counts == {
        labels("POST", URL, "202"): 1,
        labels("POST", URL, "400"): 1,
        labels("GET", "/v1/messages/{id}", "200"): 1,
        labels("GET", "other", "404"): 2,
    }
    asked = frozenset({("method", "POST"), ("endpoint", URL)})
    count = ("sms_http_request_duration_seconds_count", asked)
    assert page[count] == 2


def test_a_sample_outside_the_catalogue_fails_loudly() -> None:
    collector = SnapshotCollector([lambda: [Sample("sms_surprise", 1)]])
    with pytest.raises(KeyError, match="sms_surprise"):
        list(collector.collect())


@pytest.mark.parametrize(
    "sample",
    [
        Sample("sms_http_request_duration_seconds", 1, ("GET", "a")),
        HistogramSample("sms_receipts_waiting", [(float("inf"), 1)], 1.0),
    ],
)
def test_a_sample_of_the_wrong_type_fails_loudly(sample: Sample | HistogramSample) -> None:
    with pytest.raises(TypeError, match="in the catalogue"):
        list(SnapshotCollector([lambda: [sample]]).collect())


def test_a_sample_with_the_wrong_labels_fails_loudly() -> None:
    with pytest.raises(ValueError, match="label"):
        list(SnapshotCollector([lambda: [Sample("sms_receipts_waiting", 1, ("x",))]]).collect())


def test_names_follow_the_conventions() -> None:
    for name, kind in CATALOGUE.items():
        assert re.fullmatch(r"sms_[a-z_]+", name)
        assert name.endswith("_total") == (kind.type == "counter"), name
        assert kind.type != "histogram" or name.endswith("_seconds"), name
        assert kind.help.endswith("."), name


def test_o6_methods_that_nobody_defined_count_together() -> None:
    counters = HttpCounters()
    for number in range(100):
        counters.record(f"BREW{number}", "other", 405, 0.0)
    [requests, duration] = counters.samples()
    assert (requests.labels, duration.labels) == (("other", "other", "405"), ("other", "other"))


def test_the_bucket_of_a_duration_is_the_first_not_below_it() -> None:
    counters = HttpCounters()
    for seconds in (0.0, 0.001, 0.0011, 11.0):
        counters.record("GET", "/x", 200, seconds)
    [histogram] = [s for s in counters.samples() if isinstance(s, HistogramSample)]
    assert histogram.buckets[0] == (0.001, 2)
    assert histogram.buckets[1] == (0.0025, 3)
    assert histogram.buckets[-2] == (10.0, 3)
    assert histogram.buckets[-1] == (float("inf"), 4)


def test_the_page_shows_the_process_itself() -> None:
    assert b"process_resident_memory_bytes" in MetricsPage(list).render()
