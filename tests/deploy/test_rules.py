"""The rule files of the chart, without a server: what fires when (rules/*.yaml), and whether alerts say what they have to."""

import pathlib
import re
import shutil
import subprocess

import pytest
import yaml

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent
ALERTS = sorted((ROOT / "deploy/helm/kubesentiment/files/alerts").glob("*.yaml"))
TESTS = sorted((HERE / "rules").glob("*.yaml"))
UNPACKED = ROOT / "build/deps/prometheus/bin/promtool"
PROMTOOL = str(UNPACKED) if UNPACKED.exists() else shutil.which("promtool")


def alerts():
    groups = [group for file in ALERTS for group in yaml.safe_load(file.read_text())["groups"]]
    return {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}


def promtool(*arguments):
    assert PROMTOOL, f"found neither {UNPACKED} (scripts/setup test fetches it) nor promtool in PATH"
    done = subprocess.run([PROMTOOL, *map(str, arguments)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_are_rules():
    promtool("check", "rules", *ALERTS)


@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.stem)
def test_what_fires_when(file):
    promtool("test", "rules", file)


def test_each_alert_is_seen_to_fire_in_a_test():
    fired = set(re.findall(r'alertname="(\w+)"', "".join(file.read_text() for file in TESTS)))
    assert fired == set(alerts())


@pytest.mark.parametrize("name", alerts())
def test_each_alert_says_what_it_has_to(name):
    alert = alerts()[name]
    assert alert["labels"]["severity"] in ("critical", "warning")
    assert set(alert["annotations"]) == {"summary", "description", "runbook_url"}
    page, anchor = alert["annotations"]["runbook_url"].split("#")
    assert anchor == name.lower()
    text = (ROOT / page).read_text()
    section = re.search(rf"^### {name}\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL)
    assert section, f"{page} has no section {name}"
    assert "Look at" in section[1] and "Do:" in section[1]
    assert f"| [{name}](#{anchor}) | {alert['labels']['severity']} |" in text, "the table of all alerts"


def test_the_page_tells_of_no_other_alert():
    page = (ROOT / "docs/operations.md").read_text()
    assert set(re.findall(r"^### (\w+)$", page, re.MULTILINE)) == set(alerts())
