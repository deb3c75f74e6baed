"""The dashboards: made by the generator, well formed, of metrics that exist, and PromQL."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from docker.grafana.dashboards import DASHBOARDS, FOLDER
from docker.grafana.pictures import filled
from docker.grafana.shapes import COLUMNS, PANELS_MAX, Dashboard, render
from tests.debian import promtool
from tests.docker.expressions import unknown_in

ROOT = FOLDER.parent
PANELS = [(each.uid, panel) for each in DASHBOARDS for panel in each.panels]


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda each: each.uid)
def test_the_file_is_what_the_generator_makes(dashboard: Dashboard) -> None:
    """python -m docker.grafana.dashboards"""
    assert (FOLDER / f"{dashboard.uid}.json").read_text(encoding="utf-8") == render(dashboard)


def test_there_is_no_other_file() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == {each.uid for each in DASHBOARDS}


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda each: each.uid)
def test_panels_have_places_of_their_own(dashboard: Dashboard) -> None:
    document: Any = json.loads(render(dashboard))
    panels = document["panels"]
    assert 0 < len(panels) <= PANELS_MAX
    assert len({each["id"] for each in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= COLUMNS
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
        references = [each["refId"] for each in panel["targets"]]
        assert len(set(references)) == len(references)


def test_names_are_of_one_dashboard_each_and_say_what_they_show() -> None:
    assert len({each.uid for each in DASHBOARDS}) == len({each.title for each in DASHBOARDS})
    for _, panel in PANELS:
        assert panel.description.endswith("."), panel.title
        assert all(low < high for (low, _), (high, _) in pairwise(panel.bounds)), panel.title
    for dashboard in DASHBOARDS:
        titles = [panel.title for panel in dashboard.panels]
        assert len(set(titles)) == len(titles)


def test_any_data_source_serves() -> None:
    """What the import dialog alone would resolve is in no file."""
    for dashboard in DASHBOARDS:
        text = render(dashboard)
        assert "__inputs" not in text and "${DS_" not in text
        document: Any = json.loads(text)
        assert document["id"] is None
        for panel in document["panels"]:
            assert panel["datasource"]["uid"] == "${datasource}"


def test_each_metric_and_label_exists() -> None:
    for uid, panel in PANELS:
        for query in panel.queries:
            assert unknown_in(filled(query.expression)) == [], (uid, panel.title)


def test_a_metric_that_does_not_exist_is_found() -> None:
    assert unknown_in("rate(sms_nothing_total[5m])") == ["sms_nothing_total"]
    assert unknown_in('sms_submits_total{category="otp"}') == ["sms_submits_total{category}"]
    assert unknown_in("job:sms_nothing:rate5m") == ["job:sms_nothing:rate5m"]


def test_each_query_is_promql(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": filled(query.expression)}
        for number, query in enumerate(each for _, panel in PANELS for each in panel.queries)
    ]
    document = {"groups": [{"name": "panels", "rules": rules}]}
    (tmp_path / "panels.yml").write_text(yaml.safe_dump(document), encoding="utf-8")
    promtool("check", "rules", tmp_path / "panels.yml")


def test_each_chosen_variable_is_offered_and_used() -> None:
    for dashboard in DASHBOARDS:
        asked = "".join(query.expression for each in dashboard.panels for query in each.queries)
        names = {each.name for each in dashboard.variables}
        assert names == ({"connector"} if "$connector" in asked else set()), dashboard.uid
        for variable in dashboard.variables:
            assert unknown_in(f'{variable.metric}{{{variable.name}=""}}') == []


def test_grafana_finds_them() -> None:
    def read(name: str) -> Any:
        return yaml.safe_load((ROOT / "provisioning" / name).read_text(encoding="utf-8"))

    (source,) = read("datasources/prometheus.yml")["datasources"]
    assert (source["type"], source["editable"]) == ("prometheus", False)
    (provider,) = read("dashboards/smsgate.yml")["providers"]
    assert provider["allowUiUpdates"] is False
    compose: Any = yaml.safe_load((ROOT.parent / "compose.yaml").read_text(encoding="utf-8"))
    mounted = dict(each.split(":")[:2] for each in compose["services"]["grafana"]["volumes"])
    assert mounted["./grafana/dashboards"] == provider["options"]["path"]
    assert mounted["./grafana/provisioning"] == "/etc/grafana/provisioning"
    url = source["url"].removeprefix("http://").split(":")[0]
    assert url in compose["services"]
