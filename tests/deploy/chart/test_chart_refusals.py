"""What bad values get: refused before anything is sent to a cluster, with the path of the value."""

import copy
import json
import re

import pytest
import yaml

import helm_chart
import support
from helm_chart import CHART, refusal, render

# Values, and what the refusal says.
BY_SCHEMA = [
    ({"replicaCont": 3}, "additional properties 'replicaCont' not allowed"),
    ({"replicaCount": "3"}, "at '/replicaCount': got string"),
    ({"image": {"tagg": "1"}}, "at '/image': additional properties 'tagg' not allowed"),
    ({"image": {"variant": "fulll"}}, "at '/image/variant': value must be one of 'runtime', 'full'"),
    ({"image": {"digest": "sha256:12"}}, "at '/image/digest': 'sha256:12' does not match pattern"),
    ({"config": {"max-queue-token": 1}}, "at '/config': additional properties 'max-queue-token' not allowed"),
    ({"config": {"threads": "2"}}, "at '/config/threads': got string, want integer"),
    ({"config": {"canary-share": 2}}, "at '/config/canary-share': maximum: got 2, want 1"),
    ({"config": {"drain-delay": 5}}, "at '/config/drain-delay': got number, want string"),
    ({"config": {"drain-delay": "5 s"}}, "at '/config/drain-delay': '5 s' does not match pattern"),
    ({"config": {"backend": "tensorflow"}}, "at '/config/backend': value must be one of 'onnx', 'pytorch'"),
    ({"config": {"listen": "127.0.0.1:8000"}}, "at '/config/listen'"),
    ({"config": {"listen": "0.0.0.0:0"}}, "at '/config/listen'"),
    ({"config": {"listen": "0.0.0.0:65536"}}, "at '/config/listen'"),
    ({"config": {"listen": "0.0.0.256:80"}}, "at '/config/listen'"),
    ({"config": {"otlp-endpoint": "https://collector:4318"}}, "at '/config/otlp-endpoint'"),
    ({"config": {"trace-service-name": "Stimmung für alle"}}, "at '/config/trace-service-name'"),
    ({"config": {"model": "/models/mine"}}, "at '/config': additional properties 'model' not allowed"),
    ({"config": {"protect-metrics": True}}, "at '/apiKey/existingSecret'"),
    ({"model": {"from": "download"}}, "at '/model/from': value must be one of"),
    ({"model": {"from": "persistentVolumeClaim"}}, "at '/model/persistentVolumeClaim/claimName'"),
    ({"model": {"from": "image"}}, "at '/model/image/reference'"),
    ({"model": {"from": "initContainer"}}, "at '/model/initContainer/image'"),
    ({"model": {"path": "../elsewhere"}}, "at '/model/path'"),
    ({"resources": {"limit": {}}}, "at '/resources': additional properties 'limit' not allowed"),
    ({"resources": {"limits": {"memory": "256 MB"}}}, "at '/resources/limits/memory'"),
    ({"autoscaling": {"enabled": "yes"}}, "at '/autoscaling/enabled': got string, want boolean"),
    ({"autoscaling": {"behavior": {"scaleUp": {"policies": [{"type": "Pod", "value": 1, "periodSeconds": 1}]}}}},
     "at '/autoscaling/behavior/scaleUp/policies/0/type'"),
    ({"podDisruptionBudget": {"maxUnavailable": "one"}}, "at '/podDisruptionBudget/maxUnavailable'"),
    ({"updateStrategy": {"maxSurge": 0}}, "at '/updateStrategy/maxSurge'"),
    ({"updateStrategy": {"maxUnavailable": 1}}, "at '/updateStrategy': additional properties 'maxUnavailable' not allowed"),
    ({"ingress": {"enabled": True}}, "at '/ingress/hosts': minItems: got 0, want 1"),
    ({"ingress": {"hosts": [{"host": "a", "paths": ["/"]}]}}, "at '/ingress/hosts/0/paths/0': got string, want object"),
    ({"httpRoute": {"enabled": True}}, "at '/httpRoute/parentRefs'"),
    ({"networkPolicy": {"ingress": {"from": [{"podSelectr": {}}]}}}, "at '/networkPolicy/ingress/from/0'"),
    ({"service": {"port": 70000}}, "at '/service/port': maximum: got 70,000, want 65,535"),
    ({"extraEnv": [{"name": "A", "vallue": "b"}]}, "at '/extraEnv/0': additional properties 'vallue' not allowed"),
    ({"tolerations": [{"key": "a", "effect": "Never"}]}, "at '/tolerations/0/effect'"),
    ({"topologySpreadConstraints": [{"topologyKey": "zone"}]}, "at '/topologySpreadConstraints/0': missing properties"),
    ({"nodeSelector": {"gpu": True}}, "at '/nodeSelector/gpu': got boolean, want string"),
    ({"securityContext": {"runAsRoot": True}}, "at '/securityContext': additional properties 'runAsRoot' not allowed"),
]

# Settings that the server would refuse at its start, each alone legal, and what both say of them.
BY_SERVER = [
    ({"max-queue-tokens": 1000}, "max-queue-tokens (1000) is below max-batch-tokens (65536)"),
    ({"max-batch-tokens": 200000}, "max-queue-tokens (131072) is below max-batch-tokens (200000)"),
    ({"max-text-chars": 1000000}, "max-body-bytes (8388608) is below what max-text-chars (1000000) may need: 24001024"),
    ({"max-body-bytes": "64KiB"}, "max-body-bytes (65536) is below what max-text-chars (10000) may need: 241024"),
    ({"max-body-bytes": 1000}, "max-body-bytes (1000) is below what max-text-chars (10000) may need: 241024"),
    ({"canary-share": 0.5}, "canary-share is 0.5 but canary-backend is none"),
    ({"shadow-share": 0.25}, "shadow-share is 0.25 but shadow-backend is none"),
    ({"canary-backend": "onnx"}, "canary-backend is onnx, as backend is: expected another one"),
    ({"backend": "pytorch", "shadow-backend": "pytorch"}, "shadow-backend is pytorch, as backend is"),
    ({"header-timeout": "0"}, "header-timeout: expected a duration from 1ms to 24h"),
    ({"backend": "pytorch", "precision": "int8"}, "precision is int8 but backend is pytorch, which has fp32 alone"),
]

BY_TEMPLATE = [
    ({"serviceMonitor": {"enabled": True}, "podMonitor": {"enabled": True}},
     "serviceMonitor.enabled and podMonitor.enabled are both true"),
    ({"podDisruptionBudget": {"minAvailable": 1}}, "podDisruptionBudget: expected one of maxUnavailable and minAvailable"),
    ({"podDisruptionBudget": {"maxUnavailable": None}}, "podDisruptionBudget: expected one of"),
    ({"autoscaling": {"enabled": True, "maxReplicas": 1}},
     "autoscaling.maxReplicas (1) is below autoscaling.minReplicas (2)"),
    ({"autoscaling": {"enabled": True, "targetQueueTokens": 0, "targetCPUUtilizationPercentage": 0}},
     "there is nothing to scale on"),
    ({"config": {"header-timeout": "0"}}, 'config: header-timeout: expected a duration from 1ms to 24h, found "0"'),
    ({"config": {"otlp-endpoint": "http://collector:4318"}},
     "config.otlp-endpoint is set but networkPolicy.egress lets nothing out"),
    ({"config": {"backend": "pytorch"}}, "expected image.variant full"),
    ({"config": {"allowed-backends": "onnx,pytorch"}}, "expected image.variant full"),
    ({"config": {"precision": "fp32"}}, "expected image.variant full, or a model of your own"),
]


def identify(case):
    return re.sub(r"[^\w.-]+", "_", yaml.safe_dump(case, default_flow_style=True)).strip("_")[:60]


def cases(table):
    return pytest.mark.parametrize("values, message", table, ids=[identify(values) for values, _ in table])


@cases(BY_SCHEMA)
def test_the_schema_names_the_path(values, message):
    said = refusal(values=values)
    assert message in said, said


@cases(BY_TEMPLATE)
def test_what_only_the_templates_see(values, message):
    assert message in refusal(values=values)


@cases(BY_SERVER)
def test_what_the_server_would_refuse(values, message, tmp_path):
    """The chart says at `helm install` what the server would say at the pod's start, and neither is stricter."""
    assert message in refusal(values={"config": values, "image": {"variant": "full"}})
    file = tmp_path / "config.toml"
    file.write_text("".join(f"{key} = {value!r}\n" for key, value in values.items()))
    started = support.run("serve", "--config", file, "--model", tmp_path / "none")
    assert started.returncode == 2 and message in started.stderr.decode()


UNITS = {"": 1, "ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}


def ranges(folder):
    """{option: (what it takes, least, most)} of all that have a range, as the server's refusals say."""
    found = {}
    file = folder / "config.toml"
    for option in json.loads((CHART / "values.schema.json").read_text())["properties"]["config"]["properties"]:
        file.write_text(f"{option} = [1]\n")
        said = support.run("serve", "--config", file, "--print-config").stderr.decode()
        if match := re.search(rf"{option}: expected an? (\w+) from (\d+)(\w*) to (\d+)(\w*)", said):
            found[option] = match[1], int(match[2]) * UNITS[match[3]], int(match[4]) * UNITS[match[5]]
    return found


def test_the_chart_has_the_servers_ranges(tmp_path):
    found = ranges(tmp_path)
    assert {"integer", "duration", "size", "number"} == {what for what, _, _ in found.values()}

    def named(values):
        """Those that the chart says are out of their range; of what the schema lets pass it names one."""
        said = helm_chart.template(values={"config": values}).stderr
        return {option for option in values if f"at '/config/{option}'" in said or f"config: {option}: expected" in said}

    for end, outwards in ((1, -1), (2, +1)):
        ends, beyond = ({option: f"{range_[end] + step}ms" if range_[0] == "duration" else range_[end] + step
                         for option, range_ in found.items()} for step in (0, outwards))
        assert not named(ends)
        assert {option for option in beyond.keys() - named(beyond) if not named({option: beyond[option]})} == set()


def test_budgets_of_zero_and_of_shares():
    for budget in ({"maxUnavailable": 0}, {"maxUnavailable": "25%"}, {"maxUnavailable": None, "minAvailable": 1}):
        spec = helm_chart.one(render(values={"podDisruptionBudget": budget}), "PodDisruptionBudget")["spec"]
        wanted = {key: value for key, value in budget.items() if value is not None}
        assert {key: spec[key] for key in spec if key.endswith("vailable")} == wanted


def values_with_paths(node, path=()):
    for key, value in node.items():
        yield (*path, key), value
        if isinstance(value, dict):
            yield from values_with_paths(value, (*path, key))


# Mappings whose keys are the user's.
OPEN = {("commonLabels",), ("podAnnotations",), ("podLabels",), ("nodeSelector",), ("affinity", "nodeAffinity"),
        ("dashboards", "labels"), ("dashboards", "annotations"), ("service", "annotations"), ("ingress", "annotations"),
        ("httpRoute", "annotations"), ("serviceAccount", "annotations"), ("serviceMonitor", "labels"),
        ("podMonitor", "labels"), ("prometheusRule", "labels"), ("podSecurityContext", "seccompProfile")}


def test_no_mapping_of_the_values_takes_an_unknown_key():
    """One chart with a key planted in each mapping at once: helm lists a refusal for each."""
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())
    planted = copy.deepcopy(defaults)
    expected = []
    for path, value in values_with_paths(defaults):
        if isinstance(value, dict) and not any(path[:len(o)] == o for o in OPEN):
            node = planted
            for key in path:
                node = node[key]
            node["planted"] = {"x": []}
            expected.append("/" + "/".join(path))
    said = refusal(values=planted)
    assert len(expected) > 30
    assert [path for path in expected if f"at '{path}" not in said] == []


def test_the_schema_lists_what_the_values_have():
    assert render(values=yaml.safe_load((CHART / "values.yaml").read_text())) == render()


def test_the_page_quotes_what_is_said():
    """docs/deploy.md: every message of the schema and the templates is one that a refusal above really has."""
    rows = re.findall(r"^\| [^|]+ \| (schema|templates)(?:, in the server's words)? \| `([^|]+)` \|$",
                      (support.SOURCE / "docs" / "deploy.md").read_text(), re.MULTILINE)
    assert len(rows) >= 9
    said = [refusal(values=values) for values, _ in BY_SCHEMA + BY_TEMPLATE]
    said += [refusal(values={"config": values, "image": {"variant": "full"}}) for values, _ in BY_SERVER]
    assert [message for _, message in rows if not any(message in text for text in said)] == []
