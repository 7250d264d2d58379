"""docs/scaling.md: its tables follow from its own inputs, and the chart has the figures that it derives."""

import math
import re

import yaml

import support
from helm_chart import AUTOSCALING, CHART

PAGE = (support.SOURCE / "docs" / "scaling.md").read_text()
TOKENS_A_TEXT = 37
UTILISATION = 0.7


def number(text):
    return float(text.replace(",", ""))


def row(beginning):
    """The cells behind the first of the only table row that begins so."""
    found = re.findall(rf"^\| {beginning}[^|]*\|(.*)\|$", PAGE, re.MULTILINE)
    assert len(found) == 1, found
    return [cell.strip() for cell in found[0].split("|")]


def tokens_a_second(beginning):
    texts, tokens = map(number, row(beginning)[:2])
    assert abs(tokens - texts * TOKENS_A_TEXT) < 50
    return tokens


def pod_hours(tokens):
    return 1e6 * TOKENS_A_TEXT / (tokens * UTILISATION * 3600)


def test_pods_follow_from_the_rate():
    rate = tokens_a_second("int8, 2 cores")
    loads = [number(cell) for cell in re.search(r"^\| texts/s \| (100 .*) \|$", PAGE, re.MULTILINE)[1].split("|")]
    assert [int(cell) for cell in row("pods")] == [
        max(2, math.ceil(load * TOKENS_A_TEXT / (rate * UTILISATION))) for load in loads]


def test_costs_follow_from_the_rate():
    onnx, pytorch = pod_hours(tokens_a_second("int8, 2 cores")), pod_hours(tokens_a_second("PyTorch backend"))
    assert f"{onnx:.2f} pod-hours, {2 * onnx:.2f} CPU-hours; with PyTorch {pytorch:.2f} pod-hours" in PAGE
    cpu, memory = map(float, re.search(r"price of (0\.\d+) for a CPU-hour and (0\.\d+) for a GiB-hour", PAGE).groups())
    prices = re.search(r"that is (0\.\d+) and, with\nthe 1 GiB that PyTorch gets, (0\.\d+)", PAGE).groups()
    assert prices == (f"{onnx * (2 * cpu + 0.25 * memory):.3f}", f"{pytorch * (2 * cpu + memory):.2f}")


def test_the_chart_has_the_figures_of_the_page():
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    scaling = values["autoscaling"]
    assert values["resources"]["limits"] == {"cpu": "2", "memory": "256Mi"}
    assert scaling["targetCPUUtilizationPercentage"] == round(100 * UTILISATION)
    assert scaling["targetQueueTokens"] == 2000 and "2000 tokens are 60 ms at 33,700 tokens/s" in PAGE
    assert round(2000 / tokens_a_second("int8, 2 cores") * 1000, -1) == 60
    assert round(400 / tokens_a_second("PyTorch backend") * 1000, -1) == 60
    scaled = yaml.safe_load((AUTOSCALING / "keda-scaledobject.yaml").read_text())["spec"]
    assert scaled["advanced"]["horizontalPodAutoscalerConfig"]["behavior"] == scaling["behavior"]
    assert (scaled["minReplicaCount"], scaled["maxReplicaCount"]) == (scaling["minReplicas"], scaling["maxReplicas"])
    queue, cpu = (trigger["metadata"] for trigger in scaled["triggers"])
    assert (int(queue["threshold"]), int(cpu["value"])) == (
        scaling["targetQueueTokens"], scaling["targetCPUUtilizationPercentage"])
