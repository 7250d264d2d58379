"""What the chart makes of every set of values: valid objects, safe pods, probes and settings that the server knows."""

import json
import re
import subprocess
import sys
import tomllib

import pytest
import yaml

import helm_chart
import support
from helm_chart import CHART, EVERYTHING, VALUES, kubeconform, one, pod_spec, render, server_container, settings

PHASES = re.findall(r"^## (\d)\. .*?^```toml\n(.*?)^```", (support.SOURCE / "docs" / "migration.md").read_text(),
                    re.MULTILINE | re.DOTALL)
every_set = pytest.mark.parametrize("name", VALUES)


def rendered(name):
    return render(VALUES[name])


@pytest.mark.parametrize("overlay", [None, *helm_chart.OVERLAYS])
def test_lint_finds_nothing(overlay):
    result = helm_chart.run("helm", "lint", "--strict", CHART, *helm_chart.value_flags([overlay] if overlay else []))
    assert result.returncode == 0, result.stdout + result.stderr


@every_set
def test_every_object_is_valid(name):
    result = helm_chart.template(VALUES[name])
    assert result.returncode == 0, result.stderr
    checked = kubeconform(result.stdout)
    assert checked.returncode == 0, checked.stdout
    assert "Skipped: 0" in checked.stdout


def test_every_kind_of_object_is_valid():
    for monitor in ("serviceMonitor", "podMonitor"):
        values = EVERYTHING | {"serviceMonitor": {"enabled": False}} | {monitor: {"enabled": True}}
        result = helm_chart.template(values=values)
        checked = kubeconform(result.stdout)
        assert checked.returncode == 0, checked.stdout + result.stderr
    kinds = {d["kind"] for d in render(values=EVERYTHING)}
    assert kinds >= {"Deployment", "Service", "ServiceAccount", "HorizontalPodAutoscaler", "PodDisruptionBudget",
                     "NetworkPolicy", "Ingress", "HTTPRoute", "ServiceMonitor", "ConfigMap", "Pod"}


def test_a_misspelt_field_is_not_valid():
    text = helm_chart.template().stdout
    assert text.count("terminationGracePeriodSeconds:") == 1
    checked = kubeconform(text.replace("terminationGracePeriodSeconds:", "terminationGraceSeconds:"))
    assert checked.returncode != 0
    assert "terminationGraceSeconds" in checked.stdout


@every_set
def test_the_server_takes_the_settings(name, tmp_path):
    """All checks of settings come before the package is read, and there is none: exit code 3."""
    file = tmp_path / "config.toml"
    file.write_text(settings(rendered(name)))
    printed = support.run("serve", "--config", file, "--print-config")
    assert printed.returncode == 0, printed.stderr
    sources = dict(re.findall(r"^(\S+) = .*  # (.*)$", printed.stdout.decode(), re.MULTILINE))
    for number, key in enumerate(tomllib.loads(file.read_text()), 1):
        assert sources[key] == f"file {file}:{number}"
    started = support.run("serve", "--config", file, "--model", tmp_path / "none", "--listen", "127.0.0.1:0",
                          "--api-key-file", "")
    assert started.returncode == 3, started.stderr
    assert str(tmp_path / "none").encode() in started.stderr


def defaults():
    return tomllib.loads(support.run("serve", "--print-config").stdout.decode())


def test_the_schema_knows_every_option_of_the_server():
    schema = json.loads((CHART / "values.schema.json").read_text())
    assert set(schema["properties"]["config"]["properties"]) == set(defaults()) - {"model", "api-key-file"}


def test_every_default_of_the_server_passes(tmp_path):
    wanted = {key: value for key, value in defaults().items() if key not in ("model", "api-key-file", "listen")}
    given = tomllib.loads(settings(render(values={"config": wanted})))
    assert given == wanted


def test_numbers_and_text_reach_the_server_as_they_are():
    config = {"max-queue-tokens": 1099511627776, "shadow-backend": "pytorch", "shadow-share": 0.0001, "verify": True,
              "max-body-bytes": 16777216, "max-header-bytes": "64KiB"}
    given = tomllib.loads(settings(render(values={"config": config, "image": {"variant": "full"}})))
    assert {key: given[key] for key in config} == config


@pytest.mark.parametrize("number", "12345")
def test_a_phase_has_the_settings_of_the_page(number):
    overlay = next(name for name in helm_chart.OVERLAYS if f"migration-{number}-" in name)
    values = yaml.safe_load((CHART / overlay).read_text())
    page = tomllib.loads(dict(PHASES)[number])
    assert values["config"] == page
    needs_pytorch = "pytorch" in str(page)
    assert values.get("image", {}).get("variant", "runtime") == ("full" if needs_pytorch else "runtime")
    assert server_container(render([overlay]))["image"].endswith("-full") == needs_pytorch


@every_set
def test_pods_keep_to_pod_security_restricted(name):
    """The profile's rules, as far as they concern this chart; tests/deploy/cluster asks a real API server as well."""
    documents = rendered(name)
    specs = [pod_spec(documents), one(documents, "Pod")["spec"]]
    for spec in specs:
        assert spec["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert {next(iter(set(v) - {"name"})) for v in spec.get("volumes", [])} <= {
            "configMap", "secret", "emptyDir", "persistentVolumeClaim", "image"}
        for container in spec["containers"] + spec.get("initContainers", []):
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["readOnlyRootFilesystem"] is True
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert {"cpu", "memory"} <= set(container["resources"]["requests"]) & set(container["resources"]["limits"])
    assert one(documents, "ServiceAccount")["automountServiceAccountToken"] is False
    assert not [d for d in documents if "Role" in d["kind"]]


@every_set
def test_a_rollout_never_goes_below_the_replicas(name):
    strategy = one(rendered(name), "Deployment")["spec"]["strategy"]
    assert strategy["rollingUpdate"]["maxUnavailable"] == 0
    assert strategy["rollingUpdate"]["maxSurge"] not in (0, "0%")


@pytest.mark.parametrize("delay, timeout, seconds", [
    ("5s", "30s", 40), ("0s", "0", 5), ("250ms", "1s", 7), ("1m", "1h", 3665), ("1001ms", "999ms", 7)])
def test_the_grace_period_follows_the_drain(delay, timeout, seconds):
    spec = pod_spec(render(values={"config": {"drain-delay": delay, "drain-timeout": timeout}}))
    assert spec["terminationGracePeriodSeconds"] == seconds


def test_pods_spread_over_nodes_and_zones():
    spread = pod_spec(render())["topologySpreadConstraints"]
    assert {s["topologyKey"] for s in spread} == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}
    labels = one(render(), "Deployment")["spec"]["template"]["metadata"]["labels"]
    for constraint in spread:
        assert constraint["labelSelector"]["matchLabels"].items() <= labels.items()
    own = {"matchLabels": {"a": "b"}}
    one_of_mine = {"maxSkew": 2, "topologyKey": "rack", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": own}
    assert pod_spec(render(values={"topologySpreadConstraints": [one_of_mine]}))["topologySpreadConstraints"] == [one_of_mine]


def probes(container):
    return {name: container[name]["httpGet"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}


def test_probes_ask_routes_that_the_server_has(tmp_path):
    """With the settings of production, on loopback: a key is asked for, but not from a probe."""
    documents = render(["values-production.yaml"])
    config, key = tmp_path / "config.toml", tmp_path / "key"
    config.write_text(settings(documents))
    key.write_text("secret\n")
    with support.Server("--config", config, "--api-key-file", key) as server:
        for name, probe in probes(server_container(documents)).items():
            assert server.get(probe["path"]).status == 200, name
        assert server.post("/api/v1/predict", {"text": "fine"}).status == 401
        arguments = one(documents, "Pod")["spec"]["containers"][0]["args"]
        asked = support.run(*(a.replace("http://ks-kubesentiment:80/", server.url + "/") for a in arguments))
        assert asked.returncode == 0, asked.stderr
    assert support.run(*arguments[:1], f"--url={server.url}/health/ready").returncode == 1


def test_the_port_is_said_once():
    documents = render(values={"config": {"listen": "[::]:9090"}, "service": {"port": 8080}})
    container = server_container(documents)
    assert "--listen=[::]:9090" in container["args"]
    assert container["ports"] == [{"name": "http", "containerPort": 9090, "protocol": "TCP"}]
    assert {probe["port"] for probe in probes(container).values()} == {"http"}
    port = one(documents, "Service")["spec"]["ports"][0]
    assert (port["port"], port["targetPort"]) == (8080, "http")
    assert one(documents, "NetworkPolicy")["spec"]["ingress"][0]["ports"] == [{"port": "http", "protocol": "TCP"}]
    assert one(documents, "Pod")["spec"]["containers"][0]["args"][1] == "--url=http://ks-kubesentiment:8080/health/ready"


def test_the_test_pod_is_not_behind_the_service():
    documents = render(["values-production.yaml"])
    pod = one(documents, "Pod")["metadata"]["labels"]
    assert not one(documents, "Service")["spec"]["selector"].items() <= pod.items()
    peers = one(documents, "NetworkPolicy")["spec"]["ingress"][0]["from"]
    assert peers[-1]["podSelector"]["matchLabels"].items() <= pod.items()


def test_nothing_goes_out():
    policy = one(render(), "NetworkPolicy")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert policy["egress"] == []
    assert "from" not in policy["ingress"][0]


def test_the_key_comes_from_a_secret():
    documents = render(values={"apiKey": {"existingSecret": "mine", "key": "token"}, "config": {"protect-metrics": True},
                               "serviceMonitor": {"enabled": True}})
    given = tomllib.loads(settings(documents))
    mount = next(m for m in server_container(documents)["volumeMounts"] if m["name"] == "api-key")
    secret = next(v for v in pod_spec(documents)["volumes"] if v["name"] == "api-key")["secret"]
    assert given["api-key-file"] == f"{mount['mountPath']}/{secret['items'][0]['path']}"
    assert secret["secretName"] == "mine" and secret["items"][0]["key"] == "token"
    # Read by the group that the pod's volumes belong to, and by nobody else.
    assert secret["defaultMode"] == 0o440 and pod_spec(documents)["securityContext"]["fsGroup"] == 65532
    endpoint = one(documents, "ServiceMonitor")["spec"]["endpoints"][0]
    assert endpoint["authorization"]["credentials"] == {"name": "mine", "key": "token"}
    assert "authorization" not in one(
        render(values={"serviceMonitor": {"enabled": True}}), "ServiceMonitor")["spec"]["endpoints"][0]


@pytest.mark.parametrize("model, volume", [
    ({"from": "persistentVolumeClaim", "persistentVolumeClaim": {"claimName": "models"}},
     {"persistentVolumeClaim": {"claimName": "models", "readOnly": True}}),
    ({"from": "image", "image": {"reference": "registry.example.com/model:1"}},
     {"image": {"reference": "registry.example.com/model:1", "pullPolicy": "IfNotPresent"}}),
    ({"from": "initContainer", "initContainer": {"image": "registry.example.com/fetch:1", "args": ["/model"]}},
     {"emptyDir": {"sizeLimit": "1Gi"}}),
])
def test_a_model_of_ones_own(model, volume):
    documents = render(values={"model": model | {"path": "v2/reviews"}})
    container, spec = server_container(documents), pod_spec(documents)
    assert "--model=/model/v2/reviews" in container["args"]
    assert {"name": "model", "mountPath": "/model", "readOnly": True} in container["volumeMounts"]
    assert {"name": "model"} | volume in spec["volumes"]
    assert ("initContainers" in spec) == (model["from"] == "initContainer")
    assert kubeconform(yaml.safe_dump_all(documents)).returncode == 0
    assert "--model=/model" in server_container(render(values={"model": model}))["args"]


def test_the_images_own_model_needs_no_flag():
    documents = render()
    assert not [a for a in server_container(documents)["args"] if "--model" in a]
    assert not [v for v in pod_spec(documents)["volumes"] if v["name"] == "model"]


def test_another_configuration_replaces_the_pods():
    def checksum(values):
        return one(render(values=values), "Deployment")["spec"]["template"]["metadata"]["annotations"]["checksum/config"]

    assert checksum({"config": {"threads": 1}}) != checksum({"config": {"threads": 2}})
    assert checksum({"replicaCount": 3}) == checksum({"replicaCount": 4})


def test_who_scales():
    assert one(render(), "Deployment")["spec"]["replicas"] == 2
    assert "replicas" not in one(render(values={"autoscaling": {"enabled": True}}), "Deployment")["spec"]
    assert "replicas" not in one(render(values={"replicaCount": None}), "Deployment")["spec"]
    metrics = one(render(["values-production.yaml"]), "HorizontalPodAutoscaler")["spec"]["metrics"]
    assert [m["type"] for m in metrics] == ["Pods", "Resource"]
    assert metrics[0]["pods"]["metric"]["name"] == "ml_queue_tokens"
    assert metrics[0]["pods"]["target"] == {"type": "AverageValue", "averageValue": "2000"}
    phase = one(render(["values-production.yaml", "values-migration-1-pytorch.yaml"]), "HorizontalPodAutoscaler")
    assert phase["spec"]["metrics"][0]["pods"]["target"]["averageValue"] == "400"


def test_names_follow_the_release():
    def name(release, **values):
        return one(render(values=values, release=release), "Service")["metadata"]["name"]

    assert name("ks") == "ks-kubesentiment"
    assert name("kubesentiment") == "kubesentiment"
    assert name("ks", nameOverride="reviews") == "ks-reviews"
    assert name("ks", fullnameOverride="reviews") == "reviews"
    assert len(name("a" * 53)) <= 53


def planted_chart(tmp_path, **files):
    """A copy of the chart with these files in place of its own alerts and dashboards."""
    copy = tmp_path / "kubesentiment"
    for source in sorted(CHART.rglob("*")):
        if source.is_file() and source.relative_to(CHART).parts[0] != "files":
            target = copy / source.relative_to(CHART)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
    for name, text in files.items():
        target = copy / "files" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return copy


def test_alerts_and_dashboards_are_passed_on_as_they_are(tmp_path):
    rules = {"groups": [{"name": "g", "rules": [
        {"alert": "A", "expr": "up == 0", "annotations": {"summary": "{{ $labels.pod }} at {{ $value | humanize }}"}}]}]}
    rules["groups"][0]["rules"][0]["annotations"]["runbook_url"] = "docs/operations.md#a"
    dashboard = {"title": "D", "panels": [{"legendFormat": "{{backend}}", "text": "a\nb"}]}
    chart = planted_chart(tmp_path, **{"alerts/some.yaml": yaml.safe_dump(rules), "dashboards/d.json": json.dumps(dashboard),
                                       "dashboards/two.json": "{}"})
    documents = render(values={"prometheusRule": {"enabled": True, "labels": {"release": "stack"}},
                               "dashboards": {"enabled": True, "annotations": {"folder": "ML"}}}, chart=chart)
    rule = one(documents, "PrometheusRule")
    assert rule["spec"] == rules
    assert rule["metadata"]["name"] == "ks-kubesentiment-some" and rule["metadata"]["labels"]["release"] == "stack"
    linked = render(values={"prometheusRule": {"enabled": True, "runbookUrl": "https://wiki.example.com/ops"}}, chart=chart)
    assert one(linked, "PrometheusRule")["spec"]["groups"][0]["rules"][0]["annotations"]["runbook_url"] == (
        "https://wiki.example.com/ops#a")
    shown = one(documents, "ConfigMap", "ks-kubesentiment-dashboard-d")
    assert json.loads(shown["data"]["kubesentiment-d.json"]) == dashboard
    assert shown["metadata"]["labels"]["grafana_dashboard"] == "1" and shown["metadata"]["annotations"] == {"folder": "ML"}
    one(documents, "ConfigMap", "ks-kubesentiment-dashboard-two")
    assert not [d for d in render(chart=chart) if d["kind"] == "PrometheusRule" or "dashboard" in d["metadata"]["name"]]


def test_the_readme_is_current():
    result = subprocess.run([sys.executable, CHART.parent / "make_readme.py", "--check"], capture_output=True, text=True,
                            timeout=60)
    assert result.returncode == 0, result.stderr


def test_the_chart_has_the_programs_version():
    version = re.search(r"project\(kubesentiment VERSION ([\d.]+)", (support.SOURCE / "CMakeLists.txt").read_text())[1]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == version


@pytest.mark.parametrize("example", ["keda-scaledobject.yaml"])
def test_examples_are_valid(example):
    text = (helm_chart.AUTOSCALING / example).read_text()
    checked = kubeconform(text)
    assert checked.returncode == 0, checked.stdout
