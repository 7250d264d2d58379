"""A release's life on a real API server, for every set of values; and what the server refuses."""

import shutil

import pytest
import yaml

import helm_chart
from cluster import wait_for
from deploy_page import quoted
from helm_chart import CHART, EVERYTHING, VALUES

RELEASE = "ks"
DEPLOYMENT = "ks-kubesentiment"
# A pod counts a second after it is ready, instead of five: every test waits for that many times.
QUICK = ["--wait", "--timeout=90s", "--set=minReadySeconds=1"]


def install(kubernetes, namespace, flags=(), chart=CHART, run=None):
    run = run or kubernetes.helm
    return run("install", RELEASE, chart, "--namespace", namespace, *QUICK, *flags)


def make_key(kubernetes, namespace):
    kubernetes.kubectl("create", "secret", "generic", "kubesentiment-api-key", "--from-literal=api-key=secret", "-n", namespace)


def pods(kubernetes, namespace):
    return kubernetes.items("pods", namespace, "-l", f"app.kubernetes.io/instance={RELEASE},app.kubernetes.io/name=kubesentiment")


def everything(kubernetes, namespace):
    """Names of all objects in the namespace but events and leases."""
    kinds = kubernetes.kubectl("api-resources", "--verbs=list", "--namespaced", "-o", "name").stdout.split()
    kinds = [kind for kind in kinds if not kind.startswith(("events", "leases", "pods.metrics"))]
    return set(kubernetes.kubectl("get", ",".join(kinds), "-n", namespace, "-o", "name", "--ignore-not-found").stdout.split())


@pytest.mark.parametrize("name", VALUES)
def test_a_release_lives_and_leaves_nothing(kubernetes, namespace, name):
    make_key(kubernetes, namespace)
    before = everything(kubernetes, namespace)
    flags = helm_chart.value_flags(VALUES[name])
    install(kubernetes, namespace, flags)
    deployment = kubernetes.get("deployment", DEPLOYMENT, namespace)
    asked = deployment["spec"]["replicas"]
    assert deployment["status"]["readyReplicas"] == asked
    first = {pod["metadata"]["name"] for pod in pods(kubernetes, namespace)}
    kubernetes.helm("test", RELEASE, "--namespace", namespace)

    kubernetes.helm("upgrade", RELEASE, CHART, "--namespace", namespace, *QUICK, *flags, "--set=config.threads=1")
    wait_for(lambda: not first & {pod["metadata"]["name"] for pod in pods(kubernetes, namespace)}, 30, "old pods are left")
    assert "threads = 1" in kubernetes.get("configmap", DEPLOYMENT, namespace)["data"]["config.toml"]

    kubernetes.helm("rollback", RELEASE, "1", "--namespace", namespace, "--wait", "--timeout=90s")
    assert "threads" not in kubernetes.get("configmap", DEPLOYMENT, namespace)["data"]["config.toml"]

    kubernetes.helm("uninstall", RELEASE, "--namespace", namespace, "--wait", "--timeout=90s")
    wait_for(lambda: everything(kubernetes, namespace) == before, 60,
             lambda: f"left: {everything(kubernetes, namespace) - before}")


def test_every_object_at_once(kubernetes, namespace, tmp_path):
    install(kubernetes, namespace, helm_chart.value_flags(values=EVERYTHING, folder=tmp_path))
    for kind in ("httproute", "ingress", "servicemonitor", "horizontalpodautoscaler", "poddisruptionbudget", "networkpolicy"):
        assert kubernetes.get(kind, DEPLOYMENT, namespace)


MODELS = {
    "claim": {"from": "persistentVolumeClaim", "persistentVolumeClaim": {"claimName": "models"}},
    "image": {"from": "image", "image": {"reference": "registry.example.com/model:1"}},
    "init": {"from": "initContainer", "initContainer": {"image": "registry.example.com/fetch:1", "args": ["/model"]}},
}


@pytest.mark.parametrize("model", MODELS)
def test_a_model_of_ones_own(kubernetes, namespace, tmp_path, model):
    storage = {"accessModes": ["ReadOnlyMany"], "storageClassName": "", "volumeName": namespace}
    kubernetes.apply(
        {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": namespace}, "spec": {
            "capacity": {"storage": "1Gi"}, "accessModes": ["ReadOnlyMany"], "hostPath": {"path": "/models"}}},
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "models", "namespace": namespace},
         "spec": storage | {"resources": {"requests": {"storage": "1Gi"}}}})
    install(kubernetes, namespace, helm_chart.value_flags(values={"model": MODELS[model]}, folder=tmp_path))
    assert "--model=/model" in pods(kubernetes, namespace)[0]["spec"]["containers"][0]["args"]


def changed_chart(tmp_path, file, old, new):
    """A copy of the chart with one line of a template changed."""
    copy = tmp_path / "kubesentiment"
    shutil.copytree(CHART, copy)
    template = copy / "templates" / file
    assert template.read_text().count(old) == 1
    template.write_text(template.read_text().replace(old, new))
    return copy


@pytest.mark.parametrize("file, old, new, message", [
    ("deployment.yaml", "terminationGracePeriodSeconds:", "terminationGraceSeconds:", "terminationGraceSeconds"),
    ("service.yaml", "appProtocol:", "appProtocoll:", "appProtocoll"),
    ("deployment.yaml", "revisionHistoryLimit: {{ .Values.revisionHistoryLimit }}", "revisionHistoryLimit: three",
     "revisionHistoryLimit"),
])
def test_a_wrong_field_is_refused(kubernetes, namespace, tmp_path, file, old, new, message):
    """Planted in a template: the server names it, and the release has failed."""
    failed = install(kubernetes, namespace, chart=changed_chart(tmp_path, file, old, new), run=kubernetes.try_helm)
    assert failed.returncode != 0
    assert message in failed.stderr
    assert '"status":"failed"' in kubernetes.helm("list", "--namespace", namespace, "--output=json").stdout


def test_a_refused_release_is_taken_away_where_asked(kubernetes, namespace, tmp_path):
    before = everything(kubernetes, namespace)
    chart = changed_chart(tmp_path, "deployment.yaml", "terminationGracePeriodSeconds:", "terminationGraceSeconds:")
    failed = install(kubernetes, namespace, ["--rollback-on-failure"], chart=chart, run=kubernetes.try_helm)
    assert failed.returncode != 0 and "terminationGraceSeconds" in failed.stderr
    assert kubernetes.helm("list", "--namespace", namespace, "--short").stdout == ""
    wait_for(lambda: everything(kubernetes, namespace) == before, 60,
             lambda: f"left: {everything(kubernetes, namespace) - before}")


def test_an_upgrade_that_is_never_ready_is_taken_back(kubernetes, namespace):
    """And takes no pod of what runs."""
    install(kubernetes, namespace)
    running = {pod["metadata"]["name"] for pod in pods(kubernetes, namespace)}
    failed = kubernetes.try_helm("upgrade", RELEASE, CHART, "--namespace", namespace, "--wait", "--rollback-on-failure",
                                 "--timeout=10s", "--set=minReadySeconds=1,nodeSelector.kubernetes\\.io/arch=s390x")
    assert failed.returncode != 0
    wait_for(lambda: {pod["metadata"]["name"] for pod in pods(kubernetes, namespace)} == running, 60, "not as before")
    assert all(kubernetes.is_ready(pod) for pod in pods(kubernetes, namespace))
    assert kubernetes.get("deployment", DEPLOYMENT, namespace)["spec"]["template"]["spec"]["nodeSelector"] == {
        "kubernetes.io/os": "linux"}


def test_a_missing_secret_is_said_at_install(kubernetes, namespace):
    flags = helm_chart.value_flags(["values-production.yaml"])
    failed = install(kubernetes, namespace, flags, run=kubernetes.try_helm)
    assert failed.returncode != 0
    message = f'apiKey.existingSecret: expected a Secret "kubesentiment-api-key" in the namespace {namespace}, found none'
    assert quoted(message, namespace) in failed.stderr
    kubernetes.kubectl("create", "secret", "generic", "kubesentiment-api-key", "--from-literal=key=secret", "-n", namespace)
    failed = install(kubernetes, namespace, flags, run=kubernetes.try_helm)
    assert 'apiKey.key: expected an entry "api-key" in the Secret "kubesentiment-api-key", found key' in failed.stderr
    assert not pods(kubernetes, namespace)


def test_a_missing_claim_is_said_at_install(kubernetes, namespace, tmp_path):
    flags = helm_chart.value_flags(values={"model": MODELS["claim"]}, folder=tmp_path)
    failed = install(kubernetes, namespace, flags, run=kubernetes.try_helm)
    message = f'model.persistentVolumeClaim.claimName: expected a claim "models" in the namespace {namespace}, found none'
    assert quoted(message, namespace) in failed.stderr
    # Whoever may not read claims says so; then the pods wait for it, and say what for.
    kubernetes.helm("install", RELEASE, CHART, "--namespace", namespace, *flags, "--set=checkReferences=false")
    wait_for(lambda: 'persistentvolumeclaim "models" not found' in str(pods(kubernetes, namespace)), 30, "no pod says so")


def test_no_metrics_api_is_said_at_install(kubernetes, namespace):
    said = install(kubernetes, namespace, ["--set=autoscaling.enabled=true"]).stdout
    assert quoted("WARNING: this cluster has no custom-metrics API, so the autoscaler does not see ml_queue_tokens") in said
    assert "acts on CPU alone" in said
    assert "this cluster has no metrics.k8s.io (metrics-server)" in said


def test_a_missing_definition_is_said_at_install(kubernetes, namespace):
    kubernetes.kubectl("delete", "crd", "servicemonitors.monitoring.coreos.com")
    try:
        failed = install(kubernetes, namespace, ["--set=serviceMonitor.enabled=true"], run=kubernetes.try_helm)
    finally:
        kubernetes.kubectl("apply", "--server-side", "-f",
                           helm_chart.TOOLS / "crds" / "monitoring.coreos.com_servicemonitors.yaml")
        kubernetes.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
    assert failed.returncode != 0
    assert quoted('no matches for kind "ServiceMonitor"') in failed.stderr


def test_restricted_is_enforced(kubernetes, namespace):
    """The namespace refuses what the chart's pods never do; that they run shows that they keep to it."""
    documents = helm_chart.render(release=RELEASE)
    pod = helm_chart.one(documents, "Pod")
    pod["metadata"] |= {"namespace": namespace, "annotations": {}}
    assert kubernetes.try_kubectl("create", "--dry-run=server", "-f", "-", stdin=yaml.safe_dump(pod)).returncode == 0
    pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    refused = kubernetes.try_kubectl("create", "--dry-run=server", "-f", "-", stdin=yaml.safe_dump(pod))
    assert refused.returncode != 0 and quoted('violates PodSecurity "restricted:latest"') in refused.stderr
