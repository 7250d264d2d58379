"""deploy/autoscaling without a cluster: what the queries for prometheus-adapter and for KEDA give of known series."""

import json
import pathlib

import pytest
import yaml

import prometheus_adapter
from test_rules import promtool

KEDA = pathlib.Path(__file__).parent.parent.parent / "deploy/autoscaling/keda-scaledobject.yaml"
NAMESPACE = "kubesentiment"


def series(pod, values, namespace=NAMESPACE, name="ml_queue_tokens"):
    labels = {"namespace": namespace, "pod": pod, "model": "default"}
    return {"series": name + "{" + ",".join(f'{k}="{v}"' for k, v in labels.items() if v) + "}", "values": values}


# A sample every 15 s. Asked at 2:05, the last minute has the last four: the busy pod's mean is 2500, the calm one's 500.
GIVEN = [
    series("kubesentiment-7d9-a", "0 0 0 0 0 1000 2000 3000 4000"),
    series("kubesentiment-7d9-b", "9000 0 0 0 0 500 500 500 500"),
    # Others', which must not count: of another namespace, another program, and of no pod.
    series("kubesentiment-7d9-a", "8000x8", namespace="elsewhere"),
    series("other-5f4-c", "7000x8"),
    series("", "6000x8"),
    series("kubesentiment-7d9-a", "5000x8", name="ml_queue_limit_tokens"),
]


def expect(tmp_path, query, samples):
    """promtool's word that the query gives these [(series, value)]."""
    test = {"evaluation_interval": "15s", "tests": [{"interval": "15s", "input_series": GIVEN, "promql_expr_test": [{
        "expr": query, "eval_time": "2m5s", "exp_samples": [{"labels": labels, "value": value} for labels, value in samples]}]}]}
    (tmp_path / "test.yaml").write_text(json.dumps(test))
    promtool("test", "rules", tmp_path / "test.yaml")


def test_the_adapter_finds_the_gauge_of_every_pod_and_no_other(tmp_path):
    rule = prometheus_adapter.rule()
    expect(tmp_path, rule.series, [(GIVEN[index]["series"], value) for index, value in enumerate((4000, 500, 8000, 7000))])
    assert rule.metric("ml_queue_tokens") == "ml_queue_tokens"
    assert rule.metric("ml_queue_limit_tokens") is None


@pytest.mark.parametrize("means", [{"kubesentiment-7d9-a": 2500, "kubesentiment-7d9-b": 500}, {"kubesentiment-7d9-b": 500}],
                         ids=["two pods", "one pod"])
def test_the_adapter_serves_each_pods_mean_of_a_minute(tmp_path, means):
    query = prometheus_adapter.rule().query("ml_queue_tokens", NAMESPACE, list(means))
    expect(tmp_path, query, [(f'{{pod="{pod}"}}', mean) for pod, mean in means.items()])


def test_keda_asks_for_the_sum_over_the_pods(tmp_path):
    scaled = yaml.safe_load(KEDA.read_text())
    names = scaled["metadata"]["namespace"], scaled["spec"]["scaleTargetRef"]["name"]
    assert names == (NAMESPACE, "kubesentiment")
    trigger = next(trigger for trigger in scaled["spec"]["triggers"] if trigger["type"] == "prometheus")
    expect(tmp_path, trigger["metadata"]["query"], [("{}", 3000)])
