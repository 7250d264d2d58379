"""A real Kubernetes control plane on loopback, with nodes that kwok plays: pods are scheduled, become ready, and run nothing.

Programs come from scripts/setup-kubernetes cluster. Probes, images, logs and the network are not exercised.
"""

import contextlib
import json
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

import yaml

import helm_chart

HERE = pathlib.Path(__file__).resolve().parent
TOKEN = "admin-of-a-test-cluster"
STARTED = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok")


def free_ports(count):
    """Ports that nobody listens on, all different."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in sockets]


def wait_for(condition, seconds, what):
    """Until condition() is true; its value. `what` says, or returns, what was waited for."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"after {seconds} s: {what() if callable(what) else what}"
        time.sleep(0.1)
    return value


def node(name, zone, arch="amd64"):
    labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": arch,
              "topology.kubernetes.io/zone": zone}
    room = {"cpu": "64", "memory": "256Gi", "pods": "110"}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels},
            "status": {"allocatable": room, "capacity": room}}


class Cluster:
    """A running control plane; use as a context manager.

    `kubectl port-forward` to any pod reaches whatever listens on `pods_port` of loopback."""

    def __init__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="cluster-")
        self.folder = pathlib.Path(self._folder.name)
        self.kubeconfig = self.folder / "kubeconfig"
        self._processes = {}

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in reversed(self._processes.values()):
            process.send_signal(signal.SIGTERM)
        for process in reversed(self._processes.values()):
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
        self._folder.cleanup()

    # --- Starting ---

    def _launch(self, program, *arguments):
        with open(self.folder / f"{program}.log", "wb") as log:
            self._processes[program] = subprocess.Popen(
                [helm_chart.TOOLS / "bin" / program, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=helm_chart.environment(self.folder))

    def _log_tail(self):
        tails = []
        for program, process in self._processes.items():
            lines = (self.folder / f"{program}.log").read_text(errors="replace").splitlines()
            tails.append(f"{program} (exit code {process.poll()}): " + " | ".join(lines[-3:]))
        return "\n".join(tails)

    def _start(self):
        etcd, peer, self.port, controllers, scheduler, self._nodes_port, self.pods_port = free_ports(7)
        pki = self.folder / "pki"
        pki.mkdir()
        for command in (["genrsa", "-out", pki / "sa.key", "2048"], ["rsa", "-in", pki / "sa.key", "-pubout", "-out", pki / "sa.pub"]):
            subprocess.run(["openssl", *command], check=True, capture_output=True)
        (pki / "tokens.csv").write_text(f"{TOKEN},admin,admin,system:masters\n")
        self._launch("etcd", "--data-dir", self.folder / "etcd", "--unsafe-no-fsync",
                     f"--listen-client-urls=http://127.0.0.1:{etcd}", f"--advertise-client-urls=http://127.0.0.1:{etcd}",
                     f"--listen-peer-urls=http://127.0.0.1:{peer}", f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
                     f"--initial-cluster=default=http://127.0.0.1:{peer}")
        self._launch("kube-apiserver", f"--etcd-servers=http://127.0.0.1:{etcd}", "--bind-address=127.0.0.1",
                     f"--secure-port={self.port}", f"--cert-dir={pki}", f"--token-auth-file={pki}/tokens.csv",
                     "--authorization-mode=RBAC", "--endpoint-reconciler-type=none",
                     "--kubelet-preferred-address-types=InternalIP",
                     "--service-account-issuer=https://kubernetes.default.svc", f"--service-account-key-file={pki}/sa.pub",
                     f"--service-account-signing-key-file={pki}/sa.key", "--service-cluster-ip-range=10.0.0.0/24")
        self.url = f"https://127.0.0.1:{self.port}"
        self.certificate, self.key = pki / "apiserver.crt", pki / "apiserver.key"
        wait_for(self._ready, 120, self._log_tail)
        self.kubeconfig.write_text(yaml.safe_dump({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": self.url, "certificate-authority": str(self.certificate)}}],
            "users": [{"name": "admin", "user": {"token": TOKEN}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}]}))
        self._launch("kube-controller-manager", f"--kubeconfig={self.kubeconfig}",
                     f"--service-account-private-key-file={pki}/sa.key", f"--root-ca-file={self.certificate}",
                     "--bind-address=127.0.0.1", f"--secure-port={controllers}", "--leader-elect=false",
                     "--use-service-account-credentials=false", "--horizontal-pod-autoscaler-sync-period=2s",
                     "--horizontal-pod-autoscaler-initial-readiness-delay=0s", f"--cert-dir={pki}/controllers")
        self._launch("kube-scheduler", f"--kubeconfig={self.kubeconfig}", "--bind-address=127.0.0.1",
                     f"--secure-port={scheduler}", "--leader-elect=false", f"--authentication-kubeconfig={self.kubeconfig}",
                     f"--authorization-kubeconfig={self.kubeconfig}", f"--cert-dir={pki}/scheduler")
        self._start_nodes()

    def _ready(self):
        assert all(p.poll() is None for p in self._processes.values()), self._log_tail()
        with contextlib.suppress(OSError, ssl.SSLError):
            return self.request("GET", "/readyz")[0] == 200

    def _start_nodes(self):
        """Four nodes in two zones, and one of an architecture for which there is no image."""
        parts = [path.read_text() for path in sorted((helm_chart.TOOLS / "stages").glob("*.yaml"))]
        parts.append((HERE / "test_pod_stage.yaml").read_text())
        parts.append(yaml.safe_dump({
            "apiVersion": "kwok.x-k8s.io/v1alpha1", "kind": "ClusterPortForward", "metadata": {"name": "pods"},
            "spec": {"forwards": [{"target": {"address": "127.0.0.1", "port": self.pods_port}}]}}))
        (self.folder / "kwok.yaml").write_text("\n---\n".join(parts))
        self._launch("kwok", f"--kubeconfig={self.kubeconfig}", f"--config={self.folder}/kwok.yaml",
                     "--manage-all-nodes=true", "--node-ip=127.0.0.1", f"--node-port={self._nodes_port}",
                     f"--server-address=127.0.0.1:{self._nodes_port}", f"--tls-cert-file={self.certificate}",
                     f"--tls-private-key-file={self.key}", "--node-lease-duration-seconds=40")
        self.apply(*(node(f"node-{i}", f"zone-{i % 2}") for i in range(4)), node("other-cpu", "zone-1", arch="s390x"))
        wait_for(lambda: all(self.is_ready(n) for n in self.items("nodes")), 60, self._log_tail)

    # --- Talking to it ---

    def request(self, method, path, body=None, content_type="application/json"):
        """(status, body as text) of the API server."""
        context = ssl.create_default_context(cafile=self.certificate)
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": content_type}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30, context=context) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def _run(self, tool, *arguments, **options):
        with tempfile.TemporaryDirectory() as home:
            env = helm_chart.environment(home, {"KUBECONFIG": str(self.kubeconfig)})
            return helm_chart.run(tool, *arguments, env=env, **options)

    def kubectl(self, *arguments, **options):
        """The finished process; fails the test where it failed."""
        result = self.try_kubectl(*arguments, **options)
        assert result.returncode == 0, result.stderr
        return result

    def try_kubectl(self, *arguments, **options):
        return self._run("kubectl", *arguments, **options)

    def helm(self, *arguments, **options):
        """The finished process; fails the test where it failed."""
        result = self.try_helm(*arguments, **options)
        assert result.returncode == 0, result.stderr + result.stdout
        return result

    def try_helm(self, *arguments, timeout=180, **options):
        return self._run("helm", *arguments, timeout=timeout, **options)

    def apply(self, *objects):
        self.kubectl("apply", "--server-side", "--validate=strict", "-f", "-", stdin=yaml.safe_dump_all(objects))

    def items(self, kind, namespace=None, *arguments):
        where = ["--namespace", namespace] if namespace else []
        return json.loads(self.kubectl("get", kind, *where, "-o", "json", *arguments).stdout)["items"]

    def get(self, kind, name, namespace):
        return json.loads(self.kubectl("get", kind, name, "--namespace", namespace, "-o", "json").stdout)

    @staticmethod
    def is_ready(thing):
        """Whether a pod or node has the condition Ready."""
        conditions = thing.get("status", {}).get("conditions", [])
        return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)

    @contextlib.contextmanager
    def namespace(self, name):
        """A new namespace in which Pod Security `restricted` is enforced; gone at the end."""
        labels = {"pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/enforce-version": "latest"}
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
        # The controllers' sign that the namespace is complete.
        wait_for(lambda: self.try_kubectl("get", "configmap/kube-root-ca.crt", "serviceaccount/default", "-n", name).returncode == 0,
                 30, f"namespace {name} is not complete")
        try:
            yield name
        finally:
            self.kubectl("delete", "namespace", name, "--wait=false")
