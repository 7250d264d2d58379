"""The chart's dashboards as files; tests/deploy/test_monitoring.py asks a real Prometheus every query."""

import html
import json
import pathlib
import re
import sys

import pytest

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE), str(ROOT / "scripts")]

import dashboards  # noqa: E402
from test_rules import promtool  # noqa: E402

FILES = sorted(dashboards.TARGET.glob("*.json"))


def test_the_files_are_what_the_script_writes():
    assert {file.name: file.read_text() for file in FILES} == dashboards.texts(), "run scripts/dashboards.py"


def test_the_queries_are_queries(tmp_path):
    rules = [{"record": "query", "expr": target["expr"].replace("$__rate_interval", "5m")}
             for file in FILES for panel in json.loads(file.read_text())["panels"] for target in panel.get("targets", [])]
    assert rules
    (tmp_path / "queries.yaml").write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}))
    promtool("check", "rules", tmp_path / "queries.yaml")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_panels_neither_overlap_nor_leave_the_page(file):
    taken = set()
    for panel in json.loads(file.read_text())["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= dashboards.COLUMNS and not cells & taken, panel["title"]
        taken |= cells


@pytest.mark.parametrize("dashboard", dashboards.DASHBOARDS, ids=lambda dashboard: dashboard.name)
def test_the_pictures_show_the_panels_that_there_are(dashboard):
    picture = (ROOT / f"docs/operations/{dashboard.name}.svg").read_text()
    shown = re.findall(r'font-weight="bold">([^<]*)<', picture)
    assert shown == [html.escape(title) for row in dashboard.rows for title in [row.title, *(p.title for p in row.panels)]], \
        "run tests/deploy/pictures.py"
