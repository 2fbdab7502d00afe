"""The dashboard asks for numbers that exist, and the README names them all."""

import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest
from prometheus_client import Counter, Gauge, Histogram

from core import metrics

ROOT = Path(__file__).parents[1]
DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy" / "grafana.json").read_text())
README = (ROOT / "README.md").read_text()
OURS = [m for m in vars(metrics).values() if isinstance(m, Counter | Gauge | Histogram)]
# What Prometheus and its client for Python add.
_ADDED = {"instance", "le"}
_PROCESS = {"process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"}
_SELECTED = re.compile(r"(\w+)\{([^}]*)\}")


def _names(metric: Counter | Gauge | Histogram) -> list[str]:
    """Return the names of a metric's series."""
    name = metric.describe()[0].name  # type: ignore[index]
    if isinstance(metric, Counter):
        return [f"{name}_total"]
    return [f"{name}_{end}" for end in ("bucket", "count")] if _is_timed(metric) else [name]


def _is_timed(metric: Counter | Gauge | Histogram) -> bool:
    return isinstance(metric, Histogram)


LABELS = {name: set(metric._labelnames) for metric in OURS for name in _names(metric)}
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]


@pytest.mark.parametrize("query", QUERIES)
def test_every_query_asks_for_what_exists(query: str) -> None:
    """Metrics of ours or of the process, by labels and values that they have."""
    selected = _SELECTED.findall(query)
    assert selected
    assert query.count("(") == query.count(")")
    for name, selectors in selected:
        assert name in LABELS.keys() | _PROCESS
        known = LABELS.get(name, set()) | _ADDED
        used = set(re.findall(r"(\w+)=~?\"", selectors))
        used |= set(re.findall(r"\w+", ",".join(re.findall(r"by \(([^)]*)\)", query))))
        assert used <= known
        for step in re.findall(r"step=~?\"([^\"]+)\"", selectors):
            assert set(step.split("|")) <= set(get_args(metrics.StepName))


def test_every_metric_is_shown() -> None:
    """What nobody looks at need not be counted."""
    shown = {name for query in QUERIES for name, _ in _SELECTED.findall(query)}
    for metric in OURS:
        assert shown & set(_names(metric)), metric


def test_the_dashboard_has_what_grafana_needs() -> None:
    """It is imported as it is, and asks which Prometheus to use."""
    assert DASHBOARD["schemaVersion"] >= 36
    assert DASHBOARD["title"] == "Causerie"
    assert {"uid", "time", "refresh", "templating", "panels"} <= DASHBOARD.keys()
    variables = {v["name"]: v for v in DASHBOARD["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    assert variables["datasource"]["query"] == "prometheus"
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    for panel in PANELS:
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert {"title", "type", "gridPos", "fieldConfig", "options"} <= panel.keys()
        assert all(
            {"refId", "expr", "legendFormat"} <= target.keys() for target in panel["targets"]
        )


def test_no_panel_lies_upon_another() -> None:
    """Each has its own place within 24 columns."""
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert max(x for x, _ in cells) < 24
        assert not cells & taken
        taken |= cells


def test_every_metric_is_in_the_readme() -> None:
    """The README's table is what the code declares, in order."""
    rows = re.findall(r"^\| `(causerie_\w+)` \| (.*?) \| (.+?) \|$", README, re.MULTILINE)
    written = []
    for metric in OURS:
        family = metric.describe()[0]  # type: ignore[index]
        name = f"{family.name}_total" if isinstance(metric, Counter) else family.name
        labels = ", ".join(f"`{label}`" for label in metric._labelnames)
        written.append((name, labels, family.documentation))
    assert rows == written


def test_every_step_is_in_the_readme() -> None:
    """By its name, in order."""
    text = README.partition("**Steps**")[2].partition("**Logs**")[0]
    found = re.findall(r"^- `(\w+)`:", text, re.MULTILINE)
    assert found == list(get_args(metrics.StepName))
