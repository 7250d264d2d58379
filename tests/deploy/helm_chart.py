"""The chart and its tools: helm and kubeconform of scripts/setup-kubernetes, run apart from whatever helm the user has."""

import functools
import os
import pathlib
import subprocess
import tempfile

import yaml

SOURCE = pathlib.Path(os.environ["KS_SOURCE_DIR"])
TOOLS = SOURCE / "build" / "deps" / "kubernetes"
CHART = SOURCE / "deploy" / "helm" / "kubesentiment"
AUTOSCALING = SOURCE / "deploy" / "autoscaling"

OVERLAYS = sorted(path.name for path in CHART.glob("values-*.yaml"))
# Every set of values that a test renders or installs, by name: each overlay alone, and each migration phase in production.
VALUES = {"default": ()} | {name.removeprefix("values-").removesuffix(".yaml"): (name,) for name in OVERLAYS} | {
    f"production with {name.removeprefix('values-').removesuffix('.yaml')}": ("values-production.yaml", name)
    for name in OVERLAYS if "migration" in name}
# An object of every kind that the chart can make.
EVERYTHING = {
    "ingress": {"enabled": True, "className": "nginx", "hosts": [
        {"host": "sentiment.example.com", "paths": [{"path": "/", "pathType": "Prefix"}]}],
        "tls": [{"secretName": "sentiment-tls", "hosts": ["sentiment.example.com"]}]},
    "httpRoute": {"enabled": True, "parentRefs": [{"name": "gateway"}], "hostnames": ["sentiment.example.com"]},
    "autoscaling": {"enabled": True},
    "serviceMonitor": {"enabled": True},
    "prometheusRule": {"enabled": True},
    "dashboards": {"enabled": True},
}


def environment(home, more=None):
    """What helm sees: nothing of the user's own configuration, caches or clusters."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("KS_", "HELM_", "KUBE"))}
    return inherited | {"HOME": str(home), "HELM_CONFIG_HOME": f"{home}/config", "HELM_CACHE_HOME": f"{home}/cache",
                        "HELM_DATA_HOME": f"{home}/data"} | (more or {})


@functools.cache
def _home():
    return tempfile.TemporaryDirectory(prefix="helm-")


def run(tool, *arguments, env=None, timeout=120, stdin=None):
    """Runs a tool to its end; output as text."""
    return subprocess.run([TOOLS / "bin" / tool, *map(str, arguments)], env=env or environment(_home().name),
                          stdin=subprocess.DEVNULL if stdin is None else None, input=stdin, capture_output=True,
                          text=True, timeout=timeout)


def value_flags(overlays=(), values=None, folder=None):
    """The --values of helm for overlays of the chart, then for a mapping, which is written into `folder`."""
    files = [CHART / overlay for overlay in overlays]
    if values is not None:
        own = pathlib.Path(folder) / "own-values.yaml"
        own.write_text(yaml.safe_dump(values))
        files.append(own)
    return [f"--values={file}" for file in files]


def template(overlays=(), values=None, chart=CHART, release="ks", arguments=()):
    """`helm template`, as the finished process."""
    with tempfile.TemporaryDirectory() as folder:
        return run("helm", "template", release, chart, "--namespace=serving", "--kube-version=1.37.2",
                   *value_flags(overlays, values, folder), *arguments)


def render(overlays=(), values=None, **options):
    """The objects that the chart makes, without helm's hooks' order."""
    result = template(overlays, values, **options)
    assert result.returncode == 0, result.stderr
    return [document for document in yaml.safe_load_all(result.stdout) if document]


def refusal(overlays=(), values=None, **options):
    """What helm says where it refuses the values; fails the test where it takes them."""
    result = template(overlays, values, **options)
    assert result.returncode != 0, f"helm took {values}"
    return result.stderr


def kubeconform(text):
    """The finished check of these objects against strict schemas."""
    schemas = TOOLS / "schemas" / "{{.ResourceKind}}{{.KindSuffix}}.json"
    return run("kubeconform", "-strict", "-summary", "-schema-location", schemas, stdin=text)


def one(documents, kind, name=None):
    """The only object of this kind (and name)."""
    found = [d for d in documents if d["kind"] == kind and (name is None or d["metadata"]["name"] == name)]
    assert len(found) == 1, [f"{d['kind']} {d['metadata']['name']}" for d in documents]
    return found[0]


def pod_spec(documents):
    return one(documents, "Deployment")["spec"]["template"]["spec"]


def server_container(documents):
    return next(c for c in pod_spec(documents)["containers"] if c["name"] == "kubesentiment")


def settings(documents):
    """The server's configuration file as the chart makes it."""
    return one(documents, "ConfigMap", "ks-kubesentiment")["data"]["config.toml"]
