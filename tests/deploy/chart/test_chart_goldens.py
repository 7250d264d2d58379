"""The objects of every values file as they were last reviewed (golden/): no change of the chart goes unseen."""

import difflib

import yaml

import goldens
from helm_chart import kubeconform


def test_the_chart_makes_what_was_reviewed():
    wanted, found = goldens.texts(), {file.name: file.read_text() for file in goldens.TARGET.iterdir()}
    changes = [line for name in sorted(wanted | found) for line in difflib.unified_diff(
        found.get(name, "").splitlines(), wanted.get(name, "").splitlines(), f"golden/{name}", f"{name} now", lineterm="")]
    assert not changes, "\n".join(["if this is meant, run tests/deploy/chart/goldens.py:", *changes])


def test_what_was_reviewed_is_valid():
    text = "---\n".join(file.read_text() for file in sorted(goldens.TARGET.iterdir()))
    checked = kubeconform(text)
    assert checked.returncode == 0, checked.stdout
    assert f"Valid: {len(list(yaml.safe_load_all(text)))}, Invalid: 0, Errors: 0, Skipped: 0" in checked.stdout
